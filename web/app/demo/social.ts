// Signing in with an account elsewhere: the browser goes to the server, which sends it to the provider and back here
// with a token. What this page keeps in the meantime proves that it is the browser that set out (PKCE).
import { encode } from "../../sdk/base64url";
import type { Config } from "./types";

const verifierKey = "gatehouse_demo_oauth_verifier";

/** What the browser came back with. */
export type Arrival = { token: string; verifier: string } | { refused: string };

/** Sets out for the provider. This page is left, so the promise ends only when that goes wrong. */
export async function setOut(provider: string, config: Config): Promise<void> {
  const verifier = encode(crypto.getRandomValues(new Uint8Array(32)));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  sessionStorage.setItem(verifierKey, verifier);
  const back = `${config.base_url}/demo`;
  const query = new URLSearchParams({
    public_token: config.public_token,
    login_redirect_url: back,
    signup_redirect_url: back,
    code_challenge: encode(digest),
  });
  location.assign(`${config.base_url}/v1/public/oauth/${provider}/start?${query}`);
}

/** Reads what the address brings, once: it is gone from the address afterwards. */
export function arrival(): Arrival | null {
  const query = new URLSearchParams(location.search);
  const verifier = sessionStorage.getItem(verifierKey) ?? "";
  const refused = query.get("error");
  const token = query.get("stytch_token_type") === "oauth" ? query.get("token") : null;
  if (!refused && !token) return null;
  sessionStorage.removeItem(verifierKey);
  history.replaceState(history.state, "", location.pathname);
  return token ? { token, verifier } : { refused: refused ?? "" };
}
