package webauthn_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/webauthn/virtualkey"
)

const door = "/sdk/v1/webauthn/"

// browserWith is a page where the person is signed in.
func browserWith(s *authtest.Server, p *authtest.Person) *authtest.Browser {
	b := s.Browser()
	b.Token = p.Session().String("session_token")
	return b
}

func TestBrowserLife(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("ada@example.com")
		b := browserWith(s, p)

		device := virtualkey.NewSecurityKey()
		start := b.Call(http.MethodPost, door+"register/start", body{
			"domain": "localhost", "user_agent": "Lynx", "return_passkey_credential_options": true,
			"user_id": "user-test-00000000-0000-4000-8000-000000000000", // never read at this door
		}).OK()
		options := start.String("public_key_credential_creation_options")
		if start.String("user_id") != p.UserID || strings.ContainsAny(options, "+=") || !strings.Contains(options, `"excludeCredentials":[{"id":"`) {
			t.Errorf("%s", start.Text)
		}
		made := b.Call(http.MethodPost, door+"register", body{"public_key_credential": create(t, device, options).JSON(virtualkey.Base64URL), "session_duration_minutes": 60}).OK()
		registrationID := made.String("webauthn_registration_id")
		if made.String("__user", "user_id") != p.UserID || made.Get("session", "authentication_factors", 1) == nil || made.String("session_token") != b.Token {
			t.Errorf("%s", made.Text)
		}

		renamed := b.Call(http.MethodPut, door+"update/"+registrationID, body{"name": "Drawer"}).OK()
		if renamed.String("webauthn_registration", "name") != "Drawer" || renamed.String("webauthn_registration", "user_agent") != "Lynx" {
			t.Error(renamed.Text)
		}

		// Signed out, with any passkey of the domain.
		out := s.Browser()
		for _, path := range []string{"authenticate/start/primary", "authenticate/start"} {
			start = out.Call(http.MethodPost, door+path, body{"domain": "localhost", "return_passkey_credential_options": true}).OK()
			options = start.String("public_key_credential_request_options")
			if start.String("user_id") != "" || !strings.Contains(options, `"allowCredentials":[]`) {
				t.Error(start.Text)
			}
			in := out.Call(http.MethodPost, door+"authenticate", body{"public_key_credential": get(t, device, options).JSON(virtualkey.Base64URL), "session_duration_minutes": 60}).OK()
			if in.String("user_id") != p.UserID || in.String("webauthn_registration_id") != registrationID || in.String("__user", "user_id") != p.UserID {
				t.Error(in.Text)
			}
		}

		// Signed in, one of the user's own.
		for _, path := range []string{"authenticate/start/secondary", "authenticate/start"} {
			start = b.Call(http.MethodPost, door+path, body{"domain": "localhost"}).OK()
			options = start.String("public_key_credential_request_options")
			if start.String("user_id") != p.UserID || strings.Count(options, `"type":"public-key"`) != 2 {
				t.Error(start.Text)
			}
			assertion := get(t, device, options).JSON(virtualkey.Base64URL)
			b.Call(http.MethodPost, door+"authenticate", body{"public_key_credential": assertion, "session_duration_minutes": 60}).OK()
		}
		out.Call(http.MethodPost, door+"authenticate/start/secondary", body{"domain": "localhost"}).Refused(401, "user_unauthenticated")
	})
}

