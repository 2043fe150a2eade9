// E-mail magic links through the official Node client, with the mailbox as the inbox.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { mailbox, tokenOf } from '../lib/mailbox.mjs';
import { answered, client, complete, idOf, newEmail, refused, userWithPasskey } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

const home = 'http://localhost:3000/authenticate'; // of a new test environment
const welcome = 'https://app.example.com/welcome?from={}';
const nobody = 'user-test-00000000-0000-4000-8000-000000000000';
const minutes = (n) => ({ session_duration_minutes: n });

// A PKCE pair as apps make them: the verifier in hexadecimal.
function pkcePair() {
  const code_verifier = randomBytes(32).toString('hex');
  return { code_verifier, code_challenge: createHash('sha256').update(code_verifier).digest('base64url') };
}

// Where the link of a message leads a person who presses the button of the hosted page.
async function destination({ link }) {
  const answer = await fetch(link, { method: 'POST', redirect: 'manual', body: new URLSearchParams({ gesture: 'mouse' }) });
  assert.equal(answer.status, 303);
  return answer.headers.get('location');
}

describe('magic links', () => {
  let server, api, mail;
  before(async () => {
    server = await Server.start();
    api = client(server);
    mail = mailbox(server);
    await server.allowRedirect(welcome);
  });
  after(() => server?.stop());

  const authenticate = (token, more) => api.magicLinks.authenticate({ token, ...more });

  // Has a link mailed and returns the answer with the message and its token. An address gets one mail a second, so
  // this asks again until it is its turn.
  const asking = (method) => async (email, more) => {
    const [before] = await mail.all(email);
    const answer = answered(await eventually(() => api.magicLinks.email[method]({ email, ...more })));
    const message = await mail.latest(email, { than: before });
    return { ...answer, email, message, token: tokenOf(message) };
  };
  const [loginOrCreate, send, invite] = ['loginOrCreate', 'send', 'invite'].map(asking);

  // Somebody who has signed in by link, in a session.
  async function signedIn() {
    const link = await loginOrCreate(newEmail());
    return { email: link.email, ...(await authenticate(link.token, minutes(60))) };
  }

  describe('loginOrCreate', () => {
    test('signs somebody unknown up, and in again afterwards', async () => {
      const up = await loginOrCreate(newEmail());
      assert.match(up.user_id, idOf('user'));
      assert.match(up.email_id, idOf('email'));
      assert.equal(up.user_created, true);
      assert.equal(up.message.type, 'SIGNUP');
      const url = new URL(up.message.link);
      assert.equal(url.origin + url.pathname, `${server.base_url}/v1/magic_links/redirect`);
      assert.deepEqual(Object.fromEntries(url.searchParams), {
        public_token: server.public_token, stytch_token_type: 'magic_links', token: up.token,
      });

      const first = answered(await authenticate(up.token, minutes(60)));
      assert.equal(complete('login', first).user_id, up.user_id);
      assert.equal(first.method_id, up.email_id);
      complete('user', first.user);
      assert.deepEqual(first.user.emails, [{ email_id: up.email_id, email: up.email, verified: true }]);
      const [factor] = complete('session', first.session).authentication_factors;
      assert.deepEqual([factor.type, factor.delivery_method], ['magic_link', 'email']);
      assert.deepEqual(factor.email_factor, { email_id: up.email_id, email_address: up.email });

      const again = await loginOrCreate(up.email.toUpperCase());
      assert.deepEqual([again.user_id, again.email_id, again.user_created], [up.user_id, up.email_id, false]);
      assert.equal(again.message.type, 'LOGIN');
      const second = answered(await authenticate(again.token, minutes(60)));
      assert.notEqual(second.session.session_id, first.session.session_id);
      assert.equal(second.reset_sessions, false);
      await api.sessions.authenticate({ session_token: first.session_token }); // the first session goes on
    });

    test('a user may be pending until the first sign-in, which the signup link is for', async () => {
      const up = await loginOrCreate(newEmail(), { create_user_as_pending: true });
      assert.equal((await api.users.get({ user_id: up.user_id })).status, 'pending');
      const again = await loginOrCreate(up.email);
      assert.deepEqual([again.user_created, again.message.type], [false, 'SIGNUP']);
      assert.equal((await authenticate(up.token)).user.status, 'active');
      assert.equal((await send(up.email)).message.type, 'LOGIN');
    });

    test('the state of the user decides where the link leads', async () => {
      const urls = { login_magic_link_url: home, signup_magic_link_url: 'https://app.example.com/welcome?from=mail' };
      const up = await loginOrCreate(newEmail(), urls);
      const arrival = `stytch_token_type=magic_links&token=${up.token}`;
      assert.equal(await destination(up.message), `https://app.example.com/welcome?from=mail&${arrival}`);
      await authenticate(up.token);
      const again = await loginOrCreate(up.email, urls);
      assert.equal(await destination(again.message), `${home}?${arrival.replace(up.token, again.token)}`);
      const sent = await send(up.email); // by default
      assert.equal(await destination(sent.message), `${home}?${arrival.replace(up.token, sent.token)}`);
    });

    test('is refused what it cannot send', async () => {
      const ask = (more) => api.magicLinks.email.loginOrCreate({ email: newEmail(), ...more });
      await refused(ask({ email: 'not an address' }), 400, 'invalid_email');
      await refused(ask({ email: undefined }), 400, 'bad_request');
      await refused(ask({ login_magic_link_url: 'https://evil.example/' }), 400, 'no_match_for_provided_magic_link_url');
      await refused(ask({ signup_magic_link_url: 'https://evil.example/' }), 400, 'no_match_for_provided_magic_link_url');
      await refused(ask({ login_magic_link_url: 'https://app.example.com/welcome?next=/a' }), 400, 'query_params_do_not_match');
      await refused(ask({ login_magic_link_url: 'not a URL' }), 400, 'invalid_login_magic_link_url');
      await refused(ask({ signup_magic_link_url: 'not a URL' }), 400, 'invalid_signup_magic_link_url');
      await refused(ask({ login_expiration_minutes: 4 }), 400, 'invalid_expiration');
      await refused(ask({ signup_expiration_minutes: 10_081 }), 400, 'invalid_expiration');
      await refused(ask({ login_template_id: 'none' }), 404, 'email_template_not_found');
      await refused(ask({ locale: 'xx' }), 400, 'invalid_locale');
    });

    test('one address gets one mail a second, whatever it is for', async () => {
      const email = newEmail();
      await api.users.create({ email });
      for (const call of ['loginOrCreate', 'send', 'invite']) {
        // The seconds are those of the clock: a call may fall into the next one, another one then does not.
        await eventually(async () => {
          await api.magicLinks.email.loginOrCreate({ email }).catch(() => {});
          await refused(api.magicLinks.email[call]({ email }), 429, 'too_many_requests');
        });
      }
    });

    test('speaks the language that is asked for', async () => {
      const messages = {};
      for (const locale of ['en', 'es', 'pt-br', 'fr']) messages[locale] = (await loginOrCreate(newEmail(), { locale })).message;
      for (const [locale, message] of Object.entries(messages)) assert.equal(message.locale, locale);
      assert.equal(new Set(Object.values(messages).map((m) => m.subject)).size, 4);
    });
  });

  describe('send', () => {
    test('mails a user, and nobody else', async () => {
      const email = newEmail();
      const { user_id, email_id } = await api.users.create({ email });
      const sent = await send(email, { login_magic_link_url: home, login_expiration_minutes: 5 });
      assert.deepEqual([sent.user_id, sent.email_id, sent.message.type], [user_id, email_id, 'LOGIN']);
      assert.equal((await authenticate(sent.token)).user_id, user_id);
      await refused(api.magicLinks.email.send({ email: newEmail() }), 404, 'email_not_found');
    });

    test('adds an address to the user of a session, and the proof joins the session', async () => {
      const { user_id, email, session, session_token } = await signedIn();
      const more = await send(newEmail(), { session_token });
      assert.equal(more.user_id, user_id);
      const waiting = (await api.users.get({ user_id })).emails;
      assert.deepEqual(waiting.map((e) => [e.email, e.verified]), [[email, true], [more.email, false]]);

      const joined = answered(await authenticate(more.token, { session_token }));
      assert.deepEqual([joined.user_id, joined.method_id, joined.reset_sessions], [user_id, more.email_id, false]);
      assert.deepEqual([joined.session.session_id, joined.session_token], [session.session_id, session_token]);
      assert.equal(joined.session.expires_at, session.expires_at);
      assert.deepEqual(joined.session.authentication_factors.map((f) => f.email_factor.email_address), [email, more.email]);
      assert.ok(joined.user.emails.every((e) => e.verified));
      assert.equal((await loginOrCreate(more.email)).user_id, user_id, 'both addresses lead to the user');
    });

    test('takes the session as a JWT, or the user by id, too', async () => {
      const { user_id, session_jwt } = await signedIn();
      for (const holder of [{ session_jwt }, { user_id }]) {
        const more = await send(newEmail(), holder);
        assert.equal(more.user_id, user_id);
        assert.equal((await authenticate(more.token, { session_jwt })).user.emails.at(-1).email, more.email);
      }
    });

    test('adds nothing that is not to be added', async () => {
      const { user_id, email, session_token } = await signedIn();
      const other = await signedIn();
      const ask = (more) => api.magicLinks.email.send({ email: newEmail(), ...more });
      await eventually(() => refused(ask({ email: other.email, session_token }), 400, 'duplicate_email'));
      await refused(ask({ user_id, session_token }), 400, 'bad_request');
      await refused(ask({ user_id: nobody }), 404, 'user_not_found');
      const stranger = session_token.replace(/^./, (c) => (c === 'A' ? 'B' : 'A'));
      await refused(ask({ session_token: stranger }), 404, 'session_not_found');
      const unproven = await api.users.create({ email: newEmail() });
      await refused(ask({ user_id: unproven.user_id }), 400, 'too_many_unverified_factors');

      const link = await send(email);
      await refused(authenticate(link.token, { session_token: other.session_token }), 400, 'user_id_mismatch');
      await authenticate(link.token, { session_token }); // the refusal did not use it up
    });
  });

  describe('invite and revokeInvite', () => {
    test('an invitation makes a pending user, who is active once it is accepted', async () => {
      const guest = await invite(newEmail(), {
        name: { first_name: 'Grace' }, trusted_metadata: { team: 'A' }, untrusted_metadata: { theme: 'dark' },
        invite_magic_link_url: 'https://app.example.com/welcome?from=friend', invite_expiration_minutes: 10_080, locale: 'fr',
      });
      assert.match(guest.user_id, idOf('user'));
      assert.match(guest.email_id, idOf('email'));
      assert.deepEqual([guest.message.type, guest.message.locale], ['INVITE', 'fr']);
      const pending = await api.users.get({ user_id: guest.user_id });
      assert.equal(pending.status, 'pending');

      assert.match(await destination(guest.message), /^https:\/\/app\.example\.com\/welcome\?from=friend&/);

      const reminded = await invite(guest.email);
      assert.equal(reminded.user_id, guest.user_id);
      const { user } = answered(await authenticate(guest.token, minutes(60)));
      assert.equal(user.status, 'active');
      assert.equal(user.name.first_name, 'Grace');
      assert.deepEqual([user.trusted_metadata, user.untrusted_metadata], [{ team: 'A' }, { theme: 'dark' }]);
      await eventually(() => refused(api.magicLinks.email.invite({ email: guest.email }), 400, 'duplicate_email'));
      await refused(api.magicLinks.email.revokeInvite({ email: guest.email }), 404, 'email_not_found');
    });

    test('one that is taken back leads nowhere, and its user is gone', async () => {
      const guest = await invite(newEmail());
      answered(await api.magicLinks.email.revokeInvite({ email: guest.email }));
      await refused(authenticate(guest.token), 404, 'magic_link_not_found');
      await refused(api.users.get({ user_id: guest.user_id }), 404, 'user_not_found');
      await refused(api.magicLinks.email.revokeInvite({ email: guest.email }), 404, 'email_not_found');
      assert.equal((await fetch(guest.message.link)).status, 410);
    });

    test('is refused what it cannot send', async () => {
      const ask = (more) => api.magicLinks.email.invite({ email: newEmail(), ...more });
      await refused(ask({ invite_magic_link_url: 'https://evil.example/' }), 400, 'no_match_for_provided_magic_link_url');
      await refused(ask({ invite_magic_link_url: 'not a URL' }), 400, 'invalid_invite_magic_link_url');
      await refused(ask({ invite_expiration_minutes: 4 }), 400, 'invalid_expiration');
      await refused(ask({ invite_template_id: 'none' }), 404, 'email_template_not_found');
      await refused(ask({ trusted_metadata: { big: 'x'.repeat(5000) } }), 400, 'metadata_too_large');
      await refused(api.magicLinks.email.revokeInvite({ email: newEmail() }), 404, 'email_not_found');
    });
  });

  describe('create', () => {
    test('an embeddable link signs a user in, without proving an address', async () => {
      const email = newEmail();
      const { user_id } = await api.users.create({ email, external_id: `crm-${email}`.replace('@', '.') });
      const made = answered(await api.magicLinks.create({ user_id, expiration_minutes: 5 }));
      assert.equal(made.user_id, user_id);
      assert.match(made.token, /^[\w-]{44}$/);
      const login = answered(await authenticate(made.token, minutes(60)));
      assert.equal(complete('login', login).user_id, user_id);
      assert.equal(login.user.emails[0].verified, false);
      const [factor] = login.session.authentication_factors;
      assert.deepEqual([factor.type, factor.delivery_method], ['magic_link', 'embedded']);
      assert.deepEqual(factor.embeddable_magic_link_factor, { embedded_id: login.method_id });
      assert.deepEqual(await mail.all(email), [], 'nothing was sent');
      await refused(authenticate(made.token), 401, 'unable_to_auth_magic_link');
    });

    test('is made for users only, and for a week at most', async () => {
      await refused(api.magicLinks.create({ user_id: nobody }), 404, 'user_not_found');
      await refused(api.magicLinks.create({ user_id: '' }), 400, 'invalid_user_id');
      const { user_id } = await api.users.create({ email: newEmail() });
      for (const expiration_minutes of [4, 10_081]) {
        await refused(api.magicLinks.create({ user_id, expiration_minutes }), 400, 'invalid_expiration');
      }
      const { token } = await api.magicLinks.create({ user_id });
      await api.users.delete({ user_id });
      await refused(authenticate(token), 404, 'magic_link_not_found');
    });
  });

  describe('authenticate', () => {
    test('a link works once, and one that never was is told apart', async () => {
      const { token } = await loginOrCreate(newEmail());
      await authenticate(token);
      await refused(authenticate(token), 401, 'unable_to_auth_magic_link');
      await refused(authenticate('A'.repeat(44)), 404, 'magic_link_not_found');
      await refused(authenticate('short'), 404, 'magic_link_not_found');
      await refused(authenticate(undefined), 400, 'bad_request');
    });

    test('of many at once exactly one gets in', async () => {
      const { token } = await loginOrCreate(newEmail());
      const tries = await Promise.allSettled(Array.from({ length: 12 }, () => authenticate(token, minutes(60))));
      const lost = tries.filter((t) => t.status === 'rejected').map((t) => t.reason.error_type);
      assert.deepEqual(lost, Array(11).fill('unable_to_auth_magic_link'));
    });

    test('without a duration it starts no session', async () => {
      const { session, session_token, session_jwt } = await authenticate((await loginOrCreate(newEmail())).token);
      assert.deepEqual([session ?? null, session_token, session_jwt], [null, '', '']);
    });

    test('duration, custom claims and attributes become the session', async () => {
      const { token } = await loginOrCreate(newEmail());
      for (const wrong of [4, 527_041]) {
        await refused(authenticate(token, minutes(wrong)), 400, 'invalid_session_duration_minutes');
      }
      const tooBig = { ...minutes(60), session_custom_claims: { big: 'x'.repeat(4096) } };
      await refused(authenticate(token, tooBig), 400, 'custom_claims_too_large');
      const attributes = { ip_address: '203.0.113.7', user_agent: 'Browser/1' };
      const wanted = { ...minutes(90), session_custom_claims: { seat: 'B12' }, attributes };
      const { session, session_jwt } = await authenticate(token, wanted);
      assert.equal(Date.parse(session.expires_at) - Date.parse(session.started_at), 90 * 60_000);
      assert.deepEqual(session.custom_claims, { seat: 'B12' });
      assert.deepEqual(session.attributes, attributes);
      const local = await api.sessions.authenticateJwtLocal({ session_jwt });
      assert.deepEqual([local.session_id, local.custom_claims], [session.session_id, { seat: 'B12' }]);
      assert.equal(local.authentication_factors[0].type, 'magic_link');
    });

    test('may insist on the address and the browser that the link was asked from', async () => {
      const here = { ip_address: '203.0.113.7', user_agent: 'Browser/1' };
      const options = { ip_match_required: true, user_agent_match_required: true };
      const { token } = await loginOrCreate(newEmail(), { attributes: here });
      for (const attributes of [undefined, { ...here, ip_address: '203.0.113.8' }, { ...here, user_agent: 'Browser/2' }]) {
        await refused(authenticate(token, { options, attributes }), 401, 'attribute_mismatch');
      }
      answered(await authenticate(token, { options, attributes: here }));
    });

    test('PKCE: only who asked for the link can use it, and the mistakes of others cost it nothing', async () => {
      const { code_verifier, code_challenge } = pkcePair();
      for (const ask of [loginOrCreate, send]) {
        const email = newEmail();
        await api.users.create({ email });
        const { token } = await ask(email, { code_challenge });
        await refused(authenticate(token), 400, 'pkce_expected_code_verifier');
        await refused(authenticate(token, { code_verifier: pkcePair().code_verifier }), 400, 'pkce_mismatch');
        await refused(authenticate(token, { code_verifier: 'short' }), 400, 'invalid_pkce_code_verifier');
        answered(await authenticate(token, { code_verifier, ...minutes(60) }));
      }
      const free = await loginOrCreate(newEmail());
      await refused(authenticate(free.token, { code_verifier }), 400, 'pkce_did_not_expect_code_verifier');
      answered(await authenticate(free.token));
      const plain = { email: newEmail(), code_challenge: code_verifier };
      await refused(api.magicLinks.email.loginOrCreate(plain), 400, 'invalid_pkce_code_challenge');
    });

    test('the first proof of an address ends what whoever made the account had prepared', async () => {
      const squatter = await userWithPasskey(api, { minutes: 60 });
      const { token } = await loginOrCreate(squatter.email);
      const owner = answered(await authenticate(token, minutes(60)));
      assert.equal(owner.user_id, squatter.user_id);
      assert.equal(owner.reset_sessions, true);
      assert.deepEqual(owner.user.webauthn_registrations, []);
      await refused(api.sessions.authenticate({ session_token: squatter.session_token }), 404, 'session_not_found');
      answered(await api.sessions.authenticate({ session_token: owner.session_token }));
    });

    test('links survive a restart of the server', async () => {
      const { token, user_id } = await loginOrCreate(newEmail());
      await server.restart();
      assert.equal((await authenticate(token, minutes(60))).user_id, user_id);
    });
  });
});

