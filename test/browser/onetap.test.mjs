// Google One Tap with the unmodified browser SDK. Google's script is replaced by one that taps at once; what it gives is
// signed by keys of the test, in the place of Google's.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { launch, newPerson } from '../lib/browser.mjs';
import { openWithSDK, sdk, serveCustomerPage, showLogin, startSDK } from '../lib/customer-page.mjs';
import { signInWith } from '../lib/identity-provider.mjs';
import { Issuer } from '../lib/issuer.mjs';
import { newEmail } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

const hour = { session_duration_minutes: 60 };
const client_id = 'one-tap.apps.googleusercontent.com';

// What accounts.google.com/gsi/client is to the SDK.
const script = `
  const moment = { isSkippedMoment: () => false, isDismissedMoment: () => false, isNotDisplayed: () => false };
  let options;
  window.google = { accounts: { id: {
    initialize: (given) => { options = given; },
    prompt: (told) => { told(moment); window.tap(options.client_id).then((credential) => options.callback({ credential })); },
    cancel: () => {},
  } } };`;

describe('Google One Tap', () => {
  let server, google, site, browser, landing, welcome, urls, person, given;
  before(async () => {
    [server, google, site, browser] = await Promise.all([Server.start(), Issuer.start(), serveCustomerPage(), launch()]);
    [landing, welcome] = [`${site.origin}/authenticate`, `${site.origin}/welcome`];
    urls = { login_redirect_url: landing, signup_redirect_url: welcome };
    await server.allowRedirect(landing);
    await server.allowRedirect(welcome);
    const { url } = google;
    const endpoints = { issuer: url, authorization: `${url}/auth`, token: `${url}/token`, userinfo: `${url}/userinfo`, jwks: `${url}/jwks` };
    await signInWith(server, 'google', { client_id, client_secret: 'unused', endpoints });
  });
  after(async () => {
    await Promise.all([browser?.close(), site?.close(), google?.stop()]);
    await server?.stop();
  });
  beforeEach(async () => {
    person = await newPerson(browser);
    const email = newEmail();
    given = (audience) => google.token(audience, { sub: email, email, email_verified: true, given_name: 'Ada', family_name: 'Byron' });
    await person.context.route('https://accounts.google.com/gsi/client', (route) => route.fulfill({ contentType: 'text/javascript', body: script }));
    await person.page.exposeFunction('tap', (audience) => given(audience));
  });
  afterEach(async () => {
    assert.deepEqual(person.problems, [], 'errors on the page');
    await person.context.close();
  });

  // Taps on the customer's page, which Google's answer sends on, and signs in there.
  async function tap(page) {
    await page.evaluate((options) => void window.client.oauth.googleOneTap.start(options), urls);
    await page.waitForURL((url) => url.searchParams.has('token'));
    const at = new URL(page.url());
    await startSDK(page, server);
    const { handled, tokenType, data } = await sdk(page, 'authenticateByUrl', hour);
    assert.deepEqual([handled, tokenType], [true, 'oauth']);
    return { data, at: at.origin + at.pathname };
  }

  test('signs up with a tap, and in with the next', async () => {
    const { page } = person;
    await openWithSDK(page, site.origin, server);
    const first = await tap(page);
    assert.equal(first.at, welcome);
    const [factor] = first.data.session.authentication_factors;
    assert.deepEqual([factor.type, factor.delivery_method, first.data.provider_type], ['oauth', 'oauth_google', 'Google']);
    assert.deepEqual([first.data.user.emails[0].verified, first.data.user.name.first_name], [true, 'Ada']);
    assert.ok(first.data.provider_values.id_token);
    assert.equal(first.data.provider_values.access_token, '');
    await sdk(page, 'session.revoke');

    await openWithSDK(page, site.origin, server);
    const again = await tap(page);
    assert.deepEqual([again.at, again.data.user.user_id], [landing, first.data.user.user_id]);
  });

  test('is in the pre-built login', async () => {
    const { page } = person;
    await openWithSDK(page, site.origin, server);
    const providers = [{ type: 'google', one_tap: true, position: 'floating' }];
    await showLogin(page, { products: ['oauth'], oauthOptions: { providers, loginRedirectURL: landing, signupRedirectURL: welcome } });
    await page.waitForURL((url) => url.searchParams.has('token'));
    assert.ok(page.url().startsWith(`${welcome}?stytch_token_type=oauth&token=`));
  });

  test('takes nothing that Google has given for another client, or has given before', async () => {
    const { page } = person;
    const calls = await openWithSDK(page, site.origin, server);
    const credential = given(client_id);
    const refused = async (nth) => {
      await page.evaluate((options) => {
        window.client.oauth.googleOneTap.start(options).catch(() => {});
      }, urls);
      return calls.settled('/v1/oauth/callback/', nth);
    };
    // The SDK does not look at what becomes of a tap, so a refusal is an error that nobody handles.
    await page.addInitScript(() => window.addEventListener('unhandledrejection', (e) => e.preventDefault()));
    await page.reload();
    await startSDK(page, server);
    given = () => google.token('another-client', { sub: 'x', email: newEmail(), email_verified: true });
    assert.equal((await refused(1)).type, 'id_token_incorrect_audience');
    given = () => credential;
    await page.evaluate((options) => void window.client.oauth.googleOneTap.start(options), urls);
    await page.waitForURL((url) => url.searchParams.has('token'));
    await page.goto(site.origin);
    await startSDK(page, server);
    assert.equal((await refused(3)).type, 'id_token_invalid');
  });

  test('says what is missing where Google is not set up or needs PKCE', async () => {
    const { page } = person;
    await openWithSDK(page, site.origin, server);
    await server.configure('oauth.pkce_required=true');
    await eventually(async () => {
      await page.goto(site.origin);
      await startSDK(page, server);
      await assert.rejects(sdk(page, 'oauth.googleOneTap.start', urls), /One Tap could not load: invalid_pkce_code_challenge/);
    });
    await server.configure('oauth.pkce_required=false');
  });
});
