// The page behind an e-mailed link: one button. A person's press goes on at once; what a script or a scanner could
// have done reveals a question. The server asks the same question of browsers without scripts.
import { byID } from "../dom";
import { judge, type Gesture, type Seen } from "./judge";

const form = byID<HTMLFormElement>("hop");
const button = byID<HTMLButtonElement>("continue");
const question = byID("question");
const answer = byID<HTMLInputElement>("answer");
const problem = byID("problem");

/** Enough for a long way of the mouse to the button. */
const remembered = 500;

/** How long a second press is ignored, in milliseconds. A link into an app leaves this page as it is, to be pressed again. */
const patience = 3000;

const shown = performance.now();
let events: Seen[] = [];
let proven: Gesture | null = null;

function note(event: Event): void {
  const pointer = event instanceof PointerEvent && event.type !== "click" ? event : null;
  const key = event instanceof KeyboardEvent ? event : null;
  if (key?.repeat) return;
  events.push({
    type: event.type as Seen["type"],
    trusted: event.isTrusted,
    at: event.timeStamp - shown,
    onButton: event.target instanceof Node && button.contains(event.target),
    pointer: pointer?.pointerType ?? "",
    x: pointer?.clientX ?? 0,
    y: pointer?.clientY ?? 0,
    key: key?.key ?? "",
  });
  if (events.length > remembered) events = events.slice(-remembered);
}

/** A browser that says it is driven by a program is not asked how it pressed. */
const verdict = () => (navigator.webdriver === true ? null : judge(events));

for (const type of ["pointermove", "pointerdown", "pointerup", "pointercancel", "keydown", "keyup"]) {
  document.addEventListener(type, note, { capture: true, passive: true });
}

let held = false; // Enter went down on the button, and the press is judged when it comes up

button.addEventListener("click", (event) => {
  note(event);
  const found = verdict();
  held = found === "wait";
  if (found === "wait") event.preventDefault();
  else proven = found;
});

button.addEventListener("keyup", (event) => {
  if (!held || event.key !== "Enter") return;
  held = false;
  const found = verdict();
  proven = found === "wait" ? null : found;
  form.requestSubmit(button);
});

form.addEventListener("submit", (event) => {
  const gesture = proven;
  proven = null;
  form.querySelector('input[name="gesture"]')?.remove();
  if (button.getAttribute("aria-busy") === "true") return event.preventDefault();
  if (gesture) {
    // The field exists only now: a scanner that sends every field it finds has nothing to send.
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = "gesture";
    field.value = gesture;
    form.append(field);
  } else if (question.hidden || answer.value.trim() === "") {
    event.preventDefault();
    return ask();
  }
  button.setAttribute("aria-busy", "true");
  window.setTimeout(ready, patience);
});

/** Reveals the question; the second time, says that it wants an answer. The focus makes screen readers read it. */
function ask(): void {
  if (!question.hidden) {
    problem.hidden = false;
    answer.setAttribute("aria-invalid", "true");
  }
  question.classList.add("hop-asked");
  question.hidden = false;
  answer.focus();
}

function ready(): void {
  button.removeAttribute("aria-busy");
}
window.addEventListener("pageshow", ready);

question.hidden = !question.classList.contains("hop-asked");
