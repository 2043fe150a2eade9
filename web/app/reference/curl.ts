// A call of an endpoint for the terminal. Pure.
import type { Door, Endpoint, Field } from "./model";

const credentials: Record<Door, string> = {
  server: `  -u "$PROJECT_ID:$SECRET"`,
  browser: `  -u "$PUBLIC_TOKEN:$SESSION_TOKEN"`,
  open: "",
};

export function curlFor(endpoint: Endpoint, base: string): string {
  const parts = (place: Field["in"]) => endpoint.request.filter((field) => field.in === place);
  let path = endpoint.path;
  for (const field of parts("path")) path = path.replace(`{${field.name}}`, String(field.example ?? `$${field.name.toUpperCase()}`));
  const query = parts("query")
    .filter((field) => field.required)
    .map((field) => `${field.name}=${String(field.example ?? `$${field.name.toUpperCase()}`)}`)
    .join("&");
  const lines = [`curl ${endpoint.method === "GET" ? "" : `-X ${endpoint.method} `}"${base}${path}${query ? `?${query}` : ""}"`];
  if (credentials[endpoint.door]) lines.push(credentials[endpoint.door]);
  if (endpoint.method !== "GET" && endpoint.method !== "DELETE") {
    lines.push(`  -H "Content-Type: application/json"`);
    lines.push(`  -d ${quoted(JSON.stringify(bodyExample(parts("body")), null, 2))}`);
  }
  return lines.join(" \\\n");
}

/** What must be sent, and what has an example worth showing when nothing must be. */
function bodyExample(fields: Field[]): Record<string, unknown> {
  const required = fields.filter((field) => field.required);
  const shown = required.length > 0 ? required : fields.filter((field) => field.example !== undefined).slice(0, 2);
  return Object.fromEntries(shown.map((field) => [field.name, field.example ?? placeholder(field)]));
}

function placeholder(field: Field): unknown {
  const inner = field.inner();
  const must = inner.filter((one) => one.required);
  if (field.type.startsWith("list of")) return inner.length > 0 ? [bodyExample(must)] : [];
  if (field.type.startsWith("object")) return bodyExample(must);
  if (field.type.startsWith("boolean")) return true;
  if (field.type.startsWith("integer") || field.type.startsWith("number")) return 60;
  return "…";
}

/** One word for the shell, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replace(/'/g, `'\\''`)}'`;
}
