// The project, its credentials and the shape of refusals, through the official Node client.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { answered, client, idOf, newEmail, refused } from '../lib/sdk.mjs';
import { Server } from '../lib/server.mjs';

describe('project', () => {
  let server, api;
  before(async () => {
    server = await Server.start();
    api = client(server);
  });
  after(() => server?.stop());

  test('dev.json tells everything a tool needs', () => {
    assert.match(server.base_url, /^http:\/\/localhost:\d+$/, 'passkeys refuse IP addresses');
    assert.match(server.project_id, idOf('project'));
    assert.match(server.public_token, idOf('public-token'));
    assert.equal(server.environment, 'test');
    assert.ok(server.secret.length >= 32);
  });

  test('whoami names the project', async () => {
    const me = answered(await api.debug.whoami({}));
    assert.equal(me.project_id, server.project_id);
    assert.equal(typeof me.name, 'string');
  });

  test('metrics count users', async () => {
    const count = async () => {
      const { project_id, metrics } = answered(await api.project.metrics());
      assert.equal(project_id, server.project_id);
      return metrics.find((m) => m.metric_type === 'USER_COUNT').count;
    };
    const before = await count();
    await api.users.create({ email: newEmail() });
    assert.equal(await count(), before + 1);
  });

  test('wrong credentials are refused, whichever half is wrong', async () => {
    const wrongSecret = client(server, { secret: server.secret.slice(0, -1) + (server.secret.endsWith('A') ? 'B' : 'A') });
    await refused(wrongSecret.debug.whoami({}), 401, 'unauthorized_credentials');
    const project_id = 'project-test-00000000-0000-4000-8000-000000000000';
    await refused(client(server, { project_id }).debug.whoami({}), 401, 'unauthorized_credentials');
  });

  test('the JSON envelope answers unknown paths, wrong methods and broken bodies too', async () => {
    const cases = [
      ['GET', '/v1/nothing/here', undefined, 404, 'route_not_found'],
      ['PATCH', '/v1/users', {}, 405, 'method_not_allowed'],
      ['POST', '/v1/users', ['not an object'], 400, 'bad_request'],
      ['POST', '/v1/users', { email: 7 }, 400, 'bad_request'],
      ['POST', '/v1/webauthn/register/start', {}, 400, 'bad_request'],
    ];
    for (const [method, path, body, status, type] of cases) {
      const got = await server.call(method, path, body);
      assert.deepEqual([got.status, got.body.status_code, got.body.error_type], [status, status, type], `${method} ${path}`);
      assert.match(got.body.request_id, idOf('request-id'));
      assert.match(got.headers.get('content-type'), /^application\/json/);
    }
  });

  test('a message names the field that is wrong or missing', async () => {
    const wrong = await server.call('POST', '/v1/users', { email: 7 });
    assert.match(wrong.body.error_message, /\bemail\b/);
    const missing = await server.call('POST', '/v1/webauthn/register/start', { domain: 'localhost' });
    assert.match(missing.body.error_message, /\buser_id\b/);
  });

  test('fields that nobody knows are ignored', async () => {
    const got = await server.call('POST', '/v1/users', { email: newEmail(), shoe_size: 44 });
    assert.equal(got.status, 200);
  });

  test('the keys are public, everything else is not', async () => {
    const open = await fetch(`${server.base_url}/v1/sessions/jwks/${server.project_id}`);
    assert.equal(open.status, 200);
    const closed = await fetch(`${server.base_url}/v1/debug/whoami`);
    const { error_type } = await closed.json();
    assert.ok(closed.status === 400 || closed.status === 401, `${closed.status} ${error_type}`);
  });

  test('nothing secret is printed', async () => {
    const email = newEmail();
    await api.users.create({ email });
    await refused(api.sessions.authenticate({ session_token: 'canary-canary-canary-canary-canary-canary-1234' }), 400,
      'invalid_session_token');
    assert.ok(!server.output.includes('canary-canary'), 'no token in the log');
    assert.ok(!server.output.includes(email), 'no address in the log');
  });
});
