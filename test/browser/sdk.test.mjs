// The unmodified @stytch/vanilla-js bundle in a browser, on a page whose origin is not the server's.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { Authenticator } from '../lib/authenticator.mjs';
import { launch, newPerson, newTab, strangerHost } from '../lib/browser.mjs';
import { openWithSDK, sdk, serveCustomerPage } from '../lib/customer-page.mjs';
import { registerOnPage } from '../lib/ceremony.mjs';
import { client, complete, idOf, newEmail, userWithPasskey } from '../lib/sdk.mjs';
import { Server } from '../lib/server.mjs';

const minutes = (n) => n * 60_000;

describe('the browser SDK', () => {
  let server, api, site, browser, person, page;
  before(async () => {
    [server, site, browser] = await Promise.all([Server.start(), serveCustomerPage(), launch()]);
    api = client(server);
  });
  after(async () => {
    await Promise.all([browser?.close(), site?.close()]);
    await server?.stop();
  });
  beforeEach(async () => {
    person = await newPerson(browser);
    page = person.page;
  });
  afterEach(async () => {
    assert.deepEqual(person.problems, [], 'errors on the page');
    await person.context.close();
  });

  const cookies = async () => {
    const found = await person.context.cookies(site.origin);
    return Object.fromEntries(found.filter((c) => c.name.startsWith('stytch_')).map((c) => [c.name, c]));
  };

  // A user whose session a backend made, and the page signed in with it.
  const signedIn = async () => {
    const made = await userWithPasskey(api, { minutes: 60, authenticator: new Authenticator(site.origin) });
    const calls = await openWithSDK(page, site.origin, server);
    const { session_token, session_jwt } = made;
    await sdk(page, 'session.updateSession', { session_token, session_jwt });
    await sdk(page, 'session.authenticate');
    return { ...made, calls };
  };

  const refusal = (call, status_code, error_type) =>
    assert.rejects(call, (err) => {
      assert.deepEqual(
        { name: err.name, status_code: err.status_code, error_type: err.error_type },
        { name: 'StytchAPIError', status_code, error_type },
        err.message,
      );
      return true;
    });

  test('loads logged out, asks for no session and does not try again', async () => {
    await page.clock.install();
    const calls = await openWithSDK(page, site.origin, server);
    const bootstrap = await calls.settled('/sdk/v1/projects/bootstrap/');
    assert.equal(bootstrap.status, 200);
    for (const field of ['captcha_settings', 'password_config', 'rbac_policy', 'vertical']) {
      assert.ok(field in bootstrap.body.data, `bootstrap has ${field}`);
    }
    await page.clock.runFor(minutes(10));
    assert.equal((await calls.settled('/sdk/v1/events')).status, 200);
    assert.deepEqual(calls.filter((c) => c.path.includes('/sessions/')), []);
    assert.deepEqual(await sdk(page, 'session.getInfo'), { session: null, fromCache: false });
    assert.deepEqual(await sdk(page, 'user.getInfo'), { user: null, fromCache: false });
    await refusal(sdk(page, 'session.authenticate'), 401, 'user_unauthenticated');
    await refusal(sdk(page, 'user.get'), 401, 'user_unauthenticated');
  });

  test('takes over a session that a backend made, and keeps it across a reload', async () => {
    const { user_id, session, session_token } = await signedIn();
    assert.equal((await sdk(page, 'session.getSync')).session_id, session.session_id);
    assert.equal((await sdk(page, 'user.getSync')).user_id, user_id);
    const { stytch_session, stytch_session_jwt } = await cookies();
    assert.equal(stytch_session.value, session_token);
    assert.deepEqual([stytch_session.httpOnly, stytch_session_jwt.httpOnly], [false, false], 'readable by the page');

    const calls = await openWithSDK(page, site.origin, server);
    assert.equal((await sdk(page, 'session.getInfo')).session.session_id, session.session_id);
    const refreshed = await calls.settled('/sdk/v1/sessions/authenticate');
    assert.equal(refreshed.status, 200);
    assert.equal(complete('session', refreshed.body.data.session).session_id, session.session_id);
    await page.waitForFunction(() => window.client.session.getInfo().fromCache === false);
  });

  test('refreshes its session in the background, and ends when the server has ended it', async () => {
    await page.clock.install();
    const { session_token, calls } = await signedIn();
    await page.clock.runFor(minutes(3) + 1000);
    const refreshed = await calls.settled('/sdk/v1/sessions/authenticate', 2);
    assert.equal(refreshed.status, 200);
    await api.sessions.revoke({ session_token });
    await page.clock.runFor(minutes(3) + 1000);
    await page.waitForFunction(() => window.client.session.getSync() === null);
    assert.deepEqual(await cookies(), {});
  });

  test('registers a passkey, signs out, and signs in with it', async () => {
    const { user_id, calls } = await signedIn();
    const made = await sdk(page, 'webauthn.register', { is_passkey: true, session_duration_minutes: 60 });
    assert.match(made.webauthn_registration_id, idOf('webauthn-registration'));
    complete('user', made.user);
    assert.equal(made.user.webauthn_registrations.length, 2);
    assert.equal((await person.passkeys.list()).length, 1);
    assert.equal((await sdk(page, 'user.getSync')).webauthn_registrations.length, 2, 'the SDK took the new user over');
    const registration = await calls.settled('/sdk/v1/webauthn/register/start');
    const { public_key_credential_creation_options } = registration.body.data;
    assert.doesNotMatch(JSON.parse(public_key_credential_creation_options).challenge, /[+/=]/);

    await sdk(page, 'session.revoke');
    assert.equal(await sdk(page, 'session.getSync'), null);
    assert.deepEqual(await cookies(), {});

    const login = await sdk(page, 'webauthn.authenticate', { is_passkey: true, session_duration_minutes: 60 });
    assert.equal((await calls.settled('/sdk/v1/webauthn/authenticate/start/primary')).status, 200);
    assert.equal(complete('login', login).user_id, user_id);
    assert.equal(login.webauthn_registration_id, made.webauthn_registration_id);
    assert.equal((await sdk(page, 'session.getSync')).session_id, login.session.session_id);
    assert.equal((await cookies()).stytch_session.value, login.session_token);
  });

  test('signs in through autofill', async () => {
    const { user_id } = await api.users.create({ email: newEmail() });
    await openWithSDK(page, site.origin, server);
    await registerOnPage(api, page, user_id);
    const login = await sdk(page, 'webauthn.authenticate', {
      is_passkey: true, conditional_mediation: true, session_duration_minutes: 60,
    });
    assert.equal(login.user_id, user_id);
  });

  test('adds a plain security key and proves it again within the session', async () => {
    const { session, calls } = await signedIn();
    await sdk(page, 'webauthn.register', { session_duration_minutes: 60 });
    const login = await sdk(page, 'webauthn.authenticate', { session_duration_minutes: 60 });
    assert.equal((await calls.settled('/sdk/v1/webauthn/authenticate/start/secondary')).status, 200);
    assert.equal(login.session.session_id, session.session_id, 'the same session');
    assert.equal(login.session.authentication_factors.length, 2);
  });

  test('reads and changes the user', async () => {
    const { user_id, webauthn_registration_id } = await signedIn();
    const got = await sdk(page, 'user.get');
    assert.equal(complete('user', got).user_id, user_id);
    const updated = await sdk(page, 'user.update', {
      name: { first_name: 'Katherine', last_name: 'Johnson' }, untrusted_metadata: { theme: 'dark' },
    });
    assert.equal(complete('user', updated.user).name.first_name, 'Katherine');
    assert.deepEqual((await sdk(page, 'user.getSync')).untrusted_metadata, { theme: 'dark' });
    await refusal(sdk(page, 'user.update', { trusted_metadata: { admin: true } }), 401, 'cannot_update_trusted_metadata');

    const renamed = await sdk(page, 'webauthn.update', { webauthn_registration_id, name: 'Old phone' });
    assert.equal(renamed.webauthn_registration.name, 'Old phone');

    const second = await sdk(page, 'webauthn.register', { is_passkey: true, session_duration_minutes: 60 });
    const left = await sdk(page, 'user.deleteWebauthnRegistration', webauthn_registration_id);
    assert.deepEqual(
      left.user.webauthn_registrations.map((r) => r.webauthn_registration_id), [second.webauthn_registration_id],
    );
    await refusal(sdk(page, 'user.deleteWebauthnRegistration', webauthn_registration_id), 404,
      'webauthn_registration_not_found');
  });

  test('cannot touch what belongs to somebody else', async () => {
    const other = await userWithPasskey(api);
    await signedIn();
    await refusal(sdk(page, 'user.deleteWebauthnRegistration', other.webauthn_registration_id), 404,
      'webauthn_registration_not_found');
    const rename = { webauthn_registration_id: other.webauthn_registration_id, name: 'mine' };
    await refusal(sdk(page, 'webauthn.update', rename), 404, 'webauthn_registration_not_found');
  });

  test('what the user does not have answers its own 404', async () => {
    await signedIn();
    const unknown = (kind) => `${kind}-test-00000000-0000-4000-8000-000000000000`;
    const cases = [
      ['user.deleteEmail', 'email', 'email_not_found'],
      ['user.deletePhoneNumber', 'phone-number', 'phone_number_not_found'],
      ['user.deleteTOTP', 'totp', 'totp_not_found'],
      ['user.deleteCryptoWallet', 'crypto-wallet', 'crypto_wallet_not_found'],
      ['user.deleteOAuthRegistration', 'oauth-user', 'oauth_user_registration_not_found'],
      ['user.deleteBiometricRegistration', 'biometric-registration', 'biometric_registration_not_found'],
    ];
    for (const [method, kind, type] of cases) await refusal(sdk(page, method, unknown(kind)), 404, type);
  });

  test('a person who cancels is told by the browser, and the page goes on', async () => {
    await openWithSDK(page, site.origin, server);
    const { user_id } = await api.users.create({ email: newEmail() });
    await registerOnPage(api, page, user_id);
    await person.passkeys.verifies(false);
    const login = { is_passkey: true, session_duration_minutes: 60 };
    const cancelled = await page.evaluate(async (options) => {
      const leave = new AbortController();
      const asked = window.client.webauthn.authenticate({ ...options, signal: leave.signal });
      leave.abort();
      return asked.then(() => 'signed in', (e) => e.name);
    }, login);
    assert.match(cancelled, /AbortError|NotAllowedError/);
    await person.passkeys.verifies(true);
    assert.equal((await sdk(page, 'webauthn.authenticate', login)).user_id, user_id);
  });

  test('a second tab follows', async () => {
    const { session } = await signedIn();
    const tab = await newTab(person.context, { passkeys: false });
    await openWithSDK(tab.page, site.origin, server);
    assert.equal((await sdk(tab.page, 'session.getSync')).session_id, session.session_id);
    await sdk(page, 'session.revoke');
    await tab.page.waitForFunction(() => window.client.session.getSync() === null);
    assert.deepEqual(tab.problems, []);
  });

  test('a page that nobody authorised is refused, and may read why', async () => {
    const calls = await openWithSDK(page, site.at(strangerHost), server);
    const bootstrap = await calls.settled('/sdk/v1/projects/bootstrap/');
    assert.deepEqual([bootstrap.status, bootstrap.type], [400, 'bad_domain_for_stytch_sdk']);
    await refusal(sdk(page, 'session.authenticate'), 400, 'bad_domain_for_stytch_sdk');
  });
});
