package app_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/webauthn/virtualkey"
	"gatehouse/internal/secret"
	"gatehouse/internal/wire"
)

// The tests of this file are named after the bug classes of the security
// cases, with their numbers.

// factorsIn reads the factors that an answer shows, or a JWT's claims.
func factorsIn(t *testing.T, session any) []Factor {
	t.Helper()
	var shown struct {
		Factors []Factor `json:"authentication_factors"`
	}
	if err := json.Unmarshal([]byte(encoded(session)), &shown); err != nil {
		t.Fatal(err)
	}
	return shown.Factors
}

// claims are those of the session in a JWT.
func claims(t *testing.T, jwt string) any {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", jwt)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all["https://stytch.com/session"]
}

// ask asks the server's door about a session, by its token or JWT.
func ask(s *authtest.Server, name, value string) *authtest.Answer {
	return s.Call(http.MethodPost, "/v1/sessions/authenticate", fields{name: value})
}

// A session with half of what an app wants is never taken for a whole one,
// whatever is remembered of it: by token, by JWT, on this node and on another.
func TestSecurity42HalfSessionsFromACache(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		openly(t, s)
		other := s.Node()
		m := newMember(t, s)
		_, half := m.session(named(t, "an embeddable link"))
		token, early := half.String("session_token"), half.String("session_jwt")
		for _, node := range []*authtest.Server{s, other} { // the JWT of the half is remembered on both
			if HasTwoKinds(factorsIn(t, claims(t, ask(node, "session_token", token).OK().String("session_jwt")))) {
				t.Fatal("one factor is two kinds")
			}
		}
		whole := m.SignIn(fields{"session_token": token}).OK().String("session_jwt")
		shows := func(what string, want bool) {
			t.Helper()
			for _, node := range []*authtest.Server{s, other} {
				for name, value := range map[string]string{"session_token": token, "session_jwt": early} {
					a := ask(node, name, value).OK()
					if HasTwoKinds(factorsIn(t, a.Get("session"))) != want || HasTwoKinds(factorsIn(t, claims(t, a.String("session_jwt")))) != want {
						t.Errorf("%s, by %s: %s", what, name, a.Text)
					}
				}
			}
			b := s.Browser()
			for _, b.Token = range []string{token, early, whole} {
				a := acts[0].try(s, b)
				if want {
					a.OK()
				} else {
					a.Refused(401, "insufficient_factors")
				}
			}
		}
		shows("with both", true)
		if HasTwoKinds(factorsIn(t, claims(t, early))) {
			t.Error("the JWT from before has changed")
		}
		// The passkey goes, another one keeps the user one of two kinds. JWTs that
		// show both have not run out, and open nothing.
		m.Key = virtualkey.New()
		m.Register(nil)
		s.Call(http.MethodDelete, "/v1/users/webauthn_registrations/"+m.RegistrationID, nil).OK()
		shows("with one taken away", false)
	})
}

// Every way to sign in there is, against an app that wants two kinds: alone none
// is enough, and two are if they are of different kinds. Answer and JWT agree.
func TestSecurity43MFASkippedOnSomeLoginPaths(t *testing.T) {
	s := openly(t, authtest.New(t, calling))
	for _, first := range methods {
		m := newMember(t, s)
		for _, second := range methods {
			with := []method{first}
			if second.name != first.name {
				with = append(with, second)
			}
			_, a := m.session(with...)
			want := len(with) == 2 && verdict(first.kind, second.kind) == ""
			shown, signed := factorsIn(t, a.Get("session")), factorsIn(t, claims(t, a.String("session_jwt")))
			if HasTwoKinds(shown) != want || HasTwoKinds(signed) != want || len(shown) != len(with) || len(signed) != len(with) {
				t.Errorf("%s and %s: %v in the answer, %v in the JWT, want two kinds %t", first.name, second.name, shown, signed, want)
			}
		}
	}
}

