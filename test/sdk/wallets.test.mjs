// Crypto wallets through the official Node client. The other side are the libraries that wallets and pages use: ethers,
// siwe, tweetnacl and bs58.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { toBeHex } from 'ethers';
import { SiweMessage } from 'siwe';

import { answered, client, complete, idOf, refused, userWithPasskey } from '../lib/sdk.mjs';
import { Server } from '../lib/server.mjs';
import { ethereumWallet, named, solanaWallet } from '../lib/wallets.mjs';

const hour = { session_duration_minutes: 60 };
const unable = 'unable_to_authenticate_crypto_wallet';
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n; // of secp256k1

describe('crypto wallets', () => {
  let server, api;
  before(async () => {
    server = await Server.start();
    api = client(server);
  });
  after(() => server?.stop());

  const start = async (wallet, more) => answered(await api.cryptoWallets.authenticateStart({ ...named(wallet), ...more }));
  const authenticate = (wallet, signature, more) => api.cryptoWallets.authenticate({ ...named(wallet), signature, ...more });
  const signIn = async (wallet, more = hour) => authenticate(wallet, await wallet.sign((await start(wallet)).challenge), more);

  for (const [name, fresh] of [['ethereum', ethereumWallet], ['solana', solanaWallet]]) {
    describe(name, () => {
      test('a signature signs somebody unknown up, and in again afterwards', async () => {
        const wallet = fresh();
        const begun = await start(wallet);
        assert.match(begun.user_id, idOf('user'));
        assert.equal(begun.user_created, true);
        assert.match(begun.challenge, /^Signing in with Project: .+ [\w-]{80}$/);
        const first = complete('login', answered(await authenticate(wallet, await wallet.sign(begun.challenge), hour)));
        assert.equal(first.user_id, begun.user_id);
        const [held] = complete('user', first.user).crypto_wallets;
        assert.match(held.crypto_wallet_id, idOf('crypto-wallet'));
        assert.deepEqual(held, { ...named(wallet), crypto_wallet_id: held.crypto_wallet_id, verified: true });
        const [factor] = complete('session', first.session).authentication_factors;
        assert.deepEqual(
          [factor.type, factor.delivery_method, factor.crypto_wallet_factor],
          ['crypto', 'crypto_wallet', { ...named(wallet), crypto_wallet_id: held.crypto_wallet_id }],
        );
        assert.deepEqual(first.user.emails, []);

        const again = await start(wallet);
        assert.deepEqual([again.user_id, again.user_created], [first.user_id, false]);
        const second = await authenticate(wallet, await wallet.sign(again.challenge));
        assert.deepEqual([second.user_id, second.session, second.session_token], [first.user_id, null, '']);
      });

      test('a signature works once, and of the last message only', async () => {
        const wallet = fresh();
        const [first, second] = [await start(wallet), await start(wallet)];
        await refused(authenticate(wallet, await wallet.sign(first.challenge)), 401, unable);
        const signature = await wallet.sign(second.challenge);
        await authenticate(wallet, signature);
        await refused(authenticate(wallet, signature), 401, unable);
      });

      test('of many who bring one signature one gets in', async () => {
        const wallet = fresh();
        const signature = await wallet.sign((await start(wallet)).challenge);
        const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => authenticate(wallet, signature, hour)));
        assert.equal(outcomes.filter((o) => o.status === 'fulfilled').length, 1);
        for (const o of outcomes) if (o.status === 'rejected') assert.equal(o.reason.error_type, unable);
      });

      test('nobody signs for another wallet', async () => {
        const [mine, theirs] = [fresh(), fresh()];
        const { challenge } = await start(theirs);
        await start(mine);
        await refused(authenticate(theirs, await mine.sign(challenge)), 401, unable);
        await refused(authenticate(mine, await theirs.sign(challenge)), 401, unable);
        await authenticate(theirs, await theirs.sign(challenge));
      });

      test('a session adds the wallet to its user, and nobody else can', async () => {
        const { user_id, session_token } = await userWithPasskey(api, { minutes: 60 });
        const wallet = fresh();
        const begun = await start(wallet, { session_token });
        assert.deepEqual([begun.user_id, begun.user_created], [user_id, false]);
        const waiting = await api.users.get({ user_id });
        assert.deepEqual(waiting.crypto_wallets.map((w) => w.verified), [false]);
        const signature = await wallet.sign(begun.challenge);
        await refused(authenticate(wallet, signature, hour), 404, 'session_not_found');
        const joined = await authenticate(wallet, signature, { session_token });
        assert.deepEqual(joined.session.authentication_factors.map((f) => f.type), ['webauthn', 'crypto']);
        assert.equal(joined.user.crypto_wallets[0].verified, true);
        const other = await userWithPasskey(api, { minutes: 60 });
        await refused(start(wallet, { user_id: other.user_id }), 400, 'duplicate_wallet_address');
        const login = await wallet.sign((await start(wallet)).challenge);
        await refused(authenticate(wallet, login, { session_token: other.session_token }), 400, 'user_id_mismatch');
        assert.equal((await authenticate(wallet, login)).user_id, user_id);
      });

      test('a wallet can be taken away, and its sessions with it', async () => {
        const wallet = fresh();
        const { user_id, user, session_token } = await signIn(wallet);
        const [{ crypto_wallet_id }] = user.crypto_wallets;
        const found = await api.users.search({ query: { operator: 'AND', operands: [{ filter_name: 'crypto_wallet_address', filter_value: [wallet.address] }] } });
        assert.deepEqual(found.results.map((u) => u.user_id), [user_id]);
        const left = await api.users.deleteCryptoWallet({ crypto_wallet_id });
        assert.deepEqual(left.user.crypto_wallets, []);
        await refused(api.sessions.authenticate({ session_token }), 404, 'session_not_found');
        assert.notEqual((await signIn(wallet)).user_id, user_id);
      });
    });
  }

  test('what is malformed is told apart', async () => {
    const [eth, sol] = [ethereumWallet(), solanaWallet()];
    await refused(start({ ...eth, type: 'bitcoin' }), 400, 'invalid_wallet_type');
    await refused(start({ ...eth, address: eth.address.slice(0, -1) }), 400, 'invalid_ethereum_address');
    const letter = eth.address.slice(2).match(/[a-f]/i)[0];
    const swapped = letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase();
    await refused(start({ ...eth, address: '0x' + eth.address.slice(2).replace(letter, swapped) }), 400, 'invalid_ethereum_address');
    await refused(start({ ...sol, address: sol.address.slice(0, -2) }), 400, 'invalid_solana_address');
    for (const [wallet, bad] of [[eth, '0x1234'], [eth, 'zz'], [sol, 'abc'], [sol, (await sol.sign('x')).slice(0, -3)]]) {
      await start(wallet);
      await refused(authenticate(wallet, bad), 400, 'invalid_signature');
    }
  });

  test('addresses are one in every case, and v may count from zero', async () => {
    const wallet = ethereumWallet();
    const first = await signIn({ ...wallet, address: wallet.address.toLowerCase() });
    assert.equal(first.user.crypto_wallets[0].crypto_wallet_address, wallet.address);
    const signature = await wallet.sign((await start(wallet)).challenge);
    const v = Number.parseInt(signature.slice(-2), 16) - 27;
    assert.equal((await authenticate(wallet, signature.slice(0, -2) + toBeHex(v, 1).slice(2))).user_id, first.user_id);
  });

  test('the mirror image of a signature is none', async () => {
    const wallet = ethereumWallet();
    const signature = await wallet.sign((await start(wallet)).challenge);
    const s = order - BigInt('0x' + signature.slice(66, 130));
    const mirrored = signature.slice(0, 66) + toBeHex(s, 32).slice(2) + (signature.endsWith('1b') ? '1c' : '1b');
    await refused(authenticate(wallet, mirrored), 400, 'invalid_signature');
    await authenticate(wallet, signature);
  });

  describe('Sign-In with Ethereum', () => {
    const params = {
      domain: 'app.example.com', uri: 'https://app.example.com/login', chain_id: '137', statement: 'I accept the Terms: https://example.com/tos',
      issued_at: '2026-01-01T00:00:00Z', message_request_id: 'request-1', resources: ['https://example.com/a', 'ipfs://abc'],
    };

    test('the reference implementation reads the message as it was asked for, and verifies it', async () => {
      const wallet = ethereumWallet();
      const { challenge } = await start(wallet, { siwe_params: params });
      const message = new SiweMessage(challenge);
      assert.equal(message.toMessage(), challenge);
      assert.deepEqual(
        [message.domain, message.address, message.statement, message.uri, message.version, message.chainId, message.issuedAt, message.requestId, message.resources],
        [params.domain, wallet.address, params.statement, params.uri, '1', 137, '2026-01-01T00:00:00.000Z', params.message_request_id, params.resources],
      );
      assert.match(message.nonce, /^[A-Za-z0-9]{8,}$/);
      const life = Date.parse(message.expirationTime) - Date.parse(message.notBefore);
      assert.equal(life, 5 * 60_000);
      const signature = await wallet.sign(challenge);
      const verdict = await message.verify({ signature, domain: params.domain, nonce: message.nonce, time: message.notBefore });
      assert.equal(verdict.success, true);
      const login = await authenticate(wallet, signature, hour);
      const { domain, uri, chain_id, resources, issued_at, message_request_id, status_code, request_id } = login.siwe_params;
      assert.deepEqual(
        { domain, uri, chain_id, resources, issued_at, message_request_id, status_code, request_id },
        { domain: params.domain, uri: params.uri, chain_id: '137', resources: params.resources, issued_at: message.issuedAt, message_request_id: 'request-1', status_code: 200, request_id: login.request_id },
      );
    });

    test('what may be left out is left out', async () => {
      const wallet = ethereumWallet();
      const { challenge } = await start(wallet, { siwe_params: { domain: 'localhost:3000', uri: 'http://localhost:3000', resources: [] } });
      const message = new SiweMessage(challenge);
      assert.deepEqual([message.statement, message.chainId, message.requestId], [undefined, 1, undefined]);
      assert.equal(message.toMessage(), challenge);
      assert.deepEqual((await authenticate(wallet, await wallet.sign(challenge))).siwe_params.resources, []);
      assert.equal((await signIn(wallet)).siwe_params, null);
    });

    test('every field is checked', async () => {
      const wallet = ethereumWallet();
      for (const [field, value, verdict] of [
        ['domain', 'https://app.example.com', 'invalid_siwe_domain'], ['uri', 'app.example.com', 'invalid_siwe_uri'], ['chain_id', '0', 'invalid_siwe_chain_id'],
        ['chain_id', '9223372036854775772', 'invalid_siwe_chain_id'], ['statement', 'two\nlines', 'invalid_siwe_statement'], ['statement', 'é', 'invalid_siwe_statement'],
        ['resources', ['x'], 'invalid_siwe_resource'], ['message_request_id', 'a b', 'invalid_siwe_message_request_id'], ['issued_at', 'now', 'bad_request'],
      ]) {
        await refused(start(wallet, { siwe_params: { ...params, [field]: value } }), 400, verdict);
      }
      await start(wallet, { siwe_params: { ...params, chain_id: '9223372036854775771' } });
      await refused(start(solanaWallet(), { siwe_params: params }), 400, 'crypto_wallet_type_incompatible_with_siwe');
      const not_before = new Date(Date.now() + 60_000).toISOString();
      const { challenge } = await start(wallet, { siwe_params: { ...params, not_before } });
      await refused(authenticate(wallet, await wallet.sign(challenge)), 401, 'siwe_message_not_valid_yet');
    });
  });

  test('wrong signatures lock nobody, and are counted for nobody', async () => {
    const wallet = ethereumWallet();
    await signIn(wallet);
    const { challenge } = await start(wallet);
    const wrong = await wallet.sign('something else');
    for (let i = 0; i < 12; i += 1) await refused(authenticate(wallet, wrong), 401, unable);
    await authenticate(wallet, await wallet.sign(challenge));
  });

  describe('the sandbox of wallets', () => {
    const wallet = { type: 'ethereum', address: '0x6df2dB4Fb3DA35d241901Bd53367770BF03123f1' };
    const signature = '0x0c4f82edc3c818b6beff4b89e0682994e5878074609903cecdfb';
    const user_id = 'user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd';

    test('the one signature signs the virtual user in', async () => {
      const begun = await start(wallet);
      assert.deepEqual([begun.user_id, begun.user_created], [user_id, false]);
      const login = complete('login', answered(await authenticate(wallet, signature, hour)));
      assert.deepEqual([login.user_id, login.session_token], [user_id, 'WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY']);
      assert.deepEqual(login.session.authentication_factors.map((f) => [f.type, f.crypto_wallet_factor.crypto_wallet_address]), [['crypto', wallet.address]]);
    });

    test('any other does not', async () => {
      await refused(authenticate(wallet, signature.slice(0, -2), hour), 401, unable);
      await refused(authenticate({ ...wallet, type: 'solana' }, signature, hour), 400, 'invalid_solana_address');
    });
  });
});
