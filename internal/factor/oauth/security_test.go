package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/factor/oauth/provider/providertest"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// TestSecurity33States: what comes back without a state of this browser, once
// and in time, gets nothing, and the provider is not asked about it.
func TestSecurity33States(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google", "apple", "github")
		other := w.Environment("Staging")
		w.addURLs(other)

		b := w.tab()
		answer := b.ask("google", nil)
		state := answer.Get("state")
		for _, wrong := range []string{"", "x", state[:43], state + "A", flip(state), strings.Repeat("A", 44), "\x00"} {
			values := url.Values{"code": answer["code"], "state": {wrong}}
			b.back("google", values).Refused(400, "oauth_invalid_state")
		}
		b.back("google", url.Values{"code": answer["code"]}).Refused(400, "oauth_invalid_state")
		// Another browser, one without cookies, and one with a cookie of its own.
		w.tab().back("google", answer).Refused(400, "oauth_state_mismatch")
		stranger := w.tab()
		stranger.ask("google", nil)
		stranger.back("google", answer).Refused(400, "oauth_state_mismatch")
		// The wrong way of coming back, and the wrong environment.
		b.send(http.MethodPost, oauth.CallbackPath(w.Env, known("google")), answer.Encode()).Refused(400, "oauth_invalid_callback_request")
		b.send(http.MethodGet, oauth.CallbackPath(other.Env, known("google"))+"?"+answer.Encode(), "").Refused(400, "oauth_invalid_state")
		for _, id := range []string{"x", w.Env.ID, "oauth-callback-test-0194f0a2-7c1e-4abc-8def-0123456789ab", "oauth-callback-live" + w.Env.ID[len("project-test"):]} {
			b.send(http.MethodGet, "/v1/oauth/callback/"+id+"?"+answer.Encode(), "").Refused(400, "invalid_callback_id")
		}
		if n := w.idp.Calls("google", "token"); n != 0 {
			t.Errorf("the provider was asked %d times", n)
		}
		// None of that used it up. It works once.
		if _, got := w.arrives(b.back("google", answer)); got.Get("token") == "" {
			t.Errorf("the browser that began gets %v", got)
		}
		b.refused(b.back("google", answer), "oauth_state_used")
		w.tab().back("google", answer).Refused(400, "oauth_state_mismatch")
		if n := w.idp.Calls("google", "token"); n != 1 {
			t.Errorf("the provider was asked %d times", n)
		}
		// A form of Apple's comes from another site, with its own cookie alone.
		apple := b.ask("apple", nil)
		form := w.tab()
		form.cookies[b.mark().Name] = b.mark().Value
		form.back("apple", apple).Refused(400, "oauth_state_mismatch")
		b.send(http.MethodGet, oauth.CallbackPath(w.Env, known("google"))+"?"+apple.Encode(), "").Refused(400, "oauth_invalid_callback_request")
		if a := b.back("apple", apple); a.Status != http.StatusSeeOther {
			t.Errorf("a form is answered %d", a.Status)
		}
	})
}

// flip changes one character of a token.
func flip(token string) string {
	if token[7] == 'A' {
		return token[:7] + "B" + token[8:]
	}
	return token[:7] + "A" + token[8:]
}

// TestCookies are such that pages and other sites cannot read or choose them.
func TestCookies(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUp("google", "apple")
		for base, prefix := range map[string]string{w.URL: "", "https://auth.example.com": "__Host-"} {
			w.SetPublicURL(base)
			for name, sameSite := range map[string]http.SameSite{"google": http.SameSiteLaxMode, "apple": http.SameSiteNoneMode} {
				c := w.tab().start(name, nil).Cookies
				secure := prefix != "" || name == "apple"
				if len(c) != 1 || !c[0].HttpOnly || c[0].Secure != secure || c[0].SameSite != sameSite || c[0].Path != "/" || c[0].Domain != "" ||
					!strings.HasPrefix(c[0].Name, prefix+"gatehouse_oauth") || !c[0].Expires.Equal(w.Clock.Now().Add(10*time.Minute).Truncate(time.Second)) {
					t.Errorf("%s at %s: %v", name, base, c)
				}
			}
		}
	})
}

