package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/factor/oauth/provider/providertest"
	"gatehouse/internal/store"
)

const nativeClient = "acme-ios"

// setUpNative sets Google and Apple up, with the client ids of apps.
func (w *world) setUpNative() {
	w.t.Helper()
	for _, name := range []string{"google", "apple"} {
		c := w.idp.Credentials(name)
		c.NativeClientIDs = []string{"acme-android", nativeClient}
		w.set(name, c)
	}
}

func (w *world) set(name string, c *provider.Credentials) {
	w.t.Helper()
	if err := w.OAuth.Set(w.t.Context(), w.Env, name, c); err != nil {
		w.t.Fatal(err)
	}
}

// native is an app on a device that brings an id_token.
func (w *world) native(name, token string, more body) *authtest.Answer {
	w.t.Helper()
	return w.Mobile().Call(http.MethodPost, "/sdk/v1/oauth/"+name+"/id_token/authenticate", with(more, body{"id_token": token}))
}

// A device signs people up and in, as the same user whom the browser knows.
func TestNativeSignIn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUpNative()
		for _, name := range []string{"google", "apple"} {
			person := providertest.Ada()
			person.Subject, person.Email = "native-"+name, name+"@example.com"
			w.idp.SignIn(name, person)
			first := w.native(name, w.idp.IDToken(name, nativeClient, nil), with(hour, body{"name": body{"first_name": "Ada", "last_name": "Byron"}})).OK()
			if first.Get("user_created") != true || first.Get("reset_sessions") != false || first.String("provider_subject") != person.Subject || first.String("__user", "user_id") != first.String("user_id") {
				t.Errorf("%s: %s", name, first.Text)
			}
			factor := first.Get("session", "authentication_factors", 0).(body)
			if factor["type"] != "oauth" || factor["delivery_method"] != "oauth_"+name || first.Get("user", "emails", 0, "email") != person.Email || first.String("user", "name", "first_name") == "" {
				t.Errorf("%s: %s", name, first.Text)
			}
			w.Clock.Advance(time.Second)
			again := w.native(name, w.idp.IDToken(name, w.idp.Credentials(name).ClientID, nil), nil).OK()
			if again.Get("user_created") != false || again.String("user_id") != first.String("user_id") || again.Get("session") != nil || again.String("session_token") != "" {
				t.Errorf("%s again: %s", name, again.Text)
			}
			w.idp.Register(name, w.OAuth.RedirectURI(w.Env, known(name)))
			if id := w.signIn(name, nil).OK().String("user_id"); id != first.String("user_id") {
				t.Errorf("%s: in a browser it is %s", name, id)
			}
		}
	})
}

// The nonce is that of the app, as it is or hashed, and there are either two or none.
func TestNativeNonces(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUpNative()
		sum := sha256.Sum256([]byte("n-0S6_WzA2Mj"))
		for _, c := range []struct {
			said  any
			nonce string
			want  string
		}{
			{nil, "", ""},
			{"n-0S6_WzA2Mj", "n-0S6_WzA2Mj", ""},
			{hex.EncodeToString(sum[:]), "n-0S6_WzA2Mj", ""},
			{hex.EncodeToString(sum[:]), hex.EncodeToString(sum[:]), ""}, // who has the hash alone has seen no more than the token
			{"n-0S6_WzA2Mj", "another", "id_token_nonce_invalid"},
			{"n-0S6_WzA2Mj", "", "id_token_nonce_invalid"},
			{nil, "n-0S6_WzA2Mj", "id_token_nonce_invalid"},
			{"", "", "id_token_nonce_invalid"},
			{7, "7", "id_token_nonce_invalid"},
		} {
			w.Clock.Advance(time.Second)
			claims := body{}
			if c.said != nil {
				claims["nonce"] = c.said
			}
			a := w.native("google", w.idp.IDToken("google", nativeClient, claims), body{"nonce": c.nonce})
			if got, _ := a.Body["error_type"].(string); got != c.want {
				t.Errorf("%v with %q: %d %s", c.said, c.nonce, a.Status, a.Text)
			}
		}
	})
}

// TestSecurity18NativeAudience: an id_token for another app, of another issuer or
// of another time signs nobody in.
func TestSecurity18NativeAudience(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUpNative()
		now := w.Clock.Now().Unix()
		for _, name := range []string{"google", "apple"} {
			good := w.idp.IDToken(name, nativeClient, nil)
			for what, c := range map[string]struct {
				token, want string
			}{
				"another app":         {w.idp.IDToken(name, "somebody-else", nil), "id_token_incorrect_audience"},
				"no audience":         {w.idp.IDToken(name, nativeClient, body{"aud": nil}), "id_token_incorrect_audience"},
				"another issuer":      {w.idp.IDToken(name, nativeClient, body{"iss": "https://evil.example"}), "id_token_invalid"},
				"long over":           {w.idp.IDToken(name, nativeClient, body{"iat": now - 7200, "exp": now - 3600}), "id_token_expired"},
				"no end":              {w.idp.IDToken(name, nativeClient, body{"exp": nil}), "id_token_invalid"},
				"nobody":              {w.idp.IDToken(name, nativeClient, body{"sub": nil}), "id_token_invalid"},
				"another's signature": {flipLast(good), "id_token_invalid"},
				"no signature":        {good[:strings.LastIndexByte(good, '.')+1], "id_token_invalid"},
				"no JWT":              {"x", "id_token_invalid"},
				"three dots":          {"...", "id_token_invalid"},
				"of the other one":    {w.idp.IDToken(map[string]string{"google": "apple", "apple": "google"}[name], nativeClient, nil), "id_token_invalid"},
			} {
				if a := w.native(name, c.token, hour); a.Status != 400 || a.Body["error_type"] != c.want {
					t.Errorf("%s, %s: %d %s, want %s", name, what, a.Status, a.Text, c.want)
				}
			}
			w.native(name, good, hour).OK()
		}
		if n := count(t, w, "SELECT count(*) FROM users"); n != 1 { // one address, whom both vouch for
			t.Errorf("there are %d users", n)
		}
	})
}

