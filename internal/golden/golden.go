// Package golden owns the comparison of generated text with the copy that is
// committed for review. It is for tests only and knows nothing of what it
// compares.
package golden

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write golden files instead of comparing them")

// Check fails the test when the file differs from got. The path is relative to
// the module's root. With -update it writes the file, as `make golden` does.
func Check(t testing.TB, path string, got []byte) {
	t.Helper()
	file := filepath.Join(root(t), filepath.FromSlash(path))
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run make golden", err)
	}
	if !bytes.Equal(want, got) {
		line, have, now := firstDifference(want, got)
		t.Errorf("%s is not what the code says; run make golden and review the change.\nline %d\n  file: %s\n  code: %s",
			path, line, have, now)
	}
}

func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

func firstDifference(want, got []byte) (line int, have, now string) {
	a, b := bytes.Split(want, []byte("\n")), bytes.Split(got, []byte("\n"))
	for i := range max(len(a), len(b)) {
		have, now = "(end)", "(end)"
		if i < len(a) {
			have = string(a[i])
		}
		if i < len(b) {
			now = string(b[i])
		}
		if have != now {
			return i + 1, have, now
		}
	}
	return 0, "", ""
}
