// Signing in with identity providers as people do: on a customer's page with the unmodified browser SDK and its pre-built
// login, through the pages of real providers, and back.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { launch, newPerson, newTab } from '../lib/browser.mjs';
import { openWithSDK, sdk, serveCustomerPage, startSDK } from '../lib/customer-page.mjs';
import { account, callbackOf, developmentProvider, IdentityProvider, signInWith, startOf } from '../lib/identity-provider.mjs';
import { client, complete, idOf, newEmail } from '../lib/sdk.mjs';
import { Server } from '../lib/server.mjs';

const hour = { session_duration_minutes: 60 };
const patience = 60_000; // ms; every step crosses several servers
const tenant = '11111111-2222-4333-8444-555555555555';

// What stands in for the providers, by their names here: oidc-provider as it is deployed elsewhere, and what is inside
// `gatehouse dev`.
const upstreams = {
  'oidc-provider': async (server) => {
    const callbacks = [callbackOf(server)];
    const idps = {
      google: await IdentityProvider.start({ name: 'google', callbacks }),
      microsoft: await IdentityProvider.start({ name: 'microsoft', callbacks, path: `/${tenant}/v2.0` }),
      gitlab: await IdentityProvider.start({ name: 'gitlab', callbacks }),
      oidc_acme: await IdentityProvider.start({ name: 'acme', callbacks, tellsInToken: false, authentication: 'client_secret_basic' }),
    };
    for (const [name, idp] of Object.entries(idps)) await signInWith(server, name, idp);
    return { generic: 'oidc_acme', at: (name) => idps[name], close: () => Promise.all(Object.values(idps).map((idp) => idp.close())) };
  },
  'the provider of gatehouse dev': async () => ({ generic: 'oidc_dev', at: () => developmentProvider, close: () => {} }),
};

