package magiclink_test

import (
	"crypto/sha256"
	"encoding/base64"
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
	loginOrCreate = "/v1/magic_links/email/login_or_create"
	send          = "/v1/magic_links/email/send"
	invite        = "/v1/magic_links/email/invite"
	revokeInvite  = "/v1/magic_links/email/revoke_invite"
	authenticate  = "/v1/magic_links/authenticate"
	embed         = "/v1/magic_links"
	home          = "http://localhost:3000/authenticate"
)

// each runs a test on both engines, in an environment with a redirect URL.
func each(t *testing.T, test func(t *testing.T, s *authtest.Server)) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		register(t, s, home, project.RedirectTypes...)
		test(t, s)
	})
}

func register(t *testing.T, s *authtest.Server, url string, types ...project.RedirectType) {
	t.Helper()
	if _, err := s.Projects.AddRedirectURL(t.Context(), s.Env.ID, url, types, false); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.Env, err = s.Projects.Environment(t.Context(), s.Env.ID); err != nil {
		t.Fatal(err)
	}
}

// with returns fields with more of them.
func with(fields, more body) body {
	all := maps.Clone(fields)
	maps.Copy(all, more)
	return all
}

// ask has a link mailed and returns the mail. The clock moves on, since an
// address gets one mail a second.
func ask(s *authtest.Server, path string, fields body) delivery.Envelope {
	s.Clock.Advance(time.Second)
	s.Call(http.MethodPost, path, fields).OK()
	return s.Mail(fields["email"].(string))
}

// token is what a link carries.
func token(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || u.Query().Get("token") == "" {
		t.Fatalf("the link %q has no token (%v)", link, err)
	}
	return u.Query().Get("token")
}

func finish(s *authtest.Server, token string, more body) *authtest.Answer {
	return s.Call(http.MethodPost, authenticate, with(body{"token": token}, more))
}

var hour = body{"session_duration_minutes": 60}

func TestSignUpAndInByLink(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		a := s.Call(http.MethodPost, loginOrCreate, body{"email": "Ada@Example.com"}).OK()
		if a.Get("user_created") != true {
			t.Errorf("user_created is %v", a.Get("user_created"))
		}
		mail := s.Mail("ada@example.com")
		if mail.Type != delivery.Signup || mail.Text == "" || mail.HTML == "" || !strings.Contains(mail.Text, mail.Link) {
			t.Errorf("the mail is %+v", mail)
		}
		if want := s.URL + "/v1/magic_links/redirect?public_token=" + s.Env.PublicTokens[0].Token + "&stytch_token_type=magic_links&token="; !strings.HasPrefix(mail.Link, want) {
			t.Errorf("the link is %s, want it to begin with %s", mail.Link, want)
		}
		link := token(t, mail.Link)
		if len(link) != 44 {
			t.Errorf("the token has %d characters", len(link))
		}
		in := finish(s, link, hour).OK()
		if in.String("user_id") != a.String("user_id") || in.String("method_id") != a.String("email_id") || in.Get("user", "emails", 0, "verified") != true || in.Get("reset_sessions") != false {
			t.Errorf("signed in: %s", in.Text)
		}
		factor := in.Get("session", "authentication_factors", 0).(map[string]any)
		if factor["type"] != "magic_link" || factor["delivery_method"] != "email" || in.Get("session", "authentication_factors", 0, "email_factor", "email_address") != "ada@example.com" {
			t.Errorf("the factor is %v", factor)
		}
		finish(s, link, hour).Refused(401, "unable_to_auth_magic_link")

		mail = ask(s, loginOrCreate, body{"email": "ada@example.com"})
		if mail.Type != delivery.Login {
			t.Errorf("a user gets %s", mail.Type)
		}
		if again := finish(s, token(t, mail.Link), nil).OK(); again.Get("session") != nil || again.String("session_token") != "" || again.Get("reset_sessions") != false {
			t.Errorf("without a duration: %s", again.Text)
		}
		finish(s, strings.Repeat("A", 44), nil).Refused(404, "magic_link_not_found")
		finish(s, "short", nil).Refused(404, "magic_link_not_found")
	})
}

