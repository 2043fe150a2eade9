// The pages of `gatehouse dev` as a person uses them: the start page and the demo app.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { launch, newPerson, newTab, Passkeys, screenshots } from '../lib/browser.mjs';
import { client, newEmail } from '../lib/sdk.mjs';
import { Server } from '../lib/server.mjs';

describe('the pages of gatehouse dev', () => {
  let server, api, browser, person, page;
  before(async () => {
    [server, browser] = await Promise.all([Server.start(), launch()]);
    api = client(server);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });
  beforeEach(async () => {
    person = await newPerson(browser, { baseURL: server.base_url });
    page = person.page;
  });
  afterEach(async () => {
    assert.deepEqual(person.problems, [], 'errors on the page');
    await person.context.close();
  });

  const button = (name, on = page) => on.getByRole('button', { name });
  const heading = (name, on = page) => on.getByRole('heading', { name }).waitFor();
  const says = (text, on = page) => on.getByText(text).first().waitFor();

  // The virtual device answers autofill at once, as no person would. These pages then have only their buttons.
  const withoutAutofill = (on = page) =>
    on.addInitScript(() => { PublicKeyCredential.isConditionalMediationAvailable = () => Promise.resolve(false); });

  const register = async (email = newEmail()) => {
    await page.goto('/demo');
    await page.getByLabel('E-mail').fill(email);
    await button('Create a passkey').click();
    await heading('You are signed in');
    return email;
  };

  const signOut = async () => {
    await button('Sign out').click();
    await says('You are signed out.');
  };

  // No page scrolls sideways, however narrow.
  const fits = async () => {
    await page.setViewportSize({ width: 320, height: 640 });
    const [content, window] = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth]);
    assert.ok(content <= window, `${content} px of content in ${window} px`);
    await page.setViewportSize({ width: 1280, height: 720 });
  };

  test('the start page shows what is running and how to reach it', async () => {
    await page.goto('/');
    await heading('Gatehouse is running');
    await says(server.base_url);
    const text = await page.locator('main').innerText();
    assert.ok(!text.includes(server.secret), 'the secret is hidden until asked for');
    await button('Show the secret').click();
    await says(server.secret);
    await button('Hide the secret').click();
    await fits();
    await screenshots(page, 'start');
    await page.getByRole('link', { name: 'Try a passkey' }).click();
    await heading('Create your account');
  });

  test('the API reference is served without the network', async () => {
    const asked = [];
    page.on('request', (request) => asked.push(new URL(request.url()).origin));
    await page.goto('/reference');
    await says('/v1/users');
    assert.deepEqual([...new Set(asked)], [server.base_url]);
    await screenshots(page, 'reference', { fullPage: false });
  });

  test('create a passkey, sign out, sign in with it, and the backend has verified the session', async () => {
    await withoutAutofill();
    await page.goto('/demo');
    await heading('Create your account');
    await fits();
    await screenshots(page, 'demo-signed-out');
    const email = await register();
    await says(email);
    await says('Verified by the app’s backend');
    await says(/Valid, RS256, by the published keys/);
    const { results: [user] } = await api.users.search({
      query: { operator: 'AND', operands: [{ filter_name: 'email_address', filter_value: [email] }] },
    });
    await says(`"sub": "${user.user_id}"`);
    await fits();
    await screenshots(page, 'demo-signed-in');

    await signOut();
    const { sessions } = await api.sessions.get({ user_id: user.user_id });
    assert.deepEqual(sessions, [], 'the server has forgotten it too');
    await heading('Welcome back');
    await screenshots(page, 'demo-welcome-back');
    await button('Continue with a passkey').click();
    await heading('You are signed in');
    await says(email);
    await page.reload();
    await says(email);
  });

  test('autofill signs in without a click', async () => {
    const email = await register();
    await person.passkeys.answers(false);
    await signOut();
    await person.passkeys.answers(true);
    await page.reload();
    await heading('You are signed in');
    await says(email);
  });

  test('by keyboard alone', async () => {
    await withoutAutofill();
    await page.goto('/demo');
    await page.getByLabel('E-mail').focus();
    await page.keyboard.type(newEmail());
    await page.keyboard.press('Enter');
    await heading('You are signed in');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'You are signed in', 'focus moved along');
    await button('Sign out').focus();
    await page.keyboard.press('Enter');
    await heading('Welcome back');
    await button('Continue with a passkey').focus();
    await page.keyboard.press('Enter');
    await heading('You are signed in');
  });

  test('an address that is none is told at the field', async () => {
    await page.goto('/demo');
    for (const [value, text] of [['', 'Enter your e-mail.'], ['nonsense', /Enter an e-mail with a name/]]) {
      await page.getByLabel('E-mail').fill(value);
      await button('Create a passkey').click();
      await says(text);
      assert.equal(await page.getByLabel('E-mail').getAttribute('aria-invalid'), 'true');
    }
  });

  test('add a second passkey, rename it, delete the first', async () => {
    await withoutAutofill();
    const email = await register();
    const items = page.locator('[data-passkey]');
    assert.equal(await items.count(), 1);

    await button('Add a passkey').click();
    await says(/already holds a passkey/);
    await person.passkeys.remove(); // another device
    await person.passkeys.add({ transport: 'usb' });
    await button('Add a passkey').click();
    await says(/was added\./);
    assert.equal(await items.count(), 2);

    await items.nth(1).getByRole('button', { name: /^Rename/ }).click();
    await page.getByLabel('Name of this passkey').fill('Blue key');
    await page.keyboard.press('Enter');
    await says('The passkey is now called Blue key.');
    await screenshots(page, 'demo-two-passkeys');

    await items.nth(0).getByRole('button', { name: /^Delete/ }).click();
    await screenshots(page, 'demo-delete', { fullPage: false });
    await button('Cancel').click();
    assert.equal(await items.count(), 2);
    await items.nth(0).getByRole('button', { name: /^Delete/ }).click();
    await button('Delete this passkey').click();
    await says(/was deleted\./);
    assert.equal(await items.count(), 1);
    await says('Blue key');

    await signOut();
    await button('Continue with a passkey').click();
    await says(email);
  });

  test('a person who cancels may try again', async () => {
    await withoutAutofill();
    await page.goto('/demo');
    await person.passkeys.verifies(false);
    await page.getByLabel('E-mail').fill(newEmail());
    await button('Create a passkey').click();
    await says('No passkey was created. Try again when you are ready.');
    await screenshots(page, 'demo-cancelled');
    await button('Sign in with a passkey').click();
    await says(/No passkey was used\./);
    await person.passkeys.verifies(true);
    await button('Create a passkey').click();
    await heading('You are signed in');
  });

  test('a passkey that was deleted meanwhile says so', async () => {
    await withoutAutofill();
    const email = await register();
    const { results: [user] } = await api.users.search({
      query: { operator: 'AND', operands: [{ filter_name: 'email_address', filter_value: [email] }] },
    });
    await signOut();
    const [{ webauthn_registration_id }] = user.webauthn_registrations;
    await api.users.deleteWebAuthnRegistration({ webauthn_registration_id });
    await button('Continue with a passkey').click();
    await says('That passkey does not open an account here any more.');
    await screenshots(page, 'demo-deleted-passkey');
  });

  test('a session that the server ended is noticed', async () => {
    await withoutAutofill();
    const email = await register();
    const { results: [user] } = await api.users.search({
      query: { operator: 'AND', operands: [{ filter_name: 'email_address', filter_value: [email] }] },
    });
    const { sessions: [session] } = await api.sessions.get({ user_id: user.user_id });
    await api.sessions.revoke({ session_id: session.session_id });
    await button('Check again').click();
    await says('Your session has ended. Sign in again.');
  });

  test('a second tab follows the first, in and out', async () => {
    await withoutAutofill();
    const second = await newTab(person.context, { passkeys: false });
    await withoutAutofill(second.page);
    await second.page.goto('/demo');
    await heading('Create your account', second.page);
    await page.bringToFront(); // only the tab in front may use passkeys
    const email = await register();
    await says('You signed in in another tab.', second.page);
    await says(email, second.page);
    await second.page.bringToFront();
    await button('Sign out', second.page).click();
    await says('You are signed out.', second.page);
    await says('You signed out in another tab.');

    // Signing in again from the second tab, with the passkey that the first one made.
    const [held] = await person.passkeys.list();
    const device = await Passkeys.attach(second.page);
    await device.put(held);
    await button('Continue with a passkey', second.page).click();
    await heading('You are signed in', second.page);
    await says('You signed in in another tab.');
    assert.deepEqual(second.problems, []);
  });

  describe('with Google, which is stood in for', () => {
    const toGoogle = async () => {
      await withoutAutofill();
      await page.goto('/demo');
      await button('Continue with Google').click();
      await heading('Who signs in?');
      await says(/^This page stands in for Google on this machine/);
    };

    test('somebody is picked, and is the same person the next time', async () => {
      await toGoogle();
      await fits();
      await screenshots(page, 'idp');
      await button(/^Ada Lovelace/).click();
      await heading('You are signed in');
      await says('ada@example.com');
      await says('Google account');
      await says('Verified by the app’s backend');
      assert.equal(new URL(page.url()).search, '', 'the token is gone from the address');
      await screenshots(page, 'demo-google');
      await signOut();
      await button('Continue with Google').click();
      await button(/^Ada Lovelace/).click();
      await heading('You are signed in');
      const { results } = await api.users.search({});
      assert.equal(results.filter((u) => u.emails.some((e) => e.email === 'ada@example.com')).length, 1);
    });

    test('somebody is typed, by keyboard alone, and can be picked afterwards', async () => {
      const email = newEmail();
      await toGoogle();
      await page.getByLabel('Name', { exact: true }).focus();
      for (const typed of ['Kim Keyboard', 'not an address']) {
        await page.keyboard.type(typed);
        await page.keyboard.press('Tab');
      }
      await page.keyboard.press('Enter');
      await says('Enter an address with a name, an @ and a domain');
      await screenshots(page, 'idp-problem');
      const field = page.getByLabel('E-mail');
      assert.equal(await field.evaluate((e) => e === document.activeElement), true, 'what is wrong has the focus');
      await page.keyboard.press('ControlOrMeta+A');
      await page.keyboard.type(email);
      await page.keyboard.press('Enter');
      await heading('You are signed in');
      await says(email);
      await signOut();
      await button('Continue with Google').click();
      await button(/^Kim Keyboard/).focus();
      await page.keyboard.press('Enter');
      await says(email);
    });

    test('who denies access is told, and so is who goes back and chooses again', async () => {
      await toGoogle();
      await button('Deny access').click();
      await says('You were not signed in. Try again when you are ready.');
      await screenshots(page, 'demo-denied');
      await page.goBack();
      await button(/^Ada Lovelace/).click();
      await says('That sign-in is over. Start again.');
      assert.equal(new URL(page.url()).search, '');
    });

    test('what cannot go on says why, and sends nobody anywhere', async () => {
      await page.goto('/dev/idp/google/authorize?client_id=somebody&redirect_uri=https://evil.example/');
      await heading('This cannot go on');
      await screenshots(page, 'idp-refused');
    });
  });
});
