package oauth_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/factor/oauth/provider/providertest"
	"gatehouse/internal/project"
)

// names are all providers, and one that is known by its issuer.
func names() []string {
	list := []string{providertest.OpenID}
	for _, p := range provider.All() {
		list = append(list, p.Name)
	}
	return list
}

// TestSignUpAndInWithEveryProvider is the whole way with each of them, twice.
func TestSignUpAndInWithEveryProvider(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp(names()...)
		for _, name := range names() {
			p, _ := provider.Find(name)
			who := providertest.Ada()
			who.Email = name + "@example.com"
			w.idp.SignIn(name, who)

			users := count(t, w, "SELECT count(*) FROM users")
			address, token := w.tab().token(name, nil)
			if address != signupURL || len(token) != 44 {
				t.Errorf("%s: somebody new is sent to %s with %q", name, address, token)
			}
			if n := count(t, w, "SELECT count(*) FROM users"); n != users {
				t.Errorf("%s: a user is made before anybody brings the token", name)
			}
			a := w.finish(token, hour).OK()
			subject := a.String("provider_subject") // some add to the id of the account
			if !strings.Contains(subject, who.Subject) || a.String("provider_type") != p.Type || a.Get("reset_sessions") != false {
				t.Errorf("%s: answered %s", name, a.Text)
			}
			registration := a.String("oauth_user_registration_id")
			entry, _ := a.Get("user", "providers", 0).(map[string]any)
			if entry["provider_type"] != p.Type || entry["provider_subject"] != subject || entry["oauth_user_registration_id"] != registration || !strings.HasPrefix(registration, "oauth-user-test-") {
				t.Errorf("%s: the user has %v", name, entry)
			}
			if a.Get("session") != nil || a.String("user_session", "user_id") != a.String("user_id") || a.String("session_token") == "" || a.Get("user_device") != nil {
				t.Errorf("%s: the session is %s", name, a.Text)
			}
			factor, _ := a.Get("user_session", "authentication_factors", 0).(map[string]any)
			if factor["type"] != "oauth" || factor["delivery_method"] != "oauth_"+name {
				t.Errorf("%s: the factor is %v", name, factor)
			}
			values, _ := a.Get("provider_values").(map[string]any)
			for _, field := range []string{"access_token", "refresh_token", "id_token"} {
				if _, is := values[field].(string); !is {
					t.Errorf("%s: %s is %v", name, field, values[field])
				}
			}
			if values["access_token"] == "" || values["scopes"] == nil {
				t.Errorf("%s: the provider's values are %v", name, values)
			}
			if n := count(t, w, "SELECT count(*) FROM oauth_tokens"); n != 0 {
				t.Errorf("%s: the token is still there", name)
			}

			w.Clock.Advance(time.Minute)
			address, token = w.tab().token(name, nil)
			again := w.finish(token, nil).OK()
			if address != loginURL || again.String("user_id") != a.String("user_id") || again.String("oauth_user_registration_id") != registration || again.Get("user_session") != nil {
				t.Errorf("%s: the second time: %s %s", name, address, again.Text)
			}
		}
	})
}

