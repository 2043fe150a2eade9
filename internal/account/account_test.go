package account_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/webauthn/virtualkey"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	remove = http.MethodDelete
)

type fields = map[string]any

// signedIn returns a person and their browser, signed in with a passkey.
func signedIn(s *authtest.Server, email string) (*authtest.Person, *authtest.Browser) {
	p, b := s.Person(email), s.Browser()
	b.Token = p.Session().String("session_token")
	return p, b
}

func TestMe(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, b := signedIn(s, "a@example.com")
		me := b.Call(get, "/sdk/v1/users/me", nil).OK()
		if me.Get("user_id") != p.UserID || me.Get("emails", 0, "email") != "a@example.com" || me.Get("request_id") == nil {
			t.Errorf("me is %s", me.Text)
		}
		s.Browser().Call(get, "/sdk/v1/users/me", nil).Refused(401, "user_unauthenticated")
	})
}

func TestUpdateMe(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		_, b := signedIn(s, "a@example.com")
		a := b.Call(put, "/sdk/v1/users/me", fields{"name": fields{"first_name": "Ada"}, "untrusted_metadata": fields{"theme": "dark"}}).OK()
		for _, view := range []string{"user", "__user"} {
			if a.Get(view, "name", "first_name") != "Ada" || a.Get(view, "untrusted_metadata", "theme") != "dark" {
				t.Errorf("%s is %v", view, a.Get(view))
			}
		}
		b.Call(put, "/sdk/v1/users/me", fields{"trusted_metadata": fields{"role": "admin"}}).Refused(401, "cannot_update_trusted_metadata")
		b.Call(put, "/sdk/v1/users/me", fields{"emails": []fields{{"email": "b@example.com"}}}).Refused(400, "update_user_auth_method_not_allowed")
	})
}

// TestMassAssignment is security case 21: what only a server may set does not
// bind behind the browser's door, however it is spelled.
func TestMassAssignment(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, b := signedIn(s, "a@example.com")
		other := s.Person("b@example.com")
		b.Call(put, "/sdk/v1/users/me", fields{
			"user_id": other.UserID, "roles": []string{"admin"}, "external_id": "mine", "status": "pending", "is_locked": true,
			"ROLES": []string{"admin"}, "External_ID": "mine", "email_verified": true, "name": fields{"first_name": "Eve"},
		}).OK()
		me := s.Call(get, "/v1/users/"+p.UserID, nil).OK()
		if roles := me.Get("roles").([]any); len(roles) != 0 || me.Get("external_id") != nil || me.Get("status") != "active" || me.Get("emails", 0, "verified") != false {
			t.Errorf("the user became %s", me.Text)
		}
		if hers := s.Call(get, "/v1/users/"+other.UserID, nil).OK(); hers.Get("name", "first_name") == "Eve" {
			t.Error("a user_id in the body chose the user")
		}
	})
}

// TestBodyUserIDIsNoIdentity is security case 22.
func TestBodyUserIDIsNoIdentity(t *testing.T) {
	s := authtest.New(t)
	p := s.Person("a@example.com")
	token := p.Session().String("session_token")
	claim := fields{"user_id": p.UserID, "session_token": token, "session_jwt": token}
	for method, paths := range map[string][]string{
		get:    {"/sdk/v1/users/me?user_id=" + p.UserID},
		put:    {"/sdk/v1/users/me", "/sdk/v1/webauthn/update/" + p.RegistrationID},
		post:   {"/sdk/v1/sessions/authenticate", "/sdk/v1/sessions/revoke", "/sdk/v1/webauthn/register/start", "/sdk/v1/webauthn/authenticate/start/secondary"},
		remove: {"/sdk/v1/users/webauthn_registrations/" + p.RegistrationID},
	} {
		for _, path := range paths {
			body := fields{"domain": "localhost"}
			if path != "/sdk/v1/users/me" {
				body["name"] = "x"
			}
			for name, value := range claim {
				body[name] = value
			}
			s.Browser().Call(method, path, body).Refused(401, "user_unauthenticated")
		}
	}
}

func TestRemoveOwnFactors(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, b := signedIn(s, "a@example.com")
		email := s.Call(get, "/v1/users/"+p.UserID, nil).OK().String("emails", 0, "email_id")
		b.Call(remove, "/sdk/v1/users/emails/"+email, nil).Refused(400, "cannot_delete_last_primary_factor")
		a := b.Call(remove, "/sdk/v1/users/webauthn_registrations/"+p.RegistrationID, nil).OK()
		if left := a.Get("__user", "webauthn_registrations").([]any); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
		if me := b.Call(get, "/sdk/v1/users/me", nil).OK(); me.Get("user_id") != p.UserID {
			t.Error("who takes a factor away is signed out by it")
		}
		b.Call(remove, "/sdk/v1/users/webauthn_registrations/"+p.RegistrationID, nil).Refused(401, "stale_factors")
		p.SignIn(nil).Refused(404, "webauthn_registration_not_found")
	})
}