// TestSecurity20And51Expiry: flows, tokens and attach tokens end at their
// instant, whether or not anything cleans up, and cleaning up takes them.
func TestSecurity20And51Expiry(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google")
		b := w.tab()
		early, late := b.ask("google", nil), b.ask("google", nil)
		w.Clock.Advance(10*time.Minute - time.Millisecond)
		w.idp.Feel("google", providertest.Mood{Denied: true})
		b.refused(b.back("google", url.Values{"error": {"access_denied"}, "state": early["state"]}), "oauth_auth_code_error")
		w.idp.Feel("google", providertest.Mood{})
		w.Clock.Advance(time.Millisecond)
		b.refused(b.back("google", late), "expired_oauth_response")

		_, token := w.tab().token("google", nil)
		_, over := w.tab().token("google", nil)
		w.Clock.Advance(5*time.Minute - time.Millisecond)
		id := w.finish(token, nil).OK().String("user_id")
		w.finish(token, nil).Refused(400, "oauth_token_not_found")
		w.Clock.Advance(time.Millisecond)
		w.finish(over, nil).Refused(400, "oauth_token_not_found")

		attach := func() url.Values {
			a := w.Call(http.MethodPost, "/v1/oauth/attach", body{"provider": "google", "user_id": id}).OK()
			return url.Values{"oauth_attach_token": {a.String("oauth_attach_token")}}
		}
		first, second := attach(), attach()
		w.Clock.Advance(10*time.Minute - time.Millisecond)
		if a := w.tab().start("google", first); a.Status != http.StatusFound {
			t.Errorf("an attach token of almost ten minutes: %d %s", a.Status, a.Text)
		}
		w.Clock.Advance(time.Millisecond)
		w.tab().start("google", second).Refused(400, "invalid_oauth_attach_token")

		w.Clock.Advance(2 * time.Hour)
		if _, err := w.Purge(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"oauth_flows", "oauth_tokens", "oauth_attachments"} {
			if n := count(t, w, "SELECT count(*) FROM "+table); n != 0 {
				t.Errorf("%s keeps %d rows", table, n)
			}
		}
	})
}

// TestSecurity30Races: of fifty that bring one token, or come back with one
// state, or set out with one attach token, one wins.
func TestSecurity30Races(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google")
		_, token := w.tab().token("google", nil)
		if got := authtest.Together(50, func(int) *authtest.Answer { return w.finish(token, hour) }); got[""] != 1 || got["oauth_token_not_found"] != 49 {
			t.Errorf("of fifty with one token: %v", got)
		}
		if n := count(t, w, "SELECT count(*) FROM sessions"); n != 1 {
			t.Errorf("%d sessions began", n)
		}
		b := w.tab()
		answer := b.ask("google", nil)
		calls := w.idp.Calls("google", "token")
		path := oauth.CallbackPath(w.Env, known("google")) + "?" + answer.Encode()
		authtest.Together(20, func(int) *authtest.Answer {
			return w.Request(http.MethodGet, path, nil, func(r *http.Request) {
				r.AddCookie(b.mark())
			})
		})
		if n := w.idp.Calls("google", "token") - calls; n != 1 {
			t.Errorf("the code was shown to the provider %d times", n)
		}
		id := count(t, w, "SELECT count(*) FROM users")
		// Many of one new account make one user, and all of them sign in.
		who := providertest.Ada()
		who.Subject, who.Email = "777", "together@example.com"
		w.idp.SignIn("google", who)
		var tokens []string
		for range 12 {
			_, token := w.tab().token("google", nil)
			tokens = append(tokens, token)
		}
		got := authtest.Together(len(tokens), func(i int) *authtest.Answer { return w.finish(tokens[i], nil) })
		if n := count(t, w, "SELECT count(*) FROM users"); n != id+1 || got[""] != len(tokens) {
			t.Errorf("twelve at once: %v, %d users more", got, n-id)
		}
	})
}

