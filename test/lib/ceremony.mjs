// WebAuthn ceremonies as a customer writes them without any SDK: options from the backend API, the browser's own
// functions on the page, the credential back to the backend API. encoding is how the options are written.

// Both halves of registering on the page's device: the answer of POST /v1/webauthn/register.
export async function registerOnPage(api, page, user_id, { domain = 'localhost', encoding = 'base64url', passkey = true, ...finish } = {}) {
  const start = await api.webauthn.registerStart({
    user_id,
    domain,
    return_passkey_credential_options: passkey,
    use_base64_url_encoding: encoding === 'base64url',
  });
  const public_key_credential = await page.evaluate(createCredential, start.public_key_credential_creation_options);
  return api.webauthn.register({ user_id, public_key_credential, ...finish });
}

// Both halves of signing in on the page: the answer of POST /v1/webauthn/authenticate. Without user_id the device
// says who it is.
export async function signInOnPage(api, page, { user_id, encoding = 'base64url', passkey = true, mediation, ...finish } = {}) {
  const start = await api.webauthn.authenticateStart({
    user_id,
    domain: 'localhost',
    return_passkey_credential_options: passkey,
    use_base64_url_encoding: encoding === 'base64url',
  });
  const public_key_credential = await page.evaluate(getCredential, [start.public_key_credential_request_options, mediation]);
  return api.webauthn.authenticate({ public_key_credential, session_duration_minutes: 60, ...finish });
}

// The two functions below run on the page. They decode either alphabet, as the encoding in use demands.

async function createCredential(json) {
  const decode = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  const options = JSON.parse(json);
  const credential = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: decode(options.challenge),
      user: { ...options.user, id: decode(options.user.id) },
      excludeCredentials: (options.excludeCredentials ?? []).map((c) => ({ ...c, id: decode(c.id) })),
    },
  });
  return JSON.stringify(credential);
}

async function getCredential([json, mediation]) {
  const decode = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  const options = JSON.parse(json);
  const credential = await navigator.credentials.get({
    mediation,
    publicKey: {
      ...options,
      challenge: decode(options.challenge),
      allowCredentials: (options.allowCredentials ?? []).map((c) => ({ ...c, id: decode(c.id) })),
    },
  });
  return JSON.stringify(credential);
}
