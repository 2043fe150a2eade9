package session_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/webauthn/virtualkey"
)

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	remove = http.MethodDelete
)

type fields = map[string]any

// payload decodes a JWT without verifying it.
func payload(t *testing.T, jwt string) fields {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is not a JWT", jwt)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims fields
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestNoDurationNoSession(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		a := s.Person("a@example.com").SignIn(nil).OK()
		if a.Get("session") != nil || a.String("session_token") != "" || a.String("session_jwt") != "" {
			t.Errorf("a session came unasked: %s", a.Text)
		}
		if a.Get("user_device") != nil || a.Get("user", "user_id") != a.Get("user_id") {
			t.Errorf("the answer is %s", a.Text)
		}
	})
}

func TestSessionShapes(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		a := p.SignIn(fields{"session_duration_minutes": 60, "session_custom_claims": fields{"plan": "gold"}}).OK()
		if n := len(a.String("session_token")); n != 44 {
			t.Errorf("the token has %d characters", n)
		}
		session := a.Get("session").(fields)
		want := fields{
			"user_id": p.UserID, "started_at": "2026-01-02T03:04:05.000Z", "last_accessed_at": "2026-01-02T03:04:05.000Z",
			"expires_at": "2026-01-02T04:04:05.000Z",
		}
		for name, value := range want {
			if session[name] != value {
				t.Errorf("session.%s = %v, want %v", name, session[name], value)
			}
		}
		if roles, _ := json.Marshal(session["roles"]); string(roles) != `["stytch_user"]` {
			t.Errorf("roles = %s", roles)
		}
		factor := a.Get("session", "authentication_factors", 0).(fields)
		if factor["type"] != "webauthn" || factor["delivery_method"] != "webauthn_registration" || a.Get("session", "authentication_factors", 0, "webauthn_factor", "webauthn_registration_id") != p.RegistrationID {
			t.Errorf("factor = %v", factor)
		}
		claims := payload(t, a.String("session_jwt"))
		iat := claims["iat"].(float64)
		if claims["iss"] != s.URL || claims["sub"] != p.UserID || claims["nbf"] != iat || claims["exp"] != iat+300 || claims["plan"] != "gold" {
			t.Errorf("claims = %v", claims)
		}
		if aud, _ := json.Marshal(claims["aud"]); string(aud) != `["`+s.Env.ID+`"]` {
			t.Errorf("aud = %s", aud)
		}
		inner := claims["https://stytch.com/session"].(fields)
		for _, name := range []string{"id", "started_at", "last_accessed_at", "expires_at", "attributes", "authentication_factors", "roles"} {
			if _, ok := inner[name]; !ok {
				t.Errorf("the JWT's session lacks %s", name)
			}
		}
		if inner["id"] != session["session_id"] {
			t.Errorf("the JWT names session %v", inner["id"])
		}
	})
}

func TestDurationBounds(t *testing.T) {
	s := authtest.New(t)
	p := s.Person("a@example.com")
	token := p.Session().String("session_token")
	for minutes, ok := range map[int]bool{4: false, 5: true, 527040: true, 527041: false, 0: false, -1: false} {
		a := s.Call(post, "/v1/sessions/authenticate", fields{"session_token": token, "session_duration_minutes": minutes})
		if ok {
			a.OK()
		} else {
			a.Refused(400, "invalid_session_duration_minutes")
		}
	}
}

func TestAuthenticateArguments(t *testing.T) {
	s := authtest.New(t)
	a := s.Person("a@example.com").Session()
	token, jwt := a.String("session_token"), a.String("session_jwt")
	call := func(body any) *authtest.Answer { return s.Call(post, "/v1/sessions/authenticate", body) }
	call(fields{}).Refused(400, "no_session_arguments")
	call(fields{"session_token": token, "session_jwt": jwt}).Refused(400, "too_many_session_arguments")
	call(fields{"session_token": "short"}).Refused(400, "invalid_session_token")
	call(fields{"session_token": strings.Repeat("A", 44)}).Refused(404, "session_not_found")
	call(fields{"session_jwt": "a.b.c"}).Refused(400, "unable_to_parse_session_jwt")
	call(fields{"session_token": token, "authorization_check": fields{"resource_id": "documents", "action": "read"}}).Refused(403, "consumer_session_authorization_error")
	call(fields{"session_token": token, "session_duration_minutes": 5, "session_custom_claims": fields{"x": 1}, "authorization_check": fields{"resource_id": "documents", "action": "read"}}).Refused(403, "consumer_session_authorization_error")
	if after := call(fields{"session_token": token}).OK(); after.Get("session", "expires_at") != a.Get("session", "expires_at") || after.Get("session", "custom_claims") != nil {
		t.Errorf("a refused check changed the session: %s", after.Text)
	}
	byToken, byJWT := call(fields{"session_token": token}).OK(), call(fields{"session_jwt": jwt}).OK()
	for _, got := range []*authtest.Answer{byToken, byJWT} {
		if got.String("session_token") != token || got.Get("user", "user_id") != a.Get("user_id") {
			t.Errorf("the answer is %s", got.Text)
		}
	}
}

