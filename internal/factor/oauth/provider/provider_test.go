package provider_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/factor/oauth/provider/providertest"
)

func TestFind(t *testing.T) {
	var names []string
	for _, p := range provider.All() {
		if found, ok := provider.Find(p.Name); !ok || found != p || !strings.EqualFold(p.Type, p.Name) {
			t.Errorf("%+v", p)
		}
		names = append(names, p.Name)
	}
	want := "amazon apple bitbucket coinbase discord facebook figma github gitlab google linkedin microsoft salesforce slack snapchat tiktok twitch twitter yahoo"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("the providers are %s", got)
	}
	if p, ok := provider.Find("oidc_acme-2"); !ok || p.Name != "oidc_acme-2" || p.Type != "oidc_acme-2" {
		t.Errorf("%+v", p)
	}
	for _, name := range []string{"", "Google", "xero", "oidc", "oidc_", "oidc_A", "oidc_a b", "oidc_a/b", "oidc_" + strings.Repeat("x", 41), " google"} {
		if _, ok := provider.Find(name); ok {
			t.Errorf("%q is known", name)
		}
	}
}

// Whatever is missing is said before anybody is sent anywhere.
func TestCheck(t *testing.T) {
	w := newWorld(t)
	for _, name := range every() {
		p, c := find(t, name), w.Credentials(name)
		if err := p.Check(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for what, spoil := range map[string]func(c *provider.Credentials){
			"the client id":     func(c *provider.Credentials) { c.ClientID = "" },
			"an endpoint":       func(c *provider.Credentials) { c.Endpoints.Token = "ftp://x" },
			"a scope":           func(c *provider.Credentials) { c.Scopes = []string{"a b"} },
			"the parameter":     func(c *provider.Credentials) { c.Params = []string{"State"} },
			"native client ids": func(c *provider.Credentials) { c.NativeClientIDs = []string{""} },
		} {
			bad := *c
			spoil(&bad)
			if err := p.Check(&bad); err == nil || !strings.HasPrefix(err.Error(), p.Type+": ") {
				t.Errorf("%s without %s: %v", name, what, err)
			}
		}
		secretless := *c
		secretless.ClientSecret, secretless.PrivateKey = "", ""
		if err := p.Check(&secretless); (err == nil) != (name == providertest.OpenID) {
			t.Errorf("%s without a secret: %v", name, err)
		}
	}
	c := w.Credentials("apple")
	for what, spoil := range map[string]func(c *provider.Credentials){
		"team": func(c *provider.Credentials) { c.TeamID = "" }, "key id": func(c *provider.Credentials) { c.KeyID = "" },
		"a PEM": func(c *provider.Credentials) { c.PrivateKey = "x" }, "a key in it": func(c *provider.Credentials) { c.PrivateKey = c.PrivateKey[:60] + c.PrivateKey[90:] },
	} {
		bad := *c
		spoil(&bad)
		if err := find(t, "apple").Check(&bad); err == nil {
			t.Errorf("Apple without %s is fine", what)
		}
	}
}

// Credentials survive being kept.
func TestCredentialsAreKept(t *testing.T) {
	w := newWorld(t)
	for _, name := range every() {
		c := w.Credentials(name)
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var again provider.Credentials
		if err := json.Unmarshal(text, &again); err != nil || again.Endpoints != c.Endpoints || again.PrivateKey != c.PrivateKey || again.ClientSecret != c.ClientSecret {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}

func TestParametersThatAppsMayAdd(t *testing.T) {
	w := newWorld(t)
	for name, params := range map[string]map[string]string{
		"google": {"login_hint": "ada@example.com", "hd": "example.com", "access_type": "online", "prompt": "select_account"}, "github": {"login": "ada"},
		"microsoft": {"domain_hint": "consumers"}, providertest.OpenID: {"ui_locales": "de", "acr_values": "x"}, "facebook": {"auth_type": "rerequest"},
	} {
		r := request()
		r.Params = params
		address, err := w.service.AuthorizationURL(t.Context(), find(t, name), w.Credentials(name), r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		u, _ := url.Parse(address)
		for param, value := range params {
			if got := u.Query()[param]; !slices.Equal(got, []string{value}) {
				t.Errorf("%s: %s is %q", name, param, got)
			}
		}
	}
	c := w.Credentials(providertest.OpenID)
	r := request()
	r.Params = map[string]string{"kc_idp_hint": "saml"}
	_, err := w.service.AuthorizationURL(t.Context(), find(t, providertest.OpenID), c, r)
	wantType(t, "not listed", err, "oauth_creating_redirect_url_error")
	c.Params = []string{"kc_idp_hint"}
	if address, err := w.service.AuthorizationURL(t.Context(), find(t, providertest.OpenID), c, r); err != nil || !strings.Contains(address, "kc_idp_hint=saml") {
		t.Errorf("%s, %v", address, err)
	}
}

// The document of an issuer is read once an hour, and an old one serves for a
// day while the issuer does not answer.
func TestDiscoveryIsRemembered(t *testing.T) {
	w := newWorld(t)
	p, c := find(t, providertest.OpenID), w.Credentials(providertest.OpenID)
	ask := func() error {
		_, err := w.service.AuthorizationURL(t.Context(), p, c, request())
		return err
	}
	for step, one := range []struct {
		wait    time.Duration
		issuer  string
		calls   int
		refused bool
	}{
		{0, "", 1, false}, {0, "", 1, false}, {59 * time.Minute, "", 1, false}, {time.Minute, "", 2, false},
		{time.Hour, "https://gone.example", 3, false}, {5 * time.Second, "https://gone.example", 3, false}, {5 * time.Second, "https://gone.example", 4, false},
		{23 * time.Hour, "https://gone.example", 5, true}, {time.Second, "", 5, true}, {10 * time.Second, "", 6, false},
	} {
		w.clock.Advance(one.wait)
		w.Feel(p.Name, providertest.Mood{Issuer: one.issuer})
		if err := ask(); (err != nil) != one.refused {
			t.Errorf("step %d: %v", step, err)
		}
		if n := w.Calls(p.Name, "document"); n != one.calls {
			t.Errorf("step %d: the document was read %d times, want %d", step, n, one.calls)
		}
	}
}

// A client without a secret, and one that authenticates in the body, where the
// issuer's document says so.
func TestClientAuthenticationByDocument(t *testing.T) {
	w := newWorld(t)
	for _, one := range []struct {
		methods []string
		secret  string
		basic   bool
	}{
		{nil, "s", true}, {[]string{"client_secret_basic", "client_secret_post"}, "s", true}, {[]string{"client_secret_post"}, "s", false}, {[]string{"none"}, "", false},
	} {
		var issuer string
		var form url.Values
		var basic bool
		web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				_ = r.ParseForm()
				_, _, basic = r.BasicAuth()
				form = r.PostForm
				return
			}
			m := map[string]any{"issuer": issuer, "authorization_endpoint": issuer + "/a", "token_endpoint": issuer + "/t", "jwks_uri": issuer + "/k"}
			if one.methods != nil {
				m["token_endpoint_auth_methods_supported"] = one.methods
			}
			_ = json.NewEncoder(rw).Encode(m)
		}))
		issuer = web.URL
		_, _, err := w.service.Exchange(t.Context(), find(t, "oidc_x"), &provider.Credentials{ClientID: "c", ClientSecret: one.secret, Issuer: issuer}, provider.Answer{Code: "x"})
		wantType(t, issuer, err, "oauth_flow_callback_error")
		if basic != one.basic || form.Has("client_secret") == (one.basic || one.secret == "") || form.Has("client_id") == one.basic {
			t.Errorf("%v: basic %v, %v", one, basic, form)
		}
		web.Close()
	}
}

