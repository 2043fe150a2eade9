// An authenticator app: reads a QR code, and shows codes (RFC 6238).
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';

import jsQR from 'jsqr';
import { PNG } from 'pngjs';

const step = 30_000; // ms
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

// The bytes of a secret in base32.
function decode(secret) {
  const bits = [...secret].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('');
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

// The six digits of a 30-second step since 1970.
export function codeOf(secret, counter) {
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(counter));
  const mac = createHmac('sha1', decode(secret)).update(message).digest();
  const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

// What a camera reads from the address of an image, a data URL.
export function scan(address) {
  const [head, file] = address.split(',');
  assert.equal(head, 'data:image/png;base64');
  const { data, width, height } = PNG.sync.read(Buffer.from(file, 'base64'));
  assert.deepEqual([width, height], [200, 200]);
  const found = jsQR(new Uint8ClampedArray(data), width, height);
  assert.ok(found, 'the QR code cannot be scanned');
  return found.data;
}

export class AuthenticatorApp {
  #last = 0;

  // The app of what a QR code says.
  static scanned(address) {
    const uri = new URL(scan(address));
    assert.deepEqual([uri.protocol, uri.host], ['otpauth:', 'totp']);
    const app = new AuthenticatorApp(uri.searchParams.get('secret'));
    app.issuer = uri.searchParams.get('issuer');
    app.label = decodeURIComponent(uri.pathname.slice(1));
    return app;
  }

  // The app of a secret that somebody typed in.
  constructor(secret) {
    this.secret = secret;
  }

  // A code that was not shown before. It may be the next one, which servers take too; a third one within a step is not
  // taken, and waits.
  async code() {
    let counter;
    for (;;) {
      const now = Math.floor(Date.now() / step);
      counter = Math.max(now, this.#last + 1);
      if (counter <= now + 1) break;
      await new Promise((resolve) => setTimeout(resolve, step - (Date.now() % step)));
    }
    this.#last = counter;
    return codeOf(this.secret, counter);
  }

  // A code that none of the steps around now has.
  wrong() {
    const now = Math.floor(Date.now() / step);
    const near = [-2, -1, 0, 1, 2].map((n) => codeOf(this.secret, now + n));
    return ['000000', '000001', '000002', '000003', '000004', '000005'].find((code) => !near.includes(code));
  }
}
