// The signed-in person's passkeys: add, rename, delete.
import { createPasskey, signalAccepted, support, usePasskey, wasCancelled } from "../../sdk/passkeys";
import { busy, fill, h, icon, notice } from "../dom";
import { madeAt, timeElement } from "../time";
import type { Account } from "./account";
import type { API } from "./api";
import { ask } from "../ask";
import type { Registration } from "./types";
import { explain, needsFreshProof, sessionEnded, type Doing } from "./words";

const kinds: Record<string, string> = { platform: "Built into a device", "cross-platform": "Security key or other device" };

export class PasskeyList {
  readonly element = h("section", { class: "card", "aria-labelledby": "passkeys-title" });
  private readonly title = h("h2", { id: "passkeys-title", tabindex: "-1", text: "Your passkeys" });
  private readonly message = h("div", { role: "alert" });
  private readonly list = h("ul", { class: "passkeys" });
  private readonly add = h("button", { type: "button", class: "button primary" }, icon("passkey"), "Add a passkey");
  private editing = "";

  constructor(
    private readonly api: API,
    private readonly account: Account,
  ) {
    this.add.disabled = support() !== "yes";
    this.add.addEventListener("click", () => void this.addPasskey());
    fill(this.element, this.title, h("div", { class: "stack" }, this.message, this.list, h("div", { class: "actions" }, this.add)));
    this.render();
  }

  private registrations(): Registration[] {
    return this.account.current?.user.webauthn_registrations ?? [];
  }

  render(): void {
    if (this.editing) return; // a renewal must not take away what somebody is typing
    const registrations = this.registrations();
    if (registrations.length === 0) {
      const again = this.account.current?.user.providers.length ? "You have no passkey yet." : "You have no passkey. Add one now, or you cannot sign in again.";
      fill(this.list, h("li", { class: "muted", text: again }));
      return;
    }
    fill(this.list, ...registrations.map((registration) => this.row(registration)));
  }

  private row(registration: Registration): HTMLElement {
    const { name } = registration;
    const current = this.account.current?.session.authentication_factors.some(
      (factor) => factor.webauthn_factor?.webauthn_registration_id === registration.webauthn_registration_id,
    );
    return h(
      "li",
      { "data-passkey": registration.webauthn_registration_id },
      h("span", { class: "passkey-icon" }, icon("passkey")),
      h(
        "div",
        { class: "passkey-text" },
        h("p", { class: "passkey-name" }, name || "Passkey", current ? h("span", { class: "pill good", text: "This session" }) : null),
        h("p", { class: "muted small" }, ...details(registration)),
      ),
      h(
        "div",
        { class: "passkey-actions" },
        this.rowButton("edit", `Rename ${name}`, () => this.startRename(registration)),
        this.rowButton("remove", `Delete ${name}`, (button) => void this.remove(registration, button)),
      ),
    );
  }

  private rowButton(face: "edit" | "remove", label: string, click: (button: HTMLElement) => void): HTMLElement {
    const button = h("button", { type: "button", class: "button quiet icon", "aria-label": label, title: label }, icon(face));
    button.addEventListener("click", () => click(button));
    return button;
  }

  private rowOf(id: string): HTMLElement | null {
    return this.list.querySelector<HTMLElement>(`[data-passkey="${CSS.escape(id)}"]`);
  }

