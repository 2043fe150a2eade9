// Passwords through the official Node client: with hashes that other software made, and mails out of the mailbox.
import assert from 'node:assert/strict';
import { createHash, pbkdf2Sync, randomBytes, scryptSync } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import bcrypt from 'bcryptjs';
import { argon2i, argon2id } from 'hash-wasm';

import { rangeOf, serveBreaches } from '../lib/breaches.mjs';
import { codes, loginLinkOf, mailbox, resets, tokenOf } from '../lib/mailbox.mjs';
import { answered, client, complete, idOf, newEmail, newPhone, refused, userWithPasskey } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

const hour = { session_duration_minutes: 60 };
const patience = 20_000; // ms
// Passwords that zxcvbn finds good enough.
const first = 'mauve tractor sings 41';
const second = 'quiet lantern overflows 77';

// What tests do with the passwords of a server.
function passwords(server) {
  const api = client(server);
  const mail = mailbox(server);

  // Somebody who has signed up, and is signed in.
  async function signedUp(email = newEmail(), password = first) {
    return { email, password, ...answered(await api.passwords.create({ email, password, ...hour })) };
  }
  const login = (email, password, more = hour) => api.passwords.authenticate({ email, password, ...more });

  // Has a reset mailed and returns the mail. An address gets one a second, so this asks until it is its turn.
  async function forget(email, more) {
    const [than] = await mail.all(email, resets);
    const answer = answered(await eventually(() => api.passwords.email.resetStart({ email, ...more }), patience));
    return { ...(await mail.latest(email, { than, ...resets })), ...answer };
  }

  // Somebody whose address is proven, and who is signed in by password.
  async function verified() {
    const person = await signedUp();
    const { method_id, code } = await sent(person.email, { session_token: person.session_token });
    answered(await api.otps.authenticate({ method_id, code, session_token: person.session_token }));
    return person;
  }

  // A code that reaches an address.
  async function sent(email, more, method = 'send') {
    const [than] = await mail.all(email, codes);
    const { email_id } = await eventually(() => api.otps.email[method]({ email, ...more }), patience);
    return { method_id: email_id, code: (await mail.latest(email, { than, ...codes })).code };
  }

  const alive = async (session_token) => answered(await api.sessions.authenticate({ session_token }));
  const dead = (session_token) => refused(api.sessions.authenticate({ session_token }), 404, 'session_not_found');
  return { api, mail, signedUp, login, forget, verified, sent, alive, dead };
}

// The factors of a session, in short.
const factorsOf = (session) => session.authentication_factors.map((f) => `${f.type}/${f.delivery_method}`);

