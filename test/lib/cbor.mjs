// The little of CBOR (RFC 8949) that an authenticator writes: integers, byte and text strings, maps.

// Encodes a value canonically enough for CTAP2: give maps as Map, in the order to be written.
export function encode(value) {
  if (Number.isInteger(value)) return value < 0 ? head(1, -1 - value) : head(0, value);
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value]);
  if (typeof value === 'string') {
    const text = Buffer.from(value, 'utf8');
    return Buffer.concat([head(3, text.length), text]);
  }
  if (value instanceof Map) {
    const parts = [...value].flatMap(([key, item]) => [encode(key), encode(item)]);
    return Buffer.concat([head(5, value.size), ...parts]);
  }
  throw new TypeError(`no CBOR for ${typeof value}`);
}

function head(major, n) {
  const type = major << 5;
  if (n < 24) return Buffer.from([type | n]);
  if (n < 0x100) return Buffer.from([type | 24, n]);
  const bytes = Buffer.alloc(3);
  bytes[0] = type | 25;
  bytes.writeUInt16BE(n, 1);
  return bytes;
}
