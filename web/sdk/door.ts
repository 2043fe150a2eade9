// The browser's door to the API, /sdk/v1: Basic credentials of the public token and the session, successes in a
// {"data"} envelope, errors flat.
import { readSession } from "./cookies";

/** The API's error, with its own words. */
export class APIError extends Error {
  override name = "APIError";
  constructor(
    readonly status: number,
    readonly type: string,
    message: string,
    readonly requestID: string,
    readonly retryAfter: number,
  ) {
    super(message);
  }
}

/** No answer came: offline, or the server is not running. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
}

/** One call that was made, for whoever wants to show it. */
export interface Call {
  method: string;
  path: string;
  status: number;
  millis: number;
}

/** Sends JSON and gives the JSON of a success, or throws APIError or UnreachableError. */
export async function send(
  method: string,
  path: string,
  headers: Record<string, string>,
  body: unknown,
  seen: (call: Call) => void = () => {},
): Promise<Record<string, unknown>> {
  const start = performance.now();
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: { "Content-Type": "application/json", ...headers },
      body: body === undefined ? null : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch (cause) {
    throw new UnreachableError("no answer", { cause });
  }
  seen({ method, path, status: response.status, millis: Math.round(performance.now() - start) });
  const json = (await response.json().catch(() => null)) as Record<string, unknown> | null;
  if (response.ok && json) return json;
  if (!json) throw new UnreachableError(`an answer with status ${response.status} that is not JSON`);
  throw new APIError(
    response.status,
    String(json.error_type ?? ""),
    String(json.error_message ?? ""),
    String(json.request_id ?? ""),
    Number(response.headers.get("Retry-After")) || 0,
  );
}

export class Door {
  constructor(
    private readonly publicToken: string,
    private readonly seen: (call: Call) => void = () => {},
  ) {}

  /** Calls /sdk/v1 + path as whoever is signed in. T is what the data envelope holds. */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const who = readSession()?.token || this.publicToken;
    const headers = {
      Authorization: `Basic ${btoa(`${this.publicToken}:${who}`)}`,
      "X-SDK-Parent-Host": location.origin,
    };
    const json = await send(method, `/sdk/v1${path}`, headers, body, this.seen);
    return json.data as T;
  }
}
