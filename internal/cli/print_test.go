package cli

import (
	"bytes"
	"strings"
	"testing"
)

// What people call themselves cannot take over the terminal or break a table.
func TestTablesHoldNothingThatMoves(t *testing.T) {
	var out bytes.Buffer
	r := &rows{header: []string{"NAME", "EMAIL"}}
	r.add("Mal\x1b[2J\u009b", "\u202egro.elpmaxe@lam")
	r.add("two\nlines", "and\ta tab\x00")
	r.add("Zoë 日本", "plain")
	if err := (&Terminal{Out: &out}).table(r); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u009b\u202e\t\x00") || strings.Count(out.String(), "\n") != 4 {
		t.Errorf("the table is %q", out.String())
	}
	if !strings.Contains(out.String(), "Zoë 日本") {
		t.Error("a name was changed")
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 KB", 1234: "1.2 KB", 999_400: "999.4 KB", 999_600: "1 MB", 20_000_000: "20 MB", 3_210_000_000: "3.2 GB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"one":                           "one",
		"one\ntwo":                      "one; two",
		"failed to connect:\n\tfirst\n": "failed to connect: first",
		"\n\n":                          "",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", in, got, want)
		}
	}
}
