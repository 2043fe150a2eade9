// Biometrics of mobile apps, on the wire as the official SDKs for phones speak it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { block } from '../lib/docs.mjs';
import { App, newKey, refusedBy } from '../lib/mobile.mjs';
import { client, complete, idOf, userWithPasskey } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

describe('biometrics', () => {
  let server, api;
  before(async () => {
    server = await Server.start();
    api = client(server);
  });
  after(() => server?.stop());

  // An app in which somebody is signed in, by a session of their backend.
  async function signedIn() {
    const person = await userWithPasskey(api, { minutes: 60 });
    const app = new App(server);
    app.session_token = person.session_token;
    return { ...person, app };
  }

  test('a phone is registered and signs in', async () => {
    const { app, user_id } = await signedIn();
    const done = await app.register();
    assert.match(done.biometric_registration_id, idOf('biometric-registration'));
    complete('login', done);
    complete('user', done.user);
    assert.deepEqual(done.user.biometric_registrations, [{ biometric_registration_id: done.biometric_registration_id, verified: true }]);
    assert.deepEqual(done.session.authentication_factors.map((f) => f.type), ['webauthn', 'signature_challenge']);

    app.session_token = null; // the app has been closed
    const again = await app.authenticate(30);
    complete('login', again);
    complete('session', again.session);
    assert.equal(again.user_id, user_id);
    const [factor, ...others] = again.session.authentication_factors;
    assert.deepEqual(others, []);
    assert.deepEqual(
      { type: factor.type, delivery_method: factor.delivery_method, biometric_factor: factor.biometric_factor },
      {
        type: 'signature_challenge', delivery_method: 'biometric',
        biometric_factor: { biometric_registration_id: done.biometric_registration_id },
      },
    );
    // The backend knows the session and its JWT.
    const asked = await api.sessions.authenticateJwt({ session_jwt: again.session_jwt });
    assert.equal(asked.session.user_id, user_id);
    const minutes = (Date.parse(again.session.expires_at) - Date.now()) / 60_000;
    assert.ok(minutes > 29 && minutes <= 30, `${minutes} minutes`);
  });

  test('a phone that registers again gives its old key up', async () => {
    const { app, user_id } = await signedIn();
    const first = await app.register();
    const second = await app.register();
    const { biometric_registrations } = await api.users.get({ user_id });
    // The session has both kinds, so the old registration could be deleted.
    assert.notEqual(second.biometric_registration_id, first.biometric_registration_id);
    assert.deepEqual(biometric_registrations.map((r) => r.biometric_registration_id), [second.biometric_registration_id]);
    await app.authenticate();
    await app.removeRegistration();
    assert.deepEqual((await api.users.get({ user_id })).biometric_registrations, []);
  });

  test('a backend that deletes the registration locks the phone out', async () => {
    const { app } = await signedIn();
    const { biometric_registration_id } = await app.register();
    await api.users.deleteBiometricRegistration({ biometric_registration_id });
    app.session_token = null;
    await refusedBy(app.authenticate(), 404, 'biometric_registration_not_found');
  });

  test('refusals are those of the contract', async () => {
    const { app } = await signedIn();
    const stranger = new App(server);
    await refusedBy(stranger.register(), 401, 'user_unauthenticated');
    const start = (public_key) => app.call('POST', '/biometrics/authenticate/start', { public_key });
    await refusedBy(start(newKey().public_key), 400, 'no_active_biometric_registrations');
    await app.register();
    await refusedBy(start(newKey().public_key), 404, 'biometric_registration_not_found');
    await refusedBy(start(''), 400, 'public_key_missing');
    await refusedBy(start(Buffer.alloc(32).toString('base64')), 400, 'invalid_public_key');
    await refusedBy(start(Buffer.alloc(31, 7).toString('base64')), 400, 'invalid_public_key');
    await refusedBy(app.register(4), 400, 'invalid_session_duration_minutes');
  });

  test('switches open the routes one by one', async () => {
    const { app } = await signedIn();
    await app.register();
    await server.configure('biometrics.create_biometrics_enabled=false');
    try {
      await eventually(() => refusedBy(app.call('POST', '/biometrics/register/start', { public_key: newKey().public_key }), 401, 'endpoint_not_authorized_for_sdk'));
      await app.authenticate();
    } finally {
      await server.configure('biometrics.create_biometrics_enabled=true');
    }
    await eventually(() => app.call('POST', '/biometrics/register/start', { public_key: newKey().public_key }));
  });

  test('the program of the documentation is a phone', async () => {
    const { session_token, user_id } = await signedIn();
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-docs-'));
    try {
      await mkdir(join(folder, '.gatehouse'));
      const { base_url, public_token } = server;
      await writeFile(join(folder, '.gatehouse', 'dev.json'), JSON.stringify({ base_url, public_token }));
      await writeFile(join(folder, 'phone.mjs'), await block('biometrics.md', '// phone.mjs'));
      const { stdout } = await promisify(execFile)(process.execPath, ['phone.mjs', session_token], { cwd: folder });
      assert.ok(stdout.includes(user_id) && stdout.includes('signature_challenge'), stdout);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
