package provider_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/factor/oauth/provider/providertest"
	"gatehouse/internal/jwks"
	"gatehouse/internal/outbound"
	"gatehouse/internal/pkce"
	"gatehouse/internal/store/storetest"
)

const (
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	state    = "state-of-the-flow"
	nonce    = "nonce-of-the-flow"
)

// world is a server's view of the providers.
type world struct {
	*testing.T
	*providertest.Server
	service *provider.Service
	clock   *storetest.Clock
}

var home = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func newWorld(t *testing.T) *world {
	t.Helper()
	clock := storetest.NewClock()
	out := outbound.New(outbound.Policy{AllowHTTP: true, AllowPrivate: home})
	t.Cleanup(func() { _ = out.Close() })
	return &world{t, providertest.New(t, clock.Now), provider.New(out, jwks.New(out, clock.Now), clock.Now), clock}
}

func find(t testing.TB, name string) *provider.Provider {
	t.Helper()
	p, ok := provider.Find(name)
	if !ok {
		t.Fatalf("%s is not known", name)
	}
	return p
}

func request() provider.Request {
	return provider.Request{RedirectURI: providertest.RedirectURI, State: state, Nonce: nonce, CodeChallenge: pkce.Challenge(verifier)}
}

// visit sends a browser to a provider and returns what it is back with.
func (w *world) visit(name string, c *provider.Credentials) provider.Answer {
	w.Helper()
	address, err := w.service.AuthorizationURL(w.Context(), find(w, name), c, request())
	if err != nil {
		w.Fatalf("%s: %v", name, err)
	}
	form, err := w.Browse(address)
	if err != nil {
		w.Fatalf("%s: %v", name, err)
	}
	if form.Get("state") != state {
		w.Errorf("%s: the state is %q", name, form.Get("state"))
	}
	a, err := provider.ReadAnswer(form)
	if err != nil {
		w.Fatalf("%s: %v", name, err)
	}
	a.CodeVerifier, a.Nonce, a.RedirectURI = verifier, nonce, providertest.RedirectURI
	return a
}

func (w *world) signIn(name string) (*provider.Identity, *provider.Tokens, error) {
	w.Helper()
	c := w.Credentials(name)
	return w.service.Exchange(w.Context(), find(w, name), c, w.visit(name, c))
}

func (w *world) mustSignIn(name string) (*provider.Identity, *provider.Tokens) {
	w.Helper()
	who, tokens, err := w.signIn(name)
	if err != nil {
		w.Fatalf("%s: %v", name, err)
	}
	return who, tokens
}

func wantType(t testing.TB, what string, err error, typ string) {
	t.Helper()
	if e := apierr.From(err); e == nil || e.Type != typ {
		t.Errorf("%s: %v, want %s", what, err, typ)
	}
}

// every is the twenty: those known by name, and one by its issuer.
func every() []string {
	names := []string{providertest.OpenID}
	for _, p := range provider.All() {
		names = append(names, p.Name)
	}
	return names
}

// expected is what is known of Ada after she has signed in.
type expected struct {
	subject  string // "" for 10815
	noEmail  bool   // the provider says none
	verified bool
	noLast   bool
	picture  string // "" for hers, "-" for none
	locale   string
	refresh  bool
	hours    int // the access token holds
	id       bool
	scopes   string
}

