// Sessions, tokens and local JWT verification through the official Node client.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import stytch from 'stytch';

import { Authenticator } from '../lib/authenticator.mjs';
import { answered, client, complete, idOf, refused, signIn, userWithPasskey } from '../lib/sdk.mjs';
import { Server } from '../lib/server.mjs';

const later = (minutes) => new Date(Date.now() + minutes * 60_000);
const claimsOf = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url').toString());
const headerOf = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[0], 'base64url').toString());

describe('sessions', () => {
  let server, api, person;
  before(async () => {
    server = await Server.start();
    api = client(server);
    person = await userWithPasskey(api, { minutes: 60 });
  });
  after(() => server?.stop());

  test('a login without a duration starts no session', async () => {
    const { session, session_token, session_jwt } = await userWithPasskey(api);
    assert.deepEqual({ session: session ?? null, session_token, session_jwt },
      { session: null, session_token: '', session_jwt: '' });
  });

  test('a login with a duration answers with token, JWT and session', () => {
    assert.match(person.session_token, /^[\w-]{44}$/);
    const session = complete('session', person.session);
    assert.match(session.session_id, idOf('session'));
    assert.equal(session.user_id, person.user_id);
    assert.equal(Date.parse(session.expires_at) - Date.parse(session.started_at), 60 * 60_000);
    const [factor] = session.authentication_factors;
    assert.equal(session.authentication_factors.length, 1);
    assert.deepEqual([factor.type, factor.delivery_method], ['webauthn', 'webauthn_registration']);
    assert.deepEqual(
      [factor.webauthn_factor.webauthn_registration_id, factor.webauthn_factor.domain],
      [person.webauthn_registration_id, 'localhost'],
    );
  });

  test('the token and the JWT each authenticate, and echo the same token', async () => {
    const { session_token, session_jwt } = person;
    for (const by of [{ session_token }, { session_jwt }]) {
      const got = answered(await api.sessions.authenticate(by));
      assert.equal(got.session_token, session_token);
      assert.equal(got.session.session_id, person.session.session_id);
      assert.equal(got.session.expires_at, person.session.expires_at, 'no duration, no new expiry');
      assert.equal(complete('user', got.user).user_id, person.user_id);
      complete('session', got.session);
    }
  });

  test('a duration moves the expiry to that many minutes from now, both ways', async () => {
    const { session_token } = await userWithPasskey(api, { minutes: 60 });
    for (const session_duration_minutes of [120, 5]) {
      const { session } = await api.sessions.authenticate({ session_token, session_duration_minutes });
      const off = Date.parse(session.expires_at) - later(session_duration_minutes);
      assert.ok(Math.abs(off) < 30_000, `off by ${off} ms`);
    }
    for (const session_duration_minutes of [4, 527041, 0]) {
      await refused(api.sessions.authenticate({ session_token, session_duration_minutes }), 400,
        'invalid_session_duration_minutes');
    }
  });

  test('exactly one way to name a session', async () => {
    const { session_token, session_jwt, session: { session_id } } = person;
    await refused(api.sessions.authenticate({}), 400, 'no_session_arguments');
    await refused(api.sessions.authenticate({ session_token, session_jwt }), 400, 'too_many_session_arguments');
    await refused(api.sessions.revoke({}), 400, 'no_session_revoke_arguments');
    await refused(api.sessions.revoke({ session_id, session_token }), 400, 'too_many_session_revoke_arguments');
  });

  test('a wrong token is told apart from a malformed one', async () => {
    const { session_token, session_jwt } = person;
    const flipped = (session_token[0] === 'A' ? 'B' : 'A') + session_token.slice(1);
    await refused(api.sessions.authenticate({ session_token: flipped }), 404, 'session_not_found');
    await refused(api.sessions.authenticate({ session_token: session_token.slice(1) }), 400, 'invalid_session_token');
    const [head, body, signature] = session_jwt.split('.');
    const forged = [head, body, signature.split('').reverse().join('')].join('.');
    await refused(api.sessions.authenticate({ session_jwt: forged }), 400, 'unable_to_parse_session_jwt');
    await refused(api.sessions.authenticate({ session_jwt: 'x.y.z' }), 400, 'unable_to_parse_session_jwt');
  });

  test('custom claims merge, null deletes, registered names are left alone', async () => {
    const { session_token } = await userWithPasskey(api, { minutes: 60 });
    const claim = (session_custom_claims) => api.sessions.authenticate({ session_token, session_custom_claims });
    await claim({ role: 'editor', org: { id: 7 }, sub: 'someone-else' });
    const { session, session_jwt } = await claim({ role: null, seat: 'B12' });
    assert.deepEqual(session.custom_claims, { org: { id: 7 }, seat: 'B12' });
    const claims = claimsOf(session_jwt);
    assert.deepEqual([claims.seat, claims.org, claims.role], ['B12', { id: 7 }, undefined]);
    assert.equal(claims.sub, session.user_id);
    const local = await api.sessions.authenticateJwtLocal({ session_jwt });
    assert.deepEqual(local.custom_claims, { org: { id: 7 }, seat: 'B12' });
    await refused(claim({ big: 'x'.repeat(4096) }), 400, 'custom_claims_too_large');
  });

  test('an authorization check that no role grants is refused, and leaves the session as it is', async () => {
    const { session_token } = await userWithPasskey(api, { minutes: 60 });
    const authorization_check = { resource_id: 'documents', action: 'delete' };
    await refused(api.sessions.authenticate({ session_token, authorization_check }), 403,
      'consumer_session_authorization_error');
    assert.deepEqual((await api.sessions.authenticate({ session_token })).session.roles, ['stytch_user']);
  });

  test('get lists what is alive, without tokens', async () => {
    const other = await userWithPasskey(api, { minutes: 60 });
    const again = await signIn(api, other.device);
    const { sessions } = answered(await api.sessions.get({ user_id: other.user_id }));
    assert.deepEqual(
      sessions.map((s) => complete('session', s).session_id).sort(),
      [other.session.session_id, again.session.session_id].sort(),
    );
    for (const secret of [other.session_token, again.session_token]) {
      assert.ok(!JSON.stringify(sessions).includes(secret));
    }
  });

  test('revoke ends it at once, by id, token or JWT', async () => {
    for (const by of ['session_id', 'session_token', 'session_jwt']) {
      const { session, session_token, session_jwt } = await userWithPasskey(api, { minutes: 60 });
      const named = { session_id: session.session_id, session_token, session_jwt };
      answered(await api.sessions.revoke({ [by]: named[by] }));
      await refused(api.sessions.authenticate({ session_token }), 404, 'session_not_found');
      await refused(api.sessions.authenticate({ session_jwt }), 404, 'session_not_found');
      await refused(api.sessions.revoke({ session_token }), 404, 'session_not_found');
      const local = await api.sessions.authenticateJwtLocal({ session_jwt });
      assert.equal(local.session_id, session.session_id, 'a JWT stays locally valid until it expires');
    }
  });

  test('a second factor joins the session it is given, and no other user can', async () => {
    const first = await userWithPasskey(api, { minutes: 60 });
    const { session_token } = first;
    const device = new Authenticator('http://localhost:3000');
    const start = await api.webauthn.registerStart({
      user_id: first.user_id, domain: 'localhost', return_passkey_credential_options: true,
    });
    const joined = await api.webauthn.register({
      user_id: first.user_id, public_key_credential: device.create(start.public_key_credential_creation_options),
      session_token,
    });
    assert.equal(joined.session_token, session_token);
    assert.equal(joined.session.authentication_factors.length, 2);
    assert.equal(joined.session.expires_at, first.session.expires_at);

    const refreshed = await signIn(api, device, { session_token, session_duration_minutes: undefined });
    assert.equal(refreshed.session.authentication_factors.length, 2, 'the same passkey again is the same factor');

    const stranger = await userWithPasskey(api);
    await refused(signIn(api, stranger.device, { session_token }), 400, 'user_id_mismatch');
  });

  test('a deleted user has no session', async () => {
    const { user_id, session_token } = await userWithPasskey(api, { minutes: 60 });
    await api.users.delete({ user_id });
    await refused(api.sessions.authenticate({ session_token }), 404, 'session_not_found');
  });
});

