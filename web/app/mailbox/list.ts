// The list of messages, moved through by arrow keys.
import { fill, h, icon } from "../dom";
import { timeElement } from "../time";
import { channelOf, headline, type Message } from "./model";

export class List {
  readonly element = h("ul", { class: "mailbox-list", role: "listbox", "aria-label": "Messages" });
  private messages: Message[] = [];
  private readonly rows = new Map<string, HTMLLIElement>();
  private selected = "";

  /** chosen is called when another message is selected; opened when one is asked for by click or Enter. */
  constructor(
    private readonly chosen: (message: Message) => void,
    private readonly opened: (byKey: boolean) => void,
  ) {
    this.element.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** Shows the messages. unread marks those that arrived while the page was open and were not looked at. */
  show(messages: Message[], unread: Set<string>, today: string): void {
    const focused = this.element.contains(document.activeElement);
    this.messages = messages;
    for (const id of this.rows.keys()) if (!messages.some((message) => message.message_id === id)) this.rows.delete(id);
    fill(this.element, ...messages.map((message) => this.row(message, today)));
    for (const [id, row] of this.rows) row.classList.toggle("unread", unread.has(id));
    this.mark();
    if (focused) this.rows.get(this.selected)?.focus();
  }

  select(id: string): void {
    this.selected = id;
    this.mark();
  }

  focus(): void {
    const row = this.rows.get(this.selected);
    row?.focus();
    row?.scrollIntoView({ block: "nearest" });
  }

  private row(message: Message, today: string): HTMLLIElement {
    const known = this.rows.get(message.message_id);
    if (known) return known;
    const { icon: shape, label } = channelOf(message);
    const sameDay = new Date(message.created_at).toDateString() === today;
    const row = h(
      "li",
      { role: "option", on: { click: () => (this.choose(message, true), this.opened(false)) } },
      h("span", { class: "mailbox-shape" }, icon(shape)),
      h(
        "span",
        { class: "mailbox-row" },
        h("span", { class: "mailbox-to", text: message.to }),
        h("span", { class: "mailbox-subject", text: headline(message) }),
        h("span", { class: "mailbox-kind muted" }, `${label}, `, timeElement(message.created_at, sameDay ? "clock" : "short"), h("span", { class: "mailbox-new pill", text: "New" })),
      ),
    );
    this.rows.set(message.message_id, row);
    return row;
  }

  /** One row takes part in the order of the Tab key: the selected one, or else the first. */
  private mark(): void {
    const inOrder = this.rows.has(this.selected) ? this.selected : this.messages[0]?.message_id;
    for (const [id, row] of this.rows) {
      row.setAttribute("aria-selected", String(id === this.selected));
      row.tabIndex = id === inOrder ? 0 : -1;
    }
  }

  private choose(message: Message, focus: boolean): void {
    this.selected = message.message_id;
    this.mark();
    if (focus) this.focus();
    this.chosen(message);
  }

  private onKey(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const last = this.messages.length - 1;
    const at = this.messages.findIndex((message) => this.rows.get(message.message_id) === document.activeElement);
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      const message = this.messages[at];
      if (message) this.choose(message, false);
      return this.opened(true);
    }
    const to = { ArrowDown: Math.min(at + 1, last), ArrowUp: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    const message = to === undefined ? undefined : this.messages[to];
    if (!message) return;
    event.preventDefault();
    this.choose(message, true);
  }
}