func TestStatesChooseMailAndURL(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		register(t, s, "https://app.example.com/welcome", project.RedirectSignup)
		more := body{"signup_magic_link_url": "https://app.example.com/welcome", "create_user_as_pending": true}
		a := s.Call(http.MethodPost, loginOrCreate, with(body{"email": "p@example.com"}, more)).OK()
		first := s.Mail("p@example.com")
		if got := s.Call(http.MethodGet, "/v1/users/"+a.String("user_id"), nil).OK(); got.String("status") != "pending" {
			t.Errorf("the user is %s", got.String("status"))
		}
		second := ask(s, send, body{"email": "p@example.com", "signup_magic_link_url": "https://app.example.com/welcome"})
		if first.Type != delivery.Signup || second.Type != delivery.Signup {
			t.Errorf("a pending user gets %s, then %s", first.Type, second.Type)
		}
		if in := finish(s, token(t, first.Link), nil).OK(); in.Get("user", "status") != "active" {
			t.Errorf("after the first link: %v", in.Get("user", "status"))
		}
		finish(s, token(t, second.Link), nil).OK() // a later mail does not end an earlier one, nor the other way round
		if third := ask(s, send, body{"email": "p@example.com"}); third.Type != delivery.Login {
			t.Errorf("an active user gets %s", third.Type)
		}
	})
}

func TestSendNeedsAUser(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Call(http.MethodPost, send, body{"email": "nobody@example.com"}).Refused(404, "email_not_found")
		s.Call(http.MethodPost, send, body{"email": "not an address"}).Refused(400, "invalid_email")
		if got := s.Messages("nobody@example.com"); len(got) != 0 {
			t.Errorf("sent %d messages", len(got))
		}
	})
}

func TestLifetimes(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		for _, minutes := range []int{4, 10081, 0, -1} {
			for _, field := range []string{"login_expiration_minutes", "signup_expiration_minutes"} {
				s.Call(http.MethodPost, loginOrCreate, body{"email": "a@example.com", field: minutes}).Refused(400, "invalid_expiration")
			}
			s.Call(http.MethodPost, invite, body{"email": "a@example.com", "invite_expiration_minutes": minutes}).Refused(400, "invalid_expiration")
		}
		for name, c := range map[string]struct {
			more body
			life time.Duration
		}{
			"usual":    {nil, 60 * time.Minute},
			"shortest": {body{"login_expiration_minutes": 5}, 5 * time.Minute},
			"longest":  {body{"login_expiration_minutes": 10080}, 7 * 24 * time.Hour},
		} {
			email := name + "@example.com"
			s.Call(http.MethodPost, "/v1/users", body{"email": email}).OK()
			early := token(t, ask(s, send, with(body{"email": email}, c.more)).Link)
			s.Clock.Advance(c.life - time.Millisecond)
			finish(s, early, nil).OK()
			late := token(t, ask(s, send, with(body{"email": email}, c.more)).Link)
			s.Clock.Advance(c.life)
			finish(s, late, nil).Refused(401, "unable_to_auth_magic_link")
		}
		signup := token(t, ask(s, loginOrCreate, body{"email": "new@example.com"}).Link)
		s.Clock.Advance(7*24*time.Hour - time.Millisecond)
		finish(s, signup, nil).OK()
	})
}

func TestPKCE(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		verifier := strings.Repeat("0123456789abcdef", 5)
		sum := sha256.Sum256([]byte(verifier))
		challenge := base64.RawURLEncoding.EncodeToString(sum[:])
		bound := token(t, ask(s, loginOrCreate, body{"email": "a@example.com", "code_challenge": challenge}).Link)
		finish(s, bound, nil).Refused(400, "pkce_expected_code_verifier")
		finish(s, bound, body{"code_verifier": strings.Repeat("b", 64)}).Refused(400, "pkce_mismatch")
		finish(s, bound, body{"code_verifier": "too short"}).Refused(400, "invalid_pkce_code_verifier")
		finish(s, bound, body{"code_verifier": challenge}).Refused(400, "pkce_mismatch")
		finish(s, bound, body{"code_verifier": verifier}).OK() // the mistakes of others burn no link
		free := token(t, ask(s, loginOrCreate, body{"email": "a@example.com"}).Link)
		finish(s, free, body{"code_verifier": verifier}).Refused(400, "pkce_did_not_expect_code_verifier")
		finish(s, free, nil).OK()
		for _, bad := range []string{"plain", challenge + "=", challenge[:42], challenge + "A", verifier} {
			s.Call(http.MethodPost, loginOrCreate, body{"email": "a@example.com", "code_challenge": bad}).Refused(400, "invalid_pkce_code_challenge")
		}
		register(t, s, "acme://signed-in", project.RedirectLogin, project.RedirectSignup)
		native := body{"email": "a@example.com", "login_magic_link_url": "acme://signed-in"}
		s.Call(http.MethodPost, loginOrCreate, native).Refused(400, "pkce_required_for_native_callback")
		ask(s, loginOrCreate, with(native, body{"code_challenge": challenge}))
	})
}

