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
	"gatehouse/internal/factor/oauth/provider/providertest"
)

const shop = "http://localhost:3000"

// frame is the browser SDK's frame in a page.
type frame struct {
	w      *world
	page   string
	header bool   // whether its submissions say what they are
	cookie string // what the browser keeps
	csrf   string // what the script says of it
}

func (w *world) frame() *frame { return &frame{w: w, page: shop, header: true} }

func (f *frame) send(method, path, text string) *authtest.Answer {
	f.w.t.Helper()
	a := f.w.Request(method, path, text, func(r *http.Request) {
		r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
		r.Header.Set("X-SDK-Parent-Host", f.page)
		if f.header {
			r.Header.Set("X-Stytch-Oauth-Type", "google-one-tap")
		}
		if f.cookie != "" {
			r.AddCookie(&http.Cookie{Name: oauth.OneTapCookie, Value: f.cookie})
		}
	})
	for _, c := range a.Cookies {
		if c.Name == oauth.OneTapCookie {
			f.cookie, f.csrf = c.Value, c.Value
		}
	}
	return a
}

func (f *frame) start() *authtest.Answer {
	f.w.t.Helper()
	return f.send(http.MethodGet, "/v1/public/oauth/google/onetap/start?public_token="+f.w.Env.PublicTokens[0].Token, "")
}

// submit brings what Google has given.
func (f *frame) submit(token string, more body) *authtest.Answer {
	f.w.t.Helper()
	text, err := json.Marshal(with(body{"id_token": token, "stytch_csrf_token": f.csrf}, more))
	if err != nil {
		f.w.t.Fatal(err)
	}
	return f.send(http.MethodPost, oauth.CallbackPath(f.w.Env, known("google")), string(text))
}

// tapped is a fresh id_token for the environment's own client.
func (w *world) tapped(claims body) string {
	return w.idp.IDToken("google", w.idp.Credentials("google").ClientID, claims)
}

// destinationOf reads the address that the frame is answered.
func destinationOf(t *testing.T, a *authtest.Answer) (address, token string) {
	t.Helper()
	u, err := url.Parse(a.OK().String("redirect_url"))
	if err != nil || u.Query().Get("stytch_token_type") != "oauth" {
		t.Fatalf("it goes to %v, %v", u, err)
	}
	address, _, _ = strings.Cut(u.String(), "?")
	return address, u.Query().Get("token")
}

func TestOneTap(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.frame().start().Refused(404, "oauth_config_not_found")
		w.setUp("google")
		f := w.frame()
		ready := f.start().OK()
		if ready.String("google_client_id") != w.idp.Credentials("google").ClientID || ready.String("oauth_callback_id") != oauth.CallbackID(w.Env) || ready.String("request_id") == "" {
			t.Errorf("ready: %s", ready.Text)
		}
		address, token := destinationOf(t, f.submit(w.tapped(nil), nil))
		if address != signupURL {
			t.Errorf("somebody new goes to %s", address)
		}
		in := w.finish(token, hour).OK()
		if in.String("provider_type") != "Google" || in.String("provider_values", "id_token") == "" || in.String("provider_values", "access_token") != "" || in.Get("user", "emails", 0, "verified") != true {
			t.Errorf("signed in: %s", in.Text)
		}
		w.finish(token, hour).Refused(400, "oauth_token_not_found")
		w.Clock.Advance(time.Second)
		f.start().OK() // the cookie stays
		address, token = destinationOf(t, f.submit(w.tapped(nil), body{"login_redirect_url": loginURL}))
		if again := w.finish(token, hour).OK(); address != loginURL || again.String("user_id") != in.String("user_id") {
			t.Errorf("the second time: %s, %s", address, again.Text)
		}
	})
}

// TestSecurity18OneTapAudience: an id_token for another client, an app's included,
// signs nobody in, nor does one that was asked for with a nonce that no page has.
func TestSecurity18OneTapAudience(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUpNative()
		f := w.frame()
		f.start().OK()
		for what, c := range map[string]struct {
			token, want string
		}{
			"another client": {w.idp.IDToken("google", "somebody-else", nil), "id_token_incorrect_audience"},
			"an app's":       {w.idp.IDToken("google", nativeClient, nil), "id_token_incorrect_audience"},
			"another issuer": {w.tapped(body{"iss": "https://evil.example"}), "id_token_invalid"},
			"over":           {w.tapped(body{"exp": w.Clock.Now().Unix() - 60}), "id_token_expired"},
			"a nonce":        {w.tapped(body{"nonce": "x"}), "id_token_nonce_invalid"},
			"forged":         {flipLast(w.tapped(nil)), "id_token_invalid"},
			"nothing":        {"", "id_token_invalid"},
		} {
			if a := f.submit(c.token, nil); a.Status != 400 || a.Body["error_type"] != c.want || a.Get("redirect_url") != nil {
				t.Errorf("%s: %d %s, want %s", what, a.Status, a.Text, c.want)
			}
		}
		destinationOf(t, f.submit(w.tapped(nil), nil))
	})
}

