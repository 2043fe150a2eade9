package jwks_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/internal/jwks"
	"gatehouse/internal/jwks/jwkstest"
)

func noonSerial() *big.Int { return big.NewInt(1) }

func refuses(t *testing.T, s *jwks.Set, what, token string, want error) {
	t.Helper()
	if _, err := s.Verify(token, expect(), noon); !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// Security case 17: an issuer that is not the expected one, with a good
// signature and the right audience.
func TestSecurity17IssuerNotPinned(t *testing.T) {
	k := jwkstest.NewKey(t, "k", "ES256")
	for _, iss := range []any{"https://evil.example", "https://issuer.example.evil.example", "https://issuer.example/x", " https://issuer.example", nil, 1, []string{"https://issuer.example", "https://evil.example"}} {
		refuses(t, setOf(t, k), fmt.Sprint(iss), k.Sign(t, with("iss", iss), nil), jwks.ErrIssuer)
	}
}

// Security case 18: a token for another client.
func TestSecurity18AudienceNotPinned(t *testing.T) {
	k := jwkstest.NewKey(t, "k", "ES256")
	for _, aud := range []any{"other", "app ", "APP", "", nil, []string{}, []string{"other"}, fields{"app": true}, true} {
		refuses(t, setOf(t, k), fmt.Sprint(aud), k.Sign(t, with("aud", aud), nil), jwks.ErrAudience)
	}
}

// Security case 32: no signature, a public key taken for a secret, a key of one
// kind for an algorithm of another, and names of keys that are paths or queries.
func TestSecurity32AlgorithmConfusion(t *testing.T) {
	rs, es := jwkstest.NewKey(t, "r", "RS256"), jwkstest.NewKey(t, "e", "ES256")
	s := setOf(t, rs, es)
	claims := jwkstest.Encode(good())
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "", "HS256", "HS512", "RS1", "ES256K", "RSA-OAEP", "rs256", "dir"} {
		head := jwkstest.Encode(fields{"alg": alg, "kid": "r"}) + "." + claims
		refuses(t, s, alg, head+".AAAA", jwks.ErrSignature)
		refuses(t, s, alg+" without a signature", head+".", jwks.ErrMalformed)
		refuses(t, s, alg+" in two parts", head, jwks.ErrMalformed)
		for _, secret := range [][]byte{rs.PEM(t), es.PEM(t), {}} {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(head))
			refuses(t, s, alg+" under the public key", head+"."+jwkstest.Encode(string(mac.Sum(nil))), jwks.ErrSignature)
		}
	}
	// The algorithm of one key under the name of the other.
	for kid, k := range map[string]*jwkstest.Key{"e": rs, "r": es} {
		swapped := *k
		swapped.ID = kid
		refuses(t, s, "key swap", swapped.Sign(t, good(), nil), jwks.ErrSignature)
	}
	for _, kid := range []string{"", "../../dev/null", "/dev/null", "r' OR 1=1 --", "r\x00", "R", "http://evil.example/jwks", strings.Repeat("r", 5000)} {
		other := jwkstest.NewKey(t, kid, "ES256")
		want := jwks.ErrUnknownKey
		if kid == "" {
			want = jwks.ErrSignature
		}
		refuses(t, s, kid, other.Sign(t, good(), nil), want)
	}
	// A token that brings its own key, or says where it is.
	other := jwkstest.NewKey(t, "e", "ES256")
	refuses(t, s, "jwk", other.Sign(t, good(), fields{"jwk": other.JWK()}), jwks.ErrSignature)
	refuses(t, s, "jku", other.Sign(t, good(), fields{"jku": "https://evil.example/jwks"}), jwks.ErrSignature)
	refuses(t, s, "x5u", other.Sign(t, good(), fields{"x5u": "https://evil.example/cert"}), jwks.ErrSignature)
}

