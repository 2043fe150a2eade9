// Package jwkstest owns an issuer of JSON Web Tokens for tests: a server with
// a key set, keys that rotate, tokens of every good and bad kind. It never
// verifies anything.
package jwkstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Key is a key that signs.
type Key struct {
	ID        string
	Algorithm string
	private   crypto.Signer
}

// NewKey makes a key for an algorithm.
func NewKey(t testing.TB, kid, algorithm string) *Key {
	t.Helper()
	curves := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
	var private crypto.Signer
	var err error
	switch curve := curves[algorithm]; {
	case curve != nil:
		private, err = ecdsa.GenerateKey(curve, rand.Reader)
	case algorithm == "EdDSA":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &Key{ID: kid, Algorithm: algorithm, private: private}
}

// JWK is the public half.
func (k *Key) JWK() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private.Public(), KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"}
}

// Private is the private half.
func (k *Key) Private() crypto.Signer { return k.private }

// PEM is the public half as a file.
func (k *Key) PEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// Sign signs claims, under a header to which more is added.
func (k *Key) Sign(t testing.TB, claims any, more map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return k.SignText(t, string(payload), more)
}

// SignText signs what need not be claims at all.
func (k *Key) SignText(t testing.TB, payload string, more map[string]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	if k.ID != "" {
		options = options.WithHeader("kid", k.ID)
	}
	for name, v := range more {
		options = options.WithHeader(jose.HeaderKey(name), v)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: k.private}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// Encode is base64url of a text, or of a value's JSON.
func Encode(v any) string {
	text, is := v.(string)
	if !is {
		b, _ := json.Marshal(v)
		text = string(b)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// Issuer is a server with a key set at URL + "/jwks".
type Issuer struct {
	URL  string
	Hits atomic.Int32 // how often the key set was asked for

	t       testing.TB
	now     func() time.Time
	mu      sync.Mutex
	keys    []*Key
	answer  http.HandlerFunc
	counter int
}

// New starts an issuer with one ES256 key, whose tokens are good by a clock.
func New(t testing.TB, now func() time.Time) *Issuer {
	t.Helper()
	i := &Issuer{t: t, now: now}
	i.Rotate()
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.URL = server.URL
	return i
}

// JWKS is where the key set is.
func (i *Issuer) JWKS() string { return i.URL + "/jwks" }

// Rotate replaces the key.
func (i *Issuer) Rotate() *Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.counter++
	k := NewKey(i.t, fmt.Sprintf("key-%d", i.counter), "ES256")
	i.keys = []*Key{k}
	return k
}

// Publish sets the keys; the first one signs.
func (i *Issuer) Publish(keys ...*Key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

// Key is the key that signs now.
func (i *Issuer) Key() *Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[0]
}

// Answer has the server answer in a way of its own; nil is the key set again.
func (i *Issuer) Answer(h http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = h
}

// ServeHTTP answers with the key set.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.Hits.Add(1)
	i.mu.Lock()
	answer := i.answer
	set := jose.JSONWebKeySet{}
	for _, k := range i.keys {
		set.Keys = append(set.Keys, k.JWK())
	}
	i.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(set)
}

// Claims are good ones of this issuer for an audience, five minutes long; more
// replaces and adds, nil takes away.
func (i *Issuer) Claims(audience string, more map[string]any) map[string]any {
	now := i.now().Unix()
	c := map[string]any{"iss": i.URL, "aud": audience, "sub": "subject", "iat": now, "exp": now + 300}
	maps.Copy(c, more)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// Token is a token with such claims.
func (i *Issuer) Token(audience string, more map[string]any) string {
	i.t.Helper()
	return i.Key().Sign(i.t, i.Claims(audience, more), nil)
}
