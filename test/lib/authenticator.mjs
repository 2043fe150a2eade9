// A passkey provider in software: what a browser and its authenticator answer together.
// It follows Web Authentication Level 3 for discoverable credentials and attestation "none", and it is
// obedient: `change` lets a test spoil any part before it is signed or sent.
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

import { encode } from './cbor.mjs';

const flag = { userPresent: 0x01, userVerified: 0x04, backupEligible: 0x08, backedUp: 0x10, attested: 0x40 };

// COSE algorithm numbers, each with how to make a key pair, show its public half and sign.
const algorithms = {
  [-7]: {
    generate: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    cose: (jwk) => new Map([[1, 2], [3, -7], [-1, 1], [-2, bytes(jwk.x)], [-3, bytes(jwk.y)]]),
    sign: (data, key) => sign('sha256', data, key),
  },
  [-8]: {
    generate: () => generateKeyPairSync('ed25519'),
    cose: (jwk) => new Map([[1, 1], [3, -8], [-1, 6], [-2, bytes(jwk.x)]]),
    sign: (data, key) => sign(null, data, key),
  },
  [-257]: {
    generate: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    cose: (jwk) => new Map([[1, 3], [3, -257], [-1, bytes(jwk.n)], [-2, bytes(jwk.e)]]),
    sign: (data, key) => sign('sha256', data, key),
  },
};

export class Authenticator {
  #credentials = [];

  // origin is the page the person is on; synced says whether passkeys may leave the device.
  constructor(origin, { algorithm = -7, synced = false, aaguid = Buffer.alloc(16) } = {}) {
    Object.assign(this, { origin, algorithm, synced, aaguid });
  }

  // navigator.credentials.create: takes the server's options (JSON text), returns a credential (JSON text).
  create(optionsJSON, { change = {} } = {}) {
    const options = JSON.parse(optionsJSON);
    if (!options.pubKeyCredParams.some(({ alg }) => alg === this.algorithm)) {
      throw new Error(`the server does not offer algorithm ${this.algorithm}`);
    }
    const held = this.#credentials.map(({ id }) => id.toString('base64url'));
    const excluded = (options.excludeCredentials ?? []).map(({ id }) => bytes(id).toString('base64url'));
    if (excluded.some((id) => held.includes(id))) throw new Error('InvalidStateError: already registered here');

    const { publicKey, privateKey } = algorithms[this.algorithm].generate();
    const credential = {
      id: randomBytes(32),
      rpId: options.rp.id ?? new URL(this.origin).hostname,
      userHandle: bytes(options.user.id),
      privateKey,
      algorithm: this.algorithm,
      signCount: 0,
    };
    this.#credentials.push(credential);

    const cose = encode(algorithms[this.algorithm].cose(publicKey.export({ format: 'jwk' })));
    const length = Buffer.alloc(2);
    length.writeUInt16BE(credential.id.length);
    const authData = Buffer.concat([
      this.#authenticatorData(credential, flag.attested, change),
      this.aaguid, length, credential.id, cose,
    ]);
    return this.#credentialJSON(credential, {
      clientDataJSON: this.#clientData('webauthn.create', options.challenge, change),
      attestationObject: encode(new Map([['fmt', 'none'], ['attStmt', new Map()], ['authData', authData]])),
    }, { transports: this.synced ? ['hybrid', 'internal'] : ['internal'] });
  }

  // navigator.credentials.get: picks the newest credential that the options allow.
  get(optionsJSON, { change = {} } = {}) {
    const options = JSON.parse(optionsJSON);
    const rpId = options.rpId ?? new URL(this.origin).hostname;
    const allowed = (options.allowCredentials ?? []).map(({ id }) => bytes(id).toString('base64url'));
    const credential = this.#credentials.findLast(
      (c) => c.rpId === rpId && (!allowed.length || allowed.includes(c.id.toString('base64url'))),
    );
    if (!credential) throw new Error('NotAllowedError: no credential for these options');

    credential.signCount += this.synced ? 0 : 1;
    const authenticatorData = this.#authenticatorData(credential, 0, change);
    const clientDataJSON = this.#clientData('webauthn.get', options.challenge, change);
    const hash = createHash('sha256').update(clientDataJSON).digest();
    const key = change.privateKey ?? credential.privateKey;
    const signature = algorithms[credential.algorithm].sign(Buffer.concat([authenticatorData, hash]), key);
    return this.#credentialJSON(credential, {
      clientDataJSON, authenticatorData, signature, userHandle: change.userHandle ?? credential.userHandle,
    });
  }

  #authenticatorData(credential, flags, change) {
    const rpIdHash = createHash('sha256').update(change.rpId ?? credential.rpId).digest();
    const backup = this.synced ? flag.backupEligible | flag.backedUp : 0;
    const tail = Buffer.alloc(5);
    tail[0] = change.flags ?? flag.userPresent | flag.userVerified | backup | flags;
    tail.writeUInt32BE(change.signCount ?? credential.signCount, 1);
    return Buffer.concat([rpIdHash, tail]);
  }

  #clientData(type, challenge, change) {
    return Buffer.from(JSON.stringify({
      type: change.type ?? type,
      challenge: change.challenge ?? bytes(challenge).toString('base64url'),
      origin: change.origin ?? this.origin,
      crossOrigin: change.crossOrigin ?? false,
    }));
  }

  #credentialJSON({ id }, response, extra = {}) {
    const text = Object.fromEntries(Object.entries(response).map(([k, v]) => [k, v.toString('base64url')]));
    return JSON.stringify({
      type: 'public-key',
      id: id.toString('base64url'),
      rawId: id.toString('base64url'),
      authenticatorAttachment: 'platform',
      response: { ...text, ...extra },
      clientExtensionResults: {},
    });
  }
}

// Reads both alphabets of base64, with and without padding: servers speak either.
function bytes(text) {
  return Buffer.from(text, 'base64');
}
