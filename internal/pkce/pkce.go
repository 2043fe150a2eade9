// Package pkce owns Proof Key for Code Exchange (RFC 7636) with the one method
// there is, S256: whoever began a flow with a challenge must end it with the
// verifier. It never stores anything and never knows what flow it guards.
package pkce

import (
	"crypto/sha256"
	"encoding/base64"

	"gatehouse/internal/apierr"
	"gatehouse/internal/secret"
)

var (
	errChallenge   = apierr.New(400, "invalid_pkce_code_challenge", "The code_challenge is malformed. Send the SHA-256 of the code_verifier in base64url without padding: 43 characters.")
	errVerifier    = apierr.New(400, "invalid_pkce_code_verifier", "The code_verifier is malformed. It has 43 to 128 letters, digits and characters of - . _ ~ only.")
	errExpected    = apierr.New(400, "pkce_expected_code_verifier", "This was started in an app or browser that has to finish it: the code_verifier is missing. Open the link where you asked for it.")
	errNotExpected = apierr.New(400, "pkce_did_not_expect_code_verifier", "A code_verifier was sent, but this was started without a code_challenge.")
	errMismatch    = apierr.New(400, "pkce_mismatch", "The code_verifier does not belong to this. Open the link in the app or browser where you asked for it.")
)

// CheckChallenge says what is wrong with a code_challenge. It is 43 characters
// of base64url: method S256 (RFC 7636, section 4.2). plain does not exist here.
func CheckChallenge(challenge string) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	if err != nil || len(b) != sha256.Size {
		return errChallenge
	}
	return nil
}

// Verify decides whether a verifier answers the challenge that a flow began
// with, "" for none. The hash is taken of the verifier's text as it is: SDKs
// send hexadecimal.
func Verify(challenge, verifier string) error {
	switch {
	case challenge == "" && verifier == "":
		return nil
	case challenge == "":
		return errNotExpected
	case verifier == "":
		return errExpected
	case !validVerifier(verifier):
		return errVerifier
	}
	if !secret.Equal(Challenge(verifier), challenge) {
		return errMismatch
	}
	return nil
}

// Challenge is the code_challenge of a verifier.
func Challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// validVerifier checks RFC 7636, section 4.1. SDKs make verifiers of 16
// numbers in hexadecimal without leading zeros, which may be a little shorter
// than 43 characters in theory and never was.
func validVerifier(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' && c != '~' {
			return false
		}
	}
	return true
}