func TestAttributesMustMatchWhereAsked(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		here := body{"ip_address": "203.0.113.7", "user_agent": "Browser/1"}
		link := token(t, ask(s, loginOrCreate, body{"email": "a@example.com", "attributes": here}).Link)
		both := body{"ip_match_required": true, "user_agent_match_required": true}
		for _, now := range []body{nil, {"ip_address": "203.0.113.8", "user_agent": "Browser/1"}, {"ip_address": "203.0.113.7", "user_agent": "Browser/2"}, {}} {
			finish(s, link, body{"options": both, "attributes": now}).Refused(401, "attribute_mismatch")
		}
		finish(s, link, body{"options": both, "attributes": here}).OK()
		other := token(t, ask(s, loginOrCreate, body{"email": "a@example.com", "attributes": here}).Link)
		finish(s, other, body{"attributes": body{"ip_address": "198.51.100.1"}}).OK() // nobody asked
	})
}

func TestOneMailASecondIsSharedByAllLinks(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Call(http.MethodPost, loginOrCreate, body{"email": "a@example.com"}).OK()
		for _, path := range []string{loginOrCreate, send, invite} {
			a := s.Call(http.MethodPost, path, body{"email": "  A@EXAMPLE.com"}).Refused(429, "too_many_requests")
			if a.Header.Get("Retry-After") != "1" {
				t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
			}
		}
		s.Call(http.MethodPost, loginOrCreate, body{"email": "b@example.com"}).OK()
		s.Clock.Advance(time.Second)
		s.Call(http.MethodPost, send, body{"email": "a@example.com"}).OK()
		if got := s.Messages("a@example.com"); len(got) != 2 {
			t.Errorf("sent %d messages", len(got))
		}
	})
}

func TestThePauseBetweenLinksIsASetting(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		ask := func() *authtest.Answer {
			return s.Call(http.MethodPost, loginOrCreate, body{"email": "ada@example.com"})
		}
		s.Configure("messages.seconds_between_links", "0")
		ask().OK()
		ask().OK()
		s.Configure("messages.seconds_between_links", "3600")
		ask().OK()
		ask().Refused(429, "too_many_requests")
	})
}

func TestInvitations(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		guest := body{"email": "guest@example.com", "name": body{"first_name": "Grace"}, "trusted_metadata": body{"team": "x"}, "locale": "fr"}
		mail := ask(s, invite, guest)
		if mail.Type != delivery.Invite || mail.Locale != "fr" {
			t.Errorf("the mail is %s in %s", mail.Type, mail.Locale)
		}
		again := ask(s, invite, body{"email": "guest@example.com"})
		in := finish(s, token(t, again.Link), hour).OK()
		if in.Get("user", "status") != "active" || in.Get("user", "name", "first_name") != "Grace" || in.Get("user", "trusted_metadata", "team") != "x" {
			t.Errorf("the guest is %s", in.Text)
		}
		s.Clock.Advance(time.Second)
		s.Call(http.MethodPost, invite, body{"email": "guest@example.com"}).Refused(400, "duplicate_email")
		s.Call(http.MethodPost, revokeInvite, body{"email": "guest@example.com"}).Refused(404, "email_not_found")

		late := ask(s, invite, body{"email": "late@example.com"})
		s.Call(http.MethodPost, revokeInvite, body{"email": "Late@example.com"}).OK()
		finish(s, token(t, late.Link), nil).Refused(404, "magic_link_not_found")
		s.Call(http.MethodPost, revokeInvite, body{"email": "late@example.com"}).Refused(404, "email_not_found")
		s.Clock.Advance(time.Second)
		s.Call(http.MethodPost, send, body{"email": "late@example.com"}).Refused(404, "email_not_found")
	})
}

