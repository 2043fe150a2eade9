// A page that has a token of another issuer signs in with it, with the unmodified browser SDK.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch, newPerson } from '../lib/browser.mjs';
import { sdk, serveCustomerPage, startSDK } from '../lib/customer-page.mjs';
import { Issuer } from '../lib/issuer.mjs';
import { command } from '../lib/program.mjs';
import { newEmail } from '../lib/sdk.mjs';
import { Server } from '../lib/server.mjs';

describe('trusted auth tokens in a browser', () => {
  let server, issuer, site, browser, profile_id;
  before(async () => {
    [server, issuer, site, browser] = await Promise.all([
      Server.start(), Issuer.start(), serveCustomerPage(), launch(),
    ]);
    ({ profile_id } = JSON.parse(await command([
      'trusted-token-profile', 'create', 'test', '--name', 'Elsewhere', '--issuer', issuer.url, '--audience', 'app',
      '--jwks-url', `${issuer.url}/jwks`, '--map', 'email=email', '--map', 'token_id=jti', '--jit-provision', '--json', '--data', server.data,
    ])));
  });
  after(async () => {
    await Promise.all([browser?.close(), site?.close(), issuer?.stop()]);
    await server?.stop();
  });

  test('session.attest signs in', async () => {
    const { page, context } = await newPerson(browser);
    await page.goto(site.origin);
    await startSDK(page, server);
    const email = newEmail();
    const token = issuer.token('app', { email });
    const done = await sdk(page, 'session.attest', { profile_id, token, session_duration_minutes: 60 });
    assert.equal(done.user.emails[0].email, email);
    assert.equal((await sdk(page, 'user.get')).user_id, done.user_id);
    assert.equal((await sdk(page, 'session.getInfo')).session.authentication_factors[0].type, 'trusted_auth_token');
    await assert.rejects(sdk(page, 'session.attest', { profile_id, token, session_duration_minutes: 60 }), { error_type: 'invalid_trusted_auth_token' });
    await context.close();
  });
});