// No login path is missing in the table above: whatever answers with a session
// is in it, or says why it is not.
func TestSecurity43EveryLoginPathIsInTheTable(t *testing.T) {
	s := authtest.New(t)
	known := map[string]bool{}
	for _, m := range methods {
		for _, route := range m.routes {
			known[route] = true
		}
	}
	for _, e := range s.App.Server.Endpoints() {
		route := e.Method + " " + e.Path
		if !answersWithSession(t, e) {
			if known[route] {
				t.Errorf("%s signs nobody in", route)
			}
			continue
		}
		if known[route] == (otherSessions[route] != "") {
			t.Errorf("%s answers with a session: put it among the methods, or say why it is none", route)
		}
	}
}

// otherSessions are the routes that answer with a session though they are no way
// to sign in.
var otherSessions = map[string]string{
	"POST /v1/sessions/authenticate":                  "shows a session that there is",
	"POST /sdk/v1/sessions/authenticate":              "shows a session that there is",
	"POST /v1/webauthn/register":                      "adds the passkey that it proves",
	"POST /sdk/v1/webauthn/register":                  "adds the passkey that it proves, to a session",
	"POST /sdk/v1/biometrics/register":                "adds the device that it proves, to a session",
	"POST /v1/sessions/migrate":                       "goes on with a session of another product, whose factors nobody here knows",
	"POST /sdk/v1/oauth/google/id_token/authenticate": "proves an account at a provider, as oauth/authenticate does",
	"POST /sdk/v1/oauth/apple/id_token/authenticate":  "proves an account at a provider, as oauth/authenticate does",
	"POST /v1/impersonation/authenticate":             "begins a session of an operator, which proves nothing about the user",
	"POST /sdk/v1/impersonation/authenticate":         "begins a session of an operator, which proves nothing about the user",
}

