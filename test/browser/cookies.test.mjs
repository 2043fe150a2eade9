// What an environment's SDK configuration changes for a page: HttpOnly cookies, products switched off.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch, newPerson } from '../lib/browser.mjs';
import { registerOnPage } from '../lib/ceremony.mjs';
import { openWithSDK, sdk, serveCustomerPage } from '../lib/customer-page.mjs';
import { client, newEmail } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

const minutes = (n) => n * 60_000;
const login = { is_passkey: true, session_duration_minutes: 60 };

describe('the browser SDK where the server keeps the cookies', () => {
  let server, api, site, browser;
  before(async () => {
    [server, site, browser] = await Promise.all([Server.start(), serveCustomerPage(), launch()]);
    api = client(server);
    await server.configure('cookies.http_only=ENABLED');
  });
  after(async () => {
    await Promise.all([browser?.close(), site?.close()]);
    await server?.stop();
  });

  test('logged out it asks once and leaves it at that', async () => {
    const { page, context, problems } = await newPerson(browser);
    await page.clock.install();
    const calls = await openWithSDK(page, site.origin, server, { httpOnly: true });
    const asked = await calls.settled('/sdk/v1/sessions/authenticate');
    assert.ok(['session_not_found', 'user_unauthenticated'].includes(asked.type), `${asked.status} ${asked.type}`);
    await page.clock.runFor(minutes(10));
    await calls.settled('/sdk/v1/events');
    assert.equal(calls.filter((c) => c.path === '/sdk/v1/sessions/authenticate').length, 1);
    assert.equal(await sdk(page, 'session.getSync'), null);
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('signs in, survives a reload and signs out without the page ever seeing a token', async () => {
    const { page, context, problems } = await newPerson(browser);
    const { user_id } = await api.users.create({ email: newEmail() });
    await openWithSDK(page, site.origin, server, { httpOnly: true });
    await registerOnPage(api, page, user_id);
    const answer = await eventually(async () => { // the setting is seen within a second
      const got = await sdk(page, 'webauthn.authenticate', login);
      assert.deepEqual([got.user_id, got.session_token, got.session_jwt], [user_id, '', '']);
      return got;
    });
    assert.equal(await sdk(page, 'session.getTokens'), null);
    assert.equal(await page.evaluate(() => document.cookie), '');

    const kept = (await context.cookies(server.base_url)).filter((c) => c.name.startsWith('stytch_session'));
    assert.deepEqual(kept.map((c) => c.name).sort(), ['stytch_session', 'stytch_session_jwt']);
    for (const cookie of kept) {
      assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, 'Lax', '/'], cookie.name);
      assert.ok(Math.abs(cookie.expires * 1000 - Date.parse(answer.session.expires_at)) < 5000, 'ends with the session');
    }

    const calls = await openWithSDK(page, site.origin, server, { httpOnly: true });
    const resumed = await calls.settled('/sdk/v1/sessions/authenticate');
    assert.deepEqual([resumed.status, resumed.body.data.session_token], [200, '']);
    assert.equal((await sdk(page, 'user.get')).user_id, user_id);
    await sdk(page, 'session.revoke');
    const left = (await context.cookies(server.base_url)).filter((c) => c.name.startsWith('stytch_session'));
    assert.deepEqual(left, []);
    assert.equal(await sdk(page, 'session.getSync'), null);
    await assert.rejects(sdk(page, 'user.get'), { error_type: 'user_unauthenticated' });
    assert.deepEqual(problems, []);
    await context.close();
  });
});

describe('a product that is switched off', () => {
  let server, api, site, browser;
  before(async () => {
    [server, site, browser] = await Promise.all([Server.start(), serveCustomerPage(), launch()]);
    api = client(server);
  });
  after(async () => {
    await Promise.all([browser?.close(), site?.close()]);
    await server?.stop();
  });

  test('is refused to pages and open to backends', async () => {
    const { page, context } = await newPerson(browser);
    const { user_id } = await api.users.create({ email: newEmail() });
    await openWithSDK(page, site.origin, server);
    await registerOnPage(api, page, user_id);
    await sdk(page, 'webauthn.authenticate', login);
    await server.configure('webauthn.create_webauthns=false');
    const off = { name: 'StytchAPIError', status_code: 401, error_type: 'endpoint_not_authorized_for_sdk' };
    await eventually(() => assert.rejects(sdk(page, 'webauthn.register', login), off));
    await sdk(page, 'webauthn.authenticate', login);
    await server.configure('webauthn.enabled=false');
    await eventually(() => assert.rejects(sdk(page, 'webauthn.authenticate', login), off));
    await sdk(page, 'user.get');
    await api.webauthn.authenticateStart({ domain: 'localhost' });
    await context.close();
  });
});
