package app_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/webauthn/virtualkey"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/wire"
)

// open lists every route that needs no credential, each with its reason: a
// route that is not here must refuse all the wrong callers below.
var open = map[string]string{
	"GET /healthz":                                    "load balancers ask it",
	"GET /readyz":                                     "load balancers ask it",
	"GET /openapi.json":                               "describes the API, holds no data",
	"GET /reference":                                  "describes the API, holds no data",
	"GET /clientside-services/index.html":             "reads phone numbers in the browser, holds no data",
	"GET /ui/*":                                       "scripts and styles of the pages",
	"POST /sdk/v1/events":                             "telemetry that is read and dropped",
	"GET /v1/sessions/jwks/{project_id}":              "public keys",
	"POST /v1/oauth2/token":                           "its callers show the secret of an M2M client",
	"POST /v1/public/{project_id}/oauth2/token":       "its callers show the secret of an M2M client",
	"GET /.well-known/webauthn":                       "related origins, read by browsers",
	"GET /metrics":                                    "has a bearer token of its own",
	"GET /v1/magic_links/redirect":                    "people open it from their mail; it changes nothing",
	"POST /v1/magic_links/redirect":                   "the button of the same page",
	"GET /v1/public/oauth/{provider}/start":           "names an environment by its public token, and sends browsers to providers",
	"GET /v1/public/oauth/google/onetap/start":        "names an environment by its public token, and tells what Google calls it",
	"GET /v1/oauth/callback/{callback_id}":            "providers send browsers back to it; the state says who began",
	"GET /v1/oauth/callback/{callback_id}/{provider}": "the same, from a provider that is known by its issuer",
	"POST /v1/oauth/callback/{callback_id}":           "the same, from providers that post a form",
}

// TestAuthorisationMatrix is security case 23: every route of the table, every
// wrong kind of caller.
func TestAuthorisationMatrix(t *testing.T) {
	s := authtest.New(t)
	live := s.Live.ID
	public := s.Env.PublicTokens[0].Token
	session := s.Person("a@example.com").Session().String("session_token")
	callers := map[string]func(*http.Request){
		"nobody":                        func(*http.Request) {},
		"malformed header":              func(r *http.Request) { r.Header.Set("Authorization", "Basic !") },
		"bearer token":                  func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+session) },
		"wrong secret":                  func(r *http.Request) { r.SetBasicAuth(s.Env.ID, "wrong") },
		"empty secret":                  func(r *http.Request) { r.SetBasicAuth(s.Env.ID, "") },
		"secret of another environment": func(r *http.Request) { r.SetBasicAuth(live, s.Secret()) },
		"secret without project":        func(r *http.Request) { r.SetBasicAuth("", s.Secret()) },
		"session as secret":             func(r *http.Request) { r.SetBasicAuth(s.Env.ID, session) },
		"unknown public token":          func(r *http.Request) { r.SetBasicAuth("public-token-test-0194f0a2-7c1e-4abc-8def-0123456789ab", "x") },
		"public token of a closed door": func(r *http.Request) { r.SetBasicAuth(s.Live.PublicTokens[0].Token, session) },
		"session at a foreign public door": func(r *http.Request) {
			r.SetBasicAuth("public-token-live-0194f0a2-7c1e-4abc-8def-0123456789ab", session)
		},
	}
	doors := map[wire.Auth]map[string]func(*http.Request){
		wire.Secret: {"public token": func(r *http.Request) { r.SetBasicAuth(public, session) }},
		wire.Public: {
			"secret":            func(r *http.Request) { r.SetBasicAuth(s.Env.ID, s.Secret()) },
			"unauthorised page": func(r *http.Request) { r.SetBasicAuth(public, session); r.Header.Set("Origin", "https://evil.example") },
			"unauthorised frame": func(r *http.Request) {
				r.SetBasicAuth(public, session)
				r.Header.Set("X-SDK-Parent-Host", "https://evil.example")
			},
		},
	}
	for _, e := range s.App.Server.Endpoints() {
		route := e.Method + " " + e.Path
		if e.Auth == wire.Open {
			if open[route] == "" {
				t.Errorf("%s needs no credential: give it one, or a reason in this test", route)
			}
			continue
		}
		path := strings.NewReplacer("{", "", "}", "").Replace(e.Path)
		for _, group := range []map[string]func(*http.Request){callers, doors[e.Auth]} {
			for name, edit := range group {
				a := s.Request(e.Method, path, "{}", edit)
				if a.Status < 400 || a.Status > 404 || a.Get("error_type") == nil || a.Get("error_type") == "route_not_found" {
					t.Errorf("%s by %s: %d %s", route, name, a.Status, a.Text)
				}
				if a.Get("data") != nil || strings.Contains(a.Text, session) {
					t.Errorf("%s by %s leaks: %s", route, name, a.Text)
				}
			}
		}
	}
}