describe('passwords', () => {
  let server, api, mail, signedUp, login, forget, verified, sent, alive, dead;
  before(async () => {
    server = await Server.start();
    ({ api, mail, signedUp, login, forget, verified, sent, alive, dead } = passwords(server));
  });
  after(() => server?.stop());

  describe('create', () => {
    test('signs somebody up, whose address is not proven by that', async () => {
      const email = newEmail();
      const made = answered(await api.passwords.create({
        email, password: first, name: { first_name: 'Ada' }, trusted_metadata: { plan: 'pro' }, untrusted_metadata: { theme: 'dark' },
      }));
      complete('login', made);
      complete('user', made.user);
      assert.match(made.email_id, idOf('email'));
      assert.deepEqual(made.user.emails, [{ email_id: made.email_id, email, verified: false }]);
      assert.match(made.user.password.password_id, idOf('password'));
      assert.equal(made.user.password.requires_reset, false);
      assert.deepEqual([made.user.name.first_name, made.user.trusted_metadata, made.user.untrusted_metadata], ['Ada', { plan: 'pro' }, { theme: 'dark' }]);
      assert.deepEqual([made.session ?? null, made.session_token, made.session_jwt], [null, '', '']);
      assert.deepEqual(await mail.all(email), [], 'nobody is mailed');
    });

    test('starts a session for a duration, with claims', async () => {
      const { session, session_jwt, user_id } = await api.passwords.create({
        email: newEmail(), password: first, session_duration_minutes: 90, session_custom_claims: { seat: 'B12' },
      });
      assert.deepEqual(factorsOf(complete('session', session)), ['password/knowledge']);
      assert.equal(Date.parse(session.expires_at) - Date.parse(session.started_at), 90 * 60_000);
      const local = await api.sessions.authenticateJwtLocal({ session_jwt });
      assert.deepEqual([local.session_id, local.user_id, local.custom_claims], [session.session_id, user_id, { seat: 'B12' }]);
      const { type, delivery_method, last_authenticated_at, created_at, updated_at, ...rest } = session.authentication_factors[0];
      assert.deepEqual(rest, {}, 'what is known needs no further description');
    });

    test('is refused for whoever exists already, with a password or without', async () => {
      const { email } = await signedUp();
      await refused(api.passwords.create({ email: email.toUpperCase(), password: second }), 400, 'duplicate_email');
      const without = newEmail();
      await api.users.create({ email: without });
      await refused(api.passwords.create({ email: without, password: first }), 400, 'duplicate_email');
    });

    test('is refused for what nobody should have as a password, and says why', async () => {
      const email = newEmail();
      const create = (password) => api.passwords.create({ email, password });
      for (const weak of ['a', 'password', 'p@ssword1', email]) await refused(create(weak), 400, 'weak_password');
      await assert.rejects(create('password'), (e) => /top-10 common password\..*Add another word or two\./.test(e.error_message));
      await refused(create(`${first}\u200b`), 400, 'forbidden_character_zero_width_space');
      await refused(create(`${first} `.repeat(60)), 400, 'weak_password'); // longer than 1,024 bytes
      await refused(create(undefined), 400, 'bad_request');
      await refused(api.passwords.create({ password: first }), 400, 'bad_request');
      await refused(api.passwords.create({ email: 'not an address', password: first }), 400, 'invalid_email');
      await refused(api.passwords.create({ email, password: first, session_duration_minutes: 4 }), 400, 'invalid_session_duration_minutes');
      await refused(login(email, first), 404, 'email_not_found'); // none of it left anybody behind
    });

    test('of many at once exactly one signs up', async () => {
      const email = newEmail();
      const tries = await Promise.allSettled(Array.from({ length: 6 }, () => api.passwords.create({ email, password: first })));
      const lost = tries.filter((t) => t.status === 'rejected').map((t) => t.reason.error_type);
      assert.deepEqual(lost, Array(5).fill('duplicate_email'));
    });

    test('takes what people type: spaces, every script, and accents however they are typed', async () => {
      const { email } = await signedUp(newEmail(), ' h\u00e9lice \u{1F469}\u200d\u{1F680} \u6c34 tourne 7 ');
      answered(await login(email, ' he\u0301lice \u{1F469}\u200d\u{1F680} \u6c34 tourne 7 '));
      await refused(login(email, 'he\u0301lice \u{1F469}\u200d\u{1F680} \u6c34 tourne 7'), 401, 'unauthorized_credentials');
    });
  });

  describe('authenticate', () => {
    test('the right password signs in, however the address is written', async () => {
      const { email, user_id, session } = await signedUp();
      const again = answered(await login(` ${email.toUpperCase()}`, first));
      assert.deepEqual([complete('login', again).user_id, factorsOf(again.session)], [user_id, ['password/knowledge']]);
      assert.notEqual(again.session.session_id, session.session_id);
      const without = answered(await login(email, first, {}));
      assert.deepEqual([without.session ?? null, without.session_token, without.session_jwt], [null, '', '']);
    });

    test('a server learns what is wrong', async () => {
      const { email } = await signedUp();
      await refused(login(email, second), 401, 'unauthorized_credentials');
      await refused(login(email, first.toUpperCase()), 401, 'unauthorized_credentials');
      await refused(login(email, `${first} `.repeat(60)), 401, 'unauthorized_credentials');
      await refused(login(newEmail(), first), 404, 'email_not_found');
      const without = newEmail();
      await api.users.create({ email: without });
      await refused(login(without, first), 400, 'no_user_password');
      await refused(login(email, undefined), 400, 'bad_request');
    });

    test('joins a session of the same user, and no other', async () => {
      const { email } = await verified();
      const { session_token, session } = await api.otps.authenticate({ ...(await sent(email)), ...hour });
      const joined = answered(await login(email, first, { session_token }));
      assert.deepEqual([joined.session.session_id, joined.session_token], [session.session_id, session_token]);
      assert.equal(joined.session.expires_at, session.expires_at);
      assert.deepEqual(factorsOf(joined.session), ['otp/email', 'password/knowledge']);
      const other = await signedUp();
      await refused(login(other.email, first, { session_jwt: joined.session_jwt }), 400, 'user_id_mismatch');
    });

    test('ten wrong passwords lock the user', async () => {
      const { email, user_id } = await signedUp();
      for (let n = 0; n < 10; n++) await refused(login(email, `${second} ${n}`), 401, 'unauthorized_credentials');
      await refused(login(email, first), 429, 'user_lock_limit_reached');
      assert.equal((await api.users.get({ user_id })).is_locked, true);
    });

    test('passwords survive a restart of the server, and end when they are deleted', async () => {
      const { email, user, session_token } = await signedUp();
      await server.restart();
      answered(await login(email, first));
      const { user: left } = answered(await api.users.deletePassword({ password_id: user.password.password_id }));
      assert.equal(left.password, null);
      await refused(login(email, first), 400, 'no_user_password');
      await dead(session_token); // it was entered with the password alone
      await refused(api.users.deletePassword({ password_id: user.password.password_id }), 404, 'password_not_found');
    });
  });

  describe('strengthCheck', () => {
    const check = async (password, more) => answered(await api.passwords.strengthCheck({ password, ...more }));

    test('by zxcvbn, in its words', async () => {
      const { feedback, ...weak } = await check('p@ssword1');
      assert.deepEqual(
        [weak.valid_password, weak.score, weak.breached_password, weak.strength_policy, weak.breach_detection_on_create],
        [false, 1, false, 'zxcvbn', true],
      );
      assert.deepEqual(feedback, {
        warning: 'This is similar to a commonly used password.',
        suggestions: [
          'Add another word or two. Uncommon words are better.',
          "Predictable substitutions like '@' instead of 'a' don't help very much.",
        ],
        luds_requirements: null,
      });
      const strong = await check(first, { email: newEmail() });
      assert.deepEqual([strong.valid_password, strong.score, strong.feedback.warning, strong.feedback.suggestions], [true, 4, '', []]);
      assert.equal((await check('')).valid_password, false);
      await refused(api.passwords.strengthCheck({ password: 'with a\u200bspace' }), 400, 'forbidden_character_zero_width_space');
      await refused(api.passwords.strengthCheck({}), 400, 'bad_request');
    });

    test('who somebody is makes no good password', async () => {
      const password = 'wilhelmina.hochgurgel';
      assert.ok((await check(password, { email: `${password}@example.com` })).score < (await check(password)).score);
    });

    test('by LUDS, once an operator says so', async () => {
      await server.set('passwords.validation_policy=luds', 'passwords.luds_min_password_length=10', 'passwords.luds_min_password_complexity=4');
      const { feedback, ...weak } = await eventually(async () => {
        const answer = await check('Abcdef1');
        assert.equal(answer.strength_policy, 'luds');
        assert.equal(answer.feedback.luds_requirements.missing_characters, 3);
        return answer;
      }, patience);
      assert.deepEqual([weak.valid_password, weak.score], [false, 0]);
      assert.deepEqual(feedback, {
        warning: '', suggestions: [],
        luds_requirements: {
          has_lower_case: true, has_upper_case: true, has_digit: true, has_symbol: false, missing_complexity: 1, missing_characters: 3,
        },
      });
      assert.equal((await check('Abcdefgh1\u00e9')).valid_password, true); // what is none of the others is a symbol
      await refused(api.passwords.create({ email: newEmail(), password: first }), 400, 'weak_password'); // no capital
      answered(await api.passwords.create({ email: newEmail(), password: 'Abcdefgh1!' }));
      for (const [bad, why] of [['length=33', /8.*32/], ['length=7', /8.*32/], ['complexity=5', /1.*4/]]) {
        await assert.rejects(server.set(`passwords.luds_min_password_${bad}`), (e) => why.test(e.stderr));
      }
      await server.set('passwords.validation_policy=', 'passwords.luds_min_password_length=', 'passwords.luds_min_password_complexity=');
      await eventually(async () => assert.equal((await check('Abcdefgh1!')).strength_policy, 'zxcvbn'), patience);
    });

    test('a password that is not good enough any more is set anew at the next login', async () => {
      const email = newEmail();
      await api.passwords.migrate({ email, hash: bcrypt.hashSync('password', 4), hash_type: 'bcrypt' });
      answered(await login(email, 'password'));
      await server.set('passwords.validate_on_authentication=true');
      await eventually(() => refused(login(email, 'password'), 400, 'reset_password'), patience);
      await refused(login(email, 'wrong'), 401, 'unauthorized_credentials'); // only who knows it is told
      assert.equal((await api.users.search({ limit: 1, query: { operator: 'AND', operands: [{ filter_name: 'email_address', filter_value: [email] }] } })).results[0].password.requires_reset, true);
      await server.set('passwords.validate_on_authentication=');
    });
  });

  describe('by e-mail', () => {
    test('a reset proves the address, ends all sessions and starts another', async () => {
      const old = await signedUp();
      const mail = await forget(old.email, { reset_password_expiration_minutes: 10, locale: 'fr' });
      assert.deepEqual([mail.user_id, mail.email_id, mail.type, mail.locale], [old.user_id, old.email_id, 'VERIFY_EMAIL_PASSWORD_RESET', 'fr']);
      const there = new URL(mail.link).searchParams;
      assert.deepEqual([there.get('stytch_token_type'), there.get('public_token')], ['reset_password', server.public_token]);

      await refused(api.passwords.email.reset({ token: tokenOf(mail), password: 'password' }), 400, 'weak_password');
      const done = answered(await api.passwords.email.reset({ token: tokenOf(mail), password: second, ...hour, session_custom_claims: { seat: 'C1' } }));
      assert.deepEqual([done.user_id, done.user.emails[0].verified, factorsOf(done.session)], [old.user_id, true, ['password/knowledge']]);
      assert.deepEqual(done.session.custom_claims, { seat: 'C1' });
      await dead(old.session_token);
      await alive(done.session_token);
      await refused(login(old.email, first), 401, 'unauthorized_credentials');
      answered(await login(old.email, second));
      await refused(api.passwords.email.reset({ token: tokenOf(mail), password: first }), 401, 'unable_to_auth_password_reset_token');
      assert.equal((await forget(old.email)).type, 'RESET_PASSWORD');
    });

    test('each link does what it says, and a new password ends the others', async () => {
      const { email } = await verified();
      const mail = await forget(email);
      const login_ = loginLinkOf(mail);
      assert.equal(new URL(login_.link).searchParams.get('stytch_token_type'), 'login');
      await refused(api.passwords.email.reset({ token: tokenOf(login_), password: second }), 401, 'unable_to_auth_password_reset_token');
      const without = answered(await api.magicLinks.authenticate({ token: tokenOf(login_), ...hour }));
      assert.deepEqual([factorsOf(without.session), without.user.password.requires_reset], [['magic_link/email'], false]);
      answered(await login(email, first)); // the password is as it was

      const [earlier, later] = [await forget(email), await forget(email)];
      answered(await api.passwords.email.reset({ token: tokenOf(later), password: second }));
      await refused(api.passwords.email.reset({ token: tokenOf(earlier), password: first }), 401, 'unable_to_auth_password_reset_token');
      await refused(api.magicLinks.authenticate({ token: tokenOf(loginLinkOf(earlier)) }), 401, 'unable_to_auth_magic_link');
      await dead(without.session_token);
    });

    test('somebody without a password gets a first one', async () => {
      const email = newEmail();
      const { user_id } = await api.users.create({ email });
      const mail = await forget(email);
      const done = answered(await api.passwords.email.reset({ token: tokenOf(mail), password: first, ...hour }));
      assert.deepEqual([done.user_id, done.user.emails[0].verified], [user_id, true]);
      answered(await login(email, first));
    });

    test('of many who bring one token at once exactly one sets the password', async () => {
      const { email } = await verified();
      const token = tokenOf(await forget(email));
      const tries = await Promise.allSettled(Array.from({ length: 6 }, (_, n) => api.passwords.email.reset({ token, password: `${second} ${n}` })));
      const lost = tries.filter((t) => t.status === 'rejected').map((t) => t.reason.error_type);
      assert.deepEqual(lost, Array(5).fill('unable_to_auth_password_reset_token'));
    });

    test('PKCE and attributes bind a link to who asked for it', async () => {
      const { email } = await verified();
      const code_verifier = randomBytes(32).toString('hex');
      const code_challenge = createHash('sha256').update(code_verifier).digest('base64url');
      const bound = tokenOf(await forget(email, { code_challenge }));
      const reset = (token, more) => api.passwords.email.reset({ token, password: second, ...more });
      await refused(reset(bound), 400, 'pkce_expected_code_verifier');
      await refused(reset(bound, { code_verifier: randomBytes(32).toString('hex') }), 400, 'pkce_mismatch');
      answered(await reset(bound, { code_verifier }));
      await refused(reset(tokenOf(await forget(email)), { code_verifier }), 400, 'pkce_did_not_expect_code_verifier');

      const here = { ip_address: '203.0.113.7', user_agent: 'Browser/1' };
      const options = { ip_match_required: true, user_agent_match_required: true };
      const matched = tokenOf(await forget(email, { attributes: here }));
      for (const attributes of [undefined, { ...here, ip_address: '203.0.113.8' }, { ...here, user_agent: 'Browser/2' }]) {
        await refused(reset(matched, { options, attributes }), 401, 'attribute_mismatch');
      }
      answered(await reset(matched, { options, attributes: here }));
    });

    test('a request that cannot be right is refused', async () => {
      const { email } = await signedUp();
      const start = (more) => api.passwords.email.resetStart({ email, ...more });
      await refused(start({ email: newEmail() }), 404, 'email_not_found');
      await refused(start({ email: 'not an address' }), 400, 'invalid_email');
      for (const reset_password_expiration_minutes of [4, 10_081]) await refused(start({ reset_password_expiration_minutes }), 400, 'invalid_expiration');
      for (const field of ['reset_password_redirect_url', 'login_redirect_url']) {
        await refused(start({ [field]: 'https://evil.example/' }), 400, 'no_match_for_provided_magic_link_url');
      }
      await refused(start({ reset_password_redirect_url: 'javascript:alert(1)' }), 400, 'invalid_password_reset_redirect_url');
      await refused(start({ locale: 'xx' }), 400, 'invalid_locale');
      await refused(start({ code_challenge: 'short' }), 400, 'invalid_pkce_code_challenge');
      await refused(start({ reset_password_template_id: 'none' }), 404, 'email_template_not_found');
      await refused(api.passwords.email.reset({ token: 'A'.repeat(44), password: second }), 401, 'unable_to_auth_password_reset_token');
      await refused(api.passwords.email.reset({ password: second }), 400, 'bad_request');
      assert.deepEqual(await mail.all(email), []);
      await eventually(async () => {
        await start().catch(() => {});
        await refused(start(), 429, 'too_many_requests');
      }, patience);
    });
  });

  describe('by the existing password', () => {
    const change = (email, more) => api.passwords.existingPassword.reset({ email, existing_password: first, new_password: second, ...more });

    test('a change ends all sessions and starts another', async () => {
      const old = await signedUp();
      const done = answered(await change(old.email, hour));
      assert.deepEqual([done.user_id, factorsOf(done.session)], [old.user_id, ['password/knowledge']]);
      assert.equal(done.user.password.password_id, old.user.password.password_id);
      await dead(old.session_token);
      await alive(done.session_token);
      await refused(login(old.email, first), 401, 'unauthorized_credentials');
      answered(await login(old.email, second));
    });

    test('nothing changes for who does not know it', async () => {
      const { email, session_token } = await signedUp();
      await refused(change(email, { existing_password: second }), 400, 'password_does_not_match');
      await refused(change(email, { new_password: 'password' }), 400, 'weak_password');
      await refused(change(newEmail()), 404, 'email_not_found');
      await refused(change(email, { session_token }), 400, 'cannot_preserve_existing_sessions');
      answered(await login(email, first));
      await alive(session_token);
    });
  });

  describe('by session', () => {
    const set = (more, password = second) => api.passwords.sessions.reset({ password, ...more });

    test('a session that was entered just now sets a password, and is the one that stays', async () => {
      const other = await signedUp();
      const { session_token, session } = await login(other.email, first);
      const done = answered(await set({ session_token }));
      assert.deepEqual([done.session_token, done.session.session_id], [session_token, session.session_id]);
      await dead(other.session_token);
      await alive(session_token);
      answered(await login(other.email, second));
      answered(await set({ session_jwt: done.session_jwt, session_duration_minutes: 120 }, first));
    });

    test('what else is in the session proves nothing here', async () => {
      const { session_token } = await userWithPasskey(api, { minutes: 60 });
      await refused(set({ session_token }), 400, 'session_too_old_to_reset_password');
      await refused(set({}), 400, 'no_session_arguments');
      await refused(set({ session_token: 'A'.repeat(44) }), 404, 'session_not_found');
      const fresh = await signedUp();
      await refused(set({ session_token: fresh.session_token }, 'password'), 400, 'weak_password');
    });
  });

  // factors.md, section 9.
  describe('and the address', () => {
    test('is proven before: a code, then the first password within its session', async () => {
      const email = newEmail();
      const { session_token } = await api.otps.authenticate({ ...(await sent(email, {}, 'loginOrCreate')), ...hour });
      const done = answered(await api.passwords.sessions.reset({ session_token, password: first }));
      assert.deepEqual([done.session_token, done.user.emails[0].verified, done.user.password.requires_reset], [session_token, true, false]);
      answered(await login(email, first));
    });

    test('is proven afterwards, within the session of the password, which stays good', async () => {
      const { email, session_token, session } = await signedUp();
      await refused(api.otps.sms.send({ phone_number: newPhone(), session_token }), 400, 'too_many_unverified_factors');
      const code = await sent(email, { session_token });
      const done = answered(await api.otps.authenticate({ ...code, session_token }));
      assert.deepEqual([done.session.session_id, done.reset_sessions], [session.session_id, false]);
      assert.deepEqual(factorsOf(done.session), ['password/knowledge', 'otp/email']);
      assert.deepEqual([done.user.emails[0].verified, done.user.password.requires_reset], [true, false]);
      answered(await login(email, first));
      answered(await eventually(() => api.otps.sms.send({ phone_number: newPhone(), session_token })));
    });

    test('is proven by somebody else than who chose the password, which is worth nothing then', async () => {
      const attacker = await signedUp();
      const owner = answered(await api.otps.authenticate({ ...(await sent(attacker.email, {}, 'loginOrCreate')), ...hour }));
      assert.deepEqual([owner.user_id, owner.reset_sessions, owner.user.password.requires_reset], [attacker.user_id, true, true]);
      await dead(attacker.session_token);
      await refused(login(attacker.email, first), 400, 'reset_password');
      await refused(login(attacker.email, second), 401, 'unauthorized_credentials');
      await refused(
        api.passwords.existingPassword.reset({ email: attacker.email, existing_password: first, new_password: second }),
        400, 'cannot_reset_password_with_existing_password',
      );
      const mail = await forget(attacker.email);
      answered(await api.magicLinks.authenticate({ token: tokenOf(loginLinkOf(mail)) }));
      await refused(login(attacker.email, first), 400, 'reset_password'); // in without the password is no reset
      answered(await api.passwords.email.reset({ token: tokenOf(mail), password: second }));
      await refused(login(attacker.email, first), 401, 'unauthorized_credentials');
      answered(await login(attacker.email, second));
    });

    test('its owner may choose another password from the session of the first proof', async () => {
      const attacker = await signedUp();
      const { session_token } = await api.otps.authenticate({ ...(await sent(attacker.email, {}, 'loginOrCreate')), ...hour });
      const done = answered(await api.passwords.sessions.reset({ session_token, password: second }));
      assert.equal(done.user.password.requires_reset, false);
      await refused(login(attacker.email, first), 401, 'unauthorized_credentials');
      answered(await login(attacker.email, second));
    });
  });

  describe('migrate', () => {
    const salt = randomBytes(16);
    const text = 'a salt of text';
    const sha = (name, password) => createHash(name).update(`pre${password}post`).digest('hex');
    const salts = { prepend_salt: 'pre', append_salt: 'post' };
    const phc = (bytes) => bytes.toString('base64').replace(/=+$/, '');
    const small = { iterations: 2, parallelism: 1, memorySize: 64, hashLength: 32 };

    // Each makes what another system would have stored.
    const made = {
      'bcrypt of bcryptjs': async (p) => ({ hash_type: 'bcrypt', hash: bcrypt.hashSync(p, 5) }),
      'bcrypt as PHP marks it': async (p) => ({ hash_type: 'bcrypt', hash: bcrypt.hashSync(p, 4).replace(/^\$2.\$/, '$2y$') }),
      'scrypt of Node.js': async (p) => ({
        hash_type: 'scrypt', hash: scryptSync(p, salt, 64, { N: 16_384, r: 8, p: 1 }).toString('base64'),
        scrypt_config: { salt: salt.toString('base64'), n_parameter: 16_384, r_parameter: 8, p_parameter: 1, key_length: 64 },
      }),
      'scrypt in its encoded form': async (p) => ({
        hash_type: 'scrypt', hash: `$scrypt$ln=10,r=8,p=2$${phc(salt)}$${phc(scryptSync(p, salt, 32, { N: 1024, r: 8, p: 2 }))}`,
      }),
      'PBKDF2 of Node.js with SHA-256': async (p) => ({
        hash_type: 'pbkdf_2', hash: pbkdf2Sync(p, salt, 10_000, 32, 'sha256').toString('base64'),
        pbkdf_2_config: { salt: salt.toString('base64'), iteration_amount: 10_000, key_length: 32, algorithm: '' },
      }),
      'PBKDF2 of Node.js with SHA-512': async (p) => ({
        hash_type: 'pbkdf_2', hash: pbkdf2Sync(p, salt, 10_000, 64, 'sha512').toString('base64'),
        pbkdf_2_config: { salt: salt.toString('base64'), iteration_amount: 10_000, key_length: 64, algorithm: 'sha512' },
      }),
      'Argon2id of hash-wasm': async (p) => ({ hash_type: 'argon_2id', hash: await argon2id({ ...small, password: p, salt, outputType: 'encoded' }) }),
      'Argon2i of hash-wasm': async (p) => ({ hash_type: 'argon_2i', hash: await argon2i({ ...small, password: p, salt, outputType: 'encoded' }) }),
      'Argon2id, bare': async (p) => ({
        hash_type: 'argon_2id', hash: await argon2id({ ...small, password: p, salt: text }),
        argon_2_config: { salt: text, iteration_amount: 2, memory: 64, threads: 1, key_length: 32 },
      }),
      MD5: async (p) => ({ hash_type: 'md_5', hash: sha('md5', p), md_5_config: salts }),
      'SHA-1': async (p) => ({ hash_type: 'sha_1', hash: sha('sha1', p), sha_1_config: salts }),
      'SHA-512': async (p) => ({ hash_type: 'sha_512', hash: sha('sha512', p), sha_512_config: salts }),
    };
    for (const [what, hashed] of Object.entries(made)) {
      test(`${what}: the old password goes on, and is hashed anew on the way`, async () => {
        const [email, password] = [newEmail(), `\u00fcber ${randomBytes(8).toString('hex')}`];
        const moved = answered(await api.passwords.migrate({ email, ...(await hashed(password)) }));
        assert.deepEqual([moved.user_created, moved.user.password.requires_reset], [true, false]);
        await refused(login(email, `${password}!`), 401, 'unauthorized_credentials');
        for (let n = 0; n < 2; n++) assert.equal(answered(await login(email, password)).user_id, moved.user_id);
      });
    }

    test('brings somebody new along, with what is known of them', async () => {
      const [email, phone_number] = [newEmail(), newPhone()];
      const moved = answered(await api.passwords.migrate({
        email, hash: bcrypt.hashSync(first, 4), hash_type: 'bcrypt', set_email_verified: true, phone_number, set_phone_number_verified: true,
        external_id: `old-${email.split('@')[0]}`, name: { first_name: 'Ada' }, trusted_metadata: { plan: 'pro' }, untrusted_metadata: { theme: 'dark' },
      }));
      complete('user', moved.user);
      assert.match(moved.email_id, idOf('email'));
      assert.deepEqual([moved.user_created, moved.user.user_id], [true, moved.user_id]);
      assert.deepEqual(moved.user.emails, [{ email_id: moved.email_id, email, verified: true }]);
      assert.deepEqual(moved.user.phone_numbers.map((p) => [p.phone_number, p.verified]), [[phone_number, true]]);
      assert.deepEqual([moved.user.name.first_name, moved.user.trusted_metadata, moved.user.external_id], ['Ada', { plan: 'pro' }, `old-${email.split('@')[0]}`]);
      assert.ok(!('session_token' in moved), 'nobody is signed in');
      assert.deepEqual(await mail.all(email), []);
    });

    test('gives somebody who is there a password, unless there is one', async () => {
      const email = newEmail();
      const { user_id } = await api.users.create({ email });
      const hash = { hash: bcrypt.hashSync(first, 4), hash_type: 'bcrypt' };
      const moved = answered(await api.passwords.migrate({ email: email.toUpperCase(), ...hash }));
      assert.deepEqual([moved.user_created, moved.user_id, moved.user.emails[0].verified], [false, user_id, false]);
      await refused(api.passwords.migrate({ email, ...hash }), 400, 'password_already_exists');
      answered(await login(email, first));
    });

    test('what is no hash, or too dear to check, is refused', async () => {
      const email = newEmail();
      const migrate = (more) => api.passwords.migrate({ email, ...more });
      await refused(migrate({ hash: 'x', hash_type: 'rot13' }), 400, 'invalid_hash_type');
      await refused(migrate({ hash: 'x', hash_type: 'bcrypt' }), 400, 'invalid_bcrypt_hash');
      await refused(migrate({ hash: bcrypt.hashSync(first, 4).replace('$04$', '$31$'), hash_type: 'bcrypt' }), 400, 'invalid_bcrypt_cost');
      const scrypt = await made['scrypt of Node.js'](first);
      await refused(migrate({ ...scrypt, scrypt_config: { ...scrypt.scrypt_config, n_parameter: 16_383 } }), 400, 'invalid_scrypt_n_parameter');
      await refused(migrate({ ...scrypt, scrypt_config: { ...scrypt.scrypt_config, key_length: 32 } }), 400, 'scrypt_key_length_mismatch');
      await refused(migrate({ hash: 'x' }), 400, 'bad_request');
      await refused(login(email, first), 404, 'email_not_found');
    });
  });

  test('the owner is told of a new password, and can do without', async () => {
    const { email } = await verified();
    const change = (from, to) => api.passwords.existingPassword.reset({ email, existing_password: from, new_password: to });
    await change(first, second);
    const notice = await mail.latest(email, { type: 'NOTICE_PASSWORD_CHANGED' });
    assert.match(notice.subject, /Your password at .* was changed/);
    assert.deepEqual([notice.link, notice.code], ['', '']);
    await server.set('notices.password_changed=false');
    await eventually(async () => {
      const before = (await mail.all(email, { type: 'NOTICE_PASSWORD_CHANGED' })).length;
      await change(second, first);
      await change(first, second);
      await forget(email); // what was asked for later has arrived
      assert.equal((await mail.all(email, { type: 'NOTICE_PASSWORD_CHANGED' })).length, before);
    }, patience);
    await server.set('notices.password_changed=');
  });

  test('passwords and what they are kept as are in nothing that the server says', async () => {
    const canary = 'canary tractor sings 9142';
    const { email } = await signedUp(newEmail(), canary);
    await refused(login(email, `${canary}!`), 401, 'unauthorized_credentials');
    await api.passwords.strengthCheck({ password: canary, email });
    const token = tokenOf(await forget(email));
    answered(await api.passwords.email.reset({ token, password: `${canary} again` }));
    for (const secret of ['canary', 'argon2id', token]) assert.ok(!server.output.includes(secret), `the log has ${secret}`);
  });
});

