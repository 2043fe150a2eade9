// One-time passcodes through the official Node client, with the mailbox as inbox and phone.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { mailbox } from '../lib/mailbox.mjs';
import { answered, client, complete, idOf, newEmail, newPhone, refused, userWithPasskey } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';

const nobody = 'user-test-00000000-0000-4000-8000-000000000000';
const patience = 20_000; // ms
const minutes = (n) => ({ session_duration_minutes: n });

// The ways that a code can go, in the words of the API.
const phone = {
  kind: 'phone-number', field: 'phone_number', id: 'phone_id', list: 'phone_numbers', fresh: newPhone,
  malformed: '+1202', invalid: 'invalid_phone_number', absent: 'phone_number_not_found', taken: 'duplicate_phone_number',
  factorOf: (phone_id, phone_number) => ({ phone_number_factor: { phone_id, phone_number } }),
};
const sms = { ...phone, name: 'sms' };
const whatsapp = { ...phone, name: 'whatsapp' };
const email = {
  name: 'email', kind: 'email', field: 'email', id: 'email_id', list: 'emails', fresh: newEmail,
  malformed: 'not an address', invalid: 'invalid_email', absent: 'email_not_found', taken: 'duplicate_email',
  factorOf: (email_id, email_address) => ({ email_factor: { email_id, email_address } }),
};
const channels = [sms, whatsapp, email];

// A code that is not this one.
const wrong = (code) => code.slice(0, 5) + ((Number(code[5]) + 1) % 10);

// What tests do with the codes of a server.
function codes(server) {
  const api = client(server);
  const mail = mailbox(server);

  const call = (via, method, to, more) => api.otps[via.name][method]({ [via.field]: to, ...more });
  const authenticate = (method_id, code, more) => api.otps.authenticate({ method_id, code, ...more });

  // Has a code sent and returns the answer with the message, its code, and what the code is for. A recipient gets one
  // code a second, so this asks again until it is its turn.
  const asking = (method) => async (via, to, more) => {
    const [than] = await mail.all(to);
    const answer = answered(await eventually(() => call(via, method, to, more)));
    const message = await mail.latest(to, { than });
    assert.match(message.code, /^\d{6}$/);
    return { ...answer, to, message, code: message.code, method_id: answer[via.id] };
  };
  const [loginOrCreate, send] = ['loginOrCreate', 'send'].map(asking);

  // Somebody who has signed in by code, in a session.
  async function signedIn(via = email) {
    const { to, method_id, code } = await loginOrCreate(via, via.fresh());
    return { to, method_id, ...(await authenticate(method_id, code, minutes(60))) };
  }

  return { api, mail, call, authenticate, loginOrCreate, send, signedIn };
}

