// Crypto wallets, with the libraries that wallets are made of.
import bs58 from 'bs58';
import { Wallet } from 'ethers';
import nacl from 'tweetnacl';

// A wallet of Ethereum: {type, address, sign(message)}.
export function ethereumWallet() {
  const wallet = Wallet.createRandom();
  return { type: 'ethereum', address: wallet.address, sign: (message) => wallet.signMessage(message) };
}

// The same of Solana.
export function solanaWallet() {
  const { publicKey, secretKey } = nacl.sign.keyPair();
  const sign = async (message) => bs58.encode(nacl.sign.detached(new TextEncoder().encode(message), secretKey));
  return { type: 'solana', address: bs58.encode(publicKey), sign };
}

// The fields by which the API names a wallet.
export const named = ({ type, address }) => ({ crypto_wallet_type: type, crypto_wallet_address: address });

// Puts wallets into a page, as extensions of a browser do, before its own scripts run. What the page asks of them is
// noted in the list that comes back. Set `refuses` on it to have the person press "Cancel".
export async function injectWallets(page, { ethereum, solana, metamask = true, phantom = true }) {
  const asked = [];
  await page.exposeFunction('askWallet', async (type, method, message) => {
    asked.push({ type, method, message });
    if (asked.refuses) throw new Error('User rejected the request.');
    const wallet = type === 'ethereum' ? ethereum : solana;
    return method === 'connect' ? wallet.address : wallet.sign(message);
  });
  await page.addInitScript(({ has, metamask, phantom, alphabet }) => {
    const bytesOf = (text) => {
      let n = 0n;
      for (const c of text) n = n * 58n + BigInt(alphabet.indexOf(c));
      const out = [];
      for (; n > 0n; n >>= 8n) out.unshift(Number(n & 255n));
      for (const c of text) { if (c !== '1') break; out.unshift(0); }
      return Uint8Array.from(out);
    };
    if (has.ethereum) {
      window.ethereum = {
        isMetaMask: metamask,
        async request({ method, params }) {
          if (method === 'eth_requestAccounts') return [await window.askWallet('ethereum', 'connect')];
          if (method === 'personal_sign') return window.askWallet('ethereum', 'sign', params[0]);
          throw new Error(`this wallet knows no ${method}`);
        },
      };
    }
    if (has.solana) {
      window.solana = {
        isPhantom: phantom,
        async connect() {
          const address = await window.askWallet('solana', 'connect');
          return { publicKey: { toString: () => address } };
        },
        async request({ method, params }) {
          if (method !== 'signMessage') throw new Error(`this wallet knows no ${method}`);
          return { signature: bytesOf(await window.askWallet('solana', 'sign', new TextDecoder().decode(params.message))) };
        },
      };
    }
  }, { has: { ethereum: !!ethereum, solana: !!solana }, metamask, phantom, alphabet: '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz' });
  return asked;
}
