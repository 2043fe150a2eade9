package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatehouse/internal/authtest"
	"gatehouse/internal/id"
	"gatehouse/internal/store"
	"gatehouse/internal/wire"
)

type fields = map[string]any

// TestPlaintextAtRest is security case 10: no token, secret or key can be read
// from the database's files.
func TestPlaintextAtRest(t *testing.T) {
	s := authtest.New(t)
	if s.DB.Engine() != store.SQLite {
		t.Fatal("this test reads the files of SQLite")
	}
	a := s.Person("a@example.com").Session()
	canaries := map[string]string{
		"session token": a.String("session_token"),
		"session JWT":   a.String("session_jwt"),
		"secret":        s.Secret(),
		"PKCS #8 key":   "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04\x6d", // the head of an unsealed P-256 key
	}
	files, err := filepath.Glob(s.DatabaseFile() + "*")
	if err != nil || len(files) < 2 {
		t.Fatalf("database files: %v, %v", files, err)
	}
	seen := ""
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		seen += string(text)
	}
	if !strings.Contains(seen, "a@example.com") {
		t.Fatal("the files do not hold what was just written, so this test proves nothing")
	}
	for name, canary := range canaries {
		if strings.Contains(seen, canary) {
			t.Errorf("the %s can be read from the database's files", name)
		}
	}
}

// TestEnumeration is security cases 12 and 13 for what exists so far: no route
// that an anonymous browser can call takes a name of a user, so none can tell
// whether there is one.
func TestEnumeration(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("known@example.com")
		volatile := regexp.MustCompile(`request-id-[a-z0-9-]+|\\"challenge\\":\\"[^"]+\\"`)
		for _, path := range []string{"/sdk/v1/webauthn/authenticate/start", "/sdk/v1/webauthn/authenticate/start/primary"} {
			answers := map[string]bool{}
			for _, who := range []fields{
				{"user_id": p.UserID, "email": "known@example.com"},
				{"user_id": id.New(id.User, id.Test, s.Clock.Now()), "email": "unknown@example.com"},
				{},
			} {
				who["domain"] = authtest.Domain
				a := s.Browser().Call(http.MethodPost, path, who).OK()
				answers[volatile.ReplaceAllString(a.Text, "")] = true
			}
			if len(answers) != 1 {
				t.Errorf("%s answers in %d ways: %v", path, len(answers), answers)
			}
		}
	})
}

// TestCrossEnvironmentIsolation is security case 24: the same external id, the
// same e-mail and even the same object id mean nothing in another environment.
func TestCrossEnvironmentIsolation(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		session := p.Session()
		s.Call(http.MethodPut, "/v1/users/"+p.UserID, fields{"external_id": "customer-1"}).OK()
		other := s.Environment("Staging")
		other.Call(http.MethodGet, "/v1/users/"+p.UserID, nil).Refused(404, "user_not_found")
		other.Call(http.MethodGet, "/v1/users/customer-1", nil).Refused(404, "user_not_found")
		other.Call(http.MethodDelete, "/v1/users/webauthn_registrations/"+p.RegistrationID, nil).Refused(404, "webauthn_registration_not_found")
		other.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_token": session.String("session_token")}).Refused(404, "session_not_found")
		other.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_jwt": session.String("session_jwt")}).Refused(400, "unable_to_parse_session_jwt")
		other.Call(http.MethodPost, "/v1/sessions/revoke", fields{"session_id": session.String("session", "session_id")}).Refused(404, "session_not_found")
		other.Call(http.MethodPost, "/v1/webauthn/authenticate", fields{"public_key_credential": p.Assertion()}).Refused(404, "webauthn_registration_not_found")
		twin := other.Call(http.MethodPost, "/v1/users", fields{"email": "a@example.com", "external_id": "customer-1"}).OK()
		s.Call(http.MethodDelete, "/v1/users/customer-1", nil).OK()
		if got := other.Call(http.MethodGet, "/v1/users/customer-1", nil).OK(); got.Get("user_id") != twin.Get("user_id") {
			t.Errorf("deleting one twin left %s", got.Text)
		}
		s.Call(http.MethodGet, "/v1/users/customer-1", nil).Refused(404, "user_not_found")
	})
}