// Answers that contradict each other are about nobody.
func TestAnswersAboutAnotherAccount(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"gitlab", "salesforce", "linkedin", "yahoo", providertest.OpenID} {
		w.Feel(name, providertest.Mood{Account: map[string]any{"sub": "10816"}})
		_, _, err := w.signIn(name)
		wantType(t, name, err, "oauth_flow_callback_error")
	}
	w.Feel("tiktok", providertest.Mood{Reply: map[string]any{"open_id": "10816"}})
	_, _, err := w.signIn("tiktok")
	wantType(t, "tiktok", err, "oauth_flow_callback_error")
	for _, name := range every() {
		w.Feel(name, providertest.Mood{Claims: map[string]any{"sub": nil}, Reply: map[string]any{"open_id": nil}, Account: map[string]any{
			"sub": nil, "id": nil, "user_id": nil, "uuid": nil, "data": nil,
		}})
		if _, _, err := w.signIn(name); err == nil {
			t.Errorf("%s signs nobody in", name)
		}
	}
	w.Feel("slack", providertest.Mood{Claims: map[string]any{"https://slack.com/team_id": nil}})
	_, _, err = w.signIn("slack")
	wantType(t, "slack", err, "oauth_flow_callback_error")
	w.Feel("google", providertest.Mood{Reply: map[string]any{"id_token": nil}})
	_, _, err = w.signIn("google")
	wantType(t, "google", err, "oauth_token_exchange_google_missing_information")
}