func TestExpiry(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		a := s.Person("a@example.com").SignIn(fields{"session_duration_minutes": 30}).OK()
		body := fields{"session_token": a.String("session_token")}
		s.Clock.Advance(29 * time.Minute)
		if got := s.Call(post, "/v1/sessions/authenticate", body).OK(); got.Get("session", "expires_at") != a.Get("session", "expires_at") {
			t.Error("the expiry moved though no duration was sent")
		}
		extended := s.Call(post, "/v1/sessions/authenticate", fields{"session_token": body["session_token"], "session_duration_minutes": 10}).OK()
		if extended.Get("session", "expires_at") != "2026-01-02T03:43:05.000Z" {
			t.Errorf("extended to %v", extended.Get("session", "expires_at"))
		}
		s.Clock.Advance(10*time.Minute - time.Millisecond)
		s.Call(post, "/v1/sessions/authenticate", body).OK()
		s.Clock.Advance(time.Millisecond)
		s.Call(post, "/v1/sessions/authenticate", body).Refused(404, "session_not_found")
		s.Call(post, "/v1/sessions/revoke", body).Refused(404, "session_not_found")
		if list := s.Call(get, "/v1/sessions?user_id="+a.String("user_id"), nil).OK(); len(list.Get("sessions").([]any)) != 0 {
			t.Errorf("an expired session is listed: %s", list.Text)
		}
	})
}

func TestJWTNeverOutlivesItsSession(t *testing.T) {
	s := authtest.New(t)
	a := s.Person("a@example.com").SignIn(fields{"session_duration_minutes": 5}).OK()
	s.Clock.Advance(3 * time.Minute)
	got := s.Call(post, "/v1/sessions/authenticate", fields{"session_token": a.String("session_token")}).OK()
	if exp, iat := payload(t, got.String("session_jwt"))["exp"].(float64), payload(t, got.String("session_jwt"))["iat"].(float64); exp-iat != 120 {
		t.Errorf("the JWT lives %v s, its session 120", exp-iat)
	}
}

func TestExpiredJWTIsRefreshed(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		jwt := s.Person("a@example.com").Session().String("session_jwt")
		s.Clock.Advance(6 * time.Minute)
		got := s.Call(post, "/v1/sessions/authenticate", fields{"session_jwt": jwt}).OK()
		if fresh := payload(t, got.String("session_jwt")); fresh["exp"].(float64) != payload(t, jwt)["exp"].(float64)+360 {
			t.Errorf("the refreshed JWT ends at %v", fresh["exp"])
		}
	})
}

func TestJWTIsServedAgainWhileNothingChanged(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		a := s.Person("a@example.com").Session()
		body := fields{"session_token": a.String("session_token")}
		jwt := func() string { return s.Call(post, "/v1/sessions/authenticate", body).OK().String("session_jwt") }
		first := a.String("session_jwt")
		s.Clock.Advance(29 * time.Second)
		if jwt() != first {
			t.Error("a JWT 29 s old was signed again")
		}
		s.Call(put, "/v1/users/"+a.String("user_id"), fields{"trusted_metadata": fields{"x": 1}}).OK()
		second := jwt()
		if second == first {
			t.Error("the user changed and the old JWT was served")
		}
		s.Clock.Advance(30 * time.Second)
		if third := jwt(); third == second {
			t.Error("a JWT 30 s old was served")
		}
		s.Configure("session.jwt_reuse_seconds", "0")
		if one, two := jwt(), jwt(); payload(t, one)["iat"] != payload(t, two)["iat"] || one == two {
			t.Error("reuse is off and a JWT was served twice")
		}
	})
}