func TestSecurity32MixedKeySet(t *testing.T) {
	es := jwkstest.NewKey(t, "k", "ES256")
	jwk, err := json.Marshal(es.JWK())
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	small, err := json.Marshal(jose.JSONWebKey{Key: &weak.PublicKey, KeyID: "weak"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := jwks.ParseSet([]byte(`{"keys":[{"kty":"oct","k":"AAAA","kid":"k","alg":"HS256"},{"kty":"new"},{},null,7,{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},` +
		`{"kty":"OKP","crv":"X25519","x":"` + jwkstest.Encode(strings.Repeat("a", 32)) + `"},` + string(small) + "," + string(jwk) + `]}`))
	if err != nil || s.Len() != 1 {
		t.Fatal(s, err)
	}
	if _, err := s.Verify(es.Sign(t, good(), nil), expect(), noon); err != nil {
		t.Error(err)
	}
	private := jose.JSONWebKey{Key: es.Private(), KeyID: "k"}
	secret, err := json.Marshal(private)
	if err != nil {
		t.Fatal(err)
	}
	encryption := es.JWK()
	encryption.Use = "enc"
	enc, err := json.Marshal(encryption)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		``, `{}`, `[]`, `null`, `{"keys":{}}`, `{"keys":[]}`, `{"keys":[` + string(small) + `]}`, `{"keys":[` + string(enc) + `]}`,
		`{"keys":[` + string(secret) + `,` + string(jwk) + `]}`, `{"keys":[],"keys":[` + string(jwk) + `]}`, `{"keys":[` + string(jwk) + `]} x`,
		`{"keys":[` + strings.Repeat(string(jwk)+",", 64) + string(jwk) + `]}`, `{"keys":` + strings.Repeat("[", 200000), strings.Repeat(" ", 300<<10),
	} {
		if _, err := jwks.ParseSet([]byte(text)); !errors.Is(err, jwks.ErrKeys) {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

// Security case 54: what is malformed is refused and breaks nothing.
func TestSecurity54MalformedTokens(t *testing.T) {
	k := jwkstest.NewKey(t, "k", "ES256")
	s := setOf(t, k)
	token := k.Sign(t, good(), nil)
	head, rest, _ := strings.Cut(token, ".")
	body, sig, _ := strings.Cut(rest, ".")
	for _, bad := range []string{
		"", ".", "..", "...", token + ".", "." + token, head + "." + body, head + ".." + sig, token + "=", token + "\n", " " + token,
		head + "=." + body + "." + sig, head + "." + body + "\r\n." + sig, token[:len(token)-1] + "!", head + "." + body + ".+/+/",
		jwkstest.Encode("{") + "." + body + "." + sig, jwkstest.Encode("[]") + "." + body + "." + sig, jwkstest.Encode("null") + "." + body + "." + sig,
		jwkstest.Encode("\xff\xfe") + "." + body + "." + sig, "\x00.\x00.\x00", strings.ReplaceAll(token, ".", "\uff0e"),
	} {
		refuses(t, s, fmt.Sprintf("%.40q", bad), bad, jwks.ErrMalformed)
	}
	for _, payload := range []string{
		`{"iss":"https://evil.example","iss":"https://issuer.example","aud":"app","exp":1772366700}`,
		`{"iss":"https://issuer.example","aud":"app","exp":1772366700,"a":{"email":"x","email":"y"}}`,
		`{"iss":"https://issuer.example","aud":"app","exp":1772366700,"a":[{"b":1,"b":1}]}`,
		`{"iss":"https://issuer.example","aud":"app","exp":1772366700,"\u0069ss":"https://issuer.example"}`,
		`{"iss":"https://issuer.example","aud":"app","exp":1772366700} {}`, `"text"`, `7`, `null`, `[]`, "{\"iss\":\"\xff\"}",
		`{"iss":"https://issuer.example","aud":"app","exp":1772366700,"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`,
	} {
		refuses(t, s, payload, k.SignText(t, payload, nil), jwks.ErrMalformed)
	}
	for name, v := range map[string]any{"crit": []string{"exp"}, "b64": false, "zip": "DEF", "enc": "A256GCM", "typ": "logout+jwt"} {
		h := fields{"alg": "ES256", "kid": "k", name: v}
		refuses(t, s, name, jwkstest.Encode(h)+"."+body+"."+sig, jwks.ErrMalformed)
	}
	refuses(t, s, "twice alg", jwkstest.Encode(`{"alg":"none","alg":"ES256","kid":"k"}`)+"."+body+"."+sig, jwks.ErrMalformed)
	refuses(t, s, "kid is a number", jwkstest.Encode(`{"alg":"ES256","kid":1}`)+"."+body+"."+sig, jwks.ErrMalformed)
	// The last character of a signature of 64 bytes has bits that nobody reads.
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if other := token[:len(token)-1] + string(last); other != token {
			if _, err := s.Verify(other, expect(), noon); err == nil {
				t.Errorf("the signature has a second spelling that ends in %q", last)
			}
		}
	}
}

// Security case 55: size and dots are looked at before anything is parsed, and
// encrypted tokens are none.
func TestSecurity55ParserExhaustion(t *testing.T) {
	k := jwkstest.NewKey(t, "k", "ES256")
	s := setOf(t, k)
	for _, bad := range []string{strings.Repeat(".", 1<<20), strings.Repeat("a", 1<<20), strings.Repeat("a.", 8000), k.Sign(t, with("pad", strings.Repeat("x", 20<<10)), nil)} {
		refuses(t, s, fmt.Sprintf("%.20s", bad), bad, jwks.ErrMalformed)
	}
	jwe := strings.Repeat("AAAA.", 4) + "AAAA"
	refuses(t, s, "JWE", jwe, jwks.ErrMalformed)
	refuses(t, s, "JSON", `{"payload":"e30","signatures":[]}`, jwks.ErrMalformed)
}

func FuzzVerify(f *testing.F) {
	k := jwkstest.NewKey(f, "k", "ES256")
	pem, err := jwks.ParsePEM(k.PEM(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.Sign(f, good(), nil))
	f.Add("a.b.c")
	f.Add(jwkstest.Encode(`{"alg":"ES256"}`) + "." + jwkstest.Encode(`{"iss":{"a":[1,2.5e3]}}`) + ".AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := pem.Verify(token, expect(), noon)
		if err == nil && c.String("iss") != "https://issuer.example" {
			t.Error("claims that were not expected")
		}
	})
}

func FuzzParseSet(f *testing.F) {
	jwk, err := json.Marshal(jwkstest.NewKey(f, "k", "ES256").JWK())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"keys":[` + string(jwk) + `]}`)
	f.Add(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := jwks.ParseSet([]byte(text)); err == nil && s.Len() == 0 {
			t.Error("a set without keys")
		}
		_, _ = jwks.ParsePEM([]byte(text))
	})
}