// TestGoneUsersCannotRenew is security case 52: nothing a deleted user still
// holds is worth anything.
func TestGoneUsersCannotRenew(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		session := p.Session()
		waiting := p.Assertion()
		s.Call(http.MethodDelete, "/v1/users/"+p.UserID, nil).OK()
		b := s.Browser()
		b.Token = session.String("session_token")
		b.Call(http.MethodPost, "/sdk/v1/sessions/authenticate", fields{"session_duration_minutes": 60}).Refused(404, "session_not_found")
		b.Call(http.MethodGet, "/sdk/v1/users/me", nil).Refused(404, "session_not_found")
		s.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_jwt": session.String("session_jwt")}).Refused(404, "session_not_found")
		s.Call(http.MethodPost, "/v1/webauthn/authenticate", fields{"public_key_credential": waiting, "session_duration_minutes": 60}).Refused(404, "webauthn_registration_not_found")
	})
}

// TestResponseSchemaHoldsNoSecrets is security case 61: a field that could
// carry a credential needs a reason here before it can be answered.
func TestResponseSchemaHoldsNoSecrets(t *testing.T) {
	s := authtest.New(t)
	text, err := wire.OpenAPI(wire.Info{Title: "Gatehouse"}, s.App.Server.Endpoints())
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]any `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	allowed := map[string]string{
		"trusted_auth_token_factor": "names the token that was used", "token_id": "an identifier",
		"session_token": "the caller's own session", "password": "says only that there is one", "password_id": "an identifier",
		"secret":        "of an authenticator app, shown when it is added",
		"client_secret": "of an M2M client, shown when it is made", "next_client_secret": "shown when it is made",
		"client_secret_last_four": "tells secrets apart", "next_client_secret_last_four": "tells secrets apart",
		"access_token": "the caller has asked for it", "token_type": "bearer", "access_token_expires_in": "a number of seconds",
		"password_config": "the policy a form shows", "valid_password": "yes or no", "breached_password": "yes or no", "public_key": "public", "public_token": "public",
		"refresh_token": "of a provider, for the app that asked for it", "id_token": "the same", "oauth_attach_token": "the caller has asked for it",
		"pkce_required_for_password_resets": "a switch", "token": "an embeddable link, which the caller has asked for",
	}
	suspicious := regexp.MustCompile(`secret|hash|private|sealed|seed|token|password|public_key$`)
	checked := 0
	var walk func(where string, v any)
	walk = func(where string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if properties, ok := v["properties"].(map[string]any); ok {
				for name := range properties {
					checked++
					if suspicious.MatchString(name) && allowed[name] == "" {
						t.Errorf("%s answers %q", where, name)
					}
				}
			}
			for _, inner := range v {
				walk(where, inner)
			}
		case []any:
			for _, inner := range v {
				walk(where, inner)
			}
		}
	}
	for path, methods := range doc.Paths {
		for method, operation := range methods {
			walk(method+" "+path, operation.Responses)
		}
	}
	for name, schema := range doc.Components.Schemas {
		if !strings.HasSuffix(name, "Input") {
			walk(name, schema)
		}
	}
	if checked < 100 {
		t.Errorf("only %d fields were found in the document", checked)
	}
}

// TestJOSEBombs is security case 55: size is checked before anything is parsed.
func TestJOSEBombs(t *testing.T) {
	s := authtest.New(t)
	header := "eyJhbGciOiJSUzI1NiIsInppcCI6IkRFRiJ9"
	for _, bomb := range []string{
		strings.Repeat(".", 500_000),
		header + strings.Repeat(".", 4),
		header + "." + strings.Repeat("A", 900_000) + ".A",
		strings.Repeat("e30.", 3) + "e30",
	} {
		s.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_jwt": bomb}).Refused(400, "unable_to_parse_session_jwt")
	}
}
