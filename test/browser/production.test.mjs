// The browser SDK with its public options alone against a server in production: TLS, a live environment, its own names.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch, newPerson } from '../lib/browser.mjs';
import { registerOnPage } from '../lib/ceremony.mjs';
import { openWithOptions, sdk, serveCustomerPage } from '../lib/customer-page.mjs';
import { apiHost, appHost, Production } from '../lib/production.mjs';
import { newEmail } from '../lib/sdk.mjs';
import { eventually } from '../lib/server.mjs';

const login = { is_passkey: true, session_duration_minutes: 60 };

describe('in production', () => {
  let production, api, site, browser, server;
  const options = { customBaseUrl: apiHost };
  const origin = `https://${appHost}`;
  before(async () => {
    production = await Production.start();
    api = production.client();
    server = { base_url: `https://${apiHost}`, public_token: production.public_token };
    site = await serveCustomerPage(production.tls);
    browser = await launch({
      pin: production.pin,
      names: { [`${apiHost}:443`]: production.port, [`${appHost}:443`]: site.port, 'other.example.test:443': site.port },
    });
  });
  after(async () => {
    await Promise.all([browser?.close(), site?.close()]);
    await production?.stop();
  });

  const sessionCookies = async (context) =>
    (await context.cookies([origin, server.base_url])).filter((c) => c.name.startsWith('stytch_session'));

  const withPasskey = async () => {
    const { page, context, problems } = await newPerson(browser);
    const { user_id } = await api.users.create({ email: newEmail() });
    const calls = await openWithOptions(page, origin, server, options);
    await registerOnPage(api, page, user_id, { domain: appHost });
    return { page, context, problems, user_id, calls };
  };

  test('ids are those of the live environment', async () => {
    const { project_id } = await api.debug.whoami({});
    assert.match(project_id, /^project-live-/);
    const { user_id, request_id } = await api.users.create({ email: newEmail() });
    assert.match(user_id, /^user-live-/);
    assert.match(request_id, /^request-id-live-/);
  });

  test('cookies that the page sets are secure', async () => {
    const { page, context, problems, user_id } = await withPasskey();
    const answer = await sdk(page, 'webauthn.authenticate', login);
    assert.equal(answer.user_id, user_id);
    assert.equal((await api.sessions.authenticate({ session_token: answer.session_token })).user.user_id, user_id);
    const kept = await sessionCookies(context);
    assert.deepEqual(kept.map((c) => [c.domain, c.secure, c.httpOnly]), [[appHost, true, false], [appHost, true, false]]);
    const calls = await openWithOptions(page, origin, server, options);
    assert.equal((await calls.settled('/sdk/v1/sessions/authenticate')).status, 200);
    await sdk(page, 'session.revoke');
    assert.deepEqual(await sessionCookies(context), []);
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('cookies that the server sets belong to the whole domain, and no page reads them', async () => {
    await production.run('sdk-config', 'set', 'live', 'cookies.http_only=ENFORCED');
    const { page, context, problems, user_id } = await withPasskey();
    const answer = await eventually(async () => { // the setting is seen within a second
      const got = await sdk(page, 'webauthn.authenticate', login);
      assert.deepEqual([got.user_id, got.session_token, got.session_jwt], [user_id, '', '']);
      return got;
    });
    const kept = await sessionCookies(context);
    assert.equal(kept.length, 2);
    for (const { domain, secure, httpOnly, sameSite, expires } of kept) {
      assert.deepEqual({ domain, secure, httpOnly, sameSite },
        { domain: '.example.test', secure: true, httpOnly: true, sameSite: 'Lax' });
      assert.ok(Math.abs(expires * 1000 - Date.parse(answer.session.expires_at)) < 5000, 'ends with the session');
    }
    assert.equal(await page.evaluate(() => document.cookie), '');
    const calls = await openWithOptions(page, origin, server, options);
    assert.equal((await calls.settled('/sdk/v1/sessions/authenticate')).status, 200);
    assert.equal((await sdk(page, 'user.get')).user_id, user_id);
    await sdk(page, 'session.revoke');
    assert.deepEqual(await sessionCookies(context), []);
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('a sister page that nobody authorised is refused, cookies or not', async () => {
    const { page, context, user_id } = await withPasskey();
    await eventually(async () => assert.equal((await sdk(page, 'webauthn.authenticate', login)).session_token, ''));
    await openWithOptions(page, 'https://other.example.test', server, options);
    await assert.rejects(sdk(page, 'user.get'), { status_code: 400, error_type: 'bad_domain_for_stytch_sdk' });
    await assert.rejects(sdk(page, 'session.revoke'), { status_code: 400, error_type: 'bad_domain_for_stytch_sdk' });
    assert.equal((await api.sessions.get({ user_id })).sessions.length, 1, 'nothing was revoked');
    await context.close();
  });
});
