// Users through the official Node client.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { answered, client, complete, idOf, newEmail, refused, registerPasskey, userWithPasskey } from '../lib/sdk.mjs';
import { Authenticator } from '../lib/authenticator.mjs';
import { Server } from '../lib/server.mjs';

const nobody = 'user-test-00000000-0000-4000-8000-000000000000';

describe('users', () => {
  let server, api;
  before(async () => {
    server = await Server.start();
    api = client(server);
  });
  after(() => server?.stop());

  test('create answers with the ids of what it made and the whole user', async () => {
    const email = newEmail();
    const made = answered(await api.users.create({
      email,
      phone_number: '+12025550101',
      name: { first_name: 'Grace', middle_name: 'Brewster', last_name: 'Hopper' },
      trusted_metadata: { plan: 'pro' },
      untrusted_metadata: { theme: 'dark' },
      external_id: 'crm|4711',
    }));
    assert.match(made.user_id, idOf('user'));
    assert.match(made.email_id, idOf('email'));
    assert.match(made.phone_id, idOf('phone-number'));
    assert.equal(made.status, 'active');
    complete('user', made.user);
    assert.deepEqual(made.user.emails, [{ email_id: made.email_id, email, verified: false }]);
    assert.deepEqual(made.user.phone_numbers, [
      { phone_id: made.phone_id, phone_number: '+12025550101', verified: false },
    ]);
    assert.deepEqual(made.user.name, { first_name: 'Grace', middle_name: 'Brewster', last_name: 'Hopper' });
    assert.deepEqual(made.user.trusted_metadata, { plan: 'pro' });
    assert.deepEqual(made.user.untrusted_metadata, { theme: 'dark' });
    assert.equal(made.user.external_id, 'crm|4711');
    assert.ok(Date.parse(made.user.created_at) > 0 && made.user.created_at.endsWith('Z'), made.user.created_at);
  });

  test('an absent address has an empty id', async () => {
    const made = await api.users.create({ phone_number: '+12025550102', create_user_as_pending: true });
    assert.equal(made.email_id, '');
    assert.equal(made.status, 'pending');
  });

  test('nobody else may have the same address, number or external id', async () => {
    const email = newEmail();
    await api.users.create({ email, phone_number: '+12025550103', external_id: 'taken' });
    await refused(api.users.create({ email: email.toUpperCase() }), 400, 'duplicate_email');
    await refused(api.users.create({ phone_number: '+12025550103' }), 400, 'duplicate_phone_number');
    await refused(api.users.create({ email: newEmail(), external_id: 'taken' }), 400, 'duplicate_user_external_id');
    await refused(api.users.create({ email: 'not an address' }), 400, 'invalid_email');
    await refused(api.users.create({ phone_number: '12' }), 400, 'invalid_phone_number');
    await refused(api.users.create({}), 400, 'invalid_create_user_request');
  });

  test('get answers with the user itself, by either id', async () => {
    const { user_id, user } = await api.users.create({ email: newEmail(), external_id: 'legacy.1' });
    const { request_id, status_code, ...got } = answered(await api.users.get({ user_id }));
    assert.deepEqual(complete('user', got), user);
    assert.equal((await api.users.get({ user_id: 'legacy.1' })).user_id, user_id);
    await refused(api.users.get({ user_id: nobody }), 404, 'user_not_found');
    await refused(api.users.get({ user_id: nobody.replace('user', 'session') }), 400, 'invalid_user_id');
  });

  test('update merges metadata, deletes by null and leaves the rest alone', async () => {
    const { user_id } = await api.users.create({
      email: newEmail(),
      name: { first_name: 'Ada' },
      trusted_metadata: { keep: 1, drop: 2, nested: { a: 1, b: 2 } },
    });
    const updated = answered(await api.users.update({
      user_id,
      name: { first_name: 'Ada', last_name: 'Lovelace' },
      trusted_metadata: { drop: null, nested: { a: 3 }, added: true },
      external_id: 'ada',
    }));
    assert.deepEqual(updated.user.trusted_metadata, { keep: 1, nested: { a: 3 }, added: true });
    assert.equal(updated.user.name.last_name, 'Lovelace');
    assert.equal(updated.user.external_id, 'ada');
    assert.deepEqual(updated.emails, updated.user.emails);
    assert.ok(Array.isArray(updated.phone_numbers) && Array.isArray(updated.crypto_wallets));
    assert.deepEqual((await api.users.update({ user_id, untrusted_metadata: { x: [1] } })).user.name, updated.user.name);
    const many = Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`key${i}`, i]));
    await refused(api.users.update({ user_id, trusted_metadata: many }), 400, 'metadata_too_many_keys');
    await refused(api.users.update({ user_id, trusted_metadata: { x: 'x'.repeat(4096) } }), 400, 'metadata_too_large');

    const freed = answered(await api.users.deleteExternalId({ user_id }));
    assert.ok(!freed.user.external_id);
    await refused(api.users.get({ user_id: 'ada' }), 404, 'user_not_found');
  });

  test('roles: absent leaves them, an empty list clears them', async () => {
    const { user_id, user } = await api.users.create({ email: newEmail() });
    assert.deepEqual(user.roles, []);
    assert.deepEqual((await api.users.update({ user_id, roles: [] })).user.roles, []);
  });

  test('exchangePrimaryFactor swaps the only address for another', async () => {
    const email = newEmail();
    const { user_id } = await api.users.create({ email });
    const next = newEmail();
    const swapped = answered(await api.users.exchangePrimaryFactor({ user_id, email_address: next }));
    assert.deepEqual(swapped.user.emails.map((e) => e.email), [next]);
    await api.users.create({ email }); // the old address is free again
    const phone = await api.users.exchangePrimaryFactor({ user_id, phone_number: '+12025550104' });
    assert.deepEqual([phone.user.emails.length, phone.user.phone_numbers.length], [0, 1]);
    await refused(api.users.exchangePrimaryFactor({ user_id }), 400, 'invalid_exchange_primary_factor_fields');
  });

  test('delete removes the user and frees the address', async () => {
    const email = newEmail();
    const { user_id } = await api.users.create({ email });
    assert.equal(answered(await api.users.delete({ user_id })).user_id, user_id);
    await refused(api.users.get({ user_id }), 404, 'user_not_found');
    await refused(api.users.delete({ user_id }), 404, 'user_not_found');
    await api.users.create({ email });
  });
});

