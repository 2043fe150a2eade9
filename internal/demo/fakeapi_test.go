package demo

import (
	"crypto/rand"
	"crypto/rsa"
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

const (
	projectID   = "project-test-019b7d5c-1c9d-7b6e-9b57-0f3a6b1f6d7e"
	secret      = "secret-test-the-secret"
	publicToken = "public-token-test-6c7f5b0e-8f0e-4a55-9d35-3c0a6b1f6d7e"
)

// fakeAPI speaks the documented wire format of /v1, as far as the demo uses it, and remembers what it was asked.
type fakeAPI struct {
	t        *testing.T
	server   *httptest.Server
	key      *rsa.PrivateKey
	users    map[string]*fakeUser // by id
	sessions map[string]string    // opaque token -> user id
	asked    []string             // "POST /v1/users"
	bodies   map[string]map[string]any
}

type fakeUser struct {
	ID            string           `json:"user_id"`
	Emails        []fakeEmail      `json:"emails"`
	Registrations []map[string]any `json:"webauthn_registrations"`
	Phones        []map[string]any `json:"phone_numbers"`
	Password      any              `json:"password"`
	Trusted       map[string]any   `json:"trusted_metadata"`
}

type fakeEmail struct {
	Email    string `json:"email"`
	Verified bool   `json:"verified"`
}

func newFakeAPI(t *testing.T) *fakeAPI {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeAPI{t: t, key: key, users: map[string]*fakeUser{}, sessions: map[string]string{}, bodies: map[string]map[string]any{}}
	f.server = httptest.NewServer(f.routes())
	t.Cleanup(f.server.Close)
	return f
}

func (f *fakeAPI) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, answer := range map[string]func(*http.Request, map[string]any) (int, any){
		"POST /v1/users":                        f.createUser,
		"GET /v1/users/{id}":                    f.getUser,
		"PUT /v1/users/{id}":                    f.updateUser,
		"DELETE /v1/users/{id}":                 f.deleteUser,
		"POST /v1/users/search":                 f.searchUsers,
		"POST /v1/webauthn/register/start":      f.startRegistration,
		"POST /v1/webauthn/register":            f.register,
		"POST /v1/sessions/authenticate":        f.authenticate,
		"GET /v1/sessions/jwks/{project}":       f.keys,
		"GET /v1/webauthn/credentials/{id}/{d}": f.credentials,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			user, password, _ := r.BasicAuth()
			if user != projectID || password != secret {
				f.t.Errorf("%s came with the credentials %q", pattern, user)
			}
			var body map[string]any
			_ = json.NewDecoder(r.Body).Decode(&body) // GET and DELETE have none
			f.asked = append(f.asked, pattern)
			f.bodies[pattern] = body
			status, out := answer(r, body)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(out)
		})
	}
	return mux
}

func refused(status int, errorType string) (int, any) {
	return status, map[string]any{"status_code": status, "request_id": "request-id-test-1", "error_type": errorType,
		"error_message": "The API says " + errorType + ".", "error_url": "https://example.com"}
}

func (f *fakeAPI) createUser(_ *http.Request, body map[string]any) (int, any) {
	email := body["email"].(string)
	for _, u := range f.users {
		if strings.EqualFold(u.Emails[0].Email, email) {
			return refused(400, "duplicate_email")
		}
	}
	if !strings.Contains(email, "@") {
		return refused(400, "invalid_email")
	}
	u := f.addUser(email)
	u.Trusted, _ = body["trusted_metadata"].(map[string]any)
	return 200, map[string]any{"user_id": u.ID, "user": u}
}

// addUser puts a user there without anybody asking.
func (f *fakeAPI) addUser(email string) *fakeUser {
	u := &fakeUser{ID: "user-test-" + email, Emails: []fakeEmail{{Email: email}}, Registrations: []map[string]any{}}
	for f.users[u.ID] != nil {
		u.ID += "x"
	}
	f.users[u.ID] = u
	return u
}

func (f *fakeAPI) getUser(r *http.Request, _ map[string]any) (int, any) {
	if u := f.users[r.PathValue("id")]; u != nil {
		return 200, u
	}
	return refused(404, "user_not_found")
}

