package devidp

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"gatehouse/internal/wire"
)

const (
	clientID = "gatehouse-dev"
	password = "a secret: with / signs&"
	callback = "http://localhost:9/callback?environment=test"
	verifier = "a-verifier-of-enough-characters-for-the-standard"
)

// world is a provider behind the same server that `gatehouse dev` runs, and a client of it.
type world struct {
	*testing.T
	*Provider
	server *httptest.Server
	now    atomic.Pointer[time.Time]
}

func start(t *testing.T) *world {
	w := &world{T: t}
	w.advance(0)
	w.Provider = New(Config{
		BaseURL:  func() string { return w.server.URL },
		ClientID: clientID, ClientSecret: password,
		StandIns: []StandIn{{Key: "google", Name: "Google", HasEmail: true}, {Key: "gitlab", Name: "GitLab"}, {Key: "microsoft", Name: "Microsoft", Verified: "xms_edov"}},
		Now:      func() time.Time { return *w.now.Load() },
	})
	w.server = httptest.NewServer(wire.NewServer(wire.Config{Now: w.Provider.config.Now},
		wire.Raw(http.MethodGet, Prefix+"*", wire.Open, w.Provider),
		wire.Raw(http.MethodPost, Prefix+"*", wire.Open, w.Provider)))
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) advance(d time.Duration) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if at := w.now.Load(); at != nil {
		now = at.Add(d)
	}
	w.now.Store(&now)
}

type answer struct {
	status int
	header http.Header
	body   string
}

// send makes a request and follows no redirect.
func (w *world) send(method, target string, form url.Values, headers ...string) answer {
	w.Helper()
	r, err := http.NewRequest(method, target, strings.NewReader(form.Encode()))
	if err != nil {
		w.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// question is the address of the page for a client's request; more replaces parameters, in pairs, and "" removes one.
func (w *world) question(standIn string, more ...string) string {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"client_id": {clientID}, "redirect_uri": {callback}, "response_type": {"code"}, "state": {"a state"}, "nonce": {"a nonce"},
		"scope": {"openid email profile"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
		if more[i+1] == "" {
			q.Del(more[i])
		}
	}
	return w.Endpoints(standIn).Authorization + "?" + q.Encode()
}

// landing is where an answer leads the browser to, which must be the client.
func (w *world) landing(a answer) url.Values {
	w.Helper()
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusSeeOther || to.Host != "localhost:9" || to.Path != "/callback" {
		w.Fatalf("%d %s %s", a.status, a.header.Get("Location"), a.body)
	}
	return to.Query()
}

// code signs a person in and returns the code for the client.
func (w *world) code(standIn string, who url.Values, more ...string) string {
	w.Helper()
	return w.landing(w.send("POST", w.question(standIn, more...), who)).Get("code")
}

// exchange calls the token endpoint; more replaces fields as in question.
func (w *world) exchange(standIn, code string, more ...string) (answer, tokens) {
	w.Helper()
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
		"client_id": {clientID}, "client_secret": {password},
	}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
		if more[i+1] == "" {
			form.Del(more[i])
		}
	}
	a := w.send("POST", w.Endpoints(standIn).Token, form)
	var got tokens
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		w.Fatalf("%d %s", a.status, a.body)
	}
	return a, got
}

// claims verifies an ID token as a client must.
func (w *world) claims(standIn, idToken string) map[string]any {
	w.Helper()
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(w.send("GET", w.Endpoints(standIn).JWKS, nil).body), &keys); err != nil {
		w.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(idToken, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		w.Fatal(err)
	}
	found := keys.Key(parsed.Headers[0].KeyID)
	if len(found) != 1 || !found[0].IsPublic() {
		w.Fatalf("the key of the token is not among the published: %v", found)
	}
	var registered jwt.Claims
	claims := map[string]any{}
	if err := parsed.Claims(found[0].Key, &registered, &claims); err != nil {
		w.Fatal(err)
	}
	want := jwt.Expected{Issuer: w.Endpoints(standIn).Issuer, AnyAudience: jwt.Audience{clientID}, Time: *w.now.Load()}
	if err := registered.ValidateWithLeeway(want, 0); err != nil {
		w.Fatal(err)
	}
	return claims
}

