// What the page knows of messages, apart from how it shows them.
import type { IconName } from "../dom";

/** A message as /dev/mailbox.json has it. */
export interface Message {
  message_id: string;
  channel: string;
  type: string;
  locale: string;
  to: string;
  from: string;
  reply_to: string;
  subject: string;
  text: string;
  link: string;
  code: string;
  has_html: boolean;
  created_at: string;
}

const channels: Record<string, { icon: IconName; label: string }> = {
  email: { icon: "email", label: "E-mail" },
  sms: { icon: "sms", label: "SMS" },
  whatsapp: { icon: "whatsapp", label: "WhatsApp" },
};

export function channelOf(message: Message): { icon: IconName; label: string } {
  return channels[message.channel] ?? { icon: "sms", label: message.channel };
}

/** What a list shows of a message: its subject, or how its text begins. */
export function headline(message: Message): string {
  return message.subject || message.text.replace(/\s+/g, " ").trim() || "(empty)";
}

/** The messages to recipients that hold the words; capitals do not matter. */
export function matching(messages: Message[], filter: string): Message[] {
  const words = filter.trim().toLowerCase();
  return words ? messages.filter((message) => message.to.toLowerCase().includes(words)) : messages;
}

/** Whom messages went to, each once, in the order of their messages. */
export function recipients(messages: Message[]): string[] {
  const seen = new Map(messages.map((message) => [message.to.toLowerCase(), message.to]));
  return [...seen.values()];
}

/** What is said of messages that have just arrived, newest first; "" for none. */
export function news(fresh: Message[]): string {
  const [newest] = fresh;
  if (!newest) return "";
  if (fresh.length > 1) return `${fresh.length} new messages.`;
  return `New ${newest.channel === "email" ? "e-mail" : `${channelOf(newest).label} message`} to ${newest.to}: ${headline(newest)}`;
}

export interface Clearing {
  /** Whose messages go; null means everybody's. */
  to: string[] | null;
  label: string;
  title: string;
  text: string;
  confirm: string;
}

const consequence = "Links and codes that were sent stay valid; only the messages go.";

/** What the clear button destroys: what is shown, and nothing else. */
export function clearing(shown: Message[], filter: string): Clearing {
  const count = shown.length === 1 ? "1 message" : `${shown.length} messages`;
  if (!filter.trim()) {
    return { to: null, label: `Delete all (${shown.length})`, title: `Delete ${shown.length === 1 ? "the only message" : `all ${count}`}?`, text: `The mailbox is empty then. ${consequence}`, confirm: `Delete ${count}` };
  }
  const to = recipients(shown);
  const whom = to.length === 1 ? to[0]! : `${to.length} recipients`;
  const who = to.length === 1 ? "" : `They went to ${to.slice(0, 5).join(", ")}${to.length > 5 ? " and others" : ""}. `;
  return { to, label: `Delete these (${shown.length})`, title: `Delete ${count} to ${whom}?`, text: who + consequence, confirm: `Delete ${count}` };
}

/** Whether a link may be put on the page to be clicked: one that leads somewhere and runs nothing here. */
export function clickable(link: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/i.test(link) && !/^(javascript|data|vbscript|blob|file):/i.test(link);
}

/** The text in pieces: its web addresses, and what stands between them. */
export function pieces(text: string): { text: string; link: boolean }[] {
  const out: { text: string; link: boolean }[] = [];
  let from = 0;
  for (const found of text.matchAll(/https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]']/g)) {
    if (found.index > from) out.push({ text: text.slice(from, found.index), link: false });
    out.push({ text: found[0], link: true });
    from = found.index + found[0].length;
  }
  if (from < text.length) out.push({ text: text.slice(from), link: false });
  return out;
}
