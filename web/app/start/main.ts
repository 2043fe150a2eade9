// The start page of `gatehouse dev`: what is running, its credentials, and what to do next.
import { announce, byID, fill, h, icon, notice } from "../dom";
import { copyButton, idValue } from "../copy";
import { snippets, type Snippet, type Values } from "./snippets";

interface Info extends Values {
  version: string;
  engine: string;
  data: string;
  environment: string;
  project_name: string;
}

const hiddenSecret = "••••••••••••••••";

async function load(): Promise<void> {
  let response: Response;
  try {
    response = await fetch("/dev/info.json", { cache: "no-store" });
  } catch {
    return failed("The server did not answer. Check that gatehouse dev is running, then reload this page.");
  }
  if (!response.ok) {
    const error = (await response.json().catch(() => ({}))) as { error_message?: string };
    return failed(`${error.error_message ?? "The server could not tell what is running."} They are also in dev.json in the data folder.`);
  }
  show((await response.json()) as Info);
}

function failed(text: string): void {
  fill(byID("state"), notice("warn", text));
  byID("credentials").hidden = true;
  byID("next").hidden = true;
}

function show(info: Info): void {
  const environment = info.environment === "live" ? "Live environment" : "Test environment";
  fill(
    byID("state"),
    h("p", { class: "start-state" }, h("span", { class: "pill plain", text: environment })),
    h(
      "p",
      { class: "muted" },
      `${info.version === "dev" ? "A development build" : `Version ${info.version}`}, with ${info.engine}${info.data ? " in " : ""}`,
      info.data ? h("code", { text: info.data }) : null,
      ".",
    ),
  );
  // Passkeys refuse IP addresses: the demo is opened by the server's name, whichever way this page was.
  for (const link of document.querySelectorAll<HTMLAnchorElement>('a[href="/demo"]')) link.href = `${info.base_url}/demo`;
  let revealed = false;
  const panels = tabs(snippets, (snippet) => snippet.code(revealed ? info : { ...info, secret: hiddenSecret }), (snippet) => snippet.code(info));
  const secret = secretValue(info.secret, (shown) => {
    revealed = shown;
    panels.refresh();
  });
  fill(
    byID("facts"),
    info.project_name ? fact("Project", h("span", { class: "value", text: info.project_name })) : null,
    fact("Base URL", value("the base URL", info.base_url)),
    fact("Project id", idValue("the project id", info.project_id, 22)),
    fact("Secret", secret),
    fact("Public token", idValue("the public token", info.public_token, 22)),
  );
  fill(byID("snippets"), ...panels.elements);
}

function fact(name: string, content: Node): HTMLElement {
  return h("div", {}, h("dt", { text: name }), h("dd", {}, content));
}

function value(what: string, text: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  fragment.append(h("span", { class: "value mono", text }), copyButton(what, () => text));
  return fragment;
}

/** Hidden until asked for, so that a shared screen does not give it away; copying works without showing it. */
function secretValue(secret: string, changed: (shown: boolean) => void): DocumentFragment {
  const text = h("span", { class: "value mono" });
  const button = h("button", { type: "button", class: "button quiet icon" });
  let shown = false;
  const render = () => {
    text.textContent = shown ? secret : hiddenSecret;
    if (shown) text.removeAttribute("aria-label");
    else text.setAttribute("aria-label", "Hidden");
    text.setAttribute("role", shown ? "none" : "img");
    const label = shown ? "Hide the secret" : "Show the secret";
    button.setAttribute("aria-label", label);
    button.setAttribute("title", label);
    fill(button, icon(shown ? "hide" : "eye"));
  };
  button.addEventListener("click", () => {
    shown = !shown;
    render();
    changed(shown);
    announce(shown ? "The secret is shown." : "The secret is hidden.");
  });
  render();
  const fragment = document.createDocumentFragment();
  fragment.append(text, button, copyButton("the secret", () => secret));
  return fragment;
}

/** Tabs as the ARIA practices have them: arrow keys move and select, Tab leaves. */
function tabs(all: Snippet[], shown: (s: Snippet) => string, copied: (s: Snippet) => string) {
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": "Next steps" });
  const codes = all.map((snippet) => h("code", { text: shown(snippet) }));
  const panels = all.map((snippet, i) =>
    h(
      "div",
      { id: `panel-${snippet.id}`, role: "tabpanel", "aria-labelledby": `tab-${snippet.id}`, class: "start-panel", hidden: i > 0 },
      h(
        "div",
        { class: "snippet-head" },
        h("p", { class: "muted small", text: snippet.lead }),
        copyButton(`the ${snippet.label} code`, () => copied(snippet)),
      ),
      h("pre", { tabindex: "0", role: "region", "aria-label": `${snippet.label} code` }, codes[i]),
    ),
  );
  const select = (chosen: number, focus: boolean) => {
    buttons.forEach((button, i) => {
      button.setAttribute("aria-selected", String(i === chosen));
      button.tabIndex = i === chosen ? 0 : -1;
      panels[i]!.hidden = i !== chosen;
    });
    if (focus) buttons[chosen]!.focus();
  };
  const buttons = all.map((snippet, i) =>
    h("button", {
      id: `tab-${snippet.id}`,
      type: "button",
      role: "tab",
      "aria-controls": `panel-${snippet.id}`,
      text: snippet.label,
      on: { click: () => select(i, false), keydown: (event) => moveByKey(event, i, all.length, select) },
    }),
  );
  list.append(...buttons);
  select(0, false);
  const refresh = () => codes.forEach((code, i) => (code.textContent = shown(all[i]!)));
  return { elements: [list, ...panels], refresh };
}

function moveByKey(event: KeyboardEvent, at: number, count: number, select: (i: number, focus: boolean) => void): void {
  const to = { ArrowRight: (at + 1) % count, ArrowLeft: (at + count - 1) % count, Home: 0, End: count - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  select(to, true);
}

void load();
