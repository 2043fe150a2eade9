// The start page of `gatehouse dev`: what is running, its credentials, and what to do next.
import { announce, byID, fill, h, icon, notice } from "../dom";
import { copyButton, idValue } from "../copy";
import { tabs } from "../tabs";
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
  const panels = nextSteps((snippet) => snippet.code(revealed ? info : { ...info, secret: hiddenSecret }), (snippet) => snippet.code(info));
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

/** The snippets under tabs. shown is what a panel shows, copied what its button copies. */
function nextSteps(shown: (s: Snippet) => string, copied: (s: Snippet) => string) {
  const codes = snippets.map((snippet) => h("code", { text: shown(snippet) }));
  const panels = snippets.map((snippet, i) => ({
    id: snippet.id,
    label: snippet.label,
    content: [
      h(
        "div",
        { class: "snippet-head" },
        h("p", { class: "muted small", text: snippet.lead }),
        copyButton(`the ${snippet.label} code`, () => copied(snippet)),
      ),
      h("pre", { tabindex: "0", role: "region", "aria-label": `${snippet.label} code` }, codes[i]),
    ],
  }));
  const refresh = () => codes.forEach((code, i) => (code.textContent = shown(snippets[i]!)));
  return { elements: tabs("Next steps", panels, "start-panel"), refresh };
}

void load();