func (f *fakeAPI) updateUser(r *http.Request, body map[string]any) (int, any) {
	u := f.users[r.PathValue("id")]
	if u == nil {
		return refused(404, "user_not_found")
	}
	for name, value := range body["trusted_metadata"].(map[string]any) {
		if value == nil {
			delete(u.Trusted, name)
		}
	}
	return 200, map[string]any{"user": u}
}

func (f *fakeAPI) deleteUser(r *http.Request, _ map[string]any) (int, any) {
	delete(f.users, r.PathValue("id"))
	return 200, map[string]any{"user_id": r.PathValue("id")}
}

func (f *fakeAPI) searchUsers(_ *http.Request, body map[string]any) (int, any) {
	operand := body["query"].(map[string]any)["operands"].([]any)[0].(map[string]any)
	if operand["filter_name"] != "email_address" {
		f.t.Errorf("searched by %v", operand["filter_name"])
	}
	results := []any{}
	for _, u := range f.users {
		if strings.EqualFold(u.Emails[0].Email, operand["filter_value"].([]any)[0].(string)) {
			results = append(results, u)
		}
	}
	return 200, map[string]any{"results": results}
}

func (f *fakeAPI) startRegistration(_ *http.Request, body map[string]any) (int, any) {
	return 200, map[string]any{"user_id": body["user_id"], "public_key_credential_creation_options": `{"challenge":"AQ"}`}
}

func (f *fakeAPI) register(_ *http.Request, body map[string]any) (int, any) {
	u := f.users[body["user_id"].(string)]
	if u == nil {
		return refused(404, "user_not_found")
	}
	if body["public_key_credential"] == `{"id":"bad"}` {
		return refused(400, "invalid_public_key_credential")
	}
	u.Registrations = append(u.Registrations, map[string]any{"webauthn_registration_id": "webauthn-registration-test-1"})
	token := "token-of-" + u.ID
	f.sessions[token] = u.ID
	return 200, map[string]any{"session_token": token, "session_jwt": "a.jwt.x", "user": u,
		"session": map[string]any{"session_id": "session-test-1", "user_id": u.ID}}
}

func (f *fakeAPI) authenticate(_ *http.Request, body map[string]any) (int, any) {
	token, _ := body["session_token"].(string)
	if jwt, ok := body["session_jwt"].(string); ok {
		token = strings.TrimPrefix(jwt, "jwt-of-")
	}
	u := f.users[f.sessions[token]]
	if u == nil {
		return refused(404, "session_not_found")
	}
	return 200, map[string]any{"session": map[string]any{"session_id": "session-test-1"}, "user": u, "session_token": token, "session_jwt": "a.jwt.x"}
}

func (f *fakeAPI) keys(r *http.Request, _ map[string]any) (int, any) {
	if r.PathValue("project") != projectID {
		return refused(404, "project_not_found")
	}
	return 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: f.key.Public(), KeyID: "jwk-test-1", Algorithm: "RS256", Use: "sig"}}}
}

func (f *fakeAPI) credentials(r *http.Request, _ map[string]any) (int, any) {
	return 200, map[string]any{"credentials": []any{map[string]any{
		"credential_id": "AQID", "webauthn_registration_id": "webauthn-registration-test-1", "type": "public-key", "public_key": "..."}}}
}

// token signs a session JWT as the API would, after change has had its way.
func (f *fakeAPI) token(now time.Time, change func(*jwt.Claims, *jose.SignerOptions)) string {
	claims := jwt.Claims{Issuer: f.server.URL, Audience: jwt.Audience{projectID}, Subject: "user-test-1",
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(5 * time.Minute))}
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", "jwk-test-1")
	if change != nil {
		change(&claims, options)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: f.key}, options)
	if err != nil {
		f.t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

func (f *fakeAPI) wasAsked(pattern string) int {
	n := 0
	for _, asked := range f.asked {
		if asked == pattern {
			n++
		}
	}
	return n
}

func (f *fakeAPI) before(first, second string) bool {
	return slices.Index(f.asked, first) >= 0 && slices.Index(f.asked, first) < slices.Index(f.asked, second)
}
