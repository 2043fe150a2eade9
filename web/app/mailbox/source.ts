// The messages, read again every second while somebody looks.
import type { Message } from "./model";

const interval = 1000; // milliseconds

export interface Listener {
  /** Called whenever other messages are there than before, and at first. */
  changed(messages: Message[]): void;
  /** Called when the server cannot be read ("" once it can again). */
  failed(text: string): void;
}

export class Source {
  private version = "";
  private timer = 0;
  private asking = false;
  private failing = false;

  constructor(private readonly listener: Listener) {}

  start(): void {
    document.addEventListener("visibilitychange", () => void this.look());
    void this.look();
  }

  /** Removes the messages to these recipients, or everybody's; the number of messages that there were. */
  async clear(to: string[] | null): Promise<number> {
    let deleted = 0;
    for (const query of to ? to.map((one) => `?to=${encodeURIComponent(one)}`) : [""]) {
      const response = await fetch(`/dev/mailbox.json${query}`, { method: "DELETE" });
      if (!response.ok) throw new Error(await reason(response));
      deleted += ((await response.json()) as { deleted: number }).deleted;
    }
    await this.look();
    return deleted;
  }

  private async look(): Promise<void> {
    clearTimeout(this.timer);
    if (document.hidden || this.asking) return;
    this.asking = true;
    const problem = await this.read().catch(() => "The server did not answer. Check that gatehouse dev is running. This page goes on by itself.");
    this.asking = false;
    if (problem || this.failing) this.listener.failed(problem);
    this.failing = problem !== "";
    this.timer = window.setTimeout(() => void this.look(), interval);
  }

  /** Says what is wrong, "" when nothing is. */
  private async read(): Promise<string> {
    const response = await fetch(`/dev/mailbox.json?version=${encodeURIComponent(this.version)}`, { cache: "no-store" });
    if (!response.ok) return reason(response);
    const { version, messages } = (await response.json()) as { version: string; messages?: Message[] };
    this.version = version;
    if (messages) this.listener.changed(messages);
    return "";
  }
}

async function reason(response: Response): Promise<string> {
  const error = (await response.json().catch(() => ({}))) as { error_message?: string };
  return error.error_message ?? "The server could not read the mailbox. Its log says why.";
}
