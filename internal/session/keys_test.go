package session_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"gatehouse/internal/app"
	"gatehouse/internal/authtest"
	"gatehouse/internal/secret"
)

// jwks fetches the environment's keys the way a verifier does.
func jwks(t *testing.T, s *authtest.Server) *jose.JSONWebKeySet {
	t.Helper()
	a := s.Request(get, "/v1/sessions/jwks/"+s.Env.ID, nil, nil).OK()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(a.Text), &set); err != nil {
		t.Fatal(err)
	}
	return &set
}

func kid(t *testing.T, token string) string {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if typ := parsed.Headers[0].ExtraHeaders["typ"]; typ != "JWT" {
		t.Errorf("typ = %v", typ)
	}
	return parsed.Headers[0].KeyID
}

// verifies checks a JWT against the published keys alone.
func verifies(t *testing.T, s *authtest.Server, token string) bool {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	keys := jwks(t, s).Key(parsed.Headers[0].KeyID)
	if len(keys) != 1 {
		return false
	}
	var claims jwt.Claims
	if err := parsed.Claims(keys[0].Key, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.ValidateWithLeeway(jwt.Expected{Issuer: s.URL, AnyAudience: jwt.Audience{s.Env.ID}, Time: s.Clock.Now()}, 0) == nil
}

func TestJWKS(t *testing.T) {
	for _, algorithm := range []string{"ES256", "RS256"} {
		t.Run(algorithm, func(t *testing.T) {
			s := authtest.New(t)
			s.Configure("session.algorithm", algorithm)
			a := s.Person("a@example.com").Session()
			if !verifies(t, s, a.String("session_jwt")) {
				t.Error("the JWT does not verify against the published keys")
			}
			key := s.Request(get, "/v1/sessions/jwks/"+s.Env.ID, nil, nil).OK()
			if key.Get("keys", 0, "alg") != algorithm || key.Get("keys", 0, "use") != "sig" || key.Get("keys", 0, "kid") != kid(t, a.String("session_jwt")) {
				t.Errorf("the key set is %s", key.Text)
			}
			der, err := base64.StdEncoding.DecodeString(key.String("keys", 0, "x5c", 0))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := x509.ParseCertificate(der); err != nil {
				t.Error(err)
			}
			sum := sha256.Sum256(der)
			if key.Get("keys", 0, "x5tS256") != base64.RawURLEncoding.EncodeToString(sum[:]) {
				t.Error("x5tS256 is not the certificate's thumbprint")
			}
			if strings.Contains(key.Text, `"d"`) {
				t.Error("a private key is published")
			}
		})
	}
	s := authtest.New(t)
	s.Request(get, "/v1/sessions/jwks/project-test-0194f0a2-7c1e-7abc-8def-0123456789ab", nil, nil).Refused(404, "project_not_found")
}

func TestKeyRotation(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		before := p.Session().String("session_jwt")
		if err := s.Sessions.Rotate(t.Context(), s.Env, false, false); err != nil {
			t.Fatal(err)
		}
		if n := len(jwks(t, s).Keys); n != 2 {
			t.Fatalf("%d keys are published after a rotation", n)
		}
		s.Clock.Advance(5*time.Minute - time.Millisecond)
		if during := p.Session().String("session_jwt"); kid(t, during) != kid(t, before) {
			t.Error("the new key signed before verifiers could know it")
		}
		s.Clock.Advance(time.Millisecond)
		after := p.Session().String("session_jwt")
		if kid(t, after) == kid(t, before) || !verifies(t, s, after) {
			t.Error("the new key does not sign after five minutes")
		}
		s.Call(post, "/v1/sessions/authenticate", fields{"session_jwt": before}).OK()
		s.Clock.Advance(30*24*time.Hour - time.Millisecond)
		if n := len(jwks(t, s).Keys); n != 2 {
			t.Errorf("%d keys are published a month later", n)
		}
		s.Clock.Advance(time.Millisecond)
		if n := len(jwks(t, s).Keys); n != 1 {
			t.Errorf("%d keys are published after the overlap", n)
		}
		s.Call(post, "/v1/sessions/authenticate", fields{"session_jwt": before}).Refused(400, "unable_to_parse_session_jwt")
	})
}

