// From an OpenAPI document to what the reference shows: groups of endpoints with their fields. Pure.
import { jsonSchema, type Document, type OperationObject, type Parameter, type Schema } from "./openapi";

export type Door = "server" | "browser" | "open";

export interface Field {
  name: string;
  in: "path" | "query" | "header" | "body";
  type: string;
  required: boolean;
  description: string;
  /** "at most 1000", "one of a, b": each a short phrase. */
  limits: string[];
  example: unknown;
  /** What an object, or each entry of a list, is made of; empty for plain values. Asked only when shown. */
  inner: () => Field[];
}

export interface Failure {
  status: string;
  description: string;
}

export interface Endpoint {
  /** Names the endpoint in links: "post-v1-users". */
  id: string;
  method: string;
  path: string;
  door: Door;
  summary: string;
  description: string;
  request: Field[];
  response: Field[];
  failures: Failure[];
  /** Lower-case words to search in. */
  words: string;
}

export interface Group {
  id: string;
  name: string;
  door: Door;
  endpoints: Endpoint[];
}

export interface Reference {
  title: string;
  version: string;
  groups: Group[];
  count: number;
}

const groupNames: Record<string, string> = {
  users: "Users",
  sessions: "Sessions",
  webauthn: "Passkeys and WebAuthn",
  projects: "Projects",
  debug: "Debugging",
  magic_links: "Magic links",
  otps: "One-time passcodes",
  totps: "Authenticator apps",
  oauth: "OAuth",
  crypto_wallets: "Crypto wallets",
  m2m: "Machine to machine",
  idp: "Connected apps",
  rbac: "Roles",
};

const methods = ["get", "post", "put", "patch", "delete"];
const doors: Door[] = ["server", "browser", "open"];

export function readReference(document: Document): Reference {
  const groups = new Map<string, Group>();
  let count = 0;
  for (const [path, operations] of Object.entries(document.paths ?? {})) {
    for (const method of methods) {
      const operation = operations[method];
      if (!operation) continue;
      const endpoint = readEndpoint(document, method, path, operation);
      const key = groupKey(path);
      const id = `${endpoint.door}-${key}`;
      const group = groups.get(id) ?? { id, name: groupNames[key] ?? titled(key), door: endpoint.door, endpoints: [] };
      group.endpoints.push(endpoint);
      groups.set(id, group);
      count++;
    }
  }
  const all = [...groups.values()];
  for (const group of all) group.endpoints.sort(byPathThenMethod);
  all.sort((a, b) => doors.indexOf(a.door) - doors.indexOf(b.door) || a.name.localeCompare(b.name, "en"));
  return { title: document.info?.title ?? "API", version: document.info?.version ?? "", groups: all, count };
}

function byPathThenMethod(a: Endpoint, b: Endpoint): number {
  const order = (e: Endpoint) => methods.indexOf(e.method.toLowerCase());
  return a.path < b.path ? -1 : a.path > b.path ? 1 : order(a) - order(b);
}

