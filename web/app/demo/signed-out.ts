// The view for whoever is not signed in: create an account with a passkey, or sign in with one.
import type { CreationOptionsJSON } from "../../sdk/credential";
import { Ceremonies, freshFor, signalUnknown, support, wasCancelled, type Support } from "../../sdk/passkeys";
import { APIError } from "../../sdk/door";
import { announce, busy, byID, fill, h, icon, notice, type Mood } from "../dom";
import type { Account } from "./account";
import type { API } from "./api";
import { setOut } from "./social";
import { explain, passkeyUnknown, type Doing } from "./words";

type Mode = "create" | "return";

const texts = {
  create: {
    title: "Create your account",
    lead: "Enter your e-mail. Your device makes a passkey, so there is no password to remember.",
    primary: "Create a passkey",
    secondary: "Sign in with a passkey",
  },
  return: {
    title: "Welcome back",
    lead: "Sign in with the passkey on this device.",
    primary: "Continue with a passkey",
    secondary: "Create an account",
  },
} as const;

const unsupported: Record<Exclude<Support, "yes">, string> = {
  insecure: "Passkeys need a secure connection. Open this page with https, or as localhost on the machine that runs it.",
  address: "Passkeys need a host name, and this page was opened by an IP address.",
  browser: "This browser has no passkeys. Open the page in a current version of Chrome, Edge, Firefox or Safari.",
};

export class SignedOut {
  private mode: Mode;
  private readonly ceremonies: Ceremonies;
  private readonly email: HTMLInputElement;
  private readonly emailError = h("p", { id: "email-error", class: "error", hidden: true });
  private readonly title = h("h1", { tabindex: "-1" });
  private readonly lead = h("p", { class: "muted" });
  private readonly message = h("div", { role: "alert" });
  private readonly primary = h("button", { type: "submit", class: "button primary wide" });
  private readonly secondary = h("button", { type: "button", class: "button secondary wide" });
  private readonly google = h("button", { type: "button", class: "button secondary wide" }, "Continue with Google");
  private prepared: { email: string; options: CreationOptionsJSON; at: number } | null = null;

  constructor(
    private readonly api: API,
    private readonly account: Account,
  ) {
    this.mode = account.returning ? "return" : "create";
    this.ceremonies = new Ceremonies(
      () => api.startSignIn("primary"),
      (credential) => void busy(this.signInButton(), () => this.finishSignIn(credential)),
    );
    this.email = h("input", {
      id: "email",
      class: "input",
      type: "email",
      name: "email",
      autocomplete: "username webauthn",
      placeholder: "you@example.com",
      maxlength: 254,
      spellcheck: "false",
      autocapitalize: "none",
      on: { input: () => this.showEmailError("") },
    });
    this.secondary.addEventListener("click", () => this.onSecondary());
    this.google.addEventListener("click", () => void this.continueWithGoogle());
  }

  /** Shows the view. focus moves the keyboard to its heading, after another view was left. */
  show(main: HTMLElement, message: { mood: Mood; text: string } | null, focus: boolean): void {
    this.mode = this.account.returning ? "return" : "create";
    fill(this.message);
    fill(main, this.card(), h("p", { class: "demo-foot muted small", text: "This page is an app like one of your own. It keeps your account in the Gatehouse that you started." }));
    this.render();
    if (message) fill(this.message, notice(message.mood, message.text));
    announce(""); // what was said about the view before no longer holds
    if (focus) this.title.focus();
    const able = support();
    if (able === "yes") void this.ceremonies.armAutofill();
    else void this.explainSupport(able);
  }

  /** Leaves the view: autofill must not fire into another one. */
  leave(): void {
    this.prepared = null;
    this.email.value = "";
    void this.ceremonies.disarm();
  }

  private card(): HTMLElement {
    return h(
      "div",
      { class: "card demo-entry" },
      h("div", { class: "stack" }, h("div", {}, this.title, this.lead), this.message),
      h(
        "form",
        {
          class: "stack",
          novalidate: true,
          on: {
            submit: (event) => {
              event.preventDefault();
              void (this.mode === "create" ? this.createAccount() : this.signIn());
            },
          },
        },
        h("div", { class: "field" }, h("label", { for: "email", text: "E-mail" }), this.email, this.emailError),
        this.primary,
        h("div", { class: "or", "aria-hidden": "true", text: "or" }),
        this.secondary,
        this.google,
      ),
    );
  }

  private render(): void {
    const text = texts[this.mode];
    this.title.textContent = text.title;
    this.lead.textContent = text.lead;
    fill(this.primary, text.primary);
    fill(this.secondary, text.secondary);
    this.showEmailError("");
  }

