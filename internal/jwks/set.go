package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxKeys    = 64        // of a set; the largest issuers publish a dozen
	maxSet     = 256 << 10 // bytes
	minRSABits = 2048
	maxRSABits = 8192 // larger ones cost whoever verifies, and protect nobody
)

// Set is the public keys of one issuer.
type Set struct{ keys []*key }

type key struct {
	id        string // empty: the key has no name and fits any
	algorithm string // empty: any that fits the kind of key
	public    crypto.PublicKey
}

// Len is the number of keys that can be used.
func (s *Set) Len() int { return len(s.keys) }

// fits reports whether an algorithm is one of the key's: a key of one kind
// never verifies what says it was signed by another.
func (k *key) fits(algorithm string) bool {
	if k.algorithm != "" && k.algorithm != algorithm {
		return false
	}
	switch p := k.public.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		return map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[p.Curve.Params().BitSize] == algorithm
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	}
	return false
}

// Verify returns the claims of a token that one of the keys has signed and
// that says what is expected.
func (s *Set) Verify(compact string, e Expect, now time.Time) (Claims, error) {
	t, err := take(compact, e)
	if err != nil {
		return nil, err
	}
	if err := e.check(t.claims, now); err != nil {
		return nil, err
	}
	return s.verify(t)
}

// verify looks at the signature alone. What a token's kid names is compared
// with the names of keys and used for nothing else.
func (s *Set) verify(t *token) (Claims, error) {
	err := ErrUnknownKey
	for _, k := range s.keys {
		if t.kid != "" && k.id != "" && k.id != t.kid {
			continue
		}
		err = ErrSignature
		if t.signedBy(k) {
			return t.claims, nil
		}
	}
	return nil, err
}

// ParseSet reads a JSON Web Key Set. Keys for other uses, of other kinds or
// too weak are left out, as RFC 7517 asks; a set with a private key in it is
// refused, since whoever has read it can sign.
func ParseSet(text []byte) (*Set, error) {
	if len(text) > maxSet {
		return nil, unusable("the set is too large")
	}
	doc, err := object(text)
	if err != nil {
		return nil, unusable("the set is not readable: %w", err)
	}
	list, is := doc["keys"].([]any)
	if !is || len(list) > maxKeys {
		return nil, unusable("the set has no list of at most %d keys", maxKeys)
	}
	s := &Set{}
	for _, one := range list {
		m, _ := one.(map[string]any)
		k, err := fromJWK(m)
		if err != nil {
			return nil, err
		}
		if k != nil {
			s.keys = append(s.keys, k)
		}
	}
	if len(s.keys) == 0 {
		return nil, unusable("the set has no key that can be used")
	}
	return s, nil
}

// fromJWK returns nil for a key that is not for us.
func fromJWK(m Claims) (*key, error) {
	kty := m.String("kty")
	if _, private := m["d"]; private {
		return nil, unusable("a key is a private one")
	}
	use, ops := m["use"], m["key_ops"]
	if use != nil && use != "sig" || ops != nil && !slices.Contains(Strings(ops), "verify") {
		return nil, nil
	}
	// Nothing else of it is read: certificates and addresses would be a second
	// opinion of what the key is.
	bare := map[string]any{"kty": kty}
	for _, name := range map[string][]string{"RSA": {"n", "e"}, "EC": {"crv", "x", "y"}, "OKP": {"crv", "x"}}[kty] {
		bare[name] = m[name]
	}
	text, err := json.Marshal(bare)
	var jwk jose.JSONWebKey
	if err != nil || kty == "oct" || jwk.UnmarshalJSON(text) != nil || weak(jwk.Key) != nil {
		return nil, nil
	}
	k := &key{id: m.String("kid"), algorithm: m.String("alg"), public: jwk.Key}
	if len(k.id) > 1024 || !slices.ContainsFunc(asymmetric, k.fits) {
		return nil, nil
	}
	return k, nil
}

// ParsePEM reads public keys and certificates. A certificate is a wrapping of
// its key here: who signed it and until when are not looked at, since whoever
// configured it trusts the key.
func ParsePEM(files ...[]byte) (*Set, error) {
	s := &Set{}
	for i, rest := range files {
		before := len(s.keys)
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			public, err := fromBlock(block)
			if err != nil {
				return nil, err
			}
			if s.keys = append(s.keys, &key{public: public}); len(s.keys) > maxKeys {
				return nil, unusable("there are more than %d keys", maxKeys)
			}
		}
		if len(s.keys) == before || strings.TrimSpace(string(rest)) != "" {
			return nil, unusable("file %d is not a PEM file of public keys or certificates", i+1)
		}
	}
	return s, nil
}

func fromBlock(block *pem.Block) (crypto.PublicKey, error) {
	var public crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			public = cert.PublicKey
		}
	default:
		if strings.Contains(block.Type, "PRIVATE") {
			return nil, unusable("a key is a private one")
		}
		return nil, unusable("%q is not a public key or a certificate", block.Type)
	}
	if err != nil {
		return nil, unusable("a key is not readable: %w", err)
	}
	if err := weak(public); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(asymmetric, (&key{public: public}).fits) {
		return nil, unusable("a key is of a kind that signs no tokens")
	}
	return public, nil
}

func weak(public crypto.PublicKey) error {
	if k, is := public.(*rsa.PublicKey); is {
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits || k.E < 3 || k.E%2 == 0 {
			return unusable("an RSA key has %d bits; %d to %d are accepted", bits, minRSABits, maxRSABits)
		}
		if roca(k.N) {
			return unusable("an RSA key was made by a chip whose keys can be factored (CVE-2017-15361)")
		}
	}
	return nil
}

// roca recognises the moduli of CVE-2017-15361: modulo each small prime they
// are powers of 65537, which others are by chance once in 2^27.
func roca(n *big.Int) bool {
	for _, p := range []int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157} {
		rest := new(big.Int).Mod(n, big.NewInt(p)).Int64()
		power := int64(1)
		for range p {
			if power == rest {
				break
			}
			power = power * 65537 % p
		}
		if power != rest {
			return false
		}
	}
	return true
}

func unusable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrKeys, fmt.Errorf(format, args...))
}