function groupKey(path: string): string {
  const segment = path.replace(/^\/(sdk\/)?v1\//, "/").split("/")[1] ?? "";
  return path.startsWith("/v1/") || path.startsWith("/sdk/v1/") ? segment : "server";
}

function titled(key: string): string {
  const words = key.replace(/[_-]/g, " ").trim();
  return words ? words[0]!.toUpperCase() + words.slice(1) : "Other";
}

/** Whose call it is: an empty security list says anybody's, else the path tells. */
function doorOf(path: string, operation: OperationObject): Door {
  if (operation.security?.length === 0) return "open";
  if (path.startsWith("/sdk/v1/")) return "browser";
  return path.startsWith("/v1/") ? "server" : "open";
}

function readEndpoint(document: Document, method: string, path: string, operation: OperationObject): Endpoint {
  const responses = Object.entries(operation.responses ?? {});
  const success = responses.find(([status]) => status.startsWith("2"))?.[1];
  const endpoint: Endpoint = {
    id: endpointID(method, path),
    method: method.toUpperCase(),
    path,
    door: doorOf(path, operation),
    summary: operation.summary ?? "",
    description: operation.description ?? "",
    request: [
      ...(operation.parameters ?? []).map((parameter) => parameterField(document, parameter)),
      ...fieldsOf(document, jsonSchema(operation.requestBody)),
    ],
    response: answerFields(document, jsonSchema(success)),
    failures: responses
      .filter(([status]) => /^[345]/.test(status))
      .map(([status, response]) => ({ status, description: response.description ?? "" })),
    words: "",
  };
  endpoint.words = [method, path, endpoint.summary, endpoint.description, ...endpoint.request.map((f) => f.name), ...endpoint.failures.map((f) => f.description)]
    .join(" ")
    .toLowerCase();
  return endpoint;
}

export function endpointID(method: string, path: string): string {
  return `${method.toLowerCase()}${path.replace(/[{}]/g, "").replace(/[^A-Za-z0-9_]+/g, "-")}`.replace(/-$/, "");
}

function parameterField(document: Document, parameter: Parameter): Field {
  const place = parameter.in === "path" || parameter.in === "query" ? parameter.in : "header";
  const field = schemaField(document, parameter.name, parameter.schema ?? {}, place === "path" || parameter.required === true);
  return {
    ...field,
    in: place,
    description: parameter.description ?? field.description,
    example: parameter.example ?? field.example,
  };
}

/** A schema with its references and allOf parts drawn together. */
export function resolve(document: Document, schema: Schema, depth = 0): Schema {
  if (depth > 8) return {};
  if (schema.$ref) {
    const target = document.components?.schemas?.[schema.$ref.split("/").pop() ?? ""];
    const { $ref: _, ...beside } = schema;
    return { ...resolve(document, target ?? {}, depth + 1), ...beside };
  }
  const real = (schema.anyOf ?? schema.oneOf)?.filter((one) => one.type !== "null");
  if (real?.length === 1) {
    const { anyOf: _, oneOf: __, ...beside } = schema;
    return { ...resolve(document, real[0]!, depth + 1), ...beside, nullable: true };
  }
  if (!schema.allOf) return schema;
  const { allOf, ...own } = schema;
  return [...allOf.map((part) => resolve(document, part, depth + 1)), own].reduce<Schema>(
    (all, part) => ({
      ...all,
      ...part,
      properties: { ...all.properties, ...part.properties },
      required: [...(all.required ?? []), ...(part.required ?? [])],
    }),
    {},
  );
}

/** An answer's fields: those inside data where the browser's door wraps them. What every answer has comes last. */
function answerFields(document: Document, schema: Schema | undefined): Field[] {
  if (!schema) return [];
  const { properties } = resolve(document, schema);
  const names = Object.keys(properties ?? {});
  const fields = fieldsOf(document, names.length === 1 && names[0] === "data" ? properties!.data : schema);
  const everywhere = (field: Field) => Number(field.name === "request_id" || field.name === "status_code");
  return fields.sort((a, b) => everywhere(a) - everywhere(b));
}

/** An object's fields, the required ones first. */
export function fieldsOf(document: Document, schema: Schema | undefined): Field[] {
  if (!schema) return [];
  const { properties, required } = resolve(document, schema);
  const must = new Set(required);
  return Object.entries(properties ?? {})
    .map(([name, property]) => schemaField(document, name, property, must.has(name)))
    .sort((a, b) => Number(b.required) - Number(a.required));
}

function schemaField(document: Document, name: string, schema: Schema, required: boolean): Field {
  const whole = resolve(document, schema);
  const content = whole.type === "array" || whole.items ? resolve(document, whole.items ?? {}) : whole;
  return {
    name,
    in: "body",
    type: typeName(document, schema),
    required,
    description: whole.description ?? "",
    limits: limitsOf(whole, content),
    example: whole.example ?? whole.examples?.[0],
    inner: () => (content.properties ? fieldsOf(document, content) : []),
  };
}

function typeName(document: Document, schema: Schema): string {
  const whole = resolve(document, schema);
  const types = (Array.isArray(whole.type) ? whole.type : [whole.type ?? ""]).filter((type) => type && type !== "null");
  const nullable = whole.nullable || (Array.isArray(whole.type) && whole.type.includes("null"));
  let name = types.join(" or ");
  if (whole.items) name = `list of ${typeName(document, whole.items)}`;
  else if (whole.properties || name === "object") name = "object";
  else if (whole.oneOf ?? whole.anyOf) name = (whole.oneOf ?? whole.anyOf ?? []).map((one) => typeName(document, one)).join(" or ");
  if (whole.format === "date-time") name = "time (RFC 3339)";
  return `${name || "any"}${nullable ? " or null" : ""}`;
}

function limitsOf(whole: Schema, content: Schema): string[] {
  const limits: string[] = [];
  const { minimum: min, maximum: max } = whole;
  if (min !== undefined && max !== undefined) limits.push(`${min} to ${max}`);
  else if (min !== undefined) limits.push(`at least ${min}`);
  else if (max !== undefined) limits.push(`at most ${max}`);
  if (whole.minLength) limits.push(`at least ${plural(whole.minLength, "character")}`);
  if (whole.maxLength !== undefined) limits.push(`at most ${plural(whole.maxLength, "character")}`);
  if (whole.minItems) limits.push(`at least ${plural(whole.minItems, "entry", "entries")}`);
  if (whole.maxItems !== undefined) limits.push(`at most ${plural(whole.maxItems, "entry", "entries")}`);
  if (whole.pattern) limits.push(`matches ${whole.pattern}`);
  const options = whole.enum ?? content.enum;
  if (options) limits.push(`one of ${options.map(String).join(", ")}`);
  if (whole.default !== undefined) limits.push(`default ${JSON.stringify(whole.default)}`);
  return limits;
}

function plural(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** Whether every word of the query occurs in the endpoint's words. */
export function matches(endpoint: Endpoint, query: string): boolean {
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => endpoint.words.includes(word));
}
