package webauthn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"gatehouse/internal/factor/webauthn/virtualkey"
)

func flagsOf(b byte) protocol.AuthenticatorFlags { return protocol.AuthenticatorFlags(b) }

// attester is a manufacturer of authenticators with an attestation key.
type attester struct {
	key   *ecdsa.PrivateKey
	chain [][]byte // leaf, issuer, root
}

// The library compares certificates with the computer's clock, so these are
// valid for as long as a test could run, or have never been.
var (
	longAgo    = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	formerly   = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	inTheFar   = time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC)
	inTheEnd   = time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC)
	goodLeaf   = [2]time.Time{longAgo, inTheEnd}
	goodIssuer = [2]time.Time{longAgo, inTheEnd}
)

func newAttester(t testing.TB) *attester { return attesterWith(t, goodLeaf, goodIssuer) }

func attesterWith(t testing.TB, leaf, issuer [2]time.Time) *attester {
	t.Helper()
	rootKey, issuerKey, leafKey := newECKey(t), newECKey(t), newECKey(t)
	root := certificate("Root", true, goodIssuer)
	rootDER := sign(t, root, root, &rootKey.PublicKey, rootKey)
	middle := certificate("Issuer", true, issuer)
	middleDER := sign(t, middle, root, &issuerKey.PublicKey, rootKey)
	end := certificate("Batch 1", false, leaf)
	endDER := sign(t, end, middle, &leafKey.PublicKey, issuerKey)
	return &attester{key: leafKey, chain: [][]byte{endDER, middleDER, rootDER}}
}

func newECKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// certificate meets the requirements of WebAuthn L3, section 8.2.1.
func certificate(name string, ca bool, valid [2]time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: valid[0], NotAfter: valid[1], BasicConstraintsValid: true, IsCA: ca,
		Subject: pkix.Name{Country: []string{"SE"}, Organization: []string{"Gatehouse tests"}, OrganizationalUnit: []string{"Authenticator Attestation"}, CommonName: name},
	}
}

func sign(t testing.TB, cert, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (a *attester) certificates(which ...int) []any {
	var x5c []any
	for _, i := range which {
		x5c = append(x5c, a.chain[i])
	}
	return x5c
}

// packed gives a registration a full packed attestation.
func (a *attester) packed(c *virtualkey.Created, x5c []any) {
	hash := sha256.Sum256(c.ClientDataJSON)
	c.Format = "packed"
	c.Statement = map[string]any{"alg": virtualkey.ES256, "sig": a.sign(slices.Concat(c.AuthData, hash[:])), "x5c": x5c}
}

// u2f gives a registration the attestation of a U2F token (section 8.6).
func (a *attester) u2f(c *virtualkey.Created) {
	public := c.Key.Private.Public().(*ecdsa.PublicKey)
	point, err := public.Bytes()
	must(err)
	hash := sha256.Sum256(c.ClientDataJSON)
	c.Format = "fido-u2f"
	c.Statement = map[string]any{"sig": a.sign(slices.Concat([]byte{0}, c.AuthData[:32], hash[:], c.Key.ID, point)), "x5c": a.certificates(0)}
}

func (a *attester) sign(message []byte) []byte {
	digest := sha256.Sum256(message)
	sig, err := a.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	must(err)
	return sig
}

func packedCases() map[string]fidoCase {
	suite := creationResponse + "5 "
	with := func(attest func(t *testing.T, c *virtualkey.Created)) fidoCase {
		return func(t *testing.T) error {
			return sent{created: func(c *virtualkey.Created) { attest(t, c) }}.register(t)
		}
	}
	full := func(t *testing.T, c *virtualkey.Created, change func(map[string]any)) {
		a := newAttester(t)
		a.packed(c, a.certificates(0, 1))
		change(c.Statement)
	}
	return map[string]fidoCase{
		suite + "P-1": with(func(t *testing.T, c *virtualkey.Created) { full(t, c, func(map[string]any) {}) }),
		suite + "F-1": with(func(t *testing.T, c *virtualkey.Created) {
			full(t, c, func(map[string]any) {})
			c.Format = "packed-unknown"
		}),
		suite + "F-2": with(func(t *testing.T, c *virtualkey.Created) { full(t, c, member("sig", []byte{1, 2, 3})) }),
		suite + "F-3": with(func(t *testing.T, c *virtualkey.Created) { full(t, c, member("x5c", nil)) }),
		suite + "F-4": with(func(t *testing.T, c *virtualkey.Created) { full(t, c, member("x5c", "a list")) }),
		suite + "F-5": with(func(t *testing.T, c *virtualkey.Created) { full(t, c, member("x5c", []any{})) }),
		suite + "F-6": with(func(t *testing.T, c *virtualkey.Created) {
			a := attesterWith(t, [2]time.Time{longAgo, formerly}, goodIssuer)
			a.packed(c, a.certificates(0, 1))
		}),
		suite + "F-7": with(func(t *testing.T, c *virtualkey.Created) {
			a := attesterWith(t, [2]time.Time{inTheFar, inTheEnd}, goodIssuer)
			a.packed(c, a.certificates(0, 1))
		}),
		suite + "F-11": with(func(t *testing.T, c *virtualkey.Created) { a := newAttester(t); a.packed(c, a.certificates(2, 1, 0)) }),
		suite + "F-12": with(func(t *testing.T, c *virtualkey.Created) {
			a := attesterWith(t, goodLeaf, [2]time.Time{longAgo, formerly})
			a.packed(c, a.certificates(0, 1))
		}),
		suite + "F-13": with(func(t *testing.T, c *virtualkey.Created) {
			full(t, c, member("sig", newAttester(t).sign([]byte("of somebody else"))))
		}),
		suite + "F-14": with(func(t *testing.T, c *virtualkey.Created) {
			hash := sha256.Sum256(c.ClientDataJSON)
			sig, err := c.Key.Sign(slices.Concat(c.AuthData, hash[:]))
			must(err)
			full(t, c, member("sig", sig))
		}),
	}
}

func selfAndNoneCases() map[string]fidoCase {
	self, none := creationResponse+"6 ", creationResponse+"7 "
	return map[string]fidoCase{
		self + "P-1": sent{}.register,
		self + "F-1": sent{created: func(c *virtualkey.Created) { c.AuthData[36] ^= 1 }}.register,
		self + "F-3": sent{created: func(c *virtualkey.Created) { c.Format = "self" }}.register,
		none + "P-1": sent{device: virtualkey.New()}.register,
		none + "P-2": sent{}.register,
		none + "F-1": func(t *testing.T) error {
			return sent{created: func(c *virtualkey.Created) {
				a := newAttester(t)
				a.packed(c, a.certificates(0, 1))
				c.Format = "none"
			}}.register(t)
		},
	}
}

func u2fCases() map[string]fidoCase {
	suite := creationResponse + "8 "
	with := func(change func(*virtualkey.Created), after func(map[string]any)) fidoCase {
		return func(t *testing.T) error {
			return sent{created: func(c *virtualkey.Created) {
				change(c)
				newAttester(t).u2f(c)
				after(c.Statement)
			}}.register(t)
		}
	}
	return map[string]fidoCase{
		suite + "P-1": with(func(*virtualkey.Created) {}, func(map[string]any) {}),
		suite + "F-2": with(func(*virtualkey.Created) {}, func(m map[string]any) { m["sig"].([]byte)[20] ^= 1 }),
	}
}