func TestCustomClaims(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		a := s.Person("a@example.com").SignIn(fields{"session_duration_minutes": 60, "session_custom_claims": fields{"a": 1, "b": fields{"x": 1}, "sub": "evil"}}).OK()
		body := fields{"session_token": a.String("session_token"), "session_custom_claims": fields{"a": nil, "b": fields{"y": 2}}}
		got := s.Call(post, "/v1/sessions/authenticate", body).OK()
		if text, _ := json.Marshal(got.Get("session", "custom_claims")); string(text) != `{"b":{"x":1,"y":2}}` {
			t.Errorf("custom_claims = %s", text)
		}
		if claims := payload(t, got.String("session_jwt")); claims["sub"] != a.Get("user_id") || claims["a"] != nil || claims["b"] == nil {
			t.Errorf("the JWT holds %v", claims)
		}
		body["session_custom_claims"] = fields{"big": strings.Repeat("x", 4096)}
		s.Call(post, "/v1/sessions/authenticate", body).Refused(400, "custom_claims_too_large")
		body["session_custom_claims"] = fields{"https://stytch.com/session": fields{}}
		s.Call(post, "/v1/sessions/authenticate", body).Refused(400, "stytch_claims_in_custom_claims")
	})
}

func TestAttachingAFactor(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		a := p.Session()
		token := a.String("session_token")
		s.Clock.Advance(10 * time.Minute)
		again := p.SignIn(fields{"session_token": token, "session_duration_minutes": 60}).OK()
		if again.Get("session", "session_id") != a.Get("session", "session_id") || again.String("session_token") != token {
			t.Error("the factor went to another session")
		}
		if n := len(again.Get("session", "authentication_factors").([]any)); n != 1 {
			t.Errorf("the same passkey counts %d times", n)
		}
		if at := again.Get("session", "authentication_factors", 0, "last_authenticated_at"); at != "2026-01-02T03:14:05.000Z" {
			t.Errorf("last_authenticated_at = %v", at)
		}
		p.Key = virtualkey.NewSecurityKey()
		second := p.Register(fields{"session_token": token})
		if n := len(second.Get("session", "authentication_factors").([]any)); n != 2 {
			t.Errorf("two passkeys count %d times", n)
		}
		if second.Get("session", "expires_at") != again.Get("session", "expires_at") {
			t.Error("the expiry moved though no duration was sent")
		}
	})
}

// TestSessionFixation is security case 45: a session never changes its user,
// and a token that the caller invented is never adopted.
func TestSessionFixation(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		mallory, alice := s.Person("mallory@example.com"), s.Person("alice@example.com")
		hers := mallory.Session().String("session_token")
		alice.SignIn(fields{"session_token": hers, "session_duration_minutes": 60}).Refused(400, "user_id_mismatch")
		alice.SignIn(fields{"session_token": strings.Repeat("A", 44), "session_duration_minutes": 60}).Refused(404, "session_not_found")
		if got := s.Call(post, "/v1/sessions/authenticate", fields{"session_token": hers}).OK(); got.Get("user_id") != mallory.UserID {
			t.Errorf("the session now belongs to %v", got.Get("user_id"))
		}
		b := s.Browser()
		b.Token = strings.Repeat("A", 44)
		got := b.Call(post, "/sdk/v1/webauthn/authenticate", fields{"public_key_credential": alice.Assertion(), "session_duration_minutes": 60}).OK()
		if got.String("session_token") == b.Token {
			t.Error("the browser's invented token was adopted")
		}
	})
}

func TestRevoke(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		a, b, c := p.Session(), p.Session(), p.Session()
		s.Call(post, "/v1/sessions/revoke", fields{}).Refused(400, "no_session_revoke_arguments")
		s.Call(post, "/v1/sessions/revoke", fields{"session_id": a.String("session", "session_id"), "session_jwt": "x"}).Refused(400, "too_many_session_revoke_arguments")
		s.Call(post, "/v1/sessions/revoke", fields{"session_id": "session-live-0194f0a2-7c1e-7abc-8def-0123456789ab"}).Refused(400, "invalid_session_id")
		s.Call(post, "/v1/sessions/revoke", fields{"session_id": a.String("session", "session_id")}).OK()
		s.Call(post, "/v1/sessions/revoke", fields{"session_token": b.String("session_token")}).OK()
		s.Clock.Advance(10 * time.Minute)
		s.Call(post, "/v1/sessions/revoke", fields{"session_jwt": c.String("session_jwt")}).OK()
		for _, dead := range []*authtest.Answer{a, b, c} {
			s.Call(post, "/v1/sessions/authenticate", fields{"session_token": dead.String("session_token")}).Refused(404, "session_not_found")
			s.Call(post, "/v1/sessions/authenticate", fields{"session_jwt": dead.String("session_jwt")}).Refused(404, "session_not_found")
			s.Call(post, "/v1/sessions/revoke", fields{"session_token": dead.String("session_token")}).Refused(404, "session_not_found")
		}
	})
}

