package m2m

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

func TestClientIDs(t *testing.T) {
	env := &project.Environment{ID: "project-test-1", Kind: id.Test}
	const uuid = "0194f0a2-7c1e-4abc-8def-0123456789ab"
	for clientID, ok := range map[string]bool{
		"billing": true, "auth0|64f0": true, "A.b_c~d@e:f-9": true, strings.Repeat("a", 128): true, "m2m-client-test-" + uuid: true, uuid: true,
		"": false, strings.Repeat("a", 129): false, ".": false, "..": false, "-a": false, "a b": false, "a/b": false, "a%2fb": false, "a\x00": false, "ü": false, "a\n": false, `a"b`: false,
		"m2m-client-live-" + uuid: false, "user-test-" + uuid: false, "project-live-" + uuid: false,
	} {
		if err := checkClientID(env, clientID); (err == nil) != ok {
			t.Errorf("%q: %v", clientID, err)
		}
	}
}

func TestScopes(t *testing.T) {
	got, err := cleanScopes([]string{"read:users", "write:users", "read:users", "*", "read:*"})
	if err != nil || !slices.Equal(got, []string{"read:users", "write:users", "*", "read:*"}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := cleanScopes(nil); err != nil || got == nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", " ", "a b", `a"b`, `a\b`, "a\tb", "ä", "a\x7f"} {
		if _, err := cleanScopes([]string{bad}); !errors.Is(err, errScope) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	var many []string
	for i := range maxScopes + 1 {
		many = append(many, fmt.Sprint("scope:", i))
	}
	if _, err := cleanScopes(many[:maxScopes]); err != nil {
		t.Error(err)
	}
	if _, err := cleanScopes(many); !errors.Is(err, errScopes) {
		t.Error(err)
	}
	if _, err := cleanScopes([]string{strings.Repeat("x", maxScopeBytes)}); !errors.Is(err, errScopes) {
		t.Error(err)
	}
}

// A secret that somebody brings along must be worth something: what a person
// would think of first is refused, however long.
func TestImportedSecrets(t *testing.T) {
	for value, want := range map[string]error{
		"kX9!vQ2z": nil, "Zt7_pLw-3Qx9": nil, strings.Repeat("kX9!vQ2z", 32): nil, // 256
		"kX9!vQ2":   errWeakSecret,
		"password1": errWeakSecret, "aaaaaaaaaaaaaaaaaaaaaaaa": errWeakSecret, "12345678901234567890": errWeakSecret, "qwertyuiop": errWeakSecret,
		"abcabcabcabcabcabc": errWeakSecret, "letmein123": errWeakSecret, "2026-01-02": errWeakSecret,
		"billing-service": errWeakSecret, "Billing-Service": errWeakSecret, // the client's own id and name
		"kX9!vQ2z with space": errSecret, "kX9!vQ2zü": errSecret, "kX9!vQ2z\x00": errSecret,
		strings.Repeat("kX9!vQ2z", 32) + "x": errLongSecret,
	} {
		if err := checkSecret("billing-service", "Billing-Service", value); !errors.Is(err, want) || err != nil && want == nil {
			t.Errorf("%q: %v, want %v", value, err, want)
		}
	}
}

func TestGrantedScopes(t *testing.T) {
	c := &Client{Scopes: []string{"read:users", "write:users", "read:*"}}
	for asked, want := range map[string]string{
		"": "read:users write:users read:*", "   ": "read:users write:users read:*", "write:users": "write:users", " read:*  write:users read:* ": "read:* write:users",
	} {
		if got, err := c.grants(asked); err != nil || got != want {
			t.Errorf("%q: %q, %v", asked, got, err)
		}
	}
	// The wildcard is for who checks a token; here a scope is a word.
	for _, asked := range []string{"read:books", "delete:users", "read:users delete:users", "READ:users", "read:users\twrite:users", "*"} {
		if got, err := c.grants(asked); !errors.Is(err, errTokenScope) {
			t.Errorf("%q: %q, %v", asked, got, err)
		}
	}
	if got, err := (&Client{Scopes: []string{}}).grants(""); got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// Custom claims cannot make a token say that it is somebody else's, or a
// session's.
func TestCustomClaimsCannotTakeOver(t *testing.T) {
	for name, ok := range map[string]bool{
		"tier": true, "https://example.com/x": true, "sub2": true,
		"sub": false, "SUB": false, "Aud": false, "scope": false, "ſcope": false, "Client_ID": false, "client_id": false, "exp": false, "https://stytch.com/session": false, "HTTPS://STYTCH.COM/session": false, "https://ſtytch.com/session": false,
	} {
		if customary(name) != ok {
			t.Errorf("%q: %t", name, !ok)
		}
	}
}
