// The official Node client pointed at a running server, and what every answer must look like.
import assert from 'node:assert/strict';

import stytch from 'stytch';

import { Authenticator } from './authenticator.mjs';

// The client's public way to another address: `env` takes any base URL (`custom_base_url` insists on https).
export function client(server, { project_id = server.project_id, secret = server.secret } = {}) {
  return quietly(() => new stytch.Client({ project_id, secret, env: server.base_url }));
}

// The client remarks once on every `env` that is not its vendor's.
function quietly(make) {
  const warn = console.warn;
  console.warn = () => {};
  try {
    return make();
  } finally {
    console.warn = warn;
  }
}

// The call must be refused with this status and error_type, in the envelope that the client reads.
export async function refused(call, status, type) {
  await assert.rejects(call, (err) => {
    assert.ok(err instanceof stytch.StytchError, `not an answer of the API: ${err}`);
    assert.deepEqual({ status: err.status_code, type: err.error_type }, { status, type }, err.error_message);
    assert.match(err.request_id, idOf('request-id'));
    assert.ok(err.error_message, 'an error has a message');
    assert.ok(URL.canParse(err.error_url), `error_url: ${err.error_url}`);
    return true;
  });
}

// Matches an identifier of this kind in the test environment.
export function idOf(kind) {
  return new RegExp(`^${kind}-test-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`);
}

// Fields that an object of the contract always carries: other official SDKs refuse it when one is absent or null.
const always = {
  user: {
    user_id: 'string', emails: 'array', status: 'string', phone_numbers: 'array', webauthn_registrations: 'array',
    providers: 'array', totps: 'array', crypto_wallets: 'array', biometric_registrations: 'array',
    is_locked: 'boolean', roles: 'array',
  },
  session: { session_id: 'string', user_id: 'string', authentication_factors: 'array', roles: 'array' },
  webauthnRegistration: {
    webauthn_registration_id: 'string', domain: 'string', user_agent: 'string', verified: 'boolean',
    authenticator_type: 'string', name: 'string',
  },
  login: { user_id: 'string', session_token: 'string', session_jwt: 'string', user: 'object' },
};

// Checks that value has every field that an object of this kind (a key of `always`) must have.
export function complete(kind, value) {
  for (const [field, type] of Object.entries(always[kind])) {
    const actual = Array.isArray(value[field]) ? 'array' : value[field] === null ? 'null' : typeof value[field];
    assert.equal(actual, type, `${kind}.${field}`);
  }
  return value;
}

// Checks the two fields that every success carries.
export function answered(response) {
  assert.equal(response.status_code, 200);
  assert.match(response.request_id, idOf('request-id'));
  return response;
}

let people = 0;

// An e-mail address that no other user of this run has.
export function newEmail() {
  people += 1;
  return `person-${process.pid}-${people}@example.com`;
}

// Area codes of the United States. In each of them 555-0100 to 555-0199 is kept for stories, and reaches nobody.
const areas = [202, 206, 212, 213, 305, 312, 404, 415, 503, 617, 702, 917];
let phones = 0;

// A phone number in the United States that no other user of this run has: +12025550100. They take turns with their area
// codes, since a block of numbers gets so many texts an hour.
export function newPhone() {
  const [area, line] = [areas[phones % areas.length], Math.floor(phones / areas.length)];
  phones += 1;
  assert.ok(line < 100, 'out of numbers that reach nobody');
  return `+1${area}55501${String(line).padStart(2, '0')}`;
}

// A user with one passkey, and the device that holds it. With minutes, the registration also starts a session.
export async function userWithPasskey(api, { minutes, authenticator, ...fields } = {}) {
  const email = newEmail();
  const { user_id } = await api.users.create({ email, ...fields });
  const device = authenticator ?? new Authenticator('http://localhost:3000');
  const registered = await registerPasskey(api, user_id, device, { session_duration_minutes: minutes });
  return { user_id, email, device, ...registered };
}

// Both halves of registering a passkey of `device` for a user; extra goes to the finish.
export async function registerPasskey(api, user_id, device, extra = {}) {
  const start = await api.webauthn.registerStart({
    user_id, domain: 'localhost', return_passkey_credential_options: true,
  });
  const public_key_credential = device.create(start.public_key_credential_creation_options);
  return api.webauthn.register({ user_id, public_key_credential, ...extra });
}

// Both halves of signing in with a passkey of `device`; extra goes to the finish.
export async function signIn(api, device, extra = {}) {
  const start = await api.webauthn.authenticateStart({ domain: 'localhost', return_passkey_credential_options: true });
  const public_key_credential = device.get(start.public_key_credential_request_options);
  return api.webauthn.authenticate({ public_key_credential, session_duration_minutes: 60, ...extra });
}
