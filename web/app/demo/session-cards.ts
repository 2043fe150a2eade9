// The session as the app's backend sees it, and the JWT decoded.
import { decodeJWT } from "../../sdk/jwt";
import { announce, busy, fill, h, notice } from "../dom";
import { copyButton, idValue } from "../copy";
import { countdown, timeElement } from "../time";
import type { Account } from "./account";
import type { API, Verification } from "./api";
import type { Factor, User } from "./types";
import { explain, sessionEnded } from "./words";

/** A time that counts down in place. It is not a live region: nobody wants to hear every second. */
class Countdown {
  readonly element = h("span", { role: "timer", "aria-live": "off" });
  private timer = 0;

  constructor(
    private readonly until: () => number,
    private readonly over: string,
  ) {
    this.tick();
    this.timer = window.setInterval(() => this.tick(), 1000);
  }

  private tick(): void {
    const left = this.until() - Date.now();
    this.element.textContent = left > 0 ? countdown(left) : this.over;
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

export class SessionCard {
  readonly element = h("section", { class: "card", "aria-labelledby": "session-title" });
  private readonly ends: Countdown;
  private readonly state = h("div", {});
  private readonly facts = h("dl", { class: "facts" });
  private readonly again = h("button", { type: "button", class: "button secondary" }, "Check again");
  private verification: Verification | null = null;

  constructor(
    private readonly api: API,
    private readonly account: Account,
  ) {
    this.ends = new Countdown(() => Date.parse(account.current?.session.expires_at ?? "") || 0, "Ended");
    this.again.addEventListener("click", () => void this.verify(true));
    fill(
      this.element,
      h("h2", { id: "session-title", text: "Your session" }),
      h("div", { class: "stack" }, this.state, this.facts, h("div", { class: "actions" }, this.again)),
    );
    fill(this.state, h("span", { class: "pill", text: "The app’s backend is checking" }));
    this.render();
  }

  stop(): void {
    this.ends.stop();
  }

  /** Has the app's backend check the session, as it would before it answers any request. */
  async verify(asked: boolean): Promise<void> {
    await busy(this.again, async () => {
      try {
        this.verification = await this.api.verifySession();
        this.showState();
        this.render();
        if (asked) announce("The app’s backend has verified your session.");
      } catch (error) {
        if (sessionEnded(error)) return this.account.ended();
        fill(this.state, notice("bad", explain(error, "verify")));
        if (asked) announce(explain(error, "verify"));
      }
    });
  }

  private showState(): void {
    const jwt = this.verification?.jwt;
    if (jwt && !jwt.valid) {
      fill(this.state, notice("warn", `The session lives, but its JWT does not hold: ${jwt.reason ?? "it was refused"}.`));
    } else {
      fill(this.state, h("span", { class: "pill good", text: "Verified by the app’s backend" }));
    }
  }

  render(): void {
    const { current } = this.account;
    if (!current) return;
    const { verification } = this;
    const jwt = verification?.jwt;
    fill(
      this.facts,
      verification && fact("Verified at", timeElement(verification.verified_at, "clock")),
      jwt?.valid && fact("JWT signature", h("span", { class: "value" }, `Valid, ${jwt.algorithm ?? ""}, by the published keys`)),
      fact("Ends in", this.ends.element),
      fact("Proof", h("span", { class: "value" }, proofs(current.session.authentication_factors, current.user))),
      fact("Session id", idValue("the session id", current.session.session_id, 16)),
    );
  }
}

function fact(name: string, value: Node): HTMLElement {
  return h("div", {}, h("dt", { text: name }), h("dd", {}, value));
}

/** An account elsewhere, as the user's list of them calls it: "Google account". */
function account({ delivery_method }: Factor, user: User): string {
  const name = delivery_method.replace(/^oauth_/, "");
  return `${user.providers.find((p) => p.provider_type.toLowerCase() === name)?.provider_type ?? name} account`;
}

/** What proved who this is: "Passkey “iCloud Keychain”". */
function proofs(factors: Factor[], user: User): string {
  return factors
    .map((factor) => {
      if (factor.type === "oauth") return account(factor, user);
      if (factor.type !== "webauthn") return factor.type.replace(/_/g, " ");
      const id = factor.webauthn_factor?.webauthn_registration_id;
      const name = user.webauthn_registrations.find((r) => r.webauthn_registration_id === id)?.name;
      if (name === undefined) return "A passkey that was deleted since";
      return name === "" || name === "Passkey" ? "Passkey" : `Passkey “${name}”`;
    })
    .join(", ");
}

export class JWTCard {
  readonly element = h("section", { class: "card", "aria-labelledby": "jwt-title" });
  private readonly parts = h("div", { class: "stack" });
  private readonly expires: Countdown;
  private shown = "";

  constructor(private readonly account: Account) {
    this.expires = new Countdown(() => decodeJWT(this.jwt())?.expiresAt ?? 0, "now, a new one is on its way");
    fill(
      this.element,
      h(
        "div",
        { class: "card-head" },
        h("h2", { id: "jwt-title", text: "Your session’s JWT" }),
        copyButton("the JWT", () => this.jwt()),
      ),
      h("p", { class: "muted small", text: "Any backend can check it with the project’s published keys, without asking Gatehouse. It is short-lived and renewed while the session lives." }),
      h("p", { class: "small" }, "Expires in ", this.expires.element),
      this.parts,
    );
    this.render();
  }

  private jwt(): string {
    return this.account.current?.session_jwt ?? "";
  }

  stop(): void {
    this.expires.stop();
  }

  render(): void {
    if (this.jwt() === this.shown) return; // keeps the reader's selection and place
    this.shown = this.jwt();
    const decoded = decodeJWT(this.shown);
    if (!decoded) {
      fill(this.parts, h("p", { class: "muted", text: "This session’s JWT is kept where the page cannot read it." }));
      return;
    }
    fill(this.parts, part("Header", decoded.header), part("Payload", decoded.payload));
  }
}

function part(name: string, value: unknown): HTMLElement {
  return h(
    "figure",
    { class: "jwt-part" },
    h("figcaption", { class: "small muted", text: name }),
    h("pre", { tabindex: "0", role: "region", "aria-label": `${name} of the JWT` }, h("code", { text: JSON.stringify(value, null, 2) })),
  );
}
