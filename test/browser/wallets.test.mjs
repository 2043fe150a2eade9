// Crypto wallets with the unmodified browser SDK and its pre-built login, on a customer's page: the wallets are put into
// the page as extensions of a browser do it, and sign with the libraries that wallets are made of.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';

import { SiweMessage } from 'siwe';

import { launch, newPerson } from '../lib/browser.mjs';
import { openWithSDK, sdk, serveCustomerPage, showLogin, told } from '../lib/customer-page.mjs';
import { client, complete, idOf } from '../lib/sdk.mjs';
import { eventually, Server } from '../lib/server.mjs';
import { ethereumWallet, injectWallets, named, solanaWallet } from '../lib/wallets.mjs';

const patience = 20_000; // ms

describe('crypto wallets in a browser', () => {
  let server, api, site, browser, person, page, calls;
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
  });
  afterEach(async () => {
    assert.deepEqual(person.problems, [], 'errors on the page');
    await person.context.close();
  });

  // Opens the page for somebody with these wallets; returns what the page will have asked of them.
  async function open(wallets) {
    const asked = await injectWallets(page, wallets);
    calls = await openWithSDK(page, site.origin, server);
    return asked;
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

  // What a page of an app does with a wallet, step by step.
  const signOnPage = (type, message) => page.evaluate(async ([type, message]) => {
    if (type === 'ethereum') {
      const [address] = await window.ethereum.request({ method: 'eth_requestAccounts' });
      return window.ethereum.request({ method: 'personal_sign', params: [message, address] });
    }
    const { signature } = await window.solana.request({ method: 'signMessage', params: { message: new TextEncoder().encode(message), display: 'utf8' } });
    return [...signature];
  }, [type, message]);
  const begin = (wallet, more) => sdk(page, 'cryptoWallets.authenticateStart', { ...named(wallet), ...more });
  const finish = (wallet, signature) => sdk(page, 'cryptoWallets.authenticate', { ...named(wallet), signature, session_duration_minutes: 60 });

  for (const [type, fresh] of [['ethereum', ethereumWallet], ['solana', solanaWallet]]) {
    test(`${type}: somebody signs up, and in again; a signature works once`, async () => {
      const wallet = fresh();
      await open({ [type]: wallet });
      const begun = await begin(wallet);
      assert.deepEqual(Object.keys(begun).sort(), ['challenge', 'request_id', 'status_code'], 'a page does not learn who is a user');
      assert.equal((await calls.settled('/sdk/v1/crypto_wallets/authenticate/start/primary')).status, 200);
      if (type === 'ethereum') assert.equal(await signOnPage(type, begun.challenge), await wallet.sign(begun.challenge));
      const signature = await wallet.sign(begun.challenge);
      const first = complete('login', await finish(wallet, signature));
      assert.deepEqual(first.user.crypto_wallets.map((w) => [w.crypto_wallet_address, w.verified]), [[wallet.address, true]]);
      assert.deepEqual(first.session.authentication_factors.map((f) => [f.type, f.delivery_method]), [['crypto', 'crypto_wallet']]);
      assert.equal((await sdk(page, 'session.getSync')).user_id, first.user_id);
      assert.equal((await sdk(page, 'user.getSync')).crypto_wallets.length, 1);

      await sdk(page, 'session.revoke');
      await refusal(finish(wallet, signature), 401, 'unable_to_authenticate_crypto_wallet');
      const second = await finish(wallet, await wallet.sign((await begin(wallet)).challenge));
      assert.equal(second.user_id, first.user_id);
      assert.notEqual(second.session.session_id, first.session.session_id);
    });
  }

  test('somebody who is signed in adds a wallet, to the same session', async () => {
    const [eth, sol] = [ethereumWallet(), solanaWallet()];
    await open({ ethereum: eth, solana: sol });
    const first = await finish(eth, await eth.sign((await begin(eth)).challenge));
    const begun = await begin(sol);
    assert.deepEqual([begun.user_id, begun.user_created], [first.user_id, false]);
    assert.equal((await calls.settled('/sdk/v1/crypto_wallets/authenticate/start/secondary')).status, 200);
    const both = await finish(sol, await sol.sign(begun.challenge));
    assert.equal(both.session.session_id, first.session.session_id);
    assert.deepEqual(both.session.authentication_factors.map((f) => f.crypto_wallet_factor.crypto_wallet_type), ['ethereum', 'solana']);
    assert.equal((await sdk(page, 'user.getSync')).crypto_wallets.length, 2);
    const taken = ethereumWallet();
    const { challenge } = await api.cryptoWallets.authenticateStart(named(taken));
    await api.cryptoWallets.authenticate({ ...named(taken), signature: await taken.sign(challenge) });
    await refusal(begin(taken), 400, 'duplicate_wallet_address');
    const [{ crypto_wallet_id }] = both.user.crypto_wallets;
    assert.match(crypto_wallet_id, idOf('crypto-wallet'));
    const left = await sdk(page, 'user.deleteCryptoWallet', crypto_wallet_id);
    assert.equal(left.user.crypto_wallets.length, 1);
  });

  test('a page may read why it is refused', async () => {
    const wallet = ethereumWallet();
    await open({ ethereum: wallet });
    await refusal(begin({ ...wallet, address: '0x12' }), 400, 'invalid_ethereum_address');
    await refusal(begin({ ...wallet, type: 'solana' }), 400, 'invalid_solana_address');
    await refusal(finish(wallet, '0x12'), 400, 'invalid_signature');
    await refusal(finish(wallet, await wallet.sign('x')), 401, 'unable_to_authenticate_crypto_wallet');
    await refusal(begin({ type: 'ethereum', address: '0x6df2dB4Fb3DA35d241901Bd53367770BF03123f1' }), 400, 'invalid_ethereum_address');
  });

  describe('where messages by EIP-4361 are required', () => {
    before(async () => {
      await server.configure('crypto_wallets.siwe_required=true');
      await eventually(async () => {
        const { body } = await bootstrap();
        assert.equal(body.data.siwe_required_for_crypto_wallets, true);
      }, patience);
    });
    after(() => server.configure('crypto_wallets.siwe_required=false'));

    const bootstrap = async () => {
      const basic = Buffer.from(`${server.public_token}:${server.public_token}`).toString('base64');
      const response = await fetch(`${server.base_url}/sdk/v1/projects/bootstrap/${server.public_token}`, {
        headers: { authorization: `Basic ${basic}`, origin: site.origin, 'x-sdk-parent-host': site.origin },
      });
      return { body: await response.json() };
    };

    test('the message names the page it was asked for on', async () => {
      const wallet = ethereumWallet();
      await open({ ethereum: wallet });
      const { challenge } = await begin(wallet, { siwe_params: { statement: 'Welcome', chain_id: '10', resources: ['https://example.com/tos'] } });
      const message = new SiweMessage(challenge);
      assert.equal(message.toMessage(), challenge);
      assert.deepEqual(
        [message.domain, message.uri, message.address, message.chainId, message.statement, message.resources],
        [new URL(site.origin).host, site.origin, wallet.address, 10, 'Welcome', ['https://example.com/tos']],
      );
      const login = await finish(wallet, await signOnPage('ethereum', challenge));
      assert.deepEqual([login.siwe_params.domain, login.siwe_params.chain_id], [message.domain, '10']);
      await refusal(begin(wallet, { siwe_params: { statement: 'a\nb' } }), 400, 'invalid_siwe_statement');
      await refusal(begin(wallet, { siwe_params: { uri: 'nowhere' } }), 400, 'invalid_siwe_uri');
    });

    test('wallets of Solana sign as ever', async () => {
      const wallet = solanaWallet();
      await open({ solana: wallet });
      const { challenge } = await begin(wallet);
      assert.match(challenge, /^Signing in with Project: /);
      await finish(wallet, await wallet.sign(challenge));
    });

    test('the pre-built login has them signed', async () => {
      const wallet = ethereumWallet();
      const asked = await open({ ethereum: wallet });
      await show();
      await press('Continue with Metamask');
      await connected();
      assert.equal(new SiweMessage(asked.at(-1).message).domain, new URL(site.origin).host);
    });
  });

  const show = () => showLogin(page, { products: ['crypto'] });
  const press = (name) => page.getByRole('button', { name }).click();
  const connected = () => page.getByText('You have successfully connected your wallet.').waitFor();

  describe('the pre-built login', () => {
    for (const [button, type, wallets] of [
      ['Continue with Metamask', 'ethereum', { ethereum: ethereumWallet() }],
      ['Continue with Phantom', 'solana', { solana: solanaWallet() }],
      ['Continue with Other Solana Wallet', 'solana', { solana: solanaWallet(), phantom: false }],
    ]) {
      test(`"${button}" connects, signs, and signs in`, async () => {
        const wallet = wallets[type];
        const asked = await open(wallets);
        await show();
        await press(button);
        await connected();
        await eventually(async () => assert.deepEqual((await told(page)).filter((t) => t !== 'AUTHENTICATE_FLOW_COMPLETE'), ['CRYPTO_WALLET_AUTHENTICATE_START', 'CRYPTO_WALLET_AUTHENTICATE']));
        assert.deepEqual(asked.map((a) => a.method), ['connect', 'sign']);
        assert.match(asked[1].message, /^Signing in with Project: .+ [\w-]{80}$/);
        const session = await sdk(page, 'session.getSync');
        assert.deepEqual(session.authentication_factors.map((f) => f.crypto_wallet_factor.crypto_wallet_address), [wallet.address]);
        assert.equal(Date.parse(session.expires_at) - Date.parse(session.started_at), 60 * 60_000);
        const user = await api.users.get({ user_id: session.user_id });
        assert.deepEqual(user.crypto_wallets.map((w) => [w.crypto_wallet_address, w.crypto_wallet_type, w.verified]), [[wallet.address, type, true]]);
      });
    }

    test('a wallet that signs for somebody else signs nobody in', async () => {
      const [shown, other] = [ethereumWallet(), ethereumWallet()];
      await open({ ethereum: { ...shown, sign: other.sign } });
      await show();
      await press('Continue with Metamask');
      await page.getByText('Looks like there was an error').waitFor();
      assert.equal((await calls.settled('/sdk/v1/crypto_wallets/authenticate', 2)).type, 'unable_to_authenticate_crypto_wallet');
      assert.equal(await sdk(page, 'session.getSync'), null);
    });
  });
});
