// Behind the scenes: the calls to the API that this page and the app's backend have made.
import { byID, fill, h } from "../dom";
import { shorten } from "../copy";
import type { SeenCall } from "./api";

const most = 40;

/** Keeps the newest calls and shows them, newest first. */
export class CallLog {
  private readonly calls: SeenCall[] = [];
  private readonly list = byID("calls");

  /** Where the log is shown: beside the account, or under the way in. */
  moveInto(place: HTMLElement): void {
    place.append(byID("behind"));
  }

  add(call: SeenCall): void {
    this.calls.unshift(call);
    this.calls.length = Math.min(this.calls.length, most);
    byID("calls-empty").hidden = true;
    fill(this.list, ...this.calls.map(line));
  }
}

function line(call: SeenCall): HTMLElement {
  const fine = call.status < 400;
  return h(
    "li",
    {},
    h("span", { class: "pill plain", text: call.by === "page" ? "Page" : "Backend" }),
    h("span", { class: "mono call-path", title: `${call.method} ${call.path}` }, `${call.method} ${shortPath(call.path)}`),
    h("span", { class: `small ${fine ? "muted" : "call-failed"}` }, `${fine ? "" : "Refused, "}${call.status}, ${call.millis} ms`),
  );
}

function shortPath(path: string): string {
  return path
    .split("/")
    .map((part) => shorten(decodeURIComponent(part), 12, 4))
    .join("/");
}
