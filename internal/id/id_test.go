package id

import (
	"testing"
	"time"
)

func TestNewSortsByInstant(t *testing.T) {
	now := time.UnixMilli(1_767_323_045_000)
	last := ""
	for i := range 100 {
		got := New(User, Test, now.Add(time.Duration(i)*time.Millisecond))
		if got <= last {
			t.Fatalf("identifier %q does not sort after %q", got, last)
		}
		if !Check(User, Test, got) {
			t.Fatalf("%q is not recognised", got)
		}
		last = got
	}
}

func TestSplit(t *testing.T) {
	const u = "0194f0a2-7c1e-7abc-8def-0123456789ab"
	cases := []struct {
		in   string
		kind Kind
		env  Env
		ok   bool
	}{
		{"user-test-" + u, User, Test, true},
		{"webauthn-registration-live-" + u, WebAuthn, Live, true},
		{"phone-number-test-" + u, Phone, Test, true},
		{"user-" + u, "", "", false},
		{"-test-" + u, "", "", false},
		{"user-prod-" + u, "", "", false},
		{"user-test-" + u + "x", "", "", false},
		{"user-test-0194F0A2-7c1e-7abc-8def-0123456789ab", "", "", false},
		{"user-test-0194f0a2_7c1e-7abc-8def-0123456789ab", "", "", false},
		{"", "", "", false},
	}
	for _, c := range cases {
		kind, env, ok := Split(c.in)
		if kind != c.kind || env != c.env || ok != c.ok {
			t.Errorf("Split(%q) = %q, %q, %v", c.in, kind, env, ok)
		}
	}
	if Check(User, Live, "user-test-"+u) {
		t.Error("an identifier of the other environment was accepted")
	}
}

func TestRandomIsVersion4(t *testing.T) {
	got := Random(PublicToken, Live)
	if !Check(PublicToken, Live, got) || got[len("public-token-live-")+14] != '4' {
		t.Errorf("not a version 4 identifier: %q", got)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("user-test-0194f0a2-7c1e-7abc-8def-0123456789ab")
	f.Fuzz(func(t *testing.T, s string) {
		if kind, env, ok := Split(s); ok && string(kind)+"-"+string(env)+"-" != s[:len(s)-36] {
			t.Errorf("Split(%q) = %q, %q", s, kind, env)
		}
	})
}
