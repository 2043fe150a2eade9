// One message, as the person it went to sees it.
import { h, icon } from "../dom";
import { copyButton, idValue } from "../copy";
import { tabs } from "../tabs";
import { timeElement } from "../time";
import { channelOf, clickable, headline, pieces, type Message } from "./model";

/** The message with its heading, which takes the focus, and a way back to the list where there is one column. */
export function view(message: Message, back: () => void): HTMLElement[] {
  const { label } = channelOf(message);
  const heading = h("h2", { id: "message-title", tabindex: "-1", text: message.channel === "email" ? headline(message) : `${label} to ${message.to}` });
  return [
    h("button", { type: "button", class: "button quiet mailbox-back", on: { click: back } }, icon("arrow"), "All messages"),
    h(
      "div",
      { class: "mailbox-about" },
      heading,
      h(
        "p",
        { class: "muted small" },
        message.channel === "email" ? `To ${message.to}${message.from ? `, from ${message.from}` : ""}, ` : null,
        timeElement(message.created_at),
      ),
    ),
    ...actions(message),
    ...tabs("Message", message.channel === "email" ? emailTabs(message) : phoneTabs(message), "mailbox-panel"),
  ];
}

/** The code and the link, which are what one came for. */
function actions(message: Message): HTMLElement[] {
  const { code, link } = message;
  const all: HTMLElement[] = [];
  if (code) {
    all.push(h("div", { class: "mailbox-action" }, h("h3", { class: "unseen", text: "Code" }), h("p", { class: "mailbox-code mono", text: code }), copyButton("the code", () => code)));
  }
  if (link) {
    const open = clickable(link) && h("a", { class: "button primary", href: link, target: "_blank", rel: "noopener noreferrer" }, "Open the link", icon("open"));
    all.push(h("div", { class: "mailbox-action" }, h("h3", { class: "unseen", text: "Link" }), open, h("p", { class: "mailbox-link mono", title: link, text: link }), copyButton("the link", () => link)));
  }
  return all.length > 0 ? [h("div", { class: "mailbox-actions" }, ...all)] : [];
}

function emailTabs(message: Message) {
  const address = `/dev/mailbox/${encodeURIComponent(message.message_id)}/html`;
  const html = h("iframe", { class: "mailbox-frame", title: "The e-mail as it looks", src: address, sandbox: "allow-popups allow-popups-to-escape-sandbox" });
  const text = { id: "text", label: "Text", content: [h("pre", { class: "mailbox-text", tabindex: "0", role: "region", "aria-label": "The plain text of the e-mail" }, ...linked(message.text))] };
  const all = [text, details(message)];
  return message.has_html ? [{ id: "html", label: "As it looks", content: [html] }, ...all] : all;
}

function phoneTabs(message: Message) {
  const bubble = h(
    "div",
    { class: `mailbox-phone ${message.channel}` },
    h("p", { class: "mailbox-phone-head muted small" }, icon(channelOf(message).icon), channelOf(message).label),
    h("p", { class: "mailbox-bubble" }, ...linked(message.text)),
  );
  return [{ id: "text", label: "As it looks", content: [bubble] }, details(message)];
}

function linked(text: string): (string | HTMLElement)[] {
  return pieces(text).map((piece) => (piece.link ? h("a", { href: piece.text, target: "_blank", rel: "noopener noreferrer", text: piece.text }) : piece.text));
}

function details(message: Message) {
  const fact = (name: string, ...value: (Node | string)[]) => h("div", {}, h("dt", { text: name }), h("dd", {}, ...value));
  const text = (name: string, value: string) => (value ? fact(name, h("span", { class: "value", text: value })) : null);
  return {
    id: "details",
    label: "Details",
    content: [
      h(
        "dl",
        { class: "facts" },
        fact("Message id", idValue("the message id", message.message_id, 18)),
        fact("Type", h("span", { class: "value mono", text: message.type })),
        text("Channel", channelOf(message).label),
        text("To", message.to),
        text("From", message.from),
        text("Reply to", message.reply_to),
        text("Subject", message.subject),
        text("Language", message.locale || "en"),
        fact("Made at", h("span", { class: "value" }, timeElement(message.created_at))),
        message.channel === "email" ? null : text("Length", `${[...message.text].length} characters`),
      ),
    ],
  };
}
