// Acting as a user, through the official Node client and the command that makes the link.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { command } from '../lib/program.mjs';
import { answered, client, complete, refused, userWithPasskey, signIn } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

describe('impersonation', () => {
  let server, api, user_id, device;
  before(async () => {
    server = await Server.start();
    api = client(server);
    ({ user_id, device } = await userWithPasskey(api));
    await server.set('user_impersonation.enabled=true');
    await eventually(acting); // the server follows within a second
  });
  after(() => server?.stop());

  const impersonate = async () =>
    JSON.parse(await command([
      'impersonate', 'test', user_id, '--reason', 'Ticket 4711', '--as', 'grace/grace@acme.example', '--json', '--data', server.data,
    ]));

  // A session in which support acts as the user.
  const acting = async () => {
    const { token } = await impersonate();
    return answered(await api.impersonation.authenticate({ impersonation_token: token }));
  };

  test('the link leads to the app, and its token begins a session of an hour', async () => {
    const made = await impersonate();
    const link = new URL(made.url);
    assert.deepEqual([link.origin + link.pathname, link.searchParams.get('stytch_token_type'), link.searchParams.get('token')],
      ['http://localhost:3000/authenticate', 'impersonation', made.token]);
    const login = complete('login', answered(await api.impersonation.authenticate({ impersonation_token: made.token })));
    assert.equal(login.user_id, user_id);
    const session = complete('session', login.session);
    const [factor] = session.authentication_factors;
    assert.deepEqual([factor.type, factor.delivery_method, factor.impersonated_factor],
      ['impersonated', 'impersonation', { impersonator_id: 'grace', impersonator_email_address: 'grace@acme.example' }]);
    assert.equal(Date.parse(session.expires_at) - Date.parse(session.started_at), 60 * 60_000);
    const local = await api.sessions.authenticateJwtLocal({ session_jwt: login.session_jwt });
    assert.equal(local.authentication_factors[0].type, 'impersonated');
    await refused(api.impersonation.authenticate({ impersonation_token: made.token }), 401, 'unable_to_auth_impersonation_token');
    await refused(api.impersonation.authenticate({ impersonation_token: 'made-up' }), 401, 'unable_to_auth_impersonation_token');
  });

  test('the session is looked at and ended, but not extended, joined or stepped up', async () => {
    const { session_token, session_jwt } = await acting();
    answered(await api.sessions.authenticate({ session_token }));
    answered(await api.sessions.authenticate({ session_jwt }));
    await refused(api.sessions.authenticate({ session_token, session_duration_minutes: 60 }), 400, 'session_not_mutable');
    await refused(api.sessions.authenticate({ session_jwt, session_custom_claims: { admin: true } }), 400, 'session_not_mutable');
    await refused(signIn(api, device, { session_token }), 400, 'session_not_mutable');
    await refused(api.otps.email.send({ email: 'new@example.com', session_token }), 400, 'user_impersonation_not_allowed');
    answered(await api.sessions.revoke({ session_token }));
    await refused(api.sessions.authenticate({ session_token }), 404, 'session_not_found');
  });

  test('an environment may not want it', async () => {
    const { token } = await impersonate();
    await server.set('user_impersonation.enabled=false');
    await eventually(() => refused(api.impersonation.authenticate({ impersonation_token: token }), 400, 'user_impersonation_not_allowed'));
    await assert.rejects(impersonate(), /switched off for this environment/);
    await server.set('user_impersonation.enabled=true');
  });
});