func TestEmergencyRotation(t *testing.T) {
	s := authtest.New(t)
	p := s.Person("a@example.com")
	before := p.Session()
	s.Clock.Advance(time.Second)
	if err := s.Sessions.Rotate(t.Context(), s.Env, true, false); err != nil {
		t.Fatal(err)
	}
	at := p.Session().String("session_jwt")
	if kid(t, at) == kid(t, before.String("session_jwt")) {
		t.Error("the new key does not sign at once")
	}
	s.Clock.Advance(time.Second)
	if err := s.Sessions.Rotate(t.Context(), s.Env, true, true); err != nil {
		t.Fatal(err)
	}
	if n := len(jwks(t, s).Keys); n != 1 {
		t.Errorf("%d keys are published after a revocation", n)
	}
	s.Call(post, "/v1/sessions/authenticate", fields{"session_jwt": at}).Refused(400, "unable_to_parse_session_jwt")
	got := s.Call(post, "/v1/sessions/authenticate", fields{"session_token": before.String("session_token")}).OK()
	if !verifies(t, s, got.String("session_jwt")) {
		t.Error("the session cannot get a valid JWT any more")
	}
}

func TestRotationByAge(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("session.key_rotation_days", "90")
		p := s.Person("a@example.com")
		first := kid(t, p.Session().String("session_jwt"))
		s.Clock.Advance(90*24*time.Hour - time.Millisecond)
		rotate := func() int {
			if err := s.Sessions.RotateByAge(t.Context(), s.Env); err != nil {
				t.Fatal(err)
			}
			return len(jwks(t, s).Keys)
		}
		if rotate() != 1 {
			t.Error("a key was replaced before its time")
		}
		s.Clock.Advance(time.Millisecond)
		for range 2 {
			if rotate() != 2 {
				t.Error("an old key must be replaced once")
			}
		}
		s.Clock.Advance(5 * time.Minute)
		if kid(t, p.Session().String("session_jwt")) == first {
			t.Error("the old key still signs")
		}
	})
}

// TestAlgorithmsComeAndGo: going back to an algorithm whose key is about to
// retire makes a new key, so that there is always one that stays.
func TestAlgorithmsComeAndGo(t *testing.T) {
	s := authtest.New(t)
	p := s.Person("a@example.com")
	first := kid(t, p.Session().String("session_jwt"))
	s.Clock.Advance(time.Second)
	s.Configure("session.algorithm", "RS256")
	if err := s.Sessions.Rotate(t.Context(), s.Env, true, false); err != nil {
		t.Fatal(err)
	}
	s.Configure("session.algorithm", "ES256")
	if got := kid(t, p.Session().String("session_jwt")); got != first {
		t.Error("the new ES256 key signs before verifiers can know it")
	}
	s.Clock.Advance(40 * 24 * time.Hour)
	if got := p.Session().String("session_jwt"); kid(t, got) == first || !verifies(t, s, got) {
		t.Error("the retired key is still the one that signs")
	}
}

// TestMissingMasterKeyStopsTheStart: a server that cannot open its signing keys
// must say so before somebody signs in.
func TestMissingMasterKeyStopsTheStart(t *testing.T) {
	s := authtest.New(t)
	s.Person("a@example.com").Session()
	fresh := secret.NewMasterKey()
	if err := s.Reopen(fresh + "," + s.MasterKey()); err != nil {
		t.Errorf("with both keys: %v", err)
	}
	if err := s.Reopen(fresh); !errors.Is(err, app.ErrMasterKey) {
		t.Errorf("with the new key alone: %v", err)
	}
}

// TestKeysAcrossNodes: a JWT signed on one node is accepted on another that
// has not met its key.
func TestKeysAcrossNodes(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		other := s.Node()
		p := s.Person("a@example.com")
		other.Call(post, "/v1/sessions/authenticate", fields{"session_jwt": p.Session().String("session_jwt")}).OK()
		s.Clock.Advance(time.Second)
		if err := s.Sessions.Rotate(t.Context(), s.Env, true, false); err != nil {
			t.Fatal(err)
		}
		jwt := p.Session().String("session_jwt")
		if got := other.Call(post, "/v1/sessions/authenticate", fields{"session_jwt": jwt}).OK(); kid(t, got.String("session_jwt")) != kid(t, jwt) {
			t.Error("the other node still signs with the old key")
		}
	})
}

func TestIssuerSetting(t *testing.T) {
	s := authtest.New(t)
	p := s.Person("a@example.com")
	old := p.Session().String("session_jwt")
	s.Configure("session.issuer", "stytch")
	if got := payload(t, p.Session().String("session_jwt"))["iss"]; got != "stytch.com/"+s.Env.ID {
		t.Errorf("iss = %v", got)
	}
	s.Call(post, "/v1/sessions/authenticate", fields{"session_jwt": old}).OK()
}