// answersWithSession reads it from the OpenAPI document.
func answersWithSession(t *testing.T, e wire.Endpoint) bool {
	t.Helper()
	text, err := wire.OpenAPI(wire.Info{Title: "Gatehouse"}, []wire.Endpoint{e})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]any `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	answer := encoded(doc.Paths[e.Path][strings.ToLower(e.Method)].Responses["200"])
	for name, schema := range doc.Components.Schemas {
		if strings.Contains(answer, `"#/components/schemas/`+name+`"`) {
			answer += encoded(schema)
		}
	}
	return strings.Contains(answer, `"session_jwt":`)
}

// What somebody has begun to add is neither asked for nor worth anything.
func TestSecurity44UnverifiedEnrolments(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		openly(t, s)
		sent := s.Call(http.MethodPost, "/v1/otps/email/login_or_create", fields{"email": "begins@example.com"}).OK()
		in := s.Call(http.MethodPost, "/v1/otps/authenticate", fields{
			"method_id": sent.String("email_id"), "code": s.Mail("begins@example.com").Code, "session_duration_minutes": lasting,
		}).OK()
		b := s.Browser()
		b.Token = in.String("session_token")
		phone := authtest.NewDevice()
		b.Call(http.MethodPost, "/sdk/v1/totps", fields{}).OK()
		b.Call(http.MethodPost, "/sdk/v1/biometrics/register/start", fields{"public_key": phone.PublicKey()}).OK()
		b.Call(http.MethodPost, "/sdk/v1/webauthn/register/start", fields{"domain": authtest.Domain}).OK()
		b.Call(http.MethodPost, "/sdk/v1/otps/sms/send/secondary", fields{"phone_number": "+12025550199"}).OK()
		check(t, s, b, "with nothing finished", "")
		s.Mobile().Unlock(phone).Refused(404, "biometric_registration_not_found")
	})
}

// Whoever plants a session, or its name, gains nothing from what its victim
// proves afterwards; and what was issued before says no more than it did.
func TestSecurity45FixationAcrossStepUp(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		openly(t, s)
		victim, attacker := newMember(t, s), newMember(t, s)
		planted, _ := attacker.session(named(t, "an embeddable link"))
		revoked, _ := victim.session(named(t, "an embeddable link"))
		s.Call(http.MethodPost, "/v1/sessions/revoke", fields{"session_token": revoked.Token}).OK()
		for _, w := range methods {
			// In a browser, a name that is nobody's is not adopted and a dead session is
			// not revived; somebody else's is left.
			for what, token := range map[string]string{"invented": secret.Token(), "revoked": revoked.Token} {
				a := w.prove(victim, fields{"session_token": token, "session_duration_minutes": lasting})
				if a.Status == http.StatusOK && a.String("session_token") == token {
					t.Errorf("%s: an %s session was adopted", w.name, what)
				}
				if w.name != "biometrics" {
					a.Refused(404, "session_not_found")
				}
			}
			w.prove(victim, fields{"session_token": planted.Token, "session_duration_minutes": lasting}).Refused(400, "user_id_mismatch")
			if a := ask(s, "session_token", planted.Token).OK(); a.String("user_id") != attacker.UserID || len(factorsIn(t, a.Get("session"))) != 1 {
				t.Errorf("%s changed the planted session: %s", w.name, a.Text)
			}
		}
		// A session keeps its name when a factor joins it, as clients expect. What it
		// could do it can do on the strength of a factor that ages: an hour later it
		// has to be proven again.
		half, before := victim.session(named(t, "an embeddable link"))
		after := victim.SignIn(fields{"session_token": half.Token}).OK()
		if after.String("session_token") != half.Token || after.Get("session", "session_id") != before.Get("session", "session_id") {
			t.Errorf("the session is another one: %s", after.Text)
		}
		if HasTwoKinds(factorsIn(t, claims(t, before.String("session_jwt")))) {
			t.Error("the JWT from before says more than it did")
		}
		check(t, s, half, "stepped up", "")
		s.Clock.Advance(time.Hour)
		check(t, s, half, "an hour later", "stale_factors")
	}, calling)
}

// Whatever is taken away from a user is worth nothing in any session from then
// on: those that it alone had opened end, the others have one factor less.
func TestSecurity46FactorDowngrade(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		openly(t, s)
		for _, path := range []string{"emails", "phone_numbers", "webauthn_registrations", "biometric_registrations", "totps", "crypto_wallets", "passwords"} {
			m := newMember(t, s)
			row := s.Call(http.MethodGet, "/v1/users/"+m.UserID, nil).OK()
			gone := map[string]struct {
				id   string
				with method
			}{
				"emails":                  {row.String("emails", 0, "email_id"), named(t, "a code by e-mail")},
				"phone_numbers":           {row.String("phone_numbers", 0, "phone_id"), named(t, "a code by SMS")},
				"webauthn_registrations":  {m.RegistrationID, named(t, "a passkey")},
				"biometric_registrations": {row.String("biometric_registrations", 0, "biometric_registration_id"), named(t, "biometrics")},
				"totps":                   {row.String("totps", 0, "totp_id"), named(t, "an authenticator app")},
				"crypto_wallets":          {row.String("crypto_wallets", 0, "crypto_wallet_id"), named(t, "a wallet")},
				"passwords":               {row.String("password", "password_id"), named(t, "a password")},
			}[path]
			rest := named(t, "an embeddable link")
			alone, _ := m.session(gone.with)
			both, _ := m.session(rest, gone.with)
			s.Call(http.MethodDelete, "/v1/users/"+path+"/"+gone.id, nil).OK()
			ask(s, "session_token", alone.Token).Refused(404, "session_not_found")
			left := factorsIn(t, ask(s, "session_token", both.Token).OK().Get("session"))
			if len(left) != 1 || left[0].DeliveryMethod != rest.factor[1] {
				t.Errorf("without its %s the session has %v", path, left)
			}
			acts[0].try(s, both).Refused(401, "insufficient_factors")
		}
	})
}
