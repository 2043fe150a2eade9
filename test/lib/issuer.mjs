// A product that people are signed in with elsewhere: it signs tokens, publishes its keys and knows whose its access tokens are.
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export class Issuer {
  #server;
  #key;
  people = {}; // what is said of whom, by access token

  static async start() {
    const issuer = new Issuer();
    issuer.rotate();
    issuer.#server = createServer((req, res) => issuer.#answer(req, res));
    await new Promise((resolve) => issuer.#server.listen(0, '127.0.0.1', resolve));
    issuer.url = `http://127.0.0.1:${issuer.#server.address().port}`;
    return issuer;
  }

  // Signs with a new key from now on, and publishes no other.
  rotate() {
    this.#key = { kid: randomUUID(), ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) };
  }

  // A token for an audience, good for five minutes, with claims of its own.
  token(aud, claims) {
    const now = Math.floor(Date.now() / 1000);
    const head = encoded({ alg: 'ES256', typ: 'JWT', kid: this.#key.kid });
    const text = `${head}.${encoded({ iss: this.url, aud, iat: now, exp: now + 300, jti: randomUUID(), ...claims })}`;
    const signature = sign('sha256', Buffer.from(text), { key: this.#key.privateKey, dsaEncoding: 'ieee-p1363' });
    return `${text}.${signature.toString('base64url')}`;
  }

  // The public key as a file.
  pem() {
    return this.#key.publicKey.export({ type: 'spki', format: 'pem' });
  }

  #answer(req, res) {
    const person = this.people[req.headers.authorization?.replace(/^Bearer /, '')];
    const { kid, publicKey } = this.#key;
    if (req.url === '/jwks') {
      res.setHeader('Content-Type', 'application/json');
      return res.end(JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }] }));
    }
    if (req.url !== '/userinfo' || !person) return res.writeHead(401).end();
    res.setHeader('Content-Type', 'application/json');
    return res.end(JSON.stringify(person));
  }

  stop() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }
}