describe('session JWTs', () => {
  let server, api, person;
  before(async () => {
    server = await Server.start();
    api = client(server);
    person = await userWithPasskey(api, { minutes: 60 });
  });
  after(() => server?.stop());

  test('carry the claims that SDKs read, for five minutes', () => {
    const claims = claimsOf(person.session_jwt);
    assert.deepEqual([claims.aud, claims.sub, claims.exp - claims.iat], [[server.project_id], person.user_id, 300]);
    assert.equal(claims.iss, server.base_url);
    const session = claims['https://stytch.com/session'];
    assert.equal(session.id, person.session.session_id);
    assert.deepEqual(session.authentication_factors, person.session.authentication_factors);
    assert.equal(headerOf(person.session_jwt).typ, 'JWT');
    assert.match(headerOf(person.session_jwt).kid, idOf('jwk'));
  });

  test('getJWKS publishes the key that signed, and nothing private', async () => {
    const { keys } = answered(await api.sessions.getJWKS({ project_id: server.project_id }));
    const { kid, alg } = headerOf(person.session_jwt);
    const key = keys.find((k) => k.kid === kid);
    assert.deepEqual([key.kty, key.use, key.alg, alg], ['RSA', 'sig', 'RS256', 'RS256']);
    for (const part of ['d', 'p', 'q', 'dp', 'dq', 'qi']) assert.ok(!(part in key), `private part ${part}`);
  });

  test('authenticateJwtLocal needs no call once the keys are known', async () => {
    const session = await api.sessions.authenticateJwtLocal({ session_jwt: person.session_jwt });
    assert.equal(session.session_id, person.session.session_id);
    assert.equal(session.user_id, person.user_id);
    assert.equal(Date.parse(session.expires_at), Date.parse(person.session.expires_at));
    assert.deepEqual(session.roles, person.session.roles);
  });

  test('authenticateJwtLocal refuses old, expired, foreign and forged tokens', async () => {
    const { session_jwt } = person;
    const invalid = (call, code) =>
      assert.rejects(call, (err) => err instanceof stytch.ClientError && err.code === code || assert.fail(String(err)));
    await invalid(api.sessions.authenticateJwtLocal({ session_jwt, max_token_age_seconds: 0 }), 'jwt_too_old');
    await invalid(api.sessions.authenticateJwtLocal({ session_jwt, current_date: later(6) }), 'jwt_invalid');
    const [head, , signature] = session_jwt.split('.');
    const claims = { ...claimsOf(session_jwt), sub: 'user-test-00000000-0000-4000-8000-000000000000' };
    const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
    await invalid(api.sessions.authenticateJwtLocal({ session_jwt: `${head}.${body}.${signature}` }), 'jwt_invalid');
  });

  test('authenticateJwt verifies locally, and asks the server when told to or when it must', async () => {
    const { session_jwt } = person;
    const local = await api.sessions.authenticateJwt({ session_jwt });
    assert.deepEqual(Object.keys(local).sort(), ['session', 'session_jwt'], 'local verification knows no user');
    const remote = answered(await api.sessions.authenticateJwt({ session_jwt, max_token_age_seconds: 0 }));
    assert.equal(remote.user.user_id, person.user_id);
    const refreshed = answered(await api.sessions.authenticateJwt({ session_jwt, current_date: later(6) }));
    assert.equal(refreshed.session.session_id, person.session.session_id);
  });

  test('survive a restart of the server: keys, sessions and credentials are found again', async () => {
    const { session_token, session_jwt } = person;
    const old = { project_id: server.project_id, secret: server.secret, public_token: server.public_token };
    await server.restart();
    const { project_id, secret, public_token } = server;
    assert.deepEqual({ project_id, secret, public_token }, old);
    api = client(server);
    const got = await api.sessions.authenticate({ session_token });
    assert.equal(got.session.session_id, person.session.session_id);
    assert.equal((await api.sessions.authenticate({ session_jwt })).session_token, session_token);
    await api.sessions.authenticateJwtLocal({ session_jwt: got.session_jwt });
  });
});