// TestSecurity31PKCE is the truth table of challenge and verifier. What is wrong
// leaves the token to whoever has the verifier, and locks nobody.
func TestSecurity31PKCE(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google")
		id := w.signIn("google", nil).OK().String("user_id")
		for _, c := range []struct{ challenge, verifier, want string }{
			{"", "", ""},
			{"", verifier, "pkce_did_not_expect_code_verifier"},
			{challenge, "", "pkce_expected_code_verifier"},
			{challenge, challenge, "pkce_mismatch"},
			{challenge, flip(verifier), "pkce_mismatch"},
			{challenge, verifier[:42], "invalid_pkce_code_verifier"},
			{challenge, verifier, ""},
		} {
			query, brings := url.Values{}, body{}
			if c.challenge != "" {
				query.Set("code_challenge", c.challenge)
			}
			if c.verifier != "" {
				brings["code_verifier"] = c.verifier
			}
			_, token := w.tab().token("google", query)
			if c.want == "" {
				w.finish(token, brings).OK()
				continue
			}
			w.finish(token, brings).Refused(400, c.want)
			if c.challenge == "" {
				w.finish(token, nil).OK()
			} else {
				w.finish(token, body{"code_verifier": verifier}).OK()
			}
		}
		if n := w.Failures(id); n != 0 {
			t.Errorf("%d failures were counted", n)
		}
		for _, wrong := range []url.Values{
			{"code_challenge": {verifier[:42]}}, {"code_challenge": {"plain"}}, {"code_challenge": {challenge}, "code_challenge_method": {"plain"}},
			{"code_challenge_method": {"plain"}},
		} {
			w.tab().start("google", wrong).Refused(400, "invalid_pkce_code_challenge")
		}
		native := url.Values{"login_redirect_url": {nativeURL}}
		w.tab().start("google", native).Refused(400, "pkce_required_for_native_callback")
		w.tab().start("google", url.Values{"signup_redirect_url": {nativeURL}}).Refused(400, "pkce_required_for_native_callback")
		native.Set("code_challenge", challenge)
		if address, _ := w.tab().token("google", native); address != nativeURL {
			t.Errorf("an app is sent to %s", address)
		}
	})
}

// TestSecurity26And27Redirects: nobody leaves for a provider who would come
// back to an address that is not registered.
func TestSecurity26And27Redirects(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUp("google")
		for _, address := range []string{
			"https://evil.example/", "http://localhost:3000@evil.example/login", "http://evil.example\\@localhost:3000/login", "http://localhost:3000/login/../evil",
			"http://localhost:3000/login#x", "http://localhost:3000/login?next=https://evil.example", "http://localhost:3000//evil.example", "http://localhost.evil.example:3000/login",
			"http://localhost:30000/login", "http://localhost/login", "http://localhost.:3000/login", "http://[::1]:3000/login", "http://127.0.0.1:3000/login", "http://xn--lcalhost-57a:3000/login",
			"http://localhost:3000/login%2f", "http://localhost:3000/log\tin", " http://localhost:3000/login", "//localhost:3000/login", "/login", "javascript:alert(1)", "JaVaScRiPt:alert(1)",
			"data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:http://localhost:3000/x", "acme://other", "acme:done", "http://localhost:3000/*", "http://localhost:3000/{}",
		} {
			for _, param := range []string{"login_redirect_url", "signup_redirect_url"} {
				a := w.tab().start("google", url.Values{param: {address}, "code_challenge": {challenge}})
				verdict, _ := a.Body["error_type"].(string)
				if a.Status != 400 || a.Header.Get("Location") != "" || len(a.Cookies) != 0 || !strings.Contains("no_match_for_provided_oauth_url invalid_login_oauth_url invalid_signup_oauth_url query_params_do_not_match", verdict) {
					t.Errorf("%s %q: %d %s", param, address, a.Status, a.Text)
				}
			}
		}
		if n := count(t, w, "SELECT count(*) FROM oauth_flows"); n != 0 {
			t.Errorf("%d browsers are on their way", n)
		}
	})
}

