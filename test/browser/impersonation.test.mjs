// An operator opens the link of `gatehouse impersonate` on a customer's page with the unmodified browser SDK.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch, newPerson } from '../lib/browser.mjs';
import { sdk, serveCustomerPage, startSDK } from '../lib/customer-page.mjs';
import { command } from '../lib/program.mjs';
import { client, newEmail } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

describe('acting as a user in a browser', () => {
  let server, site, browser, landing, user_id;
  before(async () => {
    [server, site, browser] = await Promise.all([Server.start(), serveCustomerPage(), launch()]);
    landing = `${site.origin}/authenticate`;
    await server.set('user_impersonation.enabled=true');
    await server.allowRedirect(landing);
    ({ user_id } = await client(server).users.create({ email: newEmail() }));
  });
  after(async () => {
    await Promise.all([browser?.close(), site?.close()]);
    await server?.stop();
  });

  test('the link signs in for an hour, to look and not to change', async () => {
    const { page, context } = await newPerson(browser);
    const { url, token } = JSON.parse(await command([
      'impersonate', 'test', user_id, '--reason', 'Ticket 4711', '--as', 'grace@acme.example', '--login-url', landing, '--json', '--data', server.data,
    ]));
    await page.goto(url);
    await startSDK(page, server);
    assert.deepEqual(await sdk(page, 'parseAuthenticateUrl'), { handled: true, tokenType: 'impersonation', token });
    const { handled, tokenType, data } = await eventually(() => sdk(page, 'authenticateByUrl', { session_duration_minutes: 600 }));
    assert.deepEqual([handled, tokenType, data.user_id], [true, 'impersonation', user_id]);
    const [factor] = data.session.authentication_factors;
    assert.deepEqual([factor.type, factor.impersonated_factor.impersonator_email_address], ['impersonated', 'grace@acme.example']);
    assert.equal(Date.parse(data.session.expires_at) - Date.parse(data.session.started_at), 60 * 60_000);

    // The app goes on as with any session: it reads the user, and looks whether the session lives.
    assert.equal((await sdk(page, 'user.get')).user_id, user_id);
    assert.equal((await sdk(page, 'session.authenticate')).session.session_id, data.session.session_id);
    for (const [method, args, type] of [
      ['session.authenticate', [{ session_duration_minutes: 60 }], 'session_not_mutable'],
      ['user.update', [{ name: { first_name: 'Eve' } }], 'user_impersonation_not_allowed'],
      ['totps.create', [{ expiration_minutes: 5 }], 'user_impersonation_not_allowed'],
      ['impersonation.authenticate', [{ impersonation_token: token }], 'unable_to_auth_impersonation_token'],
    ]) {
      await assert.rejects(sdk(page, method, ...args), { error_type: type });
      assert.equal((await sdk(page, 'session.getInfo')).session?.session_id, data.session.session_id, `${method} signed out`);
    }
    await sdk(page, 'session.revoke');
    assert.equal((await sdk(page, 'session.getInfo')).session, null);
    await context.close();
  });
});
