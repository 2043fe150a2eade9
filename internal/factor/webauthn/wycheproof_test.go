package webauthn

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"gatehouse/internal/factor/webauthn/virtualkey"
)

// TestWycheproofSignatures runs the vectors of every advertised algorithm
// against what assertions are verified with, keys in COSE form and all.
func TestWycheproofSignatures(t *testing.T) {
	for name, cose := range map[string]func(t *testing.T, public any) []byte{
		"ecdsa_secp256r1_sha256_test.json":    coseP256,
		"ed25519_test.json":                   coseEd25519,
		"rsa_signature_2048_sha256_test.json": coseRSA,
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "vectors", "wycheproof", name))
			if os.IsNotExist(err) {
				t.Skip("the Wycheproof vectors are not beside this clone")
			}
			if err != nil {
				t.Fatal(err)
			}
			var file struct {
				Groups []struct {
					DER   string `json:"publicKeyDer"`
					Tests []struct {
						ID        int    `json:"tcId"`
						Comment   string `json:"comment"`
						Message   string `json:"msg"`
						Signature string `json:"sig"`
						Result    string `json:"result"`
					} `json:"tests"`
				} `json:"testGroups"`
			}
			if err := json.Unmarshal(text, &file); err != nil {
				t.Fatal(err)
			}
			valid := 0
			for _, g := range file.Groups {
				public, err := x509.ParsePKIXPublicKey(unhex(t, g.DER))
				if err != nil {
					t.Fatal(err)
				}
				key, err := webauthncose.ParsePublicKey(cose(t, public))
				if err != nil {
					t.Fatal(err)
				}
				for _, test := range g.Tests {
					ok, err := webauthncose.VerifySignature(key, unhex(t, test.Message), unhex(t, test.Signature))
					accepted := ok && err == nil
					if accepted && test.Result == "invalid" || !accepted && test.Result == "valid" {
						t.Errorf("%d (%s): accepted %v, the vector is %s", test.ID, test.Comment, accepted, test.Result)
					}
					if accepted {
						valid++
					}
				}
			}
			if valid == 0 {
				t.Error("no vector was accepted, so this proves nothing")
			}
		})
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func coseP256(t *testing.T, public any) []byte {
	t.Helper()
	point, err := public.(*ecdsa.PublicKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return virtualkey.Encode(map[int]any{1: 2, 3: virtualkey.ES256, -1: 1, -2: point[1:33], -3: point[33:65]})
}

func coseEd25519(_ *testing.T, public any) []byte {
	return virtualkey.Encode(map[int]any{1: 1, 3: virtualkey.EdDSA, -1: 6, -2: []byte(public.(ed25519.PublicKey))})
}

func coseRSA(_ *testing.T, public any) []byte {
	key := public.(*rsa.PublicKey)
	return virtualkey.Encode(map[int]any{1: 3, 3: virtualkey.RS256, -1: key.N.Bytes(), -2: big.NewInt(int64(key.E)).Bytes()})
}