// anonymous are the routes of the browser's door that nobody has to be signed in
// for.
var anonymous = map[string]bool{
	"GET /sdk/v1/projects/bootstrap/{public_token}":          true,
	"POST /sdk/v1/webauthn/authenticate":                     true,
	"POST /sdk/v1/webauthn/authenticate/start":               true,
	"POST /sdk/v1/webauthn/authenticate/start/primary":       true,
	"POST /sdk/v1/magic_links/email/login_or_create":         true,
	"POST /sdk/v1/magic_links/email/send/primary":            true,
	"POST /sdk/v1/magic_links/authenticate":                  true,
	"POST /sdk/v1/otps/sms/login_or_create":                  true,
	"POST /sdk/v1/otps/sms/send/primary":                     true,
	"POST /sdk/v1/otps/whatsapp/login_or_create":             true,
	"POST /sdk/v1/otps/whatsapp/send/primary":                true,
	"POST /sdk/v1/otps/email/login_or_create":                true,
	"POST /sdk/v1/otps/email/send/primary":                   true,
	"POST /sdk/v1/otps/authenticate":                         true,
	"POST /sdk/v1/passwords":                                 true,
	"POST /sdk/v1/passwords/authenticate":                    true,
	"POST /sdk/v1/passwords/strength_check":                  true,
	"POST /sdk/v1/passwords/email/reset/start":               true,
	"POST /sdk/v1/passwords/email/reset":                     true,
	"POST /sdk/v1/passwords/existing_password/reset":         true,
	"POST /sdk/v1/users/search":                              true,
	"POST /sdk/v1/crypto_wallets/authenticate":               true,
	"POST /sdk/v1/crypto_wallets/authenticate/start/primary": true,
	"POST /sdk/v1/biometrics/authenticate/start":             true,
	"POST /sdk/v1/biometrics/authenticate":                   true,
	"POST /sdk/v1/sessions/attest":                           true,
	"POST /sdk/v1/oauth/google/id_token/authenticate":        true,
	"POST /sdk/v1/oauth/apple/id_token/authenticate":         true,
	"POST /sdk/v1/impersonation/authenticate":                true,
	"POST /sdk/v1/oauth/authenticate":                        true,
}

// TestNobodyIsSignedInByAPublicToken: behind the browser's door a public token
// names an environment, not a person.
func TestNobodyIsSignedInByAPublicToken(t *testing.T) {
	s := authtest.New(t)
	if _, err := s.Projects.AddRedirectURL(t.Context(), s.Env.ID, "http://localhost:3000/", project.RedirectTypes, true); err != nil {
		t.Fatal(err)
	}
	p := s.Person("a@example.com")
	p.Key = virtualkey.New()
	credential := p.Created()
	for _, e := range s.App.Server.Endpoints() {
		if e.Auth != wire.Public || anonymous[e.Method+" "+e.Path] {
			continue
		}
		path := strings.NewReplacer("{", "", "}", "").Replace(e.Path)
		body := map[string]any{"domain": "localhost", "public_key_credential": credential, "email": "b@example.com", "phone_number": "+12025550123", "totp_code": "123456", "recovery_code": "a1b2-c3d4-e5f6", "password": "mauve tractor sings 41", "provider": "google"}
		if strings.Contains(path, "crypto_wallets/authenticate") {
			body["crypto_wallet_type"], body["crypto_wallet_address"] = "ethereum", "0x52908400098527886e0f7030069857d2e4169ee7"
		}
		if strings.Contains(path, "biometrics") {
			body["public_key"] = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{2}, 32))
			body["biometric_registration_id"] = id.New(id.Biometric, id.Test, s.Clock.Now())
			body["signature"] = base64.StdEncoding.EncodeToString(make([]byte, 64))
		}
		if strings.Contains(path, "webauthn") {
			body["name"] = "x"
		}
		s.Browser().Call(e.Method, path, body).Refused(401, "user_unauthenticated")
	}
}