  private startRename(registration: Registration): void {
    const row = this.rowOf(registration.webauthn_registration_id);
    if (!row) return;
    if (this.editing) this.stopRename();
    this.editing = registration.webauthn_registration_id;
    const input = h("input", { id: "passkey-name", class: "input", value: registration.name, maxlength: 128, autocomplete: "off" });
    const save = h("button", { type: "submit", class: "button secondary" }, "Save");
    const cancel = h("button", { type: "button", class: "button quiet", on: { click: () => this.stopRename() } }, "Cancel");
    const form = h(
      "form",
      { class: "passkey-rename" },
      h("div", { class: "field" }, h("label", { for: "passkey-name", text: "Name of this passkey" }), input),
      h("div", { class: "actions" }, save, cancel),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void busy(save, () => this.rename(registration, input.value.trim()));
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.stopRename();
    });
    fill(row, form);
    input.focus();
    input.select();
  }

  private stopRename(): void {
    const id = this.editing;
    this.editing = "";
    this.render();
    this.rowOf(id)?.querySelector("button")?.focus();
  }

  private async rename(registration: Registration, name: string): Promise<void> {
    if (!name || name === registration.name) return this.stopRename();
    await this.guarded("rename", async () => {
      const id = registration.webauthn_registration_id;
      const changed = await this.api.renamePasskey(id, name);
      this.change((all) => all.map((one) => (one.webauthn_registration_id === id ? { ...one, name: changed?.name ?? name } : one)));
      this.stopRename();
      this.say(`The passkey is now called ${changed?.name ?? name}.`);
    });
  }

  private async remove(registration: Registration, button: HTMLElement): Promise<void> {
    const name = registration.name || "Passkey";
    const last = this.registrations().length === 1;
    const sure = await ask({
      title: `Delete the passkey “${name}”?`,
      text: last
        ? "It is your only passkey. Without it you cannot sign in to this account again once you have signed out."
        : "It will not open this account any more. Your other passkeys stay.",
      confirm: "Delete this passkey",
      danger: true,
    });
    if (!sure) return button.focus();
    await this.guarded("delete", async () => {
      const user = await this.api.deletePasskey(registration.webauthn_registration_id);
      this.account.userChanged(user);
      this.render();
      this.title.focus();
      this.say(`The passkey “${name}” was deleted.`);
      await this.tellPasswordManager();
    });
  }

  /** Best effort: a password manager that does not hear of it offers the deleted passkey once more. */
  private async tellPasswordManager(): Promise<void> {
    try {
      const { rp_id, user_id, passkeys } = await this.api.acceptedPasskeys();
      await signalAccepted(rp_id, user_id, (passkeys ?? []).map((passkey) => passkey.credential_id));
    } catch {
      // The passkey is deleted all the same, and signing in with it is answered with what happened.
    }
  }

  private async addPasskey(): Promise<void> {
    await busy(this.add, () =>
      this.guarded("add", async () => {
        const before = new Set(this.registrations().map((one) => one.webauthn_registration_id));
        const credential = await createPasskey(await this.api.startPasskey());
        this.account.renewed(await this.api.finishPasskey(credential));
        const added = this.registrations().find((one) => !before.has(one.webauthn_registration_id));
        this.say(`The passkey “${added?.name ?? "Passkey"}” was added.`);
      }),
    );
  }

  /** Does what was asked. When the server wants a fresh proof first, gets one and does it again. */
  private async guarded(doing: Doing, work: () => Promise<void>): Promise<void> {
    fill(this.message);
    try {
      try {
        await work();
      } catch (error) {
        if (!needsFreshProof(error) || !(await this.proveAgain())) throw error;
        await work();
      }
    } catch (error) {
      if (sessionEnded(error)) return this.account.ended();
      const text = explain(error, doing);
      if (text) fill(this.message, notice(wasCancelled(error) ? "info" : "bad", text));
    }
  }

  private async proveAgain(): Promise<boolean> {
    const sure = await ask({
      title: "Confirm that it is you",
      text: "You last used your passkey more than an hour ago. Use it again to make this change.",
      confirm: "Continue with a passkey",
    });
    if (!sure) return false;
    const credential = await usePasskey(await this.api.startSignIn("secondary"));
    this.account.renewed(await this.api.signIn(credential));
    return true;
  }

  private change(edit: (all: Registration[]) => Registration[]): void {
    const user = this.account.current?.user;
    if (user) this.account.userChanged({ ...user, webauthn_registrations: edit(user.webauthn_registrations) });
  }

  private say(text: string): void {
    fill(this.message, notice("good", text));
  }
}

function details(registration: Registration): (Node | string)[] {
  const made = madeAt(registration.webauthn_registration_id);
  const kind = kinds[registration.authenticator_type];
  return [...(made ? ["Created ", timeElement(made)] : []), ...(kind ? [made ? ". " : "", kind] : []), "."];
}