for (const [upstream, begin] of Object.entries(upstreams)) {
  describe(`signing in with ${upstream}`, () => {
    let server, api, site, browser, idps, landing, welcome, urls, people, page;
    before(async () => {
      [server, site, browser] = await Promise.all([Server.start(), serveCustomerPage(), launch()]);
      api = client(server);
      [landing, welcome] = [`${site.origin}/authenticate`, `${site.origin}/welcome`];
      urls = { login_redirect_url: landing, signup_redirect_url: welcome };
      await server.allowRedirect(landing);
      await server.allowRedirect(welcome);
      idps = await begin(server);
    });
    after(async () => {
      await browser?.close();
      await Promise.all([idps?.close(), site?.close()]);
      await server?.stop();
    });
    beforeEach(async () => {
      people = [];
      page = await someone();
    });
    afterEach(async () => {
      for (const { problems, context } of people) {
        assert.deepEqual(problems, [], 'errors on the page');
        await context.close();
      }
    });

    // The customer's page at somebody's browser of their own.
    async function someone() {
      const person = await newPerson(browser);
      // The pages of oidc-provider ask for a font of elsewhere.
      await person.context.route('https://fonts.googleapis.com/**', (route) => route.abort());
      person.context.setDefaultTimeout(patience);
      people.push(person);
      await openWithSDK(person.page, site.origin, server);
      return person.page;
    }

    // Sets out for a provider on the customer's page, as its button does.
    const setOut = (page, provider, more = {}) =>
      page.evaluate(([provider, options]) => void window.client.oauth[provider].start(options), [provider, { ...urls, ...more }]);

    // The way there and back: the customer's page has what the browser brought.
    async function travel(page, provider, who, { consent, ...more } = {}) {
      await setOut(page, provider, more);
      await idps.at(provider).visit(page, who, { consent });
      return brought(page);
    }

    // What the address says, and to which page the browser came: {path, token, error}.
    function brought(page) {
      const { origin, pathname, searchParams } = new URL(page.url());
      assert.equal(origin, site.origin);
      const said = Object.fromEntries(searchParams);
      if (said.token) assert.equal(said.stytch_token_type, 'oauth');
      return { path: pathname, ...said };
    }

    // Finishes on the customer's page by what is in its address, and returns the login.
    async function finish(page) {
      await startSDK(page, server);
      const { handled, tokenType, data } = await sdk(page, 'authenticateByUrl', hour);
      assert.deepEqual([handled, tokenType], [true, 'oauth']);
      assert.equal(new URL(page.url()).search, '', 'the token is gone from the address');
      complete('login', data);
      assert.equal((await sdk(page, 'user.getSync')).user_id, data.user_id);
      return data;
    }

    async function signIn(page, provider, who, more) {
      const { token, error_description } = await travel(page, provider, who, more);
      assert.ok(token, error_description);
      return finish(page);
    }

    // The users who have an address.
    const withAddress = async (email) =>
      (await api.users.search({ query: { operator: 'AND', operands: [{ filter_name: 'email_address', filter_value: [email] }] } })).results;

    const signOut = (page) => sdk(page, 'session.revoke');
    const accounts = (user) => user.providers.map((p) => p.provider_type).sort();
    const addresses = (user) => user.emails.map((e) => [e.email, e.verified]);
    const refusal = (call, status_code, error_type) =>
      assert.rejects(call, (err) => {
        assert.deepEqual({ status_code: err.status_code, error_type: err.error_type }, { status_code, error_type }, err.message);
        return true;
      });

    for (const [provider, type, factor] of [
      ['google', 'Google', 'google_oauth_factor'],
      ['microsoft', 'Microsoft', 'microsoft_oauth_factor'],
      ['gitlab', 'GitLab', 'git_lab_oauth_factor'],
    ]) {
      test(`somebody signs up with ${type}, and in again`, async () => {
        const who = account(newEmail());
        const { path } = await travel(page, provider, who);
        assert.equal(path, '/welcome');
        const first = await finish(page);
        assert.deepEqual(addresses(first.user), [[who.email, true]]);
        assert.deepEqual([first.user.name.first_name, first.user.name.last_name], ['Sam', 'Sample']);
        const [entry] = first.user.providers;
        assert.deepEqual([entry.provider_type, entry.profile_picture_url, entry.provider_subject], [type, who.picture, first.provider_subject]);
        assert.match(entry.oauth_user_registration_id, idOf('oauth-user'));
        assert.equal(first.provider_type, type);
        assert.ok(first.provider_values.access_token && first.provider_values.id_token);
        const [proof] = first.session.authentication_factors;
        assert.deepEqual([proof.type, proof.delivery_method], ['oauth', `oauth_${provider}`]);
        assert.deepEqual(proof[factor], { id: entry.oauth_user_registration_id, provider_subject: entry.provider_subject, email_id: first.user.emails[0].email_id });

        await signOut(page);
        const again = await travel(page, provider, who);
        assert.equal(again.path, '/authenticate');
        const second = await finish(page);
        assert.equal(second.user_id, first.user_id);
        assert.deepEqual(second.user.providers, first.user.providers);
      });
    }

    test('somebody signs in with a provider that is known by its issuer', async () => {
      const who = account(newEmail());
      const verifier = randomBytes(32).toString('hex');
      const code_challenge = createHash('sha256').update(verifier).digest('base64url');
      const { generic } = idps;
      const leaves = page.goto(startOf(server, generic, { ...urls, code_challenge })).catch(() => {});
      await idps.at(generic).visit(page, who);
      await leaves;
      const { path, token } = brought(page);
      assert.equal(path, '/welcome');
      await assert.rejects(api.oauth.authenticate({ token, ...hour }), { error_type: 'pkce_expected_code_verifier' });
      const login = await api.oauth.authenticate({ token, code_verifier: verifier, ...hour });
      assert.equal(login.provider_type, generic);
      assert.deepEqual(addresses(login.user), [[who.email, true]]);
      assert.equal(login.user_session.authentication_factors[0].openid_oauth_factor.provider_subject, login.provider_subject);
    });

    test('who says no comes back with nothing, and may try again', async () => {
      const who = account(newEmail());
      const { path, token, error, error_description } = await travel(page, 'google', who, { consent: false });
      assert.deepEqual([path, token, error], ['/authenticate', undefined, 'oauth_auth_code_error']);
      assert.match(error_description, /^The provider did not let you sign in/);
      assert.deepEqual(await withAddress(who.email), [], 'nobody was made');
      await startSDK(page, server);
      assert.deepEqual(addresses((await signIn(page, 'google', who)).user), [[who.email, true]]);
    });
  });
}
