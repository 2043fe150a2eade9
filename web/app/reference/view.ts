// One endpoint, one group, one table of fields as nodes.
import { h } from "../dom";
import { copyButton } from "../copy";
import { curlFor } from "./curl";
import type { Door, Endpoint, Field, Group } from "./model";

export const doorNames: Record<Door, string> = {
  server: "Backend, with the secret",
  browser: "Browser, with the public token",
  open: "Open to everybody",
};

const doorHints: Record<Door, string> = {
  server: "Called by your backend with the project id and secret.",
  browser: "Called by your page with the public token and the session. Answers are wrapped in data.",
  open: "Called without credentials.",
};

export function groupView(group: Group, base: string): HTMLElement {
  return h(
    "section",
    { class: "ref-group", id: group.id },
    h("h2", { id: `${group.id}-title`, tabindex: "-1", text: group.name }),
    h("p", { class: "muted small", text: doorHints[group.door] }),
    ...group.endpoints.map((endpoint) => endpointView(endpoint, base)),
  );
}

export function methodBadge(method: string): HTMLElement {
  return h("span", { class: `method ${method.toLowerCase()}`, text: method });
}

function endpointView(endpoint: Endpoint, base: string): HTMLElement {
  const places: [Field["in"], string][] = [
    ["path", "In the path"],
    ["query", "In the query"],
    ["header", "In the headers"],
    ["body", "In the body"],
  ];
  const curl = curlFor(endpoint, base);
  return h(
    "article",
    { class: "card ref-endpoint", id: endpoint.id, "aria-labelledby": `${endpoint.id}-title` },
    h(
      "h3",
      { id: `${endpoint.id}-title`, tabindex: "-1" },
      h("a", { class: "ref-link", href: `#${endpoint.id}` }, methodBadge(endpoint.method), h("span", { class: "mono" }, ...breakable(endpoint.path))),
    ),
    endpoint.summary && h("p", { text: sentence(endpoint.summary) }),
    endpoint.description && h("p", { class: "muted", text: endpoint.description }),
    ...places.flatMap(([place, title]) => {
      const fields = endpoint.request.filter((field) => field.in === place);
      return fields.length > 0 ? [h("h4", { text: title }), fieldTable(fields, `${title} of ${endpoint.method} ${endpoint.path}`, place !== "path")] : [];
    }),
    h(
      "div",
      {},
      h("div", { class: "snippet-head" }, h("h4", { text: "Example" }), copyButton("the example", () => curl)),
      h("pre", { tabindex: "0", role: "region", "aria-label": `curl for ${endpoint.method} ${endpoint.path}` }, h("code", { text: curl })),
    ),
    ...answerView(endpoint),
  );
}

function answerView(endpoint: Endpoint): (HTMLElement | null)[] {
  return [
    endpoint.response.length > 0 ? later("Answer", () => fieldTable(endpoint.response, `Answer of ${endpoint.method} ${endpoint.path}`, false)) : null,
    endpoint.failures.length > 0
      ? later("Errors", () =>
          h(
            "ul",
            { class: "ref-failures" },
            ...endpoint.failures.map((failure) => h("li", {}, h("span", { class: "mono", text: failure.status }), h("span", { text: failure.description }))),
          ),
        )
      : null,
  ];
}

/** A part that is built when it is first opened: most never are. */
function later(title: string, content: () => HTMLElement): HTMLElement {
  const details = h("details", { class: "ref-later" }, h("summary", { text: title }));
  details.addEventListener("toggle", () => details.append(content()), { once: true });
  return details;
}

function fieldTable(fields: Field[], caption: string, sayOptional: boolean): HTMLElement {
  return h(
    "table",
    { class: "ref-fields" },
    h("caption", { class: "unseen", text: caption }),
    h("thead", { class: "unseen" }, h("tr", {}, h("th", { scope: "col", text: "Field" }), h("th", { scope: "col", text: "Meaning" }))),
    h("tbody", {}, ...fields.map((field) => fieldRow(field, sayOptional))),
  );
}

function fieldRow(field: Field, sayOptional: boolean): HTMLElement {
  const inner = field.inner();
  return h(
    "tr",
    {},
    h(
      "th",
      { scope: "row" },
      h("span", { class: "mono" }, ...breakable(field.name)),
      sayOptional && field.required ? h("span", { class: "ref-required", text: "required" }) : null,
    ),
    h(
      "td",
      {},
      h("p", { class: "ref-type" }, field.type),
      field.description && h("p", { text: sentence(field.description) }),
      field.limits.length > 0 ? h("p", { class: "muted small", text: sentence(field.limits.join("; ")) }) : null,
      inner.length > 0 ? later(`Fields of ${field.name}`, () => fieldTable(inner, `Fields of ${field.name}`, sayOptional)) : null,
    ),
  );
}

function sentence(text: string): string {
  const start = /^[a-z][a-z]/.test(text) ? text[0]!.toUpperCase() + text.slice(1) : text;
  return /[.!?:]$/.test(start) ? start : `${start}.`;
}

/** A path or a name that breaks after a slash or a low line where it must, and not in the middle of a word. */
function breakable(text: string): (string | HTMLElement)[] {
  return text
    .split(/(?<=[/_])/)
    .flatMap((part, i) => (i === 0 ? [part] : [h("wbr"), part]));
}