// The UserInfo endpoint adds what the id_token does not say, and contradicts nothing.
func TestUserInfoOnlyAdds(t *testing.T) {
	w := newWorld(t)
	silent := map[string]any{"email": nil, "email_verified": nil}
	said := map[string]any{"email": "ada@example.org", "email_verified": true, "locale": "fr", "picture": "", "given_name": "Augusta"}
	for what, one := range map[string]struct {
		claims, account map[string]any
		want            provider.Identity
	}{
		"an address in the id_token alone": {said, silent, provider.Identity{Email: "ada@example.org", EmailVerified: true, Locale: "fr", Name: provider.Name{First: "Augusta", Last: "Lovelace"}}},
		"another address in UserInfo":      {said, nil, provider.Identity{Email: "ada@example.org", EmailVerified: true, Locale: "fr", Name: provider.Name{First: "Augusta", Last: "Lovelace"}}},
		"an address in UserInfo alone":     {nil, nil, provider.Identity{Email: "ada@example.com", EmailVerified: true, Locale: "en-GB", Name: provider.Name{First: "Ada", Last: "Lovelace"}}},
	} {
		w.Feel(providertest.OpenID, providertest.Mood{Claims: one.claims, Account: one.account})
		one.want.Subject, one.want.Picture = "10815", providertest.Ada().Picture
		if who, _ := w.mustSignIn(providertest.OpenID); *who != one.want {
			t.Errorf("%s: %+v, want %+v", what, *who, one.want)
		}
	}
}

// An account endpoint that answers with something else than an account.
func TestAccountEndpointsThatRefuse(t *testing.T) {
	w := newWorld(t)
	for _, name := range every() {
		if c := w.Credentials(name); c.Endpoints.UserInfo == "" && c.Issuer == "" {
			continue
		}
		for _, status := range []int{201, 204, 302, 401, 403, 404, 429, 500} {
			w.Feel(name, providertest.Mood{Status: status})
			_, _, err := w.signIn(name)
			wantType(t, name, err, "oauth_flow_callback_error")
		}
	}
	// A list of addresses that the token does not open is no reason to fail; one
	// that does not answer is, as the address would be missing for no reason.
	for _, name := range []string{"github", "bitbucket"} {
		w.Feel(name, providertest.Mood{})
		for status, works := range map[int]bool{403: true, 404: true, 401: false, 500: false} {
			refusing := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(status) }))
			c := w.Credentials(name)
			c.Endpoints.Emails = refusing.URL
			who, _, err := w.service.Exchange(t.Context(), find(t, name), c, w.visit(name, c))
			if (err == nil) != works || works && (who.Email != "" || who.EmailVerified) {
				t.Errorf("%s with %d: %+v, %v", name, status, who, err)
			}
			refusing.Close()
		}
	}
}

// The pages say what the code does: of which providers an address is taken, what
// each is asked for, what an app may add.
func TestPagesSayWhatTheCodeDoes(t *testing.T) {
	page := func(name string) string {
		text, err := os.ReadFile("../../../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	emails, providers := page("oauth-emails.md"), page("oauth-providers.md")
	for _, p := range append(provider.All(), find(t, "oidc_name")) {
		row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(p.Name) + ` \| ([a-z ]+) \|`).FindStringSubmatch(emails)
		if row == nil || row[1] != string(p.Email) {
			t.Errorf("docs/oauth-emails.md has %q for %s, the code %q", row, p.Name, p.Email)
		}
		_, section, _ := strings.Cut(providers, "\n## "+p.Type+"\n")
		if p.Type == p.Name {
			_, section, _ = strings.Cut(providers, "\n## Any other by its issuer\n")
		}
		section, _, _ = strings.Cut(section, "\n## ")
		if !strings.Contains(section, "`"+strings.Join(p.Scopes, " ")+"`") {
			t.Errorf("docs/oauth-providers.md does not say that %s is asked for %s", p.Name, strings.Join(p.Scopes, " "))
		}
		for _, param := range p.AppParams() {
			if !strings.Contains(section, "`"+param+"`") {
				t.Errorf("docs/oauth-providers.md does not say that apps may send %s to %s", param, p.Name)
			}
		}
	}
}
