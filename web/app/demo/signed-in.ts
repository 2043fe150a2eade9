// The view for whoever is signed in: the account, its passkeys, the session and what is in its JWT.
import { announce, busy, fill, h, notice } from "../dom";
import { copyButton, idValue } from "../copy";
import { timeElement } from "../time";
import type { Account } from "./account";
import type { API } from "./api";
import { PasskeyList } from "./passkey-list";
import { SessionCard, JWTCard } from "./session-cards";
import type { User } from "./types";
import { explain } from "./words";

export class SignedIn {
  private readonly title = h("h1", { tabindex: "-1", text: "You are signed in" });
  private readonly message = h("div", { role: "alert" });
  private passkeys: PasskeyList | null = null;
  private session: SessionCard | null = null;
  private jwt: JWTCard | null = null;

  constructor(
    private readonly api: API,
    private readonly account: Account,
  ) {}

  /** Shows the view and gives its left column, which has room for more. focus moves the keyboard to its heading, after another view was left. */
  show(main: HTMLElement, message: string, focus: boolean): HTMLElement | null {
    const { current } = this.account;
    if (!current) return null;
    this.passkeys = new PasskeyList(this.api, this.account);
    this.session = new SessionCard(this.api, this.account);
    this.jwt = new JWTCard(this.account);
    fill(this.message);
    const left = h("div", { class: "demo-column" }, this.passkeys.element, accountCard(current.user));
    fill(
      main,
      h(
        "div",
        { class: "demo-head" },
        h("div", {}, this.title, h("p", { class: "muted" }, emailOf(current.user))),
        this.signOutButton(),
      ),
      this.message,
      h(
        "div",
        { class: "demo-columns" },
        left,
        h("div", { class: "demo-column" }, this.session.element, this.jwt.element),
      ),
    );
    if (message) {
      fill(this.message, notice("good", message));
    }
    if (focus) this.title.focus();
    announce(message || focus ? message : "You are signed in."); // the focused heading says so itself
    void this.session.verify(false);
    return left;
  }

  /** The session was renewed, here or by the timer. */
  renewed(): void {
    this.passkeys?.render();
    this.session?.render();
    this.jwt?.render();
  }

  leave(): void {
    this.session?.stop();
    this.jwt?.stop();
  }

  private signOutButton(): HTMLElement {
    const button = h("button", { type: "button", class: "button secondary" }, "Sign out");
    button.addEventListener("click", () => {
      void busy(button, async () => {
        try {
          await this.account.signOut();
        } catch (error) {
          fill(this.message, notice("bad", explain(error, "sign-out")));
        }
      });
    });
    return button;
  }
}

function emailOf(user: User): string {
  return user.emails[0]?.email ?? user.user_id;
}

function accountCard(user: User): HTMLElement {
  const email = emailOf(user);
  return h(
    "section",
    { class: "card", "aria-labelledby": "account-title" },
    h("h2", { id: "account-title", text: "Your account" }),
    h(
      "dl",
      { class: "facts" },
      h("div", {}, h("dt", { text: "E-mail" }), h("dd", {}, h("span", { class: "value", text: email }), copyButton("the e-mail", () => email))),
      h("div", {}, h("dt", { text: "User id" }), h("dd", {}, idValue("the user id", user.user_id))),
      h("div", {}, h("dt", { text: "Status" }), h("dd", {}, h("span", { class: `pill ${user.status === "active" ? "good" : "warn"}`, text: user.status === "active" ? "Active" : "Pending" }))),
      user.created_at ? h("div", {}, h("dt", { text: "Created" }), h("dd", {}, timeElement(user.created_at))) : null,
    ),
  );
}
