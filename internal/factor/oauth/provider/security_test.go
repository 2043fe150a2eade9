package provider_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/factor/oauth/provider/providertest"
	"gatehouse/internal/jwks"
	"gatehouse/internal/jwks/jwkstest"
	"gatehouse/internal/outbound"
)

const (
	tenant      = "11111111-2222-3333-4444-555555555555"
	otherTenant = "66666666-7777-8888-9999-000000000000"
	consumers   = "9188040d-6c67-4c5b-b112-36a304b66dad"
)

// Security case 15: an address counts where the provider vouches for it in so
// many words, and never by default.
func TestSecurity15UnverifiedAddresses(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{providertest.OpenID, "google", "apple", "twitch"} {
		for _, claimed := range []any{false, "false", nil, 1, "1", "yes", "TRUE", []bool{true}, map[string]bool{"true": true}} {
			more := map[string]any{"email_verified": claimed}
			w.Feel(name, providertest.Mood{Claims: more, Account: more})
			if who, _ := w.mustSignIn(name); who.EmailVerified || who.Email == "" {
				t.Errorf("%s with email_verified %v: %+v", name, claimed, who)
			}
		}
		w.Feel(name, providertest.Mood{})
	}
	// What these say is not believed, whatever they say.
	for _, name := range []string{"facebook", "slack", "amazon", "coinbase", "figma", "salesforce"} {
		w.Feel(name, providertest.Mood{Claims: map[string]any{"email_verified": true}, Account: map[string]any{"email_verified": true, "verified": true}})
		if who, _ := w.mustSignIn(name); who.EmailVerified {
			t.Errorf("%s: %+v", name, who)
		}
	}
	// A confirmed address that is not the account's own is none.
	w.Feel("bitbucket", providertest.Mood{Account: map[string]any{"values": []any{
		map[string]any{"email": "ada@example.com", "is_primary": true, "is_confirmed": "true"}, map[string]any{"email": "b@example.com", "is_confirmed": true},
	}}})
	if who, _ := w.mustSignIn("bitbucket"); who.EmailVerified {
		t.Errorf("bitbucket: %+v", who)
	}
}

// What vouches for one address vouches for no other: the id_token and the
// UserInfo endpoint each speak of the one that they name.
func TestSecurity15OneSourceOfAnAddress(t *testing.T) {
	w := newWorld(t)
	for what, one := range map[string]struct {
		claims, account map[string]any
		email           string
		verified        bool
	}{
		"UserInfo vouches for another":            {map[string]any{"email": "eve@example.com"}, map[string]any{"email_verified": true}, "eve@example.com", false},
		"UserInfo vouches for none":               {map[string]any{"email": "eve@example.com"}, map[string]any{"email": nil, "email_verified": true}, "eve@example.com", false},
		"the id_token vouches for none":           {map[string]any{"email_verified": true}, map[string]any{"email_verified": nil}, "ada@example.com", false},
		"the id_token denies":                     {map[string]any{"email": "ada@example.com", "email_verified": false}, nil, "ada@example.com", false},
		"UserInfo denies of another":              {map[string]any{"email": "eve@example.com", "email_verified": true}, map[string]any{"email_verified": false}, "eve@example.com", true},
		"the id_token leaves it to UserInfo":      {map[string]any{"email": "ada@example.com"}, nil, "ada@example.com", true},
		"the id_token leaves it, UserInfo denies": {map[string]any{"email": "ada@example.com"}, map[string]any{"email_verified": false}, "ada@example.com", false},
	} {
		for _, name := range []string{providertest.OpenID, "gitlab", "yahoo", "linkedin"} {
			w.Feel(name, providertest.Mood{Claims: one.claims, Account: one.account})
			if who, _ := w.mustSignIn(name); who.Email != one.email || who.EmailVerified != one.verified {
				t.Errorf("%s, %s: %+v", name, what, who)
			}
		}
	}
	// Nor does UserInfo say of a Microsoft account that it is a personal one.
	who := providertest.Ada()
	who.Tenant = tenant
	w.SignIn("microsoft", who)
	userinfo := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(rw).Encode(map[string]any{"sub": who.Subject, "email": who.Email, "tid": consumers, "xms_edov": true})
	}))
	defer userinfo.Close()
	c := w.Credentials("microsoft")
	c.Endpoints.UserInfo = userinfo.URL
	if got, _, err := w.service.Exchange(t.Context(), find(t, "microsoft"), c, w.visit("microsoft", c)); err != nil || got.EmailVerified {
		t.Errorf("%+v, %v", got, err)
	}
}

