// WebAuthn options and credentials between their JSON form (what the API speaks) and what the browser takes and
// gives. Written out rather than left to PublicKeyCredential.parse...FromJSON, which older browsers lack.
import { decode, encode } from "./base64url";

interface DescriptorJSON {
  id: string;
  type: PublicKeyCredentialType;
  transports?: AuthenticatorTransport[];
}

/** PublicKeyCredentialCreationOptions with base64url in place of bytes. */
export interface CreationOptionsJSON {
  challenge: string;
  rp: PublicKeyCredentialRpEntity;
  user: { id: string; name: string; displayName: string };
  pubKeyCredParams: PublicKeyCredentialParameters[];
  timeout?: number;
  excludeCredentials?: DescriptorJSON[];
  authenticatorSelection?: AuthenticatorSelectionCriteria;
  attestation?: AttestationConveyancePreference;
  extensions?: AuthenticationExtensionsClientInputs;
}

/** PublicKeyCredentialRequestOptions with base64url in place of bytes. */
export interface RequestOptionsJSON {
  challenge: string;
  rpId?: string;
  timeout?: number;
  allowCredentials?: DescriptorJSON[];
  userVerification?: UserVerificationRequirement;
  extensions?: AuthenticationExtensionsClientInputs;
}

const descriptor = (d: DescriptorJSON): PublicKeyCredentialDescriptor => ({ ...d, id: decode(d.id) });

export function creationOptions(json: CreationOptionsJSON): PublicKeyCredentialCreationOptions {
  const { challenge, user, excludeCredentials, ...rest } = json;
  return {
    ...rest,
    challenge: decode(challenge),
    user: { ...user, id: decode(user.id) },
    excludeCredentials: (excludeCredentials ?? []).map(descriptor),
  };
}

export function requestOptions(json: RequestOptionsJSON): PublicKeyCredentialRequestOptions {
  const { challenge, allowCredentials, ...rest } = json;
  return { ...rest, challenge: decode(challenge), allowCredentials: (allowCredentials ?? []).map(descriptor) };
}

/** The credential as JSON: what `public_key_credential` holds, as a string. */
export function credentialJSON(credential: PublicKeyCredential): Record<string, unknown> {
  const { response } = credential;
  const members: Record<string, unknown> = { clientDataJSON: encode(response.clientDataJSON) };
  if ("attestationObject" in response) {
    const created = response as AuthenticatorAttestationResponse;
    members.attestationObject = encode(created.attestationObject);
    members.transports = created.getTransports?.() ?? [];
  } else {
    const asserted = response as AuthenticatorAssertionResponse;
    members.authenticatorData = encode(asserted.authenticatorData);
    members.signature = encode(asserted.signature);
    if (asserted.userHandle) members.userHandle = encode(asserted.userHandle);
  }
  return {
    id: credential.id,
    rawId: encode(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: members,
  };
}
