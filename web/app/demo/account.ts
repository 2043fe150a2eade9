// Who is signed in, kept in step with the cookies, the server and the other tabs.
import { forgetSession, readSession, saveSession } from "../../sdk/cookies";
import type { API } from "./api";
import type { Login, User } from "./types";
import { sessionEnded } from "./words";

const renewEvery = 3 * 60_000;
const seenKey = "gatehouse_demo_signed_in_before";

export type News =
  | { kind: "signed-in"; here: boolean }
  | { kind: "signed-out"; why: "here" | "elsewhere" | "ended" }
  | { kind: "renewed" };

/** The signed-in person of this browser. onNews hears of every change, after it has happened. */
export class Account {
  current: Login | null = null;
  private channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("gatehouse-demo");
  private renewal = 0;
  private end = 0;
  private resuming = false;

  constructor(
    private readonly api: API,
    private readonly onNews: (news: News) => void,
  ) {
    // The message may be here before the other tab's cookies are: Chromium passes them on a moment later.
    this.channel?.addEventListener("message", () => this.follow(10));
    // Cookies also change where no message tells: another app on this host, or the browser's own settings.
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.follow());
    window.addEventListener("pageshow", (event) => event.persisted && this.follow());
  }

  /** Whether somebody has signed in here before: they are greeted differently. */
  get returning(): boolean {
    return localStorage.getItem(seenKey) !== null;
  }

  /** Takes up the session that the cookies hold, if it lives. Throws when the server does not answer. */
  async resume(): Promise<boolean> {
    const before = readSession()?.token;
    if (!before) return false;
    try {
      const login = await this.api.authenticate();
      if (readSession()?.token !== before) return this.resume(); // another tab was quicker
      this.keep(login);
      return true;
    } catch (error) {
      if (!sessionEnded(error)) throw error;
      if (readSession()?.token === before) forgetSession();
      return false;
    }
  }

  signedIn(login: Login): void {
    this.keep(login);
    localStorage.setItem(seenKey, "1");
    this.channel?.postMessage("changed");
    this.onNews({ kind: "signed-in", here: true });
  }

  /** A call of this session answered with a newer session: a passkey was added or used again. */
  renewed(login: Login): void {
    this.keep(login);
    this.onNews({ kind: "renewed" });
  }

  /** The person's own data changed. */
  userChanged(user: User): void {
    if (this.current) this.current = { ...this.current, user };
  }

  async signOut(): Promise<void> {
    try {
      await this.api.revoke();
    } catch (error) {
      if (!sessionEnded(error)) throw error;
    }
    this.drop("here");
    this.channel?.postMessage("changed");
  }

  /** The server said that the session is no more. */
  ended(): void {
    if (this.current) this.drop("ended");
  }

  private keep(login: Login): void {
    this.current = login;
    if (login.session_token) saveSession({ token: login.session_token, jwt: login.session_jwt }, login.session.expires_at);
    clearTimeout(this.renewal);
    clearTimeout(this.end);
    this.renewal = window.setTimeout(() => void this.renew(), renewEvery);
    this.end = window.setTimeout(() => this.follow(), Math.min(Date.parse(login.session.expires_at) - Date.now(), 2 ** 31 - 1));
  }

  private drop(why: "here" | "elsewhere" | "ended"): void {
    clearTimeout(this.renewal);
    clearTimeout(this.end);
    this.current = null;
    if (why !== "elsewhere") forgetSession();
    this.onNews({ kind: "signed-out", why });
  }

  /** Brings a fresh JWT while the session lives. */
  async renew(): Promise<void> {
    const before = readSession()?.token;
    if (!this.current || !before) return;
    try {
      const login = await this.api.authenticate();
      if (this.current && readSession()?.token === before) this.renewed(login);
    } catch (error) {
      if (sessionEnded(error)) return this.ended();
      clearTimeout(this.renewal);
      this.renewal = window.setTimeout(() => void this.renew(), 10_000);
    }
  }

  /** Looks whether the cookies still say what this tab shows, and goes after them. Looks again when they do. */
  private follow(again = 0): void {
    const token = readSession()?.token;
    if (this.current && !token) {
      this.drop(Date.parse(this.current.session.expires_at) <= Date.now() ? "ended" : "elsewhere");
    } else if (token && token !== this.current?.session_token && !this.resuming) {
      this.resuming = true;
      this.current = null;
      this.resume()
        .catch(() => false)
        .then((lives) => {
          this.resuming = false;
          this.onNews(lives ? { kind: "signed-in", here: false } : { kind: "signed-out", why: "ended" });
        });
    } else if (again > 0) {
      window.setTimeout(() => this.follow(again - 1), 100);
    }
  }
}
