package demo

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// world is a demo in front of a fake API, at a time that the test sets.
type world struct {
	t    *testing.T
	api  *fakeAPI
	demo *Demo
	now  time.Time
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, api: newFakeAPI(t), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.demo = New(Config{
		BaseURL:     func() string { return w.api.server.URL },
		ProjectID:   projectID,
		Secret:      secret,
		PublicToken: publicToken,
		Now:         func() time.Time { return w.now },
	})
	return w
}

// browser keeps cookies between its calls.
type browser struct {
	*world
	cookies map[string]*http.Cookie
}

func (w *world) browser() *browser { return &browser{w, map[string]*http.Cookie{}} }

func (b *browser) set(name, value string) { b.cookies[name] = &http.Cookie{Name: name, Value: value} }

// call sends one request of the page and gives status and answer.
func (b *browser) call(method, path, body string, change ...func(*http.Request)) (int, map[string]any) {
	b.t.Helper()
	r := httptest.NewRequest(method, "http://localhost:8080"+path, strings.NewReader(body))
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	b.demo.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.cookies[c.Name] = c; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	if strings.Contains(w.Body.String(), secret) {
		b.t.Errorf("%s %s gave the secret away", method, path)
	}
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		return w.Code, map[string]any{"error_message": w.Body.String()}
	}
	return w.Code, answer
}

func (b *browser) start(email string) (int, string) {
	b.t.Helper()
	status, answer := b.call("POST", "/demo/api/register/start", `{"email":"`+email+`"}`)
	errorType, _ := answer["error_type"].(string)
	return status, errorType
}

func (b *browser) finish(credential string) (int, map[string]any) {
	b.t.Helper()
	return b.call("POST", "/demo/api/register/finish", `{"credential":`+credential+`}`)
}

func TestCreatingAnAccount(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	status, answer := b.call("POST", "/demo/api/register/start", `{"email":" ada@example.com "}`)
	if status != 200 || answer["options"].(map[string]any)["challenge"] != "AQ" {
		t.Fatalf("start answered %d, %v", status, answer)
	}
	sent := w.api.bodies["POST /v1/webauthn/register/start"]
	if sent["domain"] != "localhost" || sent["return_passkey_credential_options"] != true || sent["use_base64_url_encoding"] != true {
		t.Errorf("asked for options with %v", sent)
	}
	c := b.cookies[signUpCookieName]
	if c == nil || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != Prefix || c.MaxAge != 600 {
		t.Errorf("the sign-up cookie is %v", c)
	}
	status, answer = b.finish(`{"id":"AQID"}`)
	if status != 200 || answer["session_token"] != "token-of-user-test-ada@example.com" || answer["session_jwt"] != "a.jwt.x" {
		t.Fatalf("finish answered %d, %v", status, answer)
	}
	sent = w.api.bodies["POST /v1/webauthn/register"]
	if sent["public_key_credential"] != `{"id":"AQID"}` || sent["session_duration_minutes"] != 60.0 {
		t.Errorf("registered with %v", sent)
	}
	if b.cookies[signUpCookieName] != nil {
		t.Error("the sign-up cookie outlived the sign-up")
	}
	if len(w.api.users["user-test-ada@example.com"].Trusted) != 0 || !w.api.before("PUT /v1/users/{id}", "POST /v1/webauthn/register") {
		t.Error("a finished account is still marked as begun, and could be taken for abandoned")
	}
}

func TestACancelledSignUpGoesOnInTheSameBrowserOnly(t *testing.T) {
	w := newWorld(t)
	mine, stranger := w.browser(), w.browser()
	for range 2 { // the person cancels the first dialog and tries again; the server is restarted in between
		w.demo = New(w.demo.config)
		if status, errorType := mine.start("ada@example.com"); status != 200 {
			t.Fatalf("start answered %d %s", status, errorType)
		}
	}
	if n := w.api.wasAsked("POST /v1/users"); n != 1 {
		t.Errorf("%d users were created for one person", n)
	}
	if status, errorType := stranger.start("ADA@example.com"); status != 409 || errorType != "account_exists" {
		t.Errorf("a stranger's start answered %d %s", status, errorType)
	}
	if status, _ := stranger.finish(`{"id":"AQID"}`); status != 400 {
		t.Errorf("a stranger's finish answered %d", status)
	}
	if status, _ := mine.finish(`{"id":"AQID"}`); status != 200 {
		t.Errorf("finish answered %d", status)
	}
}

