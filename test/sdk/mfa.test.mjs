// Several factors in one session, judged by the functions of the documentation.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { module } from '../lib/docs.mjs';
import { mailbox } from '../lib/mailbox.mjs';
import { App } from '../lib/mobile.mjs';
import { client, newPhone, refused, signIn, userWithPasskey } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

// What a JWT says. Who signed it is checked elsewhere.
const decodeJwt = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));

describe('several factors', () => {
  let server, api, mail, mfa;
  before(async () => {
    server = await Server.start();
    api = client(server);
    mail = mailbox(server);
    mfa = await module('mfa.md', '// mfa.mjs');
  });
  after(() => server?.stop());

  // Proves an address or number in a session, or in a new one.
  async function byCode(via, to, more) {
    const { session_token } = more;
    const [than] = await mail.all(Object.values(to)[0]);
    const sent = await eventually(() => api.otps[via].send({ ...to, session_token }));
    const { code } = await mail.latest(Object.values(to)[0], { than });
    return api.otps.authenticate({ method_id: sent.phone_id ?? sent.email_id, code, ...more });
  }

  test('a second factor joins the session, and answer and JWT say so', async () => {
    const { session_token, session, session_jwt, device, email } = await userWithPasskey(api, { minutes: 60 });
    assert.equal(mfa.hasTwoKinds(session), false);
    await byCode('email', { email }, { session_token }); // nothing further can be added before it is proven
    const done = await byCode('sms', { phone_number: newPhone() }, { session_token });
    assert.equal(done.session.session_id, session.session_id);
    assert.equal(done.session_token, session_token);
    assert.deepEqual(done.session.authentication_factors.map(mfa.kindOf), ['device', 'mailbox', 'phone']);
    const signed = mfa.sessionOf(decodeJwt(done.session_jwt));
    assert.deepEqual(signed.authentication_factors, done.session.authentication_factors);
    for (const s of [done.session, signed]) {
      assert.equal(mfa.hasTwoKinds(s), true);
      assert.equal(mfa.provenWithin(s, 10), true);
      assert.equal(mfa.provenWithin(s, 10, Date.now() + 11 * 60_000), false);
    }
    assert.equal(mfa.hasTwoKinds(mfa.sessionOf(decodeJwt(session_jwt))), false, 'the JWT from before says what it said');

    // Proven again it is one factor still, and the last.
    const again = await signIn(api, device, { session_token, session_duration_minutes: undefined });
    assert.deepEqual(again.session.authentication_factors.map(mfa.kindOf), ['mailbox', 'phone', 'device']);
  });

  test('a factor of somebody else joins no session', async () => {
    const [ada, eve] = [await userWithPasskey(api, { minutes: 60 }), await userWithPasskey(api)];
    await refused(signIn(api, eve.device, { session_token: ada.session_token }), 400, 'user_id_mismatch');
    await api.sessions.revoke({ session_token: ada.session_token });
    await refused(signIn(api, ada.device, { session_token: ada.session_token }), 404, 'session_not_found');
  });

  test('two of one kind are one', async () => {
    const { session_token } = await userWithPasskey(api, { minutes: 60 });
    const app = new App(server);
    app.session_token = session_token;
    const { session } = await app.register();
    assert.deepEqual(session.authentication_factors.map(mfa.kindOf), ['device', 'device']);
    assert.equal(mfa.hasTwoKinds(session), false);
  });
});