// The word of a Salesforce organisation counts for the environment that named it.
func TestSecurity15OwnOrganisation(t *testing.T) {
	w := newWorld(t)
	p, c := find(t, "salesforce"), w.Credentials("salesforce")
	w.Feel("salesforce", providertest.Mood{Claims: map[string]any{"iss": "https://acme.my.salesforce.com"}})
	c.Tenant = "acme.my.salesforce.com"
	who, _, err := w.service.Exchange(t.Context(), p, c, w.visit("salesforce", c))
	if err != nil || !who.EmailVerified {
		t.Errorf("%+v, %v", who, err)
	}
	for _, host := range []string{"login.salesforce.com", "test.salesforce.com", "Login.Salesforce.com.", "login.salesforce.com:443", "https://acme.my.salesforce.com", "acme.my.salesforce.com/", "a b", "a?b", "u@a"} {
		c.Tenant = host
		if err := p.Check(c); err == nil {
			t.Errorf("%q is taken for an own host", host)
		}
	}
}

// nOAuth: the administrator of any tenant can write any address into it.
func TestSecurity15NOAuth(t *testing.T) {
	w := newWorld(t)
	for _, one := range []struct {
		tenant string
		owned  any
		want   bool
	}{
		{tenant, nil, false}, {tenant, false, false}, {tenant, "0", false}, {tenant, 0, false}, {tenant, "no", false}, {tenant, 2, false},
		{tenant, true, true}, {tenant, "1", true}, {tenant, 1, true}, {tenant, "true", true}, {consumers, nil, true}, {consumers, false, true},
	} {
		who := providertest.Ada()
		who.Tenant, who.Owned = one.tenant, one.owned
		w.SignIn("microsoft", who)
		w.Feel("microsoft", providertest.Mood{Claims: map[string]any{"email_verified": true}})
		if got, _ := w.mustSignIn("microsoft"); got.EmailVerified != one.want {
			t.Errorf("tenant %s, xms_edov %v: %v", one.tenant, one.owned, got.EmailVerified)
		}
	}
}

// Security case 17: an id_token of somebody else's issuer, with our audience.
func TestSecurity17Issuers(t *testing.T) {
	w := newWorld(t)
	for _, p := range append(provider.All(), find(t, providertest.OpenID)) {
		if w.Credentials(p.Name).Endpoints.JWKS == "" && p.Name != providertest.OpenID {
			continue
		}
		for _, iss := range []any{
			"https://attacker.example", "https://accounts.google.com.attacker.example", "https://login.microsoftonline.com/" + consumers + "/v2.0/", "", nil, 7,
			"https://appleid.apple.com/", "http://accounts.google.com", "HTTPS://SLACK.COM", []string{"https://slack.com"},
		} {
			w.Feel(p.Name, providertest.Mood{Claims: map[string]any{"iss": iss}})
			_, _, err := w.signIn(p.Name)
			wantType(t, fmt.Sprintf("%s with issuer %v", p.Name, iss), err, "oauth_flow_callback_error")
		}
	}
	for _, name := range []string{"google", "apple"} {
		token := w.IDToken(name, w.Credentials(name).ClientID, map[string]any{"iss": "https://attacker.example"})
		_, err := w.service.VerifyIDToken(t.Context(), find(t, name), w.Credentials(name), token, "")
		wantType(t, name, err, "id_token_invalid")
	}
}