func TestAFailedPasskeyMayBeTriedAgain(t *testing.T) {
	b := newWorld(t).browser()
	b.start("ada@example.com")
	if status, answer := b.finish(`{"id":"bad"}`); status != 400 || answer["error_type"] != "invalid_public_key_credential" {
		t.Fatalf("a bad credential answered %d, %v", status, answer)
	}
	if status, errorType := b.start("ada@example.com"); status != 200 {
		t.Fatalf("the second start answered %d %s", status, errorType)
	}
	if status, _ := b.finish(`{"id":"AQID"}`); status != 200 {
		t.Errorf("the second finish answered %d", status)
	}
}

func TestAnExistingAccountIsNeverOpenedByRegistering(t *testing.T) {
	mark := func(u *fakeUser, at time.Time) { u.Trusted = map[string]any{pendingMark: at.Format(time.RFC3339)} }
	tests := map[string]func(*world, *fakeUser){
		"made elsewhere": func(*world, *fakeUser) {},
		"with a passkey": func(w *world, u *fakeUser) {
			mark(u, w.now.Add(-time.Hour))
			u.Registrations = []map[string]any{{"a": 1}}
		},
		"with a verified e-mail":    func(w *world, u *fakeUser) { mark(u, w.now.Add(-time.Hour)); u.Emails[0].Verified = true },
		"with a second e-mail":      func(w *world, u *fakeUser) { mark(u, w.now.Add(-time.Hour)); u.Emails = append(u.Emails, fakeEmail{}) },
		"with a phone":              func(w *world, u *fakeUser) { mark(u, w.now.Add(-time.Hour)); u.Phones = []map[string]any{{"a": 1}} },
		"with a password":           func(w *world, u *fakeUser) { mark(u, w.now.Add(-time.Hour)); u.Password = map[string]any{"a": 1} },
		"begun a moment ago":        func(w *world, u *fakeUser) { mark(u, w.now.Add(-abandonedAfter+time.Second)) },
		"with an unreadable mark":   func(w *world, u *fakeUser) { u.Trusted = map[string]any{pendingMark: "long ago"} },
		"with a mark of other kind": func(w *world, u *fakeUser) { u.Trusted = map[string]any{pendingMark: 1} },
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			prepare(w, w.api.addUser("ada@example.com"))
			if status, errorType := w.browser().start("ada@example.com"); status != 409 || errorType != "account_exists" {
				t.Errorf("start answered %d %s", status, errorType)
			}
			if w.api.wasAsked("POST /v1/webauthn/register/start") != 0 || len(w.api.users) != 1 {
				t.Error("the account was touched")
			}
		})
	}
}

func TestAnAbandonedSignUpFreesItsAddress(t *testing.T) {
	w := newWorld(t)
	first, second := w.browser(), w.browser()
	first.start("ada@example.com")
	old := w.api.users["user-test-ada@example.com"]
	w.now = w.now.Add(abandonedAfter)
	if status, errorType := second.start("ada@example.com"); status != 200 {
		t.Fatalf("start answered %d %s", status, errorType)
	}
	for _, u := range w.api.users {
		if u == old {
			t.Error("the abandoned user was kept: its first browser could still have finished")
		}
	}
	if status, _ := second.finish(`{"id":"AQID"}`); status != 200 {
		t.Errorf("finish answered %d", status)
	}
	if status, answer := first.finish(`{"id":"AQID"}`); status != 400 || answer["error_type"] != "registration_not_started" {
		t.Errorf("the first browser's finish answered %d, %v", status, answer)
	}
}

func TestASignUpFinishedInAnotherTabSaysSo(t *testing.T) {
	b := newWorld(t).browser()
	b.start("ada@example.com")
	kept := *b.cookies[signUpCookieName]
	b.finish(`{"id":"AQID"}`)
	b.cookies[signUpCookieName] = &kept
	if status, errorType := b.start("ada@example.com"); status != 409 || errorType != "account_exists" {
		t.Errorf("start answered %d %s", status, errorType)
	}
}

func TestASignUpWhoseUserIsGoneStartsOver(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.start("ada@example.com")
	clear(w.api.users)
	if status, answer := b.finish(`{"id":"AQID"}`); status != 400 || answer["error_type"] != "registration_not_started" {
		t.Errorf("finish answered %d, %v", status, answer)
	}
	if status, errorType := b.start("ada@example.com"); status != 200 || len(w.api.users) != 1 {
		t.Errorf("start answered %d %s", status, errorType)
	}
}

