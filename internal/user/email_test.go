package user

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCanonicalEmail(t *testing.T) {
	long := strings.Repeat("a", 64)
	domain := strings.Repeat("d", 60) + "." + strings.Repeat("e", 60) + "." + strings.Repeat("f", 60) // 182
	for _, c := range []struct{ in, shown, ascii string }{
		{"ada@example.com", "ada@example.com", "ada@example.com"},
		{"  Ada@Example.COM\t", "ada@example.com", "ada@example.com"},
		{"a+b.c_d-e@x.co", "a+b.c_d-e@x.co", "a+b.c_d-e@x.co"},
		{"!#$%&'*+-/=?^_`{|}~@x.co", "!#$%&'*+-/=?^_`{|}~@x.co", "!#$%&'*+-/=?^_`{|}~@x.co"},
		{"user@MÜNCHEN.de", "user@münchen.de", "user@xn--mnchen-3ya.de"},
		{"user@xn--mnchen-3ya.de", "user@münchen.de", "user@xn--mnchen-3ya.de"},
		{"user@mu\u0308nchen.de", "user@münchen.de", "user@xn--mnchen-3ya.de"}, // decomposed
		{"user@faß.de", "user@faß.de", "user@xn--fa-hia.de"},
		{"user@例え。テスト", "user@例え.テスト", "user@xn--r8jz45g.xn--zckzah"}, // ideographic full stop
		{"Jürgen@example.com", "jürgen@example.com", "jürgen@example.com"},
		{"JU\u0308RGEN@example.com", "jürgen@example.com", "jürgen@example.com"},
		{"\u212aelvin@example.com", "kelvin@example.com", "kelvin@example.com"}, // Kelvin sign
		{"用户@example.com", "用户@example.com", "用户@example.com"},
		{long + "@example.com", long + "@example.com", long + "@example.com"},
		{strings.Repeat("a", 64) + "@" + domain + ".abcde", strings.Repeat("a", 64) + "@" + domain + ".abcde", strings.Repeat("a", 64) + "@" + domain + ".abcde"},    // 253
		{strings.Repeat("a", 64) + "@" + domain + ".abcdef", strings.Repeat("a", 64) + "@" + domain + ".abcdef", strings.Repeat("a", 64) + "@" + domain + ".abcdef"}, // 254
		{"a@1and1.com", "a@1and1.com", "a@1and1.com"},
		{"a@r3---sn.example.com", "a@r3---sn.example.com", "a@r3---sn.example.com"},
	} {
		shown, err := CanonicalEmail(c.in)
		if err != nil || shown != c.shown {
			t.Errorf("CanonicalEmail(%q) = %q, %v, want %q", c.in, shown, err, c.shown)
		}
		ascii, err := ASCIIEmail(c.in)
		if err != nil || ascii != c.ascii {
			t.Errorf("ASCIIEmail(%q) = %q, %v, want %q", c.in, ascii, err, c.ascii)
		}
	}
}

func TestInvalidEmails(t *testing.T) {
	domain := strings.Repeat("d", 60) + "." + strings.Repeat("e", 60) + "." + strings.Repeat("f", 60)
	for _, in := range []string{
		"", " ", "@", "a@", "@b.co", "ada", "ada@localhost", "ada@example", "ada@.com", "ada@example..com", "ada@example.com.",
		"a b@example.com", "a\tb@example.com", "a\nb@example.com", "a\x00b@example.com", "a\x7fb@example.com",
		".ada@example.com", "ada.@example.com", "a..b@example.com", `"ada"@example.com`, `"a b"@example.com`,
		"Ada <ada@example.com>", "ada@example.com, eve@example.com", "ada@example.com;eve@example.com", "a@b@example.com",
		"ada(comment)@example.com", "ada@[127.0.0.1]", "ada@127.0.0.1", "ada@[IPv6:::1]", "ada@exa_mple.com", "ada@-example.com",
		"ada@example-.com", "ada@example.123", "ada@exam ple.com", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com/x",
		"ada@" + strings.Repeat("d", 64) + ".com", strings.Repeat("a", 65) + "@example.com",
		strings.Repeat("a", 64) + "@" + domain + ".abcdefg", // 255
		"ada\u202e@example.com", "ada\u00a0@example.com", "ada@ex\u0430mple\u202e.com", "ada@xn--a.com", "ada@xn--.com",
		"ada@\xff.com", "\xff@example.com", strings.Repeat("a", 5000) + "@example.com",
	} {
		if got, err := CanonicalEmail(in); typeOf(t, err) != "invalid_email" {
			t.Errorf("CanonicalEmail(%.80q) = %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"a\u200bda@example.com", "ada@exam\u200bple.com", "\ufeffada@example.com"} {
		if got, err := CanonicalEmail(in); typeOf(t, err) != "forbidden_character_zero_width_space" {
			t.Errorf("CanonicalEmail(%q) = %q, %v", in, got, err)
		}
	}
}

// The form that is shown leads back to itself and to the form that is indexed,
// so no two users can hold what is one address.
func FuzzCanonicalEmail(f *testing.F) {
	for _, s := range []string{"ada@example.com", "JÜRGEN@münchen.de", "\u212a@faß.de", "a@xn--mnchen-3ya.de", "İ@x.de", "ς@σ.gr", "a@\u3002b.c", "ŉ@x.co"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		shown, err := CanonicalEmail(s)
		if err != nil {
			typeOf(t, err)
			return
		}
		again, err := CanonicalEmail(shown)
		if err != nil || again != shown {
			t.Errorf("%q is shown as %q, and that as %q, %v", s, shown, again, err)
		}
		upper, err := CanonicalEmail(strings.ToUpper(shown[:1]) + shown[1:])
		if c := shown[0]; c < utf8.RuneSelf && (err != nil || upper != shown) {
			t.Errorf("case counts in %q: %q, %v", shown, upper, err)
		}
		ascii, err := ASCIIEmail(s)
		if err != nil {
			t.Fatalf("%q has no ASCII form: %v", s, err)
		}
		if back, err := ASCIIEmail(shown); err != nil || back != ascii {
			t.Errorf("%q is indexed as %q, its shown form as %q, %v", s, ascii, back, err)
		}
		if back, err := CanonicalEmail(ascii); err != nil || back != shown {
			t.Errorf("%q is indexed as %q, which is shown as %q, %v", s, ascii, back, err)
		}
		if len(ascii) > 254 || !utf8.ValidString(shown) || strings.ContainsAny(shown, " \t\r\n\x00<>,;\"") {
			t.Errorf("%q became %q", s, shown)
		}
	})
}
