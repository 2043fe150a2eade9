package password_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/delivery"
	"gatehouse/internal/project"
)

type body = map[string]any

const (
	create       = "/v1/passwords"
	authenticate = "/v1/passwords/authenticate"
	check        = "/v1/passwords/strength_check"
	migrate      = "/v1/passwords/migrate"
	start        = "/v1/passwords/email/reset/start"
	byEmail      = "/v1/passwords/email/reset"
	byExisting   = "/v1/passwords/existing_password/reset"
	bySession    = "/v1/passwords/session/reset"
	home         = "http://localhost:3000/authenticate"
	resetPage    = "http://localhost:3000/reset"

	// Passwords that zxcvbn finds good enough.
	first  = "mauve tractor sings 41"
	second = "quiet lantern overflows 77"
)

// each runs a test on both engines, in an environment whose hashes are cheap and
// that knows where its mails lead.
func each(t *testing.T, test func(t *testing.T, s *authtest.Server)) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		prepare(t, s)
		test(t, s)
	})
}

func prepare(t *testing.T, s *authtest.Server) {
	t.Helper()
	s.Configure("passwords.argon2id.memory_kib", "8192")
	s.Configure("passwords.argon2id.iterations", "1")
	for to, types := range map[string][]project.RedirectType{
		home: {project.RedirectLogin, project.RedirectSignup}, resetPage: {project.RedirectResetPassword},
	} {
		if _, err := s.Projects.AddRedirectURL(t.Context(), s.Env.ID, to, types, false); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if s.Env, err = s.Projects.Environment(t.Context(), s.Env.ID); err != nil {
		t.Fatal(err)
	}
}

func with(fields, more body) body {
	all := maps.Clone(fields)
	maps.Copy(all, more)
	return all
}

var hour = body{"session_duration_minutes": 60}

func credentials(email, password string) body { return body{"email": email, "password": password} }

// signUp makes a user with a password and a session.
func signUp(s *authtest.Server, email, password string) *authtest.Answer {
	return s.Call(http.MethodPost, create, with(credentials(email, password), hour)).OK()
}

func login(s *authtest.Server, email, password string) *authtest.Answer {
	return s.Call(http.MethodPost, authenticate, with(credentials(email, password), hour))
}

// forget has a reset mailed and returns the mail.
func forget(s *authtest.Server, fields body) delivery.Envelope {
	s.Clock.Advance(time.Second)
	s.Call(http.MethodPost, start, fields).OK()
	return s.Mail(fields["email"].(string))
}

func token(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || u.Query().Get("token") == "" {
		t.Fatalf("the link %q has no token (%v)", link, err)
	}
	return u.Query().Get("token")
}

// loginLink is the second link of a mail that resets a password.
func loginLink(t *testing.T, mail delivery.Envelope) string {
	t.Helper()
	for word := range strings.FieldsSeq(mail.Text) {
		if strings.Contains(word, "stytch_token_type=login") {
			return word
		}
	}
	t.Fatalf("the mail has no link to log in: %s", mail.Text)
	return ""
}

func TestSignUpAndSignIn(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		a := s.Call(http.MethodPost, create, with(credentials("Ada@Example.com", first), body{"name": body{"first_name": "Ada"}, "trusted_metadata": body{"plan": "pro"}})).OK()
		if a.String("session_token") != "" || a.Get("session") != nil {
			t.Errorf("a session was made without a duration: %s", a.Text)
		}
		if a.Get("user", "emails", 0, "verified") != false || a.Get("user", "password", "requires_reset") != false ||
			a.Get("user", "emails", 0, "email_id") != a.String("email_id") || a.Get("user", "name", "first_name") != "Ada" {
			t.Errorf("the user is %s", a.Text)
		}
		s.Call(http.MethodPost, create, credentials("ada@example.com", first)).Refused(400, "duplicate_email")
		in := login(s, "ada@example.com", first).OK()
		if in.Get("session", "authentication_factors", 0, "type") != "password" || in.Get("session", "authentication_factors", 0, "delivery_method") != "knowledge" {
			t.Errorf("the session is %s", in.Text)
		}
		login(s, "ada@example.com", second).Refused(401, "unauthorized_credentials")
		login(s, "bob@example.com", first).Refused(404, "email_not_found")
		s.Call(http.MethodPost, "/v1/users", body{"email": "bob@example.com"}).OK()
		login(s, "bob@example.com", first).Refused(400, "no_user_password")
	})
}