describe('breached passwords', () => {
  const [everybodys, since] = ['velvet harpoon dances 63', 'orange anvil whispers 28'];
  let breaches, server, api, mail, login, forget;
  before(async () => {
    breaches = await serveBreaches(everybodys, since);
    server = await Server.start({ env: breaches.env });
    ({ api, mail, login, forget } = passwords(server));
  });
  after(async () => {
    await server?.stop();
    await breaches?.close();
  });

  test('a password that others know is refused, and of it five digits are asked for', async () => {
    const email = newEmail();
    await refused(api.passwords.create({ email, password: everybodys }), 400, 'breached_password');
    answered(await api.passwords.create({ email, password: first }));
    await refused(api.passwords.existingPassword.reset({ email, existing_password: first, new_password: everybodys }), 400, 'breached_password');
    await refused(api.passwords.email.reset({ token: tokenOf(await forget(email)), password: everybodys }), 400, 'breached_password');
    const { session_token } = await login(email, first);
    await refused(api.passwords.sessions.reset({ session_token, password: everybodys }), 400, 'breached_password');

    const known = await api.passwords.strengthCheck({ password: everybodys, email });
    assert.deepEqual([known.valid_password, known.score, known.breached_password, known.breach_detection_on_create], [false, 4, true, true]);
    const without = await api.passwords.strengthCheck({ password: everybodys });
    assert.deepEqual([without.valid_password, without.breached_password], [true, false]); // without an address nobody is asked

    assert.deepEqual(breaches.asked.map((a) => a.url).sort(), [everybodys, first].map(rangeOf).sort(), 'each range is asked for once');
    for (const { method, url, headers, body } of breaches.asked) {
      assert.deepEqual([method, body, headers['add-padding']], ['GET', '', 'true']);
      assert.match(url, /^\/range\/[0-9A-F]{5}$/);
      const said = JSON.stringify(headers).toLowerCase();
      for (const secret of [email, 'tractor', 'harpoon', 'user-test', 'stytch']) assert.ok(!said.includes(secret), `it is told ${said}`);
    }
  });

  test('a password that got known since is set anew at the next login', async () => {
    await server.set('passwords.check_breach_on_creation=false');
    const email = await eventually(async () => {
      const email = newEmail();
      answered(await api.passwords.create({ email, password: since }));
      return email;
    }, patience);
    const check = await api.passwords.strengthCheck({ password: since, email });
    assert.deepEqual([check.valid_password, check.breached_password, check.breach_detection_on_create], [true, false, false]);
    await server.set('passwords.check_breach_on_creation=');

    await refused(login(email, first), 401, 'unauthorized_credentials');
    await refused(login(email, since), 400, 'reset_password');
    await refused(api.passwords.existingPassword.reset({ email, existing_password: since, new_password: first }), 400, 'cannot_reset_password_with_existing_password');
    answered(await api.passwords.email.reset({ token: tokenOf(await forget(email)), password: second }));
    answered(await login(email, second));
  });

  test('while nobody answers, people come in, unless an operator says otherwise', async () => {
    breaches.answers(false);
    const password = 'silver walnut recites 85';
    const email = newEmail();
    answered(await api.passwords.create({ email, password }));
    answered(await login(email, password));
    await server.set('passwords.refuse_when_breach_unanswered=true');
    await eventually(() => refused(api.passwords.create({ email: newEmail(), password }), 400, 'password_validation_timeout'), patience);
    answered(await login(email, password));
    await server.set('passwords.refuse_when_breach_unanswered=');
    breaches.answers(true);
  });
});