// platform.md, section 11.3: what suites written for the reference rely on.
describe('the sandbox of magic links', () => {
  const email = 'sandbox@stytch.com';
  const user_id = 'user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd';
  const email_id = 'email-test-23873e89-d4ed-4e92-b3b9-e5c7198fa286';
  const works = 'DOYoip3rvIMMW5lgItikFK-Ak1CfMsgjuiCyI7uuU94=';
  const used = '3pzjQpgksDlGKWEwUq2Up--hCHC_0oamfLHyfspKDFU=';
  const unknown = 'CprTtwhnRNiMBiUS2jSLcWYrfuO2POeBNdo5HhW6qTM=';
  const session_token = 'WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY';
  const deadSession = '59cnLELtq5cFVS6uYK9f-pAWzBkhqZl8AvLhbhOvKNWw';
  const session_id = 'session-test-eb94233f-8800-4ebd-8645-51dc15f9d028';
  const started_at = '2021-08-28T00:41:58.935673Z';

  let server, api;
  before(async () => {
    server = await Server.start();
    api = client(server);
  });
  after(() => server?.stop());

  test('every call that mails answers for the one user, and mails nothing', async () => {
    const { magicLinks } = api;
    for (const call of ['send', 'loginOrCreate', 'invite']) {
      const sent = answered(await magicLinks.email[call]({ email }));
      assert.deepEqual([sent.user_id, sent.email_id], [user_id, email_id], call);
    }
    assert.equal((await magicLinks.email.loginOrCreate({ email })).user_created, false);
    answered(await magicLinks.email.revokeInvite({ email }));
    // What was asked for later has arrived, so nothing is on its way.
    const real = newEmail();
    await magicLinks.email.loginOrCreate({ email: real });
    await mailbox(server).latest(real);
    assert.deepEqual(await mailbox(server).all(email), []);
  });

  test('what is wrong with a request is wrong in the sandbox too', async () => {
    const { loginOrCreate } = api.magicLinks.email;
    const ask = (more) => loginOrCreate.call(api.magicLinks.email, { email, ...more });
    await refused(ask({ login_magic_link_url: 'https://evil.example/' }), 400, 'no_match_for_provided_magic_link_url');
    await refused(ask({ login_expiration_minutes: 4 }), 400, 'invalid_expiration');
    const stranger = client(server, { secret: 'secret-test-' + 'A'.repeat(40) });
    await refused(stranger.magicLinks.email.send({ email }), 401, 'unauthorized_credentials');
    await refused(api.users.create({ email }), 400, 'invalid_email_sandbox');
  });

  test('three tokens: one that works, one that is over, one that never was', async () => {
    const login = answered(await api.magicLinks.authenticate({ token: works }));
    assert.deepEqual([login.user_id, login.method_id, login.reset_sessions], [user_id, email_id, false]);
    assert.equal(complete('user', login.user).emails[0].email, email);
    assert.deepEqual([login.session ?? null, login.session_token, login.session_jwt], [null, '', '']);
    answered(await api.magicLinks.authenticate({ token: works })); // any number of times

    const messages = {
      [used]: [401, 'unable_to_auth_magic_link',
        'The magic link could not be authenticated because it was either already used or expired. '
        + 'Send another magic link to this user.'],
      [unknown]: [404, 'magic_link_not_found',
        'The magic link could not be authenticated, try sending another magic link to the user.'],
    };
    for (const [token, [status, type, message]] of Object.entries(messages)) {
      await refused(api.magicLinks.authenticate({ token }), status, type);
      await assert.rejects(api.magicLinks.authenticate({ token }), { error_message: message });
    }
  });

  test('a session that began long ago and is always there', async () => {
    const login = answered(await api.magicLinks.authenticate({ token: works, session_duration_minutes: 60 }));
    const byToken = answered(await api.sessions.authenticate({ session_token }));
    const byJWT = answered(await api.sessions.authenticate({ session_jwt: login.session_jwt }));
    for (const got of [login, byToken, byJWT]) {
      assert.equal(got.session_token, session_token);
      const session = complete('session', got.session);
      assert.deepEqual([session.session_id, session.user_id, session.started_at], [session_id, user_id, started_at]);
      const [factor] = session.authentication_factors;
      assert.deepEqual([factor.type, factor.delivery_method], ['magic_link', 'email']);
      assert.deepEqual(factor.email_factor, { email_id, email_address: email });
      assert.equal(complete('user', got.user).user_id, user_id);
    }
    await refused(api.sessions.authenticate({ session_token: deadSession }), 404, 'session_not_found');
    await refused(api.sessions.revoke({ session_token }), 404, 'session_not_found'); // not supported, as in the reference
  });

  test('its JWT is real: signed by our keys, and verified locally', async () => {
    const { session_jwt } = await api.sessions.authenticate({ session_token });
    const local = await api.sessions.authenticateJwt({ session_jwt });
    assert.deepEqual(Object.keys(local).sort(), ['session', 'session_jwt'], 'no call was made');
    assert.deepEqual([local.session.session_id, local.session.user_id], [session_id, user_id]);
    assert.equal(Date.parse(local.session.started_at), Date.parse(started_at));
    assert.equal(local.session.authentication_factors[0].email_factor.email_address, email);

    const [head, claims] = session_jwt.split('.', 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')));
    assert.deepEqual([head.alg, claims.sub, claims.exp - claims.iat], ['RS256', user_id, 300]);
    assert.deepEqual(claims.aud, [server.project_id]);
    const { keys } = await api.sessions.getJWKS({ project_id: server.project_id });
    assert.ok(keys.some((key) => key.kid === head.kid));
  });

  test('the user can be read and searched for', async () => {
    assert.equal((await api.users.get({ user_id })).emails[0].email, email);
    const query = { operator: 'AND', operands: [{ filter_name: 'user_id', filter_value: [user_id] }] };
    const { results, results_metadata } = answered(await api.users.search({ query }));
    assert.deepEqual([results.map((u) => u.user_id), results_metadata.next_cursor ?? null], [[user_id], null]);
  });
});
