package user

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"gatehouse/internal/apierr"
)

var (
	errInvalidEmail = apierr.New(400, "invalid_email", "The email address is not valid. Check its spelling.")
	errZeroWidth    = apierr.New(400, "forbidden_character_zero_width_space", "The value contains an invisible character (a zero-width space). Type it again instead of pasting it.")
)

// The bounds of an address: RFC 5321, sections 4.5.3.1.1 and 4.5.3.1.3 (a path
// of 256 octets has room for 254 between its angle brackets).
const (
	maxEmail     = 254
	maxLocalPart = 64
)

// CanonicalEmail brings an address into the one form that is stored, shown and
// mailed to: trimmed, Unicode NFC, lower case, an internationalised domain in
// Unicode. What is proven is therefore always the address that is shown. Two
// spellings of an address are one address when their canonical forms are equal.
// It returns invalid_email for anything but local@domain (RFC 5321 without
// quotes, comments, address literals and single-label domains; RFC 6531 for
// letters beyond ASCII).
func CanonicalEmail(s string) (string, error) {
	local, domain, err := splitEmail(s)
	if err != nil {
		return "", err
	}
	shown, err := idna.Punycode.ToUnicode(domain)
	if err != nil {
		return "", errInvalidEmail.Because(err)
	}
	// The Unicode form must lead back to the same domain, or the address that is
	// shown would not be the one that is indexed.
	if back, err := idnaLookup.ToASCII(shown); err != nil || back != domain {
		return "", errInvalidEmail
	}
	return local + "@" + shown, nil
}

// ASCIIEmail is the canonical address with its domain in ASCII, the form in
// which addresses are compared and which every mail server takes.
func ASCIIEmail(s string) (string, error) {
	local, domain, err := splitEmail(s)
	if err != nil {
		return "", err
	}
	return local + "@" + domain, nil
}

// idnaLookup maps as a browser does (UTS 46, non-transitional) and checks what
// it maps. Hyphens in the third and fourth place exist in real host names.
var idnaLookup = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckHyphens(false),
	idna.StrictDomainName(true), idna.VerifyDNSLength(true), idna.Transitional(false))

// splitEmail checks s and returns its local part and its domain in ASCII.
func splitEmail(s string) (local, domain string, err error) {
	if len(s) > 4*maxEmail || !utf8.ValidString(s) {
		return "", "", errInvalidEmail
	}
	s = strings.TrimSpace(s)
	if hasZeroWidth(s) {
		return "", "", errZeroWidth
	}
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return "", "", errInvalidEmail
	}
	local, domain = fold(s[:at]), s[at+1:]
	if !isLocalPart(local) {
		return "", "", errInvalidEmail
	}
	domain, err = asciiDomain(domain)
	if err != nil {
		return "", "", err
	}
	if len(local)+1+len(domain) > maxEmail {
		return "", "", errInvalidEmail.WithMessage("The email address is longer than %d characters.", maxEmail)
	}
	return local, domain, nil
}

// fold makes spellings that differ only in case or composition equal.
func fold(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			// Lower case can undo NFC and NFC can bring back upper case (U+212A,
			// the Kelvin sign, is composed as K), hence both twice.
			return norm.NFC.String(strings.ToLower(norm.NFC.String(s)))
		}
	}
	return strings.ToLower(s)
}

// normal is Unicode NFC, free for ASCII.
func normal(s string) string { return norm.NFC.String(s) }

// isLocalPart reports whether s is a dot-atom (RFC 5322, section 3.2.3) of
// ASCII atext and, beyond ASCII, letters, marks, digits and symbols.
func isLocalPart(s string) bool {
	if s == "" || len(s) > maxLocalPart || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r):
		case r < utf8.RuneSelf, r == utf8.RuneError:
			return false
		case !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.S):
			return false
		}
	}
	return true
}

// asciiDomain checks a domain of at least two labels and returns it in ASCII,
// as the DNS is asked for it (UTS 46, non-transitional).
func asciiDomain(s string) (string, error) {
	domain, err := idnaLookup.ToASCII(s)
	if err != nil {
		return "", errInvalidEmail.Because(err)
	}
	dot := strings.LastIndexByte(domain, '.')
	if dot < 0 || strings.HasPrefix(domain, "-") {
		return "", errInvalidEmail
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return "", errInvalidEmail
		}
	}
	// A top-level domain has a letter (RFC 3696, section 2), an IPv4 address has none.
	if !strings.ContainsFunc(domain[dot+1:], func(r rune) bool { return r >= 'a' && r <= 'z' }) {
		return "", errInvalidEmail
	}
	return domain, nil
}

// hasZeroWidth finds the invisible characters that come along when pasting.
func hasZeroWidth(s string) bool {
	return strings.ContainsAny(s, "\u200b\u2060\ufeff")
}
