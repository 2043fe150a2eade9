// Machine-to-machine clients through the official Node client, and tokens through a library for OAuth.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import * as oauth from 'oauth4webapi';

import { answered, client, idOf, refused } from '../lib/sdk.mjs';
import { Server, eventually } from '../lib/server.mjs';

describe('machine-to-machine clients', () => {
  let server, api;
  before(async () => {
    server = await Server.start();
    api = client(server);
  });
  after(() => server?.stop());

  const create = async (fields) => answered(await api.m2m.clients.create({ scopes: ['read:users', 'write:users'], ...fields })).m2m_client;

  test('create shows the secret once, and get, update and delete never', async () => {
    const made = await create({ client_name: 'Billing', client_description: 'Sends invoices', trusted_metadata: { tier: 'gold' } });
    assert.match(made.client_id, idOf('m2m-client'));
    assert.match(made.client_secret, /^[\w-]{44}$/);
    const { client_secret, ...shown } = made;
    assert.deepEqual(shown, {
      client_id: made.client_id, client_name: 'Billing', client_description: 'Sends invoices', status: 'active', scopes: ['read:users', 'write:users'],
      client_secret_last_four: client_secret.slice(-4), trusted_metadata: { tier: 'gold' }, next_client_secret_last_four: null,
    });
    assert.deepEqual(answered(await api.m2m.clients.get({ client_id: made.client_id })).m2m_client, shown);
    const changed = answered(await api.m2m.clients.update({ client_id: made.client_id, client_name: 'Invoices', scopes: ['read:users'], status: 'inactive', trusted_metadata: { tier: null, team: 1 } }));
    assert.deepEqual(changed.m2m_client, { ...shown, client_name: 'Invoices', scopes: ['read:users'], status: 'inactive', trusted_metadata: { team: 1 } });
    assert.equal(answered(await api.m2m.clients.delete({ client_id: made.client_id })).client_id, made.client_id);
    await refused(api.m2m.clients.get({ client_id: made.client_id }), 404, 'm2m_client_not_found');
  });

  test('an id and a secret can be brought along, unless anybody could guess it', async () => {
    const made = await create({ client_id: 'auth0|abc', client_secret: 'kX9!vQ2z' });
    assert.deepEqual([made.client_id, made.client_secret, made.client_secret_last_four], ['auth0|abc', 'kX9!vQ2z', 'vQ2z']);
    assert.equal(answered(await api.m2m.clients.get({ client_id: 'auth0|abc' })).m2m_client.client_id, 'auth0|abc');
    await refused(api.m2m.clients.create({ scopes: [], client_id: 'auth0|abc' }), 400, 'duplicate_m2m_client_id');
    await refused(api.m2m.clients.create({ scopes: [], client_secret: 'password' }), 400, 'insecure_m2m_client_secret');
    await refused(api.m2m.clients.create({ scopes: [], client_secret: 'x'.repeat(300) }), 400, 'client_secret_too_long');
  });

  test('search finds by id, name and scopes, page by page', async () => {
    for (const n of [1, 2, 3]) await create({ client_id: `search-${n}`, client_name: `Search ${n}`, scopes: ['search:all'] });
    const query = { operator: 'AND', operands: [{ filter_name: 'scopes', filter_value: ['search:all'] }] };
    const first = answered(await api.m2m.clients.search({ limit: 2, query }));
    assert.deepEqual(first.m2m_clients.map((c) => c.client_id), ['search-1', 'search-2']);
    assert.equal(first.results_metadata.total, 3);
    const rest = answered(await api.m2m.clients.search({ limit: 2, query, cursor: first.results_metadata.next_cursor }));
    assert.deepEqual([rest.m2m_clients.map((c) => c.client_id), rest.results_metadata.next_cursor ?? null], [['search-3'], null]);
    const either = { operator: 'OR', operands: [{ filter_name: 'client_id', filter_value: ['search-1'] }, { filter_name: 'client_name', filter_value: ['Search 3'] }] };
    assert.deepEqual(answered(await api.m2m.clients.search({ query: either })).m2m_clients.map((c) => c.client_id), ['search-1', 'search-3']);
    await refused(api.m2m.clients.search({ query: { operator: 'AND', operands: [{ filter_name: 'color', filter_value: [] }] } }), 400, 'm2m_search_filter_name_not_recognized');
  });

  test('a secret is changed in two steps, and until the second one both are good', async () => {
    const { client_id, client_secret } = await create();
    const works = async (secret) => {
      try { return !!(await api.m2m.token({ client_id, client_secret: secret })).access_token; } catch (e) { assert.equal(e.status_code, 401); return false; }
    };
    const started = answered(await api.m2m.clients.secrets.rotateStart({ client_id })).m2m_client;
    const next = started.next_client_secret;
    assert.equal(started.next_client_secret_last_four, next.slice(-4));
    assert.deepEqual([await works(client_secret), await works(next)], [true, true]);
    await refused(api.m2m.clients.secrets.rotateStart({ client_id }), 400, 'm2m_client_already_rotating_secret');
    assert.equal(answered(await api.m2m.clients.secrets.rotateCancel({ client_id })).m2m_client.next_client_secret_last_four, null);
    assert.deepEqual([await works(client_secret), await works(next)], [true, false]);
    const last = answered(await api.m2m.clients.secrets.rotateStart({ client_id })).m2m_client.next_client_secret;
    assert.equal(answered(await api.m2m.clients.secrets.rotate({ client_id })).m2m_client.client_secret_last_four, last.slice(-4));
    assert.deepEqual([await works(client_secret), await works(last)], [false, true]);
    await refused(api.m2m.clients.secrets.rotate({ client_id }), 400, 'm2m_client_not_rotating_secret');
  });

  test('tokens are verified by the client itself, with scopes and an age', async () => {
    const { client_id, client_secret } = await create({ scopes: ['read:users', 'write:*', '*'] });
    const all = answered(await api.m2m.token({ client_id, client_secret }));
    assert.deepEqual([all.token_type, all.expires_in], ['bearer', 3600]);
    const check = (token, more) => api.m2m.authenticateToken({ access_token: token, ...more });
    const seen = await check(all.access_token, { required_scopes: ['read:users', 'write:books'], max_token_age_seconds: 60 });
    assert.deepEqual([seen.client_id, seen.scopes], [client_id, ['read:users', 'write:*', '*']]);
    await assert.rejects(check(all.access_token, { required_scopes: ['delete:users'] }), { code: 'missing_scopes' });
    const some = answered(await api.m2m.token({ client_id, client_secret, scopes: ['read:users'] }));
    assert.deepEqual((await check(some.access_token)).scopes, ['read:users']);
    await assert.rejects(check(some.access_token, { required_scopes: ['write:books'] }), { code: 'missing_scopes' });
    await eventually(() => assert.rejects(check(some.access_token, { max_token_age_seconds: 1 })));
    await assert.rejects(api.sessions.authenticateJwt({ session_jwt: all.access_token }));
    await assert.rejects(api.sessions.authenticate({ session_jwt: all.access_token }), { error_type: 'unable_to_parse_session_jwt' });
  });

  test('refusals of the token endpoint have the form of OAuth', async () => {
    const { client_id, client_secret } = await create();
    const ask = (fields) => api.m2m.token({ client_id, client_secret, ...fields });
    await refused(ask({ client_secret: 'wrong' }), 401, 'invalid_client');
    await refused(ask({ client_id: 'nobody' }), 401, 'invalid_client');
    await refused(ask({ scopes: ['delete:users'] }), 400, 'invalid_scope');
  });

  test('a library for OAuth gets tokens, with either style of credentials', async () => {
    const { client_id, client_secret } = await create({ client_id: 'p:q@r', client_secret: 'a%+&=:kX9!vQ2z' });
    const as = { issuer: server.base_url, token_endpoint: `${server.base_url}/v1/public/${server.project_id}/oauth2/token` };
    const insecure = { [oauth.allowInsecureRequests]: true };
    const ask = (auth, scope) => oauth.clientCredentialsGrantRequest(as, { client_id }, auth, scope ? { scope } : {}, insecure);
    for (const auth of [oauth.ClientSecretPost(client_secret), oauth.ClientSecretBasic(client_secret)]) {
      const got = await oauth.processClientCredentialsResponse(as, { client_id }, await ask(auth, 'read:users'));
      assert.deepEqual([got.token_type, got.expires_in, got.scope], ['bearer', 3600, 'read:users']);
    }
    await assert.rejects(async () => oauth.processClientCredentialsResponse(as, { client_id }, await ask(oauth.ClientSecretPost('wrong'))), { error: 'invalid_client' });
    await assert.rejects(async () => oauth.processClientCredentialsResponse(as, { client_id }, await ask(oauth.ClientSecretBasic('wrong'))), { name: 'WWWAuthenticateChallengeError' });
  });
});
