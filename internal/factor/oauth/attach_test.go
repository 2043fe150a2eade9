package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/oauth/provider/providertest"
	"gatehouse/internal/sandbox"
)

func attached(a *authtest.Answer) url.Values {
	return url.Values{"oauth_attach_token": {a.OK().String("oauth_attach_token")}}
}

// TestAccountsAreAdded to the user whom a server names, and to the signed-in
// person, who finishes in the session in which they began.
func TestAccountsAreAdded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google", "github")
		p := w.member("p@example.com")
		session := p.session

		address, token := w.tab().token("google", attached(w.Call(http.MethodPost, "/v1/oauth/attach", body{"provider": "google", "user_id": p.UserID})))
		a := w.finish(token, nil).OK()
		if address != loginURL || a.String("user_id") != p.UserID || a.String("user", "providers", 0, "provider_type") != "Google" || a.Get("reset_sessions") != false {
			t.Errorf("added by a server: %s %s", address, a.Text)
		}
		if emails := a.Get("user", "emails").([]any); len(emails) != 2 {
			t.Errorf("the addresses are %v", emails)
		}
		if back := w.signIn("google", nil).OK(); back.String("user_id") != p.UserID {
			t.Errorf("the account signs in %s", back.String("user_id"))
		}
		if n := count(t, w, "SELECT count(*) FROM events WHERE type = 'oauth.register' AND user_id = $1", p.UserID); n != 1 {
			t.Errorf("the audit log says %d times that the account was added", n)
		}

		page := w.Browser()
		page.Token = session
		_, token = w.tab().token("github", attached(page.Call(http.MethodPost, "/sdk/v1/oauth/attach", body{"provider": "github"})))
		w.Browser().Call(http.MethodPost, "/sdk/v1/oauth/authenticate", with(hour, body{"token": token})).Refused(404, "session_not_found")
		w.finish(token, hour).Refused(404, "session_not_found")
		b := page.Call(http.MethodPost, "/sdk/v1/oauth/authenticate", with(hour, body{"token": token})).OK()
		if b.String("user_id") != p.UserID || len(b.Get("user", "providers").([]any)) != 2 || b.String("session", "authentication_factors", 1, "delivery_method") != "oauth_github" {
			t.Errorf("added by the person: %s", b.Text)
		}
		// A server that names a session finishes in it too.
		who := providertest.Ada()
		who.Subject, who.Email = "2", "two@example.com"
		w.idp.SignIn("google", who)
		_, token = w.tab().token("google", attached(w.Call(http.MethodPost, "/v1/oauth/attach", body{"provider": "google", "session_token": session})))
		w.finish(token, nil).Refused(404, "session_not_found")
		if c := w.finish(token, body{"session_token": session}).OK(); len(c.Get("user", "providers").([]any)) != 3 {
			t.Errorf("the accounts are %v", c.Get("user", "providers"))
		}
	})
}

// TestAttachTokens work once, at their provider, for whom they were made.
func TestAttachTokens(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google", "github")
		p := w.Person("p@example.com")
		ask := body{"provider": "google", "user_id": p.UserID}
		token := attached(w.Call(http.MethodPost, "/v1/oauth/attach", ask))
		w.tab().start("github", token).Refused(400, "invalid_oauth_attach_token")
		secret := token.Get("oauth_attach_token")
		for _, wrong := range []string{flip(secret), secret[:43], "x", strings.Repeat("A", 44)} {
			w.tab().start("google", url.Values{"oauth_attach_token": {wrong}}).Refused(400, "invalid_oauth_attach_token")
		}
		// What is wrong with the rest of the address does not use it up.
		w.tab().start("google", url.Values{"oauth_attach_token": {secret}, "login_redirect_url": {"https://evil.example"}}).Refused(400, "no_match_for_provided_oauth_url")
		got := authtest.Together(20, func(int) *authtest.Answer {
			return w.tab().start("google", token)
		})
		if got[""] != 1 || got["invalid_oauth_attach_token"] != 19 {
			t.Errorf("of twenty with one attach token: %v", got)
		}
		session := p.Session()
		for want, wrong := range map[string]body{
			"bad_request":                {"provider": "google"},
			"invalid_oauth_provider":     {"provider": "xero", "user_id": p.UserID},
			"too_many_session_arguments": {"provider": "google", "session_token": session.String("session_token"), "session_jwt": session.String("session_jwt")},
			"invalid_user_id":            {"provider": "google", "user_id": "x y"},
		} {
			w.Call(http.MethodPost, "/v1/oauth/attach", wrong).Refused(400, want)
		}
		w.Call(http.MethodPost, "/v1/oauth/attach", with(ask, body{"session_token": session.String("session_token")})).Refused(400, "bad_request")
		w.Call(http.MethodPost, "/v1/oauth/attach", body{"provider": "google", "user_id": "nobody"}).Refused(404, "user_not_found")
		w.Call(http.MethodPost, "/v1/oauth/attach", with(ask, body{"provider": "apple"})).Refused(400, "apple_oauth_config_not_found")
		w.Call(http.MethodPost, "/v1/oauth/attach", with(ask, body{"provider": "slack"})).Refused(404, "oauth_config_not_found")
	})
}