  private async explainSupport(able: Exclude<Support, "yes">): Promise<void> {
    for (const button of [this.primary, this.secondary, this.google]) button.disabled = true;
    this.email.disabled = true;
    const way =
      able === "address"
        ? await this.api.config().then(
            ({ base_url }) => h("p", {}, h("a", { href: `${base_url}/demo`, text: `Open ${base_url}/demo` })),
            () => null,
          )
        : null;
    fill(this.message, notice("warn", unsupported[able], way));
  }

  /** The button that signs in: which one that is depends on the mode. */
  private signInButton(): HTMLButtonElement {
    return this.mode === "return" ? this.primary : this.secondary;
  }

  private onSecondary(): void {
    if (this.mode === "create") return void this.signIn();
    this.mode = "create";
    fill(this.message);
    this.render();
    this.email.focus();
  }

  private async signIn(): Promise<void> {
    await busy(this.signInButton(), async () => {
      fill(this.message);
      try {
        await this.finishSignIn(await this.ceremonies.ask());
      } catch (error) {
        this.failed(error, "sign-in");
      }
    });
  }

  private async continueWithGoogle(): Promise<void> {
    await busy(this.google, async () => {
      fill(this.message);
      try {
        const config = await this.api.config();
        if (location.origin === config.base_url) return await setOut("google", config);
        // The provider sends browsers back to the server's own address, where this page's session would not be.
        const here = `${config.base_url}/demo`;
        fill(this.message, notice("info", "Signing in with Google works at the server's own address.", h("p", {}, h("a", { href: here, text: `Open ${here}` }))));
      } catch (error) {
        this.failed(error, "provider");
      }
    });
  }

  /** Both ways to a passkey, the button and autofill, end here, and so have the same answers to every error. */
  private async finishSignIn(credential: PublicKeyCredential): Promise<void> {
    fill(this.message);
    try {
      this.account.signedIn(await this.api.signIn(credential));
    } catch (error) {
      if (passkeyUnknown(error)) void signalUnknown((await this.api.config()).domain, credential);
      this.failed(error, "sign-in");
    }
  }

  private async createAccount(): Promise<void> {
    const email = this.email.value.trim();
    if (!email || !this.email.checkValidity()) {
      this.showEmailError(email ? "Enter an e-mail with a name, an @ and a domain, such as you@example.com." : "Enter your e-mail.");
      this.email.focus();
      return;
    }
    await busy(this.primary, async () => {
      fill(this.message);
      try {
        const options = await this.prepare(email);
        const credential = await this.ceremonies.create(options);
        this.prepared = null; // its challenge goes to the server now
        this.account.signedIn(await this.api.finishRegistration(credential));
      } catch (error) {
        this.failed(error, "create");
      }
    });
  }

  /** Options that were fetched and then cancelled are good for another try, which then starts within the click. */
  private async prepare(email: string): Promise<CreationOptionsJSON> {
    if (this.prepared?.email !== email || Date.now() - this.prepared.at > freshFor) {
      this.prepared = { email, options: await this.api.startRegistration(email), at: Date.now() };
    }
    return this.prepared.options;
  }

  private failed(error: unknown, doing: Doing): void {
    const text = explain(error, doing);
    if (doing === "create" && error instanceof APIError && /email/.test(error.type)) {
      this.showEmailError(text);
      this.email.focus();
    } else if (text) {
      const calm = wasCancelled(error) || (error instanceof APIError && error.type === "account_exists");
      fill(this.message, notice(calm ? "info" : "bad", text));
    }
    void this.ceremonies.armAutofill();
  }

  private showEmailError(text: string): void {
    this.emailError.hidden = !text;
    fill(this.emailError, text && icon("bad"), h("span", { text }));
    if (text) {
      this.email.setAttribute("aria-invalid", "true");
      this.email.setAttribute("aria-describedby", "email-error");
      announce(text);
    } else {
      this.email.removeAttribute("aria-invalid");
      this.email.removeAttribute("aria-describedby");
    }
  }
}

/** What is shown while the cookies' session is being checked. */
export function showChecking(main: HTMLElement): void {
  fill(main, h("div", { class: "card demo-entry" }, h("p", { class: "muted checking", text: "Checking your session." })));
}

/** Shown when the server did not answer at all. */
export function showUnreachable(main: HTMLElement, text: string, again: () => void): void {
  const button = h("button", { type: "button", class: "button secondary", on: { click: again } }, "Try again");
  fill(main, h("div", { class: "card demo-entry" }, notice("bad", text, button)));
  byID("spoken").textContent = text;
}