// Whose tenants may sign in with Microsoft is what was configured.
func TestSecurity17TenantsOfMicrosoft(t *testing.T) {
	w := newWorld(t)
	p := find(t, "microsoft")
	for configured, may := range map[string][]string{
		"": {tenant, otherTenant, consumers}, "common": {tenant, otherTenant, consumers}, "organizations": {tenant, otherTenant},
		"consumers": {consumers}, tenant: {tenant}, strings.ToUpper(consumers): {consumers},
	} {
		for _, of := range []string{tenant, otherTenant, consumers, "common", "{tenantid}", tenant + "/../" + otherTenant, ""} {
			who := providertest.Ada()
			who.Tenant = of
			w.SignIn("microsoft", who)
			c := w.Credentials("microsoft")
			c.Tenant = configured
			_, _, err := w.service.Exchange(t.Context(), p, c, w.visit("microsoft", c))
			if ok := slices.Contains(may, of); ok != (err == nil) {
				t.Errorf("configured %q, signed in from %q: %v", configured, of, err)
			}
		}
	}
	for _, bad := range []string{"contoso.onmicrosoft.com", "../x", tenant + " ", "any"} {
		if err := p.Check(&provider.Credentials{ClientID: "x", ClientSecret: "y", Tenant: bad}); err == nil {
			t.Errorf("%q is taken for a tenant", bad)
		}
	}
}

// Security case 18: an id_token that another app was given.
func TestSecurity18Audiences(t *testing.T) {
	w := newWorld(t)
	for _, p := range append(provider.All(), find(t, providertest.OpenID)) {
		if w.Credentials(p.Name).Endpoints.JWKS == "" && p.Name != providertest.OpenID {
			continue
		}
		own := w.Credentials(p.Name).ClientID
		for _, claims := range []map[string]any{
			{"aud": "another-app"}, {"aud": nil}, {"aud": ""}, {"aud": []string{}}, {"aud": own + " "}, {"aud": []any{7, own}},
			{"aud": []string{own, "another-app"}, "azp": "another-app"}, {"aud": []string{own, "another-app"}, "azp": nil}, {"azp": "another-app"},
		} {
			w.Feel(p.Name, providertest.Mood{Claims: claims})
			_, _, err := w.signIn(p.Name)
			wantType(t, fmt.Sprintf("%s with %v", p.Name, claims), err, "oauth_flow_callback_error")
		}
	}
	for _, name := range []string{"google", "apple"} {
		p, c := find(t, name), w.Credentials(name)
		c.NativeClientIDs = []string{"com.example.app", "ios.apps.example"}
		for _, audience := range []string{c.ClientID, "com.example.app", "ios.apps.example"} {
			if _, err := w.service.VerifyIDToken(t.Context(), p, c, w.IDToken(name, audience, nil), ""); err != nil {
				t.Errorf("%s for %s: %v", name, audience, err)
			}
		}
		for _, audience := range []string{"com.example.app.evil", "com.example", "", "COM.EXAMPLE.APP"} {
			_, err := w.service.VerifyIDToken(t.Context(), p, c, w.IDToken(name, audience, nil), "")
			wantType(t, name+" for "+audience, err, "id_token_incorrect_audience")
		}
	}
}

// What an app got by itself: when it is good, and whose it is.
func TestNativeIDTokens(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"google", "apple"} {
		p, c := find(t, name), w.Credentials(name)
		verify := func(claims map[string]any, nonce string) (*provider.Identity, error) {
			return w.service.VerifyIDToken(t.Context(), p, c, w.IDToken(name, c.ClientID, claims), nonce)
		}
		who, err := verify(map[string]any{"nonce": "n-1"}, "n-1")
		if err != nil || who.Subject != "10815" || who.Email != "ada@example.com" || !who.EmailVerified {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
		sum := sha256.Sum256([]byte("n-1"))
		if _, err := verify(map[string]any{"nonce": hex.EncodeToString(sum[:])}, "n-1"); err != nil {
			t.Errorf("%s, nonce as a hash: %v", name, err)
		}
		nothing := sha256.Sum256(nil)
		for claimed, given := range map[string]string{"n-1": "n-2", "n-3": "", hex.EncodeToString(nothing[:]): "", hex.EncodeToString(sum[:]): "n-4"} {
			_, err = verify(map[string]any{"nonce": claimed}, given)
			wantType(t, name+" with another nonce", err, "id_token_nonce_invalid")
		}
		for _, claims := range []map[string]any{nil, {"nonce": ""}, {"nonce": 7}} {
			_, err = verify(claims, "n-1")
			wantType(t, name+" without its nonce", err, "id_token_nonce_invalid")
		}
		_, err = verify(map[string]any{"exp": w.clock.Now().Add(-time.Hour).Unix()}, "")
		wantType(t, name+", an old one", err, "id_token_expired")
		for _, claims := range []map[string]any{{"exp": nil}, {"sub": nil}, {"sub": ""}, {"sub": strings.Repeat("x", 256)}, {"sub": 7}, {"sub": "a\nb"}, {"iat": w.clock.Now().Add(time.Hour).Unix()}} {
			_, err = verify(claims, "")
			wantType(t, fmt.Sprint(name, claims), err, "id_token_invalid")
		}
	}
	_, err := w.service.VerifyIDToken(t.Context(), find(t, "microsoft"), w.Credentials("microsoft"), w.IDToken("microsoft", "x", nil), "")
	wantType(t, "microsoft", err, "invalid_oauth_provider")
}