// TestSecurity28Pollution: a parameter that stands twice is refused, wherever.
func TestSecurity28Pollution(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUp("google", "apple")
		token := w.Env.PublicTokens[0].Token
		for _, query := range []string{
			"public_token=" + token + "&public_token=" + token, "public_token=" + token + "&login_redirect_url=" + loginURL + "&login_redirect_url=https://evil.example",
			"public_token=" + token + "&provider_prompt=a&provider_prompt=b", "public_token=" + token + "&x=1&x=2", "public_token=" + token + "&%zz",
		} {
			w.tab().send(http.MethodGet, "/v1/public/oauth/google/start?"+query, "").Refused(400, "bad_request")
		}
		b := w.tab()
		google, apple := b.ask("google", nil), b.ask("apple", nil)
		b.send(http.MethodGet, oauth.CallbackPath(w.Env, known("google"))+"?"+google.Encode()+"&state=x", "").Refused(400, "oauth_invalid_callback_request")
		b.send(http.MethodGet, oauth.CallbackPath(w.Env, known("google"))+"?"+google.Encode()+"&code=x", "").Refused(400, "oauth_invalid_callback_request")
		b.send(http.MethodPost, oauth.CallbackPath(w.Env, known("google")), apple.Encode()+"&state=x").Refused(400, "oauth_invalid_callback_request")
		// What a form says, the address of its receiver cannot say otherwise.
		if a := b.send(http.MethodPost, oauth.CallbackPath(w.Env, known("google"))+"?state=x&code=y&error=z", apple.Encode()); a.Status != http.StatusSeeOther {
			t.Errorf("a query beside the form: %d %s", a.Status, a.Text)
		}
		if _, got := w.arrives(b.back("google", google)); got.Get("token") == "" {
			t.Errorf("the true answer brings %v", got)
		}
	})
}

// TestSecurity62Parameters: an app hands providers what they allow, and never
// what the flow is made of.
func TestSecurity62Parameters(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUp("google")
		for _, name := range []string{"state", "client_id", "client_secret", "redirect_uri", "response_type", "response_mode", "code_challenge", "code_challenge_method", "nonce", "scope", "request", "request_uri", "made_up"} {
			a := w.tab().start("google", url.Values{"provider_" + name: {"evil"}})
			if a.Status != 400 || a.Header.Get("Location") != "" {
				t.Errorf("provider_%s: %d %s", name, a.Status, a.Header.Get("Location"))
			}
		}
		w.tab().ask("google", url.Values{"state": {"evil"}, "redirect_uri": {"https://evil.example"}, "nonce": {"evil"}})
		if asked := w.idp.Asked("google"); strings.Contains(asked.Encode(), "evil") {
			t.Errorf("the provider is asked %v", asked)
		}
	})
}

// TestSecurity53Tokens: a token is good as it is, and no other way.
func TestSecurity53Tokens(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google")
		_, token := w.tab().token("google", nil)
		for _, wrong := range []string{flip(token), token[:43], token + "A", token + "=", strings.ToLower(token), " " + token, strings.Repeat("A", 44), "x"} {
			if wrong != token {
				w.finish(wrong, nil).Refused(400, "oauth_token_not_found")
			}
		}
		w.Call(http.MethodPost, "/v1/oauth/authenticate", body{}).Refused(400, "bad_request")
		w.Call(http.MethodPost, "/v1/magic_links/authenticate", body{"token": token}).Refused(404, "magic_link_not_found")
		w.finish(token, nil).OK()
	})
}

