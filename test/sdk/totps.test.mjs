// Authenticator apps through the official Node client.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { AuthenticatorApp, codeOf } from '../lib/authenticator-app.mjs';
import { mailbox } from '../lib/mailbox.mjs';
import { answered, client, complete, idOf, newEmail, refused, signIn, userWithPasskey } from '../lib/sdk.mjs';
import { Server } from '../lib/server.mjs';

const nobody = 'user-test-00000000-0000-4000-8000-000000000000';
const minutes = (n) => ({ session_duration_minutes: n });
const recoveryForm = /^[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}$/;

test('the app of these tests is one (RFC 6238)', () => {
  const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
  assert.deepEqual([59, 1111111109, 20000000000].map((at) => codeOf(secret, Math.floor(at / 30))), ['287082', '081804', '353130']);
});

describe('authenticator apps', () => {
  let server, api;
  before(async () => {
    server = await Server.start();
    api = client(server);
  });
  after(() => server?.stop());

  // A user with an app that has not shown a code yet.
  async function enrolled(fields) {
    const email = newEmail();
    const { user_id } = await api.users.create({ email, ...fields });
    const made = answered(await api.totps.create({ user_id }));
    return { ...made, email, app: AuthenticatorApp.scanned(made.qr_code) };
  }

  // A user with an app in use.
  async function owner(fields) {
    const made = await enrolled(fields);
    await api.totps.authenticate({ user_id: made.user_id, totp_code: await made.app.code() });
    return made;
  }

  test('create shows a secret, as text and as a QR code, and recovery codes', async () => {
    const made = await enrolled();
    assert.match(made.totp_id, idOf('totp'));
    assert.match(made.secret, /^[A-Z2-7]{32}$/);
    assert.equal(made.app.secret, made.secret);
    assert.equal(made.app.label, `${made.app.issuer}:${made.email}`);
    assert.equal(new Set(made.recovery_codes).size, 10);
    for (const code of made.recovery_codes) assert.match(code, recoveryForm);
    assert.deepEqual(complete('user', made.user).totps, [{ totp_id: made.totp_id, verified: false }]);
    assert.equal(made.user.user_id, made.user_id);
  });

  test('the first code makes the app one in use, and signs in', async () => {
    const { user_id, totp_id, app } = await enrolled();
    const login = answered(await api.totps.authenticate({ user_id, totp_code: await app.code(), ...minutes(60) }));
    assert.deepEqual([complete('login', login).user_id, login.totp_id], [user_id, totp_id]);
    assert.deepEqual(complete('user', login.user).totps, [{ totp_id, verified: true }]);
    const [factor] = complete('session', login.session).authentication_factors;
    assert.deepEqual([factor.type, factor.delivery_method, factor.authenticator_app_factor], ['totp', 'authenticator_app', { totp_id }]);
    const local = await api.sessions.authenticateJwtLocal({ session_jwt: login.session_jwt });
    assert.deepEqual([local.session_id, local.authentication_factors[0].type], [login.session.session_id, 'totp']);
    assert.deepEqual(await api.users.get({ user_id }).then((u) => u.totps), [{ totp_id, verified: true }]);
    const found = await api.users.search({ query: { operator: 'AND', operands: [{ filter_name: 'totp_id', filter_value: [totp_id] }] } });
    assert.deepEqual(found.results.map((u) => u.user_id), [user_id]);

    const code = await app.code();
    const again = await api.totps.authenticate({ user_id, totp_code: `${code.slice(0, 3)} ${code.slice(3)}` });
    assert.deepEqual([again.session ?? null, again.session_token, again.session_jwt], [null, '', '']);
  });

  test('a code works once', async () => {
    const { user_id, app } = await owner();
    const totp_code = await app.code();
    answered(await api.totps.authenticate({ user_id, totp_code }));
    await refused(api.totps.authenticate({ user_id, totp_code }), 401, 'totp_code_already_authenticated');
    await refused(api.totps.authenticate({ user_id, totp_code: app.wrong() }), 401, 'unable_to_authenticate_totp');
  });

  test('recovery codes are listed until they are used, and each works once', async () => {
    const { user_id, totp_id, email, recovery_codes } = await owner();
    const left = async () => answered(await api.totps.recoveryCodes({ user_id })).totps;
    assert.deepEqual(await left(), [{ totp_id, verified: true, recovery_codes }]);
    const [first, second, ...rest] = recovery_codes;
    const login = answered(await api.totps.recover({ user_id, recovery_code: first, ...minutes(60) }));
    assert.deepEqual([complete('login', login).user_id, login.totp_id], [user_id, totp_id]);
    const [factor] = complete('session', login.session).authentication_factors;
    assert.deepEqual([factor.type, factor.delivery_method], ['recovery_codes', 'recovery_code']);
    assert.match(factor.recovery_code_factor.totp_recovery_code_id, idOf('totp-recovery-code'));
    answered(await api.totps.recover({ user_id, recovery_code: second.toUpperCase().replaceAll('-', ' ') }));
    assert.deepEqual(await left(), [{ totp_id, verified: true, recovery_codes: rest }]);
    for (const used of [first, second]) {
      await refused(api.totps.recover({ user_id, recovery_code: used }), 401, 'unable_to_authenticate_recovery_code');
    }
    assert.deepEqual(await mailbox(server).all(email), [], 'nobody is told at an address that nobody has proven');
  });

  test('what is mixed up, or cannot be right, is told apart', async () => {
    const { user_id, app, recovery_codes } = await owner();
    const authenticate = (totp_code) => api.totps.authenticate({ user_id, totp_code });
    const recover = (recovery_code) => api.totps.recover({ user_id, recovery_code });
    await refused(authenticate(recovery_codes[0]), 400, 'recovery_code_used_as_totp_code');
    await refused(recover(app.wrong()), 400, 'totp_code_used_as_recovery_code');
    for (const bad of ['12345', '1234567', 'abcdef', '']) await refused(authenticate(bad), 400, 'invalid_totp_code');
    for (const bad of ['a1b2-c3d4', 'a1b2-c3d4-e5f6-a1b2', '']) await refused(recover(bad), 400, 'invalid_recovery_code');
    await refused(recover('zzzz-zzzz-zzzz'), 401, 'unable_to_authenticate_recovery_code');
    await refused(authenticate(undefined), 400, 'bad_request');
    await refused(recover(undefined), 400, 'bad_request');
  });

  test('an interrupted enrolment is begun anew; one in use is deleted first', async () => {
    const first = await enrolled();
    const { user_id } = first;
    await refused(api.totps.recover({ user_id, recovery_code: first.recovery_codes[0] }), 400, 'no_active_recovery_code_backed_factor');
    assert.equal((await api.totps.recoveryCodes({ user_id })).totps[0].verified, false);
    const second = await api.totps.create({ user_id, expiration_minutes: 5 });
    await refused(api.totps.authenticate({ user_id, totp_code: await first.app.code() }), 401, 'unable_to_authenticate_totp');
    answered(await api.totps.authenticate({ user_id, totp_code: await new AuthenticatorApp(second.secret).code() }));
    await refused(api.totps.create({ user_id }), 400, 'active_totp_exists');
    await refused(api.users.deleteTOTP({ totp_id: first.totp_id }), 404, 'totp_not_found');
    assert.deepEqual((await api.users.deleteTOTP({ totp_id: second.totp_id })).user.totps, []);
    answered(await api.totps.create({ user_id }));
  });

  test('whose app it is', async () => {
    const external_id = `customer-${process.pid}`;
    const { user_id, app } = await enrolled({ external_id });
    assert.equal((await api.totps.authenticate({ user_id: external_id, totp_code: await app.code() })).user_id, user_id);
    const { recovery_codes } = (await api.totps.recoveryCodes({ user_id: external_id })).totps[0];
    assert.equal((await api.totps.recover({ user_id: external_id, recovery_code: recovery_codes[0] })).user_id, user_id);
    for (const method of ['create', 'recoveryCodes', 'authenticate', 'recover']) {
      await refused(api.totps[method]({ user_id: nobody, totp_code: '123456', recovery_code: recovery_codes[1] }), 404, 'user_not_found');
    }
    const none = (await api.users.create({ email: newEmail() })).user_id;
    await refused(api.totps.authenticate({ user_id: none, totp_code: '123456' }), 404, 'totps_not_found_for_user');
    await refused(api.totps.recoveryCodes({ user_id: none }), 404, 'totps_not_found_for_user');
    for (const expiration_minutes of [4, 1441]) await refused(api.totps.create({ user_id: none, expiration_minutes }), 400, 'invalid_expiration');
    const pending = await api.users.create({ email: newEmail(), create_user_as_pending: true });
    await refused(api.totps.create({ user_id: pending.user_id }), 400, 'cannot_use_totp_with_pending_user');
  });

  test('a second factor joins the session of the first, and leaves it with the app', async () => {
    const person = await userWithPasskey(api);
    const { user_id } = person;
    const made = await api.totps.create({ user_id });
    const app = new AuthenticatorApp(made.secret);
    const first = await signIn(api, person.device);
    const { session_token } = first;
    const both = await api.totps.authenticate({ user_id, totp_code: await app.code(), session_token });
    assert.equal(both.session.session_id, first.session.session_id);
    assert.deepEqual(both.session.authentication_factors.map((f) => f.type), ['webauthn', 'totp']);
    const stranger = await owner();
    await refused(api.totps.recover({ user_id: stranger.user_id, recovery_code: stranger.recovery_codes[0], session_token }), 400, 'user_id_mismatch');
    const alone = await api.totps.recover({ user_id, recovery_code: made.recovery_codes[0], ...minutes(60) });

    await api.users.deleteTOTP({ totp_id: made.totp_id });
    const { session } = await api.sessions.authenticate({ session_token });
    assert.deepEqual(session.authentication_factors.map((f) => f.type), ['webauthn']);
    await refused(api.sessions.authenticate({ session_token: alone.session_token }), 404, 'session_not_found');
  });

  test('of many at once exactly one gets in', async () => {
    const { user_id, app, recovery_codes } = await owner();
    const totp_code = await app.code();
    const race = async (call) => {
      const tries = await Promise.allSettled(Array.from({ length: 8 }, call));
      return tries.filter((t) => t.status === 'rejected').map((t) => t.reason.error_type);
    };
    assert.deepEqual(await race(() => api.totps.authenticate({ user_id, totp_code, ...minutes(60) })), Array(7).fill('totp_code_already_authenticated'));
    const lost = await race(() => api.totps.recover({ user_id, recovery_code: recovery_codes[0], ...minutes(60) }));
    assert.deepEqual(lost, Array(7).fill('unable_to_authenticate_recovery_code'));
  });

  test('ten wrong codes lock the user, whatever is enrolled meanwhile', async () => {
    const { user_id, app } = await enrolled();
    for (let n = 0; n < 5; n++) await refused(api.totps.authenticate({ user_id, totp_code: app.wrong() }), 401, 'unable_to_authenticate_totp');
    const next = new AuthenticatorApp((await api.totps.create({ user_id })).secret);
    for (let n = 0; n < 5; n++) await refused(api.totps.authenticate({ user_id, totp_code: next.wrong() }), 401, 'unable_to_authenticate_totp');
    await refused(api.totps.authenticate({ user_id, totp_code: await next.code() }), 429, 'user_lock_limit_reached');
  });

  test('apps and recovery codes survive a restart of the server', async () => {
    const { user_id, app, recovery_codes } = await owner();
    await server.restart();
    answered(await api.totps.authenticate({ user_id, totp_code: await app.code() }));
    answered(await api.totps.recover({ user_id, recovery_code: recovery_codes[9] }));
  });
});

