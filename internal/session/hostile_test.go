package session_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/webauthn/virtualkey"
	"gatehouse/internal/id"
)

// TestUnknownKeysDoNotStopTheServer: a JWT that names a key nobody has, sent by
// more callers at once than there are connections, must not make transactions
// wait for each other; nor may a token presented while a key has to be made.
func TestUnknownKeysDoNotStopTheServer(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		jwt := s.Person("a@example.com").Session().String("session_jwt")
		parts := strings.Split(jwt, ".")
		flood := func() {
			t.Helper()
			var wait sync.WaitGroup
			for range 100 {
				wait.Go(func() {
					b := s.Browser()
					b.Token = encode(t, fields{"alg": "ES256", "typ": "JWT", "kid": id.New(id.JWK, id.Test, s.Clock.Now())}) + "." + parts[1] + "." + parts[2]
					b.Call(get, "/sdk/v1/users/me", nil).Refused(404, "session_not_found")
					b.Call(put, "/sdk/v1/users/me", fields{}).Refused(404, "session_not_found")
				})
			}
			wait.Wait()
		}
		flood()
		s.Configure("session.algorithm", "RS256")
		flood()
		s.Person("b@example.com").Session()
	})
}

// TestRevokedSessionCannotRegister: a passkey whose registration began in a
// session that is revoked meanwhile is refused, and no new session comes of it.
func TestRevokedSessionCannotRegister(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		for range 30 {
			b := s.Browser()
			b.Token = p.Session().String("session_token")
			options := b.Call(post, "/sdk/v1/webauthn/register/start", fields{"domain": "localhost", "return_passkey_credential_options": true}).OK().String("public_key_credential_creation_options")
			key := virtualkey.New()
			created, err := key.Create(authtest.Page(), options)
			if err != nil {
				t.Fatal(err)
			}
			var finished, revoked *authtest.Answer
			var wait sync.WaitGroup
			wait.Go(func() {
				finished = b.Call(post, "/sdk/v1/webauthn/register", fields{"public_key_credential": created.JSON(virtualkey.Base64URL), "session_duration_minutes": 60})
			})
			wait.Go(func() { revoked = s.Call(post, "/v1/sessions/revoke", fields{"session_token": b.Token}) })
			wait.Wait()
			revoked.OK()
			if finished.Status == http.StatusOK && finished.String("session_token") != b.Token {
				t.Fatal("a revoked session got a passkey and a new session")
			}
			if s.Call(post, "/v1/sessions/authenticate", fields{"session_token": b.Token}).Status == http.StatusOK {
				t.Fatal("the revoked session lives")
			}
		}
	})
}

// TestStepUpIsJudgedAtTheEnd: a session that was fresh when a registration
// began and is not any more cannot finish it.
func TestStepUpIsJudgedAtTheEnd(t *testing.T) {
	s := authtest.New(t)
	p := s.Person("a@example.com")
	b := s.Browser()
	b.Token = p.SignIn(fields{"session_duration_minutes": 300}).OK().String("session_token")
	s.Clock.Advance(time.Hour - time.Minute)
	options := b.Call(post, "/sdk/v1/webauthn/register/start", fields{"domain": "localhost"}).OK().String("public_key_credential_creation_options")
	key := virtualkey.NewSecurityKey()
	created, err := key.Create(authtest.Page(), options)
	if err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(time.Minute)
	b.Call(post, "/sdk/v1/webauthn/register", fields{"public_key_credential": created.JSON(virtualkey.Base64URL)}).Refused(401, "stale_factors")
}

// TestClaimsThatLookLikeOurs: decoders that ignore case take "httpſ" for
// "https" and "iſs" for "iss". Such a claim is never taken for the token's own.
func TestClaimsThatLookLikeOurs(t *testing.T) {
	s := authtest.New(t)
	victim := s.Person("victim@example.com").Session()
	target := fields{"id": victim.String("session", "session_id")}
	mallory := s.Person("mallory@example.com")
	for _, name := range []string{"http\u017f://stytch.com/session", "HTTPS://STYTCH.COM/session", "https://stytch.com/\u017fession"} {
		mallory.SignIn(fields{"session_duration_minutes": 60, "session_custom_claims": fields{name: target}}).Refused(400, "stytch_claims_in_custom_claims")
	}
	a := mallory.SignIn(fields{"session_duration_minutes": 60, "session_custom_claims": fields{"i\u017fs": "evil", "SUB": "evil", "Aud": []string{"evil"}, "plan": "gold"}}).OK()
	if claims, _ := json.Marshal(a.Get("session", "custom_claims")); string(claims) != `{"plan":"gold"}` {
		t.Errorf("custom_claims = %s", claims)
	}
	if got := s.Call(post, "/v1/sessions/authenticate", fields{"session_jwt": a.String("session_jwt")}).OK(); got.Get("user_id") != mallory.UserID {
		t.Errorf("the JWT opens the session of %v", got.Get("user_id"))
	}
}

// TestSessionsStayBounded: neither a browser's name nor the number of factors
// makes a JWT that its own server refuses.
func TestSessionsStayBounded(t *testing.T) {
	s := authtest.New(t)
	p := s.Person("a@example.com")
	public := s.Env.PublicTokens[0].Token
	a := s.Request(post, "/sdk/v1/webauthn/authenticate", fields{"public_key_credential": p.Assertion(), "session_duration_minutes": 60}, func(r *http.Request) {
		r.SetBasicAuth(public, public)
		r.Header.Set("Origin", "http://localhost:3000")
		r.Header.Set("User-Agent", strings.Repeat("x", 30_000))
	}).OK()
	session := a.Get("data").(fields)["session"].(fields)
	if agent := session["attributes"].(fields)["user_agent"].(string); len(agent) != 512 {
		t.Errorf("the session keeps %d bytes of user agent", len(agent))
	}
	token := a.Get("data").(fields)["session_token"].(string)
	var last *authtest.Answer
	for range 40 {
		p.Key = virtualkey.New()
		last = p.Register(fields{"session_token": token})
	}
	if n := len(last.Get("session", "authentication_factors").([]any)); n != 32 {
		t.Errorf("the session keeps %d factors", n)
	}
	s.Call(post, "/v1/sessions/authenticate", fields{"session_jwt": last.String("session_jwt")}).OK()
}