func TestTheSignUpCookieCannotBeMadeUp(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.start("ada@example.com")
	genuine := b.cookies[signUpCookieName].Value
	payload, signature, _ := strings.Cut(genuine, ".")
	elsewhere := w.demo.config
	elsewhere.Secret = "secret-test-another"
	another := New(elsewhere).signUpCookie(signUp{UserID: "user-test-victim", Email: "victim@example.com", Expires: w.now.Add(time.Hour).Unix()})
	otherPayload, _, _ := strings.Cut(another.Value, ".")
	for name, value := range map[string]string{
		"empty":                            "",
		"without a signature":              payload,
		"with an empty signature":          payload + ".",
		"signed by another demo":           another.Value,
		"another payload, this signature":  otherPayload + "." + signature,
		"signature that is not base64":     payload + ".!",
		"with something after it":          genuine + "A",
		"a payload that is not what it is": "e30." + signature,
	} {
		b.set(signUpCookieName, value)
		if status, answer := b.finish(`{"id":"AQID"}`); status != 400 || answer["error_type"] != "registration_not_started" {
			t.Errorf("%s: finish answered %d, %v", name, status, answer)
		}
	}
	b.set(signUpCookieName, genuine)
	w.now = w.now.Add(signUpLifetime)
	if status, _ := b.finish(`{"id":"AQID"}`); status != 400 {
		t.Errorf("a cookie past its time answered %d", status)
	}
}

func TestRefusedRequests(t *testing.T) {
	b := newWorld(t).browser()
	tests := []struct {
		name, body string
		change     func(*http.Request)
		status     int
		errorType  string
	}{
		{"no e-mail", `{"email":"  "}`, nil, 400, "invalid_email"},
		{"an e-mail the API refuses", `{"email":"ada"}`, nil, 400, "invalid_email"},
		{"not JSON", `email=ada`, nil, 400, "bad_request"},
		{"opened by an IPv4 address", `{"email":"a@b.c"}`, func(r *http.Request) { r.Host = "127.0.0.1:8080" }, 400, "domain_required"},
		{"opened by an IPv6 address", `{"email":"a@b.c"}`, func(r *http.Request) { r.Host = "[::1]" }, 400, "domain_required"},
		{"from another site", `{"email":"a@b.c"}`, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403, ""},
		{"from another app on this host", `{"email":"a@b.c"}`, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var changes []func(*http.Request)
			if tt.change != nil {
				changes = append(changes, tt.change)
			}
			status, answer := b.call("POST", "/demo/api/register/start", tt.body, changes...)
			if errorType, _ := answer["error_type"].(string); status != tt.status || errorType != tt.errorType {
				t.Errorf("answered %d, %v", status, answer)
			}
		})
	}
	if status, answer := b.call("GET", "/demo/api/nothing", ""); status != 404 || answer["error_type"] != "route_not_found" {
		t.Errorf("an unknown address answered %d, %v", status, answer)
	}
}

func TestAnAPIThatIsNotThereIsSaid(t *testing.T) {
	w := newWorld(t)
	w.api.server.Close()
	if status, errorType := w.browser().start("ada@example.com"); status != 502 || errorType != "api_unreachable" {
		t.Errorf("start answered %d %s", status, errorType)
	}
}

func TestThePageLearnsWhatItMayKnow(t *testing.T) {
	w := newWorld(t)
	_, answer := w.browser().call("GET", "/demo/api/config", "")
	want := map[string]any{"project_id": projectID, "public_token": publicToken, "base_url": w.api.server.URL, "domain": "localhost"}
	for name, value := range want {
		if answer[name] != value {
			t.Errorf("%s is %v, want %v", name, answer[name], value)
		}
	}
}

