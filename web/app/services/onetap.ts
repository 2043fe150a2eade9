// Google One Tap. Google's script runs in the customer's page, which gives what it got to this frame, because only here
// a request to Gatehouse needs nobody's leave. The frame tells which page asks: a page cannot make the browser say another.
const cookieName = "stytch_csrf_private_token";

/** A refusal in the form of the SDK's own errors. */
export class Refused extends Error {
  constructor(readonly details: Record<string, unknown>) {
    super(`[${details["status_code"]}] ${details["error_type"]}\n${details["error_message"]}`);
    this.name = "StytchAPIError";
  }
}

export async function oneTapStart({ publicToken }: { publicToken?: unknown }, page: string): Promise<unknown> {
  const token = encodeURIComponent(text(publicToken, "publicToken"));
  const ready = await call(`public/oauth/google/onetap/start?public_token=${token}`, page);
  return {
    requestId: ready["request_id"],
    googleClientId: ready["google_client_id"],
    oauthCallbackId: ready["oauth_callback_id"],
    stytchCsrfToken: cookie(),
  };
}

export async function oneTapSubmit(request: Record<string, unknown>, page: string): Promise<unknown> {
  const callbackID = encodeURIComponent(text(request["oauthCallbackID"], "oauthCallbackID"));
  const idToken = text(request["idToken"], "idToken");
  const done = await call(`oauth/callback/${callbackID}`, page, {
    id_token: idToken,
    stytch_csrf_token: cookie(),
    login_redirect_url: request["loginRedirectURL"],
    signup_redirect_url: request["signupRedirectURL"],
  });
  return { redirect_url: done["redirect_url"] };
}

async function call(path: string, page: string, body?: Record<string, unknown>): Promise<Record<string, unknown>> {
  const response = await fetch(`../v1/${path}`, {
    method: body ? "POST" : "GET",
    credentials: "same-origin",
    headers: { "X-SDK-Parent-Host": page, ...(body && { "X-Stytch-OAuth-Type": "google-one-tap" }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Refused(answer);
  return answer;
}

function cookie(): string {
  const found = document.cookie.split("; ").find((entry) => entry.startsWith(`${cookieName}=`));
  return found?.slice(cookieName.length + 1) ?? "";
}

function text(value: unknown, name: string): string {
  if (typeof value !== "string" || !value) throw new TypeError(`${name} must be a string.`);
  return value;
}
