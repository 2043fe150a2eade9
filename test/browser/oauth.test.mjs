// Signing in with identity providers as people do: on a customer's page with the unmodified browser SDK and its pre-built
// login, through the pages of real providers, and back.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { launch, newPerson, newTab, screenshots } from '../lib/browser.mjs';
import { openWithSDK, sdk, serveCustomerPage, showLogin, startSDK, told } from '../lib/customer-page.mjs';
import { account, callbackOf, developmentProvider, IdentityProvider, signInWith, startOf } from '../lib/identity-provider.mjs';
import { mailbox, tokenOf } from '../lib/mailbox.mjs';
import { command } from '../lib/program.mjs';
import { client, complete, idOf, newEmail } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

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
      oidc_acme: await IdentityProvider.start({ name: 'acme', callbacks: [callbackOf(server, 'oidc_acme')], tellsInToken: false, authentication: 'client_secret_basic' }),
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

    // Another tab of the same browser.
    async function tab(page) {
      const { page: other } = await newTab(page.context());
      await openWithSDK(other, site.origin, server);
      return other;
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

    test('what has been brought back once is over, for this browser and for any other', async () => {
      const callback = page.waitForRequest((request) => request.url().startsWith(callbackOf(server)));
      await signIn(page, 'google', account(newEmail()));
      const address = (await callback).url();
      await page.goto(address);
      assert.deepEqual([brought(page).path, brought(page).error], ['/authenticate', 'oauth_state_used']);

      const other = await someone();
      const answer = await other.goto(address);
      assert.equal(answer.status(), 400);
      assert.ok(other.url().startsWith(server.base_url), 'a browser that did not set out is sent nowhere');
      await other.getByText('This sign-in was begun in another browser').waitFor();
    });

    test('two tabs set out at once, and both arrive', async () => {
      const who = account(newEmail());
      const other = await tab(page);
      for (const p of [page, other]) await setOut(p, 'google');
      for (const p of [other, page]) await idps.at('google').visit(p, who);
      const [second, first] = [await finish(other), await finish(page)];
      assert.equal(first.user_id, second.user_id);
      assert.deepEqual(accounts(first.user), ['Google']);
    });

    test('somebody who is signed in adds a second account, and takes it away again', async () => {
      const who = account(newEmail());
      const { user_id } = await signIn(page, 'google', who);
      const elsewhere = account(newEmail(), { verified: false });
      const { oauth_attach_token } = await sdk(page, 'oauth.attach', 'gitlab');
      const both = await signIn(page, 'gitlab', elsewhere, { oauth_attach_token });
      assert.equal(both.user_id, user_id);
      assert.deepEqual(accounts(both.user), ['GitLab', 'Google']);
      assert.deepEqual(addresses(both.user), [[who.email, true]], 'an address that is not verified is not taken over');
      assert.deepEqual(both.session.authentication_factors.map((f) => f.delivery_method).sort(), ['oauth_gitlab', 'oauth_google']);

      const { oauth_user_registration_id } = both.user.providers.find((p) => p.provider_type === 'GitLab');
      const { user } = await sdk(page, 'user.deleteOAuthRegistration', oauth_user_registration_id);
      assert.deepEqual(accounts(user), ['Google']);
      const stranger = await signIn(await someone(), 'gitlab', elsewhere);
      assert.notEqual(stranger.user_id, user_id, 'the account leads to the user no more');
    });

    test('an account that is somebody else’s is not added', async () => {
      const taken = account(newEmail());
      await signIn(await someone(), 'gitlab', taken);
      const { user_id } = await signIn(page, 'google', account(newEmail()));
      const { oauth_attach_token } = await sdk(page, 'oauth.attach', 'gitlab');
      const { token, error } = await travel(page, 'gitlab', taken, { oauth_attach_token });
      assert.deepEqual([token, error], [undefined, 'duplicate_oauth_registration']);
      assert.deepEqual(accounts(await api.users.get({ user_id })), ['Google']);
    });

    // Somebody who has proven their address by a link, before they had any account.
    async function reader() {
      const email = newEmail();
      await api.magicLinks.email.loginOrCreate({ email, login_magic_link_url: landing, signup_magic_link_url: landing });
      const { user_id } = await api.magicLinks.authenticate({ token: tokenOf(await mailbox(server).latest(email)), ...hour });
      return { email, user_id };
    }

    for (const provider of ['google', 'microsoft', 'gitlab']) {
      test(`an address that ${provider} has not verified leads to nobody`, async () => {
        const { email, user_id } = await reader();
        const stranger = await signIn(page, provider, account(email, { verified: false }));
        assert.notEqual(stranger.user_id, user_id);
        assert.deepEqual(stranger.user.emails, []);
        assert.deepEqual((await api.users.get({ user_id })).providers, []);
      });
    }

    test('an address that the provider has verified leads to its reader', async () => {
      const { email, user_id } = await reader();
      const { path } = await travel(page, 'google', account(email));
      assert.equal(path, '/authenticate', 'they are no newcomer');
      const login = await finish(page);
      assert.equal(login.user_id, user_id);
      assert.deepEqual([addresses(login.user), accounts(login.user)], [[[email, true]], ['Google']]);
    });

    test('the pre-built login has a button for each provider', async () => {
      const who = account(newEmail());
      await showLogin(page, {
        products: ['oauth'],
        oauthOptions: {
          providers: [{ type: 'google', custom_scopes: ['https://example.com/calendar'], provider_params: { login_hint: who.email } }, { type: 'microsoft' }, { type: 'gitlab' }],
          loginRedirectURL: landing, signupRedirectURL: welcome,
        },
      });
      for (const name of ['Microsoft', 'GitLab']) await page.getByRole('button', { name: `Continue with ${name}` }).waitFor();
      const asked = page.waitForRequest((request) => new URL(request.url()).searchParams.has('client_id'));
      await page.getByRole('button', { name: 'Continue with Google' }).click();
      const { searchParams } = new URL((await asked).url());
      assert.deepEqual(searchParams.get('scope').split(' ').sort(), ['email', 'https://example.com/calendar', 'openid', 'profile']);
      assert.equal(searchParams.get('login_hint'), who.email);
      await idps.at('google').visit(page, who);
      assert.equal(brought(page).path, '/welcome');
      assert.deepEqual(addresses((await finish(page)).user), [[who.email, true]]);
      await showLogin(page, { products: ['oauth'], oauthOptions: { providers: [{ type: 'google' }] } });
      assert.deepEqual(await told(page), []);
    });

    test('with proof keys, what comes back is of use to nobody but the browser that set out', async () => {
      await server.configure('oauth.pkce_required=true');
      try {
        await eventually(async () => {
          const { headers } = await fetch(startOf(server, 'google', urls), { redirect: 'manual' });
          assert.equal(headers.get('location'), null, 'a start without a challenge is refused');
        });
        await openWithSDK(page, site.origin, server);
        const who = account(newEmail());
        const start = page.waitForRequest((request) => request.url().includes('/oauth/google/start'));
        const { token } = await travel(page, 'google', who);
        assert.match(new URL((await start).url()).searchParams.get('code_challenge'), /^[\w-]{43}$/);
        await assert.rejects(api.oauth.authenticate({ token, ...hour }), { error_type: 'pkce_expected_code_verifier' });
        const thief = await someone();
        await refusal(sdk(thief, 'oauth.authenticate', token, hour), 400, 'pkce_expected_code_verifier');
        assert.deepEqual(addresses((await finish(page)).user), [[who.email, true]]);
      } finally {
        await server.configure('oauth.pkce_required=false');
      }
    });
  });
}