// TestOthersFactorsAreOutOfReach is part of security case 23.
func TestOthersFactorsAreOutOfReach(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		victim := s.Person("victim@example.com")
		_, b := signedIn(s, "mallory@example.com")
		b.Call(remove, "/sdk/v1/users/webauthn_registrations/"+victim.RegistrationID, nil).Refused(404, "webauthn_registration_not_found")
		b.Call(put, "/sdk/v1/webauthn/update/"+victim.RegistrationID, fields{"name": "mine"}).Refused(404, "webauthn_registration_not_found")
		victim.SignIn(nil).OK()
	})
}

// TestFactorDowngradeDowngradesSessions is security case 46: whoever signed in
// with a passkey that its owner takes away is out, and a session that a factor
// was only a part of loses that part.
func TestFactorDowngradeDowngradesSessions(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, owner := signedIn(s, "a@example.com")
		stolen, stolenID := p.Key, p.RegistrationID
		thief := s.Browser()
		thief.Token = p.Session().String("session_token")
		p.Key = virtualkey.New()
		owner.Token = p.Register(fields{"session_duration_minutes": 60}).String("session_token")
		mixed := p.Session().String("session_token")
		p.Key = stolen
		p.SignIn(fields{"session_token": mixed}).OK()
		owner.Call(remove, "/sdk/v1/users/webauthn_registrations/"+stolenID, nil).OK()
		thief.Call(get, "/sdk/v1/users/me", nil).Refused(404, "session_not_found")
		thief.Call(post, "/sdk/v1/webauthn/register/start", fields{"domain": "localhost"}).Refused(404, "session_not_found")
		left := s.Call(post, "/v1/sessions/authenticate", fields{"session_token": mixed}).OK()
		if factors := left.Get("session", "authentication_factors").([]any); len(factors) != 1 {
			t.Errorf("the mixed session keeps %v", factors)
		}
		owner.Call(put, "/sdk/v1/users/me", fields{"name": fields{"first_name": "Ada"}}).OK()
	})
}

// TestLastPrimaryFactorUnderConcurrency: two removals at once must not each
// take the other for what is left.
func TestLastPrimaryFactorUnderConcurrency(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for i := range 10 {
			p := s.Person(fmt.Sprintf("person%d@example.com", i))
			b := s.Browser()
			b.Token = p.Session().String("session_token")
			err := s.DB.Update(t.Context(), func(tx *store.Tx) error {
				_, err := s.Users.Change(tx, s.Env, p.UserID, func(u *user.User) error {
					_, err := u.AddPhone(s.Env, fmt.Sprintf("+1415555%04d", 2000+i))
					return err
				})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			me := b.Call(get, "/sdk/v1/users/me", nil).OK()
			var wait sync.WaitGroup
			for _, path := range []string{"emails/" + me.String("emails", 0, "email_id"), "phone_numbers/" + me.String("phone_numbers", 0, "phone_id")} {
				wait.Go(func() { b.Call(remove, "/sdk/v1/users/"+path, nil) })
			}
			wait.Wait()
			after := b.Call(get, "/sdk/v1/users/me", nil).OK()
			if len(after.Get("emails").([]any))+len(after.Get("phone_numbers").([]any)) != 1 {
				t.Errorf("left: %s", after.Text)
			}
		}
	})
}

func TestFactorsThatDoNotExistYet(t *testing.T) {
	s := authtest.New(t)
	_, b := signedIn(s, "a@example.com")
	const u = "-test-0194f0a2-7c1e-7abc-8def-0123456789ab"
	for path, want := range map[string]string{
		"emails/email" + u:                                   "email_not_found",
		"phone_numbers/phone-number" + u:                     "phone_number_not_found",
		"biometric_registrations/biometric-registration" + u: "biometric_registration_not_found",
		"totps/totp" + u:                                     "totp_not_found",
		"crypto_wallets/crypto-wallet" + u:                   "crypto_wallet_not_found",
	} {
		b.Call(remove, "/sdk/v1/users/"+path, nil).Refused(404, want)
	}
}

func TestStepUpThroughTheDoor(t *testing.T) {
	s := authtest.New(t)
	p, b := signedIn(s, "a@example.com")
	s.Clock.Advance(time.Hour - time.Millisecond)
	b.Token = p.SignIn(fields{"session_duration_minutes": 300}).OK().String("session_token")
	s.Clock.Advance(time.Hour - time.Millisecond)
	b.Call(put, "/sdk/v1/users/me", fields{"name": fields{"first_name": "Ada"}}).OK()
	s.Clock.Advance(time.Millisecond)
	b.Call(put, "/sdk/v1/users/me", fields{"name": fields{"first_name": "Eve"}}).Refused(401, "stale_factors")
}

