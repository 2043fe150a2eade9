// Tokens of an issuer that is trusted, and sessions of another product, through the official Node client.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Issuer } from '../lib/issuer.mjs';
import { command } from '../lib/program.mjs';
import { answered, client, complete, idOf, newEmail, refused } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

const audience = 'https://app.example.com';

describe('trusted auth tokens', () => {
  let server, issuer, api, profile_id;
  before(async () => {
    [server, issuer] = await Promise.all([Server.start(), Issuer.start()]);
    api = client(server);
    ({ profile_id } = JSON.parse(await command([
      'trusted-token-profile', 'create', 'test', '--name', 'Elsewhere', '--issuer', issuer.url, '--audience', audience,
      '--jwks-url', `${issuer.url}/jwks`, '--map', 'email=email', '--map', 'token_id=jti', '--map', 'external_user_id=sub', '--jit-provision',
      '--json', '--data', server.data,
    ])));
  });
  after(async () => {
    await issuer?.stop();
    await server?.stop();
  });

  test('a token makes a user and signs them in, once', async () => {
    assert.match(profile_id, idOf('trusted-token-profile'));
    const token = issuer.token(audience, { email: newEmail(), sub: 'person-1', jti: 'token-1' });
    const login = complete('login', answered(await api.sessions.attest({ profile_id, token, session_duration_minutes: 60 })));
    complete('user', login.user);
    assert.deepEqual([login.user.external_id, login.user.emails[0].verified], ['person-1', true]);
    const [factor] = complete('session', login.session).authentication_factors;
    assert.deepEqual([factor.type, factor.delivery_method, factor.trusted_auth_token_factor],
      ['trusted_auth_token', 'trusted_token_exchange', { token_id: 'token-1' }]);
    const local = await api.sessions.authenticateJwtLocal({ session_jwt: login.session_jwt });
    assert.equal(local.authentication_factors[0].type, 'trusted_auth_token');
    await refused(api.sessions.attest({ profile_id, token }), 400, 'invalid_trusted_auth_token');
  });

  test('a token joins a session of the same user alone', async () => {
    const [email, sub] = [newEmail(), 'person-2'];
    const first = answered(await api.sessions.attest({ profile_id, token: issuer.token(audience, { email, sub }), session_duration_minutes: 60 }));
    const { session_token } = first;
    const again = answered(await api.sessions.attest({ profile_id, token: issuer.token(audience, { email, sub }), session_token }));
    assert.equal(again.session.session_id, first.session.session_id);
    const other = issuer.token(audience, { email: newEmail(), sub: 'person-3' });
    await refused(api.sessions.attest({ profile_id, token: other, session_token }), 400, 'user_id_mismatch');
  });

  test('what a profile does not say is refused', async () => {
    const good = { email: newEmail(), sub: 'person-4' };
    const attest = (aud, claims, profile = profile_id) => api.sessions.attest({ profile_id: profile, token: issuer.token(aud, { ...good, ...claims }) });
    await refused(attest('another'), 400, 'jwt_invalid_audience');
    await refused(attest(audience, { iss: 'another' }), 400, 'jwt_invalid_issuer');
    await refused(attest(audience, { email_verified: false }), 400, 'jwt_invalid_claims');
    await refused(attest(audience, { sub: ['a', 'b'] }), 400, 'trusted_token_profile_cannot_have_multiple_external_ids');
    await refused(attest(audience, { sub: 'person-1' }), 400, 'trusted_token_profile_incorrect_external_id_mapping');
    await refused(attest(audience, { exp: 1 }), 400, 'invalid_trusted_auth_token');
    await refused(attest(audience, {}, profile_id.replace(/.$/, (c) => (c === '0' ? '1' : '0'))), 404, 'trusted_token_profile_not_found');
  });
});

describe('sessions of another product', () => {
  let server, issuer, api;
  before(async () => {
    [server, issuer] = await Promise.all([Server.start(), Issuer.start()]);
    api = client(server);
  });
  after(async () => {
    await issuer?.stop();
    await server?.stop();
  });

  test('become sessions here', async () => {
    const email = newEmail();
    issuer.people = { 'old-token': { sub: 'auth0|1', email, email_verified: true }, stranger: { email: newEmail(), email_verified: true } };
    await refused(api.sessions.migrate({ session_token: 'old-token' }), 400, 'migrate_from_external_missing_userinfo');
    await server.set(`session_migration.userinfo_url=${issuer.url}/userinfo`);
    const { user_id } = answered(await api.users.create({ email }));
    const login = await eventually(() => api.sessions.migrate({ session_token: 'old-token', session_duration_minutes: 60 }));
    assert.equal(complete('login', answered(login)).user_id, user_id);
    const [factor] = complete('session', login.session).authentication_factors;
    assert.deepEqual([factor.type, factor.delivery_method], ['imported', 'imported_auth0']);
    answered(await api.sessions.authenticate({ session_token: login.session_token }));
    await refused(api.sessions.migrate({ session_token: 'unknown' }), 400, 'migrate_from_external_unexpected_response');
    await refused(api.sessions.migrate({ session_token: 'stranger' }), 404, 'migrate_from_external_email_does_not_exist');
    assert.ok(!server.output.includes('old-token'), 'the token is in the log');
  });
});
