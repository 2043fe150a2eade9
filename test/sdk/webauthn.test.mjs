// WebAuthn and passkeys through the official Node client, with a passkey provider in software.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { Authenticator } from '../lib/authenticator.mjs';
import {
  answered, client, complete, idOf, newEmail, refused, registerPasskey, signIn, userWithPasskey,
} from '../lib/sdk.mjs';
import { Server } from '../lib/server.mjs';

const origin = 'http://localhost:3000';
const domain = 'localhost';

describe('webauthn', () => {
  let server, api;
  before(async () => {
    server = await Server.start();
    api = client(server);
  });
  after(() => server?.stop());

  const newUser = async (fields) => (await api.users.create({ email: newEmail(), ...fields })).user_id;

  test('options for a passkey ask for one that can be found again', async () => {
    const user_id = await newUser({ name: { first_name: 'Alan', last_name: 'Turing' } });
    const start = answered(await api.webauthn.registerStart({
      user_id, domain, return_passkey_credential_options: true, use_base64_url_encoding: true,
    }));
    assert.equal(start.user_id, user_id);
    const options = JSON.parse(start.public_key_credential_creation_options);
    assert.equal(options.rp.id, domain);
    assert.deepEqual(
      [options.authenticatorSelection.residentKey, options.authenticatorSelection.userVerification],
      ['required', 'preferred'],
    );
    assert.equal(Buffer.from(options.user.id, 'base64url').toString(), user_id);
    assert.match(options.challenge, /^[\w-]{43,}$/);
    assert.ok(options.pubKeyCredParams.some(({ alg, type }) => alg === -7 && type === 'public-key'));
  });

  test('plain options speak either alphabet, and overrides are taken', async () => {
    const user_id = await newUser();
    const start = (extra) => api.webauthn.registerStart({ user_id, domain, ...extra });
    const overrides = { override_id: 'handle-1', override_name: 'alan', override_display_name: 'Alan' };
    for (const [use_base64_url_encoding, encoding] of [[false, 'base64'], [true, 'base64url']]) {
      const { public_key_credential_creation_options } = await start({ use_base64_url_encoding, ...overrides });
      const { user } = JSON.parse(public_key_credential_creation_options);
      assert.equal(user.id, Buffer.from('handle-1').toString(encoding));
      assert.deepEqual([user.name, user.displayName], ['alan', 'Alan']);
    }
    const typed = await start({ authenticator_type: 'cross-platform' });
    const { authenticatorSelection } = JSON.parse(typed.public_key_credential_creation_options);
    assert.equal(authenticatorSelection.authenticatorAttachment, 'cross-platform');
    await refused(start({ authenticator_type: 'sundial' }), 400, 'invalid_authenticator_type');
    await refused(api.webauthn.registerStart({ user_id, domain: 'http://x/' }), 400, 'invalid_domain');
  });

  for (const [name, algorithm] of [['ES256', -7], ['EdDSA', -8], ['RS256', -257]]) {
    test(`register and sign in with ${name}`, async () => {
      const user_id = await newUser();
      const device = new Authenticator(origin, { algorithm: -7 });
      device.algorithm = algorithm;
      const offered = await api.webauthn.registerStart({ user_id, domain });
      const { pubKeyCredParams } = JSON.parse(offered.public_key_credential_creation_options);
      assert.ok(pubKeyCredParams.some(({ alg }) => alg === algorithm), `${name} is offered`);
      const made = answered(await registerPasskey(api, user_id, device));
      assert.match(made.webauthn_registration_id, idOf('webauthn-registration'));
      const login = complete('login', answered(await signIn(api, device)));
      assert.deepEqual([login.user_id, login.webauthn_registration_id], [user_id, made.webauthn_registration_id]);
    });
  }

  test('a registration is on the user, complete', async () => {
    const { user, webauthn_registration_id } = await userWithPasskey(api);
    const [registration] = user.webauthn_registrations;
    complete('webauthnRegistration', registration);
    assert.equal(registration.webauthn_registration_id, webauthn_registration_id);
    assert.equal(registration.domain, domain);
    assert.equal(registration.verified, true);
    assert.ok(registration.name, 'a new registration has a name');
  });

  test('usernameless sign-in finds the user, user-bound sign-in lists only theirs', async () => {
    const person = await userWithPasskey(api);
    const anonymous = await api.webauthn.authenticateStart({ domain, return_passkey_credential_options: true });
    const open = JSON.parse(anonymous.public_key_credential_request_options);
    assert.deepEqual([open.rpId, open.userVerification, open.allowCredentials ?? []], [domain, 'preferred', []]);

    const bound = await api.webauthn.authenticateStart({ domain, user_id: person.user_id });
    assert.equal(bound.user_id, person.user_id);
    const options = JSON.parse(bound.public_key_credential_request_options);
    assert.equal(options.userVerification, 'discouraged');
    assert.equal(options.allowCredentials.length, 1);
    const public_key_credential = person.device.get(bound.public_key_credential_request_options);
    const login = await api.webauthn.authenticate({ public_key_credential });
    assert.equal(login.user_id, person.user_id);
  });

  test('a device that holds a passkey is not offered to make another', async () => {
    const { user_id, device } = await userWithPasskey(api);
    await assert.rejects(registerPasskey(api, user_id, device), /InvalidStateError/);
  });

  test('a synced passkey counts no signatures and signs in again and again', async () => {
    const device = new Authenticator(origin, { synced: true });
    const { user_id } = await userWithPasskey(api, { authenticator: device });
    for (let i = 0; i < 2; i += 1) assert.equal((await signIn(api, device)).user_id, user_id);
  });

  test('update renames', async () => {
    const { user_id, webauthn_registration_id } = await userWithPasskey(api);
    const renamed = answered(await api.webauthn.update({ webauthn_registration_id, name: 'Work laptop' }));
    assert.equal(complete('webauthnRegistration', renamed.webauthn_registration).name, 'Work laptop');
    assert.equal((await api.users.get({ user_id })).webauthn_registrations[0].name, 'Work laptop');
    await refused(api.webauthn.update({ webauthn_registration_id, name: '' }), 400, 'empty_webauthn_registration_name');
    const unknown = 'webauthn-registration-test-00000000-0000-4000-8000-000000000000';
    await refused(api.webauthn.update({ webauthn_registration_id: unknown, name: 'x' }), 404,
      'webauthn_registration_not_found');
  });

  test('listCredentials shows the public keys of one user on one domain', async () => {
    const { user_id, webauthn_registration_id } = await userWithPasskey(api);
    const { credentials } = answered(await api.webauthn.listCredentials({ user_id, domain }));
    assert.equal(credentials.length, 1);
    const [credential] = credentials;
    assert.equal(credential.webauthn_registration_id, webauthn_registration_id);
    assert.equal(credential.type, 'public-key');
    for (const field of ['credential_id', 'public_key']) assert.match(credential[field], /^[\w+/=-]+$/, field);
    const elsewhere = await api.webauthn.listCredentials({ user_id, domain: 'example.com' });
    assert.deepEqual(elsewhere.credentials, []);
  });

  test('a challenge is good once, for its own ceremony', async () => {
    const { user_id, device } = await userWithPasskey(api);
    const start = await api.webauthn.authenticateStart({ domain, return_passkey_credential_options: true });
    const public_key_credential = device.get(start.public_key_credential_request_options);
    await api.webauthn.authenticate({ public_key_credential });
    await refused(api.webauthn.authenticate({ public_key_credential }), 401, 'unable_to_auth_webauthn_registration');

    const creation = await api.webauthn.registerStart({ user_id, domain });
    const { challenge } = JSON.parse(creation.public_key_credential_creation_options);
    const crossed = device.get(JSON.stringify({ challenge, rpId: domain }));
    await refused(api.webauthn.authenticate({ public_key_credential: crossed }), 401,
      'unable_to_auth_webauthn_registration');
  });

  test('what an authenticator says must be true', async () => {
    const { device } = await userWithPasskey(api);
    const tampered = async (change) => {
      const start = await api.webauthn.authenticateStart({ domain, return_passkey_credential_options: true });
      return api.webauthn.authenticate({
        public_key_credential: device.get(start.public_key_credential_request_options, { change }),
      });
    };
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const spoiled = {
      'another origin': { origin: 'https://evil.example' },
      'another ceremony': { type: 'webauthn.create' },
      'a challenge of its own': { challenge: 'A'.repeat(43) },
      'another RP ID': { rpId: 'evil.example' },
      'nobody present': { flags: 0 },
      'another key': { privateKey: stranger },
      'another user handle': { userHandle: Buffer.from('user-test-someone-else') },
    };
    for (const [name, change] of Object.entries(spoiled)) {
      await assert.rejects(tampered(change), (err) => {
        assert.ok([400, 401].includes(err.status_code), `${name}: ${err.status_code} ${err.error_type}`);
        return true;
      }, name);
    }
    await tampered({}); // and the honest one still works
  });

  test('a credential that is no credential is refused with what is wrong', async () => {
    const malformed = (public_key_credential) => api.webauthn.authenticate({ public_key_credential });
    await refused(malformed('not json'), 400, 'invalid_public_key_credential');
    const { device } = await userWithPasskey(api);
    const start = await api.webauthn.authenticateStart({ domain, return_passkey_credential_options: true });
    const good = JSON.parse(device.get(start.public_key_credential_request_options));
    const without = (...path) => {
      const copy = structuredClone(good);
      const last = path.pop();
      delete path.reduce((at, key) => at[key], copy)[last];
      return malformed(JSON.stringify(copy));
    };
    await refused(without('id'), 400, 'invalid_public_key_credential_missing_id_field');
    await refused(without('response'), 400, 'invalid_public_key_credential_missing_response_field');
    await refused(without('response', 'clientDataJSON'), 400,
      'invalid_public_key_credential_missing_client_data_json_field');
    await refused(without('response', 'authenticatorData'), 400,
      'invalid_public_key_credential_missing_authenticator_data_field');
    await refused(without('response', 'signature'), 400, 'invalid_public_key_credential_missing_signature_field');
  });

  test('a deleted passkey signs nobody in, a pending user registers none', async () => {
    const { device, webauthn_registration_id } = await userWithPasskey(api);
    await api.users.deleteWebAuthnRegistration({ webauthn_registration_id });
    await refused(signIn(api, device), 404, 'webauthn_registration_not_found');
    const pending = await newUser({ create_user_as_pending: true });
    await refused(registerPasskey(api, pending, new Authenticator(origin)), 400,
      'cannot_use_webauthn_with_pending_user');
  });
});