func TestOriginsAndSwitches(t *testing.T) {
	s := authtest.New(t)
	_, b := signedIn(s, "a@example.com")
	for _, origin := range []string{"https://evil.example", "http://localhost.evil.example", "null", "https://localhost@evil.example"} {
		b.Origin = origin
		b.Call(get, "/sdk/v1/users/me", nil).Refused(400, "bad_domain_for_stytch_sdk")
	}
	b.Origin = "https://app.example.com"
	b.Call(get, "/sdk/v1/users/me", nil).Refused(400, "bad_domain_for_stytch_sdk")
	s.Configure("sdk.basic.domains", `["https://app.example.com"]`)
	b.Call(get, "/sdk/v1/users/me", nil).OK()
	s.Configure("sdk.webauthn.create_webauthns", "false")
	b.Call(post, "/sdk/v1/webauthn/register/start", fields{"domain": "app.example.com"}).Refused(401, "endpoint_not_authorized_for_sdk")
	s.Configure("sdk.webauthn.enabled", "false")
	b.Call(post, "/sdk/v1/webauthn/authenticate/start/primary", fields{"domain": "app.example.com"}).Refused(401, "endpoint_not_authorized_for_sdk")
	b.Call(get, "/sdk/v1/users/me", nil).OK()
	s.Configure("sdk.basic.enabled", "false")
	b.Call(get, "/sdk/v1/users/me", nil).Refused(401, "endpoint_not_authorized_for_sdk")
}

func TestHTTPOnlyCookies(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("sdk.cookies.http_only", "ENABLED")
		p, b := s.Person("a@example.com"), s.Browser()
		a := b.Call(post, "/sdk/v1/webauthn/authenticate", fields{"public_key_credential": p.Assertion(), "session_duration_minutes": 60}).OK()
		if a.String("session_token") != "" || a.String("session_jwt") != "" || len(a.Cookies) != 2 {
			t.Fatalf("%d cookies beside %s", len(a.Cookies), a.Text)
		}
		for _, c := range a.Cookies {
			if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Value == "" {
				t.Errorf("cookie %s: %+v", c.Name, c)
			}
		}
		b.Cookies = a.Cookies
		if me := b.Call(get, "/sdk/v1/users/me", nil).OK(); me.Get("user_id") != p.UserID {
			t.Errorf("the cookie signs in %v", me.Get("user_id"))
		}
		b.Origin = "https://evil.example"
		b.Call(get, "/sdk/v1/users/me", nil).Refused(400, "bad_domain_for_stytch_sdk")
		b.Origin = ""
		b.Call(get, "/sdk/v1/users/me", nil).Refused(401, "user_unauthenticated")
		b.Origin = "http://localhost:3000"
		out := b.Call(post, "/sdk/v1/sessions/revoke", nil).OK()
		for _, c := range out.Cookies {
			if c.MaxAge >= 0 || c.Value != "" {
				t.Errorf("cookie %s stays: %+v", c.Name, c)
			}
		}
		b.Call(get, "/sdk/v1/users/me", nil).Refused(404, "session_not_found")
	})
}

func TestEnforcedCookiesIgnoreTheHeader(t *testing.T) {
	s := authtest.New(t)
	_, b := signedIn(s, "a@example.com")
	s.Configure("sdk.cookies.http_only", "ENFORCED")
	b.Call(get, "/sdk/v1/users/me", nil).Refused(401, "user_unauthenticated")
}

func TestDeadSessionsAreForgotten(t *testing.T) {
	s := authtest.New(t)
	b := s.Browser()
	b.Call(post, "/sdk/v1/sessions/authenticate", fields{}).Refused(401, "user_unauthenticated")
	for _, token := range []string{"garbage", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "eyJhbGciOiJub25lIn0.e30."} {
		b.Token = token
		b.Call(post, "/sdk/v1/sessions/authenticate", fields{}).Refused(404, "session_not_found")
	}
}

func TestMaxSessionDuration(t *testing.T) {
	s := authtest.New(t)
	_, b := signedIn(s, "a@example.com")
	s.Configure("sdk.sessions.max_session_duration_minutes", "60")
	b.Call(post, "/sdk/v1/sessions/authenticate", fields{"session_duration_minutes": 60}).OK()
	b.Call(post, "/sdk/v1/sessions/authenticate", fields{"session_duration_minutes": 61}).Refused(400, "invalid_session_duration_minutes")
}

func TestBootstrap(t *testing.T) {
	s := authtest.New(t)
	b := s.Browser()
	a := b.Call(get, "/sdk/v1/projects/bootstrap/"+s.Env.PublicTokens[0].Token, nil).OK()
	for _, name := range []string{"project_name", "cname_domain", "password_config", "captcha_settings", "rbac_policy", "slug_pattern", "dfp_protected_auth_enabled"} {
		if _, ok := a.Body[name]; !ok {
			t.Errorf("bootstrap lacks %s: SDKs discard it as a whole", name)
		}
	}
	if a.Get("captcha_settings", "enabled") != false || a.Get("vertical") != "CONSUMER" {
		t.Errorf("bootstrap is %s", a.Text)
	}
	b.Call(get, "/sdk/v1/projects/bootstrap/"+s.Live.PublicTokens[0].Token, nil).Refused(404, "public_token_not_found")
}