func TestTheBrowserDoor(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		page := s.Browser()
		a := page.Call(http.MethodPost, "/sdk/v1/passwords", with(credentials("ada@example.com", first), hour)).OK()
		if a.String("session_token") == "" || a.String("email_id") == "" || a.Get("__user", "user_id") != a.String("user_id") {
			t.Errorf("a page signs up with %s", a.Text)
		}
		page.Call(http.MethodPost, "/sdk/v1/passwords/authenticate", with(credentials("ada@example.com", first), hour)).OK()
		for email, want := range map[string]string{"ada@example.com": "password", "nobody@example.com": "new"} {
			if got := page.Call(http.MethodPost, "/sdk/v1/users/search", body{"email": email}).OK().String("userType"); got != want {
				t.Errorf("%s is %q, want %q", email, got, want)
			}
		}
		s.Call(http.MethodPost, "/v1/users", body{"email": "bob@example.com"}).OK()
		if got := page.Call(http.MethodPost, "/sdk/v1/users/search", body{"email": "bob@example.com"}).OK().String("userType"); got != "passwordless" {
			t.Errorf("somebody without a password is %q", got)
		}
		s.Configure("sdk.passwords.search_disabled", "true")
		page.Call(http.MethodPost, "/sdk/v1/users/search", body{"email": "bob@example.com"}).Refused(401, "endpoint_not_authorized_for_sdk")
		s.Configure("sdk.passwords.enabled", "false")
		page.Call(http.MethodPost, "/sdk/v1/passwords/authenticate", credentials("ada@example.com", first)).Refused(401, "endpoint_not_authorized_for_sdk")
		// The pre-built login asks this first: it has to name the switch that is in the way.
		a = page.Call(http.MethodPost, "/sdk/v1/users/search", body{"email": "bob@example.com"}).Refused(401, "endpoint_not_authorized_for_sdk")
		if !strings.Contains(a.String("error_message"), "passwords.enabled") {
			t.Errorf("a page is told %q", a.String("error_message"))
		}
	})
}

func TestResetByEmail(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		old := signUp(s, "ada@example.com", first)
		mail := forget(s, body{"email": "ada@example.com"})
		if mail.Type != delivery.VerifyPassword || !strings.Contains(mail.Link, "stytch_token_type=reset_password") {
			t.Errorf("the mail is %s with %s", mail.Type, mail.Link)
		}
		link := token(t, mail.Link)
		weak := s.Call(http.MethodPost, byEmail, body{"token": link, "password": "password"}).Refused(400, "weak_password")
		if message := weak.String("error_message"); !strings.Contains(message, "top-10 common password") {
			t.Errorf("a weak password is told %q", message)
		}
		a := s.Call(http.MethodPost, byEmail, with(hour, body{"token": link, "password": second})).OK()
		if a.Get("user", "emails", 0, "verified") != true || a.String("session_token") == "" {
			t.Errorf("the reset answers %s", a.Text)
		}
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": old.String("session_token")}).Refused(404, "session_not_found")
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": a.String("session_token")}).OK()
		login(s, "ada@example.com", first).Refused(401, "unauthorized_credentials")
		login(s, "ada@example.com", second).OK()
		s.Call(http.MethodPost, byEmail, body{"token": link, "password": first}).Refused(401, "unable_to_auth_password_reset_token")
		// The first proof of the address took the other link away with everything else.
		s.Call(http.MethodPost, "/v1/magic_links/authenticate", body{"token": token(t, loginLink(t, mail))}).Refused(404, "magic_link_not_found")
		mail = forget(s, body{"email": "ada@example.com"})
		s.Call(http.MethodPost, byEmail, body{"token": token(t, mail.Link), "password": first}).OK()
		s.Call(http.MethodPost, "/v1/magic_links/authenticate", body{"token": token(t, loginLink(t, mail))}).Refused(401, "unable_to_auth_magic_link")
		if got := forget(s, body{"email": "ada@example.com"}).Type; got != delivery.ResetPassword {
			t.Errorf("the mail for an address that is proven is %s", got)
		}
	})
}