// TestSecurity20OneTapReplay: what Google has given works once, here and in apps.
func TestSecurity20OneTapReplay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUpNative()
		f := w.frame()
		f.start().OK()
		token := w.tapped(nil)
		outcomes := authtest.Together(20, func(int) *authtest.Answer {
			return (&frame{w, shop, true, f.cookie, f.csrf}).submit(token, nil)
		})
		if outcomes[""] != 1 || outcomes["id_token_invalid"] != 19 {
			t.Errorf("the outcomes are %v", outcomes)
		}
		w.native("google", token, hour).Refused(400, "id_token_invalid")
		if n := count(t, w, "SELECT count(*) FROM oauth_tokens"); n != 1 {
			t.Errorf("there are %d tokens", n)
		}
	})
}

// TestSecurity33OneTapCSRF: a page of another site cannot have a browser sign in,
// nor a browser whose cookie says something else.
func TestSecurity33OneTapCSRF(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUp("google")
		f := w.frame()
		started := f.start().OK()
		cookie := started.Cookies[0]
		if cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || len(cookie.Value) < 40 || cookie.Path != "/" || cookie.Domain != "" {
			t.Errorf("the cookie is %v", cookie)
		}
		for what, wrong := range map[string]*frame{
			"no cookie":      {w, shop, true, "", f.csrf},
			"no repetition":  {w, shop, true, f.cookie, ""},
			"another's":      {w, shop, true, f.cookie, strings.Repeat("A", 43)},
			"both of nobody": {w, shop, true, "x", "x"},
		} {
			if a := wrong.submit(w.tapped(nil), nil); a.Body["error_type"] != "oauth_state_mismatch" {
				t.Errorf("%s: %d %s", what, a.Status, a.Text)
			}
		}
		for _, page := range []string{"https://evil.example", "", "null"} {
			stranger := &frame{w, page, true, f.cookie, f.csrf}
			stranger.start().Refused(400, "bad_domain_for_stytch_sdk")
			stranger.submit(w.tapped(nil), nil).Refused(400, "bad_domain_for_stytch_sdk")
		}
		// Without the header, which no form can send, it is no One Tap.
		plain := &frame{w, shop, false, f.cookie, f.csrf}
		plain.submit(w.tapped(nil), nil).Refused(400, "bad_request")
		// And no page of another site is let send it.
		flight := w.Request(http.MethodOptions, oauth.CallbackPath(w.Env, known("google")), "", func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header.Set("Access-Control-Request-Headers", "x-stytch-oauth-type")
		})
		if flight.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("a page of another site may ask: %v", flight.Header)
		}
		f.submit("x", body{"login_redirect_url": "https://evil.example/"}).Refused(400, "no_match_for_provided_oauth_url")
		f.submit("x", body{"login_redirect_url": nativeURL}).Refused(400, "pkce_required_for_native_callback")
		f.send(http.MethodPost, oauth.CallbackPath(w.Env, known("google")), "not JSON").Refused(400, "bad_request")
		destinationOf(t, f.submit(w.tapped(nil), nil))

		w.Configure("sdk.oauth.pkce_required", "true")
		f.start().Refused(400, "invalid_pkce_code_challenge")
		f.submit(w.tapped(nil), nil).Refused(400, "invalid_pkce_code_challenge")
	})
}

// Over TLS the frame keeps its cookie inside pages of other sites, apart for each.
func TestOneTapCookieOverTLS(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUp("google")
		w.SetPublicURL("https://auth.example.com")
		c := w.frame().start().OK().Cookies[0]
		if !c.Secure || c.SameSite != http.SameSiteNoneMode || !c.Partitioned || c.HttpOnly {
			t.Errorf("the cookie is %v", c)
		}
	})
}

// The account of One Tap is whose it would be by the button.
func TestOneTapFindsWhomTheButtonFinds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google")
		byButton := w.signIn("google", nil).OK().String("user_id")
		f := w.frame()
		f.start().OK()
		w.idp.SignIn("google", providertest.Ada())
		_, token := destinationOf(t, f.submit(w.tapped(nil), nil))
		if id := w.finish(token, nil).OK().String("user_id"); id != byButton {
			t.Errorf("One Tap finds %s, the button %s", id, byButton)
		}
	})
}
