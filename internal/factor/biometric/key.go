package biometric

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

var (
	errKeyMissing       = apierr.New(400, "public_key_missing", "The public_key is empty. Send the device's Ed25519 public key in base64.")
	errKey              = apierr.New(400, "invalid_public_key", "The public_key is not valid. Send the 32 bytes of an Ed25519 public key in standard base64.")
	errSignatureMissing = apierr.New(400, "signature_missing", "The signature is empty. Send the Ed25519 signature of the challenge in base64.")
	errSignature        = apierr.New(400, "could_not_parse_biometric_signature", "The signature is not valid. Send it in standard base64.")
	errSignatureSize    = apierr.New(400, "signature_is_incorrect_size", "The signature does not have the 64 bytes of an Ed25519 signature.")
	errID               = apierr.New(400, "invalid_biometric_registration_id", "The biometric_registration_id is not valid. Send the one that came with the challenge.")
)

// challengeSize is the length of a challenge in bytes.
const challengeSize = 32

func newChallenge() []byte {
	b := make([]byte, challengeSize)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return b
}

// parsePublicKey reads a key and refuses those that are worth nothing: whoever
// registers one has a sign-in that anybody can sign for.
func parsePublicKey(s string) (ed25519.PublicKey, error) {
	if s == "" {
		return nil, errKeyMissing
	}
	key, ok := decode(s)
	if !ok || !isKey(key) {
		return nil, errKey
	}
	return key, nil
}

// isKey reports whether a key is worth something, wherever it comes from.
func isKey(key []byte) bool {
	return len(key) == ed25519.PublicKeySize && isCanonical(key) && !hasSmallOrder(key)
}

func parseSignature(s string) ([]byte, error) {
	if s == "" {
		return nil, errSignatureMissing
	}
	signature, ok := decode(s)
	switch {
	case !ok:
		return nil, errSignature
	case len(signature) != ed25519.SignatureSize:
		return nil, errSignatureSize
	}
	return signature, nil
}

// checkID refuses what cannot be the id of a registration here.
func checkID(env *project.Environment, registrationID string) error {
	if !id.Check(id.Biometric, env.Kind, registrationID) {
		return errID
	}
	return nil
}

// decode reads standard base64 with its padding, in the one spelling that each
// value has.
func decode(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") { // which the decoder skips
		return nil, false
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return b, err == nil
}

// isCanonical reports whether the y coordinate is below the field's prime,
// 2^255 - 19: a point has one spelling then, so a key cannot be registered twice.
func isCanonical(key []byte) bool {
	top := key[31] & 0x7f
	return top != 0x7f || slices.ContainsFunc(key[1:31], func(b byte) bool { return b != 0xff }) || key[0] < 0xed
}

// smallOrder are the y coordinates of the points whose order divides eight, which
// have a signature that fits one message in eight without any private key.
var smallOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// hasSmallOrder looks at the y coordinate alone: the top bit is the sign of x.
func hasSmallOrder(key []byte) bool {
	y := slices.Clone(key)
	y[31] &= 0x7f
	return slices.Contains(smallOrder, hex.EncodeToString(y))
}