// Security case 32: who signed an id_token is not the token's to say.
func TestSecurity32Algorithms(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"google", "apple", "microsoft", "slack", providertest.OpenID} {
		p, c := find(t, name), w.Credentials(name)
		good := strings.Split(w.IDToken(name, c.ClientID, map[string]any{"nonce": nonce}), ".")
		forged := []string{
			jwkstest.Encode(map[string]any{"alg": "none", "typ": "JWT"}) + "." + good[1] + ".",
			jwkstest.Encode(map[string]any{"alg": "none", "typ": "JWT"}) + "." + good[1] + "." + good[2],
			jwkstest.Encode(map[string]any{"alg": "HS256", "typ": "JWT"}) + "." + good[1] + "." + good[2],
			jwkstest.Encode(map[string]any{"alg": "ES256", "kid": "../../jwks"}) + "." + good[1] + "." + good[2],
			jwkstest.Encode(map[string]any{"alg": "ES256", "jku": w.URL + "/google/jwks"}) + "." + good[1] + "." + good[2],
			jwkstest.NewKey(t, name+"-1", "ES256").Sign(t, map[string]any{"iss": "https://accounts.google.com", "aud": c.ClientID}, nil),
			good[0] + "." + good[1] + "." + strings.Repeat("A", len(good[2])),
			good[0] + "." + good[1], "x.y.z", "..", strings.Join(good, ".") + ".x.y",
		}
		for _, token := range forged {
			w.Feel(name, providertest.Mood{Reply: map[string]any{"id_token": token}})
			_, _, err := w.signIn(name)
			wantType(t, name+" "+token[:min(len(token), 40)], err, "oauth_flow_callback_error")
			if name == "google" || name == "apple" {
				_, err = w.service.VerifyIDToken(t.Context(), p, c, token, nonce)
				wantType(t, name, err, "id_token_invalid")
			}
		}
		// A token of another kind, for the same audience, is no id_token.
		for _, typ := range []string{"at+jwt", "application/at+jwt", "logout+jwt", "secevent+jwt"} {
			w.Feel(name, providertest.Mood{Type: typ})
			_, _, err := w.signIn(name)
			wantType(t, name+" "+typ, err, "oauth_flow_callback_error")
		}
		w.Feel(name, providertest.Mood{ForeignKey: true})
		_, _, err := w.signIn(name)
		wantType(t, name+" by a foreign key", err, "oauth_flow_callback_error")
	}
}

// Security case 39: what a provider's address leads to is called within bounds.
func TestSecurity39ServerSideRequestForgery(t *testing.T) {
	w := newWorld(t)
	strictOut := outbound.New(outbound.Policy{})
	strict := provider.New(strictOut, jwks.New(strictOut, w.clock.Now), w.clock.Now)
	for _, name := range every() {
		c := w.Credentials(name)
		a := provider.Answer{Code: "x", CodeVerifier: verifier, Nonce: nonce, RedirectURI: providertest.RedirectURI}
		_, _, err := strict.Exchange(t.Context(), find(t, name), c, a)
		wantType(t, name, err, "oauth_flow_callback_error")
		for _, endpoint := range []string{"token", "document"} {
			if n := w.Calls(name, endpoint); n != 0 {
				t.Errorf("%s: %s was called %d times", name, endpoint, n)
			}
		}
	}
	// An issuer on the inside, and a document that points there.
	p := find(t, "oidc_inside")
	for _, issuer := range []string{"http://169.254.169.254", "https://metadata.google.internal", "https://127.0.0.1:1/x", "https://[::1]"} {
		_, err := strict.AuthorizationURL(t.Context(), p, &provider.Credentials{ClientID: "x", Issuer: issuer}, request())
		wantType(t, issuer, err, "oauth_creating_redirect_url_error")
	}
	for _, issuer := range []string{"", "file:///etc/passwd", "https://u:p@example.com", "gopher://example.com", "https://example.com/?x", "https://example.com/#x", "example.com"} {
		if p.Check(&provider.Credentials{ClientID: "x", Issuer: issuer}) == nil {
			t.Errorf("%q is taken for an issuer", issuer)
		}
	}
}

