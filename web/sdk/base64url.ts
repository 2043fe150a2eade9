// Binary members of WebAuthn options and credentials as text. Both alphabets are read, padded or not, since the
// API can answer in either; only base64url without padding is written.

export function decode(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/").replace(/=+$/, ""));
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

export function encode(bytes: ArrayBuffer | Uint8Array): string {
  let binary = "";
  for (const byte of bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)) binary += String.fromCharCode(byte);
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** The same value in base64url without padding, whichever alphabet it came in. */
export function normalise(text: string): string {
  return encode(decode(text));
}

/** A text's UTF-8 bytes in base64url: how a user handle is written. */
export function encodeText(text: string): string {
  return encode(new TextEncoder().encode(text));
}

export function decodeText(text: string): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(decode(text));
}