// platform.md, section 11.3: what suites written for the reference rely on.
describe('the sandbox of authenticator apps', () => {
  const user_id = 'user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd';
  const session_token = 'WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY';
  let server, api;
  before(async () => {
    server = await Server.start();
    api = client(server);
  });
  after(() => server?.stop());

  test('the app of the one user is always there', async () => {
    const made = answered(await api.totps.create({ user_id }));
    assert.deepEqual([made.user_id, complete('user', made.user).user_id, made.recovery_codes[0]], [user_id, user_id, 'a1b2-c3d4-e5f6']);
    assert.equal(AuthenticatorApp.scanned(made.qr_code).secret, made.secret);
    const listed = answered(await api.totps.recoveryCodes({ user_id }));
    assert.deepEqual([listed.user_id, listed.totps[0].totp_id, listed.totps[0].recovery_codes[0]], [user_id, made.totp_id, 'a1b2-c3d4-e5f6']);
    await refused(api.totps.create({ user_id, expiration_minutes: 4 }), 400, 'invalid_expiration');
  });

  for (const [method, field, right, wrong, type, refusal] of [
    ['authenticate', 'totp_code', '000000', '000001', 'totp', 'unable_to_authenticate_totp'],
    ['recover', 'recovery_code', 'a1b2-c3d4-e5f6', 'a1b2-c3d4-e5f7', 'recovery_codes', 'unable_to_authenticate_recovery_code'],
  ]) {
    test(`${method}: ${right} is right, as often as you like, and nothing else is`, async () => {
      for (let n = 0; n < 3; n++) {
        const login = answered(await api.totps[method]({ user_id, [field]: right, ...minutes(60) }));
        assert.deepEqual([complete('login', login).user_id, login.session_token], [user_id, session_token]);
        assert.deepEqual(login.session.authentication_factors.map((f) => f.type), [type]);
        assert.match(login.totp_id, idOf('totp'));
        assert.equal((await api.sessions.authenticateJwt({ session_jwt: login.session_jwt })).session.user_id, user_id);
      }
      await refused(api.totps[method]({ user_id, [field]: wrong }), 401, refusal);
    });
  }
});
