package pkce

import (
	"errors"
	"strings"
	"testing"
)

// The example of RFC 7636, appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// Security case 31: no verifier, the wrong one or the challenge itself never
// passes, and plain does not exist.
func TestSecurity31Verify(t *testing.T) {
	for _, c := range []struct {
		challenge, verifier string
		want                error
	}{
		{"", "", nil},
		{challenge, verifier, nil},
		{challenge, "", errExpected},
		{"", verifier, errNotExpected},
		{challenge, challenge, errMismatch},
		{verifier, verifier, errMismatch},
		{challenge, verifier[:42], errVerifier},
		{challenge, strings.Repeat("a", 129), errVerifier},
		{challenge, strings.Repeat("a", 128), errMismatch},
		{challenge, verifier[:42] + "+", errVerifier},
		{challenge, verifier[:42] + "=", errVerifier},
		{challenge, verifier + "\n", errVerifier},
	} {
		if err := Verify(c.challenge, c.verifier); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("Verify(%q, %q) = %v, want %v", c.challenge, c.verifier, err, c.want)
		}
	}
}

func TestCheckChallenge(t *testing.T) {
	for text, ok := range map[string]bool{
		challenge: true, challenge + "=": false, challenge[:42]: false, challenge + "A": false, "": false,
		strings.ReplaceAll(challenge, "-", "+"): false, challenge[:42] + "N": false, // bits left over
	} {
		if err := CheckChallenge(text); (err == nil) != ok {
			t.Errorf("CheckChallenge(%q) = %v", text, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(challenge, verifier)
	f.Add("", "")
	f.Fuzz(func(t *testing.T, c, v string) {
		if Verify(c, v) == nil && (c == "") != (v == "") {
			t.Errorf("Verify(%q, %q) passes", c, v)
		}
		_ = CheckChallenge(c)
	})
}