describe('user search', () => {
  let server, api;
  const created = [];
  before(async () => {
    server = await Server.start();
    api = client(server);
    for (let i = 0; i < 25; i += 1) {
      const { user } = await api.users.create({
        email: `searched-${i}@find.example`,
        phone_number: `+120255502${String(i).padStart(2, '0')}`,
        name: { first_name: i % 2 ? 'Odd' : 'Even', last_name: `Number${i}` },
        create_user_as_pending: i % 5 === 0,
      });
      created.push(user);
    }
  });
  after(() => server?.stop());

  const search = async (operator, ...operands) => {
    const found = answered(await api.users.search({ limit: 100, query: { operator, operands } }));
    found.results.forEach((user) => complete('user', user));
    return found.results.map((user) => user.user_id).sort();
  };
  const idsOf = (users) => users.map((user) => user.user_id).sort();

  test('searchAll walks every page and ends', async () => {
    const pages = [];
    for await (const page of api.users.searchAll({ limit: 10 })) pages.push(page);
    assert.deepEqual(pages.map((page) => page.length), [10, 10, 5]);
    assert.deepEqual(idsOf(pages.flat()), idsOf(created));
  });

  test('a page that is exactly full does not promise another', async () => {
    const all = await api.users.search({ limit: 25 });
    assert.equal(all.results.length, 25);
    assert.ok(!all.results_metadata.next_cursor, `next_cursor: ${all.results_metadata.next_cursor}`);
    assert.equal(typeof all.results_metadata.total, 'number');
  });

  test('a user who comes between two pages is not lost and moves nobody', async () => {
    const first = await api.users.search({ limit: 20 });
    const { user } = await api.users.create({ email: newEmail() });
    const rest = await api.users.search({ limit: 20, cursor: first.results_metadata.next_cursor });
    const seen = [...first.results, ...rest.results].map((u) => u.user_id);
    assert.equal(new Set(seen).size, seen.length, 'nobody twice');
    for (const { user_id } of created) assert.ok(seen.includes(user_id), 'nobody skipped');
    await api.users.delete({ user_id: user.user_id });
  });

  test('filters find by address, number, name, status and id', async () => {
    const email = (...v) => ({ filter_name: 'email_address', filter_value: v });
    assert.deepEqual(await search('AND', email('searched-3@find.example')), idsOf([created[3]]));
    assert.deepEqual(
      await search('OR', email('searched-3@find.example'), email('SEARCHED-4@find.example')),
      idsOf([created[3], created[4]]),
    );
    assert.deepEqual(
      await search('AND', { filter_name: 'phone_number', filter_value: ['+12025550207'] }),
      idsOf([created[7]]),
    );
    assert.deepEqual(
      await search('AND', { filter_name: 'user_id', filter_value: [created[1].user_id, created[2].user_id] }),
      idsOf([created[1], created[2]]),
    );
    assert.deepEqual(
      await search('AND', { filter_name: 'status', filter_value: 'pending' }),
      idsOf(created.filter((u) => u.status === 'pending')),
    );
    assert.deepEqual(
      await search('AND', { filter_name: 'full_name_fuzzy', filter_value: 'odd number1' },
        { filter_name: 'status', filter_value: 'active' }),
      idsOf(created.filter((u) => /^Odd Number1/.test(`${u.name.first_name} ${u.name.last_name}`) && u.status === 'active')),
    );
    assert.deepEqual(
      await search('AND', { filter_name: 'email_address_fuzzy', filter_value: 'searched-2' }),
      idsOf(created.filter((u) => u.emails[0].email.startsWith('searched-2'))),
    );
    assert.deepEqual(
      await search('AND', { filter_name: 'phone_number_fuzzy', filter_value: '550213' }),
      idsOf([created[13]]),
    );
    assert.deepEqual(await search('AND'), idsOf(created), 'no filter, everybody');
  });

  test('what cannot be searched is refused', async () => {
    await refused(api.users.search({ cursor: 'forged' }), 400, 'user_search_invalid_cursor');
    const unknown = { operator: 'AND', operands: [{ filter_name: 'shoe_size', filter_value: [44] }] };
    await refused(api.users.search({ query: unknown }), 400, 'user_search_filter_name_not_recognized');
  });
});

