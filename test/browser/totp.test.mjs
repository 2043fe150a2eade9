// Authenticator apps with the unmodified browser SDK, on a customer's page: somebody signs in with a code by e-mail, adds
// an app by its QR code, and comes back with both, or with a recovery code.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { AuthenticatorApp } from '../lib/authenticator-app.mjs';
import { launch, newPerson } from '../lib/browser.mjs';
import { openWithSDK, sdk, serveCustomerPage } from '../lib/customer-page.mjs';
import { mailbox } from '../lib/mailbox.mjs';
import { client, complete, idOf, newEmail } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

const hour = { session_duration_minutes: 60 };
const patience = 20_000; // ms

describe('authenticator apps in a browser', () => {
  let server, api, mail, site, browser, person, page, calls;
  before(async () => {
    [server, site, browser] = await Promise.all([Server.start(), serveCustomerPage(), launch()]);
    api = client(server);
    mail = mailbox(server);
  });
  after(async () => {
    await Promise.all([browser?.close(), site?.close()]);
    await server?.stop();
  });
  beforeEach(async () => {
    person = await newPerson(browser);
    page = person.page;
    calls = await openWithSDK(page, site.origin, server);
  });
  afterEach(async () => {
    assert.deepEqual(person.problems, [], 'errors on the page');
    await person.context.close();
  });

  // Signs in with a code by e-mail. An address gets one code a second.
  async function signIn(email) {
    const codes = async () => (await mail.all(email)).filter((m) => m.type.startsWith('ONE_TIME_PASSCODE'));
    const [than] = await codes();
    const { method_id } = await eventually(() => sdk(page, 'otps.email.loginOrCreate', email, {}), patience);
    const { code } = await eventually(async () => {
      const [last] = await codes();
      assert.ok(last && last.message_id !== than?.message_id, `no code to ${email}`);
      return last;
    }, patience);
    return sdk(page, 'otps.authenticate', code, method_id, hour);
  }

  // Adds an app: the page shows the image, and the phone reads it there.
  async function enrol() {
    const made = await sdk(page, 'totps.create', { expiration_minutes: 60 });
    await page.evaluate(async (address) => {
      const image = document.body.appendChild(new Image());
      image.src = address;
      await image.decode();
    }, made.qr_code);
    const shown = await page.locator('img').last().evaluate((image) => [image.naturalWidth, image.naturalHeight, image.src]);
    assert.deepEqual(shown.slice(0, 2), [200, 200]);
    return { ...made, app: AuthenticatorApp.scanned(shown[2]) };
  }

  const factors = async () => (await sdk(page, 'session.getSync')).authentication_factors.map((f) => f.type);

  const refusal = (call, status_code, error_type) =>
    assert.rejects(call, (err) => {
      assert.deepEqual({ name: err.name, status_code: err.status_code, error_type: err.error_type }, { name: 'StytchAPIError', status_code, error_type }, err.message);
      return true;
    });

  test('somebody adds an app, and comes back with it', async () => {
    const email = newEmail();
    const { user_id } = await signIn(email);
    const { app, totp_id, secret, recovery_codes, ...made } = await enrol();
    assert.match(totp_id, idOf('totp'));
    assert.deepEqual([made.user_id, app.secret, app.label, recovery_codes.length], [user_id, secret, `${app.issuer}:${email}`, 10]);
    assert.deepEqual((await sdk(page, 'user.getSync')).totps, [{ totp_id, verified: false }], 'the SDK took the new user over');
    assert.equal((await calls.settled('/sdk/v1/totps')).body.data.__user.user_id, user_id);

    await refusal(sdk(page, 'totps.authenticate', { totp_code: app.wrong(), ...hour }), 401, 'unable_to_authenticate_totp');
    const proven = complete('login', await sdk(page, 'totps.authenticate', { totp_code: await app.code(), ...hour }));
    assert.deepEqual([proven.user_id, proven.totp_id], [user_id, totp_id]);
    assert.deepEqual(await factors(), ['otp', 'totp']);
    assert.deepEqual((await sdk(page, 'user.getSync')).totps, [{ totp_id, verified: true }]);
    assert.equal((await mail.latest(email, { type: 'NOTICE_FACTOR_ADDED' })).type, 'NOTICE_FACTOR_ADDED');
    const listed = await sdk(page, 'totps.recoveryCodes');
    assert.deepEqual([listed.user_id, listed.totps], [user_id, [{ totp_id, verified: true, recovery_codes }]]);

    await sdk(page, 'session.revoke');
    await signIn(email);
    await refusal(sdk(page, 'totps.recoveryCodes'), 401, 'insufficient_factors');
    await sdk(page, 'totps.authenticate', { totp_code: await app.code(), ...hour });
    assert.deepEqual(await factors(), ['otp', 'totp']);
    await sdk(page, 'totps.recoveryCodes');
    await refusal(sdk(page, 'totps.create', { expiration_minutes: 60 }), 400, 'active_totp_exists');
    await sdk(page, 'user.deleteTOTP', totp_id);
    assert.deepEqual((await sdk(page, 'user.getSync')).totps, []);
    await sdk(page, 'session.authenticate', {});
    assert.deepEqual(await factors(), ['otp']);
  });

  test('somebody without their phone comes in with a recovery code, and is told', async () => {
    const email = newEmail();
    const { user_id } = await signIn(email);
    const { app, totp_id, recovery_codes } = await enrol();
    await refusal(sdk(page, 'totps.recover', { recovery_code: recovery_codes[0], ...hour }), 400, 'no_active_recovery_code_backed_factor');
    await sdk(page, 'totps.authenticate', { totp_code: await app.code(), ...hour });
    await sdk(page, 'session.revoke');
    await signIn(email);
    await refusal(sdk(page, 'totps.authenticate', { totp_code: recovery_codes[0], ...hour }), 400, 'recovery_code_used_as_totp_code');
    await refusal(sdk(page, 'totps.recover', { recovery_code: app.wrong(), ...hour }), 400, 'totp_code_used_as_recovery_code');
    const login = complete('login', await sdk(page, 'totps.recover', { recovery_code: recovery_codes[0].toUpperCase(), ...hour }));
    assert.deepEqual([login.user_id, login.totp_id], [user_id, totp_id]);
    assert.deepEqual(await factors(), ['otp', 'recovery_codes']);
    const notice = await mail.latest(email, { type: 'NOTICE_RECOVERY_CODE' });
    assert.match(notice.text, /Recovery codes left: 9/);
    await refusal(sdk(page, 'totps.recover', { recovery_code: recovery_codes[0], ...hour }), 401, 'unable_to_authenticate_recovery_code');
    // It lets people in, but not change what the account can be entered with: the backend does that for them.
    await refusal(sdk(page, 'user.deleteTOTP', totp_id), 401, 'weak_factor_combination');
    await api.users.deleteTOTP({ totp_id });
    await enrol();
  });

  test('nothing works for nobody, or when it is switched off', async () => {
    await refusal(sdk(page, 'totps.create', { expiration_minutes: 60 }), 401, 'user_unauthenticated');
    await refusal(sdk(page, 'totps.authenticate', { totp_code: '123456', ...hour }), 401, 'user_unauthenticated');
    await refusal(sdk(page, 'totps.recover', { recovery_code: 'a1b2-c3d4-e5f6', ...hour }), 401, 'user_unauthenticated');
    await refusal(sdk(page, 'totps.recoveryCodes'), 401, 'user_unauthenticated');
    await signIn(newEmail());
    await server.configure('totps.create_totps=false');
    await eventually(() => refusal(sdk(page, 'totps.create', { expiration_minutes: 60 }), 401, 'endpoint_not_authorized_for_sdk'), patience);
    await refusal(sdk(page, 'totps.authenticate', { totp_code: '12345', ...hour }), 400, 'invalid_totp_code'); // this door is open
    await server.configure('totps.create_totps=true');
    await eventually(() => sdk(page, 'totps.create', { expiration_minutes: 60 }), patience);
  });
});
