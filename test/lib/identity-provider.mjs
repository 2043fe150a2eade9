// Identity providers for tests, each in the place of Google and others, and a person at their pages: oidc-provider, a
// certified implementation of OpenID Connect on ports of its own, and the provider that `gatehouse dev` has inside.
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

import { command } from './program.mjs';
import { eventually } from './server.mjs';

// Somebody with an account: what a provider says of them. The address is also what they type to sign in.
export const account = (email, { verified = true, name = 'Sam Sample', picture = 'https://example.com/sam.png' } = {}) => ({ email, verified, name, picture });

// Resolves when the browser is back at an app, with a token or without, at another address than before.
function arrival(page) {
  const before = page.url();
  return page.waitForURL((url) => url.href !== before && (url.searchParams.has('token') || url.searchParams.has('error')));
}

// A provider by oidc-provider, which listens.
export class IdentityProvider {
  #people = new Map();
  #server;
  #handle;
  #instead = new Map(); // by the end of a path

  // Serves a provider for the callbacks. path is that of the issuer, such as '/tenant/v2.0'. tellsInToken: whether the
  // id_token says all that was asked for, as those of the large providers do, or sub alone, with the rest at userinfo.
  static async start({ name, callbacks, path = '', tellsInToken = true, authentication = 'client_secret_post' }) {
    const idp = new IdentityProvider();
    Object.assign(idp, { name, path, callbacks, tellsInToken, authentication, client_id: `client-of-${name}`, client_secret: 'a secret of tests: & / %' });
    idp.#server = createServer((request, response) => idp.#answer(request, response));
    idp.#server.listen(0, '127.0.0.1');
    await once(idp.#server, 'listening');
    idp.origin = `http://localhost:${idp.#server.address().port}`;
    idp.issuer = idp.origin + path;
    const { issuer } = idp;
    idp.endpoints = { issuer, authorization: `${issuer}/auth`, token: `${issuer}/token`, userinfo: `${issuer}/me`, jwks: `${issuer}/jwks` };
    await idp.renewKeys();
    return idp;
  }

  // Signs from now on with a key that nobody has seen, and publishes only that.
  async renewKeys() {
    this.#handle = await quietly(async () => {
      const { default: Provider } = await import('oidc-provider');
      return new Provider(this.issuer, this.#configuration()).callback();
    });
  }