// An endpoint that redirects, or never answers, is none.
func TestSecurity39RedirectsAndTime(t *testing.T) {
	w := newWorld(t)
	var inside atomic.Int32
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
	defer secret.Close()
	moved := httptest.NewServer(http.RedirectHandler(secret.URL, http.StatusTemporaryRedirect))
	defer moved.Close()
	for _, c := range []*provider.Credentials{w.Credentials("github"), w.Credentials("google")} {
		c.Endpoints.Token = moved.URL
		p := find(t, map[bool]string{true: "github", false: "google"}[c.Endpoints.Emails != ""])
		_, _, err := w.service.Exchange(t.Context(), p, c, w.visit(p.Name, c))
		wantType(t, p.Name, err, "oauth_flow_callback_error")
	}
	c := w.Credentials("github")
	c.Endpoints.UserInfo = moved.URL
	_, _, err := w.service.Exchange(t.Context(), find(t, "github"), c, w.visit("github", c))
	wantType(t, "github", err, "oauth_flow_callback_error")
	if inside.Load() != 0 {
		t.Error("a redirect was followed")
	}

	out := outbound.New(outbound.Policy{AllowHTTP: true, AllowPrivate: home, Timeout: 50 * time.Millisecond})
	hurried := provider.New(out, jwks.New(out, w.clock.Now), w.clock.Now)
	for _, name := range []string{"github", "google", providertest.OpenID} {
		c := w.Credentials(name)
		a := w.visit(name, c)
		w.Feel(name, providertest.Mood{Hang: true})
		_, _, err := hurried.Exchange(t.Context(), find(t, name), c, a)
		wantType(t, name, err, "oauth_flow_callback_error")
	}
}

// Security case 41: an answer belongs to the issuer that the browser was sent to.
func TestSecurity41IssuerMixUp(t *testing.T) {
	w := newWorld(t)
	p, c := find(t, providertest.OpenID), w.Credentials(providertest.OpenID)
	for _, issuer := range []string{"https://attacker.example", c.Issuer + "/", strings.ToUpper(c.Issuer), c.Issuer + "?", strings.TrimSuffix(c.Issuer, "e")} {
		w.Feel(p.Name, providertest.Mood{Issuer: issuer})
		_, err := w.service.AuthorizationURL(t.Context(), p, c, request())
		wantType(t, issuer, err, "oauth_creating_redirect_url_error")
		w.clock.Advance(time.Minute)
	}
	w.Feel(p.Name, providertest.Mood{NoIssuer: true})
	_, _, err := w.signIn(p.Name)
	wantType(t, "an answer without iss", err, "oauth_flow_callback_error")
	w.Feel(p.Name, providertest.Mood{})
	for _, name := range []string{p.Name, "google", "apple", "microsoft", "slack"} {
		c := w.Credentials(name)
		a := w.visit(name, c)
		before := w.Calls(name, "token")
		a.Issuer = "https://attacker.example"
		_, _, err := w.service.Exchange(t.Context(), find(t, name), c, a)
		wantType(t, name, err, "oauth_flow_callback_error")
		if w.Calls(name, "token") != before {
			t.Errorf("%s was sent the code of another issuer", name)
		}
	}
}