var ada = map[string]expected{
	providertest.OpenID: {verified: true, locale: "en-GB", refresh: true, hours: 1, id: true, scopes: "openid email profile"},
	"google": {
		verified: true, locale: "en-GB", refresh: true, hours: 0, id: true,
		scopes: "openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/userinfo.profile",
	},
	"microsoft":  {verified: true, picture: "-", hours: 1, id: true, scopes: "openid email profile"},
	"apple":      {verified: true, picture: "-", refresh: true, hours: 1, id: true},
	"github":     {verified: true, hours: -1, scopes: "read:user user:email"},
	"gitlab":     {verified: true, locale: "en-GB", refresh: true, hours: 2, id: true, scopes: "openid email profile"},
	"facebook":   {hours: 1439},
	"discord":    {verified: true, picture: "https://cdn.discordapp.com/avatars/10815/a_8342729096ea3675442027381ff50dfe.png", locale: "en-GB", refresh: true, hours: 168, scopes: "identify email"},
	"salesforce": {locale: "en-GB", hours: -1, id: true, scopes: "openid email profile"},
	"slack":      {subject: "T0R7GR-10815", locale: "en-GB", hours: -1, id: true},
	"amazon":     {subject: "amzn1.account.10815", picture: "-", refresh: true, hours: 1},
	"bitbucket":  {subject: "{10815}", verified: true, refresh: true, hours: 2, scopes: "account email"},
	"linkedin":   {verified: true, locale: "en-GB", hours: 1439, id: true, scopes: "email openid profile"},
	"coinbase":   {refresh: true, hours: 2, scopes: "wallet:user:read wallet:user:email offline_access"},
	"twitch":     {verified: true, noLast: true, refresh: true, hours: 3, id: true, scopes: "openid user:read:email"},
	"twitter":    {noEmail: true, refresh: true, hours: 2, scopes: "users.read tweet.read offline.access"},
	"tiktok":     {noEmail: true, refresh: true, hours: 24, scopes: "user.info.basic"},
	"snapchat": {
		noEmail: true, refresh: true, hours: 1,
		scopes: "https://auth.snapchat.com/oauth2/api/user.external_id https://auth.snapchat.com/oauth2/api/user.display_name https://auth.snapchat.com/oauth2/api/user.bitmoji.avatar",
	},
	"figma": {refresh: true, hours: 2160},
	"yahoo": {verified: true, locale: "en-GB", refresh: true, hours: 1, id: true},
}

// Everybody is signed in by all twenty, and what each says of a person is what
// is read of it.
func TestSignIn(t *testing.T) {
	if names := every(); len(names) != 20 || len(ada) != 20 {
		t.Fatalf("there are %d providers and %d rows", len(names), len(ada))
	}
	w := newWorld(t)
	for _, name := range every() {
		t.Run(name, func(t *testing.T) {
			w := &world{t, w.Server, w.service, w.clock}
			want := ada[name]
			who, tokens := w.mustSignIn(name)
			i := provider.Identity{Subject: "10815", Email: "ada@example.com", EmailVerified: want.verified, Name: provider.Name{First: "Ada", Last: "Lovelace"}, Picture: providertest.Ada().Picture, Locale: want.locale}
			if want.subject != "" {
				i.Subject = want.subject
			}
			if want.noEmail {
				i.Email = ""
			}
			if want.noLast {
				i.Name.Last = ""
			}
			if want.picture != "" {
				i.Picture = strings.TrimPrefix(want.picture, "-")
			}
			if *who != i {
				t.Errorf("the account is %+v, want %+v", *who, i)
			}
			checkTokens(w, tokens, want)
		})
	}
}

func checkTokens(w *world, got *provider.Tokens, want expected) {
	w.Helper()
	if got.Access == "" || (got.Refresh != "") != want.refresh || (got.ID != "") != want.id {
		w.Errorf("the tokens are %+v", got)
	}
	if scopes := strings.Join(got.Scopes, " "); scopes != want.scopes {
		w.Errorf("the scopes are %q", scopes)
	}
	if hours := int(got.ExpiresAt.Sub(w.clock.Now()) / time.Hour); got.ExpiresAt.IsZero() != (want.hours < 0) || want.hours >= 0 && hours != want.hours {
		w.Errorf("the access token holds for %d hours, until %v", hours, got.ExpiresAt)
	}
}

// Where an address is missing or not vouched for, people sign in without one.
func TestAddressesThatAreMissingOrNotVouchedFor(t *testing.T) {
	w := newWorld(t)
	for _, name := range every() {
		unverified := providertest.Ada()
		unverified.Verified, unverified.Tenant = false, "11111111-2222-3333-4444-555555555555"
		w.SignIn(name, unverified)
		if who, _ := w.mustSignIn(name); who.EmailVerified {
			t.Errorf("%s: an address that nobody vouches for is taken", name)
		}
		none := unverified
		none.Email = ""
		w.SignIn(name, none)
		who, _, err := w.signIn(name)
		if name == "google" {
			wantType(t, name, err, "oauth_token_exchange_google_missing_information")
			continue
		}
		if err != nil || who.Email != "" || who.EmailVerified {
			t.Errorf("%s without an address: %+v, %v", name, who, err)
		}
	}
}

