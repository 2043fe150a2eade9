import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { judge, type Seen } from "../app/hop/judge";

type Made = Partial<Seen> & Pick<Seen, "type" | "at">;

/** Events as a browser records them: of a mouse, on the button, trusted, unless told otherwise. */
function seen(...made: Made[]): Seen[] {
  return made.map((e) => {
    const pointer = e.type.startsWith("pointer") ? "mouse" : "";
    return { trusted: true, onButton: e.type !== "pointermove", pointer, x: 100, y: 200, key: "", ...e };
  });
}

const move = (at: number, x: number, y: number): Made => ({ type: "pointermove", at, x, y });
const way = [move(900, 20, 30), move(916, 60, 110), move(932, 98, 199)];
const down: Made = { type: "pointerdown", at: 1000 };
const up: Made = { type: "pointerup", at: 1080 };
const click: Made = { type: "click", at: 1080 };
const touch = (more: Partial<Seen> = {}): Made[] => [
  { ...down, pointer: "touch", ...more },
  { ...up, pointer: "touch", ...more },
  { ...click, ...more },
];
const keys = (key: string, from = 1000, to = 1070): Made[] => [
  { type: "keydown", at: from, key },
  { type: "keyup", at: to, key },
];
const untrusted = (e: Made): Made => ({ ...e, trusted: false });
const elsewhere = (e: Made): Made => ({ ...e, onButton: false });

describe("a person's press", () => {
  const people: [string, ReturnType<typeof judge>, Made[]][] = [
    ["a mouse that moved there", "mouse", [...way, down, up, click]],
    ["a mouse that moves while it is down", "mouse", [...way, down, move(1040, 101, 200), up, click]],
    ["a tap on a touchpad", "mouse", [...way, down, { ...up, at: 1006 }, click]],
    ["a second try with a new way", "mouse", [...way, down, up, click, move(1900, 80, 220), move(1950, 99, 240), { ...down, at: 2000, y: 240 }, { ...up, at: 2090 }, click]],
    ["a finger", "touch", touch()],
    ["a pen", "pen", touch({ pointer: "pen" })],
    ["a finger, after one that scrolled", "touch", [{ ...down, at: 400, pointer: "touch", onButton: false }, { type: "pointercancel", at: 500, pointer: "touch", onButton: false }, ...touch()]],
    ["the space bar", "keyboard", [...keys(" "), { type: "click", at: 1070 }]],
    ["Enter, down", "wait", [keys("Enter")[0]!, { type: "click", at: 1000 }]],
    ["Enter, up again", "keyboard", [keys("Enter")[0]!, { type: "click", at: 1000 }, keys("Enter")[1]!]],
    ["Enter, with Tab not yet released", "keyboard", [elsewhere({ type: "keydown", at: 970, key: "Tab" }), keys("Enter")[0]!, { type: "click", at: 1000 }, { type: "keyup", at: 1010, key: "Tab" }, keys("Enter")[1]!]],
    ["a mouse, after keys elsewhere", "mouse", [...keys("Enter", 500, 560).map(elsewhere), ...way, down, up, click]],
  ];
  for (const [name, want, events] of people) test(name, () => assert.equal(judge(seen(...events)), want));
});

describe("no convincing gesture", () => {
  const others: [string, Made[]][] = [
    ["nothing at all", []],
    ["element.click()", [untrusted(click)]],
    ["element.click() after a person's press elsewhere", [...way, elsewhere(down), elsewhere(up), untrusted(click)]],
    ["a click that the browser made for an assistive technology", [click]],
    ["the same, with a press made up", [down, { ...up, at: down.at }, click]],
    ["events made by a script", [...way, down, up, click].map(untrusted)],
    ["trusted moves and a scripted press", [...way, untrusted(down), untrusted(up), click]],
    ["scripted moves and a trusted press", [...way.map(untrusted), down, up, click]],
    ["a DevTools click without a move", [down, up, click]],
    ["a DevTools click with one move", [move(990, 100, 200), down, up, click]],
    ["a mouse that rests under the page", [move(300, 100, 200), move(600, 100, 200), down, up, click]],
    ["a mouse that jumps", [...way, { ...down, x: 140 }, up, click]],
    ["two clicks with a jump between them", [move(500, 10, 10), { ...down, at: 510, onButton: false }, { ...up, at: 590, onButton: false }, move(990, 100, 200), down, up, click]],
    ["the second half of a double click", [...way, down, up, click, { ...down, at: 1150 }, { ...up, at: 1200 }, { ...click, at: 1200 }]],
    ["a press without duration", [...way, down, { ...up, at: 1001 }, click]],
    ["a press before anybody can have read the page", [move(50, 1, 2), move(120, 98, 199), { ...down, at: 200 }, up, click]],
    ["a press that began elsewhere", [...way, elsewhere(down), up, click]],
    ["a press that ended elsewhere", [...way, down, elsewhere(up), click]],
    ["a press that was called off", [...way, down, { type: "pointercancel", at: 1050 }, click]],
    ["a press by a finger and a mouse", [...way, { ...down, pointer: "touch" }, up, click]],
    ["a pointer of no kind", touch({ pointer: "" })],
    ["a finger without duration", [{ ...down, pointer: "touch" }, { ...up, pointer: "touch", at: 1003 }, click]],
    ["a finger at once", [{ ...down, at: 100, pointer: "touch" }, { ...up, pointer: "touch" }, click]],
    ["a touch made by a script", touch({ trusted: false })],
    ["a pointer press without its click", [...way, down, up]],
    ["a key without duration", [...keys(" ", 1000, 1012), { type: "click", at: 1012 }]],
    ["Enter without duration", [keys("Enter")[0]!, { type: "click", at: 1000 }, keys("Enter", 1000, 1002)[1]!]],
    ["a key made by a script", [...keys(" ").map(untrusted), { type: "click", at: 1070 }]],
    ["a key at once", [...keys(" ", 100, 170), { type: "click", at: 170 }]],
    ["Enter in a field", [...keys("Enter").slice(0, 1).map(elsewhere), { type: "click", at: 1000 }]],
    ["one key down, another up", [keys("Enter")[0]!, keys(" ")[1]!, { type: "click", at: 1070 }]],
    ["the space bar before its click", keys(" ")],
    ["another key", [...keys("a"), { type: "click", at: 1070 }]],
  ];
  for (const [name, events] of others) test(name, () => assert.equal(judge(seen(...events)), null));
});
