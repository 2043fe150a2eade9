package webauthn

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"gatehouse/internal/apierr"
)

var (
	errRegister     = apierr.New(401, "unable_to_register_webauthn_registration", "The passkey could not be registered: what the authenticator sent does not fit this registration. Start the registration again.")
	errAuthenticate = apierr.New(401, "unable_to_auth_webauthn_registration", "The passkey could not be verified. Start the authentication again.")
)

// algorithms are the signature algorithms a new credential may use, the
// preferred first (RFC 9053): ES256, EdDSA with Ed25519, RS256. Nothing is
// offered that an assertion could not be verified with later.
var algorithms = []webauthncose.COSEAlgorithmIdentifier{
	webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256,
}

// maxRSAModulus bounds an RSA key, in bytes: verification takes time that
// grows with its square.
const maxRSAModulus = 1024

// ceremony is what the server expects of the other side's answer.
type ceremony struct {
	rules      *originRules
	verifyUser bool // userVerification was "required" in the options
	algorithms []webauthncose.COSEAlgorithmIdentifier
}

// attested is what a verified registration says about the new credential.
type attested struct {
	CredentialID []byte
	PublicKey    []byte // COSE_Key, canonical CBOR
	Algorithm    int64  // COSE algorithm identifier
	AAGUID       []byte // 16 bytes, all zero when the authenticator does not say
	Flags        protocol.AuthenticatorFlags
	SignCount    uint32
	Format       string // attestation statement format
}

func (a *attested) backupEligible() bool { return a.Flags.HasBackupEligible() }

// asserted is what a verified assertion says about its credential.
type asserted struct {
	Flags     protocol.AuthenticatorFlags
	SignCount uint32
}

// verifyRegistration checks a registration the way WebAuthn L3, section 7.1,
// says, except for the challenge and the uniqueness of the credential, which
// need the database. Attestation statements of all standard formats are
// verified; which models to trust is nobody's rule here, so no trust anchors
// are asked for beyond those a format itself fixes.
func (c *ceremony) verifyRegistration(r *registration) (*attested, error) {
	att, err := parseAttestation(r.AttestationObject)
	if err != nil {
		return nil, err
	}
	if err := r.ClientData.verify(ceremonyCreate, c.rules); err != nil {
		return nil, refused(errRegister, err)
	}
	data := &att.AuthData
	if !bytes.Equal(data.AttData.CredentialID, r.ID) {
		return nil, errInvalidID.WithMessage("The id of the public_key_credential is not the one in its attestationObject.")
	}
	if err := checkFlags(data.Flags); err != nil {
		return nil, errRegister.Because(err)
	}
	algorithm, err := checkKey(data.AttData.CredentialPublicKey)
	if err != nil {
		return nil, errRegister.Because(err)
	}
	params := make([]protocol.CredentialParameter, len(c.algorithms))
	for i, alg := range c.algorithms {
		params[i] = protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: alg}
	}
	hash := sha256.Sum256(r.ClientDataJSON)
	// Software-backed Android keys are welcome like any other software key.
	policy := protocol.AttestationPolicy{AndroidKey: protocol.AndroidKeyPolicy{AuthorizationScope: protocol.AndroidKeyAuthorizationScopeUnion}}
	if err := att.Verify(c.rules.rpID, hash[:], c.verifyUser, true, nil, params, policy, protocol.SignaturePolicy{}); err != nil {
		return nil, errRegister.Because(reason(err))
	}
	return &attested{
		CredentialID: data.AttData.CredentialID, PublicKey: data.AttData.CredentialPublicKey, Algorithm: algorithm,
		AAGUID: data.AttData.AAGUID, Flags: data.Flags, SignCount: data.Counter, Format: att.Format,
	}, nil
}