func TestRefresh(t *testing.T) {
	w := newWorld(t)
	for _, name := range every() {
		p, c := find(t, name), w.Credentials(name)
		_, tokens := w.mustSignIn(name)
		if tokens.Refresh == "" {
			continue
		}
		next, err := w.service.Refresh(t.Context(), p, c, tokens.Refresh)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if next.Access == "" || next.Access == tokens.Access || next.Refresh == "" {
			t.Errorf("%s: %+v after %+v", name, next, tokens)
		}
		if _, err := w.service.Refresh(t.Context(), p, c, next.Refresh); err != nil {
			t.Errorf("%s, again: %v", name, err)
		}
		_, err = w.service.Refresh(t.Context(), p, c, "refresh-of-another")
		wantType(t, name, err, "unable_to_refresh_oauth_token")
		w.Feel(name, providertest.Mood{TokenError: "invalid_client"})
		_, err = w.service.Refresh(t.Context(), p, c, next.Refresh)
		wantType(t, name, err, "unable_to_refresh_oauth_token")
	}
}

// A code is good once, soon, for whoever began and where it was to go.
func TestCodes(t *testing.T) {
	w := newWorld(t)
	for _, name := range every() {
		p, c := find(t, name), w.Credentials(name)
		a := w.visit(name, c)
		if _, _, err := w.service.Exchange(t.Context(), p, c, a); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, _, err := w.service.Exchange(t.Context(), p, c, a)
		wantType(t, name+" with a used code", err, "oauth_auth_code_error")

		a = w.visit(name, c)
		a.RedirectURI = "https://login.example.com/elsewhere"
		_, _, err = w.service.Exchange(t.Context(), p, c, a)
		wantType(t, name+" with another redirect URI", err, "oauth_auth_code_error")

		if p.PKCE {
			a = w.visit(name, c)
			a.CodeVerifier = strings.Repeat("x", 43)
			_, _, err = w.service.Exchange(t.Context(), p, c, a)
			wantType(t, name+" with another verifier", err, "oauth_auth_code_error")
		}
		if p.Nonce {
			a = w.visit(name, c)
			a.Nonce = "another"
			_, _, err = w.service.Exchange(t.Context(), p, c, a)
			wantType(t, name+" with another nonce", err, "oauth_flow_callback_error")
			a = w.visit(name, c)
			a.Nonce = ""
			_, _, err = w.service.Exchange(t.Context(), p, c, a)
			wantType(t, name+" without a nonce", err, "oauth_flow_callback_error")
		}
		a = w.visit(name, c)
		w.clock.Advance(2 * time.Minute)
		_, _, err = w.service.Exchange(t.Context(), p, c, a)
		wantType(t, name+" with an old code", err, "oauth_auth_code_error")
	}
}

// An id_token is good for a while, and is one.
func TestTimesOfIDTokens(t *testing.T) {
	w := newWorld(t)
	now := w.clock.Now().Unix()
	for _, p := range append(provider.All(), find(t, providertest.OpenID)) {
		if w.Credentials(p.Name).Endpoints.JWKS == "" && p.Name != providertest.OpenID {
			continue
		}
		for _, claims := range []map[string]any{{"exp": now - 31}, {"exp": nil}, {"exp": "never"}, {"iat": now + 31}, {"nbf": now + 31}} {
			w.Feel(p.Name, providertest.Mood{Claims: claims})
			_, _, err := w.signIn(p.Name)
			wantType(t, fmt.Sprint(p.Name, claims), err, "oauth_flow_callback_error")
		}
		w.Feel(p.Name, providertest.Mood{Claims: map[string]any{"exp": now - 29, "iat": now + 29}})
		w.mustSignIn(p.Name)
	}
}

