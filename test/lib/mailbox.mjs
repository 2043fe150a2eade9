// The mailbox of a test environment, as a test reads it. Messages arrive some time after the call that causes them was
// answered, so whoever looks for one waits.
import assert from 'node:assert/strict';

import { eventually } from './server.mjs';

const patience = 20_000; // ms

// Filters for what comes in two words, as the address it goes to is proven or not.
export const codes = { types: ['ONE_TIME_PASSCODE', 'ONE_TIME_PASSCODE_SIGNUP'] };
export const resets = { types: ['RESET_PASSWORD', 'VERIFY_EMAIL_PASSWORD_RESET'] };

// The messages of the server's environment, of a channel ('email'), type ('LOGIN') or several types where they are given.
export function mailbox(server) {
  // All messages to an address or number that are there now, the last to arrive first.
  async function all(to, { channel, type, types } = {}) {
    const query = new URLSearchParams(Object.entries({ to, channel, type }).filter(([, value]) => value));
    const { status, body } = await server.call('GET', `/v1/mailbox/messages?${query}`);
    assert.equal(status, 200, JSON.stringify(body));
    return types ? body.messages.filter((m) => types.includes(m.type)) : body.messages;
  }

  // The last message to an address or number, once there is one: {message_id, type, text, html, link, code, ...}.
  // With `than`, a message that was there before, it waits for a later one.
  const latest = (to, { than, ...filter } = {}) => eventually(async () => {
    const [last] = await all(to, filter);
    assert.ok(last && last.message_id !== than?.message_id, `no message to ${to} of ${JSON.stringify(filter)}`);
    return last;
  }, patience);

  return { all, latest };
}

// The token in the link of a message.
export function tokenOf(message) {
  return new URL(message.link).searchParams.get('token');
}

// The second link of a mail that sets a new password, which signs in without one, as a message of its own.
export function loginLinkOf(message) {
  const [link] = message.text.match(/\S+stytch_token_type=login\S+/) ?? [];
  assert.ok(link, `the mail has no link to log in: ${message.text}`);
  return { ...message, link };
}
