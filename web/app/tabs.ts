// Tabs as the ARIA practices have them: arrow keys move and select, Tab leaves.
import { h } from "./dom";

export interface Tab {
  /** Makes the ids "tab-<id>" and "panel-<id>", so it is unique on the page. */
  id: string;
  label: string;
  content: (Node | null)[];
}

/** The tab list and its panels, the first one open. panel: the class of each panel. */
export function tabs(label: string, all: Tab[], panel: string): HTMLElement[] {
  const panels = all.map(({ id, content }, i) =>
    h("div", { id: `panel-${id}`, role: "tabpanel", "aria-labelledby": `tab-${id}`, class: panel, hidden: i > 0 }, ...content),
  );
  const select = (chosen: number, focus: boolean) => {
    buttons.forEach((button, i) => {
      button.setAttribute("aria-selected", String(i === chosen));
      button.tabIndex = i === chosen ? 0 : -1;
      panels[i]!.hidden = i !== chosen;
    });
    if (focus) buttons[chosen]!.focus();
  };
  const buttons = all.map((tab, i) =>
    h("button", {
      id: `tab-${tab.id}`,
      type: "button",
      role: "tab",
      "aria-controls": `panel-${tab.id}`,
      text: tab.label,
      on: { click: () => select(i, false), keydown: (event) => moveByKey(event, i, all.length, select) },
    }),
  );
  select(0, false);
  return [h("div", { class: "tabs", role: "tablist", "aria-label": label }, ...buttons), ...panels];
}

function moveByKey(event: KeyboardEvent, at: number, count: number, select: (i: number, focus: boolean) => void): void {
  const to = { ArrowRight: (at + 1) % count, ArrowLeft: (at + count - 1) % count, Home: 0, End: count - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  select(to, true);
}
