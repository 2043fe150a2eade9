package m2m_test

import (
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"gatehouse/internal/authtest"
	"gatehouse/internal/id"
	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/project"
)

func TestTokenSaysWhoseItIs(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		c := newClient(s, "read:users", "write:users")
		a := c.ask(c.secret).OK()
		token := a.String("access_token")
		if a.Get("token_type") != "bearer" || a.Get("expires_in") != 3600.0 || a.Get("scope") != "read:users write:users" || len(a.Body) != 6 {
			t.Errorf("answered %s", a.Text)
		}
		if a.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(a.String("request_id"), "request-id-test-") {
			t.Errorf("headers %v", a.Header)
		}
		if h := part(t, token, 0); h["alg"] != "ES256" || h["typ"] != "JWT" || h["kid"] == "" {
			t.Errorf("header %v", h)
		}
		now := float64(s.Clock.Now().Unix())
		claims := part(t, token, 1)
		jti, _ := claims["jti"].(string)
		if !id.Check(id.M2MToken, id.Test, jti) {
			t.Errorf("jti %v", claims["jti"])
		}
		delete(claims, "jti")
		want := fields{
			"sub": c.id, "client_id": c.id, "iss": s.URL, "aud": []any{s.Env.ID}, "scope": "read:users write:users", "iat": now, "nbf": now, "exp": now + 3600,
		}
		if !reflect.DeepEqual(claims, want) {
			t.Errorf("claims %v", claims)
		}
		if other := part(t, c.ask(c.secret).OK().String("access_token"), 1); other["jti"] == jti {
			t.Error("two tokens share a jti")
		}
	})
}

func TestTokenRequests(t *testing.T) {
	s := authtest.New(t)
	c := newClient(s, "read:users", "write:users")
	form := func(edit func(url.Values)) url.Values {
		f := c.form(c.secret)
		if edit != nil {
			edit(f)
		}
		return f
	}
	basic := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	without := func(names ...string) func(url.Values) {
		return func(f url.Values) {
			for _, n := range names {
				f.Del(n)
			}
		}
	}
	both := without("client_id", "client_secret")
	for what, c2 := range map[string]struct {
		form   url.Values
		edit   func(*http.Request)
		status int
		code   string
	}{
		"body":                      {form(nil), nil, 200, ""},
		"header":                    {form(both), basic(c.id, c.secret), 200, ""},
		"header, percent-encoded":   {form(both), basic(strings.ReplaceAll(c.id, "-", "%2D"), url.QueryEscape(c.secret)), 200, ""},
		"header and its id":         {form(without("client_secret")), basic(c.id, c.secret), 200, ""},
		"header and body":           {form(nil), basic(c.id, c.secret), 400, "invalid_request"},
		"header and another id":     {form(func(f url.Values) { f.Del("client_secret"); f.Set("client_id", "other") }), basic(c.id, c.secret), 400, "invalid_request"},
		"header that is no Basic":   {form(both), func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+c.secret) }, 401, "invalid_client"},
		"header badly encoded":      {form(both), basic(c.id, "%zz"), 400, "invalid_request"},
		"header with a NUL":         {form(both), basic("a%00b", c.secret), 401, "invalid_client"},
		"header with nothing in it": {form(both), basic("", ""), 401, "invalid_client"},
		"no credentials":            {form(both), nil, 401, "invalid_client"},
		"no secret":                 {form(without("client_secret")), nil, 401, "invalid_client"},
		"no id":                     {form(without("client_id")), nil, 401, "invalid_client"},
		"no grant_type":             {form(without("grant_type")), nil, 400, "invalid_request"},
		"another grant_type":        {form(func(f url.Values) { f.Set("grant_type", "password") }), nil, 400, "unsupported_grant_type"},
		"scope":                     {form(func(f url.Values) { f.Set("scope", "write:users") }), nil, 200, ""},
		"a scope it has not":        {form(func(f url.Values) { f.Set("scope", "read:users delete:users") }), nil, 400, "invalid_scope"},
		"a parameter twice":         {form(func(f url.Values) { f.Add("scope", "a"); f.Add("scope", "b") }), nil, 400, "invalid_request"},
	} {
		for _, path := range []string{c.tokenPath(), "/v1/oauth2/token"} {
			a := post(s, path, c2.form, c2.edit)
			if c2.status == 200 {
				if a.Status != 200 {
					t.Errorf("%s at %s: %d %s", what, path, a.Status, a.Text)
				}
				continue
			}
			refused(t, a, c2.status, c2.code)
			if challenged := a.Header.Get("WWW-Authenticate") != ""; challenged != (a.Status == 401 && c2.edit != nil) {
				t.Errorf("%s: WWW-Authenticate %q", what, a.Header.Get("WWW-Authenticate"))
			}
		}
	}
	asJSON := fields{"grant_type": "client_credentials", "client_id": c.id, "client_secret": c.secret, "scope": "read:users"}
	if a := s.Request(http.MethodPost, c.tokenPath(), asJSON, nil).OK(); a.Get("scope") != "read:users" {
		t.Errorf("JSON: %s", a.Text)
	}
	refused(t, post(s, "/v1/public/project-test-0194f0a2-7c1e-4abc-8def-0123456789ab/oauth2/token", form(nil), nil), 401, "invalid_client")
	refused(t, post(s, "/v1/public/"+s.Live.ID+"/oauth2/token", form(nil), nil), 401, "invalid_client")
	// What stands in the address counts for nothing.
	refused(t, post(s, c.tokenPath()+"?"+form(nil).Encode(), url.Values{"grant_type": {"client_credentials"}}, nil), 401, "invalid_client")
}

