package webauthn

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"gatehouse/internal/apierr"
)

// The family of refusals for a public_key_credential that cannot be read. What
// reads well and proves nothing is errRegister or errAuthenticate instead.
var (
	errCredential         = apierr.New(400, "invalid_public_key_credential", "The public_key_credential is malformed. Send the browser's credential as a JSON string.")
	errMissingID          = apierr.New(400, "invalid_public_key_credential_missing_id_field", "The public_key_credential has no id.")
	errInvalidID          = apierr.New(400, "invalid_public_key_credential_invalid_id", "The id of the public_key_credential is invalid. It is the credential id in base64 or base64url, the same as rawId.")
	errMissingResponse    = apierr.New(400, "invalid_public_key_credential_missing_response_field", "The public_key_credential has no response object.")
	errMissingClientData  = apierr.New(400, "invalid_public_key_credential_missing_client_data_json_field", "The response of the public_key_credential has no clientDataJSON.")
	errClientData         = apierr.New(400, "invalid_public_key_credential_malformed_client_data_json", "The clientDataJSON of the public_key_credential is malformed.")
	errMissingAttestation = apierr.New(400, "invalid_public_key_credential_missing_attestation_object_field", "The response of the public_key_credential has no attestationObject. Send the result of navigator.credentials.create().")
	errAttestationObject  = apierr.New(400, "invalid_public_key_credential_malformed_attestation_object", "The attestationObject of the public_key_credential is malformed.")
	errMissingAuthData    = apierr.New(400, "invalid_public_key_credential_missing_authenticator_data_field", "The response of the public_key_credential has no authenticatorData. Send the result of navigator.credentials.get().")
	errAuthData           = apierr.New(400, "invalid_public_key_credential_invalid_authenticator_data", "The authenticatorData of the public_key_credential is malformed.")
	errMissingSignature   = apierr.New(400, "invalid_public_key_credential_missing_signature_field", "The response of the public_key_credential has no signature. Send the result of navigator.credentials.get().")
	errSignature          = apierr.New(400, "invalid_public_key_credential_invalid_signature", "The signature of the public_key_credential is malformed.")
)

// maxCredentialJSON bounds a credential before anything in it is decoded. The
// largest honest ones, TPM attestations with their certificates, are near 12 KB.
const maxCredentialJSON = 64 << 10

// maxCredentialID is the longest credential id (WebAuthn L3, section 4).
const maxCredentialID = 1023

// How an authenticator is attached to the client (WebAuthn L3, section 5.4.5).
const (
	attachmentPlatform      = "platform"
	attachmentCrossPlatform = "cross-platform"
)

// credential is what both ceremonies send: the JSON form of the browser's
// PublicKeyCredential, with every binary member decoded.
type credential struct {
	ID             []byte
	Attachment     string // attachmentPlatform, attachmentCrossPlatform or ""
	ClientDataJSON []byte
	ClientData     *clientData
}

// registration is a credential from navigator.credentials.create().
type registration struct {
	credential
	AttestationObject []byte
	Transports        []string
	Discoverable      *bool // the credProps extension's answer, if the client gave one
}

// assertion is a credential from navigator.credentials.get().
type assertion struct {
	credential
	AuthenticatorData []byte
	Signature         []byte
	UserHandle        []byte // nil when the authenticator sent none
}

// credentialJSON is the shape of RegistrationResponseJSON and
// AuthenticationResponseJSON (WebAuthn L3, section 5.1). Members stay raw, so
// that each wrong one gets its own error.
type credentialJSON struct {
	ID         json.RawMessage `json:"id"`
	RawID      json.RawMessage `json:"rawId"`
	Type       json.RawMessage `json:"type"`
	Response   json.RawMessage `json:"response"`
	Attachment json.RawMessage `json:"authenticatorAttachment"`
	Extensions json.RawMessage `json:"clientExtensionResults"`
}

type responseJSON struct {
	ClientDataJSON    json.RawMessage `json:"clientDataJSON"`
	AttestationObject json.RawMessage `json:"attestationObject"`
	AuthenticatorData json.RawMessage `json:"authenticatorData"`
	Signature         json.RawMessage `json:"signature"`
	UserHandle        json.RawMessage `json:"userHandle"`
	Transports        json.RawMessage `json:"transports"`
}

// parseRegistration reads the public_key_credential of a registration.
func parseRegistration(s string) (*registration, error) {
	var outer credentialJSON
	var inner responseJSON
	c, err := parseCredential(s, &outer, &inner)
	if err != nil {
		return nil, err
	}
	r := &registration{credential: *c}
	if r.AttestationObject, err = requiredBinary(inner.AttestationObject, errMissingAttestation, errAttestationObject); err != nil {
		return nil, err
	}
	r.Transports = parseTransports(inner.Transports)
	r.Discoverable = parseDiscoverable(outer.Extensions)
	return r, nil
}