func flipLast(token string) string {
	at := strings.LastIndexByte(token, '.') + 1
	c := byte('A')
	if token[at] == c {
		c = 'B'
	}
	return token[:at] + string(c) + token[at+1:]
}

// TestSecurity20NativeReplay: an id_token signs in once, whoever brings it, and
// the memory of that outlasts the token and goes afterwards.
func TestSecurity20NativeReplay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUpNative()
		token := w.idp.IDToken("google", nativeClient, nil)
		outcomes := authtest.Together(20, func(int) *authtest.Answer { return w.native("google", token, hour) })
		if outcomes[""] != 1 || outcomes["id_token_invalid"] != 19 {
			t.Errorf("the outcomes are %v", outcomes)
		}
		if n := count(t, w, "SELECT count(*) FROM users"); n != 1 {
			t.Errorf("there are %d users", n)
		}
		w.Clock.Advance(599 * time.Second)
		purge(t, w)
		w.native("google", token, hour).Refused(400, "id_token_invalid")
		w.Clock.Advance(3 * time.Hour)
		purge(t, w)
		w.native("google", token, hour).Refused(400, "id_token_expired")
		if n := count(t, w, "SELECT count(*) FROM oauth_id_tokens"); n != 0 {
			t.Errorf("%d uses are remembered", n)
		}
	})
}

func purge(t *testing.T, w *world) {
	t.Helper()
	if err := w.DB.Update(t.Context(), func(tx *store.Tx) error { _, err := oauth.Purge(tx, 100); return err }); err != nil {
		t.Fatal(err)
	}
}

// An account is added to the user whom the token is for, in their session.
func TestNativeAttach(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUpNative()
		sent := w.Call(http.MethodPost, "/v1/otps/email/login_or_create", body{"email": "eve@example.com"}).OK()
		in := w.Call(http.MethodPost, "/v1/otps/authenticate", with(hour, body{"method_id": sent.String("email_id"), "code": w.Mail("eve@example.com").Code})).OK()
		page := w.Mobile()
		page.Token = in.String("session_token")
		attach := func() string {
			return page.Call(http.MethodPost, "/sdk/v1/oauth/attach", body{"provider": "google"}).OK().String("oauth_attach_token")
		}
		path := "/sdk/v1/oauth/google/id_token/authenticate"
		w.native("google", w.idp.IDToken("google", nativeClient, nil), body{"oauth_attach_token": "x"}).Refused(400, "invalid_oauth_attach_token")
		w.native("google", w.idp.IDToken("google", nativeClient, nil), with(hour, body{"oauth_attach_token": attach()})).Refused(404, "session_not_found")
		done := page.Call(http.MethodPost, path, with(hour, body{"id_token": w.idp.IDToken("google", nativeClient, nil), "oauth_attach_token": attach()})).OK()
		if done.String("user_id") != in.String("user_id") || done.Get("user_created") != false || done.Get("session", "authentication_factors", 1, "type") != "oauth" {
			t.Errorf("added: %s", done.Text)
		}
	})
}

// Nothing is taken where the provider is not set up, or browsers and apps may not.
func TestNativeSwitches(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.native("google", "x", nil).Refused(404, "oauth_config_not_found")
		w.setUpNative()
		w.Configure("sdk.oauth.enabled", "false")
		w.native("google", w.idp.IDToken("google", nativeClient, nil), nil).Refused(401, "endpoint_not_authorized_for_sdk")
	})
}

// TestSecurity20NativeReplayOfWhatABrowserBrought: an app is shown the id_token of
// a sign-in by browser, which is good for no second one.
func TestSecurity20NativeReplayOfWhatABrowserBrought(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google")
		token := w.signIn("google", nil).OK().String("provider_values", "id_token")
		_, payload, _ := strings.Cut(token, ".")
		payload, _, _ = strings.Cut(payload, ".")
		var claims struct {
			Nonce string `json:"nonce"`
		}
		text, err := base64.RawURLEncoding.DecodeString(payload)
		if err != nil || json.Unmarshal(text, &claims) != nil || claims.Nonce == "" {
			t.Fatalf("the id_token has no nonce: %s, %v", text, err)
		}
		w.native("google", token, body{"nonce": claims.Nonce}).Refused(400, "id_token_invalid")
	})
}