func TestSigningIn(t *testing.T) {
	w := start(t)
	landed := w.landing(w.send("POST", w.question("google"), url.Values{"person": {"ada@example.com"}}))
	if landed.Get("state") != "a state" || landed.Get("iss") != w.Endpoints("google").Issuer || landed.Get("environment") != "test" {
		t.Errorf("came back with %v", landed)
	}
	a, got := w.exchange("google", landed.Get("code"))
	if a.status != 200 || got.TokenType != "Bearer" || got.ExpiresIn != 3600 || got.Scope != "openid email profile" || got.RefreshToken == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	claims := w.claims("google", got.IDToken)
	for name, want := range map[string]any{
		"email": "ada@example.com", "email_verified": true, "name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace",
		"nonce": "a nonce", "locale": "en",
	} {
		if claims[name] != want {
			t.Errorf("%s: %v, want %v", name, claims[name], want)
		}
	}
	info := w.send("GET", w.Endpoints("google").UserInfo, nil, "Authorization", "Bearer "+got.AccessToken)
	var told map[string]any
	if err := json.Unmarshal([]byte(info.body), &told); err != nil || info.status != 200 || told["sub"] != claims["sub"] || told["email"] != "ada@example.com" {
		t.Errorf("userinfo: %d %s", info.status, info.body)
	}
	_, again := w.exchange("google", "", "grant_type", "refresh_token", "refresh_token", got.RefreshToken)
	if renewed := w.claims("google", again.IDToken); renewed["sub"] != claims["sub"] || renewed["nonce"] != nil || again.AccessToken == got.AccessToken {
		t.Errorf("refreshed: %v", renewed)
	}
}

func TestDiscovery(t *testing.T) {
	w := start(t)
	for _, key := range []string{"google", "gitlab"} {
		var got Endpoints
		a := w.send("GET", w.server.URL+Prefix+key+"/.well-known/openid-configuration", nil)
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || got != w.Endpoints(key) {
			t.Errorf("%s: %d %s", key, a.status, a.body)
		}
	}
	if a := w.send("GET", w.server.URL+Prefix+"facebook/.well-known/openid-configuration", nil); a.status != 404 {
		t.Errorf("nobody stands in for facebook: %d", a.status)
	}
}

func TestPeople(t *testing.T) {
	w := start(t)
	type claims = map[string]any
	account := func(standIn string, who url.Values) claims {
		t.Helper()
		_, got := w.exchange(standIn, w.code(standIn, who))
		return w.claims(standIn, got.IDToken)
	}
	sam := url.Values{"name": {" Sam "}, "email": {"Sam@Example.com"}, "verified": {"yes"}, "picture": {"https://example.com/sam.png"}}
	first := account("google", sam)
	if first["email"] != "Sam@Example.com" || first["email_verified"] != true || first["picture"] != "https://example.com/sam.png" || first["family_name"] != nil {
		t.Errorf("as typed: %v", first)
	}
	if again := account("google", url.Values{"email": {"sam@example.com"}}); again["sub"] != first["sub"] || again["email_verified"] != false || again["name"] != nil {
		t.Errorf("the same address is the same account: %v", again)
	}
	if elsewhere := account("gitlab", sam); elsewhere["sub"] == first["sub"] {
		t.Error("two providers gave one person the same account")
	}
	if page := w.send("GET", w.question("google"), nil).body; !strings.Contains(page, `value="sam@example.com"`) {
		t.Error("who was typed is not offered again")
	}
	if page := w.send("GET", w.question("google"), nil).body; strings.Contains(page, "Grace Hopper") {
		t.Error("somebody without an address is offered where everybody has one")
	}
	for _, nameless := range []url.Values{{"person": {"Grace Hopper"}}, {"name": {"Sam"}}} {
		if a := w.send("POST", w.question("google"), nameless); a.status != 422 || !strings.Contains(a.body, "Google has one of everybody") {
			t.Errorf("without an address where everybody has one: %d %s", a.status, a.body)
		}
	}
	if picked := account("gitlab", url.Values{"person": {"Grace Hopper"}}); picked["email"] != nil || picked["email_verified"] != nil || picked["name"] != "Grace Hopper" {
		t.Errorf("without an address: %v", picked)
	}
	if owned := account("microsoft", sam); owned["xms_edov"] != true || owned["email_verified"] != nil {
		t.Errorf("with a claim of its own: %v", owned)
	}
	if narrow := w.code("google", sam, "scope", "openid"); narrow != "" {
		_, got := w.exchange("google", narrow)
		if told := w.claims("google", got.IDToken); told["email"] != nil || told["name"] != nil {
			t.Errorf("without the scopes for it: %v", told)
		}
	}
}

