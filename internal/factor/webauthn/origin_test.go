package webauthn

import (
	"errors"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

func TestOrigins(t *testing.T) {
	const app = "android:apk-key-hash:Jma5s9PZ8CGqSbnCv0R2C1_cBSYJnBLNCpQcDyOhvFw"
	related := []string{"https://example.co.uk", "https://shop.example.net:8443"}
	for _, c := range []struct {
		rpID, origin string
		live, test   bool // allowed in a live, in a test environment
	}{
		{"example.com", "https://example.com", true, true},
		{"example.com", "https://app.example.com", true, true},
		{"example.com", "https://a.b.example.com", true, true},
		{"example.com", "https://EXAMPLE.com", true, true},
		{"example.com", "https://example.com:8443", false, true},
		{"example.com", "http://example.com", false, false},
		{"app.example.com", "https://example.com", false, false},
		{"app.example.com", "https://other.example.com", false, false},
		{"example.com", "https://badexample.com", false, false},
		{"example.com", "https://example.com.evil.net", false, false},
		{"example.com", "https://good@example.com", false, false},
		{"example.com", "https://example.com/", false, false},
		{"example.com", "https://example.com#x", false, false},
		{"example.com", "https://example.com.", false, false},
		{"example.com", `https://evil.net\.example.com`, false, false},
		{"example.com", "https://evil.net%2eexample.com", false, false},
		{"example.com", " https://example.com", false, false},
		{"example.com", "ftp://example.com", false, false},
		{"example.com", "null", false, false},
		{"example.com", "", false, false},
		{"example.com", "https://", false, false},
		{"localhost", "http://localhost", false, true},
		{"localhost", "http://localhost:3000", false, true},
		{"localhost", "http://app.localhost:3000", false, true},
		{"localhost", "https://localhost:3000", false, true},
		{"localhost", "http://127.0.0.1:3000", false, false},
		{"localhost", "http://localhost.evil.net:3000", false, false},
		{"example.com", "http://localhost:3000", false, false},
		{"example.com", "https://example.co.uk", true, true},
		{"example.com", "https://shop.example.net:8443", true, true},
		{"example.com", "https://shop.example.net", false, false},
		{"example.com", "https://www.example.co.uk", false, false},
		{"example.com", app, true, true},
		{"example.com", app + "x", false, false},
		{"example.com", "android:apk-key-hash:", false, false},
	} {
		for _, live := range []bool{true, false} {
			rules := &originRules{rpID: c.rpID, live: live, related: related, apps: []string{app}}
			want := c.test
			if live {
				want = c.live
			}
			if got := rules.allows(c.origin); got != want {
				t.Errorf("%q for %s, live %t: %t, want %t", c.origin, c.rpID, live, got, want)
			}
		}
	}
}

func TestAuthorisedPorts(t *testing.T) {
	live := &project.Environment{ID: "project-live-1", Kind: id.Live}
	live.Config.SDK.Basic.Domains = []string{"https://app.example.com:8443"}
	for _, caller := range []*project.Caller{{Env: live}, {Env: live, Browser: true, Origin: "https://app.example.com:8443"}} {
		rules := rulesFor(caller, "app.example.com")
		if !rules.allows("https://app.example.com:8443") || rules.allows("https://app.example.com:9443") {
			t.Errorf("browser %t: the authorised port is not the one allowed", caller.Browser)
		}
		if rules.allows("https://app.example.com") == caller.Browser {
			t.Errorf("browser %t: a page that is not authorised", caller.Browser)
		}
	}
}

func TestDomains(t *testing.T) {
	test := &project.Environment{ID: "project-test-1", Kind: id.Test}
	live := &project.Environment{ID: "project-live-1", Kind: id.Live}
	live.Config.SDK.Basic.Domains = []string{"https://app.example.com", "https://*.example.org"}
	server := func(e *project.Environment) *project.Caller { return &project.Caller{Env: e} }
	browser := func(e *project.Environment, origin string) *project.Caller {
		return &project.Caller{Env: e, Browser: true, Origin: origin}
	}
	for _, c := range []struct {
		caller *project.Caller
		domain string
		want   *apierr.Error
	}{
		{server(live), "example.com", nil},
		{server(live), "Login.Example.COM", nil},
		{server(live), "xn--bcher-kva.example", nil},
		{server(live), "alice.github.io", nil},
		{server(live), "intranet", nil},
		{server(test), "localhost", nil},
		{server(test), "app.localhost", nil},
		{server(live), "localhost", errRegistrationDomain},
		{server(live), "", errDomain},
		{server(live), "com", errDomain},
		{server(live), "co.uk", errDomain},
		{server(live), "github.io", errDomain},
		{server(live), "https://example.com", errDomain},
		{server(live), "example.com:443", errDomain},
		{server(live), "example.com/", errDomain},
		{server(live), "example.com.", errDomain},
		{server(live), "exa mple.com", errDomain},
		{server(live), "bücher.example", errDomain},
		{server(live), "127.0.0.1", errDomain},
		{server(live), "[::1]", errDomain},
		{server(live), "1.2.3", errDomain},
		{browser(live, "https://app.example.com"), "app.example.com", nil},
		{browser(live, "https://app.example.com"), "example.com", nil},
		{browser(live, ""), "app.example.com", nil},
		{browser(live, "https://app.example.com"), "other.example.com", errRegistrationDomain},
		{browser(live, "https://app.example.com"), "example.net", errRegistrationDomain},
		{browser(live, "https://app.example.com"), "a.example.org", errRegistrationDomain},
		{browser(live, "https://a.example.org"), "a.example.org", nil},
		{browser(test, "http://localhost:3000"), "localhost", nil},
		{browser(test, "http://localhost:3000"), "example.com", errRegistrationDomain},
	} {
		_, err := checkDomain(c.caller, c.domain)
		if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%q from %q: %v, want %v", c.domain, c.caller.Origin, err, c.want)
		}
	}
	if got, _ := checkDomain(server(live), "Login.Example.COM"); got != "login.example.com" {
		t.Errorf("normalised to %q", got)
	}
}
