package jwks_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/internal/jwks"
	"gatehouse/internal/jwks/jwkstest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type fields = map[string]any

func setOf(t *testing.T, keys ...*jwkstest.Key) *jwks.Set {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, k.JWK())
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jwks.ParseSet(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func good() fields {
	return fields{"iss": "https://issuer.example", "aud": "app", "exp": noon.Unix() + 300, "iat": noon.Unix()}
}

func expect() jwks.Expect {
	return jwks.Expect{Issuers: []string{"https://issuer.example"}, Audience: []string{"app"}, RequireExpiry: true}
}

func with(name string, v any) fields {
	c := good()
	c[name] = v
	if v == nil {
		delete(c, name)
	}
	return c
}

func TestEveryAlgorithmIsVerifiedByItsOwnKey(t *testing.T) {
	names := strings.Fields("RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA")
	rsaKey := jwkstest.NewKey(t, "k", "RS256")
	for _, signs := range names {
		k := rsaKey
		if signs[0] == 'E' {
			k = jwkstest.NewKey(t, "k", signs)
		}
		as := *k
		as.Algorithm = signs
		token := as.Sign(t, good(), nil)
		if _, err := setOf(t, &as).Verify(token, expect(), noon); err != nil {
			t.Errorf("%s: %v", signs, err)
		}
		pem, err := jwks.ParsePEM(k.PEM(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pem.Verify(token, expect(), noon); err != nil {
			t.Errorf("%s by PEM: %v", signs, err)
		}
		for _, published := range names {
			if published == signs || (published[0] == 'E') != (signs[0] == 'E') || signs[0] == 'E' {
				continue
			}
			other := *k
			other.Algorithm = published
			if _, err := setOf(t, &other).Verify(token, expect(), noon); !errors.Is(err, jwks.ErrSignature) {
				t.Errorf("a key for %s verified %s: %v", published, signs, err)
			}
		}
		e := expect()
		e.Algorithms = []string{"RS256", "ES256"}
		_, err = setOf(t, &as).Verify(token, e, noon)
		if allowed := signs == "RS256" || signs == "ES256"; (err == nil) != allowed {
			t.Errorf("%s where RS256 and ES256 are allowed: %v", signs, err)
		}
	}
}

func TestClaimsAreJudged(t *testing.T) {
	k := jwkstest.NewKey(t, "k", "ES256")
	s := setOf(t, k)
	at := noon.Unix()
	for _, c := range []struct {
		what   string
		claims fields
		edit   func(*jwks.Expect)
		want   error
	}{
		{"good", good(), nil, nil},
		{"no issuer", with("iss", nil), nil, jwks.ErrIssuer},
		{"issuer in another case", with("iss", "https://Issuer.example"), nil, jwks.ErrIssuer},
		{"issuer with a slash", with("iss", "https://issuer.example/"), nil, jwks.ErrIssuer},
		{"list of issuers", with("iss", []string{"https://issuer.example"}), nil, jwks.ErrIssuer},
		{"nobody expected", good(), func(e *jwks.Expect) { e.Issuers = nil }, jwks.ErrIssuer},
		{"empty expected", with("iss", ""), func(e *jwks.Expect) { e.Issuers = []string{""} }, jwks.ErrIssuer},
		{"by function", good(), func(e *jwks.Expect) {
			e.Issuers, e.Issuer = nil, func(s string) bool { return s == "https://issuer.example" }
		}, nil},
		{"function says no", good(), func(e *jwks.Expect) { e.Issuer = func(string) bool { return false } }, jwks.ErrIssuer},
		{"no audience", with("aud", nil), nil, jwks.ErrAudience},
		{"other audience", with("aud", "app2"), nil, jwks.ErrAudience},
		{"list of audiences", with("aud", []string{"x", "app"}), nil, nil},
		{"list with a number", with("aud", []any{"app", 1}), nil, jwks.ErrAudience},
		{"no audience expected", good(), func(e *jwks.Expect) { e.Audience = nil }, jwks.ErrAudience},
		{"empty audience", with("aud", ""), func(e *jwks.Expect) { e.Audience = []string{""} }, jwks.ErrAudience},
		{"azp asked for", with("aud", []string{"x", "app"}), func(e *jwks.Expect) { e.AuthorizedParty = true }, jwks.ErrAudience},
		{"azp of another", with("azp", "x"), func(e *jwks.Expect) { e.AuthorizedParty = true }, jwks.ErrAudience},
		{"azp ours", with("azp", "app"), func(e *jwks.Expect) { e.AuthorizedParty = true }, nil},
		{"azp not asked for", with("azp", "x"), nil, nil},
		{"no exp", with("exp", nil), nil, jwks.ErrMalformed},
		{"no exp, allowed", with("exp", nil), func(e *jwks.Expect) { e.RequireExpiry = false }, nil},
		{"exp now", with("exp", at), nil, jwks.ErrExpired},
		{"exp now with leeway", with("exp", at), func(e *jwks.Expect) { e.Leeway = time.Second }, nil},
		{"exp in a moment", with("exp", at+1), nil, nil},
		{"exp with a fraction", with("exp", float64(at)+0.5), nil, nil},
		{"exp as text", with("exp", "9999999999"), nil, jwks.ErrMalformed},
		{"exp null", func() fields { c := good(); c["exp"] = json.RawMessage("null"); return c }(), nil, jwks.ErrMalformed},
		{"exp too large", func() fields { c := good(); c["exp"] = json.RawMessage("1e400"); return c }(), nil, jwks.ErrMalformed},
		{"exp negative", with("exp", -1), nil, jwks.ErrMalformed},
		{"nbf later", with("nbf", at+1), nil, jwks.ErrNotYet},
		{"nbf now", with("nbf", at), nil, nil},
		{"iat later", with("iat", at+30), nil, jwks.ErrNotYet},
		{"iat later with leeway", with("iat", at+30), func(e *jwks.Expect) { e.Leeway = time.Minute }, nil},
		{"nonce missing", good(), func(e *jwks.Expect) { e.Nonce = "n" }, jwks.ErrNonce},
		{"nonce of another", with("nonce", "m"), func(e *jwks.Expect) { e.Nonce = "n" }, jwks.ErrNonce},
		{"nonce", with("nonce", "n"), func(e *jwks.Expect) { e.Nonce = "n" }, nil},
	} {
		e := expect()
		if c.edit != nil {
			c.edit(&e)
		}
		if _, err := s.Verify(k.Sign(t, c.claims, nil), e, noon); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
}

func TestClaimsAreReadWithoutLoss(t *testing.T) {
	k := jwkstest.NewKey(t, "k", "ES256")
	text := `{"iss":"https://issuer.example","aud":"app","exp":1772366700,"id":12345678901234567890,"f":1.5,
		"yes":true,"apple":"true","no":"false","a":{"b":{"c":"deep"}},"https://x.example/mail":"dotted","a.b":"literal","list":["x","y"],"mixed":["x",1]}`
	c, err := setOf(t, k).Verify(k.SignText(t, text, nil), expect(), noon)
	if err != nil {
		t.Fatal(err)
	}
	if at, is := c.Time("exp"); !is || at.Unix() != 1772366700 {
		t.Errorf("exp is %v", at)
	}
	for what, right := range map[string]bool{
		"whole numbers": c.Text("id") == "12345678901234567890", "fractions": c.Text("f") == "",
		"true": c.Bool("yes"), "Apple's true": c.Bool("apple"), "false": !c.Bool("no"), "missing": !c.Bool("none"),
		"path": c.Path("a.b.c") == "deep", "namespaced": c.Text("https://x.example/mail") == "dotted", "literal first": c.Path("a.b") == "literal",
		"nothing": c.Path("a.x") == nil && c.Path("") == nil && c.Path("list.0") == nil && c.Path(".") == nil,
		"lists":   len(c.Strings("list")) == 2 && c.Strings("mixed") == nil && c.Strings("none") == nil,
	} {
		if !right {
			t.Error(what)
		}
	}
}

func TestPEMFiles(t *testing.T) {
	a, b := jwkstest.NewKey(t, "", "RS256"), jwkstest.NewKey(t, "b", "ES256")
	cert := &x509.Certificate{SerialNumber: noonSerial(), NotAfter: noon.Add(-time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, b.Private().Public(), b.Private())
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(a.Private().Public().(*rsa.PublicKey))})
	s, err := jwks.ParsePEM(pkcs1, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	if err != nil || s.Len() != 2 {
		t.Fatal(s, err)
	}
	for _, k := range []*jwkstest.Key{a, b} {
		if _, err := s.Verify(k.Sign(t, good(), nil), expect(), noon); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Verify(jwkstest.NewKey(t, "b", "ES256").Sign(t, good(), nil), expect(), noon); !errors.Is(err, jwks.ErrSignature) {
		t.Error(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(b.Private())
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	for what, file := range map[string][]byte{
		"nothing": {}, "text": []byte("hello"), "a private key": block("PRIVATE KEY", private), "an encrypted one": block("ENCRYPTED PRIVATE KEY", []byte("x")),
		"too small": block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&small.PublicKey)), "cut": a.PEM(t)[:100],
		"garbage": block("PUBLIC KEY", []byte("x")), "a request": block("CERTIFICATE REQUEST", der), "public then private": append(a.PEM(t), block("EC PRIVATE KEY", private)...),
		"trailing text": append(a.PEM(t), "more"...), "too many": []byte(strings.Repeat(string(b.PEM(t)), 65)),
	} {
		if _, err := jwks.ParsePEM(file); !errors.Is(err, jwks.ErrKeys) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
