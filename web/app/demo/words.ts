// What went wrong, in the reader's terms, and what to do next.
import { APIError, UnreachableError } from "../../sdk/door";

/** What the person was doing when it went wrong. */
export type Doing = "create" | "sign-in" | "provider" | "add" | "rename" | "delete" | "verify" | "sign-out";

/** These say that the session is no more. */
const ended = new Set([
  "no_session",
  "session_not_found",
  "user_unauthenticated",
  "unauthorized_credentials",
  "invalid_secret_authentication",
]);

export function sessionEnded(error: unknown): boolean {
  return error instanceof APIError && ended.has(error.type);
}

/** What to say when a provider sent the browser back without a token. Only the code is read: anybody can write an address. */
export function explainProvider(code: string): string {
  switch (code) {
    case "oauth_auth_code_error":
      return cancelled.provider;
    case "oauth_state_used":
    case "expired_oauth_response":
      return "That sign-in is over. Start again.";
    case "duplicate_oauth_registration":
      return "That account belongs to somebody else here. Choose another one.";
  }
  return "The provider did not sign you in. Try again, or sign in with a passkey.";
}

/** The passkey opens nothing: it was deleted from the account, or the account was. */
export function passkeyUnknown(error: unknown): boolean {
  return error instanceof APIError && (error.type === "webauthn_registration_not_found" || error.type === "user_not_found");
}

/** The last proof is too old for this change; using a passkey again helps. */
export function needsFreshProof(error: unknown): boolean {
  return error instanceof APIError && error.type === "stale_factors";
}

const cancelled: Record<Doing, string> = {
  create: "No passkey was created. Try again when you are ready.",
  "sign-in": "No passkey was used. Try again, or create an account if you are new here.",
  provider: "You were not signed in. Try again when you are ready.",
  add: "No passkey was added. Try again when you are ready.",
  rename: "Nothing was renamed.",
  delete: "Nothing was deleted.",
  verify: "Nothing was checked.",
  "sign-out": "You are still signed in.",
};

const byType: Record<string, string> = {
  insufficient_factors:
    "This change needs two kinds of proof, and you have given one. Sign in with your e-mail or phone as well, then try again.",
  weak_factor_combination:
    "This change needs two different kinds of proof. Sign in with your e-mail or phone as well, then try again.",
  stale_factors: "You last signed in more than an hour ago. Use your passkey again, then try again.",
  duplicate_webauthn_registration: "This passkey is already in your account. Use another device or a security key.",
  unable_to_auth_webauthn_registration: "That passkey could not be checked. Try again.",
  endpoint_not_authorized_for_sdk:
    "Passkeys are switched off for pages in this project. Switch them on with gatehouse sdk-config, then try again.",
};

/** The sentence to show, or "" when there is nothing to say. */
export function explain(error: unknown, doing: Doing): string {
  if (error instanceof DOMException) return explainBrowser(error, doing);
  if (error instanceof UnreachableError) return "The server did not answer. Check that it is running, then try again.";
  if (error instanceof APIError) return explainAPI(error, doing);
  return "Something went wrong on this page. Reload it and try again.";
}

function explainBrowser(error: DOMException, doing: Doing): string {
  switch (error.name) {
    case "AbortError":
      return "";
    case "NotAllowedError":
      return cancelled[doing];
    case "InvalidStateError":
      return "This device already holds a passkey for this account. Use another device or a security key.";
    case "SecurityError":
      return "Passkeys cannot be used at this address. Open the page by the server's host name.";
    case "NotSupportedError":
    case "ConstraintError":
      return "This device cannot make a passkey of the kind that is needed. Try a phone, a password manager or a security key.";
  }
  return "The browser could not use a passkey. Try again, or try another browser.";
}

function explainAPI(error: APIError, doing: Doing): string {
  if (doing === "sign-in" && passkeyUnknown(error)) {
    return "That passkey does not open an account here any more. Sign in with another passkey, or create an account.";
  }
  if (sessionEnded(error) && doing !== "sign-in" && doing !== "create" && doing !== "provider") return "Your session has ended. Sign in again.";
  if (error.status === 429) return `${error.message || "Too many tries."}${wait(error.retryAfter)}`;
  return byType[error.type] ?? (error.status < 500 && error.message ? error.message : `Something went wrong on the server. Try again.${reference(error)}`);
}

function wait(seconds: number): string {
  if (seconds <= 0) return "";
  if (seconds < 90) return ` Try again in ${seconds} seconds.`;
  return ` Try again in ${Math.ceil(seconds / 60)} minutes.`;
}

function reference(error: APIError): string {
  return error.requestID ? ` The server's log has the reason under ${error.requestID}.` : "";
}