// A reset link is used where it was asked for, for half an hour.
func TestResetLinksAreBound(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		signUp(s, "ada@example.com", first)
		s.Call(http.MethodPost, start, body{"email": "nobody@example.com"}).Refused(404, "email_not_found")
		s.Call(http.MethodPost, start, body{"email": "ada@example.com", "reset_password_redirect_url": "https://evil.example/"}).Refused(400, "no_match_for_provided_magic_link_url")
		for _, minutes := range []int{4, 10081} {
			s.Call(http.MethodPost, start, body{"email": "ada@example.com", "reset_password_expiration_minutes": minutes}).Refused(400, "invalid_expiration")
		}
		for lifetime, want := range map[time.Duration]bool{30*time.Minute - time.Millisecond: true, 30 * time.Minute: false} {
			link := token(t, forget(s, body{"email": "ada@example.com"}).Link)
			s.Clock.Advance(lifetime)
			if a := s.Call(http.MethodPost, byEmail, body{"token": link, "password": second}); (a.Status == 200) != want {
				t.Errorf("after %v a link answers %d", lifetime, a.Status)
			}
		}
		link := token(t, forget(s, body{"email": "ada@example.com", "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}).Link)
		s.Call(http.MethodPost, byEmail, body{"token": link, "password": second}).Refused(400, "pkce_expected_code_verifier")
		s.Call(http.MethodPost, byEmail, body{"token": link, "password": second, "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}).OK()
		link = token(t, forget(s, body{"email": "ada@example.com", "attributes": body{"ip_address": "203.0.113.7"}}).Link)
		match := body{"token": link, "password": first, "options": body{"ip_match_required": true}}
		s.Call(http.MethodPost, byEmail, with(match, body{"attributes": body{"ip_address": "203.0.113.8"}})).Refused(401, "attribute_mismatch")
		s.Call(http.MethodPost, byEmail, with(match, body{"attributes": body{"ip_address": "203.0.113.7"}})).OK()
	})
}

// The second link signs in without the password, and leaves it as it is.
func TestLogInWithoutThePassword(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		signUp(s, "ada@example.com", first)
		s.Call(http.MethodPost, byEmail, body{"token": token(t, forget(s, body{"email": "ada@example.com"}).Link), "password": first}).OK()
		mail := forget(s, body{"email": "ada@example.com"})
		in := token(t, loginLink(t, mail))
		s.Call(http.MethodPost, byEmail, body{"token": in, "password": second}).Refused(401, "unable_to_auth_password_reset_token")
		s.Call(http.MethodPost, "/v1/magic_links/authenticate", with(hour, body{"token": in})).OK()
		login(s, "ada@example.com", first).OK()
		s.Call(http.MethodPost, byEmail, body{"token": token(t, mail.Link), "password": second}).OK()
		// The page that the first link leads to offers the same beside its form.
		in = token(t, forget(s, body{"email": "ada@example.com"}).Link)
		s.Call(http.MethodPost, "/v1/magic_links/authenticate", with(hour, body{"token": in})).OK()
		s.Call(http.MethodPost, byEmail, body{"token": in, "password": first}).Refused(401, "unable_to_auth_password_reset_token")
		login(s, "ada@example.com", second).OK()
	})
}

func TestResetByExistingPassword(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		old := signUp(s, "ada@example.com", first).String("session_token")
		change := body{"email": "ada@example.com", "existing_password": first, "new_password": second}
		s.Call(http.MethodPost, byExisting, with(change, body{"existing_password": second})).Refused(400, "password_does_not_match")
		s.Call(http.MethodPost, byExisting, with(change, body{"new_password": "abc"})).Refused(400, "weak_password")
		s.Call(http.MethodPost, byExisting, with(change, body{"session_token": old})).Refused(400, "cannot_preserve_existing_sessions")
		login(s, "ada@example.com", first).OK()
		a := s.Call(http.MethodPost, byExisting, with(change, hour)).OK()
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": old}).Refused(404, "session_not_found")
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": a.String("session_token")}).OK()
		login(s, "ada@example.com", first).Refused(401, "unauthorized_credentials")
		login(s, "ada@example.com", second).OK()
	})
}

// A session that was entered with the password or through the mailbox within five
// minutes can set a password, and is the one that stays.
func TestResetBySession(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		other := signUp(s, "ada@example.com", first).String("session_token")
		own := login(s, "ada@example.com", first).OK().String("session_token")
		s.Call(http.MethodPost, bySession, body{"password": second}).Refused(400, "no_session_arguments")
		s.Clock.Advance(5 * time.Minute)
		a := s.Call(http.MethodPost, bySession, body{"session_token": own, "password": second}).OK()
		if a.String("session_token") != own {
			t.Errorf("the session is %q", a.String("session_token"))
		}
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": other}).Refused(404, "session_not_found")
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": own}).OK()
		login(s, "ada@example.com", second).OK()
		s.Clock.Advance(5*time.Minute + time.Millisecond)
		s.Call(http.MethodPost, bySession, body{"session_token": own, "password": first}).Refused(400, "session_too_old_to_reset_password")
	})
}