// TestRevocationHoldsOnEveryNode: signatures are remembered, rows are not.
func TestRevocationHoldsOnEveryNode(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		other := s.Node()
		body := fields{"session_token": s.Person("a@example.com").Session().String("session_token")}
		other.Call(post, "/v1/sessions/authenticate", body).OK()
		s.Call(post, "/v1/sessions/revoke", body).OK()
		other.Call(post, "/v1/sessions/authenticate", body).Refused(404, "session_not_found")
	})
}

func TestDeletingAUserEndsItsSessions(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		body := fields{"session_token": p.Session().String("session_token")}
		s.Call(remove, "/v1/users/"+p.UserID, nil).OK()
		s.Call(post, "/v1/sessions/authenticate", body).Refused(404, "session_not_found")
	})
}

func TestList(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		a, b := p.Session(), p.Session()
		list := s.Call(get, "/v1/sessions?user_id="+p.UserID, nil).OK()
		if n := len(list.Get("sessions").([]any)); n != 2 || strings.Contains(list.Text, a.String("session_token")) || strings.Contains(list.Text, b.String("session_token")) {
			t.Errorf("listed %d sessions: %s", n, list.Text)
		}
		s.Call(get, "/v1/sessions", nil).Refused(400, "bad_request")
		s.Call(get, "/v1/sessions?user_id=user-test-0194f0a2-7c1e-7abc-8def-0123456789ab", nil).Refused(404, "user_not_found")
	})
}

func TestLastAccessedIsWrittenOnceAMinute(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		a := s.Person("a@example.com").Session()
		body := fields{"session_token": a.String("session_token")}
		s.Clock.Advance(59 * time.Second)
		if got := s.Call(post, "/v1/sessions/authenticate", body).OK(); got.Get("session", "last_accessed_at") != a.Get("session", "last_accessed_at") {
			t.Error("last_accessed_at moved within a minute")
		}
		s.Clock.Advance(time.Second)
		if got := s.Call(post, "/v1/sessions/authenticate", body).OK(); got.Get("session", "last_accessed_at") != "2026-01-02T03:05:05.000Z" {
			t.Errorf("last_accessed_at = %v after a minute", got.Get("session", "last_accessed_at"))
		}
	})
}

// TestLockLeavesSessionsAlone: a lock refuses new proofs, never a live session.
func TestLockLeavesSessionsAlone(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("user_lock.threshold", "2")
		p := s.Person("a@example.com")
		body := fields{"session_token": p.Session().String("session_token")}
		for range 2 {
			s.Call(post, "/v1/webauthn/authenticate", fields{"public_key_credential": tampered(t, p.Assertion())}).Refused(401, "unable_to_auth_webauthn_registration")
		}
		p.SignIn(nil).Refused(429, "user_lock_limit_reached")
		s.Call(post, "/v1/sessions/authenticate", body).OK()
		locked := s.Call(get, "/v1/users/"+p.UserID, nil).OK()
		if locked.Get("is_locked") != true || locked.Get("lock_expires_at") != "2026-01-02T04:04:05.000Z" {
			t.Errorf("the user shows %v until %v", locked.Get("is_locked"), locked.Get("lock_expires_at"))
		}
		s.Clock.Advance(time.Hour)
		p.SignIn(nil).OK()
	})
}

// tampered flips a bit of the signature.
func tampered(t *testing.T, credential string) string {
	t.Helper()
	var c map[string]any
	if err := json.Unmarshal([]byte(credential), &c); err != nil {
		t.Fatal(err)
	}
	response := c["response"].(map[string]any)
	signature, err := base64.RawURLEncoding.DecodeString(response["signature"].(string))
	if err != nil {
		t.Fatal(err)
	}
	signature[len(signature)-1] ^= 1
	response["signature"] = base64.RawURLEncoding.EncodeToString(signature)
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLockCountsUnderConcurrency is security case 6: of 200 wrong answers sent
// at once, as many are judged as the threshold allows and the rest meet a lock.
func TestLockCountsUnderConcurrency(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		const attempts = 200
		answers := make([]string, attempts)
		credentials := make([]string, attempts)
		for i := range credentials {
			credentials[i] = tampered(t, p.Assertion())
		}
		var wait sync.WaitGroup
		for i := range attempts {
			wait.Go(func() {
				a := s.Call(post, "/v1/webauthn/authenticate", fields{"public_key_credential": credentials[i]})
				answers[i], _ = a.Get("error_type").(string)
			})
		}
		wait.Wait()
		counts := map[string]int{}
		for _, a := range answers {
			counts[a]++
		}
		if counts["unable_to_auth_webauthn_registration"] != 10 || counts["user_lock_limit_reached"] != attempts-10 {
			t.Errorf("verdicts: %v", counts)
		}
	})
}

// encode is the base64url JSON of a JWT's part.
func encode(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}
