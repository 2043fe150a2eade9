// The session's two cookies, named and set as the official browser SDK sets them, so that an app's backend finds
// them on every request: stytch_session (opaque token) and stytch_session_jwt.

const tokenCookie = "stytch_session";
const jwtCookie = "stytch_session_jwt";

export interface Tokens {
  token: string;
  jwt: string;
}

/** The value of one cookie in a Cookie string, "" when it is not there. */
export function cookieIn(cookies: string, name: string): string {
  for (const pair of cookies.split(";")) {
    const at = pair.indexOf("=");
    if (at > 0 && pair.slice(0, at).trim() === name) {
      try {
        return decodeURIComponent(pair.slice(at + 1).trim());
      } catch {
        return "";
      }
    }
  }
  return "";
}

/** Plain http works on this machine alone, and there a Secure cookie would be dropped. */
function secure(hostname: string): string {
  return /^(localhost|\[::1\]|127\..*)$/.test(hostname) ? "" : "; Secure";
}

export function readSession(): Tokens | null {
  const token = cookieIn(document.cookie, tokenCookie);
  return token ? { token, jwt: cookieIn(document.cookie, jwtCookie) } : null;
}

/** Keeps the session until it ends. expiresAt is the session's own expires_at. */
export function saveSession(tokens: Tokens, expiresAt: string): void {
  const attributes = `; Path=/; SameSite=Lax; Expires=${new Date(expiresAt).toUTCString()}${secure(location.hostname)}`;
  document.cookie = `${tokenCookie}=${encodeURIComponent(tokens.token)}${attributes}`;
  document.cookie = `${jwtCookie}=${encodeURIComponent(tokens.jwt)}${attributes}`;
}

export function forgetSession(): void {
  for (const name of [tokenCookie, jwtCookie]) {
    document.cookie = `${name}=; Path=/; SameSite=Lax; Max-Age=0${secure(location.hostname)}`;
  }
}