// Where the address names no project, the secret says which client is meant.
func TestNamesakesInSeveralEnvironments(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		other := s.Environment("staging")
		secrets := map[*authtest.Server]string{}
		for _, e := range []*authtest.Server{s, other} {
			a := e.Call(http.MethodPost, "/v1/m2m/clients", fields{"client_id": "billing", "scopes": []string{}}).OK()
			secrets[e] = a.String("m2m_client", "client_secret")
		}
		for e, value := range secrets {
			c := &client{e, "billing", value}
			a := post(e, "/v1/oauth2/token", c.form(value), nil).OK()
			if aud := part(t, a.String("access_token"), 1)["aud"].([]any); aud[0] != e.Env.ID {
				t.Errorf("the token is for %v", aud)
			}
		}
		// With one secret for both, nobody can say.
		for _, e := range []*authtest.Server{s, other} {
			e.Call(http.MethodPost, "/v1/m2m/clients", fields{"client_id": "same", "client_secret": "kX9!vQ2z", "scopes": []string{}}).OK()
		}
		c := &client{s, "same", "kX9!vQ2z"}
		refused(t, post(s, "/v1/oauth2/token", c.form(c.secret), nil), 400, "invalid_request")
		c.works(t, "at its project", c.secret, true)
	})
}

// The libraries that services use get tokens, with either style of credentials.
func TestOAuth2Client(t *testing.T) {
	s := authtest.New(t)
	s.Call(http.MethodPost, "/v1/m2m/clients", fields{"client_id": "a:b@c", "client_secret": "p:%+&=kX9!vQ2z", "scopes": []string{"read:users", "write:users"}}).OK()
	for name, style := range map[string]oauth2.AuthStyle{"body": oauth2.AuthStyleInParams, "header": oauth2.AuthStyleInHeader, "found out": oauth2.AuthStyleAutoDetect} {
		c := clientcredentials.Config{
			ClientID: "a:b@c", ClientSecret: "p:%+&=kX9!vQ2z", TokenURL: s.URL + "/v1/public/" + s.Env.ID + "/oauth2/token", Scopes: []string{"read:users"}, AuthStyle: style,
		}
		token, err := c.Token(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if token.TokenType != "bearer" || part(t, token.AccessToken, 1)["scope"] != "read:users" {
			t.Errorf("%s: %+v", name, token)
		}
		c.Scopes = []string{"delete:users"}
		_, err = c.Token(t.Context())
		var refusal *oauth2.RetrieveError
		if !errors.As(err, &refusal) || refusal.ErrorCode != "invalid_scope" || refusal.ErrorDescription == "" || refusal.ErrorURI == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The environment's template makes custom claims of the client's own data, which
// stay beside the token's. Where they would be too large there are none.
func TestCustomClaims(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		c := newClient(s, "a", "b")
		put := func(body fields) { s.Call(http.MethodPut, c.path(""), body).OK() }
		put(fields{"client_name": `Bill "}`, "trusted_metadata": fields{"tier": "gold", "limits": fields{"rate": 1e3, "of": []any{1, "x"}}}})
		err := s.Projects.SetJWTTemplate(t.Context(), s.Env.ID, project.JWTTemplate{Type: jwttemplate.M2M, CustomAudience: "https://api.example.com", Content: `{
			"tier": {{ client.trusted_metadata.tier }}, "limits": {{ client.trusted_metadata.limits }}, "who": "{{ client.client_name }}",
			"id": {{ client.client_id }}, "may": {{ client.scopes }}, "none": {{ client.trusted_metadata.missing }}, "sub": "evil"}`})
		if err != nil {
			t.Fatal(err)
		}
		claims := part(t, c.ask(c.secret).OK().String("access_token"), 1)
		for name, want := range map[string]any{
			"tier": "gold", "limits": fields{"rate": 1000.0, "of": []any{1.0, "x"}}, "who": `Bill "}`, "id": c.id, "may": []any{"a", "b"}, "none": nil,
			"sub": c.id, "scope": "a b", "aud": []any{s.Env.ID, "https://api.example.com"},
		} {
			if !reflect.DeepEqual(claims[name], want) {
				t.Errorf("%s is %v, want %v", name, claims[name], want)
			}
		}
		put(fields{"trusted_metadata": fields{"tier": strings.Repeat("x", 3000), "limits": strings.Repeat("y", 1000)}})
		if claims := part(t, c.ask(c.secret).OK().String("access_token"), 1); claims["tier"] != nil || claims["sub"] != c.id {
			t.Errorf("claims %v", claims)
		}
		if log := s.Logs.String(); !strings.Contains(log, "without the claims of the template") || !strings.Contains(log, c.id) {
			t.Errorf("the log does not tell of it: %s", log)
		}
	})
}

// A token request writes nothing: not a row, not an event.
func TestTokensAreNotWritten(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		c := newClient(s, "a")
		c.ask(c.secret).OK() // makes the signing key
		before := dump(t, s)
		for range 3 {
			c.ask(c.secret).OK()
			c.works(t, "a wrong secret", "wrong", false)
		}
		if after := dump(t, s); after != before {
			t.Error("a token request has written something")
		}
	})
}
