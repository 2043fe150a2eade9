// The API reference: /openapi.json made readable, without the network.
import { announce, byID, fill, h, notice } from "../dom";
import { matches, readReference, type Door, type Endpoint, type Reference } from "./model";
import type { Document } from "./openapi";
import { doorNames, groupView, methodBadge } from "./view";

const search = byID<HTMLInputElement>("search");
let reference: Reference | null = null;

async function load(): Promise<void> {
  try {
    const response = await fetch("/openapi.json");
    if (!response.ok) throw new Error(`status ${response.status}`);
    reference = readReference((await response.json()) as Document);
  } catch {
    fill(byID("groups"), notice("bad", "The server did not give its description of the API. Check that it is running, then reload this page."));
    return;
  }
  show(reference);
  search.disabled = false;
  filter();
  goToHash();
}

function show({ groups, version, count }: Reference): void {
  byID("about").textContent = `${version && version !== "dev" ? `Version ${version}. ` : ""}${count} endpoints.`;
  fill(byID("groups"), ...groups.map((group) => groupView(group, location.origin)));
  const parts = (["server", "browser", "open"] as Door[]).flatMap((door) => {
    const own = groups.filter((group) => group.door === door);
    if (own.length === 0) return [];
    return [
      h("h2", { class: "ref-door", text: doorNames[door] }),
      ...own.map((group) =>
        h(
          "section",
          { "data-group": group.id },
          h("h3", {}, h("a", { href: `#${group.id}`, text: group.name })),
          h("ul", {}, ...group.endpoints.map((endpoint) => h("li", { "data-endpoint": endpoint.id }, navLink(endpoint)))),
        ),
      ),
    ];
  });
  fill(byID("contents"), ...parts);
}

function navLink(endpoint: Endpoint): HTMLElement {
  const name = endpoint.summary || endpoint.path;
  return h("a", { href: `#${endpoint.id}`, title: `${endpoint.method} ${endpoint.path}` }, methodBadge(endpoint.method), h("span", { text: name }));
}

/** Shows the endpoints that match the search, in the contents and in the text. */
function filter(): void {
  if (!reference) return;
  let found = 0;
  for (const group of reference.groups) {
    let here = 0;
    for (const endpoint of group.endpoints) {
      const shown = matches(endpoint, search.value.trim());
      byID(endpoint.id).hidden = !shown;
      document.querySelector<HTMLElement>(`[data-endpoint="${endpoint.id}"]`)!.hidden = !shown;
      if (shown) here++;
    }
    byID(group.id).hidden = here === 0;
    document.querySelector<HTMLElement>(`[data-group="${group.id}"]`)!.hidden = here === 0;
    found += here;
  }
  byID("nothing").hidden = found > 0;
  if (search.value.trim()) announce(found === 1 ? "One endpoint matches." : `${found} endpoints match.`);
}

function goToHash(): void {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id ? document.getElementById(id) : null;
  if (!target) return;
  if (target.hidden) {
    search.value = "";
    filter();
  }
  target.scrollIntoView();
  document.getElementById(`${id}-title`)?.focus({ preventScroll: true });
  const contents = byID<HTMLDetailsElement>("contents-box");
  if (narrow.matches) contents.open = false;
}

/** The contents stand beside the text where there is room, and fold away where there is none. */
const narrow = window.matchMedia("(max-width: 899px)");
const fold = () => (byID<HTMLDetailsElement>("contents-box").open = !narrow.matches);

search.addEventListener("input", filter);
search.form?.addEventListener("submit", (event) => event.preventDefault());
search.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  search.value = "";
  filter();
});
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  search.focus();
});
window.addEventListener("hashchange", goToHash);
narrow.addEventListener("change", fold);
fold();
void load();
