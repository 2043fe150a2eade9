package session

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzAttributes(f *testing.F) {
	for _, s := range []string{"", "Mozilla/5.0", strings.Repeat("\u00e9", 300), "\xff\xfe", strings.Repeat("a", 511) + "\u00e9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := Attributes{IPAddress: s, UserAgent: s}.bounded()
		if len(once.UserAgent) > maxAttribute || !utf8.ValidString(once.UserAgent) || once != once.bounded() {
			t.Errorf("%q is kept as %q", s, once.UserAgent)
		}
		// What is too long is cut off on both sides, and still compared.
		m := Matching{Attributes: &Attributes{UserAgent: s}, Options: &MatchOptions{UserAgentMatchRequired: true}}
		if err := m.Check(once); (err == nil) != (once.UserAgent != "") {
			t.Errorf("%q does not match itself: %v", s, err)
		}
	})
}
