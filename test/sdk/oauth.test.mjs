// Accounts at identity providers through the official Node client. The provider is the one inside `gatehouse dev`.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { block } from '../lib/docs.mjs';
import { account, bring, startOf } from '../lib/identity-provider.mjs';
import { answered, client, complete, idOf, newEmail, refused, userWithPasskey } from '../lib/sdk.mjs';
import { Server } from '../lib/server.mjs';

const hour = { session_duration_minutes: 60 };
const landing = 'http://localhost:3000/authenticate';

describe('accounts at identity providers', () => {
  let server, api;
  before(async () => {
    server = await Server.start();
    api = client(server);
  });
  after(() => server?.stop());

  // What somebody brings back from a provider: a token, which must be there.
  async function token(provider, who, more) {
    const { token, error, error_description } = await bring(server, provider, who, { landing, ...more });
    assert.equal(error, undefined, error_description);
    return token;
  }
  const signIn = async (provider, who, more = hour, way) => answered(await api.oauth.authenticate({ token: await token(provider, who, way), ...more }));
  const accounts = (user) => user.providers.map((p) => p.provider_type).sort();

  test('the values of the sandbox', async () => {
    const known = answered(await api.oauth.authenticate({ token: 'hdPVZHHX0UoRa7hJTuuPHi1vlddffSnoweRbVFf5-H8g', ...hour }));
    assert.equal(known.user_id, 'user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd');
    assert.equal(known.provider_type, 'Google');
    assert.match(known.oauth_user_registration_id, idOf('oauth-user'));
    assert.equal(known.user_session.authentication_factors[0].delivery_method, 'oauth_google');
    assert.ok(await api.sessions.authenticateJwtLocal({ session_jwt: known.session_jwt }));
    await refused(api.oauth.authenticate({ token: '59cnLELtq5cFVS6uYK9f-pAWzBkhqZl8AvLhbhOvKNWw', ...hour }), 400, 'oauth_token_not_found');
  });

  test('a token signs somebody in, with everything that the provider said', async () => {
    const who = account(newEmail());
    const login = await signIn('google', who);
    complete('login', login);
    complete('session', login.user_session);
    assert.ok(!('session' in login), 'the session has its older name here');
    assert.deepEqual(login.user.emails.map((e) => [e.email, e.verified]), [[who.email, true]]);
    const [held] = complete('user', login.user).providers;
    assert.deepEqual(held, {
      oauth_user_registration_id: login.oauth_user_registration_id, provider_subject: login.provider_subject, provider_type: 'Google',
      profile_picture_url: who.picture, locale: 'en',
    });
    const { access_token, refresh_token, id_token, scopes, expires_at } = login.provider_values;
    assert.deepEqual([typeof access_token, typeof refresh_token, id_token.split('.').length], ['string', 'string', 3]);
    assert.deepEqual([...scopes].sort(), ['email', 'openid', 'profile']);
    assert.ok(Date.parse(expires_at) > Date.now());
    // The access token is the provider's own, for its own API.
    const told = await (await fetch(`${server.base_url}/dev/idp/google/userinfo`, { headers: { authorization: `Bearer ${access_token}` } })).json();
    assert.deepEqual([told.sub, told.email], [login.provider_subject, who.email]);
  });

  test('the program in the documentation', async () => {
    await symlink('.', join(server.data, '.gatehouse'));
    const program = await block('oauth-development.md', '// signs-in.mjs');
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { cwd: server.data });
    const { user } = await api.oauth.authenticate({ token: stdout.trim() });
    assert.deepEqual(user.emails.map((e) => [e.email, e.verified]), [['sam@example.com', true]]);
  });

  test('a token works once', async () => {
    const brought = await token('google', account(newEmail()));
    answered(await api.oauth.authenticate({ token: brought }));
    await refused(api.oauth.authenticate({ token: brought }), 400, 'oauth_token_not_found');
    await refused(api.oauth.authenticate({ token: 'not-a-token' }), 400, 'oauth_token_not_found');
  });

  test('without a duration there is no session', async () => {
    const login = await signIn('google', account(newEmail()), {});
    assert.deepEqual([login.user_session, login.session_token, login.session_jwt], [null, '', '']);
  });

  test('an account joins the session that is given, and no one else’s', async () => {
    const who = account(newEmail());
    const first = await signIn('google', who);
    const second = await signIn('gitlab', account(who.email), { session_token: first.session_token });
    assert.equal(second.user_session.session_id, first.user_session.session_id);
    assert.deepEqual(second.user_session.authentication_factors.map((f) => f.delivery_method).sort(), ['oauth_gitlab', 'oauth_google']);
    await refused(signIn('google', account(newEmail()), { session_token: first.session_token }), 400, 'user_id_mismatch');
  });

  describe('adding an account', () => {
    // Somebody with a passkey, and nothing else.
    const somebody = () => userWithPasskey(api, { minutes: 60 });
    const attach = async (provider, whom) => {
      const { oauth_attach_token } = answered(await api.oauth.attach({ provider, ...whom }));
      assert.match(oauth_attach_token, /^[\w-]{44}$/);
      return { oauth_attach_token };
    };

    test('to a user whom the server names', async () => {
      const { user_id, email } = await somebody();
      const way = await attach('gitlab', { user_id });
      const login = await signIn('gitlab', account(email), hour, way);
      assert.deepEqual([login.user_id, accounts(login.user)], [user_id, ['GitLab']]);
      // The way is used up.
      const start = await fetch(startOf(server, 'gitlab', { login_redirect_url: landing, ...way }), { redirect: 'manual' });
      assert.deepEqual([start.status, (await start.json()).error_type], [400, 'invalid_oauth_attach_token']);
    });

    for (const by of ['session_token', 'session_jwt']) {
      test(`to the user of a ${by}, in that session`, async () => {
        const first = await signIn('google', account(newEmail()));
        const way = await attach('microsoft', { [by]: first[by] });
        const brought = await token('microsoft', account(newEmail(), { verified: false }), way);
        await refused(api.oauth.authenticate({ token: brought, ...hour }), 404, 'session_not_found');
        const login = await api.oauth.authenticate({ token: brought, [by]: first[by] });
        assert.equal(login.user_session.session_id, first.user_session.session_id);
        assert.deepEqual(accounts(login.user), ['Google', 'Microsoft']);
      });
    }

    test('only at the provider that it is for', async () => {
      const { user_id } = await somebody();
      const way = await attach('gitlab', { user_id });
      const start = await fetch(startOf(server, 'google', { login_redirect_url: landing, ...way }), { redirect: 'manual' });
      assert.deepEqual([start.status, (await start.json()).error_type], [400, 'invalid_oauth_attach_token']);
    });

    test('that another user has is refused', async () => {
      const taken = account(newEmail());
      await signIn('gitlab', taken);
      const { oauth_attach_token } = await attach('gitlab', { user_id: (await signIn('google', account(newEmail()))).user_id });
      const { error } = await bring(server, 'gitlab', taken, { landing, oauth_attach_token });
      assert.equal(error, 'duplicate_oauth_registration');
    });

    test('is refused for nobody, for several, and at providers that are not there', async () => {
      const { user_id, session_token } = await somebody();
      await refused(api.oauth.attach({ provider: 'google' }), 400, 'bad_request');
      await refused(api.oauth.attach({ provider: 'google', user_id, session_token }), 400, 'bad_request');
      await refused(api.oauth.attach({ provider: 'myspace', user_id }), 400, 'invalid_oauth_provider');
      await refused(api.oauth.attach({ provider: 'github', user_id }), 404, 'oauth_config_not_found');
    });
  });

  test('an account is taken away, and leads to the user no more', async () => {
    const who = account(newEmail(), { verified: false });
    const { user_id, email } = await userWithPasskey(api);
    const { oauth_attach_token } = await api.oauth.attach({ provider: 'google', user_id });
    // The user's own address first: nobody has proven it yet.
    await signIn('google', account(email), hour, { oauth_attach_token });
    const more = await api.oauth.attach({ provider: 'gitlab', user_id });
    const both = await signIn('gitlab', who, hour, { oauth_attach_token: more.oauth_attach_token });
    assert.deepEqual(accounts(both.user), ['GitLab', 'Google']);
    const { user } = answered(await api.users.deleteOAuthRegistration({ oauth_user_registration_id: both.oauth_user_registration_id }));
    assert.deepEqual(accounts(user), ['Google']);
    await refused(api.users.deleteOAuthRegistration({ oauth_user_registration_id: both.oauth_user_registration_id }), 404, 'oauth_user_registration_not_found');
    assert.notEqual((await signIn('gitlab', who)).user_id, user_id);
  });
});