// TestSecurity24Environments: an account, a token and a state of one environment
// mean nothing in another.
func TestSecurity24Environments(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		other := w.Environment("Staging")
		w.addURLs(other)
		w.setUp("google")
		id := w.signIn("google", nil).OK().String("user_id")
		_, token := w.tab().token("google", nil)
		other.Call(http.MethodPost, "/v1/oauth/authenticate", body{"token": token}).Refused(400, "oauth_token_not_found")
		other.Call(http.MethodPost, "/v1/oauth/attach", body{"provider": "google", "user_id": id}).Refused(404, "user_not_found")
		twin := w.tab()
		twin.s = other
		twin.start("google", nil).Refused(404, "oauth_config_not_found") // its credentials are its own
		w.setUpAt(other, "google")
		_, theirs := twin.token("google", nil)
		a := other.Call(http.MethodPost, "/v1/oauth/authenticate", body{"token": theirs}).OK()
		if a.String("user_id") == id {
			t.Error("the account signs in a user of another environment")
		}
		w.finish(token, nil).OK()
		attach := w.Call(http.MethodPost, "/v1/oauth/attach", body{"provider": "google", "user_id": id}).OK().String("oauth_attach_token")
		twin.start("google", url.Values{"oauth_attach_token": {attach}}).Refused(400, "invalid_oauth_attach_token")
	})
}

