package impersonation_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/impersonation"
	"gatehouse/internal/store"
)

func count(t *testing.T, s *authtest.Server, query string) (n int) {
	t.Helper()
	err := s.DB.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow(query).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Of fifty that bring one token exactly one begins a session, at either door.
func TestSecurity20ReplayOfAnImpersonation(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		allow(t, s)
		userID := newUser(s, "ada@example.com")
		token := made(t, s, userID).Token
		outcomes := authtest.Together(50, func(i int) *authtest.Answer {
			if i%2 == 0 {
				return s.Call(http.MethodPost, server, body{"impersonation_token": token})
			}
			return s.Browser().Call(http.MethodPost, sdk, body{"impersonation_token": token})
		})
		if outcomes[""] != 1 || outcomes["unable_to_auth_impersonation_token"] != 49 {
			t.Errorf("the outcomes are %v", outcomes)
		}
		if n := count(t, s, "SELECT count(*) FROM sessions"); n != 1 {
			t.Errorf("%d sessions were started", n)
		}
	})
}

// Whom a caller names beside the token is not asked for, and no caller becomes
// anybody without one.
func TestSecurity22IdentityFromTheBody(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		allow(t, s)
		ada, eve := newUser(s, "ada@example.com"), newUser(s, "eve@example.com")
		more := body{"user_id": eve, "session_duration_minutes": 600, "impersonator_id": "the boss", "session_custom_claims": body{"admin": true}}
		more["impersonation_token"] = made(t, s, ada).Token
		in := s.Call(http.MethodPost, server, more).OK()
		if in.String("user_id") != ada || strings.Contains(in.Text, "the boss") || strings.Contains(in.Text, "admin") {
			t.Errorf("it became %s", in.Text)
		}
		delete(more, "impersonation_token")
		s.Browser().Call(http.MethodPost, sdk, more).Refused(400, "bad_request")
		s.Call(http.MethodPost, server, more).Refused(400, "bad_request")
	})
}

// A token is good in the environment it was made for.
func TestSecurity23ForeignEnvironments(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		allow(t, s)
		other := s.Environment("staging")
		allow(t, other)
		token := made(t, s, newUser(s, "ada@example.com")).Token
		other.Call(http.MethodPost, server, body{"impersonation_token": token}).Refused(401, "unable_to_auth_impersonation_token")
		other.Browser().Call(http.MethodPost, sdk, body{"impersonation_token": token}).Refused(401, "unable_to_auth_impersonation_token")
		s.Call(http.MethodPost, server, body{"impersonation_token": token}).OK()
	})
}

// By token and by JWT, on this node and on another that remembers a signature,
// the session is what it is: one of somebody else.
func TestSecurity42ImpersonationFromACache(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		allow(t, s)
		other := s.Node()
		_, in := acting(t, s, newUser(s, "ada@example.com"))
		for _, node := range []*authtest.Server{s, other} {
			for _, name := range []string{"session_token", "session_jwt"} {
				which := body{name: in.String(name)}
				a := node.Call(http.MethodPost, "/v1/sessions/authenticate", which).OK()
				if a.String("session", "authentication_factors", 0, "type") != "impersonated" || a.Get("session", "authentication_factors", 1) != nil {
					t.Errorf("by %s: %s", name, a.Text)
				}
				which["session_duration_minutes"] = 60
				node.Call(http.MethodPost, "/v1/sessions/authenticate", which).Refused(400, "session_not_mutable")
			}
		}
	})
}

// Whatever session is presented with the token, another one begins, under an
// identifier that nobody knew before; the presented one is left as it was.
func TestSecurity45SessionFixation(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		allow(t, s)
		p := s.Person("ada@example.com")
		own := p.Session()
		for _, presented := range []string{own.String("session_token"), own.String("session_jwt")} {
			page := s.Browser()
			page.Token = presented
			in := page.Call(http.MethodPost, sdk, body{"impersonation_token": made(t, s, p.UserID).Token}).OK()
			if in.String("session", "session_id") == own.String("session", "session_id") || in.String("session_token") == own.String("session_token") {
				t.Error("it joined the session that was presented")
			}
		}
		is := s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": own.String("session_token")}).OK()
		if is.String("session", "authentication_factors", 0, "type") != "webauthn" || is.Get("session", "authentication_factors", 1) != nil {
			t.Errorf("the presented session became %s", is.Text)
		}
	})
}