// TestWhatAProviderSays fills what a user lacks, and no more.
func TestWhatAProviderSays(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google")
		who := providertest.Ada()
		w.idp.SignIn("google", who)
		a := w.signIn("google", nil).OK()
		if a.String("user", "name", "first_name") != "Ada" || a.String("user", "name", "last_name") != "Lovelace" ||
			a.String("user", "providers", 0, "profile_picture_url") != who.Picture || a.String("user", "providers", 0, "locale") != "en-GB" {
			t.Errorf("the user is %s", a.Text)
		}
		if a.String("user", "emails", 0, "email") != who.Email || a.Get("user", "emails", 0, "verified") != true {
			t.Errorf("the addresses are %v", a.Get("user", "emails"))
		}
		who.First, who.Last, who.Picture, who.Email = "Augusta", "King", "https://img.example.com/new.png", "countess@example.com"
		w.idp.SignIn("google", who)
		b := w.signIn("google", nil).OK()
		if b.String("user_id") != a.String("user_id") || b.String("user", "name", "first_name") != "Ada" || b.String("user", "providers", 0, "profile_picture_url") != who.Picture {
			t.Errorf("the user is %s", b.Text)
		}
		// A new address of the account is one more of the user's.
		if emails := b.Get("user", "emails").([]any); len(emails) != 2 || b.String("user", "emails", 1, "email") != who.Email || b.Get("user", "emails", 1, "verified") != true {
			t.Errorf("the addresses are %v", emails)
		}
		// One that is somebody else's is not.
		w.Call(http.MethodPost, "/v1/users", body{"email": "taken@example.com"}).OK()
		who.Email = "taken@example.com"
		w.idp.SignIn("google", who)
		if c := w.signIn("google", nil).OK(); len(c.Get("user", "emails").([]any)) != 2 || c.String("user_id") != a.String("user_id") {
			t.Errorf("the user is %s", c.Text)
		}
	})
}

// TestBrowserSignsIn goes the way of the official browser SDK.
func TestBrowserSignsIn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google")
		page := w.Browser()
		bootstrap := func() any {
			return page.Call(http.MethodGet, "/sdk/v1/projects/bootstrap/"+w.Env.PublicTokens[0].Token, nil).OK().Get("pkce_required_for_oauth")
		}
		if bootstrap() != false {
			t.Error("PKCE is required from the beginning")
		}
		w.Configure("sdk.oauth.pkce_required", "true")
		if bootstrap() != true {
			t.Error("pages are not told to send a challenge")
		}
		w.tab().start("google", nil).Refused(400, "invalid_pkce_code_challenge")
		_, token := w.tab().token("google", url.Values{"code_challenge": {challenge}})
		a := page.Call(http.MethodPost, "/sdk/v1/oauth/authenticate", with(hour, body{"token": token, "code_verifier": verifier, "dfp_telemetry_id": "x"})).OK()
		if a.String("session", "session_id") != a.String("user_session", "session_id") || a.String("__user", "user_id") != a.String("user_id") ||
			a.String("provider_values", "access_token") == "" || a.Get("reset_sessions") != false {
			t.Errorf("a page is answered %s", a.Text)
		}
		w.Configure("sdk.oauth.enabled", "false")
		for _, path := range []string{"authenticate", "attach"} {
			page.Call(http.MethodPost, "/sdk/v1/oauth/"+path, body{"token": "x", "provider": "google"}).Refused(401, "endpoint_not_authorized_for_sdk")
		}
	})
}

// TestSeveralTabs begin and end in any order.
func TestSeveralTabs(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUp("google", "github", "apple")
		b := w.tab()
		answers := map[string]url.Values{}
		for _, name := range []string{"google", "apple", "github"} {
			answers[name] = b.ask(name, nil)
		}
		again := b.ask("google", nil)
		for _, name := range []string{"github", "google", "apple"} {
			if _, got := w.arrives(b.back(name, answers[name])); got.Get("token") == "" {
				t.Errorf("%s brings back %v", name, got)
			}
		}
		if _, got := w.arrives(b.back("google", again)); got.Get("token") == "" {
			t.Errorf("the second tab brings back %v", got)
		}
	})
}

// TestTabsOfAFreshBrowser set out before either has an answer, so that each gets
// a mark of its own. Both come back, and what is begun next makes no third one.
func TestTabsOfAFreshBrowser(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUp("google")
		one, two := w.tab(), w.tab()
		first, second := one.ask("google", nil), two.ask("google", nil)
		maps.Copy(one.cookies, two.cookies) // a browser keeps what both answers set
		if len(one.cookies) != 2 {
			t.Fatalf("the marks are %v", one.cookies)
		}
		third := one.ask("google", nil)
		for _, answer := range []url.Values{second, first, third} {
			if _, got := w.arrives(one.back("google", answer)); got.Get("token") == "" {
				t.Errorf("a tab brings back %v", got)
			}
		}
		if len(one.cookies) != 2 {
			t.Errorf("the marks are %v", one.cookies)
		}
	})
}

