// Times in the reader's zone, with the exact UTC on hover.
import { h } from "./dom";

export function timeElement(when: string | number | Date, style: "short" | "clock" = "short"): HTMLTimeElement {
  const date = new Date(when);
  const utc = date.toISOString();
  const text =
    style === "clock"
      ? date.toLocaleTimeString(undefined, { timeStyle: "medium" })
      : date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  return h("time", { datetime: utc, title: `${utc.replace("T", " ").replace("Z", "")} UTC`, text });
}

/** "59 min 05 s", "4 min 05 s", "12 s", and "0 s" from then on. */
export function countdown(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours > 0) return `${hours} h ${pad(minutes % 60)} min`;
  if (minutes > 0) return `${minutes} min ${pad(seconds % 60)} s`;
  return `${seconds} s`;
}

function pad(n: number): string {
  return String(n).padStart(2, "0");
}

/** When an id that holds a UUIDv7 was made, in milliseconds since 1970; 0 when it holds none. */
export function madeAt(id: string): number {
  const hex = /([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.exec(id);
  return hex ? parseInt(`${hex[1]}${hex[2]}`, 16) : 0;
}