// What the token endpoints complain about, each in its own words.
func TestVerdictsOfTokenEndpoints(t *testing.T) {
	w := newWorld(t)
	own := []string{"facebook", "slack", "twitch"} // have fewer words
	for _, name := range every() {
		for code, typ := range map[string]string{
			"invalid_client": "oauth_token_exchange_invalid_client", "invalid_grant": "oauth_auth_code_error", "invalid_request": "oauth_token_exchange_invalid_request",
			"invalid_scope": "oauth_token_exchange_invalid_scope", "unauthorized_client": "oauth_token_exchange_unauthorized_client", "server_error": "oauth_flow_callback_error",
		} {
			if slices.Contains(own, name) && !slices.Contains([]string{"invalid_client", "invalid_grant", "invalid_request"}, code) {
				continue
			}
			w.Feel(name, providertest.Mood{TokenError: code})
			_, _, err := w.signIn(name)
			wantType(t, name+" answers "+code, err, typ)
		}
		// A secret that is wrong, the way it really is.
		w.Feel(name, providertest.Mood{})
		c := w.Credentials(name)
		a := w.visit(name, c)
		c.ClientSecret = "wrong"
		c.KeyID = strings.TrimSuffix(c.KeyID, "5")
		_, _, err := w.service.Exchange(t.Context(), find(t, name), c, a)
		wantType(t, name+" with a wrong secret", err, "oauth_token_exchange_invalid_client")
	}
	for number, typ := range map[int]string{
		7000215: "oauth_token_exchange_microsoft_invalid_secret", 7000222: "oauth_token_exchange_microsoft_expired_secret", 700016: "oauth_token_exchange_invalid_client",
	} {
		w.Feel("microsoft", providertest.Mood{TokenError: "invalid_client", ErrorCode: number})
		_, _, err := w.signIn("microsoft")
		wantType(t, "microsoft", err, typ)
	}
}

func TestAPersonWhoSaysNo(t *testing.T) {
	w := newWorld(t)
	for _, name := range every() {
		w.Feel(name, providertest.Mood{Denied: true})
		address, err := w.service.AuthorizationURL(t.Context(), find(t, name), w.Credentials(name), request())
		if err != nil {
			t.Fatal(err)
		}
		form, err := w.Browse(address)
		if err != nil {
			t.Fatal(err)
		}
		_, err = provider.ReadAnswer(form)
		wantType(t, name, err, "oauth_auth_code_error")
	}
	for typ, forms := range map[string][]url.Values{
		"oauth_invalid_callback_request": {
			{}, {"code": {""}}, {"code": {"a", "b"}}, {"code": {"a\n"}}, {"code": {strings.Repeat("a", 5000)}}, {"code": {"a"}, "iss": {"x", "y"}}, {"error": {"a", "b"}},
		},
		"oauth_invalid_scope_requested": {{"error": {"invalid_scope"}}},
		"oauth_auth_code_error":         {{"error": {"server_error"}, "code": {"a"}}, {"error": {"<script>"}}},
	} {
		for _, form := range forms {
			_, err := provider.ReadAnswer(form)
			wantType(t, form.Encode(), err, typ)
		}
	}
}

// Apple says what a person is called once, by way of the browser; that may name
// them and nothing else.
func TestAppleSaysTheNameOnce(t *testing.T) {
	w := newWorld(t)
	if who, _ := w.mustSignIn("apple"); who.Name.First != "Ada" || who.Name.Last != "Lovelace" {
		t.Errorf("the first time: %+v", who)
	}
	if who, _ := w.mustSignIn("apple"); who.Name != (provider.Name{}) {
		t.Errorf("the second time: %+v", who)
	}
	c := w.Credentials("apple")
	a := w.visit("apple", c)
	a.Form.Set("user", `{"name":{"firstName":"Eve","lastName":"\u0000Moore"},"email":"victim@example.com","sub":"1"}`)
	who, _, err := w.service.Exchange(t.Context(), find(t, "apple"), c, a)
	if err != nil || who.Email != "ada@example.com" || who.Subject != "10815" || who.Name != (provider.Name{First: "Eve", Last: "Moore"}) {
		t.Errorf("%+v, %v", who, err)
	}
}

// A key that was replaced is looked for once the token that it signed comes.
func TestRotatedKeys(t *testing.T) {
	w := newWorld(t)
	for _, name := range every() {
		w.mustSignIn(name)
		if c := w.Credentials(name); c.Endpoints.JWKS != "" || c.Issuer != "" {
			w.Rotate(name)
		}
		w.clock.Advance(time.Minute)
		w.mustSignIn(name)
	}
}