func TestBrowserDoorRules(t *testing.T) {
	s := authtest.New(t)
	ada, eve := s.Person("ada@example.com"), s.Person("eve@example.com")
	b := browserWith(s, ada)

	b.Call(http.MethodPut, door+"update/"+eve.RegistrationID, body{"name": "mine"}).Refused(404, "webauthn_registration_not_found")
	s.Browser().Call(http.MethodPut, door+"update/"+ada.RegistrationID, body{"name": "x"}).Refused(401, "user_unauthenticated")
	s.Browser().Call(http.MethodPost, door+"register/start", body{"domain": "localhost"}).Refused(401, "user_unauthenticated")
	b.Call(http.MethodPost, door+"register/start", body{"domain": "example.com"}).Refused(400, "invalid_webauthn_registration_domain")
	b.Call(http.MethodPost, door+"authenticate/start/primary", body{"domain": "example.com"}).Refused(400, "invalid_webauthn_registration_domain")
	b.Call(http.MethodPost, door+"authenticate/start/primary", body{"domain": "127.0.0.1"}).Refused(400, "invalid_domain")

	// A user-bound challenge belongs to the session it was made in.
	options := b.Call(http.MethodPost, door+"authenticate/start/secondary", body{"domain": "localhost"}).OK().String("public_key_credential_request_options")
	assertion := body{"public_key_credential": get(t, ada.Key, options).JSON(virtualkey.Base64URL)}
	browserWith(s, ada).Call(http.MethodPost, door+"authenticate", assertion).Refused(401, "unable_to_auth_webauthn_registration")
	s.Browser().Call(http.MethodPost, door+"authenticate", assertion).Refused(401, "user_unauthenticated")
	s.Call(http.MethodPost, authEnd, assertion).Refused(401, "user_unauthenticated")
	b.Call(http.MethodPost, door+"authenticate", assertion).OK()

	// Step-up: somebody with factors of two kinds needs both, recently.
	start := func() *authtest.Answer {
		return b.Call(http.MethodPost, door+"register/start", body{"domain": "localhost"})
	}
	verifyEmail(t, s, ada.UserID)
	start().Refused(401, "insufficient_factors")
	single := browserWith(s, eve)
	single.Call(http.MethodPost, door+"register/start", body{"domain": "localhost"}).OK()
	eveSession := eve.SignIn(body{"session_duration_minutes": 180}).OK()
	single.Token = eveSession.String("session_token")
	s.Clock.Advance(time.Hour)
	single.Call(http.MethodPost, door+"register/start", body{"domain": "localhost"}).Refused(401, "stale_factors")

	s.Configure("sdk.webauthn.create_webauthns", "false")
	for _, call := range [][2]string{{http.MethodPost, "register/start"}, {http.MethodPost, "register"}, {http.MethodPut, "update/" + ada.RegistrationID}} {
		b.Call(call[0], door+call[1], body{}).Refused(401, "endpoint_not_authorized_for_sdk")
	}
	b.Call(http.MethodPost, door+"authenticate/start/primary", body{"domain": "localhost"}).OK()
	s.Configure("sdk.webauthn.enabled", "false")
	b.Call(http.MethodPost, door+"authenticate/start/primary", body{"domain": "localhost"}).Refused(401, "endpoint_not_authorized_for_sdk")
}

func TestBrowserDomains(t *testing.T) {
	s := authtest.New(t)
	s.Configure("sdk.basic.domains", `["https://app.example.com"]`)
	page := virtualkey.Page{Origin: "https://app.example.com"}
	b := s.Browser()
	b.Origin = page.Origin
	for domain, allowed := range map[string]bool{
		"app.example.com": true, "example.com": true, "sub.app.example.com": false, "example.org": false, "com": false, "localhost": false,
	} {
		a := b.Call(http.MethodPost, door+"authenticate/start/primary", body{"domain": domain})
		if (a.Status == 200) != allowed {
			t.Errorf("%s: %s", domain, a.Text)
		}
	}
}

// A page that shares the site but is not authorised cannot hand a credential
// to somebody who asks in its place.
func TestBrowserPagesAreAuthorised(t *testing.T) {
	s := authtest.New(t)
	s.Configure("sdk.basic.domains", `["https://app.example.com"]`)
	userID := newUser(s, nil)
	device := virtualkey.New()
	home := virtualkey.Page{Origin: "https://app.example.com"}
	c, err := device.Create(home, creationOptions(s, userID, body{"domain": "example.com"}))
	if err != nil {
		t.Fatal(err)
	}
	s.Call(http.MethodPost, registerEnd, body{"user_id": userID, "public_key_credential": c.JSON(virtualkey.Base64)}).OK()
	b := s.Browser()
	b.Origin = home.Origin
	signIn := func(page virtualkey.Page) *authtest.Answer {
		options := b.Call(http.MethodPost, door+"authenticate/start/primary", body{"domain": "example.com"}).OK().String("public_key_credential_request_options")
		g, err := device.Get(page, options)
		if err != nil {
			t.Fatal(err)
		}
		return b.Call(http.MethodPost, door+"authenticate", body{"public_key_credential": g.JSON(virtualkey.Base64URL)})
	}
	signIn(home).OK()
	signIn(virtualkey.Page{Origin: "https://blog.example.com"}).Refused(401, "unable_to_auth_webauthn_registration")
}

func TestRelatedOrigins(t *testing.T) {
	s := authtest.New(t)
	ask := func(host, query string) *authtest.Answer {
		return s.Request(http.MethodGet, "/.well-known/webauthn"+query, nil, func(r *http.Request) { r.Host = host })
	}
	ask("app.example.com", "").Refused(404, "related_origins_not_found")
	s.Configure("sdk.basic.domains", `["https://app.example.com"]`)
	s.Configure("webauthn.related_origins", `["https://example.co.uk","https://example.de"]`)
	for _, a := range []*authtest.Answer{
		ask("app.example.com", "").OK(), ask("Example.com:443", "").OK(), ask("proxy.internal", "?project_id="+s.Env.ID).OK(),
	} {
		var document struct{ Origins []string }
		if err := json.Unmarshal([]byte(a.Text), &document); err != nil || strings.Join(document.Origins, " ") != "https://example.co.uk https://example.de" {
			t.Errorf("%s %v", a.Text, err)
		}
		if got := a.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
			t.Errorf("content type %q", got)
		}
	}
	ask("other.example.org", "").Refused(404, "related_origins_not_found")
	ask("app.example.com", "?project_id="+s.Live.ID).Refused(404, "related_origins_not_found")
}