  #configuration() {
    const { name, client_id, client_secret, callbacks } = this;
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    return {
      clients: [{
        client_id, client_secret, redirect_uris: callbacks, response_types: ['code'],
        grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: this.authentication,
      }],
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
      claims: { openid: ['sub', 'xms_edov'], email: ['email', 'email_verified'], profile: ['name', 'given_name', 'family_name', 'picture'] },
      conformIdTokenClaims: !this.tellsInToken,
      findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId, ...this.#people.get(accountId) }) }),
      pkce: { required: () => true },
      // All of them are on localhost, where cookies know no port.
      cookies: { keys: ['of tests'], names: { session: `${name}_session`, interaction: `${name}_interaction`, resume: `${name}_resume` } },
      ttl: { Session: 3600, Interaction: 3600, Grant: 3600, AccessToken: 3600, IdToken: 3600 },
    };
  }

  #answer(request, response) {
    const { pathname } = new URL(request.url, this.origin);
    for (const [end, answer] of this.#instead) {
      if (pathname.endsWith(end)) return answer(request, response);
    }
    request.originalUrl = request.url;
    request.url = request.url.slice(this.path.length);
    return this.#handle(request, response);
  }

  // Has requests whose path ends so answered by `answer(request, response)`, until the function that it returns is called.
  instead(end, answer) {
    this.#instead.set(end, answer);
    return () => this.#instead.delete(end);
  }

  // Signs in at the provider's pages, where they are shown, and consents unless told not to: whoever has done both before
  // in this browser is sent on at once. Resolves when the browser is back at the app.
  async visit(page, { email, verified, name, picture }, { consent = true } = {}) {
    const [given_name, family_name] = name.split(' ');
    this.#people.set(email, { email, email_verified: verified, xms_edov: verified, name, given_name, family_name, picture });
    const arrived = arrival(page);
    const login = page.getByPlaceholder('Enter any login');
    const asked = page.getByRole('heading', { name: 'Authorize' });
    const sees = (...what) => Promise.race([arrived, ...what.map((w) => w.waitFor())].map((p) => p.catch(() => {})));
    await sees(login.or(asked));
    if (await login.isVisible()) {
      await login.fill(email);
      await page.getByPlaceholder('and password').fill('any');
      await page.getByRole('button', { name: 'Sign-in' }).click();
      await sees(asked);
    }
    if (await asked.isVisible()) {
      if (consent) await page.getByRole('button', { name: 'Continue' }).click();
      else await page.getByRole('link', { name: 'Cancel' }).click();
    }
    await arrived;
  }

  async close() {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

// oidc-provider remarks on its memory, its keys and the version of Node.js, none of which is news to a test.
async function quietly(make) {
  const { warn, info } = console;
  console.warn = console.info = () => {};
  try {
    return await make();
  } finally {
    Object.assign(console, { warn, info });
  }
}

// The provider inside `gatehouse dev`, for which nothing has to be set up.
export const developmentProvider = {
  async visit(page, { email, verified, name, picture }, { consent = true } = {}) {
    const arrived = arrival(page);
    await page.getByRole('heading', { name: 'Who signs in?' }).waitFor();
    if (consent) {
      await page.getByLabel('Name', { exact: true }).fill(name);
      await page.getByLabel('E-mail').fill(email);
      await page.getByLabel('The address is verified').setChecked(verified);
      await page.getByLabel('Picture').fill(picture);
      await page.getByRole('button', { name: 'Continue as this person' }).click();
    } else {
      await page.getByRole('button', { name: 'Deny access' }).click();
    }
    await arrived;
  },
};

// The same by fetch, without a page: what a browser brings back to `landing` from the provider inside `gatehouse dev`,
// {token} or {error, error_description}. The landing must be registered with the server.
export async function bring(server, provider, { email, verified, name, picture }, { landing, ...more }) {
  const follow = (url, options) => fetch(url, { redirect: 'manual', ...options });
  const start = await follow(startOf(server, provider, { login_redirect_url: landing, signup_redirect_url: landing, ...more }));
  const cookie = start.headers.getSetCookie().map((c) => c.split(';')[0]).join('; ');
  const form = new URLSearchParams({ name, email, picture, ...(verified && { verified: 'yes' }) });
  const decided = await follow(start.headers.get('location'), { method: 'POST', body: form });
  const callback = await follow(decided.headers.get('location'), { headers: { cookie } });
  return Object.fromEntries(new URL(callback.headers.get('location')).searchParams);
}

// Where providers send browsers back to for the server's project.
export const callbackOf = ({ base_url, project_id }, provider = '') =>
  `${base_url}/v1/oauth/callback/${project_id.replace('project-', 'oauth-callback-')}${provider && `/${provider}`}`;

// The address that sends a browser to a provider, with whatever is more to say in it.
export const startOf = ({ base_url, public_token }, provider, more = {}) =>
  `${base_url}/v1/public/oauth/${provider}/start?${new URLSearchParams({ public_token, ...more })}`;

// Has the server's project sign people in at the provider under a name such as 'google', and waits until it does.
export async function signInWith(server, name, { client_id, client_secret, issuer, endpoints }) {
  const where = name.startsWith('oidc_') ? ['--issuer', issuer] : Object.entries(endpoints).map(([kind, url]) => `--endpoint=${kind}=${url}`);
  const set = ['oauth-provider', 'set', 'test', name, '--client-id', client_id, ...where, '--data', server.data];
  await command(set, { GATEHOUSE_OAUTH_CLIENT_SECRET: client_secret });
  await eventually(async () => {
    const to = (await fetch(startOf(server, name), { redirect: 'manual' })).headers.get('location') ?? '';
    if (!to.includes(`client_id=${client_id}`)) throw new Error(`${name} is not in force; it leads to ${to}`);
  });
}
