// Everything this page asks for: the app's own backend under /demo/api, and the browser's door.
import { APIError, Door, send, type Call } from "../../sdk/door";
import { credentialJSON, type CreationOptionsJSON, type RequestOptionsJSON } from "../../sdk/credential";
import { signalUnknown } from "../../sdk/passkeys";
import type { Config, Login, Registration, Session, User } from "./types";

/** Who made a call to the API: this page, or the app's backend on its behalf. */
export interface SeenCall extends Call {
  by: "page" | "backend";
}

export interface Verification {
  session: Session;
  user: User;
  verified_at: string;
  jwt?: { valid: boolean; reason?: string; key_id?: string; algorithm?: string };
}

export interface AcceptedPasskeys {
  rp_id: string;
  user_id: string;
  passkeys: { credential_id: string; webauthn_registration_id: string }[] | null;
}

const sessionMinutes = 60;

export class API {
  private door: Door | null = null;
  private loaded: Promise<Config> | null = null;

  constructor(private readonly seen: (call: SeenCall) => void) {}

  /** The page's configuration, fetched once; fetched again when that failed. */
  config(): Promise<Config> {
    this.loaded ??= this.backend<Config>("GET", "config").catch((error: unknown) => {
      this.loaded = null;
      throw error;
    });
    return this.loaded;
  }

  private async backend<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await send(method, `/demo/api/${path}`, {}, body);
    for (const call of (answer.calls as Call[] | null) ?? []) this.seen({ ...call, by: "backend" });
    return answer as T;
  }

  private async browser<T>(method: string, path: string, body?: unknown): Promise<T> {
    const { public_token } = await this.config();
    this.door ??= new Door(public_token, (call) => this.seen({ ...call, by: "page" }));
    return this.door.call<T>(method, path, body);
  }

  // The backend: what only a server may do.

  async startRegistration(email: string): Promise<CreationOptionsJSON> {
    return (await this.backend<{ options: CreationOptionsJSON }>("POST", "register/start", { email })).options;
  }

  finishRegistration(credential: PublicKeyCredential): Promise<Login> {
    return this.orForget(credential, this.backend("POST", "register/finish", { credential: credentialJSON(credential) }));
  }

  /** A new passkey that the server refuses opens nothing: the password manager that made it may forget it. */
  private async orForget<T>(credential: PublicKeyCredential, finished: Promise<T>): Promise<T> {
    try {
      return await finished;
    } catch (error) {
      if (error instanceof APIError && error.status < 500) void signalUnknown((await this.config()).domain, credential);
      throw error;
    }
  }

  verifySession(): Promise<Verification> {
    return this.backend("GET", "session");
  }

  acceptedPasskeys(): Promise<AcceptedPasskeys> {
    return this.backend("GET", "passkeys");
  }

  // The browser's door: what the signed-in person may do themselves.

  async startSignIn(step: "primary" | "secondary"): Promise<RequestOptionsJSON> {
    const { domain } = await this.config();
    const started = await this.browser<{ public_key_credential_request_options: string }>(
      "POST",
      `/webauthn/authenticate/start/${step}`,
      { domain, return_passkey_credential_options: true },
    );
    return JSON.parse(started.public_key_credential_request_options) as RequestOptionsJSON;
  }

  signIn(credential: PublicKeyCredential): Promise<Login> {
    return this.browser("POST", "/webauthn/authenticate", {
      public_key_credential: JSON.stringify(credentialJSON(credential)),
      session_duration_minutes: sessionMinutes,
    });
  }

  /** Finishes what began at a provider: the token came back in the address. */
  signInWithProvider(token: string, code_verifier: string): Promise<Login> {
    return this.browser("POST", "/oauth/authenticate", { token, code_verifier, session_duration_minutes: sessionMinutes });
  }

  /** Checks that the session lives, and brings a fresh JWT. */
  authenticate(): Promise<Login> {
    return this.browser("POST", "/sessions/authenticate", {});
  }

  async revoke(): Promise<void> {
    await this.browser("POST", "/sessions/revoke", {});
  }

  async startPasskey(): Promise<CreationOptionsJSON> {
    const { domain } = await this.config();
    const started = await this.browser<{ public_key_credential_creation_options: string }>(
      "POST",
      "/webauthn/register/start",
      { domain, user_agent: navigator.userAgent, return_passkey_credential_options: true, use_base64_url_encoding: true },
    );
    return JSON.parse(started.public_key_credential_creation_options) as CreationOptionsJSON;
  }

  finishPasskey(credential: PublicKeyCredential): Promise<Login> {
    const finished = this.browser<Login>("POST", "/webauthn/register", {
      public_key_credential: JSON.stringify(credentialJSON(credential)),
      session_duration_minutes: sessionMinutes,
    });
    return this.orForget(credential, finished);
  }

  async renamePasskey(id: string, name: string): Promise<Registration | undefined> {
    const path = `/webauthn/update/${encodeURIComponent(id)}`;
    return (await this.browser<{ webauthn_registration?: Registration }>("PUT", path, { name })).webauthn_registration;
  }

  async deletePasskey(id: string): Promise<User> {
    const path = `/users/webauthn_registrations/${encodeURIComponent(id)}`;
    return (await this.browser<{ user: User }>("DELETE", path)).user;
  }
}