// parseAssertion reads the public_key_credential of an authentication.
func parseAssertion(s string) (*assertion, error) {
	var outer credentialJSON
	var inner responseJSON
	c, err := parseCredential(s, &outer, &inner)
	if err != nil {
		return nil, err
	}
	a := &assertion{credential: *c}
	if a.AuthenticatorData, err = requiredBinary(inner.AuthenticatorData, errMissingAuthData, errAuthData); err != nil {
		return nil, err
	}
	if a.Signature, err = requiredBinary(inner.Signature, errMissingSignature, errSignature); err != nil {
		return nil, err
	}
	if a.UserHandle, err = optionalBinary(inner.UserHandle); err != nil {
		return nil, errCredential.WithMessage("The userHandle of the public_key_credential is not base64.").Because(err)
	}
	return a, nil
}

func parseCredential(s string, outer *credentialJSON, inner *responseJSON) (*credential, error) {
	if len(s) > maxCredentialJSON {
		return nil, errCredential.WithMessage("The public_key_credential is larger than %d bytes.", maxCredentialJSON)
	}
	if err := json.Unmarshal([]byte(s), outer); err != nil {
		return nil, errCredential.Because(err)
	}
	c := &credential{}
	var err error
	if c.ID, err = parseID(outer); err != nil {
		return nil, err
	}
	if kind, ok := textOf(outer.Type); !ok || kind != "public-key" {
		return nil, errCredential.WithMessage(`The type of the public_key_credential is not "public-key".`)
	}
	if absent(outer.Response) {
		return nil, errMissingResponse
	}
	if err := json.Unmarshal(outer.Response, inner); err != nil || outer.Response[0] != '{' {
		return nil, errMissingResponse.WithMessage("The response of the public_key_credential is not an object.")
	}
	if attachment, ok := textOf(outer.Attachment); ok && (attachment == attachmentPlatform || attachment == attachmentCrossPlatform) {
		c.Attachment = attachment
	}
	if c.ClientDataJSON, err = requiredBinary(inner.ClientDataJSON, errMissingClientData, errClientData); err != nil {
		return nil, err
	}
	c.ClientData, err = parseClientData(c.ClientDataJSON)
	return c, err
}

// parseID reads id and rawId. Browsers send the same bytes in both; an old
// client may leave rawId out, but a second opinion must agree.
func parseID(outer *credentialJSON) ([]byte, error) {
	id, err := requiredBinary(outer.ID, errMissingID, errInvalidID)
	if err != nil {
		return nil, err
	}
	if len(id) > maxCredentialID {
		return nil, errInvalidID.WithMessage("The id of the public_key_credential is longer than %d bytes.", maxCredentialID)
	}
	rawID, err := optionalBinary(outer.RawID)
	if err != nil {
		return nil, errInvalidID.Because(err)
	}
	if rawID != nil && !bytes.Equal(id, rawID) {
		return nil, errInvalidID.WithMessage("The id and rawId of the public_key_credential differ.")
	}
	return id, nil
}

// parseTransports keeps the hints it knows how to give back. They are hints
// only, so a strange one is dropped instead of refusing the credential.
func parseTransports(raw json.RawMessage) []string {
	var all []string
	if json.Unmarshal(raw, &all) != nil {
		return nil
	}
	var known []string
	for _, t := range all {
		switch t {
		case "usb", "nfc", "ble", "smart-card", "hybrid", "internal":
			known = append(known, t)
		case "cable": // what Chrome called hybrid before it had a name
			known = append(known, "hybrid")
		}
	}
	return known
}

func parseDiscoverable(raw json.RawMessage) *bool {
	var ext struct {
		CredProps struct {
			RK *bool `json:"rk"`
		} `json:"credProps"`
	}
	if absent(raw) || json.Unmarshal(raw, &ext) != nil {
		return nil
	}
	return ext.CredProps.RK
}

// absent treats null and "" like a member that was not sent.
func absent(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null" || string(raw) == `""`
}

func textOf(raw json.RawMessage) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if plain := raw[1 : len(raw)-1]; bytes.IndexByte(plain, '\\') < 0 {
		return string(plain), true
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

func requiredBinary(raw json.RawMessage, missing, malformed *apierr.Error) ([]byte, error) {
	b, err := optionalBinary(raw)
	if err != nil {
		return nil, malformed.Because(err)
	}
	if b == nil {
		return nil, missing
	}
	return b, nil
}

var (
	errNotString = errors.New("not a JSON string")
	errNotBase64 = errors.New("neither base64 nor base64url")
)

// optionalBinary decodes a member that may be missing, which gives nil.
func optionalBinary(raw json.RawMessage) ([]byte, error) {
	if absent(raw) {
		return nil, nil
	}
	s, ok := textOf(raw)
	if !ok {
		return nil, errNotString
	}
	return decodeBase64(s)
}

// decodeBase64 accepts what the contract's two encodings and the libraries
// around them produce: standard base64 or base64url, padded or not. A value
// that mixes the alphabets, carries line breaks or has stray bits in its last
// character is refused.
func decodeBase64(s string) ([]byte, error) {
	plain := strings.TrimRight(s, "=")
	if plain == "" || len(s)-len(plain) > 2 || strings.ContainsAny(plain, "\r\n") {
		return nil, errNotBase64
	}
	encoding := stdStrict
	if strings.ContainsAny(plain, "-_") {
		encoding = urlStrict
	}
	b, err := encoding.DecodeString(plain)
	if err != nil {
		return nil, errNotBase64
	}
	return b, nil
}

var (
	stdStrict = base64.RawStdEncoding.Strict()
	urlStrict = base64.RawURLEncoding.Strict()
)
