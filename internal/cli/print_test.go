package cli

import "testing"

// TestTablesDoNotSpeakToTheTerminal: names that users chose reach an operator's
// screen as text, whatever they hold.
func TestTablesDoNotSpeakToTheTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"Ada's phone":           "Ada's phone",
		"\x1b]0;owned\x07":      "\uFFFD]0;owned\uFFFD",
		"a\nemail  admin@b.com": "a\uFFFDemail  admin@b.com",
		"a\tb":                  "a\uFFFDb",
		"\u202Eevil":            "\uFFFDevil",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}
