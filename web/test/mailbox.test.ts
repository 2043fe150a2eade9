import assert from "node:assert/strict";
import { test } from "node:test";
import { clearing, clickable, headline, matching, news, pieces, recipients, type Message } from "../app/mailbox/model";

const message = (to: string, more: Partial<Message> = {}): Message => ({
  message_id: `message-test-${to}`,
  channel: "email",
  type: "LOGIN",
  locale: "",
  to,
  from: "",
  reply_to: "",
  subject: "Sign in to Acme",
  text: "Open the link",
  link: "",
  code: "",
  has_html: true,
  created_at: "2026-01-02T03:04:05Z",
  ...more,
});

const ada = message("ada@example.com");
const grace = message("Grace@Example.com");
const phone = message("+14155552671", { channel: "sms", subject: "", text: "  Your code\n is 123456." });

test("a message is headed by its subject, or by how its text begins", () => {
  assert.deepEqual([ada, phone, message("x", { subject: "", text: "" })].map(headline), ["Sign in to Acme", "Your code is 123456.", "(empty)"]);
});

test("the filter looks for a part of the recipient", () => {
  const all = [ada, grace, phone];
  assert.deepEqual(matching(all, " "), all);
  assert.deepEqual(matching(all, "EXAMPLE"), [ada, grace]);
  assert.deepEqual(matching(all, "+1415"), [phone]);
  assert.deepEqual(matching(all, "nobody"), []);
  assert.deepEqual(recipients([ada, grace, { ...ada, to: "ADA@example.com" }]).length, 2);
});

test("news is one sentence", () => {
  assert.equal(news([]), "");
  assert.equal(news([ada]), "New e-mail to ada@example.com: Sign in to Acme");
  assert.equal(news([phone]), "New SMS message to +14155552671: Your code is 123456.");
  assert.equal(news([ada, phone]), "2 new messages.");
});

test("the clear button destroys what is shown and names it", () => {
  assert.deepEqual([clearing([ada, phone], "").to, clearing([ada, phone], "").title], [null, "Delete all 2 messages?"]);
  assert.equal(clearing([ada], " ").title, "Delete the only message?");
  const one = clearing([ada, ada], "ada");
  assert.deepEqual([one.to, one.title, one.confirm], [["ada@example.com"], "Delete 2 messages to ada@example.com?", "Delete 2 messages"]);
  const two = clearing([ada, grace], "example");
  assert.deepEqual([two.to, two.title], [["ada@example.com", "Grace@Example.com"], "Delete 2 messages to 2 recipients?"]);
  assert.match(two.text, /^They went to ada@example\.com, Grace@Example\.com\. /);
});

test("a link is put on the page only when it leads somewhere", () => {
  for (const link of ["https://acme.example/?token=abc", "http://localhost:3000/", "com.acme.app://login?token=abc"]) assert.ok(clickable(link), link);
  for (const link of ["", "acme.example", "/path", "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x"]) assert.ok(!clickable(link), link);
});

test("addresses in a text are found, without the full stop after them", () => {
  assert.deepEqual(pieces("Open https://acme.example/?a=b&c=d, or call."), [
    { text: "Open ", link: false },
    { text: "https://acme.example/?a=b&c=d", link: true },
    { text: ", or call.", link: false },
  ]);
  assert.deepEqual(pieces("https://acme.example/x="), [{ text: "https://acme.example/x=", link: true }]);
  assert.deepEqual(pieces("@acme.example #123456"), [{ text: "@acme.example #123456", link: false }]);
  assert.deepEqual(pieces(""), []);
});
