// A mobile app as the official SDKs for phones behave on the wire, which need an emulator to run: no origin, a bundle id
// in X-SDK-Client, an Ed25519 key behind the phone's sensor.
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';

// A refusal, as the SDKs read it: they fail on one that lacks any of these fields.
export class Refusal extends Error {
  constructor(status, body) {
    for (const field of ['status_code', 'request_id', 'error_message', 'error_type', 'error_url']) {
      assert.ok(body[field], `a refusal has ${field}: ${JSON.stringify(body)}`);
    }
    assert.equal(body.status_code, status);
    super(`${body.error_type}: ${body.error_message}`);
    Object.assign(this, { status, type: body.error_type });
  }
}

// The call must be refused with this status and error_type.
export function refusedBy(call, status, type) {
  return assert.rejects(call, (e) => {
    assert.ok(e instanceof Refusal, String(e.stack));
    assert.deepEqual([e.status, e.type], [status, type], e.message);
    return true;
  });
}

// One installation of an app. Its storage is what a phone would keep.
export class App {
  session_token = null;
  #server;
  #key = null;

  constructor(server, bundle = 'com.example.app') {
    this.#server = server;
    this.bundle = bundle;
  }

  // A call of the browser's door, without its envelope.
  async call(method, path, body) {
    const { base_url, public_token } = this.#server;
    const client = {
      event_id: `event-id-${randomUUID()}`, app_session_id: `app-session-id-${randomUUID()}`,
      persistent_id: `persistent-id-${randomUUID()}`, client_sent_at: new Date().toISOString(), timezone: 'UTC',
      app: { identifier: this.bundle }, sdk: { identifier: 'Stytch.kt', version: '1.0.0' },
      os: { identifier: 'Android', version: '15' }, device: { model: 'Pixel 9', screen_size: '(1080,2424)' },
    };
    const response = await fetch(base_url + '/sdk/v1' + path, {
      method,
      headers: {
        authorization: 'Basic ' + btoa(`${public_token}:${this.session_token ?? public_token}`),
        'content-type': 'application/json', 'x-sdk-client': btoa(JSON.stringify(client)),
      },
      body: body && JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Refusal(response.status, answer);
    const { data } = answer;
    assert.equal(data.status_code, 200);
    assert.match(data.request_id, /^request-id-test-/);
    if (data.session_token) this.session_token = data.session_token;
    return data;
  }

  // biometrics.register(): makes a key, has the person show a finger, and keeps the key once the server has it. One that
  // the phone has already is given up first.
  async register(session_duration_minutes = 60) {
    if (this.#key) await this.removeRegistration().catch(() => {});
    const key = newKey();
    const done = await this.#ceremony('register', key, session_duration_minutes);
    this.#key = { ...key, id: done.biometric_registration_id };
    return done;
  }

  // biometrics.authenticate(): the key comes out of the keystore, which has no public half.
  async authenticate(session_duration_minutes = 60) {
    assert.ok(this.#key, 'no_biometrics_enrolled');
    return this.#ceremony('authenticate', this.#key, session_duration_minutes);
  }

  // biometrics.removeRegistration()
  async removeRegistration() {
    const { id } = this.#key;
    this.#key = null;
    return this.call('DELETE', `/users/biometric_registrations/${id}`);
  }

  async #ceremony(name, key, session_duration_minutes) {
    const start = await this.call('POST', `/biometrics/${name}/start`, { public_key: key.public_key });
    assert.deepEqual(Object.keys(start).sort(), ['biometric_registration_id', 'challenge', 'request_id', 'status_code', 'user_id']);
    const challenge = Buffer.from(start.challenge, 'base64');
    assert.equal(challenge.length, 32);
    assert.equal(challenge.toString('base64'), start.challenge, 'standard base64 with padding');
    const done = await this.call('POST', `/biometrics/${name}`, {
      biometric_registration_id: start.biometric_registration_id, signature: key.sign(challenge), session_duration_minutes,
    });
    assert.equal(done.biometric_registration_id, start.biometric_registration_id);
    assert.equal(done.user_id, start.user_id);
    return done;
  }
}

// A key as the SDKs keep it: the private half as 32 bytes, from which the public one is derived.
export function newKey() {
  const seed = Buffer.from(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }).d, 'base64url');
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex'); // PKCS #8
  const key = createPrivateKey({ key: Buffer.concat([prefix, seed]), format: 'der', type: 'pkcs8' });
  return {
    public_key: Buffer.from(key.export({ format: 'jwk' }).x, 'base64url').toString('base64'),
    sign: (bytes) => sign(null, bytes, key).toString('base64'),
  };
}