func TestThePage(t *testing.T) {
	w := start(t)
	a := w.send("GET", w.question("google", "login_hint", `"><script>alert(1)</script>`), nil)
	if a.status != 200 || !strings.Contains(a.body, "stands in for Google on this machine") || !strings.Contains(a.body, "localhost:9") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if strings.Contains(a.body, "<script") || strings.Contains(a.body, "style=") {
		t.Error("the page has a script or a style of its own")
	}
	if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script-src") {
		t.Errorf("policy: %s", csp)
	}
	for name, c := range map[string]struct {
		form url.Values
		want string
	}{
		"nobody":            {url.Values{}, "Enter an address, or at least a name."},
		"no address":        {url.Values{"email": {"sam"}}, "Enter an address with a name, an @"},
		"no picture":        {url.Values{"name": {"Sam"}, "picture": {"javascript:alert(1)"}}, "Enter the address of a picture"},
		"somebody unknown":  {url.Values{"person": {"nobody@example.com"}}, "Enter an address, or at least a name."},
		"an angle bracket":  {url.Values{"email": {"<a@b"}}, "Enter an address with a name, an @"},
		"what was typed":    {url.Values{"name": {"Sam <b>"}, "email": {"sam"}}, `value="Sam &lt;b&gt;"`},
		"the check's state": {url.Values{"name": {"Sam"}, "email": {"sam"}, "verified": {"yes"}}, "checked"},
	} {
		if a := w.send("POST", w.question("gitlab"), c.form); a.status != 422 || !strings.Contains(a.body, c.want) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestRefusalsToTheClient(t *testing.T) {
	w := start(t)
	if got := w.landing(w.send("POST", w.question("google"), url.Values{"deny": {"yes"}})); got.Get("error") != "access_denied" || got.Get("state") != "a state" || got.Has("code") {
		t.Errorf("denied: %v", got)
	}
	for name, c := range map[string]struct{ parameter, value, want string }{
		"another response type":     {"response_type", "token", "unsupported_response_type"},
		"another response mode":     {"response_mode", "form_post", "invalid_request"},
		"no OpenID":                 {"scope", "email", "invalid_scope"},
		"nobody to ask":             {"prompt", "none", "login_required"},
		"plain":                     {"code_challenge_method", "plain", "invalid_request"},
		"a method by default":       {"code_challenge_method", "", "invalid_request"},
		"a challenge that is none":  {"code_challenge", "short", "invalid_request"},
		"a method without anything": {"code_challenge", "", "invalid_request"},
	} {
		for _, method := range []string{"GET", "POST"} {
			got := w.landing(w.send(method, w.question("google", c.parameter, c.value), url.Values{"person": {"ada@example.com"}}))
			if got.Get("error") != c.want || got.Get("state") != "a state" || got.Has("code") {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
}

var location = regexp.MustCompile(`(?i)<meta[^>]*refresh`)

func TestSecurityOpenRedirect(t *testing.T) {
	w := start(t)
	for name, more := range map[string][]string{
		"another host":           {"redirect_uri", "https://evil.example/callback"},
		"a host that looks ours": {"redirect_uri", "http://localhost.evil.example/"},
		"a name in front":        {"redirect_uri", "http://localhost@evil.example/"},
		"a script":               {"redirect_uri", "javascript:alert(1)//localhost"},
		"no host":                {"redirect_uri", "//evil.example"},
		"a fragment":             {"redirect_uri", "http://localhost:9/#"},
		"nothing":                {"redirect_uri", ""},
		"another client":         {"client_id", "somebody"},
	} {
		for _, method := range []string{"GET", "POST"} {
			a := w.send(method, w.question("google", more...), url.Values{"person": {"ada@example.com"}})
			if a.status != 400 || a.header.Get("Location") != "" || location.MatchString(a.body) || !strings.Contains(a.body, "This cannot go on") {
				t.Errorf("%s: %d %s", name, a.status, a.header)
			}
		}
	}
}

// Whoever has a client of their own in the way of the stand-in learns how to get to either.
func TestRefusalOfAnotherClientNamesTheWayOut(t *testing.T) {
	w := start(t)
	a := w.send("GET", w.question("google", "client_id", "somebody"), nil)
	for _, command := range []string{"gatehouse oauth-provider set test google", "gatehouse oauth-provider remove test google"} {
		if !strings.Contains(a.body, command) {
			t.Errorf("%q is not in %s", command, a.body)
		}
	}
}

func TestSecurityCodesAreBound(t *testing.T) {
	w := start(t)
	ada := url.Values{"person": {"ada@example.com"}}
	for name, more := range map[string][]string{
		"another verifier":     {"code_verifier", strings.Repeat("b", 43)},
		"no verifier":          {"code_verifier", ""},
		"another redirect_uri": {"redirect_uri", "http://localhost:9/other"},
	} {
		code := w.code("google", ada)
		if a, _ := w.exchange("google", code, more...); a.status != 400 || !strings.Contains(a.body, "invalid_grant") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if a, _ := w.exchange("google", code); a.status != 400 {
			t.Errorf("%s: the code can be tried again", name)
		}
	}
	code := w.code("google", ada)
	if a, _ := w.exchange("google", code); a.status != 200 {
		t.Fatal(a.body)
	}
	if a, _ := w.exchange("google", code); a.status != 400 {
		t.Error("a code was good twice")
	}
	code = w.code("google", ada)
	if a, _ := w.exchange("gitlab", code); a.status != 400 {
		t.Error("a code of one provider was good at another")
	}
	code = w.code("google", ada)
	w.advance(codeLifetime)
	if a, _ := w.exchange("google", code); a.status != 400 {
		t.Error("a code never expires")
	}
}

func TestSecurityClientsAreAuthenticated(t *testing.T) {
	w := start(t)
	form := url.Values{"grant_type": {"authorization_code"}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(user)+":"+url.QueryEscape(password)))
	}
	form.Set("code", w.code("google", url.Values{"person": {"ada@example.com"}}))
	for name, header := range map[string]string{
		"no credentials": "", "another client": basic("somebody", password), "a wrong secret": basic(clientID, "wrong"), "an empty secret": basic(clientID, ""),
		"a broken encoding": "Basic " + base64.StdEncoding.EncodeToString([]byte("%zz:%zz")),
	} {
		if a := w.send("POST", w.Endpoints("google").Token, form, "Authorization", header); a.status != 401 || !strings.Contains(a.body, "invalid_client") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := w.send("POST", w.Endpoints("google").Token, form, "Authorization", basic(clientID, password)); a.status != 200 {
		t.Errorf("the right credentials in the header: %d %s", a.status, a.body)
	}
	if a := w.send("POST", w.Endpoints("google").Token, url.Values{"grant_type": {"password"}}, "Authorization", basic(clientID, password)); a.status != 400 || !strings.Contains(a.body, "unsupported_grant_type") {
		t.Errorf("another grant: %d %s", a.status, a.body)
	}
}

func TestSecurityAccessTokensAreBound(t *testing.T) {
	w := start(t)
	_, got := w.exchange("google", w.code("google", url.Values{"person": {"ada@example.com"}}))
	refused := func(name, standIn, token string) {
		t.Helper()
		if a := w.send("GET", w.Endpoints(standIn).UserInfo, nil, "Authorization", token); a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	refused("nothing", "google", "")
	refused("another token", "google", "Bearer "+got.RefreshToken)
	refused("another provider", "gitlab", "Bearer "+got.AccessToken)
	refused("another scheme", "google", "Basic "+got.AccessToken)
	w.advance(accessLifetime)
	refused("an expired token", "google", "Bearer "+got.AccessToken)
}

// Whoever reaches it may sign in as anybody, so nobody does from elsewhere, and no page decides it for the person.
func TestSecurityOnlyThePersonAtThisMachineDecides(t *testing.T) {
	w := start(t)
	for name, headers := range map[string][]string{
		"a name that was rebound": {"Host", "rebound.example"},
		"a tunnel":                {"X-Forwarded-For", "203.0.113.7"},
		"another page's form":     {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
	} {
		a := w.send("POST", w.question("google"), url.Values{"person": {"ada@example.com"}}, headers...)
		if a.status != 403 || a.header.Get("Location") != "" {
			t.Errorf("%s: %d %s", name, a.status, a.header)
		}
	}
	if a := w.send("GET", w.question("google"), nil, "X-Forwarded-For", "203.0.113.7"); a.status != 403 {
		t.Errorf("the page through a tunnel: %d", a.status)
	}
}

func TestAShelfLetsGoOfTheOldest(t *testing.T) {
	var s shelf[int]
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	first := s.put(0, now, time.Minute)
	var last string
	for i := range maxKept {
		last = s.put(i, now, time.Hour)
	}
	if _, ok := s.get(first, now); ok || len(s.kept) != maxKept {
		t.Errorf("the shelf holds %d", len(s.kept))
	}
	if got, ok := s.get(last, now); !ok || got != maxKept-1 {
		t.Error("the last thing is gone")
	}
}