// TestForgedJWT is security case 32: none, a MAC keyed with the public key,
// foreign keys, foreign environments, odd kids.
func TestForgedJWT(t *testing.T) {
	s := authtest.New(t)
	s.Configure("session.algorithm", "RS256")
	good := s.Person("a@example.com").Session().String("session_jwt")
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	header := func(alg, kid string) string {
		text, err := json.Marshal(map[string]string{"alg": alg, "typ": "JWT", "kid": kid})
		if err != nil {
			t.Fatal(err)
		}
		return b64(text)
	}
	id := kid(t, good)
	public := jwks(t, s).Key(id)[0].Key.(*rsa.PublicKey)
	mac := func(head string, key []byte) string {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(head + "." + parts[1]))
		return head + "." + parts[1] + "." + b64(h.Sum(nil))
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: stranger, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	strangers, err := foreign.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	der := x509.MarshalPKCS1PublicKey(public)
	for name, token := range map[string]string{
		"none":            header("none", id) + "." + parts[1] + ".",
		"none, signed":    header("none", id) + "." + parts[1] + "." + parts[2],
		"HS256 with DER":  mac(header("HS256", id), der),
		"HS256 with N":    mac(header("HS256", id), public.N.Bytes()),
		"another RSA key": strangers,
		"other algorithm": header("ES256", id) + "." + parts[1] + "." + parts[2],
		"kid traversal":   header("RS256", "../../"+id) + "." + parts[1] + "." + parts[2],
		"kid missing":     header("RS256", "") + "." + parts[1] + "." + parts[2],
		"dot bomb":        strings.Repeat(".", 10_000),
		"huge":            good + strings.Repeat("A", 20_000),
		"JWE":             good + "." + parts[1] + "." + parts[2],
	} {
		a := s.Call(post, "/v1/sessions/authenticate", fields{"session_jwt": token})
		if a.Status != 400 || a.Get("error_type") != "unable_to_parse_session_jwt" {
			t.Errorf("%s: %d %s", name, a.Status, a.Text)
		}
	}
	s.Call(post, "/v1/sessions/authenticate", fields{"session_jwt": good}).OK()
}

// TestTokenMalleability is security case 53: every changed, cut or extended
// token is refused.
func TestTokenMalleability(t *testing.T) {
	s := authtest.New(t)
	a := s.Person("a@example.com").Session()
	token, jwt := a.String("session_token"), a.String("session_jwt")
	refused := func(field, value string) {
		t.Helper()
		if got := s.Call(post, "/v1/sessions/authenticate", fields{field: value}); got.Status == 200 {
			t.Errorf("%s %q was accepted", field, value)
		}
	}
	for i := range token {
		flipped := []byte(token)
		flipped[i] ^= 1
		refused("session_token", string(flipped))
		if i > 0 {
			refused("session_token", token[:i])
		}
	}
	for _, more := range []string{"=", "A", ".", " ", "\n", "\x00"} {
		refused("session_token", token+more)
		refused("session_token", more+token)
		refused("session_jwt", jwt+more)
	}
	for i := 0; i < len(jwt); i += 7 {
		flipped := []byte(jwt)
		flipped[i] ^= 1
		refused("session_jwt", string(flipped))
		if i > 0 {
			refused("session_jwt", jwt[:i])
		}
	}
}

func TestTheFirstCallersAllWaitForTheFirstKey(t *testing.T) {
	s := authtest.New(t)
	found := make([]string, 16)
	var all sync.WaitGroup
	for i := range found {
		all.Go(func() {
			for _, key := range jwks(t, s).Keys {
				found[i] += key.KeyID
			}
		})
	}
	all.Wait()
	for i, kid := range found {
		if kid == "" || kid != found[0] {
			t.Errorf("caller %d found %q, the first one %q", i, kid, found[0])
		}
	}
}

// TestRetiredKeysNeedNoMasterKey: once the signing keys that the old master key
// sealed have retired, a server starts without it, cleaned up or not.
func TestRetiredKeysNeedNoMasterKey(t *testing.T) {
	s := authtest.New(t)
	s.Person("a@example.com").Session()
	old, fresh := s.MasterKey(), secret.NewMasterKey()
	both := s.With(fresh + "," + old)
	if err := both.Sessions.Rotate(t.Context(), s.Env, true, false); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(fresh); !errors.Is(err, app.ErrMasterKey) {
		t.Errorf("while the old key is published: %v", err)
	}
	s.Clock.Advance(31 * 24 * time.Hour)
	if err := s.Reopen(fresh); err != nil {
		t.Errorf("after it has retired: %v", err)
	}
}
