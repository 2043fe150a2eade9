package m2m_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/authtest"
)

type fields = map[string]any

// client is a client of a test with the secret that it was given.
type client struct {
	*authtest.Server
	id, secret string
}

// newClient makes a client with the scopes.
func newClient(s *authtest.Server, scopes ...string) *client {
	a := s.Call(http.MethodPost, "/v1/m2m/clients", fields{"scopes": append([]string{}, scopes...)}).OK()
	return &client{s, a.String("m2m_client", "client_id"), a.String("m2m_client", "client_secret")}
}

func (c *client) path(rest string) string {
	return "/v1/m2m/clients/" + url.PathEscape(c.id) + rest
}

func (c *client) tokenPath() string { return "/v1/public/" + c.Env.ID + "/oauth2/token" }

// form is the body of a token request.
func (c *client) form(secret string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {c.id}, "client_secret": {secret}}
}

// post sends a form to a token endpoint.
func post(s *authtest.Server, path string, form url.Values, edit func(*http.Request)) *authtest.Answer {
	return s.Request(http.MethodPost, path, form.Encode(), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if edit != nil {
			edit(r)
		}
	})
}

// ask asks for a token with a secret.
func (c *client) ask(secret string) *authtest.Answer {
	return post(c.Server, c.tokenPath(), c.form(secret), nil)
}

// works fails the test unless the secret gets a token, or gets none.
func (c *client) works(t testing.TB, what, secret string, want bool) {
	t.Helper()
	if a := c.ask(secret); want {
		a.OK()
	} else if a.Status != 401 || a.Get("error") != "invalid_client" {
		t.Errorf("%s: %d %s", what, a.Status, a.Text)
	}
}

// refused fails the test unless the answer is the OAuth error.
func refused(t testing.TB, a *authtest.Answer, status int, code string) {
	t.Helper()
	description, _ := a.Get("error_description").(string)
	if a.Status != status || a.Get("error") != code || description == "" || a.Get("error_type") != nil ||
		a.Header.Get("Cache-Control") != "no-store" || a.Get("request_id") == nil || a.Get("status_code") != float64(status) || a.Get("error_uri") == "" {
		t.Errorf("%d %v, want %d %s: %s", a.Status, a.Get("error"), status, code, a.Text)
	}
}

// part decodes a part of a JWT.
func part(t testing.TB, token string, n int) fields {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[n])
	if err != nil {
		t.Fatal(err)
	}
	var claims fields
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
