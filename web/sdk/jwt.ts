// Reading a JWT without checking it: for showing. Whoever relies on one verifies it on a server.
import { decodeText } from "./base64url";

export interface DecodedJWT {
  header: Record<string, unknown>;
  payload: Record<string, unknown>;
  /** Milliseconds since 1970, 0 when the JWT has no exp. */
  expiresAt: number;
}

export function decodeJWT(jwt: string): DecodedJWT | null {
  const [head, body, signature, more] = jwt.split(".");
  if (!head || !body || !signature || more !== undefined) return null;
  try {
    const header: unknown = JSON.parse(decodeText(head));
    const payload: unknown = JSON.parse(decodeText(body));
    if (!isObject(header) || !isObject(payload)) return null;
    return { header, payload, expiresAt: typeof payload.exp === "number" ? payload.exp * 1000 : 0 };
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