// Security case 55: what is too long or too deep ends before it is read.
func TestSecurity55Exhaustion(t *testing.T) {
	w := newWorld(t)
	bodies := []string{
		"null", "[]", `"x"`, "{", `{"access_token":"x"} {}`, strings.Repeat("{", 300_000), `{"a":` + strings.Repeat("[", 100_000), "\x00\xff",
		`{"access_token":"` + strings.Repeat("x", 300_000) + `"}`, `{"access_token":"` + strings.Repeat("x", 20_000) + `"}`, `{"access_token":7}`, `{"access_token":""}`,
		`{"access_token":"a\nb"}`, `{"access_token":"x","token_type":"mac"}`, `{"access_token":["x"]}`, `<html>`, strings.Repeat(" ", 2<<20),
		`{"access_token":"x","id_token":"` + strings.Repeat(".", 10_000) + `"}`, `{"access_token":"x","id_token":"a.b.c.d.e"}`,
		`{"access_token":"x","id_token":"` + strings.Repeat("a", 15_000) + `.b.c"}`,
	}
	for _, name := range []string{"google", "apple", "slack", "twitch", providertest.OpenID} {
		for _, body := range bodies {
			w.Feel(name, providertest.Mood{Body: body})
			_, _, err := w.signIn(name)
			if err == nil {
				t.Errorf("%s takes %.40q", name, body)
			}
		}
		for _, token := range []string{strings.Repeat(".", 1<<20), strings.Repeat("a.", 1<<16), "a.b.c.d.e", strings.Repeat("e30", 1<<14) + ".e30.e30"} {
			if name != "google" && name != "apple" {
				continue
			}
			_, err := w.service.VerifyIDToken(t.Context(), find(t, name), w.Credentials(name), token, "")
			wantType(t, name, err, "id_token_invalid")
		}
	}
}

// Security case 62: an app passes on what the allow-list names, and nothing that
// decides whom a code is for, where it goes or to which flow it belongs.
func TestSecurity62Parameters(t *testing.T) {
	w := newWorld(t)
	ours := []string{
		"state", "nonce", "client_id", "client_key", "client_secret", "redirect_uri", "response_type", "response_mode", "scope", "code_challenge", "code_challenge_method",
		"request", "request_uri", "claims", "id_token_hint", "resource", "registration",
	}
	for _, name := range every() {
		p, c := find(t, name), w.Credentials(name)
		clean, err := w.service.AuthorizationURL(t.Context(), p, c, request())
		if err != nil {
			t.Fatal(err)
		}
		for _, our := range ours {
			for _, spelling := range []string{our, strings.ToUpper(our), our + "[]", our + "[0]", " " + our, our + " ", strings.ReplaceAll(our, "_", "-"), strings.ReplaceAll(our, "_", "."), our + "\x00", our + "%00", "&" + our, our + "=x&a", strings.ReplaceAll(our, "_", "")} {
				r := request()
				r.Params = map[string]string{spelling: "attacker"}
				_, err := w.service.AuthorizationURL(t.Context(), p, c, r)
				wantType(t, name+" "+spelling, err, "oauth_creating_redirect_url_error")
			}
			// Nor does an operator let it through.
			open := *c
			open.Params = []string{our}
			if p.Check(&open) == nil {
				t.Errorf("%s: an operator can hand %s to apps", name, our)
			}
		}
		for _, value := range []string{"a\nb", "a\x00", strings.Repeat("x", 513), "\xff"} {
			r := request()
			open := *c
			open.Params, r.Params = []string{"connection"}, map[string]string{"connection": value}
			_, err := w.service.AuthorizationURL(t.Context(), p, &open, r)
			wantType(t, name, err, "oauth_creating_redirect_url_error")
		}
		// A value is one value, whatever is in it.
		r := request()
		open := *c
		open.Params, r.Params = []string{"connection"}, map[string]string{"connection": "x&state=attacker&redirect_uri=https://attacker.example#"}
		address, err := w.service.AuthorizationURL(t.Context(), p, &open, r)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := url.Parse(address)
		want, _ := url.Parse(clean)
		q := got.Query()
		if q.Get("connection") != r.Params["connection"] {
			t.Errorf("%s: the parameter is %q", name, q.Get("connection"))
		}
		q.Del("connection")
		if q.Encode() != want.Query().Encode() || got.Host != want.Host || got.Path != want.Path || got.Fragment != "" {
			t.Errorf("%s: the request became %s", name, address)
		}
	}
}

