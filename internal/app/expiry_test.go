package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/webauthn/virtualkey"
)

// TestValidityByTheClock is security case 51: the clean-up stands still, and
// everything that expires is refused at its instant and not before. Then the
// clean-up finds the rows, which shows that they were there all along.
func TestValidityByTheClock(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		began := s.Clock.Now()
		just := func(d time.Duration) { s.Clock.Set(began.Add(d - time.Millisecond)) }
		at := func(d time.Duration) { s.Clock.Set(began.Add(d)) }

		// A challenge holds for five minutes, a bound one like an anonymous one.
		register := registration(t, s, p)
		early, late := p.Assertion(), p.Assertion()
		bound := boundAssertion(t, s, p)
		session := p.SignIn(fields{"session_duration_minutes": 10}).OK()
		token, jwt := session.String("session_token"), session.String("session_jwt")
		just(5 * time.Minute)
		s.Call(http.MethodPost, "/v1/webauthn/authenticate", fields{"public_key_credential": early}).OK()
		at(5 * time.Minute)
		for _, body := range []string{late, bound} {
			if a := s.Call(http.MethodPost, "/v1/webauthn/authenticate", fields{"public_key_credential": body}); a.Status < 400 {
				t.Errorf("a challenge that has expired: %s", a.Text)
			}
		}
		if a := s.Call(http.MethodPost, "/v1/webauthn/register", register); a.Status < 400 {
			t.Errorf("a registration whose challenge has expired: %s", a.Text)
		}

		// A session holds until its expiry, by whatever it is named.
		just(10 * time.Minute)
		s.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_token": token}).OK()
		at(10 * time.Minute)
		b := s.Browser()
		for _, named := range []string{token, jwt} {
			b.Token = named
			b.Call(http.MethodGet, "/sdk/v1/users/me", nil).Refused(404, "session_not_found")
			b.Call(http.MethodPost, "/sdk/v1/sessions/authenticate", fields{"session_duration_minutes": 60}).Refused(404, "session_not_found")
		}
		s.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_token": token, "session_duration_minutes": 60}).Refused(404, "session_not_found")
		s.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_jwt": jwt}).Refused(404, "session_not_found")
		s.Call(http.MethodPost, "/v1/sessions/revoke", fields{"session_token": token}).Refused(404, "session_not_found")
		if a := s.Call(http.MethodGet, "/v1/sessions?user_id="+p.UserID, nil).OK(); len(a.Get("sessions").([]any)) != 0 {
			t.Errorf("an expired session is listed: %s", a.Text)
		}

		purged, err := s.Purge(t.Context(), 1000)
		if err != nil || purged.Sessions == 0 || purged.Challenges == 0 {
			t.Errorf("the clean-up found nothing, so this test proves nothing: %+v, %v", purged, err)
		}
		if a := s.Call(http.MethodPost, "/v1/webauthn/authenticate", fields{"public_key_credential": early}); a.Status < 400 {
			t.Errorf("the clean-up lets a used challenge be used again: %s", a.Text)
		}
	})
}

// TestLocksEndByTheClock is security case 51 for what ends a refusal: a lock
// is over at its instant though nobody has written so.
func TestLocksEndByTheClock(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("user_lock.threshold", "2")
		s.Configure("user_lock.ttl_seconds", "300")
		p := s.Person("a@example.com")
		for range 2 {
			forged := strings.Replace(p.Assertion(), `"signature":"`, `"signature":"AAAA`, 1)
			if a := s.Call(http.MethodPost, "/v1/webauthn/authenticate", fields{"public_key_credential": forged}); a.Status < 400 {
				t.Fatal(a.Text)
			}
		}
		locked := s.Clock.Now()
		s.Clock.Set(locked.Add(5*time.Minute - time.Millisecond))
		p.SignIn(nil).Refused(429, "user_lock_limit_reached")
		if a := s.Call(http.MethodGet, "/v1/users/"+p.UserID, nil).OK(); a.Get("is_locked") != true {
			t.Errorf("not shown as locked: %s", a.Text)
		}
		s.Clock.Set(locked.Add(5 * time.Minute))
		if a := s.Call(http.MethodGet, "/v1/users/"+p.UserID, nil).OK(); a.Get("is_locked") != false {
			t.Errorf("still shown as locked: %s", a.Text)
		}
		p.SignIn(nil).OK()
	})
}

// TestKeysRetireByTheClock is security case 51 for signing keys: one that is
// retired is neither published nor believed, though its row is still there.
func TestKeysRetireByTheClock(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		old := p.SignIn(fields{"session_duration_minutes": 60 * 24 * 60}).OK().String("session_jwt")
		if err := s.Sessions.Rotate(t.Context(), s.Env, false, false); err != nil {
			t.Fatal(err)
		}
		began := s.Clock.Now()
		published := func() int {
			return len(s.Request(http.MethodGet, "/v1/sessions/jwks/"+s.Env.ID, nil, nil).OK().Get("keys").([]any))
		}
		const lead, overlap = 5 * time.Minute, 30 * 24 * time.Hour
		s.Clock.Set(began.Add(lead + overlap - time.Millisecond))
		if n := published(); n != 2 {
			t.Errorf("%d keys are published before the old one retires", n)
		}
		s.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_jwt": old}).OK()
		s.Clock.Set(began.Add(lead + overlap))
		if n := published(); n != 1 {
			t.Errorf("%d keys are published after the old one retired", n)
		}
		if a := s.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_jwt": old}); a.Status < 400 {
			t.Errorf("a retired key is believed: %s", a.Text)
		}
		if purged, err := s.Purge(t.Context(), 1000); err != nil || purged.Sessions == 0 {
			t.Errorf("the clean-up found nothing, so this test proves nothing: %+v, %v", purged, err)
		}
	})
}

// registration is the final request of a registration that has begun.
func registration(t *testing.T, s *authtest.Server, p *authtest.Person) fields {
	t.Helper()
	options := s.Call(http.MethodPost, "/v1/webauthn/register/start", fields{
		"user_id": p.UserID, "domain": authtest.Domain, "return_passkey_credential_options": true, "use_base64_url_encoding": true,
	}).OK().String("public_key_credential_creation_options")
	created, err := virtualkey.New().Create(authtest.Page(), options)
	if err != nil {
		t.Fatal(err)
	}
	return fields{"user_id": p.UserID, "public_key_credential": created.JSON(virtualkey.Base64URL)}
}

// boundAssertion answers a challenge that was made for this one user.
func boundAssertion(t *testing.T, s *authtest.Server, p *authtest.Person) string {
	t.Helper()
	options := s.Call(http.MethodPost, "/v1/webauthn/authenticate/start", fields{
		"user_id": p.UserID, "domain": authtest.Domain, "use_base64_url_encoding": true,
	}).OK().String("public_key_credential_request_options")
	got, err := p.Key.Get(authtest.Page(), options)
	if err != nil {
		t.Fatal(err)
	}
	return got.JSON(virtualkey.Base64URL)
}
