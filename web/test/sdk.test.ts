import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, encodeText, normalise } from "../sdk/base64url";
import { cookieIn } from "../sdk/cookies";
import { creationOptions, requestOptions } from "../sdk/credential";
import { APIError, UnreachableError } from "../sdk/door";
import { decodeJWT } from "../sdk/jwt";
import { explain, needsFreshProof, passkeyUnknown, sessionEnded } from "../app/demo/words";
import { shorten } from "../app/copy";
import { countdown, madeAt } from "../app/time";
import { snippets } from "../app/start/snippets";

const apiError = (status: number, type: string, message = "", retryAfter = 0) => new APIError(status, type, message, "request-id-test-1", retryAfter);

test("both base64 alphabets are read, base64url is written", () => {
  const bytes = new Uint8Array([251, 255, 190, 1]);
  assert.equal(encode(bytes), "-_--AQ");
  assert.deepEqual(decode("-_--AQ"), bytes);
  assert.deepEqual(decode("+/++AQ=="), bytes);
  assert.equal(normalise("+/++AQ=="), "-_--AQ");
  assert.equal(encodeText("é"), "w6k");
});

test("options become bytes where WebAuthn wants bytes", () => {
  const created = creationOptions({
    challenge: "AQ",
    rp: { name: "x" },
    user: { id: "Ag", name: "n", displayName: "d" },
    pubKeyCredParams: [],
    excludeCredentials: [{ id: "Aw", type: "public-key" }],
  });
  assert.deepEqual(created.challenge, new Uint8Array([1]));
  assert.deepEqual(created.user.id, new Uint8Array([2]));
  assert.deepEqual(created.excludeCredentials![0]!.id, new Uint8Array([3]));
  assert.deepEqual(requestOptions({ challenge: "AQ" }).allowCredentials, []);
});

test("a cookie is found by its whole name", () => {
  const cookies = "a=1; stytch_session_jwt=j.w.t; stytch_session=t%3D; broken=%E0%A4%A";
  assert.equal(cookieIn(cookies, "stytch_session"), "t=");
  assert.equal(cookieIn(cookies, "stytch_session_jwt"), "j.w.t");
  assert.equal(cookieIn(cookies, "session"), "");
  assert.equal(cookieIn(cookies, "broken"), "");
});

test("a JWT is read, and what is none is refused", () => {
  const jwt = `${encodeText('{"alg":"RS256"}')}.${encodeText('{"exp":2,"sub":"Zoë"}')}.AQ`;
  assert.deepEqual(decodeJWT(jwt), { header: { alg: "RS256" }, payload: { exp: 2, sub: "Zoë" }, expiresAt: 2000 });
  for (const bad of ["", "a.b", `${jwt}.x`, "a.b.c", `${encodeText("[]")}.${encodeText("{}")}.AQ`]) assert.equal(decodeJWT(bad), null);
});

test("a deleted passkey, a lock and an old proof each say what to do next", () => {
  const gone = apiError(404, "webauthn_registration_not_found", "Not found.");
  assert.match(explain(gone, "sign-in"), /another passkey, or create an account/);
  assert.ok(passkeyUnknown(gone));
  assert.ok(needsFreshProof(apiError(401, "stale_factors")));
  assert.match(explain(apiError(401, "insufficient_factors"), "delete"), /two kinds of proof/);
  assert.equal(explain(apiError(429, "user_lock_limit_reached", "Locked.", 3600), "sign-in"), "Locked. Try again in 60 minutes.");
  assert.equal(explain(apiError(429, "too_many_requests", "Slow down.", 7), "add"), "Slow down. Try again in 7 seconds.");
  assert.ok(sessionEnded(apiError(404, "session_not_found")));
  assert.equal(explain(apiError(404, "session_not_found"), "add"), "Your session has ended. Sign in again.");
});

test("the browser's errors are told apart", () => {
  assert.equal(explain(new DOMException("", "AbortError"), "sign-in"), "");
  assert.match(explain(new DOMException("", "NotAllowedError"), "create"), /No passkey was created/);
  assert.match(explain(new DOMException("", "InvalidStateError"), "add"), /already holds a passkey/);
  assert.match(explain(new UnreachableError(), "add"), /did not answer/);
});

test("a server's failure never shows its own text", () => {
  const text = explain(apiError(500, "internal_server_error", "nil pointer"), "add");
  assert.ok(!text.includes("nil pointer"));
  assert.match(text, /request-id-test-1/);
});

test("ids shorten in the middle", () => {
  assert.equal(shorten("user-test-0198c0de-1111-7111-8111-1111111110ab"), "user-test-0198…10ab");
  assert.equal(shorten("short"), "short");
});

test("times", () => {
  assert.equal(countdown(59 * 60_000 + 5_900), "59 min 05 s");
  assert.equal(countdown(3_700_000), "1 h 01 min");
  assert.equal(countdown(-5), "0 s");
  assert.equal(madeAt("webauthn-registration-test-019b7d5c-1c9d-7b6e-9b57-0f3a6b1f6d7e"), 0x019b7d5c1c9d);
  assert.equal(madeAt("user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd"), 0);
});

test("the next steps hold the values they are given and nobody else's host", () => {
  const values = { base_url: "http://localhost:8080", project_id: "project-test-1", secret: "secret-test-1", public_token: "public-token-test-1" };
  for (const snippet of snippets) {
    const code = snippet.code(values);
    assert.ok(code.includes(values.base_url), snippet.id);
    assert.equal(code.match(/https?:\/\/(?!localhost:8080)/), null);
    assert.equal(code.includes(values.secret), snippet.id !== "browser");
  }
});
