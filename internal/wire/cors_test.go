package wire_test

import (
	"context"
	"net/http"
	"testing"

	"gatehouse/internal/wire"
)

func corsServer() *wire.Server {
	refuse := func(ctx context.Context, in *wire.Incoming) (context.Context, error) {
		if !in.HasBasic {
			return nil, errRude
		}
		return ctx, nil
	}
	return wire.NewServer(wire.Config{Now: now, Gates: map[wire.Auth]wire.Gate{wire.Secret: refuse, wire.Public: refuse}},
		wire.POST("/sdk/v1/greet", wire.Public, greet),
		wire.POST("/v1/greet", wire.Secret, greet),
		wire.Raw("POST", "/sdk/v1/events", wire.Open, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})),
		wire.Raw("GET", "/sdk/v10/other", wire.Open, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
}

func fromPage(method, path, origin, body string) *http.Request {
	r := request(method, path, body)
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	return r
}

func TestPreflight(t *testing.T) {
	s := corsServer()
	for _, path := range []string{"/sdk/v1/greet", "/sdk/v1/events", "/sdk/v1/nothing/here", "/sdk/v1"} {
		r := fromPage("OPTIONS", path, "https://app.example.com", "")
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "authorization,content-type,x-sdk-client,x-sdk-parent-host")
		a := send(t, s, r)
		if a.Status != 204 || a.Text != "" {
			t.Errorf("%s: %d %q", path, a.Status, a.Text)
		}
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin":      "https://app.example.com",
			"Access-Control-Allow-Credentials": "true",
			"Access-Control-Allow-Methods":     "GET, POST, PUT, DELETE, OPTIONS",
			"Access-Control-Allow-Headers":     "authorization, content-type, x-sdk-client, x-sdk-parent-host, x-stytch-oauth-type",
			"Access-Control-Max-Age":           "7200",
			"Vary":                             "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
	for _, path := range []string{"/v1/greet", "/sdk/v10/other", "/sdk"} {
		if a := send(t, s, fromPage("OPTIONS", path, "https://app.example.com", "")); a.Status == 204 || a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", path, a.Status, a.Header)
		}
	}
}

func TestPagesMayReadEveryAnswer(t *testing.T) {
	s := corsServer()
	const origin = "http://localhost:3000"
	good := fromPage("POST", "/sdk/v1/greet", origin, `{"name":"x"}`)
	good.SetBasicAuth("public-token-test-1", "")
	bad := fromPage("POST", "/sdk/v1/greet", origin, `{}`)
	bad.SetBasicAuth("public-token-test-1", "")
	for name, r := range map[string]*http.Request{
		"success":      good,
		"refused":      fromPage("POST", "/sdk/v1/greet", origin, "{}"),
		"bad request":  bad,
		"no route":     fromPage("GET", "/sdk/v1/nothing", origin, ""),
		"wrong method": fromPage("PUT", "/sdk/v1/greet", origin, ""),
		"open":         fromPage("POST", "/sdk/v1/events", origin, "{}"),
	} {
		a := send(t, s, r)
		if a.Header.Get("Access-Control-Allow-Origin") != origin || a.Header.Get("Access-Control-Allow-Credentials") != "true" ||
			a.Header.Get("Vary") != "Origin" || a.Header.Get("Access-Control-Expose-Headers") == "" {
			t.Errorf("%s: %d %v", name, a.Status, a.Header)
		}
	}
	for _, origin := range []string{"", "null", "NULL"} {
		if a := send(t, s, fromPage("POST", "/sdk/v1/greet", origin, "{}")); a.Header.Get("Access-Control-Allow-Origin") != "" || a.Header.Get("Vary") != "Origin" {
			t.Errorf("origin %q: %v", origin, a.Header)
		}
	}
	two := fromPage("POST", "/sdk/v1/greet", origin, "{}")
	two.Header.Add("Origin", "https://evil.example.com")
	if a := send(t, s, two); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("two origins: %v", a.Header)
	}
	server := fromPage("POST", "/v1/greet", origin, `{"name":"x"}`)
	server.SetBasicAuth("project-test-1", "secret")
	if a := send(t, s, server); a.Status != 200 || a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a page may read /v1: %d %v", a.Status, a.Header)
	}
}
