// Passkeys and plain WebAuthn in a browser, without any SDK on the page: the backend API's options and credentials.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { launch, newPerson } from '../lib/browser.mjs';
import { registerOnPage, signInOnPage } from '../lib/ceremony.mjs';
import { serveCustomerPage } from '../lib/customer-page.mjs';
import { client, newEmail, refused } from '../lib/sdk.mjs';
import { Server } from '../lib/server.mjs';

describe('WebAuthn on a page', () => {
  let server, api, site, browser, person, page;
  before(async () => {
    [server, site, browser] = await Promise.all([Server.start(), serveCustomerPage(), launch()]);
    api = client(server);
  });
  after(async () => {
    await Promise.all([browser?.close(), site?.close()]);
    await server?.stop();
  });
  beforeEach(async () => {
    person = await newPerson(browser);
    page = person.page;
    await page.goto(site.origin);
  });
  afterEach(() => person.context.close());

  const newUser = async () => (await api.users.create({ email: newEmail() })).user_id;

  for (const encoding of ['base64', 'base64url']) {
    test(`a passkey, options in ${encoding}: register, then sign in without a name`, async () => {
      const user_id = await newUser();
      const made = await registerOnPage(api, page, user_id, { encoding });
      const [held] = await person.passkeys.list();
      assert.ok(held.isResidentCredential, 'it can be found again');
      assert.equal(Buffer.from(held.userHandle, 'base64').toString(), user_id);
      const login = await signInOnPage(api, page, { encoding });
      assert.deepEqual([login.user_id, login.webauthn_registration_id], [user_id, made.webauthn_registration_id]);
      assert.equal(login.session.authentication_factors[0].webauthn_factor.webauthn_registration_id,
        made.webauthn_registration_id);
    });

    test(`a plain credential, options in ${encoding}: register, then sign in as a named user`, async () => {
      const user_id = await newUser();
      await registerOnPage(api, page, user_id, { encoding, passkey: false });
      const login = await signInOnPage(api, page, { user_id, encoding, passkey: false });
      assert.equal(login.user_id, user_id);
    });
  }

  test('the options can go straight into the browser\'s own JSON functions', async () => {
    const user_id = await newUser();
    const start = await api.webauthn.registerStart({
      user_id, domain: 'localhost', return_passkey_credential_options: true, use_base64_url_encoding: true,
    });
    const public_key_credential = await page.evaluate(async (json) => {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(json));
      return JSON.stringify((await navigator.credentials.create({ publicKey })).toJSON());
    }, start.public_key_credential_creation_options);
    const made = await api.webauthn.register({ user_id, public_key_credential });
    assert.equal(made.user.webauthn_registrations[0].authenticator_type, 'platform');
  });

  test('autofill signs in', async () => {
    const user_id = await newUser();
    await registerOnPage(api, page, user_id);
    assert.equal((await signInOnPage(api, page, { mediation: 'conditional' })).user_id, user_id);
  });

  test('a device that already holds one makes no second', async () => {
    const user_id = await newUser();
    await registerOnPage(api, page, user_id);
    await assert.rejects(registerOnPage(api, page, user_id), /InvalidStateError/);
  });

  test('two devices, two passkeys, one user', async () => {
    const user_id = await newUser();
    const laptop = await registerOnPage(api, page, user_id);
    const [onLaptop] = await person.passkeys.list();
    await person.passkeys.remove();
    await person.passkeys.add({ transport: 'usb' });
    const key = await registerOnPage(api, page, user_id);
    assert.equal(key.user.webauthn_registrations.length, 2);
    assert.equal((await signInOnPage(api, page)).webauthn_registration_id, key.webauthn_registration_id);

    await person.passkeys.remove();
    await person.passkeys.add();
    await person.passkeys.put(onLaptop);
    assert.equal((await signInOnPage(api, page, { user_id })).webauthn_registration_id, laptop.webauthn_registration_id);
  });

  test('a challenge made for one user does not open another', async () => {
    const [asked, other] = [await newUser(), await newUser()];
    await registerOnPage(api, page, asked);
    await person.passkeys.remove();
    await person.passkeys.add();
    await registerOnPage(api, page, other);
    await assert.rejects(signInOnPage(api, page, { user_id: asked }), /NotAllowedError/, 'the browser finds none');

    // A page that leaves the list of credentials out gets the wrong user's, and the server sees it.
    await page.evaluate(() => {
      const get = navigator.credentials.get.bind(navigator.credentials);
      navigator.credentials.get = ({ publicKey }) => get({ publicKey: { ...publicKey, allowCredentials: [] } });
    });
    await refused(signInOnPage(api, page, { user_id: asked }), 401, 'unable_to_auth_webauthn_registration');
  });

  test('a person who cancels keeps what they had', async () => {
    const user_id = await newUser();
    await registerOnPage(api, page, user_id);
    await person.passkeys.verifies(false);
    await assert.rejects(signInOnPage(api, page), /NotAllowedError/);
    await person.passkeys.verifies(true);
    assert.equal((await signInOnPage(api, page)).user_id, user_id);
  });

  test('a deleted passkey opens nothing', async () => {
    const user_id = await newUser();
    const { webauthn_registration_id } = await registerOnPage(api, page, user_id);
    await api.users.deleteWebAuthnRegistration({ webauthn_registration_id });
    await refused(signInOnPage(api, page), 404, 'webauthn_registration_not_found');
  });
});