describe('a provider that fails', () => {
  let server, browser, site, landing, idp, person, page;
  before(async () => {
    [server, site, browser] = await Promise.all([Server.start(), serveCustomerPage(), launch()]);
    landing = `${site.origin}/authenticate`;
    await server.allowRedirect(landing);
    idp = await IdentityProvider.start({ name: 'google', callbacks: [callbackOf(server)] });
    await signInWith(server, 'google', idp);
  });
  after(async () => {
    await browser?.close();
    await Promise.all([idp?.close(), site?.close()]);
    await server?.stop();
  });
  beforeEach(async () => {
    person = await newPerson(browser);
    person.context.setDefaultTimeout(patience);
    await person.context.route('https://fonts.googleapis.com/**', (route) => route.abort());
    page = person.page;
  });
  afterEach(() => person.context.close());

  // Signs in by the address alone and returns what the browser brought: a token, or why not.
  async function bring() {
    const leaves = page.goto(startOf(server, 'google', { login_redirect_url: landing, signup_redirect_url: landing })).catch(() => {});
    await idp.visit(page, account(newEmail()));
    await leaves;
    const { token, error } = Object.fromEntries(new URL(page.url()).searchParams);
    return token ? 'a token' : error;
  }

  const faults = {
    'is not there': (_, response) => response.destroy(),
    'never answers': () => {},
    'answers with something else': (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Maintenance</h1>'),
    'is overloaded': (_, response) => response.writeHead(503).end('{}'),
  };
  for (const [what, answer] of Object.entries(faults)) {
    test(`the app is told when it ${what}, and everything is well once it is mended`, async () => {
      const mend = idp.instead('/token', answer);
      try {
        assert.equal(await bring(), 'oauth_flow_callback_error');
      } finally {
        mend();
      }
      await page.context().clearCookies();
      assert.equal(await bring(), 'a token');
    });
  }

  test('keys that nobody has seen are fetched', async () => {
    assert.equal(await bring(), 'a token');
    await idp.renewKeys();
    await page.context().clearCookies();
    assert.equal(await bring(), 'a token');
  });

  test('who cannot set out is told so on a page, and sent nowhere', async () => {
    const gone = await IdentityProvider.start({ name: 'gone', callbacks: [callbackOf(server)] });
    await gone.close();
    await command(['oauth-provider', 'set', 'test', 'oidc_gone', '--client-id', 'any', '--issuer', gone.issuer, '--data', server.data], { GATEHOUSE_OAUTH_CLIENT_SECRET: 'any' });
    const answer = await page.goto(startOf(server, 'oidc_gone', { login_redirect_url: landing, signup_redirect_url: landing }));
    assert.equal(answer.status(), 400);
    await page.getByRole('heading', { name: 'You could not be signed in' }).waitFor();
    assert.ok(page.url().startsWith(server.base_url));
    await screenshots(page, 'signin-refused');
  });

  test('an answer of another issuer is not taken', async () => {
    await signInWith(server, 'google', { ...idp, client_id: idp.client_id, endpoints: { ...idp.endpoints, issuer: 'https://accounts.example.com' } });
    const refused = await eventually(async () => {
      await page.context().clearCookies();
      const outcome = await bring();
      assert.notEqual(outcome, 'a token', 'the setting is not in force yet');
      return outcome;
    }, patience);
    assert.equal(refused, 'oauth_flow_callback_error');
  });
});
