// Whether a press of the button was a person's. The scanners that follow links in mails run scripts and click
// buttons, but few of them go to the length of moving a mouse there. What is not recognised is nobody's fault: the
// page then asks a question instead.

/** What happened on the page, as far as the judgement needs it. */
export interface Seen {
  type: "pointermove" | "pointerdown" | "pointerup" | "pointercancel" | "keydown" | "keyup" | "click";
  trusted: boolean; // Event.isTrusted: the browser made it, not a script
  at: number; // milliseconds since the page was there
  onButton: boolean; // whether it went to the button
  pointer: string; // "mouse", "touch", "pen"; "" of keys and clicks
  x: number;
  y: number;
  key: string; // as in KeyboardEvent.key; "" of pointers and clicks
}

/** How a person pressed. */
export type Gesture = "mouse" | "touch" | "pen" | "keyboard";

/** The least a press lasts, in milliseconds. A tap on a touchpad is made into a click by the driver, and is short. */
const shortest: Record<Gesture, number> = { mouse: 5, touch: 15, pen: 15, keyboard: 30 };

/** Nobody reads and aims within this time, in milliseconds. */
const tooEarly = 250;

/** How far from where the mouse was last seen it may be pressed, in CSS pixels. */
const reach = 4;

/**
 * Judges the last of the events, a click on the button or the release of Enter over it. "wait" asks for the release:
 * Enter clicks when it goes down, and only its way up tells how long it was held. null is no convincing gesture.
 */
export function judge(events: readonly Seen[]): Gesture | "wait" | null {
  const last = events.at(-1);
  if (!last?.trusted || !last.onButton) return null;
  const presses = events.filter(isPress);
  const end = presses.at(-1);
  const begin = presses.at(-2);
  if (!end?.trusted || !end.onButton) return null;
  if (last.type === "click" && end.type === "keydown" && end.key === "Enter") return "wait";
  if (!begin?.trusted || !begin.onButton || begin.at < tooEarly) return null;
  const lasted = end.at - begin.at;
  if (begin.type === "keydown" && end.type === "keyup") {
    const held = begin.key === end.key && (end.key === "Enter" || (end.key === " " && last.type === "click"));
    return held && lasted >= shortest.keyboard ? "keyboard" : null;
  }
  if (last.type !== "click" || begin.type !== "pointerdown" || end.type !== "pointerup" || begin.pointer !== end.pointer) return null;
  const kind = begin.pointer;
  if (kind !== "mouse" && kind !== "touch" && kind !== "pen") return null;
  if (lasted < shortest[kind]) return null;
  return kind !== "mouse" || movedThere(events, begin) ? kind : null;
}

/** Leaves the moves out, and the keys that press no button: Tab may still be down when Enter is. */
function isPress(e: Seen): boolean {
  if (e.type === "keydown" || e.type === "keyup") return e.key === "Enter" || e.key === " ";
  return e.type !== "pointermove" && e.type !== "click";
}

/** Whether the mouse was moved, over at least two places, to where it went down, since the press before. */
function movedThere(events: readonly Seen[], down: Seen): boolean {
  const before = events.slice(0, events.indexOf(down));
  const since = before.slice(before.map(isPress).lastIndexOf(true) + 1);
  const moves = since.filter((e) => e.type === "pointermove" && e.trusted && e.pointer === "mouse");
  const [first, end] = [moves[0], moves.at(-1)];
  if (!first || !end || Math.hypot(end.x - down.x, end.y - down.y) > reach) return false;
  return moves.some((e) => e.x !== first.x || e.y !== first.y);
}