func TestEmbeddableLinks(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		userID := s.Call(http.MethodPost, "/v1/users", body{"email": "a@example.com", "external_id": "customer-1"}).OK().String("user_id")
		for _, minutes := range []int{4, 10081} {
			s.Call(http.MethodPost, embed, body{"user_id": userID, "expiration_minutes": minutes}).Refused(400, "invalid_expiration")
		}
		a := s.Call(http.MethodPost, embed, body{"user_id": "customer-1", "expiration_minutes": 5}).OK()
		if a.String("user_id") != userID || len(a.String("token")) != 44 {
			t.Errorf("made %s", a.Text)
		}
		in := finish(s, a.String("token"), hour).OK()
		factor := in.Get("session", "authentication_factors", 0).(map[string]any)
		id := in.Get("session", "authentication_factors", 0, "embeddable_magic_link_factor", "embedded_id")
		if factor["delivery_method"] != "embedded" || id != in.String("method_id") || in.Get("user", "emails", 0, "verified") != false {
			t.Errorf("signed in: %s", in.Text)
		}
		finish(s, a.String("token"), nil).Refused(401, "unable_to_auth_magic_link")
		late := s.Call(http.MethodPost, embed, body{"user_id": userID, "expiration_minutes": 5}).OK().String("token")
		s.Clock.Advance(5 * time.Minute)
		finish(s, late, nil).Refused(401, "unable_to_auth_magic_link")
		gone := s.Call(http.MethodPost, embed, body{"user_id": userID}).OK().String("token")
		s.Call(http.MethodDelete, "/v1/users/"+userID, nil).OK()
		finish(s, gone, nil).Refused(404, "magic_link_not_found")
		s.Call(http.MethodPost, embed, body{"user_id": userID}).Refused(404, "user_not_found")
	})
}

func TestSandbox(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		const userID = "user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd"
		for _, path := range []string{send, loginOrCreate, invite, revokeInvite} {
			a := s.Call(http.MethodPost, path, body{"email": "sandbox@stytch.com"}).OK()
			if path != revokeInvite && a.String("user_id") != userID {
				t.Errorf("%s answered %s", path, a.Text)
			}
		}
		if got := s.Messages("sandbox@stytch.com"); len(got) != 0 {
			t.Errorf("sent %d messages", len(got))
		}
		const works = "DOYoip3rvIMMW5lgItikFK-Ak1CfMsgjuiCyI7uuU94="
		if a := finish(s, works, nil).OK(); a.String("user_id") != userID || a.Get("session") != nil {
			t.Errorf("the sandbox link answered %s", a.Text)
		}
		in := finish(s, works, hour).OK()
		if in.String("session_token") != "WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY" || in.Get("session", "started_at") != "2021-08-28T00:41:58.935673Z" {
			t.Errorf("the sandbox session is %s", in.Text)
		}
		for _, by := range []body{{"session_token": in.String("session_token")}, {"session_jwt": in.String("session_jwt")}} {
			if a := s.Call(http.MethodPost, "/v1/sessions/authenticate", by).OK(); a.Get("user", "user_id") != userID {
				t.Errorf("the sandbox session authenticates as %s", a.Text)
			}
		}
		s.Call(http.MethodPost, "/v1/sessions/revoke", body{"session_token": in.String("session_token")}).Refused(404, "session_not_found")
		finish(s, "3pzjQpgksDlGKWEwUq2Up--hCHC_0oamfLHyfspKDFU=", nil).Refused(401, "unable_to_auth_magic_link")
		finish(s, "CprTtwhnRNiMBiUS2jSLcWYrfuO2POeBNdo5HhW6qTM=", nil).Refused(404, "magic_link_not_found")
		if a := s.Call(http.MethodGet, "/v1/users/"+userID, nil).OK(); a.Get("emails", 0, "email") != "sandbox@stytch.com" {
			t.Errorf("the sandbox user is %s", a.Text)
		}
		query := body{"query": body{"operator": "AND", "operands": []body{{"filter_name": "user_id", "filter_value": []string{userID}}}}}
		if a := s.Call(http.MethodPost, "/v1/users/search", query).OK(); a.Get("results", 0, "user_id") != userID || a.Get("results_metadata", "next_cursor") != nil {
			t.Errorf("the search found %s", a.Text)
		}
		s.Call(http.MethodPost, "/v1/users", body{"email": "Sandbox@stytch.com"}).Refused(400, "invalid_email_sandbox")
		browser := s.Browser()
		browser.Call(http.MethodPost, "/sdk/v1/magic_links/email/login_or_create", body{"email": "sandbox@stytch.com"}).Refused(400, "invalid_email_sandbox")
		browser.Call(http.MethodPost, "/sdk/v1/magic_links/authenticate", body{"token": works, "session_duration_minutes": 60}).Refused(404, "magic_link_not_found")
	})
}
