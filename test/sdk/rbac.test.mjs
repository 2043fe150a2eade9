// Roles and what they may do: the server's verdict and the ones that SDKs reach by themselves are the same.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';

import stytch from 'stytch';

import { command } from '../lib/program.mjs';
import { answered, client, newEmail, refused, userWithPasskey } from '../lib/sdk.mjs';
import { Server } from '../lib/server.mjs';

const policy = {
  roles: [
    { role_id: 'stytch_user', description: '', permissions: [{ resource_id: 'documents', actions: ['read'] }] },
    { role_id: 'editor', description: 'Writes', permissions: [{ resource_id: 'documents', actions: ['read', 'write'] }] },
    { role_id: 'admin', description: '', permissions: [{ resource_id: 'documents', actions: ['*'] }] },
  ],
  resources: [{ resource_id: 'documents', description: 'Texts', actions: ['read', 'write', 'delete'] }],
  scopes: [{ scope: 'read:documents', description: '', permissions: [{ resource_id: 'documents', actions: ['read'] }] }],
};

// Sets the policy as an operator does, and waits until the server knows of it.
async function setPolicy(server, api, next) {
  const file = join(server.data, 'policy.json');
  await writeFile(file, JSON.stringify(next));
  await command(['rbac', 'set', 'test', file, '--data', server.data]);
  const limit = Date.now() + 10_000;
  while (!isDeepStrictEqual((await api.rbac.policy()).policy, next)) {
    if (Date.now() > limit) assert.deepEqual((await api.rbac.policy()).policy, next);
  }
}

// As RBACPolicy in the browser SDK decides (core/src/rbac.ts), with what the server gives a browser.
function inBrowser({ roles }, held, { resource_id, action }) {
  const byID = Object.fromEntries(roles.map((role) => [role.role_id, role]));
  return held.map((id) => byID[id]).filter(Boolean).flatMap((role) => role.permissions)
    .some((p) => p.resource_id === resource_id && (p.actions.includes(action) || p.actions.includes('*')));
}

// The browser's door: what a page with this session gets.
async function browser(server, session_token, method, path) {
  const basic = Buffer.from(`${server.public_token}:${session_token}`).toString('base64');
  const response = await fetch(server.base_url + path, {
    method, headers: { authorization: `Basic ${basic}`, origin: 'http://localhost:3000', 'x-sdk-parent-host': 'http://localhost:3000' },
  });
  const { data } = await response.json();
  assert.equal(response.status, 200);
  return data;
}

describe('roles and permissions', () => {
  let server, api, person;
  before(async () => {
    server = await Server.start();
    api = client(server);
    person = await userWithPasskey(api, { minutes: 60 });
    await setPolicy(server, api, policy);
  });
  after(() => server?.stop());

  // A client that has not cached an earlier policy.
  const fresh = () => client(server);
  const roles = (list) => api.users.update({ user_id: person.user_id, roles: list });

  test('the policy is the one that was set, at both doors', async () => {
    assert.deepEqual(answered(await api.rbac.policy()).policy, policy);
    const bootstrap = await browser(server, server.public_token, 'GET', `/sdk/v1/projects/bootstrap/${server.public_token}`);
    assert.deepEqual(bootstrap.rbac_policy, policy);
  });

  test('a verdict names the roles that grant', async () => {
    await roles(['admin', 'editor']);
    const authorization_check = { resource_id: 'documents', action: 'write' };
    const { verdict } = answered(await api.sessions.authenticate({ session_token: person.session_token, authorization_check }));
    assert.deepEqual(verdict, { authorized: true, granting_roles: ['editor', 'admin'] });
    await roles([]);
    await refused(api.sessions.authenticate({ session_token: person.session_token, authorization_check }), 403,
      'consumer_session_authorization_error');
  });

  test('local verification decides by the roles in the JWT', async () => {
    await roles(['editor']);
    const { session_jwt } = await api.sessions.authenticate({ session_token: person.session_token });
    const check = (action) => fresh().sessions.authenticateJwt({ session_jwt, authorization_check: { resource_id: 'documents', action } });
    assert.equal((await check('write')).session.user_id, person.user_id);
    await assert.rejects(fresh().sessions.authenticateJwtLocal({
      session_jwt, authorization_check: { resource_id: 'documents', action: 'delete' },
    }), (err) => err instanceof stytch.ClientError && err.code === 'invalid_permissions');
  });

  test('roles that the policy does not know cannot be assigned', async () => {
    await refused(roles(['nobody']), 400, 'invalid_rbac_role_assignment');
    await refused(roles(['stytch_user']), 400, 'cannot_assign_default_rbac_role_id');
    await refused(api.users.create({ email: newEmail(), roles: ['nobody'] }), 400, 'invalid_rbac_role_assignment');
  });

  test('over generated policies, the server, the Node SDK and the browser SDK agree', async () => {
    const random = generator(20250101);
    let granted = 0, checks = 0;
    for (let round = 0; round < 6; round++) {
      const next = generate(random);
      await setPolicy(server, api, next);
      const held = next.roles.map((r) => r.role_id).filter((id) => id !== 'stytch_user' && random() < 0.3);
      await roles(held);
      const local = fresh();
      const { session_jwt } = await api.sessions.authenticate({ session_token: person.session_token });
      const bootstrap = await browser(server, person.session_token, 'GET', `/sdk/v1/projects/bootstrap/${server.public_token}`);
      const me = await browser(server, person.session_token, 'GET', '/sdk/v1/users/me');
      for (const resource_id of ['documents', 'my.photos', 'unknown']) {
        for (const action of ['read', 'write', 'delete', 'unknown', '*']) {
          const authorization_check = { resource_id, action };
          const [byServer, byNode] = await Promise.all([
            api.sessions.authenticate({ session_token: person.session_token, authorization_check })
              .then(({ verdict }) => verdict.authorized, denied('consumer_session_authorization_error')),
            local.sessions.authenticateJwtLocal({ session_jwt, authorization_check })
              .then(() => true, denied('invalid_permissions')),
          ]);
          const byBrowser = inBrowser(bootstrap.rbac_policy, me.roles, authorization_check);
          const what = JSON.stringify({ round, held, authorization_check });
          assert.deepEqual({ byNode, byBrowser }, { byNode: byServer, byBrowser: byServer }, what);
          granted += byServer;
          checks++;
        }
      }
    }
    assert.ok(granted > checks / 10 && granted < (checks * 9) / 10, `${granted} of ${checks} were granted: the policies are one-sided`);
  });
});

// The refusal of this kind is a verdict; any other is a fault.
const denied = (kind) => (err) => {
  assert.equal(err.error_type ?? err.code, kind, String(err));
  return false;
};

// Numbers from 0 to 1, the same in every run (mulberry32).
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// A policy with five roles over two resources.
function generate(random) {
  const resources = ['documents', 'my.photos'].map((resource_id) => ({ resource_id, description: '', actions: ['read', 'write', 'delete'] }));
  const permissions = () => resources.flatMap(({ resource_id, actions }) => {
    if (random() < 0.5) return [];
    const some = random() < 0.25 ? ['*'] : actions.filter(() => random() < 0.5);
    return some.length ? [{ resource_id, actions: some }] : [];
  });
  const roles = ['stytch_user', 'a', 'b', 'c', 'd'].map((role_id) => ({ role_id, description: '', permissions: permissions() }));
  return { roles, resources, scopes: [] };
}