// verifyAssertion checks an assertion against the public key of its credential
// the way WebAuthn L3, section 7.2, says, except for the challenge, the user
// handle and the sign counter, which need the credential's row.
func (c *ceremony) verifyAssertion(a *assertion, publicKey []byte) (*asserted, error) {
	var data protocol.AuthenticatorData
	if err := data.Unmarshal(a.AuthenticatorData); err != nil {
		return nil, errAuthData.Because(reason(err))
	}
	if err := a.ClientData.verify(ceremonyGet, c.rules); err != nil {
		return nil, refused(errAuthenticate, err)
	}
	if err := checkFlags(data.Flags); err != nil {
		return nil, errAuthenticate.Because(err)
	}
	rpIDHash := sha256.Sum256([]byte(c.rules.rpID))
	if err := data.Verify(rpIDHash[:], nil, c.verifyUser, true); err != nil {
		return nil, errAuthenticate.Because(reason(err))
	}
	key, err := webauthncose.ParsePublicKey(publicKey)
	if err != nil {
		return nil, fmt.Errorf("the stored public key: %w", err)
	}
	hash := sha256.Sum256(a.ClientDataJSON)
	valid, err := webauthncose.VerifySignature(key, slices.Concat(a.AuthenticatorData, hash[:]), a.Signature)
	switch {
	case errors.Is(err, webauthncose.ErrSigNotProvidedOrInvalid):
		return nil, errSignature.Because(err)
	case err != nil || !valid:
		return nil, errAuthenticate.Because(errors.Join(errors.New("the signature does not verify"), err))
	}
	return &asserted{Flags: data.Flags, SignCount: data.Counter}, nil
}

// parseAttestation decodes an attestation object. The shape is checked member
// by member first: decoding into a struct alone would take a missing member
// for an empty one.
func parseAttestation(raw []byte) (*protocol.AttestationObject, error) {
	var members map[string]webauthncbor.RawMessage
	if err := webauthncbor.Unmarshal(raw, &members); err != nil {
		return nil, errAttestationObject.Because(err)
	}
	statement := cborMap
	if format := members["fmt"]; bytes.HasSuffix(format, []byte(protocol.AttestationFormatCompound)) {
		statement = cborArray
	}
	if cborType(members["fmt"]) != cborText || cborType(members["attStmt"]) != statement || cborType(members["authData"]) != cborBytes {
		return nil, errAttestationObject.WithMessage("The attestationObject of the public_key_credential lacks fmt, attStmt or authData, or one is of the wrong type.")
	}
	var att protocol.AttestationObject
	if err := webauthncbor.Unmarshal(raw, &att); err != nil {
		return nil, errAttestationObject.Because(err)
	}
	if err := att.AuthData.Unmarshal(att.RawAuthData); err != nil {
		return nil, errAuthData.Because(reason(err))
	}
	if !att.AuthData.Flags.HasAttestedCredentialData() || len(att.AuthData.AttData.CredentialID) == 0 {
		return nil, errAuthData.WithMessage("The authenticator data of the attestationObject holds no credential.")
	}
	return &att, nil
}

// The CBOR major types (RFC 8949, section 3.1) of an attestation object.
const (
	cborBytes = 2
	cborText  = 3
	cborArray = 4
	cborMap   = 5
	cborNone  = -1
)

func cborType(raw webauthncbor.RawMessage) int {
	if len(raw) == 0 {
		return cborNone
	}
	return int(raw[0] >> 5)
}

// checkFlags refuses the one combination that cannot be: backed up, yet not
// eligible for it (WebAuthn L3, section 6.1.3).
func checkFlags(f protocol.AuthenticatorFlags) error {
	if f.HasBackupState() && !f.HasBackupEligible() {
		return errors.New("the backup state is set without backup eligibility")
	}
	return nil
}

// checkKey makes sure, at registration, that the key is one that assertions
// can be verified with, and returns its algorithm.
func checkKey(publicKey []byte) (int64, error) {
	key, err := webauthncose.ParsePublicKey(publicKey)
	if err != nil {
		return 0, reason(err)
	}
	switch k := key.(type) {
	case webauthncose.EC2PublicKeyData:
		return k.Algorithm, nil
	case webauthncose.OKPPublicKeyData:
		return k.Algorithm, nil
	case webauthncose.RSAPublicKeyData:
		if len(k.Modulus) > maxRSAModulus {
			return 0, fmt.Errorf("an RSA modulus of %d bytes", len(k.Modulus))
		}
		return k.Algorithm, nil
	}
	return 0, fmt.Errorf("a key of type %T", key)
}

// refused keeps a reason out of the caller's sight, except for the place that
// may not speak for the RP ID: naming it shows a developer what to configure.
func refused(verdict *apierr.Error, err error) error {
	var origin *originError
	if errors.As(err, &origin) {
		return verdict.WithMessage("The origin %.200q may not use passkeys of %s. Use a page on that domain, or add the origin to the environment's related origins.", origin.origin, origin.rpID).Because(err)
	}
	return verdict.Because(err)
}

// reason brings the details of the library's errors into the log: its Error()
// tells only the kind.
func reason(err error) error {
	var e *protocol.Error
	if errors.As(err, &e) {
		return fmt.Errorf("%s: %s", e.Details, e.DevInfo)
	}
	return err
}
