package session

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// What we sign is what the library would have signed, header and all.
func TestSignaturesAreThoseOfTheLibrary(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, rsaKeyBits)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	payload := []byte(`{"sub":"user-test-1","name":"Zoë <&>"}`)
	for algorithm, key := range map[jose.SignatureAlgorithm]crypto.Signer{jose.RS256: rsaKey, jose.ES256: ecKey} {
		ours, err := newJWSSigner(key, string(algorithm), "jwk-test-1")
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: "jwk-test-1"}}, (&jose.SignerOptions{}).WithType("JWT"))
		if err != nil {
			t.Fatal(err)
		}
		made, err := theirs.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		want, err := made.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		// One signature in 128 has a number that begins with a zero byte.
		for range 600 {
			token, err := ours.compact(payload)
			if err != nil {
				t.Fatal(err)
			}
			signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{algorithm})
			if err != nil {
				t.Fatalf("%s: %v", algorithm, err)
			}
			if got, err := signed.Verify(key.Public()); err != nil || string(got) != string(payload) {
				t.Fatalf("%s: %q, %v", algorithm, got, err)
			}
			if algorithm == jose.RS256 { // which is the same every time (RFC 8017, section 8.2)
				if token != want {
					t.Fatalf("%s:\n%s\n%s", algorithm, token, want)
				}
				break
			}
			if len(token) != len(want) || token[:len(ours.header)] != want[:len(ours.header)] {
				t.Fatalf("%s:\n%s\n%s", algorithm, token, want)
			}
		}
	}
}

func TestOtherKeysDoNotSign(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newJWSSigner(key, "EdDSA", "jwk-test-1"); err == nil {
		t.Error("an Ed25519 key was taken")
	}
}