describe('one-time passcodes', () => {
  let server, api, mail, call, authenticate, loginOrCreate, send, signedIn;
  before(async () => {
    server = await Server.start();
    ({ api, mail, call, authenticate, loginOrCreate, send, signedIn } = codes(server));
  });
  after(() => server?.stop());

  for (const via of channels) {
    describe(`by ${via.name}`, () => {
      test('loginOrCreate signs somebody unknown up, and in again afterwards', async () => {
        const up = await loginOrCreate(via, via.fresh());
        assert.match(up.user_id, idOf('user'));
        assert.match(up.method_id, idOf(via.kind));
        assert.equal(up.user_created, true);
        assert.deepEqual([up.message.type, up.message.channel], ['ONE_TIME_PASSCODE_SIGNUP', via.name]);
        assert.ok(up.message.text.includes(up.code), 'a reader finds the code');

        const first = answered(await authenticate(up.method_id, up.code, minutes(60)));
        assert.equal(complete('login', first).user_id, up.user_id);
        assert.equal(first.method_id, up.method_id);
        complete('user', first.user);
        assert.deepEqual(first.user[via.list], [{ [via.id]: up.method_id, [via.field]: up.to, verified: true }]);
        const [factor] = complete('session', first.session).authentication_factors;
        assert.deepEqual([factor.type, factor.delivery_method], ['otp', via.name]);
        const { phone_number_factor, email_factor } = factor;
        assert.deepEqual({ phone_number_factor, email_factor }, { phone_number_factor: undefined, email_factor: undefined, ...via.factorOf(up.method_id, up.to) });

        const again = await loginOrCreate(via, up.to);
        assert.deepEqual([again.user_id, again.method_id, again.user_created], [up.user_id, up.method_id, false]);
        assert.equal(again.message.type, 'ONE_TIME_PASSCODE');
        const second = answered(await authenticate(again.method_id, again.code, minutes(60)));
        assert.notEqual(second.session.session_id, first.session.session_id);
        assert.equal(second.reset_sessions, false);
        answered(await api.sessions.authenticate({ session_token: first.session_token })); // the first session goes on
      });

      test('a user may be pending until the first sign-in', async () => {
        const up = await loginOrCreate(via, via.fresh(), { create_user_as_pending: true });
        assert.equal((await api.users.get({ user_id: up.user_id })).status, 'pending');
        const again = await loginOrCreate(via, up.to);
        assert.deepEqual([again.user_created, again.message.type], [false, 'ONE_TIME_PASSCODE_SIGNUP']);
        assert.equal((await authenticate(again.method_id, again.code)).user.status, 'active');
        assert.equal((await send(via, up.to)).message.type, 'ONE_TIME_PASSCODE');
      });

      test('send reaches a user, and nobody else', async () => {
        const to = via.fresh();
        const made = await api.users.create({ [via.field]: to });
        const sent = await send(via, to, { expiration_minutes: 10 });
        assert.deepEqual([sent.user_id, sent.method_id, sent.message.type], [made.user_id, made[via.id], 'ONE_TIME_PASSCODE']);
        assert.equal((await authenticate(sent.method_id, sent.code)).user_id, made.user_id);
        const stranger = via.fresh();
        await refused(call(via, 'send', stranger), 404, via.absent);
        await refused(call(via, 'send', stranger, { user_id: nobody }), 404, 'user_not_found');
        assert.deepEqual(await mail.all(stranger), []);
      });

      test('a request that cannot be right is refused', async () => {
        for (const method of ['send', 'loginOrCreate']) {
          await refused(call(via, method, via.malformed), 400, via.invalid);
          await refused(call(via, method, undefined), 400, 'bad_request');
          await refused(call(via, method, via.fresh(), { expiration_minutes: 0 }), 400, 'invalid_expiration_otp');
          await refused(call(via, method, via.fresh(), { expiration_minutes: 11 }), 400, 'invalid_expiration_otp');
          await refused(call(via, method, via.fresh(), { locale: 'xx' }), 400, 'invalid_locale');
        }
        await refused(call(via, 'send', via.fresh(), { user_id: nobody, session_token: 'x' }), 400, 'bad_request');
      });

      test('one recipient gets one code a second', async () => {
        const to = via.fresh();
        // The seconds are those of the clock: a call may fall into the next one, another one then does not.
        await eventually(async () => {
          await call(via, 'loginOrCreate', to).catch(() => {});
          await refused(call(via, 'loginOrCreate', to), 429, 'too_many_requests');
        });
      });

      test('speaks the language that is asked for', async () => {
        const locales = via === email ? ['en', 'es', 'pt-br', 'fr'] : ['en', 'es', 'pt-br', 'fr', 'de-DE', 'ja', 'cs'];
        const texts = new Set();
        for (const locale of locales) {
          const { message, code } = await loginOrCreate(via, via.fresh(), { locale });
          assert.equal(message.locale, locale);
          texts.add(message.text.replaceAll(code, ''));
        }
        assert.equal(texts.size, locales.length);
      });

      test('a new code takes the place of the one before, at once', async () => {
        const first = await loginOrCreate(via, via.fresh());
        // One in a million times the new code is the old one.
        const second = await eventually(async () => {
          const next = await loginOrCreate(via, first.to);
          assert.notEqual(next.code, first.code);
          return next;
        });
        await refused(authenticate(first.method_id, first.code), 404, 'otp_code_not_found');
        answered(await authenticate(second.method_id, second.code));
      });

      test('is added to the user of a session, and the proof joins the session', async () => {
        const person = await userWithPasskey(api, { minutes: 60 });
        await authenticate(...Object.values(await proof(person.email)), { session_token: person.session_token });
        const { session: before } = await api.sessions.authenticate({ session_token: person.session_token });

        const more = await send(via, via.fresh(), { session_token: person.session_token });
        assert.equal(more.user_id, person.user_id);
        const waiting = (await api.users.get({ user_id: person.user_id }))[via.list].at(-1);
        assert.deepEqual([waiting[via.field], waiting.verified], [more.to, false]);

        await refused(authenticate(more.method_id, more.code, minutes(60)), 404, 'session_not_found'); // it belongs to the session
        const joined = answered(await authenticate(more.method_id, more.code, { session_token: person.session_token }));
        assert.deepEqual([joined.user_id, joined.method_id, joined.reset_sessions], [person.user_id, more.method_id, false]);
        assert.deepEqual([joined.session.session_id, joined.session_token], [before.session_id, person.session_token]);
        assert.equal(joined.session.expires_at, before.expires_at);
        assert.deepEqual(joined.session.authentication_factors.map((f) => f.delivery_method), ['webauthn_registration', 'email', via.name]);
        assert.equal(joined.user[via.list].at(-1).verified, true);
        assert.equal((await loginOrCreate(via, more.to)).user_id, person.user_id, 'and it leads to the user');
      });

      test('nothing is added that is not to be added', async () => {
        const { user_id, session_token } = await signedIn();
        const other = await loginOrCreate(via, via.fresh());
        const ask = (more, to = via.fresh()) => call(via, 'send', to, more);
        await eventually(() => refused(ask({ session_token }, other.to), 400, via.taken));
        await refused(ask({ user_id, session_token }), 400, 'bad_request');
        await refused(ask({ session_token: session_token.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')) }), 404, 'session_not_found');
        const unproven = await api.users.create({ email: newEmail() });
        await refused(ask({ user_id: unproven.user_id }), 400, 'too_many_unverified_factors');
      });
    });
  }

  // The method_id and the code of somebody who is mailed one.
  async function proof(to) {
    const { method_id, code } = await send(email, to);
    return { method_id, code };
  }

  test('a second factor: an address and a phone in one session', async () => {
    const { user_id, session_token, session_jwt, session } = await signedIn(email);
    const text = await send(sms, newPhone(), { session_jwt });
    const both = answered(await authenticate(text.method_id, text.code, { session_token, ...minutes(120) }));
    assert.deepEqual([both.user_id, both.session.session_id], [user_id, session.session_id]);
    assert.deepEqual(both.session.authentication_factors.map((f) => [f.type, f.delivery_method]), [['otp', 'email'], ['otp', 'sms']]);
    assert.ok(Date.parse(both.session.expires_at) > Date.parse(session.expires_at));
    const local = await api.sessions.authenticateJwtLocal({ session_jwt: both.session_jwt });
    assert.deepEqual(local.authentication_factors.map((f) => f.delivery_method), ['email', 'sms']);

    const again = await send(sms, text.to, { session_token });
    const renewed = answered(await authenticate(again.method_id, again.code, { session_token }));
    assert.equal(renewed.session.authentication_factors.length, 2, 'proving it again updates its times');
  });

  test('SMS and WhatsApp reach one number, which has one live code', async () => {
    const text = await loginOrCreate(sms, newPhone());
    const chat = await eventually(async () => {
      const next = await loginOrCreate(whatsapp, text.to);
      assert.notEqual(next.code, text.code);
      return next;
    });
    assert.deepEqual([chat.method_id, chat.user_id, chat.user_created], [text.method_id, text.user_id, false]);
    await refused(authenticate(text.method_id, text.code), 404, 'otp_code_not_found');
    const { session } = await authenticate(chat.method_id, chat.code, minutes(60));
    assert.equal(session.authentication_factors[0].delivery_method, 'whatsapp');
  });

  test('spellings of a number are one number, and a country code must be there', async () => {
    const { to, user_id } = await loginOrCreate(sms, newPhone());
    const spelled = to.replace(/^(\+1)(\d{3})(\d{3})(\d{4})$/, '$1 ($2) $3-$4');
    const again = answered(await eventually(() => api.otps.sms.send({ phone_number: spelled })));
    assert.equal(again.user_id, user_id);
    await refused(api.otps.sms.loginOrCreate({ phone_number: to.slice(2) }), 400, 'invalid_phone_number');
    await refused(api.otps.sms.loginOrCreate({ phone_number: '+15555550100' }), 400, 'invalid_phone_number');
  });

  test('an e-mail may have templates of its own, which must be there', async () => {
    for (const field of ['login_template_id', 'signup_template_id']) {
      await refused(api.otps.email.loginOrCreate({ email: newEmail(), [field]: 'none' }), 404, 'email_template_not_found');
    }
  });

  describe('authenticate', () => {
    test('a code works once, for its own method, and as people copy it', async () => {
      const { method_id, code } = await loginOrCreate(email, newEmail());
      const other = await loginOrCreate(email, newEmail());
      if (other.code !== code) await refused(authenticate(other.method_id, code), 404, 'otp_code_not_found');
      answered(await authenticate(method_id, ` ${code}\n`));
      await refused(authenticate(method_id, code), 401, 'unable_to_auth_otp_code');
    });

    test('what cannot be right is told apart from what is wrong', async () => {
      const { method_id, code, user_id } = await loginOrCreate(sms, newPhone());
      for (const bad of ['12345', '1234567', 'abcdef', '']) await refused(authenticate(method_id, bad), 400, 'invalid_code');
      for (const bad of ['short', user_id, method_id.replace('test', 'live')]) await refused(authenticate(bad, code), 400, 'invalid_method_id');
      await refused(authenticate(undefined, code), 400, 'bad_request');
      await refused(authenticate(method_id, undefined), 400, 'bad_request');
      await refused(authenticate(nobody.replace('user', 'email'), code), 404, 'otp_code_not_found');
      await refused(authenticate(method_id, wrong(code)), 404, 'otp_code_not_found');
      answered(await authenticate(method_id, code)); // a slip costs nothing
    });

    test('of many at once exactly one gets in', async () => {
      const { method_id, code } = await loginOrCreate(email, newEmail());
      const tries = await Promise.allSettled(Array.from({ length: 12 }, () => authenticate(method_id, code, minutes(60))));
      const lost = tries.filter((t) => t.status === 'rejected').map((t) => t.reason.error_type);
      assert.deepEqual(lost, Array(11).fill('unable_to_auth_otp_code'));
    });

    test('ten wrong guesses lock the user, whatever codes are sent meanwhile', async () => {
      const { to, method_id, code, user_id } = await loginOrCreate(email, newEmail());
      const guess = (code) => refused(authenticate(method_id, wrong(code)), 404, 'otp_code_not_found');
      for (let n = 0; n < 5; n++) await guess(code);
      const next = await send(email, to);
      for (let n = 0; n < 5; n++) await guess(next.code);
      await refused(authenticate(method_id, next.code), 429, 'user_lock_limit_reached');
      const last = await send(email, to);
      await refused(authenticate(method_id, last.code), 429, 'user_lock_limit_reached');
      assert.equal((await api.users.get({ user_id })).is_locked, true);
    });

    test('without a duration it starts no session', async () => {
      const { method_id, code } = await loginOrCreate(email, newEmail());
      const { session, session_token, session_jwt } = await authenticate(method_id, code);
      assert.deepEqual({ session: session ?? null, session_token, session_jwt }, { session: null, session_token: '', session_jwt: '' });
    });

    test('duration, custom claims and attributes become the session', async () => {
      const { method_id, code } = await loginOrCreate(sms, newPhone());
      for (const bad of [4, 527_041]) await refused(authenticate(method_id, code, minutes(bad)), 400, 'invalid_session_duration_minutes');
      await refused(authenticate(method_id, code, { ...minutes(60), session_custom_claims: { big: 'x'.repeat(4096) } }), 400, 'custom_claims_too_large');
      const attributes = { ip_address: '203.0.113.7', user_agent: 'Browser/1' };
      const { session, session_jwt } = await authenticate(method_id, code, { ...minutes(90), session_custom_claims: { seat: 'B12' }, attributes });
      assert.equal(Date.parse(session.expires_at) - Date.parse(session.started_at), 90 * 60_000);
      assert.deepEqual(session.custom_claims, { seat: 'B12' });
      assert.deepEqual(session.attributes, attributes);
      const local = await api.sessions.authenticateJwtLocal({ session_jwt });
      assert.deepEqual([local.session_id, local.custom_claims], [session.session_id, { seat: 'B12' }]);
      assert.deepEqual([local.authentication_factors[0].type, local.authentication_factors[0].delivery_method], ['otp', 'sms']);
    });

    test('may insist on the address and the browser that the code was asked from', async () => {
      const here = { ip_address: '203.0.113.7', user_agent: 'Browser/1' };
      const options = { ip_match_required: true, user_agent_match_required: true };
      const { method_id, code } = await loginOrCreate(email, newEmail(), { attributes: here });
      for (const attributes of [undefined, { ...here, ip_address: '203.0.113.8' }, { ...here, user_agent: 'Browser/2' }]) {
        await refused(authenticate(method_id, code, { options, attributes }), 401, 'attribute_mismatch');
      }
      answered(await authenticate(method_id, code, { options, attributes: here }));
    });

    test('a code typed into the session of somebody else is refused, and stays good', async () => {
      const { user_id, to, session_token } = await signedIn();
      const other = await signedIn();
      const { method_id, code } = await send(email, to);
      await refused(authenticate(method_id, code, { session_token: other.session_token }), 400, 'user_id_mismatch');
      assert.equal((await authenticate(method_id, code, { session_token })).user_id, user_id);
    });

    test('the first proof of an address ends what whoever made the account had prepared', async () => {
      const squatter = await userWithPasskey(api, { minutes: 60 });
      const { method_id, code } = await loginOrCreate(email, squatter.email);
      const owner = answered(await authenticate(method_id, code, minutes(60)));
      assert.deepEqual([owner.user_id, owner.reset_sessions], [squatter.user_id, true]);
      assert.deepEqual(owner.user.webauthn_registrations, []);
      await refused(api.sessions.authenticate({ session_token: squatter.session_token }), 404, 'session_not_found');
      answered(await api.sessions.authenticate({ session_token: owner.session_token }));
    });

    test('codes end with what they were sent to, and survive a restart of the server', async () => {
      const gone = await signedIn();
      const text = await send(sms, newPhone(), { session_token: gone.session_token });
      await api.users.deletePhoneNumber({ phone_id: text.method_id });
      await refused(authenticate(text.method_id, text.code), 404, 'otp_code_not_found');

      const { method_id, code, user_id } = await loginOrCreate(email, newEmail(), { expiration_minutes: 10 });
      await server.restart();
      assert.equal((await authenticate(method_id, code, minutes(60))).user_id, user_id);
    });
  });
});

// Somebody is paid for every text to certain numbers: factors.md, section 6.2.
describe('where texts may go, and how many', () => {
  const british = '+447400123456';
  let server, mail, call, authenticate, loginOrCreate;
  before(async () => {
    server = await Server.start();
    ({ mail, call, authenticate, loginOrCreate } = codes(server));
  });
  after(() => server?.stop());

  test('to the United States and Canada, until an operator says otherwise', async () => {
    for (const via of [sms, whatsapp]) {
      for (const method of ['send', 'loginOrCreate']) {
        await refused(call(via, method, british), 400, 'invalid_phone_number_country_code');
        await refused(call(via, method, '+18765550123'), 400, 'invalid_phone_number_country_code'); // Jamaica has +1 too
      }
      answered(await call(via, 'loginOrCreate', via === sms ? '+14165550100' : '+14165550101'));
    }
    await server.set('messages.sms_countries=["US","GB"]');
    const { method_id, code } = await loginOrCreate(sms, british);
    answered(await authenticate(method_id, code));
    await refused(call(whatsapp, 'loginOrCreate', british), 400, 'invalid_phone_number_country_code');
    await refused(call(sms, 'loginOrCreate', '+14165550102'), 400, 'invalid_phone_number_country_code');
    for (const [countries, why] of [['["US","PK"]', /cannot be sent to PK/], ['["XX"]', /not a country/], ['[]', /is empty/]]) {
      await assert.rejects(server.set(`messages.sms_countries=${countries}`), (e) => why.test(e.stderr));
    }
    await server.set('messages.sms_countries=');
    await eventually(() => refused(call(sms, 'loginOrCreate', british), 400, 'invalid_phone_number_country_code'));
  });

  test('a number gets its budget, and the refusal can be explained', async () => {
    await server.set('messages.number_per_ten_minutes=1');
    const to = newPhone();
    // The limit of one a second refuses too, and the setting takes a moment: the right refusal tells itself.
    await eventually(async () => {
      const error = await call(sms, 'loginOrCreate', to).then(() => assert.fail('it was sent'), (e) => e);
      assert.deepEqual([error.status_code, error.error_type], [429, 'too_many_requests']);
      const explained = await server.explain(error.request_id);
      assert.match(explained, /POST \/v1\/otps\/sms\/login_or_create was refused: too_many_requests, by the limit "texts per number"/);
    }, patience);
    await server.set('messages.number_per_ten_minutes=');
    answered(await eventually(() => call(sms, 'loginOrCreate', to)));
  });

  test('a country whose codes nobody types in is closed, until they are', async () => {
    await server.set('messages.conversion_after=1', 'messages.conversion_percent=50');
    let next = 10;
    const canadian = () => `+16045550${100 + next++}`;
    const sent = [];
    const error = await eventually(async () => {
      const to = canadian();
      const error = await call(sms, 'loginOrCreate', to).then(({ phone_id }) => void sent.push([phone_id, to]), (e) => e);
      assert.ok(error, 'it was sent');
      return error;
    });
    assert.deepEqual([error.status_code, error.error_type], [429, 'too_few_tokens_authenticated']);
    await eventually(async () => assert.match(await server.explain(error.request_id), /was refused: too_few_tokens_authenticated/), patience);
    for (const [phone_id, to] of sent) answered(await authenticate(phone_id, (await mail.latest(to)).code));
    answered(await call(sms, 'loginOrCreate', canadian()));
  });
});

// platform.md, section 11.3: what suites written for the reference rely on.
describe('the sandbox of passcodes', () => {
  const address = 'sandbox@stytch.com';
  const number = '+10000000000';
  const user_id = 'user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd';
  const email_id = 'email-test-23873e89-d4ed-4e92-b3b9-e5c7198fa286';
  const phone_id = 'phone-number-test-98cfbe19-6c8f-4b8b-b62a-e78a5a7bdff3';
  const session_token = 'WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY';
  const session_id = 'session-test-eb94233f-8800-4ebd-8645-51dc15f9d028';
  const started_at = '2021-08-28T00:41:58.935673Z';
  const values = [[sms, number, phone_id, 'sms'], [whatsapp, number, phone_id, 'sms'], [email, address, email_id, 'email']];

  let server, api, mail, call, authenticate, loginOrCreate;
  before(async () => {
    server = await Server.start();
    ({ api, mail, call, authenticate, loginOrCreate } = codes(server));
  });
  after(() => server?.stop());

  test('every call that sends answers for the one user, and sends nothing', async () => {
    for (const [via, to, method_id] of values) {
      const sent = answered(await call(via, 'send', to));
      assert.deepEqual([sent.user_id, sent[via.id]], [user_id, method_id], via.name);
      const created = answered(await call(via, 'loginOrCreate', to));
      assert.deepEqual([created.user_id, created[via.id], created.user_created], [user_id, method_id, false], via.name);
    }
    // What was asked for later has arrived, so nothing is on its way.
    await loginOrCreate(sms, newPhone());
    await loginOrCreate(email, newEmail());
    assert.deepEqual([await mail.all(address), await mail.all(number)], [[], []]);
  });

  test('what is wrong with a request is wrong in the sandbox too', async () => {
    for (const [via, to] of values) {
      await refused(call(via, 'loginOrCreate', to, { expiration_minutes: 11 }), 400, 'invalid_expiration_otp');
      await refused(call(via, 'loginOrCreate', to, { locale: 'xx' }), 400, 'invalid_locale');
      const stranger = client(server, { secret: 'secret-test-' + 'A'.repeat(40) });
      await refused(stranger.otps[via.name].send({ [via.field]: to }), 401, 'unauthorized_credentials');
    }
    await refused(api.users.create({ email: address }), 400, 'invalid_email_sandbox');
    await refused(api.users.create({ phone_number: number }), 400, 'invalid_phone_number_sandbox');
  });

  for (const [via, to, method_id, delivery] of values) {
    test(`${via.name}: 000000 is right, as often as you like, and nothing else is`, async () => {
      const login = answered(await authenticate(method_id, '000000'));
      assert.deepEqual([login.user_id, login.method_id, login.reset_sessions], [user_id, method_id, false]);
      assert.equal(complete('user', login.user)[via.list][0][via.field], to);
      assert.deepEqual([login.session ?? null, login.session_token, login.session_jwt], [null, '', '']);
      await refused(authenticate(method_id, '000001'), 404, 'otp_code_not_found');
      await refused(authenticate(method_id, '12345'), 404, 'otp_code_not_found');

      const again = answered(await authenticate(method_id, '000000', minutes(60)));
      assert.equal(again.session_token, session_token);
      const session = complete('session', again.session);
      assert.deepEqual([session.session_id, session.user_id, session.started_at], [session_id, user_id, started_at]);
      const [factor] = session.authentication_factors;
      assert.deepEqual([factor.type, factor.delivery_method], ['otp', delivery]);
      const { type, delivery_method, last_authenticated_at, created_at, updated_at, ...of } = factor;
      assert.deepEqual(of, via.factorOf(method_id, to));
      answered(await api.sessions.authenticate({ session_token }));
    });

    test(`${via.name}: its JWT is real, signed by our keys and verified locally`, async () => {
      const { session_jwt } = await authenticate(method_id, '000000', minutes(60));
      const local = await api.sessions.authenticateJwt({ session_jwt });
      assert.deepEqual(Object.keys(local).sort(), ['session', 'session_jwt'], 'no call was made');
      assert.deepEqual([local.session.session_id, local.session.user_id], [session_id, user_id]);
      assert.equal(Date.parse(local.session.started_at), Date.parse(started_at));
      assert.deepEqual(local.session.authentication_factors.map((f) => [f.type, f.delivery_method]), [['otp', delivery]]);
      const [head, claims] = session_jwt.split('.', 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')));
      assert.deepEqual([head.alg, claims.sub, claims.exp - claims.iat, claims.aud], ['RS256', user_id, 300, [server.project_id]]);
      const { keys } = await api.sessions.getJWKS({ project_id: server.project_id });
      assert.ok(keys.some((key) => key.kid === head.kid));
    });
  }

  test('000000 is right nowhere else', async () => {
    const { method_id, code } = await loginOrCreate(sms, newPhone());
    if (code !== '000000') await refused(authenticate(method_id, '000000'), 404, 'otp_code_not_found');
  });
});
