package project

import (
	"testing"

	"gatehouse/internal/id"
)

func environment(kind id.Env, domains ...string) *Environment {
	e := &Environment{Kind: kind}
	e.Config.SDK.Basic.Domains = domains
	return e
}

func TestAllowsOrigin(t *testing.T) {
	live := environment(id.Live, "https://app.example.com", "https://*.shop.example", "https://a.example:8443")
	test := environment(id.Test, "https://app.example.com")
	cases := []struct {
		env    *Environment
		origin string
		want   bool
	}{
		{live, "https://app.example.com", true},
		{live, "https://APP.example.com", true},
		{live, "https://one.shop.example", true},
		{live, "https://two.one.shop.example", true},
		{live, "https://a.example:8443", true},
		{live, "https://shop.example", false},
		{live, "https://a.example", false},
		{live, "https://app.example.com:8443", false},
		{live, "http://app.example.com", false},
		{live, "https://app.example.com.evil.example", false},
		{live, "https://evilshop.example", false},
		{live, "https://app.example.com.", false},
		{live, "https://app.example.com/", false},
		{live, "https://app.example.com@evil.example", false},
		{live, "https://evil.example#.shop.example", false},
		{live, "https://evil.example\\.shop.example", false},
		{live, "https://evil.example%2f.shop.example", false},
		{live, "https://evil.example\t.shop.example", false},
		{live, "https://xn--pp-eka.example.com", false},
		{live, "null", false},
		{live, "", false},
		{live, "http://localhost:3000", false},
		{test, "http://localhost:3000", true},
		{test, "https://localhost", true},
		{test, "http://app.localhost:9", true},
		{test, "http://127.0.0.1:1", true},
		{test, "http://127.9.9.9", true},
		{test, "http://[::1]:8080", true},
		{test, "http://localhost.evil.example", false},
		{test, "http://127.0.0.1.evil.example", false},
		{test, "http://10.0.0.1", false},
		{test, "http://localhost:", false},
		{test, "file://localhost", false},
	}
	for _, c := range cases {
		if got := c.env.AllowsOrigin(c.origin); got != c.want {
			t.Errorf("AllowsOrigin(%q) in %s = %v", c.origin, c.env.Kind, got)
		}
	}
}

func TestAllowsHost(t *testing.T) {
	live := environment(id.Live, "https://login.app.example.com", "https://*.shop.example")
	for host, want := range map[string]bool{
		"login.app.example.com": true,
		"app.example.com":       true,
		"example.com":           true,
		"com":                   false,
		"other.example.com":     false,
		"shop.example":          true,
		"one.shop.example":      true,
		"localhost":             false,
		"evil-example.com":      false,
	} {
		if got := live.AllowsHost(host); got != want {
			t.Errorf("AllowsHost(%q) = %v", host, got)
		}
	}
	if !environment(id.Test).AllowsHost("localhost") {
		t.Error("a test environment refuses localhost")
	}
}

func TestNormalizeDomain(t *testing.T) {
	cases := []struct {
		kind    id.Env
		in, out string
	}{
		{id.Live, "app.example.com", "https://app.example.com"},
		{id.Live, " https://APP.Example.com/ ", "https://app.example.com"},
		{id.Live, "https://*.example.com", "https://*.example.com"},
		{id.Live, "https://a.example:8443", "https://a.example:8443"},
		{id.Test, "http://localhost:3000", "http://localhost:3000"},
		{id.Live, "http://localhost:3000", ""},
		{id.Live, "http://app.example.com", ""},
		{id.Test, "http://app.example.com", ""},
		{id.Live, "https://*.com", ""},
		{id.Live, "https://*.co.uk", ""},
		{id.Live, "https://a.*.example.com", ""},
		{id.Live, "https://app.example.com/path", ""},
		{id.Live, "https://u@app.example.com", ""},
		{id.Live, "javascript://app.example.com", ""},
		{id.Live, "https://bücher.example", ""},
		{id.Live, "", ""},
	}
	for _, c := range cases {
		got, err := NormalizeDomain(c.kind, c.in)
		if got != c.out || (err == nil) != (c.out != "") {
			t.Errorf("NormalizeDomain(%s, %q) = %q, %v", c.kind, c.in, got, err)
		}
	}
}

func FuzzParseOrigin(f *testing.F) {
	for _, s := range []string{"https://a.example", "http://[::1]:1", "https://a@b", "null", "https://%00"} {
		f.Add(s)
	}
	live := environment(id.Live, "https://*.example.com")
	f.Fuzz(func(t *testing.T, s string) {
		scheme, host, _, ok := ParseOrigin(s)
		if ok && (host == "" || scheme == "") {
			t.Errorf("ParseOrigin(%q) accepted an empty part", s)
		}
		if live.AllowsOrigin(s) && !ok {
			t.Errorf("%q is allowed but not an origin", s)
		}
	})
}
