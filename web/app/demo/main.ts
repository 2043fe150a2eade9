// The demo: a customer's app in miniature. Its page is this; its backend is /demo/api.
import { byID, type Mood } from "../dom";
import { readSession } from "../../sdk/cookies";
import { Account, type News } from "./account";
import { API } from "./api";
import { CallLog } from "./calls";
import { SignedIn } from "./signed-in";
import { SignedOut, showChecking, showUnreachable } from "./signed-out";
import { arrival, type Arrival } from "./social";
import { explain, explainProvider } from "./words";

const page = byID("page");
const main = byID("view");
const log = new CallLog();
const api = new API((call) => log.add(call));
const account = new Account(api, onNews);
const signedOut = new SignedOut(api, account);
const signedIn = new SignedIn(api, account);

const farewells: Record<"here" | "elsewhere" | "ended", { mood: Mood; text: string }> = {
  here: { mood: "good", text: "You are signed out." },
  elsewhere: { mood: "info", text: "You signed out in another tab." },
  ended: { mood: "info", text: "Your session has ended. Sign in again." },
};

function onNews(news: News): void {
  if (news.kind === "renewed") return signedIn.renewed();
  signedOut.leave();
  signedIn.leave();
  if (news.kind === "signed-in") showIn(news.here ? "" : "You signed in in another tab.", true);
  else showOut(farewells[news.why], true);
}

// The calls stand beside the account where there are two columns, and last where there is one.
const twoColumns = window.matchMedia("(min-width: 900px)");
let column: HTMLElement | null = null;
const placeLog = () => log.moveInto((twoColumns.matches && column) || page);
twoColumns.addEventListener("change", placeLog);

function showIn(message: string, focus: boolean): void {
  log.moveInto(page); // out of the view before it is replaced
  page.classList.remove("demo-entry-open");
  column = signedIn.show(main, message, focus);
  placeLog();
}

function showOut(message: { mood: Mood; text: string } | null, focus: boolean): void {
  column = null;
  placeLog();
  page.classList.add("demo-entry-open");
  signedOut.show(main, message, focus);
}

/** Finishes what began at a provider. */
async function arrive(back: Arrival): Promise<void> {
  if ("refused" in back) return resume({ mood: "info", text: explainProvider(back.refused) });
  showChecking(main);
  try {
    account.signedIn(await api.signInWithProvider(back.token, back.verifier));
  } catch (error) {
    await resume({ mood: "bad", text: explain(error, "provider") });
  }
}

/** Takes up the session there may be. The message is for whoever has none. */
async function resume(message: { mood: Mood; text: string } | null): Promise<void> {
  if (!readSession()) return showOut(message, false);
  showChecking(main);
  try {
    if (await account.resume()) showIn("", false);
    else showOut(message ?? farewells.ended, false);
  } catch (error) {
    showUnreachable(main, explain(error, "verify"), () => void resume(message));
  }
}

const back = arrival();
void (back ? arrive(back) : resume(null));
