package wire_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/wire"
)

// These compare what the edge costs with a bare net/http handler that reads
// and writes the same JSON, without a network:
//
//	go test -bench . -benchmem ./internal/wire/

// document is a user of the usual size, wire-ready.
type document []byte

func (d document) MarshalJSON() ([]byte, error) { return d, nil }

func (d document) WireJSON() []byte { return d }

var benchUser = document(strings.ReplaceAll(strings.ReplaceAll(`{"user_id":"user-test-019b7d5c-1c9d-7b6e-9b57-0f3a6b1f6d7e",
"name":{"first_name":"Ada","middle_name":"","last_name":"Lovelace"},"status":"active","emails":[{"email_id":"email-test-019b7d5c-1c9d-7b6e-9b57-0f3a6b1f6d7f",
"email":"ada@example.com","verified":true}],"phone_numbers":[],"webauthn_registrations":[{"webauthn_registration_id":"webauthn-registration-test-019b7d5c-1c9d-7b6e-9b57-0f3a6b1f6d80",
"domain":"example.com","user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36","verified":true,
"authenticator_type":"platform","name":"iCloud Keychain"}],"providers":[],"totps":[],"crypto_wallets":[],"biometric_registrations":[],"password":null,
"created_at":"2026-01-02T03:04:05Z","is_locked":false,"lock_created_at":null,"lock_expires_at":null,"roles":["stytch_user"],
"trusted_metadata":{"plan":"pro","seats":12},"untrusted_metadata":{"theme":"dark","locale":"en-GB"},"external_id":null}`, "\n", ""), "\t", ""))

type benchRequest struct {
	SessionToken           string         `json:"session_token" door:"server"`
	SessionJWT             string         `json:"session_jwt" door:"server"`
	SessionDurationMinutes *int           `json:"session_duration_minutes"`
	SessionCustomClaims    map[string]any `json:"session_custom_claims" door:"server"`
}

type benchFactor struct {
	Type                string            `json:"type"`
	DeliveryMethod      string            `json:"delivery_method"`
	LastAuthenticatedAt time.Time         `json:"last_authenticated_at"`
	CreatedAt           *time.Time        `json:"created_at,omitempty"`
	WebAuthnFactor      map[string]string `json:"webauthn_factor,omitempty"`
	EmailFactor         map[string]string `json:"email_factor,omitempty"`
}

type benchSession struct {
	SessionID    string         `json:"session_id"`
	UserID       string         `json:"user_id"`
	StartedAt    time.Time      `json:"started_at"`
	ExpiresAt    time.Time      `json:"expires_at"`
	Factors      []benchFactor  `json:"authentication_factors"`
	CustomClaims map[string]any `json:"custom_claims"`
	Roles        []string       `json:"roles"`
}

type benchResponse struct {
	wire.Meta
	UserID       string        `json:"user_id"`
	SessionToken string        `json:"session_token"`
	SessionJWT   string        `json:"session_jwt"`
	Session      *benchSession `json:"session"`
	User         document      `json:"user"`
}

var benchJWT = strings.Repeat("eyJhbGciOiJSUzI1NiIs", 42)

func benchAnswer(_ context.Context, req *benchRequest) (*benchResponse, error) {
	return &benchResponse{
		UserID: "user-test-019b7d5c-1c9d-7b6e-9b57-0f3a6b1f6d7e", SessionToken: req.SessionToken, SessionJWT: benchJWT, User: benchUser,
		Session: &benchSession{SessionID: "session-test-019b7d5c-1c9d-7b6e-9b57-0f3a6b1f6d81", UserID: "user-test-019b7d5c-1c9d-7b6e-9b57-0f3a6b1f6d7e",
			StartedAt: instant, ExpiresAt: instant.Add(time.Hour), Roles: []string{"stytch_user"}, CustomClaims: nil,
			Factors: []benchFactor{{Type: "webauthn", DeliveryMethod: "webauthn_registration", LastAuthenticatedAt: instant,
				WebAuthnFactor: map[string]string{"webauthn_registration_id": "webauthn-registration-test-019b7d5c-1c9d-7b6e-9b57-0f3a6b1f6d80", "domain": "example.com"}}}},
	}, nil
}

const benchBody = `{"session_token":"YcTZz3tKQzJ8wFqFZ6x0Q4p9yqUo7Cw2Jm0hB5cV1nXe","session_duration_minutes":60}`

// sink is a ResponseWriter that keeps nothing.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

func benchServe(b *testing.B, h http.Handler, target string) {
	b.ReportAllocs()
	b.Helper()
	body := strings.NewReader(benchBody)
	r, _ := http.NewRequest("POST", "http://localhost"+target, nil)
	r.RemoteAddr = "192.0.2.1:4711"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Stytch Node v12.0.0")
	r.SetBasicAuth("project-test-019b7d5c-1c9d-7b6e-9b57-0f3a6b1f6d7e", "secret-test-YcTZz3tKQzJ8wFqFZ6x0Q4p9yqUo7Cw2")
	for b.Loop() {
		body.Reset(benchBody)
		r.Body, r.ContentLength = io.NopCloser(body), int64(len(benchBody))
		h.ServeHTTP(&sink{header: make(http.Header, 8)}, r)
	}
}

func benchServer() *wire.Server {
	gate := func(ctx context.Context, in *wire.Incoming) (context.Context, error) {
		wire.CallFrom(ctx).SetEnv("live")
		return ctx, nil
	}
	return wire.NewServer(wire.Config{Now: time.Now, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Gates: map[wire.Auth]wire.Gate{wire.Secret: gate, wire.Public: gate}},
		wire.POST("/v1/sessions/authenticate", wire.Secret, benchAnswer),
		wire.POST("/sdk/v1/sessions/authenticate", wire.Public, benchAnswer),
		wire.POST("/v1/greet", wire.Secret, greet))
}

func BenchmarkWire(b *testing.B) { benchServe(b, benchServer(), "/v1/sessions/authenticate") }

func BenchmarkWireBrowser(b *testing.B) {
	benchServe(b, benchServer(), "/sdk/v1/sessions/authenticate")
}

func BenchmarkBare(b *testing.B) {
	benchServe(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req benchRequest
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &req)
		resp, _ := benchAnswer(r.Context(), &req)
		w.Header().Set("Content-Type", "application/json")
		out, err := json.Marshal(resp)
		if err != nil {
			panic(err)
		}
		_, _ = w.Write(out)
	}), "/v1/sessions/authenticate")
}

// BenchmarkBareSmall is the handler that the project's speed targets are
// ratios of, without its network.
func BenchmarkBareSmall(b *testing.B) {
	benchServe(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			SessionToken string `json:"session_token"`
		}
		_ = json.NewDecoder(r.Body).Decode(&req)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"status_code": 200, "token": req.SessionToken})
	}), "/v1/sessions/authenticate")
}

func TestBenchmarkHandlersAgree(t *testing.T) {
	a := send(t, benchServer(), request("POST", "/v1/sessions/authenticate", benchBody))
	if a.Status != 200 || a.Body["user"] == nil {
		t.Fatalf("%d %s", a.Status, a.Text)
	}
	if os.Getenv("GATEHOUSE_SHOW") != "" {
		t.Log(a.Text)
	}
}