describe('deleting what a user signs in with', () => {
  let server, api;
  before(async () => {
    server = await Server.start();
    api = client(server);
  });
  after(() => server?.stop());

  test('each address, number and passkey goes alone', async () => {
    const { user_id, webauthn_registration_id, user } = await userWithPasskey(api, { phone_number: '+12025550110' });
    const second = await registerPasskey(api, user_id, new Authenticator('http://localhost:3000'));

    let left = answered(await api.users.deleteWebAuthnRegistration({ webauthn_registration_id }));
    assert.equal(left.user_id, user_id);
    assert.deepEqual(
      complete('user', left.user).webauthn_registrations.map((r) => r.webauthn_registration_id),
      [second.webauthn_registration_id],
    );
    left = answered(await api.users.deletePhoneNumber({ phone_id: user.phone_numbers[0].phone_id }));
    assert.deepEqual(left.user.phone_numbers, []);
    await api.users.deleteWebAuthnRegistration({ webauthn_registration_id: second.webauthn_registration_id });
    assert.deepEqual((await api.users.get({ user_id })).webauthn_registrations, []);
  });

  test('an address goes while a number stays', async () => {
    const { email_id } = await api.users.create({ email: newEmail(), phone_number: '+12025550111' });
    const left = answered(await api.users.deleteEmail({ email_id }));
    assert.deepEqual([left.user.emails.length, left.user.phone_numbers.length], [0, 1]);
  });

  test('what nobody has answers its own 404', async () => {
    const unknown = (kind) => `${kind}-test-00000000-0000-4000-8000-000000000000`;
    const cases = [
      [() => api.users.deleteEmail({ email_id: unknown('email') }), 'email_not_found'],
      [() => api.users.deletePhoneNumber({ phone_id: unknown('phone-number') }), 'phone_number_not_found'],
      [() => api.users.deleteWebAuthnRegistration({ webauthn_registration_id: unknown('webauthn-registration') }),
        'webauthn_registration_not_found'],
      [() => api.users.deleteBiometricRegistration({ biometric_registration_id: unknown('biometric-registration') }),
        'biometric_registration_not_found'],
      [() => api.users.deleteTOTP({ totp_id: unknown('totp') }), 'totp_not_found'],
      [() => api.users.deleteCryptoWallet({ crypto_wallet_id: unknown('crypto-wallet') }), 'crypto_wallet_not_found'],
      [() => api.users.deletePassword({ password_id: unknown('password') }), 'password_not_found'],
      [() => api.users.deleteOAuthRegistration({ oauth_user_registration_id: unknown('oauth-user') }),
        'oauth_user_registration_not_found'],
    ];
    for (const [call, type] of cases) await refused(call(), 404, type);
  });
});
