package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that is far too large is refused before it is in memory.
func TestSecurity55FilesAreBounded(t *testing.T) {
	name := filepath.Join(t.TempDir(), "policy.json")
	for size, fits := range map[int]bool{0: true, maxFile: true, maxFile + 1: false} {
		text := strings.Repeat("x", size)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, from := range []string{name, "-"} {
			got, err := readFile(&Terminal{In: strings.NewReader(text)}, from)
			if (err == nil) != fits || fits && string(got) != text {
				t.Errorf("%d bytes of %s: %d, %v", size, from, len(got), err)
			}
		}
	}
}