// TestCustomScopesAreAdded: to those of the provider and of the environment.
func TestCustomScopesAreAdded(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUp("google")
		w.tab().ask("google", url.Values{"custom_scopes": {"https://www.googleapis.com/auth/calendar openid openid"}, "provider_login_hint": {"ada@example.com"}})
		asked := w.idp.Asked("google")
		scopes := strings.Fields(asked.Get("scope"))
		if strings.Join(scopes, " ") != "openid email profile https://www.googleapis.com/auth/calendar" || asked.Get("login_hint") != "ada@example.com" {
			t.Errorf("the provider is asked for %v", asked)
		}
		w.tab().start("google", url.Values{"custom_scopes": {"a\"b"}}).Refused(400, "oauth_invalid_scope_requested")
		w.tab().start("google", url.Values{"custom_scopes": {strings.Repeat("a ", 3000)}}).Refused(400, "oauth_invalid_scope_requested")
	})
}

// TestDenial and whatever else a provider answers in place of a code goes to the
// app, and into the audit log.
func TestDenial(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp(names()...)
		for _, name := range names() {
			w.idp.Feel(name, providertest.Mood{Denied: true})
			b := w.tab()
			b.refused(b.back(name, b.ask(name, nil)), "oauth_auth_code_error")
			w.idp.Feel(name, providertest.Mood{TokenError: "invalid_client"})
			b.refused(b.back(name, b.ask(name, nil)), "oauth_token_exchange_invalid_client")
			w.idp.Feel(name, providertest.Mood{Body: "<html>"})
			b.refused(b.back(name, b.ask(name, nil)), "oauth_flow_callback_error")
		}
		if n := count(t, w, "SELECT count(*) FROM events WHERE type = 'oauth.callback' AND outcome = 'oauth_auth_code_error'"); n != int64(len(names())) {
			t.Errorf("the audit log has %d denials", n)
		}
	})
}

// TestNodes follow what is set up, at once where they look before they refuse.
func TestNodes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		b := w.tab()
		b.s = w.Node()
		b.start("google", nil).Refused(404, "oauth_config_not_found")
		w.setUp("google")
		answer := b.ask("google", nil)
		b.s = w.Server // the browser comes back to another node
		if _, got := w.arrives(b.back("google", answer)); got.Get("token") == "" {
			t.Errorf("the browser gets %v", got)
		}
	})
}

// TestAppsWithParametersOfTheirOwn keep them, and are told of no error where they
// use that name themselves.
func TestAppsWithParametersOfTheirOwn(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUp("google")
		for _, address := range []string{"http://localhost:3000/app?next={}", "http://localhost:3000/own?error={}"} {
			if _, err := w.Projects.AddRedirectURL(t.Context(), w.Env.ID, address, []project.RedirectType{project.RedirectLogin}, false); err != nil {
				t.Fatal(err)
			}
		}
		b := w.tab()
		next := url.Values{"login_redirect_url": {"http://localhost:3000/app?next=%2Fa%26b"}}
		w.signIn("google", nil).OK()
		if _, got := w.arrives(b.back("google", b.ask("google", next))); got.Get("next") != "/a&b" || got.Get("token") == "" {
			t.Errorf("the app gets %v", got)
		}
		w.idp.Feel("google", providertest.Mood{Denied: true})
		if _, got := w.arrives(b.back("google", b.ask("google", next))); got.Get("next") != "/a&b" || got.Get("error") != "oauth_auth_code_error" {
			t.Errorf("the app gets %v", got)
		}
		b.back("google", b.ask("google", url.Values{"login_redirect_url": {"http://localhost:3000/own?error=none"}})).Refused(400, "oauth_auth_code_error")
	})
}
