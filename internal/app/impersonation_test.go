package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/impersonation"
	"gatehouse/internal/factor/webauthn/virtualkey"
	"gatehouse/internal/session"
)

// acting is a page at which somebody acts as the member, and the answer that
// began it.
func (m *member) acting() (*authtest.Browser, *authtest.Answer) {
	m.t.Helper()
	made, err := m.s.Impersonation.Create(m.t.Context(), m.s.Env, &impersonation.Request{
		UserID: m.UserID, Reason: "a test", As: session.ImpersonatedFactor{ImpersonatorID: "grace"},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	b := m.s.Browser()
	in := b.Call(http.MethodPost, "/sdk/v1/impersonation/authenticate", fields{"impersonation_token": made.Token}).OK()
	b.Token = in.String("session_token")
	return b, in
}

// impersonating is a server at which operators may act as a member.
func impersonating(t *testing.T, s *authtest.Server) *member {
	t.Helper()
	openly(t, s)
	s.Configure("user_impersonation.enabled", "true") // reads the redirect URLs too
	s.Configure("notices.new_device", "true")
	return newMember(t, s)
}

const notTheUser, notMutable = "user_impersonation_not_allowed", "session_not_mutable"

// Who acts as a user makes none of the changes that the user could make, whatever
// the user owns and whatever else the user has proven meanwhile.
func TestSecurity43ImpersonationNeverStepsUp(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		m := impersonating(t, s)
		b, _ := m.acting()
		check(t, s, b, "acting as somebody", notTheUser)
		own, _ := m.session(named(t, "an embeddable link"), named(t, "a passkey"))
		check(t, s, own, "the user beside it", "")
		check(t, s, b, "acting as somebody who is signed in", notTheUser)

		key := m.Key
		m.Key = virtualkey.New()
		created := m.Created()
		m.Key = key
		// Nor what the step-up rule leaves to whoever is signed in.
		for route, body := range map[string]fields{
			"PUT /sdk/v1/webauthn/update/" + m.RegistrationID:    {"name": "mine now"},
			"POST /sdk/v1/webauthn/authenticate/start/secondary": {"domain": authtest.Domain},
			"POST /sdk/v1/webauthn/register":                     {"public_key_credential": created},
			"POST /sdk/v1/totps/authenticate":                    {"totp_code": "123456"},
			"POST /sdk/v1/totps/recover":                         {"recovery_code": m.recovery[0]},
			"POST /sdk/v1/passwords/session/reset":               {"password": "another tractor hums 58"},
			"POST /sdk/v1/otps/email/send/secondary":             {"email": m.Email},
			"POST /sdk/v1/magic_links/email/send/secondary":      {"email": m.Email},
		} {
			verb, path, _ := strings.Cut(route, " ")
			a := b.Call(verb, path, body)
			if a.Body["error_type"] != notTheUser && a.Body["error_type"] != notMutable {
				t.Errorf("%s: %d %s", route, a.Status, a.Text)
			}
		}
		if n := len(s.Call(http.MethodGet, "/v1/users/"+m.UserID, nil).OK().Get("webauthn_registrations").([]any)); n != 1 {
			t.Errorf("the user has %d passkeys", n)
		}
		b.Call(http.MethodGet, "/sdk/v1/users/me", nil).OK()
		b.Call(http.MethodPost, "/sdk/v1/sessions/revoke", nil).OK()
	})
}

// No login joins a session in which somebody acts as the user, by any way there
// is, at either door, and none is counted as the user's failure there.
func TestSecurity45ImpersonationIsJoinedByNothing(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		m := impersonating(t, s)
		b, in := m.acting()
		for _, w := range methods {
			for _, more := range []fields{
				{"session_token": b.Token}, {"session_token": b.Token, "session_duration_minutes": 60}, {"session_jwt": in.String("session_jwt")},
			} {
				if more["session_jwt"] != nil && w.name == "biometrics" {
					continue // apps bring a token
				}
				a := w.prove(m, more)
				if a.Body["error_type"] != notMutable {
					t.Errorf("%s with %d fields: %d %s", w.name, len(more), a.Status, a.Text)
				}
			}
			b, in = m.acting() // codes and mails take minutes of the hour
		}
		for path, body := range map[string]fields{
			"passwords/authenticate": {"email": m.Email, "password": password},
			"webauthn/authenticate":  {"public_key_credential": m.Assertion()},
		} {
			for _, name := range []string{"session_token", "session_jwt"} {
				b.Token = in.String(name)
				a := b.Call(http.MethodPost, "/sdk/v1/"+path, with(body, fields{"session_duration_minutes": 60}))
				if a.Body["error_type"] != notMutable {
					t.Errorf("%s with a %s: %d %s", path, name, a.Status, a.Text)
				}
			}
		}
		b.Call(http.MethodPost, "/sdk/v1/passwords/authenticate", fields{"email": m.Email, "password": "a guess at random 7", "session_duration_minutes": 60}).Refused(400, notMutable)
		if n := s.Failures(m.UserID); n != 0 {
			t.Errorf("%d failures are counted", n)
		}
		is := b.Call(http.MethodPost, "/sdk/v1/sessions/authenticate", fields{}).OK()
		if is.String("session", "authentication_factors", 0, "type") != "impersonated" || is.Get("session", "authentication_factors", 1) != nil {
			t.Errorf("it became %s", is.Text)
		}
	}, calling)
}

// Nothing makes it last longer than an hour or say something else, and a server
// cannot name it as the user's.
func TestSecurity52ImpersonationEndsAfterItsHour(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		m := impersonating(t, s)
		b, in := m.acting()
		b.Call(http.MethodPost, "/sdk/v1/sessions/authenticate", fields{"session_duration_minutes": 5}).Refused(400, notMutable)
		for _, name := range []string{"session_token", "session_jwt"} {
			which := fields{name: in.String(name)}
			for _, change := range []fields{{"session_duration_minutes": 600}, {"session_custom_claims": fields{"admin": true}}} {
				s.Call(http.MethodPost, "/v1/sessions/authenticate", with(which, change)).Refused(400, notMutable)
			}
			for path, body := range map[string]fields{
				"/v1/otps/email/send":                   {"email": "new@example.com"},
				"/v1/otps/sms/send":                     {"phone_number": "+14155550171"},
				"/v1/magic_links/email/send":            {"email": "new@example.com"},
				"/v1/crypto_wallets/authenticate/start": newWallet(0),
				"/v1/passwords/session/reset":           {"password": "another tractor hums 58"},
			} {
				s.Call(http.MethodPost, path, with(which, body)).Refused(400, notTheUser)
			}
		}
		s.Clock.Advance(time.Hour - time.Millisecond)
		b.Call(http.MethodPost, "/sdk/v1/sessions/authenticate", fields{}).OK()
		s.Clock.Advance(time.Millisecond)
		b.Call(http.MethodPost, "/sdk/v1/sessions/authenticate", fields{}).Refused(404, "session_not_found")
		s.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_jwt": in.String("session_jwt")}).Refused(404, "session_not_found")
	})
}

// Acting as a user is no sign-in of theirs: nobody mails them about a device, and
// the device stays unknown.
func TestImpersonationIsNoDeviceOfTheUser(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		m := impersonating(t, s)
		before := len(s.Messages(m.Email))
		m.acting()
		if n := len(s.Messages(m.Email)); n != before {
			t.Errorf("the user got %d messages", n-before)
		}
	})
}
