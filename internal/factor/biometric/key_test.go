package biometric

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/apierr"
)

var encode = base64.StdEncoding.EncodeToString

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// what a rule says, by its error_type; "" is yes.
func verdictOf(err error) string {
	if e := apierr.From(err); e != nil {
		return e.Type
	}
	return ""
}

func key(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return private
}

func TestPublicKeys(t *testing.T) {
	good := key(t).Public().(ed25519.PublicKey)
	low := func(first byte) []byte { return append([]byte{first}, append(bytes.Repeat([]byte{0xff}, 30), 0x7f)...) }
	high := func(b []byte) []byte { b[31] |= 0x80; return b }
	const refused = "invalid_public_key"
	for name, c := range map[string]struct{ sent, want string }{
		"a key":                          {encode(good), ""},
		"nothing":                        {"", "public_key_missing"},
		"31 bytes":                       {encode(good[:31]), refused},
		"33 bytes":                       {encode(append(bytes.Clone(good), 0)), refused},
		"0 bytes in four characters":     {"====", refused},
		"without padding":                {strings.TrimRight(encode(good), "="), refused},
		"two paddings":                   {encode(good) + "=", refused},
		"base64url":                      {base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, 32)), refused},
		"its bits behind the last byte":  {strings.Repeat("A", 42) + "B=", refused},
		"a line break":                   {encode(good)[:20] + "\n" + encode(good)[20:], refused},
		"a line break at the end":        {encode(good) + "\r\n", refused},
		"a space":                        {" " + encode(good), refused},
		"hex":                            {hex.EncodeToString(good), refused},
		"PEM":                            {"-----BEGIN PUBLIC KEY-----", refused},
		"a megabyte":                     {strings.Repeat("A", 1<<20), refused},
		"zeros":                          {encode(make([]byte, 32)), refused},
		"zeros with the sign":            {encode(high(make([]byte, 32))), refused},
		"the neutral point":              {encode(append([]byte{1}, make([]byte, 31)...)), refused},
		"the largest y":                  {encode(low(0xec)), refused}, // of order two
		"the largest y but one":          {encode(low(0xeb)), ""},
		"the prime":                      {encode(low(0xed)), refused},
		"the prime and one":              {encode(low(0xee)), refused},
		"all ones":                       {encode(bytes.Repeat([]byte{0xff}, 32)), refused},
		"all ones but the lowest byte":   {encode(high(low(0x00))), ""},
		"order eight":                    {encode(unhex(t, smallOrder[2])), refused},
		"order eight with the sign":      {encode(high(unhex(t, smallOrder[3]))), refused},
		"the neutral point's other sign": {encode(high(append([]byte{1}, make([]byte, 31)...))), refused},
	} {
		_, err := parsePublicKey(c.sent)
		if got := verdictOf(err); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSignatures(t *testing.T) {
	of := func(n int) string { return encode(bytes.Repeat([]byte{7}, n)) }
	for name, c := range map[string]struct{ sent, want string }{
		"64 bytes":        {of(64), ""},
		"63 bytes":        {of(63), "signature_is_incorrect_size"},
		"65 bytes":        {of(65), "signature_is_incorrect_size"},
		"one byte":        {of(1), "signature_is_incorrect_size"},
		"128 bytes":       {of(128), "signature_is_incorrect_size"},
		"nothing":         {"", "signature_missing"},
		"not base64":      {"!" + of(64)[1:], "could_not_parse_biometric_signature"},
		"without padding": {strings.TrimRight(of(64), "="), "could_not_parse_biometric_signature"},
		"cut off":         {of(64)[:87], "could_not_parse_biometric_signature"},
		"a line break":    {of(64)[:76] + "\n" + of(64)[76:], "could_not_parse_biometric_signature"},
		"base64url":       {base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, 64)), "could_not_parse_biometric_signature"},
		"other spelling":  {of(64)[:85] + "x==", "could_not_parse_biometric_signature"},
	} {
		_, err := parseSignature(c.sent)
		if got := verdictOf(err); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Why keys of small order are refused: without any private key there is a
// signature that fits some message for each of them, and none for a real key.
func TestAnybodySignsForKeysOfSmallOrder(t *testing.T) {
	forged := append([]byte{1}, make([]byte, 63)...) // R is the neutral point, S is zero
	fits := func(public ed25519.PublicKey) bool {
		for i := range 200 {
			if ed25519.Verify(public, fmt.Append(nil, i), forged) {
				return true
			}
		}
		return false
	}
	for _, y := range smallOrder {
		for _, sign := range []byte{0, 0x80} {
			public := unhex(t, y)
			public[31] |= sign
			if onCurve := y != smallOrder[1] && y != smallOrder[4] || sign == 0; onCurve && !fits(public) {
				t.Errorf("%x is not of small order", public)
			}
		}
	}
	if fits(key(t).Public().(ed25519.PublicKey)) {
		t.Error("a real key accepts the forgery, so this proves nothing")
	}
}

// TestWycheproofEd25519 runs the vectors against what signatures are verified
// with, sizes included.
func TestWycheproofEd25519(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "vectors", "wycheproof", "ed25519_test.json"))
	if os.IsNotExist(err) {
		t.Skip("the Wycheproof vectors are not beside this clone")
	}
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Key struct {
				Bytes string `json:"pk"`
			} `json:"publicKey"`
			Tests []struct {
				ID        int    `json:"tcId"`
				Comment   string `json:"comment"`
				Message   string `json:"msg"`
				Signature string `json:"sig"`
				Result    string `json:"result"`
			} `json:"tests"`
		} `json:"testGroups"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	valid := 0
	for _, g := range file.Groups {
		public, err := parsePublicKey(encode(unhex(t, g.Key.Bytes)))
		for _, v := range g.Tests {
			signature, malformed := parseSignature(encode(unhex(t, v.Signature)))
			accepted := err == nil && malformed == nil && ed25519.Verify(public, unhex(t, v.Message), signature)
			if accepted != (v.Result == "valid") {
				t.Errorf("%d (%s): accepted %v, the vector is %s", v.ID, v.Comment, accepted, v.Result)
			}
			if accepted {
				valid++
			}
		}
	}
	if valid < 50 {
		t.Errorf("only %d vectors were accepted", valid)
	}
}

// Security case 54: whatever a client sends is answered with a verdict of the
// contract, and what is accepted has one spelling.
func FuzzSecurity54PublicKey(f *testing.F) {
	f.Add(encode(key(f).Public().(ed25519.PublicKey)))
	for _, y := range smallOrder {
		f.Add(encode(unhex(f, y)))
	}
	for _, s := range []string{"", "=", "AAAA\n", strings.Repeat("/", 43) + "="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		public, err := parsePublicKey(s)
		switch e := apierr.From(err); {
		case err == nil && (len(public) != 32 || encode(public) != s):
			t.Errorf("%q is accepted and means %x", s, public)
		case err == nil:
			ed25519.Verify(public, []byte(s), make([]byte, 64)) // must not panic
		case e == nil || e.Status != 400:
			t.Errorf("%q: %v", s, err)
		}
	})
}

func FuzzSecurity54Signature(f *testing.F) {
	private := key(f)
	public := private.Public().(ed25519.PublicKey)
	right := encode(ed25519.Sign(private, []byte("challenge")))
	for _, s := range []string{right, "", "=", right + "\n", right[:84], strings.Repeat("A", 86) + "==", strings.Repeat("/", 86) + "=="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		signature, err := parseSignature(s)
		switch e := apierr.From(err); {
		case err == nil && (len(signature) != 64 || encode(signature) != s):
			t.Errorf("%q is accepted and means %x", s, signature)
		case err == nil && s != right && ed25519.Verify(public, []byte("challenge"), signature):
			t.Errorf("%q is another signature of the same challenge", s)
		case err != nil && (e == nil || e.Status != 400):
			t.Errorf("%q: %v", s, err)
		}
	})
}

// A key that anybody can sign for comes in by no import either.
func TestSecurity53ImportsBringNoWorthlessKeys(t *testing.T) {
	for _, y := range append([]string{"", "00"}, smallOrder...) {
		text, err := json.Marshal(exported{PublicKey: unhex(t, y)})
		if err != nil {
			t.Fatal(err)
		}
		if got := verdictOf((&Service{}).RestoreKey(nil, nil, "", "", text)); got != "invalid_biometric_credential" {
			t.Errorf("the key %q: %q", y, got)
		}
	}
}
