// Package secret makes, compares and protects secret values: opaque tokens,
// hashes for look-up, and sealing at rest under the operator's master key. It
// knows nothing of where the values are stored and never logs one.
package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// tokenBytes is the entropy of a token: 264 bits, 44 characters on the wire.
const tokenBytes = 33

// Token returns a new opaque token: 44 characters of base64url without padding.
func Token() string {
	b := make([]byte, tokenBytes)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b)
}

// ValidToken reports whether s has the exact shape of a Token. Encodings that
// decode to the same bytes but differ in text do not exist at this length.
func ValidToken(s string) bool {
	if len(s) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil
}

// Hash returns the SHA-256 of a token: what is stored and looked up. Tokens
// carry full entropy, so a plain hash is enough (a password would not).
func Hash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Equal compares two strings in time that depends on their lengths only.
func Equal(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
