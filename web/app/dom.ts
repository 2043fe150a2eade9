// Building the page from nodes. Nothing here, or anywhere, makes HTML from strings: the content security policy
// forbids it.

type Child = Node | string | number | null | undefined | false;

interface Properties {
  class?: string;
  text?: string;
  on?: Partial<{ [K in keyof HTMLElementEventMap]: (event: HTMLElementEventMap[K]) => void }>;
  [attribute: string]: unknown;
}

/** An element with attributes (true means present, false, null and undefined absent), listeners and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  const { on, text, ...attributes } = properties;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const [name, listener] of Object.entries(on ?? {})) element.addEventListener(name, listener as EventListener);
  if (text !== undefined) element.textContent = text;
  element.append(...present(children));
  return element;
}

function present(children: Child[]): (Node | string)[] {
  return children
    .filter((child): child is Node | string | number => child !== null && child !== undefined && child !== false)
    .map((child) => (typeof child === "number" ? String(child) : child));
}

/** Puts the children in place of what the element holds. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...present(children));
}

/** The element of that id, which the page's own HTML must have. */
export function byID<T extends HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element as T;
}

const paths = {
  copy: "M9 9V5a1 1 0 0 1 1-1h9a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-4M5 9h9a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  hide: "M4 4l16 16M9.9 5.8A9 9 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a17 17 0 0 1-3 3.7M6.2 7.7A17 17 0 0 0 2.5 12S6 18.5 12 18.5a9 9 0 0 0 3.8-.8M10 10.2a3 3 0 0 0 4 4",
  key: "M14.5 9.5a4.5 4.5 0 1 1-4.3-4.5 4.5 4.5 0 0 1 4.3 4.5zM13.5 12.5L20.5 19.5M17.5 16.5l-2 2M20 19l-1.5 1.5",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5M12 7.7v.1",
  good: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8 12.3l2.8 2.7L16 9.5",
  warn: "M12 4l9 16H3zM12 10v4.5M12 17.2v.1",
  bad: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7.5v5.5M12 16.2v.1",
  passkey: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 9-6M17.5 13.5a2.7 2.7 0 1 0-1.3 0V20l1.3 1 1.5-1.5-1-1.2 1-1.3-1.5-1.5z",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  remove: "M5 7h14M9.5 7V5h5v2M7 7l.8 12h8.4L17 7",
  email: "M3.5 6.5h17v12h-17zM4 7l8 6.5L20 7",
  sms: "M4 5.5h16v11h-9l-4.5 3.5v-3.5H4zM8.5 11h.1M12 11h.1M15.5 11h.1",
  whatsapp: "M12 3.5a8.5 8.5 0 0 0-7.3 12.8L3.5 20.5l4.3-1.1A8.5 8.5 0 1 0 12 3.5zM9 8.5c-.7 1.2-.3 2.9 1.3 4.5s3.4 2.2 4.7 1.5l.3-1.6-2-.9-1 .8c-1-.5-1.7-1.2-2.1-2.1l.8-1-.8-2z",
  open: "M14 4.5h5.5V10M19 5l-8.5 8.5M17 14v5.5H4.5V7H10",
  arrow: "M5 12h13M13 6l6 6-6 6",
} as const;

export type IconName = keyof typeof paths;

/** A line drawing beside a label; the label says it all, so screen readers skip the drawing. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [attribute, value] of Object.entries({
    viewBox: "0 0 24 24",
    width: "20",
    height: "20",
    fill: "none",
    stroke: "currentColor",
    "stroke-width": "1.8",
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
    "aria-hidden": "true",
  })) {
    svg.setAttribute(attribute, value);
  }
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", paths[name]);
  svg.append(path);
  return svg;
}

export type Mood = "info" | "good" | "warn" | "bad";

/** A notice: an icon, what happened and what to do next, and perhaps a button. */
export function notice(mood: Mood, message: string, ...more: Child[]): HTMLElement {
  return h("div", { class: `notice ${mood}` }, icon(mood), h("div", {}, h("p", { text: message }), ...more));
}

/** Speaks to screen readers. The page's HTML has <p id="spoken" role="status" class="unseen">. */
export function announce(message: string): void {
  const region = byID("spoken");
  region.textContent = "";
  // Emptied first and filled a moment later, so that the same words twice are read twice.
  window.setTimeout(() => (region.textContent = message), 50);
}

/** While work runs the button is busy: it keeps its label and its focus, gains a spinner, and ignores clicks. */
export async function busy<T>(button: HTMLElement, work: () => Promise<T>): Promise<T | undefined> {
  if (button.getAttribute("aria-busy") === "true") return undefined;
  button.setAttribute("aria-busy", "true");
  button.setAttribute("aria-disabled", "true");
  try {
    return await work();
  } finally {
    button.removeAttribute("aria-busy");
    button.removeAttribute("aria-disabled");
  }
}