// The clock ends a token, with no clean-up; the clean-up takes nothing else.
func TestSecurity51ExpiredUntilCleanUp(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		allow(t, s)
		userID := newUser(s, "ada@example.com")
		early, late := made(t, s, userID), made(t, s, userID)
		s.Clock.Advance(impersonation.Lifetime - time.Millisecond)
		s.Call(http.MethodPost, server, body{"impersonation_token": early.Token}).OK()
		made(t, s, userID)
		s.Clock.Advance(time.Millisecond)
		s.Call(http.MethodPost, server, body{"impersonation_token": late.Token}).Refused(401, "unable_to_auth_impersonation_token")
		if n := count(t, s, "SELECT count(*) FROM impersonations"); n != 2 {
			t.Fatalf("%d tokens are kept", n)
		}
		if err := s.DB.Update(t.Context(), func(tx *store.Tx) error { _, err := impersonation.Purge(tx, 10); return err }); err != nil {
			t.Fatal(err)
		}
		if n := count(t, s, "SELECT count(*) FROM impersonations"); n != 1 {
			t.Errorf("%d tokens are left", n)
		}
	})
}

// A locked user is out of reach, a deleted one is gone with every token and
// session. Acting as a user touches neither the lock nor what counts towards it.
func TestSecurity52LockedAndDeletedUsers(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		allow(t, s)
		p := s.Person("ada@example.com")
		wrong := func() *authtest.Answer {
			forged := strings.Replace(p.Assertion(), `"signature":"`, `"signature":"AAAA`, 1)
			return s.Call(http.MethodPost, "/v1/webauthn/authenticate", body{"public_key_credential": forged})
		}
		wrong()
		failures := s.Failures(p.UserID)
		page, _ := acting(t, s, p.UserID)
		if n := s.Failures(p.UserID); failures == 0 || n != failures {
			t.Errorf("%d failures became %d", failures, n)
		}
		waiting := made(t, s, p.UserID)
		for range 10 {
			wrong()
		}
		s.Call(http.MethodPost, server, body{"impersonation_token": waiting.Token}).Refused(429, "user_lock_limit_reached")
		if !strings.Contains(s.Call(http.MethodGet, "/v1/users/"+p.UserID, nil).OK().Text, `"is_locked":true`) {
			t.Error("the lock is gone")
		}
		s.Call(http.MethodDelete, "/v1/users/"+p.UserID, nil).OK()
		page.Call(http.MethodGet, "/sdk/v1/users/me", nil).Refused(404, "session_not_found")
		s.Call(http.MethodPost, server, body{"impersonation_token": waiting.Token}).Refused(401, "unable_to_auth_impersonation_token")
		if n := count(t, s, "SELECT count(*) FROM impersonations"); n != 0 {
			t.Errorf("%d tokens outlived their user", n)
		}
	})
}

// A token that was changed, cut or extended is none.
func TestSecurity53MalleableTokens(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		allow(t, s)
		token := made(t, s, newUser(s, "ada@example.com")).Token
		last := "A"
		if strings.HasSuffix(token, last) {
			last = "B"
		}
		for _, altered := range []string{
			token[:len(token)-1], token + "A", token + "=", " " + token, token + "\n", strings.ToLower(token), strings.ToUpper(token),
			token[:len(token)-1] + last, last + token[1:], "A", strings.Repeat("A", 100_000),
		} {
			if altered == token {
				continue
			}
			s.Call(http.MethodPost, server, body{"impersonation_token": altered}).Refused(401, "unable_to_auth_impersonation_token")
			s.Browser().Call(http.MethodPost, sdk, body{"impersonation_token": altered}).Refused(401, "unable_to_auth_impersonation_token")
		}
		s.Call(http.MethodPost, server, body{"impersonation_token": token}).OK()
	})
}

// The token is shown where it is made, and nowhere else; it is not in a log line
// nor in the audit log.
func TestSecurity61And65TokensLeak(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		allow(t, s)
		userID := newUser(s, "ada@example.com")
		waiting, used := made(t, s, userID).Token, made(t, s, userID).Token
		in := s.Call(http.MethodPost, server, body{"impersonation_token": used}).OK()
		refused := s.Call(http.MethodPost, server, body{"impersonation_token": used}).Refused(401, "unable_to_auth_impersonation_token")
		seen := in.Text + refused.Text + s.Logs.String() + s.Call(http.MethodGet, "/v1/users/"+userID, nil).OK().Text
		for _, e := range events(t, s, "", "") {
			for _, v := range e.Details {
				text, _ := v.(string)
				seen += e.Type + " " + text + "\n"
			}
		}
		if !strings.Contains(seen, "impersonation.create Ticket 4711") || !strings.Contains(seen, server) {
			t.Error("the logs lack what was done, so finding nothing in them proves nothing")
		}
		for _, token := range []string{waiting, used} {
			if strings.Contains(seen, token) {
				t.Error("a token can be read")
			}
		}
	})
}
