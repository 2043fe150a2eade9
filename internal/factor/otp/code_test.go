package otp

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
)

// Each digit of a code is any digit, the first ones too.
func TestCodesAreRandomDigits(t *testing.T) {
	const draws = 50_000
	var seen [digits][10]int
	for range draws {
		code, err := newCode()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseCode(code); err != nil || again != code {
			t.Fatalf("%q reads as %q, %v", code, again, err)
		}
		for place, digit := range []byte(code) {
			seen[place][digit-'0']++
		}
	}
	// 5,000 of each are expected with a deviation of 67: six of these are never seen.
	for place := range seen {
		for digit, n := range seen[place] {
			if n < draws/10-400 || n > draws/10+400 {
				t.Errorf("in place %d the digit %d stands %d times of %d", place, digit, n, draws)
			}
		}
	}
}

func TestParseCode(t *testing.T) {
	for in, want := range map[string]string{"123456": "123456", " 000007\n": "000007", "\t999999 ": "999999"} {
		if got, err := parseCode(in); err != nil || got != want {
			t.Errorf("parseCode(%q) = %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "      ", "12345", "1234567", "12 456", "12345a", "-12345", "+12345", "1e5000", "１２３４５６", "12345٣", "12345\x00", "\xff12345"} {
		if got, err := parseCode(in); !errors.Is(err, errCode) {
			t.Errorf("parseCode(%q) = %q, %v", in, got, err)
		}
	}
}

func FuzzParseCode(f *testing.F) {
	for _, s := range []string{"123456", " 000000 ", "12345", "１２３４５６", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code, err := parseCode(s)
		if err != nil {
			if apierr.From(err) == nil {
				t.Errorf("%q is an accident: %v", s, err)
			}
			return
		}
		if len(code) != 6 || strings.Trim(code, "0123456789") != "" || !strings.Contains(s, code) {
			t.Errorf("%q became %q", s, code)
		}
	})
}

func FuzzAutofillHost(f *testing.F) {
	for _, s := range []string{"https://app.example.com", "http://localhost:3000", "", "null", "https://[::1]:8080", "%zz"} {
		f.Add(s)
	}
	list := []project.AutofillMetadata{{MetadataType: project.AutofillDomain, MetadataValue: "first.example"}, {MetadataType: project.AutofillDomain, MetadataValue: "app.example.com"}}
	env := &project.Environment{}
	env.Config.SDK.OTPs.SMSAutofill = list
	f.Fuzz(func(t *testing.T, origin string) {
		got := autofillFor(&project.Caller{Env: env, Browser: true, Origin: origin})
		if got.hash != "" || got.domain != list[0].MetadataValue && got.domain != list[1].MetadataValue {
			t.Errorf("%q gets %+v, which nobody configured", origin, got)
		}
	})
}

// A code is bound to the address or number, and to the environment.
func TestSecurity24MACsAreBound(t *testing.T) {
	keys, err := secret.ParseKeyring(secret.NewMasterKey())
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{keys: keys}
	env := &project.Environment{ID: "project-test-1"}
	c := &code{methodID: "email-test-1"}
	if c.mac, err = keys.MAC(purpose, env.ID, []byte(c.methodID), []byte("123456")); err != nil {
		t.Fatal(err)
	}
	other := *c
	other.methodID = "email-test-2"
	for name, try := range map[string]struct {
		env  *project.Environment
		code *code
		text string
		want bool
	}{
		"itself":              {env, c, "123456", true},
		"another code":        {env, c, "123457", false},
		"another method":      {env, &other, "123456", false},
		"another environment": {&project.Environment{ID: "project-test-2"}, c, "123456", false},
	} {
		if got, err := s.is(try.env, try.code, try.text); err != nil || got != try.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestLifetime(t *testing.T) {
	for minutes, ok := range map[int]bool{-1: false, 0: false, 1: true, 2: true, 10: true, 11: false} {
		got, err := lifetime(&minutes)
		if ok != (err == nil) || ok && got != time.Duration(minutes)*time.Minute {
			t.Errorf("%d minutes: %v, %v", minutes, got, err)
		}
	}
	if got, err := lifetime(nil); got != 2*time.Minute || err != nil {
		t.Errorf("the usual lifetime is %v, %v", got, err)
	}
}