// TestSecurity52LockedAndGone: a user who is locked or deleted is not signed in
// by what was on its way.
func TestSecurity52LockedAndGone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google")
		id := w.signIn("google", nil).OK().String("user_id")
		_, token := w.tab().token("google", nil)
		lock := func() {
			err := w.DB.Update(t.Context(), func(tx *store.Tx) error {
				for {
					row, err := user.ForUpdate(tx, w.Env, id)
					if err != nil {
						return err
					}
					if locked, err := user.CountFailure(tx, w.Env, row); err != nil || locked {
						return err
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		lock()
		w.finish(token, hour).Refused(429, "user_lock_limit_reached")
		w.Call(http.MethodGet, "/v1/users/"+id, nil).OK()

		attach := w.Call(http.MethodPost, "/v1/oauth/attach", body{"provider": "google", "user_id": id}).OK().String("oauth_attach_token")
		b := w.tab()
		answer := b.ask("google", url.Values{"oauth_attach_token": {attach}})
		waiting := w.Call(http.MethodPost, "/v1/oauth/attach", body{"provider": "google", "user_id": id}).OK().String("oauth_attach_token")
		w.Call(http.MethodDelete, "/v1/users/"+id, nil).OK()
		b.back("google", answer).Refused(400, "oauth_invalid_state") // it went with the user
		w.tab().start("google", url.Values{"oauth_attach_token": {waiting}}).Refused(400, "invalid_oauth_attach_token")
		if again := w.finish(token, nil).OK(); again.String("user_id") == id {
			t.Error("a deleted user is back")
		}
	})
}

// TestSecurity34OriginalConstraints: what an operator takes away while a browser
// is under way is gone, and what the flow began with cannot be changed.
func TestSecurity34OriginalConstraints(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google")
		b := w.tab()
		off, moved, kept := b.ask("google", nil), b.ask("google", nil), b.ask("google", url.Values{"code_challenge": {challenge}})
		_, back := w.tab().token("google", nil)
		if err := w.OAuth.Enable(t.Context(), w.Env, "google", false); err != nil {
			t.Fatal(err)
		}
		b.refused(b.back("google", off), "oauth_config_not_found")
		w.tab().start("google", nil).Refused(404, "oauth_config_not_found")
		w.finish(back, nil).Refused(404, "oauth_config_not_found")
		if err := w.OAuth.Enable(t.Context(), w.Env, "google", true); err != nil {
			t.Fatal(err)
		}
		w.finish(back, nil).OK()
		// The app's own parameters in the address change nothing.
		answer := url.Values{"code": kept["code"], "state": kept["state"], "login_redirect_url": {"https://evil.example"}, "code_challenge": {"x"}}
		_, got := w.arrives(b.back("google", answer))
		w.finish(got.Get("token"), nil).Refused(400, "pkce_expected_code_verifier")

		env, err := w.Projects.Environment(t.Context(), w.Env.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range env.RedirectURLs {
			if r.URL == signupURL {
				if err := w.Projects.RemoveRedirectURL(t.Context(), w.Env.ID, r.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		b.back("google", moved).Refused(400, "no_match_for_provided_oauth_url")
	})
}

// TestSecurity61And65Secrets: what a provider issued, and what we are there, is
// sealed where it is kept, and in no log.
func TestSecurity61And65Secrets(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google")
		b := w.tab()
		answer := b.ask("google", url.Values{"code_challenge": {challenge}})
		asked := w.idp.Asked("google")
		_, got := w.arrives(b.back("google", answer))
		kept := dump(t, w)
		a := w.finish(got.Get("token"), body{"code_verifier": verifier}).OK()
		left := dump(t, w)
		for what, secret := range map[string]string{
			"client secret": w.idp.Credentials("google").ClientSecret, "state": answer.Get("state"), "code": answer.Get("code"), "nonce": asked.Get("nonce"), "token": got.Get("token"),
			"access token": a.String("provider_values", "access_token"), "id_token": a.String("provider_values", "id_token"), "browser's mark": b.mark().Value, "subject": "\"10815\"",
		} {
			if secret == "" {
				t.Errorf("there is no %s to look for", what)
				continue
			}
			if strings.Contains(kept, secret) || what != "subject" && strings.Contains(left, secret) {
				t.Errorf("the database holds the %s", what)
			}
			if logs := w.Logs.String(); strings.Contains(logs, secret) || strings.Contains(logs, url.QueryEscape(secret)) {
				t.Errorf("the log holds the %s", what)
			}
		}
		list, err := w.OAuth.List(t.Context(), w.Env)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := json.Marshal(list)
		if err != nil || strings.Contains(string(shown), "secret") || strings.Contains(string(shown), "sealed") {
			t.Errorf("the list of providers shows %s (%v)", shown, err)
		}
	})
}

// dump is everything that the tables of this factor hold.
func dump(t *testing.T, w *world) string {
	t.Helper()
	var all strings.Builder
	for table, columns := range map[string]string{
		"oauth_providers": "provider, client_id, sealed", "oauth_flows": "state_hash, browser_hash, sealed", "oauth_tokens": "token_hash, provider, sealed",
	} {
		err := w.DB.View(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Query("SELECT " + columns + " FROM " + table)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var a, b, c []byte
				if err := rows.Scan(&a, &b, &c); err != nil {
					return err
				}
				all.Write(a)
				all.Write(b)
				all.Write(c)
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if all.Len() == 0 {
		t.Fatal("the tables are empty")
	}
	return all.String()
}

// An issuer that an operator has named sends the browser on to another provider,
// and would be handed that one's code.
func TestSecurity41OneProviderAnswersForAnother(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google", providertest.OpenID)
		b := w.tab()
		acme, google := known(providertest.OpenID), known("google")
		answer := b.ask(acme.Name, nil)
		at := func(p *provider.Provider, answer url.Values) *authtest.Answer {
			return b.send(http.MethodGet, oauth.CallbackPath(w.Env, p)+"?"+answer.Encode(), "")
		}
		at(google, answer).Refused(400, "oauth_invalid_callback_request")
		at(known("oidc_other"), answer).Refused(400, "oauth_invalid_callback_request")
		at(acme, b.ask("google", nil)).Refused(400, "oauth_invalid_callback_request")
		if n := w.idp.Calls(acme.Name, "token") + w.idp.Calls("google", "token"); n != 0 {
			t.Errorf("the providers were asked %d times", n)
		}
		if _, got := w.arrives(at(acme, answer)); got.Get("token") == "" {
			t.Errorf("the browser that was answered by whom it went to gets %v", got)
		}
	})
}
