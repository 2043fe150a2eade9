package cli

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// commandInText finds a command in a page: at the beginning of a line of a
// code block, after a prompt, or between backticks.
var commandInText = regexp.MustCompile("(?m)(?:^\\s*(?:\\$ )?|`|; )gatehouse ([a-z][^`|;&>#\n]*)")

// What the documentation tells people to type is a command that exists.
func TestDocumentedCommandsExist(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range commandInText.FindAllStringSubmatch(string(text), -1) {
			found++
			if err := parses(words(m[1])); err != nil {
				t.Errorf("%s: gatehouse %s: %v", filepath.Base(page), strings.TrimSpace(m[1]), err)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d commands found: the test has stopped looking", found)
	}
}

// parses reports whether a command line is right. A mention such as
// `gatehouse user search` names a command and leaves its arguments out.
func parses(args []string) error {
	parser, err := newParser(&commands{}, &Terminal{Out: io.Discard, Err: io.Discard}, func(code int) { panic(code) })
	if err != nil {
		return err
	}
	defer func() { _ = recover() }() // --help ends the program
	_, err = parser.Parse(args)
	if err != nil && (strings.HasPrefix(err.Error(), `expected "<`) || strings.HasPrefix(err.Error(), "expected one of")) {
		return nil
	}
	return err
}

// words splits a command line as a shell does, as far as documentation needs.
func words(line string) []string {
	var out []string
	line = regexp.MustCompile(`\$\([^)]*\)`).ReplaceAllString(line, "x")
	line = strings.TrimSuffix(strings.TrimSpace(line), "'") // sh -c '...; gatehouse doctor'
	for _, m := range regexp.MustCompile(`"([^"]*)"|'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		out = append(out, m[1]+m[2]+m[3])
	}
	return out
}
