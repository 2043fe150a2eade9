// The browser's side of passkeys: one ceremony at a time, autofill that comes back after every error and every
// expiry, and the signals that keep password managers in step.
import { normalise, encodeText } from "./base64url";
import { creationOptions, requestOptions, type CreationOptionsJSON, type RequestOptionsJSON } from "./credential";

/** A challenge lives five minutes on the server; fresh ones are fetched a minute before. */
export const freshFor = 4 * 60_000;

// Members that TypeScript's DOM library does not all know yet.
interface Signals {
  isConditionalMediationAvailable?(): Promise<boolean>;
  signalUnknownCredential?(options: { rpId: string; credentialId: string }): Promise<void>;
  signalAllAcceptedCredentials?(options: { rpId: string; userId: string; allAcceptedCredentialIds: string[] }): Promise<void>;
}

const browser = (): Signals | undefined =>
  typeof PublicKeyCredential === "undefined" ? undefined : (PublicKeyCredential as unknown as Signals);

export type Support = "yes" | "insecure" | "address" | "browser";

/** Whether passkeys can work on this page, and if not, why. */
export function support(): Support {
  if (/^(\d+\.){3}\d+$|^\[/.test(location.hostname)) return "address";
  if (!window.isSecureContext) return "insecure";
  return browser() && "credentials" in navigator ? "yes" : "browser";
}

/** What the person did not do: they closed the dialog, or let it time out. */
export function wasCancelled(error: unknown): boolean {
  return error instanceof DOMException && (error.name === "NotAllowedError" || error.name === "AbortError");
}

interface Fetched {
  options: RequestOptionsJSON;
  at: number;
}

/** The passkey ceremonies of one page. */
export class Ceremonies {
  private waiting: { abort: AbortController; done: Promise<void> } | null = null;
  private fetched: Fetched | null = null;
  private timer = 0;
  private armed = false;
  private failures = 0;

  /**
   * start fetches fresh request options. chosen is called with what a person picked from the autofill menu and
   * must handle its own errors; autofill stays off until armAutofill is called again.
   */
  constructor(
    private readonly start: () => Promise<RequestOptionsJSON>,
    private readonly chosen: (credential: PublicKeyCredential) => void,
  ) {
    document.addEventListener("visibilitychange", () => {
      if (this.armed && document.visibilityState === "visible") void this.rearm();
    });
  }

  /** Offers passkeys in the autofill menu of the field with autocomplete="username webauthn". */
  async armAutofill(): Promise<void> {
    this.armed = true;
    this.failures = 0;
    await this.rearm();
  }

  /** Stops offering, and waits until the browser has let go: it allows one ceremony at a time. */
  async disarm(): Promise<void> {
    this.armed = false;
    await this.release();
  }

  private async release(): Promise<void> {
    clearTimeout(this.timer);
    const { waiting } = this;
    this.waiting = null;
    waiting?.abort.abort();
    await waiting?.done;
  }

  private async rearm(): Promise<void> {
    if (this.waiting && this.isFresh()) return;
    await this.release();
    if (!this.armed || !(await browser()?.isConditionalMediationAvailable?.())) return;
    let options: RequestOptionsJSON;
    try {
      options = await this.fresh();
    } catch {
      this.later();
      return;
    }
    if (!this.armed || this.waiting) return;
    const abort = new AbortController();
    const picked = navigator.credentials.get({
      mediation: "conditional",
      publicKey: requestOptions(options),
      signal: abort.signal,
    });
    this.waiting = { abort, done: picked.then(() => {}, () => {}) };
    const left = (this.fetched?.at ?? Date.now()) + freshFor - Date.now();
    this.timer = window.setTimeout(() => this.armed && void this.rearm(), Math.max(left, 1000));
    try {
      const credential = await picked;
      if (abort.signal.aborted) return;
      this.waiting = null;
      clearTimeout(this.timer);
      this.armed = false;
      this.spend();
      if (credential) this.chosen(credential as PublicKeyCredential);
    } catch {
      if (abort.signal.aborted) return;
      this.waiting = null;
      this.later();
    }
  }

  /** After a failure autofill comes back by itself, each time a little later, and soon gives up being eager. */
  private later(): void {
    clearTimeout(this.timer);
    const wait = Math.min(1000 * 2 ** this.failures++, 60_000);
    this.timer = window.setTimeout(() => this.armed && void this.rearm(), wait);
  }

  private isFresh(): boolean {
    return this.fetched !== null && Date.now() - this.fetched.at < freshFor;
  }

  private async fresh(): Promise<RequestOptionsJSON> {
    if (!this.isFresh()) this.fetched = { options: await this.start(), at: Date.now() };
    return this.fetched!.options;
  }

  /** A challenge that went to the server is used up. */
  private spend(): void {
    this.fetched = null;
  }

  /**
   * Asks for a passkey in the browser's own dialog. Options that autofill already fetched are taken as they are,
   * so that the dialog opens within the click, which some browsers insist on. Autofill stays off until armed again.
   */
  async ask(): Promise<PublicKeyCredential> {
    await this.disarm();
    const options = requestOptions(await this.fresh());
    const credential = await navigator.credentials.get({ publicKey: options });
    this.spend();
    if (!credential) throw new DOMException("no credential", "NotAllowedError");
    return credential as PublicKeyCredential;
  }

  /** Creates a passkey in the browser's own dialog. Autofill stays off until armed again. */
  async create(json: CreationOptionsJSON): Promise<PublicKeyCredential> {
    await this.disarm();
    return createPasskey(json);
  }
}

/** Creates a passkey in the browser's own dialog, on a page or in a view that does not offer autofill. */
export async function createPasskey(json: CreationOptionsJSON): Promise<PublicKeyCredential> {
  const credential = await navigator.credentials.create({ publicKey: creationOptions(json) });
  if (!credential) throw new DOMException("no credential", "NotAllowedError");
  return credential as PublicKeyCredential;
}

/** Asks with options made for this one question, such as confirming who is signed in. */
export async function usePasskey(json: RequestOptionsJSON): Promise<PublicKeyCredential> {
  const credential = await navigator.credentials.get({ publicKey: requestOptions(json) });
  if (!credential) throw new DOMException("no credential", "NotAllowedError");
  return credential as PublicKeyCredential;
}

/** Tells the password manager that this passkey opens nothing any more, so that it stops offering it. */
export async function signalUnknown(rpId: string, credential: PublicKeyCredential): Promise<void> {
  await browser()
    ?.signalUnknownCredential?.({ rpId, credentialId: credential.id })
    .catch(() => {});
}

/** Tells the password manager which passkeys of this user still work. Ids may come in either base64 alphabet. */
export async function signalAccepted(rpId: string, userID: string, credentialIDs: string[]): Promise<void> {
  await browser()
    ?.signalAllAcceptedCredentials?.({
      rpId,
      userId: encodeText(userID),
      allAcceptedCredentialIds: credentialIDs.map(normalise),
    })
    .catch(() => {});
}