// TestSecurity22AttachNamesNobody: behind the browser's door the session says
// whose an account becomes, whatever the body names, and it must be fresh.
func TestSecurity22AttachNamesNobody(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google")
		victim, me := w.Person("victim@example.com"), w.member("me@example.com")
		ask := body{"provider": "google", "user_id": victim.UserID, "session_token": victim.Session().String("session_token")}
		w.Browser().Call(http.MethodPost, "/sdk/v1/oauth/attach", ask).Refused(401, "user_unauthenticated")
		page := w.Browser()
		page.Token = me.session
		_, token := w.tab().token("google", attached(page.Call(http.MethodPost, "/sdk/v1/oauth/attach", ask)))
		a := page.Call(http.MethodPost, "/sdk/v1/oauth/authenticate", with(hour, body{"token": token, "user_id": victim.UserID})).OK()
		if a.String("user_id") != me.UserID || len(w.user(victim.UserID).Get("providers").([]any)) != 0 {
			t.Errorf("the account went to %s", a.String("user_id"))
		}
		w.Clock.Advance(59 * time.Minute)
		page.Call(http.MethodPost, "/sdk/v1/sessions/authenticate", hour).OK()
		w.Clock.Advance(2 * time.Minute)
		page.Call(http.MethodPost, "/sdk/v1/oauth/attach", body{"provider": "google"}).Refused(401, "stale_factors")
	})
}

// TestSecurity19ProofsAreOfOneAccount: what one account proves, another does not
// use, and an attachment ends with the account that was there.
func TestSecurity19ProofsAreOfOneAccount(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google")
		p := w.member("p@example.com")
		_, ada := w.tab().token("google", nil)
		who := providertest.Ada()
		who.Subject, who.Email, who.Verified = "666", "mallory@example.com", true
		w.idp.SignIn("google", who)
		_, mallory := w.tab().token("google", attached(w.Call(http.MethodPost, "/v1/oauth/attach", body{"provider": "google", "user_id": p.UserID})))
		first := w.finish(ada, nil).OK()
		second := w.finish(mallory, nil).OK()
		if first.String("provider_subject") != "10815" || first.String("user", "emails", 0, "email") != "ada@example.com" || second.String("provider_subject") != "666" ||
			second.String("user_id") != p.UserID || first.String("user_id") == p.UserID {
			t.Errorf("the accounts went to %s and %s", first.Text, second.Text)
		}
		// An account that somebody got meanwhile is not merged.
		who.Subject, who.Email = "777", "third@example.com"
		w.idp.SignIn("google", who)
		_, late := w.tab().token("google", attached(w.Call(http.MethodPost, "/v1/oauth/attach", body{"provider": "google", "user_id": p.UserID})))
		w.signIn("google", nil).OK()
		w.finish(late, nil).Refused(400, "duplicate_oauth_registration")
		w.finish(late, nil).Refused(400, "duplicate_oauth_registration")
	})
}