func TestCheckingTheSession(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	if status, answer := b.call("GET", "/demo/api/session", ""); status != 401 || answer["error_type"] != "no_session" {
		t.Errorf("without cookies: %d, %v", status, answer)
	}
	u := w.api.addUser("ada@example.com")
	w.api.sessions["token"] = u.ID
	b.set("stytch_session", "token")
	b.set("stytch_session_jwt", w.api.token(w.now, nil))
	status, answer := b.call("GET", "/demo/api/session", "")
	checked, _ := answer["jwt"].(map[string]any)
	if status != 200 || answer["verified_at"] != "2026-01-02T03:04:05Z" || checked["valid"] != true || checked["key_id"] != "jwk-test-1" || checked["algorithm"] != "RS256" {
		t.Fatalf("a live session: %d, %v", status, answer)
	}
	calls := answer["calls"].([]any)
	if len(calls) != 2 || calls[0].(map[string]any)["path"] != "/v1/sessions/authenticate" {
		t.Errorf("the calls are %v", calls)
	}
	b.call("GET", "/demo/api/session", "")
	if n := w.api.wasAsked("GET /v1/sessions/jwks/{project}"); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
	delete(w.api.sessions, "token")
	if status, answer := b.call("GET", "/demo/api/session", ""); status != 404 || answer["error_type"] != "session_not_found" {
		t.Errorf("a revoked session: %d, %v", status, answer)
	}
	w.api.sessions["token"] = u.ID
	delete(b.cookies, "stytch_session")
	b.set("stytch_session_jwt", "jwt-of-token")
	if status, _ := b.call("GET", "/demo/api/session", ""); status != 200 {
		t.Errorf("a session known by its JWT alone: %d", status)
	}
}

func TestAJWTThatDoesNotHoldIsTold(t *testing.T) {
	w := newWorld(t)
	stranger := newFakeAPI(t)
	tests := map[string]struct{ token, reason string }{
		"expired":         {w.api.token(w.now.Add(-5*time.Minute-time.Second), nil), "expired"},
		"not yet valid":   {w.api.token(w.now.Add(time.Minute), nil), "expired"},
		"another project": {w.api.token(w.now, func(c *jwt.Claims, _ *jose.SignerOptions) { c.Audience = jwt.Audience{"project-test-2"} }), "another project"},
		"another issuer":  {w.api.token(w.now, func(c *jwt.Claims, _ *jose.SignerOptions) { c.Issuer = "https://evil.example" }), "issued"},
		"another key":     {stranger.token(w.now, func(c *jwt.Claims, _ *jose.SignerOptions) { c.Issuer = w.api.server.URL }), "signature"},
		"an unknown key":  {w.api.token(w.now, func(_ *jwt.Claims, o *jose.SignerOptions) { o.WithHeader("kid", "jwk-test-2") }), "key"},
		"no signature":    {"eyJhbGciOiJub25lIn0.e30.", "not a JWT"},
		"no JWT":          {"x", "not a JWT"},
	}
	for name, tt := range tests {
		r := &request{Request: httptest.NewRequest("GET", "/demo/api/session", nil), api: &api{config: &w.demo.config, ctx: t.Context()}}
		checked, err := w.demo.checkJWT(r, tt.token)
		if err != nil || checked.Valid || !strings.Contains(checked.Reason, tt.reason) {
			t.Errorf("%s: %+v, %v", name, checked, err)
		}
	}
	r := &request{Request: httptest.NewRequest("GET", "/demo/api/session", nil), api: &api{config: &w.demo.config, ctx: t.Context()}}
	own := w.api.token(w.now, func(c *jwt.Claims, _ *jose.SignerOptions) { c.Issuer = "stytch.com/" + projectID })
	if checked, err := w.demo.checkJWT(r, own); err != nil || !checked.Valid {
		t.Errorf("the other issuer a project may have: %+v, %v", checked, err)
	}
}

func TestThePasskeysThatStillWork(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	if status, _ := b.call("GET", "/demo/api/passkeys", ""); status != 401 {
		t.Errorf("without a session: %d", status)
	}
	u := w.api.addUser("ada@example.com")
	w.api.sessions["token"] = u.ID
	b.set("stytch_session", "token")
	status, answer := b.call("GET", "/demo/api/passkeys", "")
	if status != 200 || answer["user_id"] != u.ID || answer["rp_id"] != "localhost" {
		t.Fatalf("answered %d, %v", status, answer)
	}
	passkey := answer["passkeys"].([]any)[0].(map[string]any)
	if passkey["credential_id"] != "AQID" || passkey["public_key"] != nil {
		t.Errorf("the passkey is %v", passkey)
	}
	if !slices.Contains(w.api.asked, "GET /v1/webauthn/credentials/{id}/{d}") {
		t.Error("the API was not asked")
	}
}
