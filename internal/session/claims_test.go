package session

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func claims(t *testing.T, text string) Claims {
	t.Helper()
	var c Claims
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClaimsMerge(t *testing.T) {
	cases := []struct{ name, old, change, want string }{
		{"add", `{"a":1}`, `{"b":2}`, `{"a":1,"b":2}`},
		{"replace", `{"a":1}`, `{"a":"x"}`, `{"a":"x"}`},
		{"null deletes", `{"a":1,"b":2}`, `{"a":null}`, `{"b":2}`},
		{"nothing left", `{"a":1}`, `{"a":null}`, `null`},
		{"nested merge", `{"a":{"x":1,"y":2}}`, `{"a":{"y":null,"z":3}}`, `{"a":{"x":1,"z":3}}`},
		{"object replaces value", `{"a":1}`, `{"a":{"x":1}}`, `{"a":{"x":1}}`},
		{"value replaces object", `{"a":{"x":1}}`, `{"a":[1]}`, `{"a":[1]}`},
		{"null inside a new object", `{}`, `{"a":{"x":null}}`, `{"a":{}}`},
		{"arrays are replaced whole", `{"a":[1,2]}`, `{"a":[3]}`, `{"a":[3]}`},
		{"reserved are ignored", `{"a":1}`, `{"iss":"x","sub":"x","aud":"x","exp":1,"nbf":1,"iat":1,"jti":"x","b":2}`, `{"a":1,"b":2}`},
		{"numbers stay exact", `{}`, `{"n":9007199254740993,"f":1.10}`, `{"f":1.10,"n":9007199254740993}`},
		{"empty change", `{"a":1}`, `{}`, `{"a":1}`},
		{"null change", `{"a":1}`, `null`, `{"a":1}`},
	}
	for _, c := range cases {
		got, err := claims(t, c.old).merged(claims(t, c.change))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if text, _ := json.Marshal(got); string(text) != c.want {
			t.Errorf("%s: got %s, want %s", c.name, text, c.want)
		}
	}
}

func TestClaimsBounds(t *testing.T) {
	sized := func(total int) Claims {
		return claims(t, `{"a":"`+strings.Repeat("x", total-len(`{"a":""}`))+`"}`)
	}
	if _, err := (Claims{}).merged(sized(4096)); err != nil {
		t.Errorf("4096 bytes: %v", err)
	}
	if _, err := (Claims{}).merged(sized(4097)); !errors.Is(err, errClaimsTooLarge) {
		t.Errorf("4097 bytes: %v", err)
	}
	if _, err := claims(t, `{"b":1}`).merged(sized(4096)); !errors.Is(err, errClaimsTooLarge) {
		t.Errorf("old and new claims together: %v", err)
	}
	if _, err := (Claims{}).merged(claims(t, `{"https://stytch.com/session":{}}`)); !errors.Is(err, errStytchClaims) {
		t.Errorf("a claim of ours: %v", err)
	}
}

func TestMergeLeavesTheOldClaimsAlone(t *testing.T) {
	old := claims(t, `{"a":{"x":1}}`)
	if _, err := old.merged(claims(t, `{"a":{"x":2},"b":1}`)); err != nil {
		t.Fatal(err)
	}
	if text, _ := json.Marshal(old); string(text) != `{"a":{"x":1}}` {
		t.Errorf("the old claims became %s", text)
	}
}

func FuzzClaims(f *testing.F) {
	f.Add(`{"a":1}`, `{"a":{"b":null}}`)
	f.Fuzz(func(t *testing.T, old, change string) {
		var a, b Claims
		if json.Unmarshal([]byte(old), &a) != nil || json.Unmarshal([]byte(change), &b) != nil {
			return
		}
		got, err := a.merged(b)
		if err != nil {
			return
		}
		for _, name := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"} {
			if _, has := got.object[name]; has && len(b.object) > 0 {
				t.Errorf("the reserved claim %s survived", name)
			}
		}
	})
}