// platform.md, section 11.3: what suites written for the reference rely on.
describe('the sandbox of passwords', () => {
  const email = 'sandbox@stytch.com';
  const user_id = 'user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd';
  const email_id = 'email-test-23873e89-d4ed-4e92-b3b9-e5c7198fa286';
  const session_token = 'WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY';
  let server, api, mail;
  before(async () => {
    server = await Server.start();
    ({ api, mail } = passwords(server));
  });
  after(() => server?.stop());

  test('any password signs up and in, as often as you like', async () => {
    for (const password of ['x', 'password', first]) {
      const made = answered(await api.passwords.create({ email, password, ...hour }));
      assert.deepEqual([made.user_id, made.email_id, made.session_token], [user_id, email_id, session_token]);
      const in_ = answered(await api.passwords.authenticate({ email, password, ...hour }));
      assert.deepEqual([in_.user_id, in_.session_token, factorsOf(in_.session)], [user_id, session_token, ['password/knowledge']]);
      assert.equal(complete('user', in_.user).emails[0].email, email);
      const local = await api.sessions.authenticateJwtLocal({ session_jwt: in_.session_jwt });
      assert.deepEqual([local.user_id, local.authentication_factors.map((f) => f.type)], [user_id, ['password']]);
      const without = answered(await api.passwords.authenticate({ email, password }));
      assert.deepEqual([without.session ?? null, without.session_token], [null, '']);
    }
  });

  test('a reset is asked for, and sends nothing', async () => {
    const { user_id: of, email_id: to } = answered(await api.passwords.email.resetStart({ email }));
    assert.deepEqual([of, to], [user_id, email_id]);
    const real = newEmail();
    await api.users.create({ email: real });
    await api.passwords.email.resetStart({ email: real });
    await mail.latest(real); // what was asked for later has arrived
    assert.deepEqual(await mail.all(email), []);
  });

  test('what is wrong with a request is wrong in the sandbox too', async () => {
    await refused(api.passwords.create({ email, password: 'x', session_duration_minutes: 4 }), 400, 'invalid_session_duration_minutes');
    await refused(api.passwords.create({ email }), 400, 'bad_request');
    const stranger = client(server, { secret: 'secret-test-' + 'A'.repeat(40) });
    await refused(stranger.passwords.authenticate({ email, password: 'x' }), 401, 'unauthorized_credentials');
    await refused(api.passwords.migrate({ email, hash: bcrypt.hashSync(first, 4), hash_type: 'bcrypt' }), 400, 'invalid_email_sandbox');
  });
});
