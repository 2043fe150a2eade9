// E-mail magic links with the unmodified browser SDK and its pre-built login, on a customer's page: the mail comes from
// the mailbox, and its link is opened in the browser that asked for it, or in another one.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { launch, newPerson } from '../lib/browser.mjs';
import { openWithSDK, sdk, serveCustomerPage, showLogin, startSDK, told } from '../lib/customer-page.mjs';
import { asPerson, pressContinue } from '../lib/hop.mjs';
import { mailbox, tokenOf } from '../lib/mailbox.mjs';
import { client, complete, newEmail } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

const hour = { session_duration_minutes: 60 };
const patience = 20_000; // ms

describe('magic links in a browser', () => {
  let server, api, mail, site, browser, landing, urls, people, page;
  before(async () => {
    [server, site, browser] = await Promise.all([Server.start(), serveCustomerPage(), launch()]);
    api = client(server);
    mail = mailbox(server);
    landing = `${site.origin}/authenticate`;
    urls = { login_magic_link_url: landing, signup_magic_link_url: landing };
    await server.allowRedirect(landing);
  });
  after(async () => {
    await Promise.all([browser?.close(), site?.close()]);
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

  // The page of somebody at a browser of their own.
  async function someone() {
    const person = await newPerson(browser);
    await asPerson(person.context);
    people.push(person);
    return person.page;
  }

  // Asks for a link on the page and returns the mail. An address gets one mail a second: it asks until it is its turn.
  async function ask(page, email, method = 'loginOrCreate') {
    const [than] = await mail.all(email);
    const answer = await eventually(() => sdk(page, `magicLinks.email.${method}`, email, urls), patience);
    assert.deepEqual(Object.keys(answer).sort(), ['request_id', 'status_code'], 'a page does not learn who is a user');
    return mail.latest(email, { than });
  }

  // Opens the link in the browser that asked for it, which is forwarded at once.
  async function openAtHome(page, message) {
    await page.goto(message.link);
    await arrived(page, message);
  }

  // Opens the link in a browser that did not: it asks for a press.
  async function openElsewhere(page, message) {
    await page.goto(message.link);
    await page.getByRole('heading', { name: /^Continue/ }).waitFor();
    assert.ok(page.url().startsWith(server.base_url));
    await pressContinue(page);
    await arrived(page, message);
  }

  // The customer's page has the token, and the SDK reads it.
  async function arrived(page, message) {
    await page.waitForURL((url) => url.origin === site.origin);
    assert.equal(page.url(), `${landing}?stytch_token_type=magic_links&token=${tokenOf(message)}`);
    await startSDK(page, server);
    const parsed = { handled: true, tokenType: 'magic_links', token: tokenOf(message) };
    assert.deepEqual(await sdk(page, 'parseAuthenticateUrl'), parsed);
  }

  // Finishes on the customer's page and returns the login, with which the page is signed in.
  async function finish(page) {
    const { handled, tokenType, data } = await sdk(page, 'authenticateByUrl', hour);
    assert.deepEqual([handled, tokenType], [true, 'magic_links']);
    assert.equal(page.url(), landing, 'the token is gone from the address');
    return signedIn(page, data);
  }

  async function signedIn(page, login) {
    complete('login', login);
    assert.equal((await sdk(page, 'session.getSync')).session_id, login.session.session_id);
    assert.equal((await sdk(page, 'user.getSync')).user_id, login.user_id);
    const cookies = await page.context().cookies(site.origin);
    assert.equal(cookies.find((c) => c.name === 'stytch_session').value, login.session_token);
    return login;
  }

  const refusal = (call, status_code, error_type) =>
    assert.rejects(call, (err) => {
      assert.deepEqual(
        { name: err.name, status_code: err.status_code, error_type: err.error_type },
        { name: 'StytchAPIError', status_code, error_type },
        err.message,
      );
      return true;
    });

  test('somebody signs up, and in again, where they asked for it', async () => {
    const email = newEmail();
    await openWithSDK(page, site.origin, server);
    const welcome = await ask(page, email);
    assert.equal(welcome.type, 'SIGNUP');
    await openAtHome(page, welcome);
    const first = await finish(page);
    assert.deepEqual(first.user.emails.map((e) => [e.email, e.verified]), [[email, true]]);
    assert.deepEqual(first.session.authentication_factors.map((f) => [f.type, f.delivery_method]), [['magic_link', 'email']]);

    await sdk(page, 'session.revoke');
    assert.equal(await sdk(page, 'session.getSync'), null);
    const back = await ask(page, email);
    assert.equal(back.type, 'LOGIN');
    await openAtHome(page, back);
    const second = await signedIn(page, await sdk(page, 'magicLinks.authenticate', tokenOf(back), hour));
    assert.equal(second.user_id, first.user_id);
    assert.notEqual(second.session.session_id, first.session.session_id);

    assert.equal((await page.goto(back.link)).status(), 410);
    await page.getByRole('heading', { name: 'This link has expired or was already used' }).waitFor();
  });

  test('a link that is opened in another browser asks for a press, and signs in there', async () => {
    await openWithSDK(page, site.origin, server);
    const message = await ask(page, newEmail());
    const other = await someone();
    await openElsewhere(other, message);
    await finish(other);
    await page.goto(site.origin);
    await startSDK(page, server);
    assert.equal(await sdk(page, 'session.getSync'), null, 'the first browser is not signed in');
    await refusal(sdk(page, 'magicLinks.authenticate', tokenOf(message), hour), 401, 'unable_to_auth_magic_link');
  });

  test('an invitation is accepted in a browser that has never been here', async () => {
    const email = newEmail();
    const guest = { email, name: { first_name: 'Grace' }, invite_magic_link_url: landing };
    const { user_id } = await api.magicLinks.email.invite(guest);
    const message = await mail.latest(email);
    assert.equal(message.type, 'INVITE');
    await openElsewhere(page, message);
    const login = await finish(page);
    assert.deepEqual([login.user_id, login.user.status, login.user.name.first_name], [user_id, 'active', 'Grace']);
  });

  test('a user has a link sent without becoming one', async () => {
    const email = newEmail();
    const { user_id } = await api.users.create({ email });
    const calls = await openWithSDK(page, site.origin, server);
    const message = await ask(page, email, 'send');
    assert.equal((await calls.settled('/sdk/v1/magic_links/email/send/primary')).status, 200);
    await openAtHome(page, message);
    assert.equal((await finish(page)).user_id, user_id);
    await sdk(page, 'session.revoke');
    await refusal(sdk(page, 'magicLinks.email.send', newEmail(), urls), 404, 'email_not_found');
  });

  test('somebody who is signed in adds an address, in the same session', async () => {
    const email = newEmail();
    const calls = await openWithSDK(page, site.origin, server);
    await openAtHome(page, await ask(page, email));
    const { user_id, session } = await finish(page);

    const more = newEmail();
    const message = await ask(page, more, 'send');
    assert.equal((await calls.settled('/sdk/v1/magic_links/email/send/secondary')).status, 200);
    await openAtHome(page, message);
    const added = await finish(page);
    assert.deepEqual([added.user_id, added.session.session_id], [user_id, session.session_id]);
    assert.deepEqual(added.user.emails.map((e) => [e.email, e.verified]), [[email, true], [more, true]]);
    assert.equal(added.session.authentication_factors.length, 2);
  });

  test('a page may read why it is refused', async () => {
    await openWithSDK(page, site.origin, server);
    const askFor = (email, more) => sdk(page, 'magicLinks.email.loginOrCreate', email, { ...urls, ...more });
    await refusal(askFor('not an address'), 400, 'invalid_email');
    const evil = { login_magic_link_url: 'https://evil.example/' };
    await refusal(askFor(newEmail(), evil), 400, 'no_match_for_provided_magic_link_url');
    await refusal(sdk(page, 'magicLinks.authenticate', 'A'.repeat(44), hour), 404, 'magic_link_not_found');
    const email = newEmail();
    await eventually(async () => {
      await askFor(email).catch(() => {});
      await refusal(askFor(email), 429, 'too_many_requests');
    }, patience);
    // The sandbox is for servers.
    await refusal(askFor('sandbox@stytch.com'), 400, 'invalid_email_sandbox');
    const sandboxToken = 'DOYoip3rvIMMW5lgItikFK-Ak1CfMsgjuiCyI7uuU94=';
    await refusal(sdk(page, 'magicLinks.authenticate', sandboxToken, hour), 404, 'magic_link_not_found');
  });

  describe('the pre-built login', () => {
    // Shows it on the page, with the SDK's own options.
    const show = () => showLogin(page, {
      products: ['emailMagicLinks'],
      emailMagicLinksOptions: {
        loginRedirectURL: landing, loginExpirationMinutes: 30,
        signupRedirectURL: landing, signupExpirationMinutes: 30,
        locale: 'es',
      },
    });

    const address = () => page.getByPlaceholder('example@email.com');
    const submit = () => page.getByRole('button', { name: 'Continue with email' }).click();
    const announced = (email) => page.getByText(`An email was sent to ${email}.`).waitFor();

    test('an address is typed, the mail is announced, its link finishes the login', async () => {
      const email = newEmail();
      await openWithSDK(page, site.origin, server);
      await show();
      await address().fill(email);
      await submit();
      await page.getByText('Check your email').waitFor();
      await announced(email);
      assert.deepEqual(await told(page), ['MAGIC_LINK_LOGIN_OR_CREATE']);
      const message = await mail.latest(email);
      assert.deepEqual([message.type, message.locale], ['SIGNUP', 'es']);
      await openAtHome(page, message);
      assert.deepEqual((await finish(page)).user.emails.map((e) => e.email), [email]);
    });

    test('it sends again when asked to, and each link works', async () => {
      const email = newEmail();
      await openWithSDK(page, site.origin, server);
      await show();
      await address().fill(email);
      await submit();
      await announced(email);
      const first = await mail.latest(email);
      // Too soon, the server refuses, and the button can be pressed again.
      const resend = page.getByRole('button', { name: 'Resend email' });
      await eventually(async () => {
        await resend.click({ timeout: 1000 }).catch(() => {});
        assert.equal((await mail.all(email)).length, 2);
      }, patience);
      await page.getByRole('button', { name: 'Go back' }).click();
      await address().waitFor();
      const second = await mail.latest(email, { than: first });
      await openAtHome(page, first);
      const { user_id } = await finish(page);
      await openAtHome(page, second);
      assert.equal((await finish(page)).user_id, user_id);
    });

    test('it says what is wrong, in the words of the server', async () => {
      const email = newEmail();
      await openWithSDK(page, site.origin, server);
      await show();
      await address().fill(email);
      await eventually(async () => {
        await api.magicLinks.email.loginOrCreate({ email }).catch(() => {});
        if (!(await address().isVisible())) await page.getByRole('button', { name: 'Go back' }).click();
        await address().fill(email);
        await submit();
        await page.getByText(/^Too many requests/).waitFor({ timeout: 1000 });
      }, patience);
      assert.equal((await told(page)).at(-1), 'too_many_requests');
    });
  });

  describe('with PKCE', () => {
    const setRequired = async (on) => {
      await server.configure(`magic_links.pkce_required=${on}`);
      await eventually(async () => {
        const { data } = await (await fetch(`${server.base_url}/sdk/v1/projects/bootstrap/${server.public_token}`, {
          headers: { authorization: `Basic ${btoa(`${server.public_token}:`)}`, origin: site.origin },
        })).json();
        assert.equal(data.pkce_required_for_email_magic_links, on);
      }, patience);
    };
    before(() => setRequired(true));
    after(() => setRequired(false));

    test('a link works only where it was asked for, and another browser does not spoil it', async () => {
      await openWithSDK(page, site.origin, server);
      const message = await ask(page, newEmail());
      const other = await someone();
      await openElsewhere(other, message);
      await refusal(sdk(other, 'authenticateByUrl', hour), 400, 'pkce_expected_code_verifier');
      assert.equal(await sdk(other, 'session.getSync'), null);

      await openWithSDK(other, site.origin, server);
      await ask(other, newEmail()); // now it has a verifier of its own
      await openElsewhere(other, message);
      await refusal(sdk(other, 'authenticateByUrl', hour), 400, 'pkce_mismatch');

      await openAtHome(page, message);
      await finish(page);
    });

    test('what a server asks for needs none, but waits while the browser waits for a link of its own', async () => {
      await openWithSDK(page, site.origin, server);
      const [own, another] = [await ask(page, newEmail()), await ask(page, newEmail())];
      const email = newEmail();
      await api.magicLinks.email.invite({ email, invite_magic_link_url: landing });
      const invitation = await mail.latest(email);
      await openElsewhere(page, invitation);
      await refusal(sdk(page, 'authenticateByUrl', hour), 400, 'pkce_did_not_expect_code_verifier');

      await openAtHome(page, own);
      await finish(page);
      await sdk(page, 'session.revoke');
      // The SDK keeps one verifier, and has used it.
      await openAtHome(page, another);
      await refusal(sdk(page, 'authenticateByUrl', hour), 400, 'pkce_expected_code_verifier');
      await openElsewhere(page, invitation);
      assert.equal((await finish(page)).user.emails[0].email, email);
    });
  });
});
