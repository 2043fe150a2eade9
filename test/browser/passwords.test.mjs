// Passwords with the unmodified browser SDK and its pre-built pages, on a customer's page: mails come from the mailbox, and
// their links are opened in the browser that asked for them, or in another one.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { rangeOf, serveBreaches } from '../lib/breaches.mjs';
import { launch, newPerson, screenshots } from '../lib/browser.mjs';
import { openWithSDK, sdk, serveCustomerPage, startSDK } from '../lib/customer-page.mjs';
import { asPerson, pressContinue } from '../lib/hop.mjs';
import { codes, loginLinkOf, mailbox, resets, tokenOf } from '../lib/mailbox.mjs';
import { client, complete, newEmail, newPhone, refused } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

const hour = { session_duration_minutes: 60 };
const patience = 20_000; // ms
// Passwords that zxcvbn finds good enough, and one of them that everybody knows.
const [first, second, everybodys] = ['mauve tractor sings 41', 'quiet lantern overflows 77', 'velvet harpoon dances 63'];

describe('passwords in a browser', () => {
  let server, api, mail, site, browser, breaches, landing, urls, people, page;
  before(async () => {
    breaches = await serveBreaches(everybodys);
    [server, site, browser] = await Promise.all([Server.start({ env: breaches.env }), serveCustomerPage(), launch()]);
    api = client(server);
    mail = mailbox(server);
    landing = `${site.origin}/authenticate`;
    urls = { login_redirect_url: landing, reset_password_redirect_url: landing };
    await server.allowRedirect(landing);
  });
  after(async () => {
    await Promise.all([browser?.close(), site?.close()]);
    await server?.stop();
    await breaches?.close();
  });
  beforeEach(async () => {
    people = [];
    page = await someone();
    await openWithSDK(page, site.origin, server);
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

  const create = (page, email, password = first) => sdk(page, 'passwords.create', { email, password, ...hour });
  const login = (page, email, password = first) => sdk(page, 'passwords.authenticate', { email, password, ...hour });

  // Has a reset mailed from the page. An address gets one a second: it asks until it is its turn.
  async function forget(page, email) {
    const [than] = await mail.all(email, resets);
    const answer = await eventually(() => sdk(page, 'passwords.resetByEmailStart', { email, ...urls }), patience);
    assert.deepEqual(Object.keys(answer).sort(), ['request_id', 'status_code'], 'a page does not learn who is a user');
    return mail.latest(email, { than, ...resets });
  }

  // Has a code sent from the page: its method_id and the code.
  async function ask(page, email, method = 'loginOrCreate') {
    const [than] = await mail.all(email, codes);
    const { method_id } = await eventually(() => sdk(page, `otps.email.${method}`, email, {}), patience);
    return { method_id, code: (await mail.latest(email, { than, ...codes })).code };
  }
  const enter = (page, { code, method_id }) => sdk(page, 'otps.authenticate', code, method_id, hour);

  // Opens the link in the browser that asked for it, which is forwarded at once.
  async function openAtHome(page, message) {
    await page.goto(message.link);
    await arrived(page, message);
  }

  // Opens the link in a browser that did not: it asks for a press.
  async function openElsewhere(page, message) {
    await page.goto(message.link);
    await page.getByRole('heading', { name: /^Continue/ }).waitFor();
    await pressContinue(page);
    await arrived(page, message);
  }

  // The customer's page has the token, and the SDK reads it.
  async function arrived(page, message) {
    const tokenType = new URL(message.link).searchParams.get('stytch_token_type');
    await page.waitForURL((url) => url.origin === site.origin);
    assert.equal(page.url(), `${landing}?stytch_token_type=${tokenType}&token=${tokenOf(message)}&public_token=${server.public_token}`);
    await startSDK(page, server);
    assert.deepEqual(await sdk(page, 'parseAuthenticateUrl'), { handled: false, tokenType, token: tokenOf(message) });
  }

  // The page is signed in by these factors. Returns the user that it knows of.
  async function signedIn(page, ...factors) {
    const session = await sdk(page, 'session.getSync');
    assert.deepEqual(session?.authentication_factors.map((f) => `${f.type}/${f.delivery_method}`), factors);
    const { session_token } = await sdk(page, 'session.getTokens');
    const cookies = await page.context().cookies(site.origin);
    assert.equal(cookies.find((c) => c.name === 'stytch_session').value, session_token);
    assert.equal((await api.sessions.authenticate({ session_token })).session.session_id, session.session_id);
    const user = await sdk(page, 'user.getSync');
    assert.equal(user.user_id, session.user_id);
    return user;
  }

  // The page finds out that its session has ended.
  async function signedOut(page) {
    await refusal(sdk(page, 'session.authenticate', {}), 404, 'session_not_found');
    assert.equal(await sdk(page, 'session.getSync'), null);
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

  // Waits until pages read these values in what the SDK starts with.
  const bootstrapped = (expected) => eventually(async () => {
    const { data } = await (await fetch(`${server.base_url}/sdk/v1/projects/bootstrap/${server.public_token}`, {
      headers: { authorization: `Basic ${btoa(`${server.public_token}:`)}`, origin: site.origin },
    })).json();
    for (const [name, value] of Object.entries(expected)) assert.deepEqual(data[name], value);
  }, patience);

  test('somebody signs up, and in again', async () => {
    const email = newEmail();
    const up = complete('login', await create(page, email));
    assert.deepEqual(up.user.emails.map((e) => [e.email, e.verified]), [[email, false]]);
    assert.equal((await signedIn(page, 'password/knowledge')).password.requires_reset, false);
    await sdk(page, 'session.revoke');
    assert.equal(await sdk(page, 'session.getSync'), null);

    await refusal(login(page, email, second), 401, 'unauthorized_credentials');
    const back = complete('login', await login(page, email));
    assert.equal(back.user_id, up.user_id);
    await signedIn(page, 'password/knowledge');
    // A slip of somebody who is signed in is just that.
    await refusal(login(page, email, second), 401, 'unauthorized_credentials');
    await signedIn(page, 'password/knowledge');
    assert.equal((await login(page, email)).session.session_id, back.session.session_id, 'it joins the session that the page has');
  });

  test('a page is told what a password is worth, and a server that looks breaches up only five digits', async () => {
    const check = (password, email) => sdk(page, 'passwords.strengthCheck', { password, email });
    const weak = await check('abcdefgh');
    assert.deepEqual(
      [weak.valid_password, weak.score, weak.strength_policy, weak.feedback.warning],
      [false, 0, 'zxcvbn', 'Sequences like "abc" or "6543" are easy to guess.'],
    );
    const strong = await check(first);
    assert.deepEqual([strong.valid_password, strong.score, strong.feedback.suggestions], [true, 4, []]);
    breaches.asked.length = 0;
    assert.equal((await check(everybodys)).breached_password, false); // without an address nobody is asked
    assert.deepEqual(breaches.asked, []);
    const known = await check(everybodys, newEmail());
    assert.deepEqual([known.valid_password, known.breached_password], [false, true]);
    assert.deepEqual(breaches.asked.map((a) => a.url), [rangeOf(everybodys)]);
    await refusal(create(page, newEmail(), everybodys), 400, 'breached_password');
    await refusal(create(page, newEmail(), 'abcdefgh'), 400, 'weak_password');
  });

  test('a password is set anew by mail, where that was asked for', async () => {
    const email = newEmail();
    await create(page, email);
    const other = await someone();
    await openWithSDK(other, site.origin, server);
    await login(other, email);

    const message = await forget(page, email);
    assert.equal(message.type, 'VERIFY_EMAIL_PASSWORD_RESET');
    await openAtHome(page, message);
    const reset = (password) => sdk(page, 'passwords.resetByEmail', { token: tokenOf(message), password, ...hour });
    await refusal(reset('abcdefgh'), 400, 'weak_password');
    complete('login', await reset(second));
    assert.equal((await signedIn(page, 'password/knowledge')).emails[0].verified, true);
    await signedOut(other);
    await refusal(login(other, email), 401, 'unauthorized_credentials');
    await login(other, email, second);

    assert.equal((await page.goto(message.link)).status(), 410);
    await page.getByRole('heading', { name: 'This link has expired or was already used' }).waitFor();
  });

  test('or in another browser, after a press; the second link of the mail signs in without a password', async () => {
    const email = newEmail();
    await create(page, email);
    const other = await someone();
    const message = await forget(page, email);
    await openElsewhere(other, message);
    await sdk(other, 'passwords.resetByEmail', { token: tokenOf(message), password: second, ...hour });
    await signedIn(other, 'password/knowledge');
    await signedOut(page);

    const way = loginLinkOf(await forget(page, email));
    await openAtHome(page, way);
    await refusal(sdk(page, 'passwords.resetByEmail', { token: tokenOf(way), password: first, ...hour }), 401, 'unable_to_auth_password_reset_token');
    await sdk(page, 'magicLinks.authenticate', tokenOf(way), hour);
    assert.equal((await signedIn(page, 'magic_link/email')).password.requires_reset, false);
    await signedIn(other, 'password/knowledge');
    await login(other, email, second);
  });

  test('somebody who knows the password changes it, and stays in here alone', async () => {
    const email = newEmail();
    const { session } = await create(page, email);
    const other = await someone();
    await openWithSDK(other, site.origin, server);
    await login(other, email);
    const change = (more) => sdk(page, 'passwords.resetByExistingPassword', { email, existing_password: first, new_password: second, ...hour, ...more });
    await refusal(change({ existing_password: second }), 400, 'password_does_not_match');
    await refusal(change({ new_password: 'abcdefgh' }), 400, 'weak_password');
    const done = complete('login', await change());
    assert.notEqual(done.session.session_id, session.session_id);
    await signedIn(page, 'password/knowledge');
    await signedOut(other);
    await login(other, email, second);
  });

  test('somebody who came in just now sets one', async () => {
    const email = newEmail();
    await create(page, email);
    const other = await someone();
    await openWithSDK(other, site.origin, server);
    const { session } = await login(other, email);
    const set = await sdk(other, 'passwords.resetBySession', { password: second, ...hour });
    assert.equal(set.session.session_id, session.session_id);
    await signedIn(other, 'password/knowledge');
    await signedOut(page);
    await refusal(sdk(page, 'passwords.resetBySession', { password: first, ...hour }), 401, 'user_unauthenticated');
  });

  test('a page learns from no refusal who is a user', async () => {
    const known = newEmail();
    await create(page, known);
    await sdk(page, 'session.revoke');
    const bare = newEmail();
    await api.users.create({ email: bare });
    for (const email of [known, bare, newEmail()]) {
      await refusal(login(page, email, second), 401, 'unauthorized_credentials');
      const change = { email, existing_password: second, new_password: first, ...hour };
      await refusal(sdk(page, 'passwords.resetByExistingPassword', change), 400, 'password_does_not_match');
    }
    const nobody = newEmail();
    await sdk(page, 'passwords.resetByEmailStart', { email: nobody, ...urls });
    await forget(page, known); // what was asked for later has arrived
    assert.deepEqual(await mail.all(nobody), []);
    await refusal(create(page, bare), 400, 'duplicate_email');
    // The sandbox is for servers.
    await refusal(create(page, 'sandbox@stytch.com'), 400, 'invalid_email_sandbox');
    await refusal(login(page, 'sandbox@stytch.com'), 401, 'unauthorized_credentials');
  });

  test('an operator switches passwords off for pages', async () => {
    const email = newEmail();
    await server.configure('passwords.enabled=false');
    await eventually(() => refusal(login(page, email), 401, 'endpoint_not_authorized_for_sdk'), patience);
    for (const [method, options] of [
      ['create', { email, password: first }], ['strengthCheck', { password: first }], ['resetByEmailStart', { email, ...urls }],
      ['resetByEmail', { token: 'A'.repeat(44), password: first }], ['resetBySession', { password: first }],
      ['resetByExistingPassword', { email, existing_password: first, new_password: second }],
    ]) await refusal(sdk(page, `passwords.${method}`, { ...options, ...hour }), 401, 'endpoint_not_authorized_for_sdk');
    await server.configure('passwords.enabled=true');
    await eventually(() => refusal(login(page, email), 401, 'unauthorized_credentials'), patience);
  });

  // factors.md, section 9.
  describe('and the address', () => {
    test('is proven before: a code, then the first password', async () => {
      const email = newEmail();
      const { user_id } = await enter(page, await ask(page, email));
      await signedIn(page, 'otp/email');
      await sdk(page, 'passwords.resetBySession', { password: first, ...hour });
      const user = await signedIn(page, 'otp/email', 'password/knowledge');
      assert.deepEqual([user.user_id, user.emails[0].verified, user.password.requires_reset], [user_id, true, false]);
      await sdk(page, 'session.revoke');
      await login(page, email);
      await signedIn(page, 'password/knowledge');
    });

    test('is proven afterwards, in the session of the password, which stays good', async () => {
      const email = newEmail();
      const { session } = await create(page, email);
      await refusal(sdk(page, 'otps.sms.send', newPhone(), {}), 400, 'too_many_unverified_factors');
      const done = await enter(page, await ask(page, email, 'send'));
      assert.deepEqual([done.session.session_id, done.reset_sessions], [session.session_id, false]);
      const user = await signedIn(page, 'password/knowledge', 'otp/email');
      assert.deepEqual([user.emails[0].verified, user.password.requires_reset], [true, false]);
      await sdk(page, 'session.revoke');
      await login(page, email);
      await signedIn(page, 'password/knowledge');
    });

    test('is proven by its owner, and whoever had taken it before is out', async () => {
      const attacker = page;
      const email = newEmail();
      await create(attacker, email);
      const owner = await someone();
      await openWithSDK(owner, site.origin, server);
      const in_ = await enter(owner, await ask(owner, email));
      assert.deepEqual([in_.reset_sessions, in_.user.password.requires_reset], [true, true]);
      await signedIn(owner, 'otp/email');
      await signedOut(attacker);
      await refusal(login(attacker, email), 400, 'reset_password');
      const change = { email, existing_password: first, new_password: second, ...hour };
      await refusal(sdk(attacker, 'passwords.resetByExistingPassword', change), 400, 'cannot_reset_password_with_existing_password');
      await signedIn(owner, 'otp/email');

      const message = await forget(owner, email);
      assert.equal(message.type, 'RESET_PASSWORD');
      await openAtHome(owner, message);
      await sdk(owner, 'passwords.resetByEmail', { token: tokenOf(message), password: second, ...hour });
      await refusal(login(attacker, email), 401, 'unauthorized_credentials');
      await login(owner, email, second);
      await signedIn(owner, 'password/knowledge');
    });
  });

  describe('with PKCE', () => {
    const setRequired = async (on) => {
      await server.configure(`passwords.pkce_required_for_password_resets=${on}`);
      await bootstrapped({ pkce_required_for_password_resets: on });
    };
    before(() => setRequired(true));
    after(() => setRequired(false));

    test('both links work only where they were asked for, and another browser does not spoil them', async () => {
      const email = newEmail();
      await create(page, email);
      const message = await forget(page, email);
      const other = await someone();
      await openElsewhere(other, message);
      const reset = (page) => sdk(page, 'passwords.resetByEmail', { token: tokenOf(message), password: second, ...hour });
      await refusal(reset(other), 400, 'pkce_expected_code_verifier');
      await openWithSDK(other, site.origin, server);
      await forget(other, email); // now it has a verifier of its own
      await refusal(reset(other), 400, 'pkce_mismatch');
      await openAtHome(page, message);
      await reset(page);
      await signedIn(page, 'password/knowledge');

      await sdk(page, 'session.revoke');
      const way = loginLinkOf(await forget(page, email));
      await openAtHome(page, way);
      await sdk(page, 'magicLinks.authenticate', tokenOf(way), hour); // with the verifier of the reset
      await signedIn(page, 'magic_link/email');
    });
  });

  describe('the pre-built pages', () => {
    // Shows a page of the SDK, and notes in window.told what it tells the customer's page.
    const show = (what, more = {}) => page.evaluate(([what, landing, more]) => {
      const { Products, defaultTheme, defaultDarkTheme, ...pages } = window.stytch;
      window.told = [];
      if (!customElements.get('x-pages')) customElements.define('x-pages', pages[what]);
      const element = document.createElement('x-pages');
      element.render({
        client: window.client,
        config: {
          products: [Products.passwords, ...(more.otpOptions ? [Products.otp] : [])],
          passwordOptions: { loginRedirectURL: landing, resetPasswordRedirectURL: landing, resetPasswordExpirationMinutes: 20, locale: 'es' },
          sessionOptions: { sessionDurationMinutes: 60 },
          ...more,
        },
        presentation: { theme: [defaultTheme, defaultDarkTheme] },
        callbacks: { onEvent: (e) => window.told.push(e.type), onError: (e) => window.told.push(e.error_type ?? e.message) },
      });
      document.querySelector('#login').append(element);
    }, [what, landing, more]);
    const told = () => page.evaluate(() => window.told);
    const showLogin = (more) => show('StytchUI', more);
    const showReset = () => show('StytchResetPassword');

    const says = (text) => page.getByText(text).first().waitFor();
    const press = (name) => page.getByRole('button', { name, exact: true }).click();
    const continueButton = () => page.getByRole('button', { name: 'Continue', exact: true });
    const field = () => page.getByLabel('Password', { exact: true });
    const asks = async (heading) => {
      await says(heading);
      await field().waitFor();
    };

    // Types an address, the first thing that the page asks for.
    async function typeAddress(email) {
      await page.getByPlaceholder('example@email.com').fill(email);
      await press('Continue with email');
    }

    // Types a new password, which is judged while it is typed.
    async function choose(password, judgement) {
      await field().fill(password);
      await says(judgement);
    }
    const [accepted, notAccepted] = ['Password accepted.', 'Password not accepted.'];

    // The page is signed in, and has told so.
    async function done(event, ...factors) {
      await says('Success!');
      const events = [...(event ? [event] : []), 'AUTHENTICATE_FLOW_COMPLETE'];
      await eventually(async () => assert.deepEqual((await told()).slice(-events.length), events)); // shown first, told then
      const session = await sdk(page, 'session.getSync');
      assert.equal(Date.parse(session.expires_at) - Date.parse(session.started_at), 60 * 60_000);
      return signedIn(page, ...factors);
    }

    // Somebody with a password whose address is proven, and no browser.
    async function member() {
      const email = newEmail();
      const { session_token } = await api.passwords.create({ email, password: first, ...hour });
      const { email_id } = await api.otps.email.send({ email, session_token });
      await api.otps.authenticate({ method_id: email_id, code: (await mail.latest(email, codes)).code, session_token });
      return email;
    }

    test('somebody new is told how good the password is while it is typed, and signs up', async () => {
      const email = newEmail();
      await showLogin();
      await typeAddress(email);
      await asks('Finish creating your account by setting a password.');
      assert.equal(await continueButton().isEnabled(), false);
      await choose('p@ssword1', notAccepted);
      await says('This is similar to a commonly used password.');
      await says("Predictable substitutions like '@' instead of 'a' don't help very much.");
      await says('Password strength: 1 out of 4.');
      assert.equal(await continueButton().isEnabled(), false);
      await choose('abcdefgj', notAccepted);
      await says('Sequences like "abc" or "6543" are easy to guess.');
      await screenshots(page, 'passwords-weak');
      await choose(first, accepted);
      await says('Password strength: 4 out of 4.');
      await screenshots(page, 'passwords-strong');
      await press('Continue');
      const user = await done('PASSWORD_CREATE', 'password/knowledge');
      assert.deepEqual(user.emails.map((e) => [e.email, e.verified]), [[email, false]]);
    });

    test('where an operator counts kinds of characters, it says which are missing', async () => {
      await server.set('passwords.validation_policy=luds', 'passwords.luds_min_password_length=10', 'passwords.luds_min_password_complexity=3');
      await bootstrapped({ password_config: { luds_complexity: 3, luds_minimum_count: 10 } });
      await openWithSDK(page, site.origin, server);
      const email = newEmail();
      await showLogin();
      await typeAddress(email);
      await asks('Finish creating your account by setting a password.');
      await choose('abcDEF', 'Your password must meet all requirements.');
      const rule = (kind, text) => says(new RegExp(`^${kind}:\\s*${text}$`));
      await rule('Not fulfilled', 'Must be at least 10 characters long');
      await rule('Not fulfilled', 'Must contain 3 of the following: uppercase letter, lowercase letter, number, symbol');
      await choose('abcDEF 123', accepted);
      await rule('Fulfilled', 'Must be at least 10 characters long');
      assert.match(await field().getAttribute('passwordrules'), /minlength: 10; required: special; required: digit; required: upper$/);
      await screenshots(page, 'passwords-luds');
      await press('Continue');
      await done('PASSWORD_CREATE', 'password/knowledge');
      await server.set('passwords.validation_policy=', 'passwords.luds_min_password_length=', 'passwords.luds_min_password_complexity=');
      await bootstrapped({ password_config: null });
    });

    test('a password that others know is told of while it is typed', async () => {
      await showLogin();
      await typeAddress(newEmail());
      await asks('Finish creating your account by setting a password.');
      await choose(everybodys, 'This password may have been used on a different site that experienced a security issue.');
      await says(notAccepted);
      assert.equal(await continueButton().isEnabled(), false);
      await screenshots(page, 'passwords-breached');
      await choose(second, accepted);
      await press('Continue');
      await done('PASSWORD_CREATE', 'password/knowledge');
      for (const { url } of breaches.asked) assert.match(url, /^\/range\/[0-9A-F]{5}$/);
      assert.ok(breaches.asked.some((a) => a.url === rangeOf(everybodys)));
    });

    test('somebody comes back, after a slip', async () => {
      const email = await member();
      await showLogin();
      await typeAddress(email);
      await asks('Log in');
      await field().fill(second);
      await press('Continue');
      await says('Unauthorized credentials.');
      await eventually(async () => assert.deepEqual(await told(), ['unauthorized_credentials']));
      await screenshots(page, 'passwords-wrong');
      await field().fill(first);
      await press('Continue');
      await done('PASSWORD_AUTHENTICATE', 'password/knowledge');
    });

    test('somebody who has forgotten it sets another on the page that the mail leads to', async () => {
      const email = await member();
      await showLogin();
      await typeAddress(email);
      await asks('Log in');
      await press('Forgot your password?');
      await says(`A link to reset your password was sent to you at ${email}.`);
      await screenshots(page, 'passwords-forgot');
      const message = await mail.latest(email, resets);
      assert.deepEqual([message.type, message.locale], ['RESET_PASSWORD', 'es']);
      await openAtHome(page, message);
      await showReset();
      await asks('Reset your password');
      await choose('abcdefgh', notAccepted);
      assert.equal(await continueButton().isEnabled(), false);
      // Here the page does not say whose password it is, so a breach is found when it is set.
      await choose(everybodys, accepted);
      await press('Continue');
      await says('Password appears in the list of breached passwords and must be reset.');
      await screenshots(page, 'passwords-reset');
      await choose(second, accepted);
      await press('Continue');
      await done('PASSWORD_RESET_BY_EMAIL', 'password/knowledge');
      await login(page, email, second);
    });

    test('the other link of the mail signs in at once, without a password', async () => {
      const email = await member();
      const way = loginLinkOf(await forget(page, email));
      await openAtHome(page, way);
      await showReset();
      await done(null, 'magic_link/email');
      await login(page, email);
    });

    test('the page that sets a new password lets in without one, too', async () => {
      const email = await member();
      await openAtHome(page, await forget(page, email));
      await showReset();
      await asks('Reset your password');
      await press('Login without a password');
      await done(null, 'magic_link/email');
      await login(page, email);
    });

    test('a link that is used twice says so, in the words of the server', async () => {
      const email = await member();
      const message = await forget(page, email);
      await openAtHome(page, message);
      await api.passwords.email.reset({ token: tokenOf(message), password: second });
      await showReset();
      await asks('Reset your password');
      await choose(first, accepted);
      await press('Continue');
      await says(/^The link is not valid: it was used already/);
      await press('Login without a password');
      await says(/magic link could not be authenticated/);
      await eventually(async () => assert.deepEqual(await told(), ['unable_to_auth_password_reset_token', 'unable_to_auth_magic_link']));
    });

    test('somebody without a password is mailed, and sets a first one', async () => {
      const email = newEmail();
      await api.users.create({ email });
      await showLogin();
      await typeAddress(email);
      await says('A login link was sent to you at');
      await eventually(async () => assert.deepEqual(await told(), ['PASSWORD_RESET_BY_EMAIL_START']));
      const message = await mail.latest(email, resets);
      assert.equal(message.type, 'VERIFY_EMAIL_PASSWORD_RESET');
      await openAtHome(page, message);
      await showReset();
      await asks('Reset your password');
      await choose(first, accepted);
      await press('Continue');
      const user = await done('PASSWORD_RESET_BY_EMAIL', 'password/knowledge');
      assert.equal(user.emails[0].verified, true);
    });

    test('somebody without a password types a code, where the page offers codes, too', async () => {
      const email = newEmail();
      await api.users.create({ email });
      await showLogin({ otpOptions: { methods: ['email'] } });
      await page.getByPlaceholder('example@email.com').fill(email);
      await press('Continue with email');
      const { code } = await mail.latest(email, codes);
      await page.getByRole('textbox', { name: 'One-time passcode' }).fill(code);
      await says('Success!');
      await signedIn(page, 'otp/email');
    });

    test('somebody whose password must be set anew is mailed, and told why', async () => {
      const email = newEmail();
      await api.passwords.create({ email, password: first });
      const { email_id } = await api.otps.email.loginOrCreate({ email });
      await api.otps.authenticate({ method_id: email_id, code: (await mail.latest(email, codes)).code });
      await refused(api.passwords.authenticate({ email, password: first }), 400, 'reset_password');

      await showLogin();
      await typeAddress(email);
      await asks('Log in');
      await field().fill(first);
      await press('Continue');
      await says('Check your email to set a new password');
      await says(/^We want to make sure your account is secure/);
      await screenshots(page, 'passwords-must-reset');
      await eventually(async () => assert.deepEqual(await told(), ['reset_password']));
      await openAtHome(page, await mail.latest(email, resets));
      await showReset();
      await asks('Reset your password');
      await choose(second, accepted);
      await press('Continue');
      await done('PASSWORD_RESET_BY_EMAIL', 'password/knowledge');
      assert.equal((await sdk(page, 'user.getSync')).password.requires_reset, false);
    });

    test('a lock shows, and so does an environment that tells pages nobody', async () => {
      const email = await member();
      for (let n = 0; n < 10; n++) await refused(api.passwords.authenticate({ email, password: `${second} ${n}` }), 401, 'unauthorized_credentials');
      await showLogin();
      await typeAddress(email);
      await asks('Log in');
      await field().fill(first);
      await press('Continue');
      await says('Too many failed authentication attempts. Please try again later.');

      await server.configure('passwords.search_disabled=true');
      await eventually(async () => {
        await openWithSDK(page, site.origin, server);
        await showLogin();
        await typeAddress(email);
        await page.getByText(/^Pages cannot ask here how somebody signs in/).waitFor({ timeout: 1000 });
      }, patience);
      await eventually(async () => assert.deepEqual(await told(), ['endpoint_not_authorized_for_sdk']));
      await server.configure('passwords.search_disabled=');
    });
  });
});