// Somebody who signed up with a code sets their first password from that session.
func TestAFirstPasswordFromASession(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		for door, path := range map[string]string{"server": bySession, "page": "/sdk/v1/passwords/session/reset"} {
			email := door + "@example.com"
			method := s.Call(http.MethodPost, "/v1/otps/email/login_or_create", body{"email": email}).OK().String("email_id")
			in := s.Call(http.MethodPost, "/v1/otps/authenticate", with(hour, body{"method_id": method, "code": s.Mail(email).Code})).OK().String("session_token")
			if door == "page" {
				page := s.Browser()
				page.Call(http.MethodPost, path, body{"password": first}).Refused(401, "user_unauthenticated")
				page.Token = in
				page.Call(http.MethodPost, path, body{"password": first}).OK()
			} else {
				s.Call(http.MethodPost, path, body{"session_token": in, "password": first}).OK()
			}
			if a := login(s, email, first).OK(); a.Get("user", "emails", 0, "verified") != true {
				t.Errorf("the user is %s", a.Text)
			}
		}
	})
}

func TestStrengthCheck(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		a := s.Call(http.MethodPost, check, body{"password": "p@ssword1"}).OK()
		if a.Get("valid_password") != false || a.Get("strength_policy") != "zxcvbn" || a.Get("breached_password") != false ||
			a.Get("feedback", "warning") != "This is similar to a commonly used password." ||
			a.Get("feedback", "suggestions", 0) != "Add another word or two. Uncommon words are better." ||
			a.Get("feedback", "suggestions", 1) != "Predictable substitutions like '@' instead of 'a' don't help very much." ||
			a.Get("feedback", "luds_requirements") != nil {
			t.Errorf("p@ssword1 is %s", a.Text)
		}
		// The official pre-built UI translates the sentences that it knows.
		a = s.Call(http.MethodPost, check, body{"password": "abcdefgh"}).OK()
		if got := a.Get("feedback", "warning"); got != `Sequences like "abc" or "6543" are easy to guess.` {
			t.Errorf("a sequence is told %q", got)
		}
		if a := s.Call(http.MethodPost, check, body{"password": first, "email": "ada@example.com"}).OK(); a.Get("valid_password") != true || a.Get("score").(float64) < 3 {
			t.Errorf("a good password is %s", a.Text)
		}
		s.Configure("passwords.validation_policy", "luds")
		s.Configure("passwords.luds_min_password_complexity", "4")
		a = s.Call(http.MethodPost, check, body{"password": "Abcdef1"}).OK()
		if a.Get("valid_password") != false || a.Get("score") != 0.0 || a.Get("feedback", "warning") != "" ||
			a.Get("feedback", "luds_requirements", "missing_complexity") != 1.0 || a.Get("feedback", "luds_requirements", "missing_characters") != 1.0 {
			t.Errorf("Abcdef1 is %s", a.Text)
		}
		s.Call(http.MethodPost, create, credentials("ada@example.com", "abcdefgh")).Refused(400, "weak_password")
		s.Call(http.MethodPost, create, credentials("ada@example.com", "Abcdef1!")).OK()
		s.Call(http.MethodPost, check, body{"password": "with a\u200bspace"}).Refused(400, "forbidden_character_zero_width_space")
	})
}

// Passwords may be of any language, and each spelling of an accent is the same.
func TestPasswordsOfAnyLanguage(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		signUp(s, "ada@example.com", "h\u00e9lice \U0001F469\u200d\U0001F680 \u6c34 tourne 7")
		login(s, "ada@example.com", "he\u0301lice \U0001F469\u200d\U0001F680 \u6c34 tourne 7").OK()
		s.Configure("passwords.validation_policy", "luds")
		longest := strings.Repeat("x1Y!", 256) // 1,024 bytes
		s.Call(http.MethodPost, create, credentials("bob@example.com", longest+"x")).Refused(400, "weak_password")
		s.Call(http.MethodPost, create, credentials("bob@example.com", longest)).OK()
		login(s, "bob@example.com", longest).OK()
		login(s, "bob@example.com", longest+"x").Refused(401, "unauthorized_credentials")
	})
}

func TestDeletingAPassword(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		a := signUp(s, "ada@example.com", first)
		s.Call(http.MethodDelete, "/v1/users/passwords/"+a.Get("user", "password", "password_id").(string), nil).OK()
		login(s, "ada@example.com", first).Refused(400, "no_user_password")
		// What only the password had proven is over (factor downgrade).
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": a.String("session_token")}).Refused(404, "session_not_found")
	})
}

func TestTheSandbox(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		a := s.Call(http.MethodPost, create, with(hour, credentials("sandbox@stytch.com", "x"))).OK()
		if a.String("session_jwt") == "" || a.String("email_id") == "" {
			t.Errorf("the sandbox signs up with %s", a.Text)
		}
		login(s, "Sandbox@stytch.com", "anything").OK()
		s.Call(http.MethodPost, start, body{"email": "sandbox@stytch.com"}).OK()
		s.Browser().Call(http.MethodPost, "/sdk/v1/passwords/authenticate", credentials("sandbox@stytch.com", "x")).Refused(401, "unauthorized_credentials")
	})
}