// What a request to a provider says of us.
func TestSecurity62Bindings(t *testing.T) {
	w := newWorld(t)
	for _, name := range every() {
		p, c := find(t, name), w.Credentials(name)
		for _, r := range []provider.Request{
			{RedirectURI: "x", Nonce: nonce, CodeChallenge: "x"}, {State: state, Nonce: nonce, CodeChallenge: "x"},
		} {
			_, err := w.service.AuthorizationURL(t.Context(), p, c, r)
			wantType(t, name, err, "oauth_creating_redirect_url_error")
		}
		r := request()
		r.Nonce, r.CodeChallenge = "", ""
		if _, err := w.service.AuthorizationURL(t.Context(), p, c, r); (p.PKCE || p.Nonce) != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
		w.visit(name, c)
		asked := w.Asked(name)
		if asked.Get("response_type") != "code" || asked.Get("redirect_uri") != providertest.RedirectURI || asked.Get("state") != state ||
			asked.Has("nonce") != p.Nonce || asked.Has("code_challenge") != p.PKCE || p.PKCE && asked.Get("code_challenge_method") != "S256" || asked.Has("client_secret") {
			t.Errorf("%s is asked %v", name, asked)
		}
		for _, scope := range []string{"", "a b", "a\"b", "a\\b", "a\nb", "ä", strings.Repeat("x", 257)} {
			r := request()
			r.Scopes = []string{scope}
			_, err := w.service.AuthorizationURL(t.Context(), p, c, r)
			wantType(t, name+" scope "+scope, err, "oauth_invalid_scope_requested")
		}
		c.Scopes = []string{"one", p.Scopes[0]}
		r = request()
		r.Scopes = []string{"two", "one"}
		address, err := w.service.AuthorizationURL(t.Context(), p, c, r)
		if u, _ := url.Parse(address); err != nil || !strings.HasSuffix(u.Query().Get("scope"), "one two") && !strings.HasSuffix(u.Query().Get("scope"), "one,two") {
			t.Errorf("%s: %s, %v", name, address, err)
		}
	}
}

// Security case 65: no verdict and no cause repeats a secret, a code, a token,
// or what a provider wrote.
func TestSecurity65Leaks(t *testing.T) {
	w := newWorld(t)
	const canary = "canary-7f3a"
	for _, name := range every() {
		p, c := find(t, name), w.Credentials(name)
		a := w.visit(name, c)
		a.CodeVerifier = verifier
		secrets := []string{a.Code, a.CodeVerifier, nonce, canary, "Bad ", "AADSTS", "BEGIN PRIVATE"}
		if c.ClientSecret != "" {
			secrets = append(secrets, c.ClientSecret, url.QueryEscape(c.ClientSecret))
		}
		check := func(what string, err error) {
			t.Helper()
			if err == nil {
				t.Errorf("%s, %s: nothing went wrong", name, what)
				return
			}
			for _, s := range secrets {
				if strings.Contains(err.Error(), s) {
					t.Errorf("%s, %s: %q is in %q", name, what, s, err)
				}
			}
		}
		for _, m := range []providertest.Mood{
			{TokenError: "invalid_grant"}, {TokenError: "invalid_client"}, {TokenError: canary + " with spaces"}, {Body: `{"error":"` + canary + ` x","error_description":"` + canary + `"}`},
			{Body: canary}, {Body: `{"access_token":"` + canary + `\n"}`}, {Reply: map[string]any{"id_token": canary + ".a.b", "access_token": nil}}, {Hang: false, Reply: map[string]any{"access_token": nil}},
		} {
			w.Feel(name, m)
			_, _, err := w.service.Exchange(t.Context(), p, c, a)
			check(fmt.Sprint(m), err)
			_, err = w.service.Refresh(t.Context(), p, c, canary)
			check(fmt.Sprint(m), err)
		}
		w.Feel(name, providertest.Mood{})
		broken := *c
		broken.Endpoints.Token, broken.Endpoints.Authorization = "http://127.0.0.1:1/"+canary, "http://127.0.0.1:1/"+canary
		_, _, err := w.service.Exchange(t.Context(), p, &broken, a)
		check("nobody there", err)
		broken.PrivateKey, broken.ClientID, broken.Tenant, broken.Issuer = "-----BEGIN PRIVATE KEY-----\n"+canary, "", canary+" ", canary
		check("credentials", p.Check(&broken))
	}
	_, err := provider.ReadAnswer(url.Values{"error": {canary + " "}, "error_description": {canary}})
	if strings.Contains(err.Error(), canary) {
		t.Error(err)
	}
}
