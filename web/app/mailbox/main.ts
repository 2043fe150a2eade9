// The mailbox of `gatehouse dev`: what a test environment would send, as it would arrive.
import { announce, byID, fill, h, icon, notice } from "../dom";
import { copyButton } from "../copy";
import { ask } from "../ask";
import { List } from "./list";
import { clearing, matching, news, recipients, type Message } from "./model";
import { Source } from "./source";
import { view } from "./view";

class Page {
  private messages: Message[] | null = null; // null until the first answer
  private readonly unread = new Set<string>();
  private selected = location.hash.slice(1);
  private reading = false; // where there is one column, it shows the message
  private drawn = ""; // the message that the view shows
  private readonly content = byID("content");
  private readonly message = h("section", { class: "card mailbox-message", "aria-label": "Message" });
  private readonly none = h("p", { class: "muted mailbox-none", text: "Nothing went to a recipient like that." });
  private readonly list = new List(
    (message) => this.select(message),
    (byKey) => this.read(byKey),
  );
  private readonly known = h("datalist", { id: "recipients" });
  private readonly filter = h("input", {
    id: "filter", class: "input", type: "search", list: "recipients", placeholder: "Recipient", autocomplete: "off", spellcheck: "false", autocapitalize: "none",
    on: { input: () => this.filtered() },
  });
  private readonly clear = h("button", { type: "button", class: "button danger", on: { click: () => void this.askToClear() } });
  private readonly source = new Source({ changed: (messages) => this.changed(messages), failed: (text) => this.failed(text) });

  start(): void {
    fill(byID("tools"), h("div", { class: "mailbox-filter" }, h("label", { class: "unseen", for: "filter", text: "Filter by recipient" }), this.filter, this.known), this.clear);
    this.source.start();
  }

  private changed(messages: Message[]): void {
    const before = this.messages;
    const had = new Set(before?.map((message) => message.message_id));
    const fresh = before ? messages.filter((message) => !had.has(message.message_id)) : [];
    for (const message of fresh) this.unread.add(message.message_id);
    this.messages = messages;
    fill(this.known, ...recipients(messages).map((to) => h("option", { value: to })));
    this.show();
    if (fresh.length > 0) announce(news(fresh));
  }

  private failed(text: string): void {
    fill(byID("problem"), text && notice("warn", text));
    if (text && !this.messages) fill(this.content);
  }

  private get shown(): Message[] {
    return matching(this.messages ?? [], this.filter.value);
  }

  private filtered(): void {
    this.show();
    const count = this.shown.length;
    announce(count === 1 ? "1 message." : `${count} messages.`);
  }

  private show(): void {
    const empty = !this.messages?.length;
    this.content.classList.toggle("full", !empty);
    byID("tools").hidden = empty;
    if (empty) {
      this.filter.value = "";
      this.reading = false;
      this.arrange();
      if (!this.content.querySelector(".mailbox-empty")) fill(this.content, emptyState());
      this.drawn = "";
      return;
    }
    if (!this.message.isConnected) fill(this.content, h("div", { class: "card mailbox-side" }, this.list.element, this.none), this.message);
    const { shown } = this;
    this.clear.hidden = shown.length === 0;
    fill(this.clear, icon("remove"), clearing(shown, this.filter.value).label);
    this.none.hidden = shown.length > 0;
    const current = shown.find((message) => message.message_id === this.selected) ?? shown[0];
    if (current) {
      this.draw(current);
    } else {
      this.drawn = "";
      fill(this.message, h("p", { class: "muted", text: "No message is selected." }));
    }
    this.list.show(shown, this.unread, new Date().toDateString());
    this.arrange();
  }

  private select(message: Message): void {
    history.replaceState(null, "", `#${message.message_id}`);
    this.draw(message);
    this.list.show(this.shown, this.unread, new Date().toDateString());
  }

  /** Draws a message once: drawing it again would load its frame anew and take the reader's place away. */
  private draw(message: Message): void {
    this.selected = message.message_id;
    this.list.select(message.message_id);
    if (!oneColumn.matches || this.reading) this.unread.delete(message.message_id);
    if (this.drawn === message.message_id) return;
    this.drawn = message.message_id;
    fill(this.message, ...view(message, () => this.leave()));
  }

  /** Goes on to the message: with the keyboard always, with the pointer where the message takes the list's place. */
  private read(byKey: boolean): void {
    this.reading = true;
    this.unread.delete(this.selected);
    this.list.show(this.shown, this.unread, new Date().toDateString());
    this.arrange();
    if (byKey || oneColumn.matches) byID("message-title").focus();
  }

  private leave(): void {
    this.reading = false;
    this.arrange();
    this.list.focus();
  }

  private arrange(): void {
    byID("main").classList.toggle("reading", this.reading);
  }

  private async askToClear(): Promise<void> {
    const what = clearing(this.shown, this.filter.value);
    if (!(await ask({ title: what.title, text: what.text, confirm: what.confirm, danger: true }))) return;
    try {
      const deleted = await this.source.clear(what.to);
      this.reading = false;
      this.filter.value = "";
      this.show();
      announce(deleted === 1 ? "1 message was deleted." : `${deleted} messages were deleted.`);
      byID("main").focus();
    } catch (error) {
      this.failed(error instanceof Error ? error.message : "The messages could not be deleted. Try again.");
    }
  }
}

const oneColumn = window.matchMedia("(max-width: 899px)");

/** How to get the first message. The secret is not shown, as on the start page; the copy has it. */
function emptyState(): HTMLElement {
  const command = (secret: string, info: { base_url: string; project_id: string }) =>
    `curl ${info.base_url}/v1/magic_links/email/login_or_create \\\n  -u '${info.project_id}:${secret}' \\\n  -H 'Content-Type: application/json' \\\n  -d '{"email": "ada@example.com"}'`;
  const how = h("div", { class: "mailbox-how" });
  void fetch("/dev/info.json", { cache: "no-store" })
    .then(async (response) => {
      if (!response.ok) return;
      const info = (await response.json()) as { base_url: string; project_id: string; secret: string };
      fill(
        how,
        h("div", { class: "snippet-head" }, h("p", { class: "muted small", text: "From the terminal, for example:" }), copyButton("the curl command", () => command(info.secret, info))),
        h("pre", { tabindex: "0", role: "region", "aria-label": "curl command" }, h("code", { text: command("••••••••••••••••", info) })),
      );
    })
    .catch(() => undefined); // the words above say it too
  return h(
    "div",
    { class: "card mailbox-empty" },
    h("h2", { text: "No messages yet" }),
    h("p", { class: "muted", text: "E-mails, SMS and WhatsApp messages of this test environment are kept here instead of being sent, unless you add a sender for them. Send a login link or a code to any address or number, and it appears here within a second." }),
    how,
  );
}

new Page().start();