// TestAccountsAreRemoved through both doors, and sign in somebody new, or the
// same user by the address, from then on.
func TestAccountsAreRemoved(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google", "github")
		elsewhere := w.signIn("google", hour).OK().String("session_token")
		a := w.signIn("google", hour).OK()
		page := w.Browser()
		page.Token = a.String("session_token")
		registration := a.String("oauth_user_registration_id")
		page.Call(http.MethodDelete, "/sdk/v1/users/oauth/"+registration, nil).OK()
		w.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": elsewhere}).Refused(404, "session_not_found") // it was proven by that alone
		again := w.signIn("google", nil).OK()
		if again.String("user_id") != a.String("user_id") || again.String("oauth_user_registration_id") == registration {
			t.Errorf("by the address: %s", again.Text)
		}
		w.Call(http.MethodDelete, "/v1/users/oauth/"+again.String("oauth_user_registration_id"), nil).OK()
		w.Call(http.MethodDelete, "/v1/users/oauth/"+registration, nil).Refused(404, "oauth_user_registration_not_found")
	})
}

// TestSandbox answers a server in a test environment what the reference does.
func TestSandbox(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		a := w.finish(sandbox.OAuth, hour).OK()
		if a.String("user_id") != sandbox.UserID || a.String("user_session", "authentication_factors", 0, "type") != "oauth" || a.Get("provider_values", "scopes") == nil ||
			a.String("provider_type") != "Google" || !strings.HasPrefix(a.String("oauth_user_registration_id"), "oauth-user-test-") {
			t.Errorf("answered %s", a.Text)
		}
		w.finish(sandbox.OAuthAbsent, nil).Refused(400, "oauth_token_not_found")
		for _, token := range []string{sandbox.OAuth, sandbox.OAuthAbsent} {
			w.LiveServer().Call(http.MethodPost, "/v1/oauth/authenticate", body{"token": token}).Refused(400, "oauth_token_not_found")
			w.Browser().Call(http.MethodPost, "/sdk/v1/oauth/authenticate", body{"token": token, "session_duration_minutes": 5}).Refused(400, "oauth_token_not_found")
		}
	})
}

// TestPagesForPeople: a browser that can go nowhere gets a page, a program the
// envelope, and one that only looks changes nothing.
func TestPagesForPeople(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUp("google")
		b := w.tab()
		b.accept = "text/html,application/xhtml+xml"
		for path, status := range map[string]int{
			"/v1/public/oauth/google/start":                                             400,
			"/v1/public/oauth/xero/start?public_token=" + w.Env.PublicTokens[0].Token:   400,
			"/v1/public/oauth/github/start?public_token=" + w.Env.PublicTokens[0].Token: 404,
			"/v1/oauth/callback/x": 400,
		} {
			a := b.send(http.MethodGet, path, "")
			if a.Status != status || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || !strings.Contains(a.Text, "You could not be signed in") || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d %v %s", path, a.Status, a.Header, a.Text)
			}
		}
		answer := b.ask("google", nil)
		for _, path := range []string{"/v1/public/oauth/google/start?public_token=" + w.Env.PublicTokens[0].Token, "/v1/oauth/callback/x?" + answer.Encode()} {
			if a := b.send(http.MethodHead, path, ""); a.Header.Get("Location") != "" || len(a.Cookies) != 0 {
				t.Errorf("HEAD %s: %d %v", path, a.Status, a.Header)
			}
		}
		a := b.back("google", answer)
		if _, got := w.arrives(a); got.Get("token") == "" || a.Header.Get("Referrer-Policy") != "no-referrer" || a.Header.Get("Cache-Control") != "no-store" || a.Text != "" {
			t.Errorf("the browser is sent on with %v %s", a.Header, a.Text)
		}
	})
}

// TestSetOutsAreBounded per network: each leaves a row.
func TestSetOutsAreBounded(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUp("google")
		for range 3 {
			if a := w.tab().start("google", nil); a.Status != http.StatusFound {
				t.Fatalf("answered %d %s", a.Status, a.Text)
			}
		}
		if a := w.tab().start("google", nil).Refused(429, "too_many_requests"); a.Header.Get("Retry-After") == "" {
			t.Error("it does not say when to come back")
		}
		w.Clock.Advance(time.Minute)
		if a := w.tab().start("google", nil); a.Status != http.StatusFound {
			t.Errorf("a minute later: %d %s", a.Status, a.Text)
		}
	}, threePerMinute)
}
