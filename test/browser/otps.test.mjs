// One-time passcodes with the unmodified browser SDK and its pre-built login, on a customer's page: codes come from the
// mailbox, and are typed where they were asked for.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { launch, newPerson } from '../lib/browser.mjs';
import { openWithSDK, sdk, serveCustomerPage, showLogin, told } from '../lib/customer-page.mjs';
import { mailbox } from '../lib/mailbox.mjs';
import { client, complete, idOf, newEmail, newPhone } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

const hour = { session_duration_minutes: 60 };
const patience = 20_000; // ms

// A code that is not this one.
const wrong = (code) => code.slice(0, 5) + ((Number(code[5]) + 1) % 10);

describe('one-time passcodes in a browser', () => {
  let server, api, mail, site, browser, person, page, calls;
  before(async () => {
    [server, site, browser] = await Promise.all([Server.start(), serveCustomerPage(), launch()]);
    api = client(server);
    await server.set('messages.texts_per_network_per_hour=0'); // all browsers here are at one address
    mail = mailbox(server);
  });
  after(async () => {
    await Promise.all([browser?.close(), site?.close()]);
    await server?.stop();
  });
  beforeEach(async () => {
    person = await newPerson(browser);
    page = person.page;
    calls = await openWithSDK(page, site.origin, server);
  });
  afterEach(async () => {
    assert.deepEqual(person.problems, [], 'errors on the page');
    await person.context.close();
  });

  // Has a code sent from the page: its method_id, the message and the code. A recipient gets one code a second, so this
  // asks until it is its turn.
  async function ask(via, to, { method = 'loginOrCreate', ...options } = {}) {
    const [than] = await mail.all(to);
    const answer = await eventually(() => sdk(page, `otps.${via}.${method}`, to, options), patience);
    assert.deepEqual(Object.keys(answer).sort(), ['method_id', 'request_id', 'status_code'], 'a page does not learn who is a user');
    const message = await mail.latest(to, { than });
    return { method_id: answer.method_id, message, code: message.code };
  }

  // Types the code, with which the page is signed in.
  async function finish({ code, method_id }) {
    const login = complete('login', await sdk(page, 'otps.authenticate', code, method_id, hour));
    assert.equal(login.method_id, method_id);
    await signedIn(login.user_id, login.session_token);
    return login;
  }

  async function signedIn(user_id, session_token) {
    assert.equal((await sdk(page, 'session.getSync')).user_id, user_id);
    assert.equal((await sdk(page, 'user.getSync')).user_id, user_id);
    const cookie = (await person.context.cookies(site.origin)).find((c) => c.name === 'stytch_session');
    assert.equal(cookie.value, session_token);
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

  for (const [via, fresh, kind, list] of [
    ['email', newEmail, 'email', 'emails'], ['sms', newPhone, 'phone-number', 'phone_numbers'], ['whatsapp', newPhone, 'phone-number', 'phone_numbers'],
  ]) {
    test(`by ${via}: somebody signs up, and in again; a slip costs nothing, an old code is refused`, async () => {
      const to = fresh();
      const welcome = await ask(via, to);
      assert.match(welcome.method_id, idOf(kind));
      assert.deepEqual([welcome.message.type, welcome.message.channel], ['ONE_TIME_PASSCODE_SIGNUP', via]);
      await refusal(sdk(page, 'otps.authenticate', wrong(welcome.code), welcome.method_id, hour), 404, 'otp_code_not_found');
      assert.equal(await sdk(page, 'session.getSync'), null);
      const first = await finish(welcome);
      assert.deepEqual(first.user[list].map((f) => [f.email ?? f.phone_number, f.verified]), [[to, true]]);
      assert.deepEqual(first.session.authentication_factors.map((f) => [f.type, f.delivery_method]), [['otp', via]]);

      await sdk(page, 'session.revoke');
      assert.equal(await sdk(page, 'session.getSync'), null);
      const back = await ask(via, to);
      assert.deepEqual([back.message.type, back.method_id], ['ONE_TIME_PASSCODE', welcome.method_id]);
      const second = await finish(back);
      assert.equal(second.user_id, first.user_id);
      assert.notEqual(second.session.session_id, first.session.session_id);
      await sdk(page, 'session.revoke');
      await refusal(sdk(page, 'otps.authenticate', back.code, back.method_id, hour), 401, 'unable_to_auth_otp_code');
    });
  }

  test('a user has a code sent without becoming one', async () => {
    const phone_number = newPhone();
    const { user_id } = await api.users.create({ phone_number });
    const sent = await ask('sms', phone_number, { method: 'send' });
    assert.equal((await calls.settled('/sdk/v1/otps/sms/send/primary')).status, 200);
    assert.equal((await finish(sent)).user_id, user_id);
    await sdk(page, 'session.revoke');
    await refusal(sdk(page, 'otps.sms.send', newPhone(), {}), 404, 'phone_number_not_found');
    await refusal(sdk(page, 'otps.email.send', newEmail(), {}), 404, 'email_not_found');
  });

  test('somebody who is signed in adds a number, as a second factor of the same session', async () => {
    const email = newEmail();
    const { user_id, session } = await finish(await ask('email', email));
    const phone_number = newPhone();
    const text = await ask('sms', phone_number, { method: 'send' });
    assert.equal((await calls.settled('/sdk/v1/otps/sms/send/secondary')).status, 200);
    const both = await finish(text);
    assert.deepEqual([both.user_id, both.session.session_id, both.reset_sessions], [user_id, session.session_id, false]);
    assert.deepEqual(both.session.authentication_factors.map((f) => f.delivery_method), ['email', 'sms']);
    assert.deepEqual(both.user.phone_numbers.map((p) => [p.phone_number, p.verified]), [[phone_number, true]]);
    const kept = await sdk(page, 'user.getSync');
    assert.deepEqual([kept.emails.length, kept.phone_numbers.length], [1, 1], 'the SDK took the new user over');

    const taken = newEmail();
    await api.users.create({ email: taken });
    await refusal(sdk(page, 'otps.email.send', taken, {}), 400, 'duplicate_email');
  });

  test('the last line of an SMS is for the phone, where the page asks for it', async () => {
    await server.configure(`otps.sms_autofill_metadata=${JSON.stringify([{ metadata_type: 'domain', metadata_value: 'localhost' }])}`);
    await eventually(async () => {
      const { message, code } = await ask('sms', newPhone(), { enable_autofill: true });
      assert.equal(message.text.split('\n').at(-1), `@localhost #${code}`);
    }, patience);
    const { message } = await ask('sms', newPhone());
    assert.doesNotMatch(message.text, /@localhost/);
  });

  test('a page may read why it is refused', async () => {
    await refusal(sdk(page, 'otps.email.loginOrCreate', 'not an address', {}), 400, 'invalid_email');
    await refusal(sdk(page, 'otps.sms.loginOrCreate', '2025550100', {}), 400, 'invalid_phone_number');
    await refusal(sdk(page, 'otps.sms.loginOrCreate', '+447400123456', {}), 400, 'invalid_phone_number_country_code');
    await refusal(sdk(page, 'otps.sms.loginOrCreate', newPhone(), { expiration_minutes: 11 }), 400, 'invalid_expiration_otp');
    await refusal(sdk(page, 'otps.authenticate', '12345', 'email-test-00000000-0000-4000-8000-000000000000', hour), 400, 'invalid_code');
    const to = newPhone();
    await eventually(async () => {
      await sdk(page, 'otps.sms.loginOrCreate', to, {}).catch(() => {});
      await refusal(sdk(page, 'otps.sms.loginOrCreate', to, {}), 429, 'too_many_requests');
    }, patience);
    // The sandbox is for servers.
    await refusal(sdk(page, 'otps.email.loginOrCreate', 'sandbox@stytch.com', {}), 400, 'invalid_email_sandbox');
    await refusal(sdk(page, 'otps.sms.loginOrCreate', '+10000000000', {}), 400, 'invalid_phone_number_sandbox');
  });

  describe('the pre-built login', () => {
    const show = (otpOptions) => showLogin(page, { products: ['otp'], otpOptions });

    const press = (name) => page.getByRole('button', { name }).click();
    // Six digits are sent as soon as they are there; those of another try have to go first.
    const enter = async (code) => {
      const field = page.getByRole('textbox', { name: 'One-time passcode' });
      await field.fill('');
      await field.fill(code);
    };
    const announced = (destination) => page.getByText(`A 6-digit passcode was sent to you at ${destination}.`).waitFor();
    const verified = () => page.getByText('Your passcode has been successfully verified.').waitFor();
    const phone = () => page.getByRole('textbox', { name: 'Phone number' });

    // Types a number and waits until the frame has written it as people of the country do.
    async function type(typed, shown) {
      await phone().fill(typed);
      await eventually(async () => assert.equal(await phone().inputValue(), shown), patience);
    }

    // The page is signed in by the code, as the login tells it.
    async function done(via) {
      await verified();
      await eventually(async () => assert.deepEqual((await told(page)).slice(-2), ['OTP_AUTHENTICATE', 'AUTHENTICATE_FLOW_COMPLETE']));
      const session = await sdk(page, 'session.getSync');
      assert.deepEqual(session.authentication_factors.map((f) => [f.type, f.delivery_method]), [['otp', via]]);
      assert.equal(Date.parse(session.expires_at) - Date.parse(session.started_at), 60 * 60_000);
      const { session_token } = await sdk(page, 'session.getTokens');
      await signedIn(session.user_id, session_token);
      return sdk(page, 'user.getSync');
    }

    test('an address is typed, then a wrong code, then the right one', async () => {
      const email = newEmail();
      await show({ methods: ['email'], expirationMinutes: 10, locale: 'fr' });
      await page.getByPlaceholder('example@email.com').fill(email);
      await press('Continue with email');
      await announced(email);
      assert.deepEqual(await told(page), ['OTP_LOGIN_OR_CREATE']);
      await page.getByText(/^Your code expires in (10:00|9:\d\d)/).waitFor();
      const message = await mail.latest(email);
      assert.deepEqual([message.type, message.locale], ['ONE_TIME_PASSCODE_SIGNUP', 'fr']);
      await enter(wrong(message.code));
      await page.getByText('Invalid passcode, please try again.').waitFor();
      assert.equal((await told(page)).at(-1), 'otp_code_not_found');
      await enter(message.code);
      assert.deepEqual((await done('email')).emails.map((e) => [e.email, e.verified]), [[email, true]]);
    });

    test('it sends again when asked to, and only the last code works', async () => {
      const email = newEmail();
      await show({ methods: ['email'] });
      await page.getByPlaceholder('example@email.com').fill(email);
      await press('Continue with email');
      await announced(email);
      const first = await mail.latest(email);
      // Too soon, the server refuses, and the button can be pressed again.
      const resend = page.getByRole('button', { name: 'Resend code' });
      await eventually(async () => {
        await resend.click({ timeout: 1000 }).catch(() => {});
        assert.equal((await mail.all(email)).length, 2);
      }, patience);
      const second = await mail.latest(email, { than: first });
      if (second.code !== first.code) {
        await enter(first.code);
        await page.getByText('Invalid passcode, please try again.').waitFor();
      }
      await enter(second.code);
      await done('email');
    });

    for (const [via, button] of [['sms', 'Continue with text message'], ['whatsapp', 'Continue with WhatsApp']]) {
      test(`a number is typed as at home, and the code comes by ${via}`, async () => {
        const number = newPhone();
        const national = number.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, '($1) $2-$3');
        await show({ methods: [via] });
        await type(number.slice(2), national);
        await press(button);
        await announced(national);
        assert.deepEqual(await told(page), ['OTP_LOGIN_OR_CREATE']);
        const message = await mail.latest(number);
        assert.equal(message.channel, via);
        await enter(message.code);
        assert.deepEqual((await done(via)).phone_numbers.map((p) => [p.phone_number, p.verified]), [[number, true]]);
      });
    }

    test('several ways stand side by side, and a number of elsewhere keeps its country', async () => {
      const number = newPhone();
      await show({ methods: ['email', 'sms', 'whatsapp'] });
      await page.getByPlaceholder('example@email.com').waitFor();
      await page.getByRole('tab', { name: 'Text' }).click();
      await page.getByRole('combobox', { name: 'Country code' }).selectOption('GB');
      await type(number, number.replace(/^(\+1)(\d{3})(\d{3})(\d{4})$/, '$1 $2 $3 $4'));
      await press('Continue with text message');
      await enter((await mail.latest(number)).code);
      await done('sms');
    });

    test('it says what is wrong with a number', async () => {
      await show({ methods: ['sms'] });
      await phone().fill('202555');
      // What is not complete stays as it is; that it was taken over shows when it is sent.
      await eventually(async () => {
        await press('Continue with text message');
        await page.getByText(/^Phone number format is invalid/).waitFor({ timeout: 1000 });
      }, patience);
      await page.getByRole('combobox', { name: 'Country code' }).selectOption('GB');
      await type('07400123456', '07400 123456');
      await press('Continue with text message');
      await page.getByText("The phone number's country code is invalid, unsupported, or disabled.").waitFor();
      assert.equal((await told(page)).at(-1), 'invalid_phone_number_country_code');
      assert.deepEqual(await mail.all('+447400123456'), []);
    });

    test('the frame that reads numbers is the server, and calls nobody', async () => {
      const asked = [];
      page.on('request', (request) => {
        if (request.frame() !== page.mainFrame()) asked.push(new URL(request.url()).pathname);
      });
      await show({ methods: ['sms'] });
      await type('2025550100', '(202) 555-0100');
      assert.deepEqual(asked, ['/clientside-services/index.html', '/ui/services.js']);
    });
  });
});
