package breach

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/breach/breachtest"
	"gatehouse/internal/breach/bundle"
)

// makeBundle puts a bundle of some passwords in place.
func makeBundle(t *testing.T, path string, passwords ...string) {
	t.Helper()
	var list strings.Builder
	for _, p := range passwords {
		fmt.Fprintf(&list, "%s:7\n", breachtest.Hash(p))
	}
	_, err := bundle.Import{From: strings.NewReader(list.String()), Into: path, Now: time.Unix(1, 0)}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
}

func startOffline(t *testing.T, path string, observed map[string]int) *fixture {
	t.Helper()
	return start(t, func(c *Config) {
		c.Source, c.Bundle = SourceOffline, path
		c.Observe = func(source string, v Verdict) { observed[source+" "+v.String()]++ }
	})
}

func TestOffline(t *testing.T) {
	path, observed := filepath.Join(t.TempDir(), "b"), map[string]int{}
	makeBundle(t, path, "password", "hunter2")
	f := startOffline(t, path, observed)
	f.expect(t, "password", Breached, 0)
	f.expect(t, "hunter2", Breached, 0)
	f.expect(t, "correct horse battery staple", Clean, 0)
	if f.Source() != SourceOffline || f.Where() != path || len(observed) != 2 || observed["offline breached"] != 2 {
		t.Errorf("%s %s %v", f.Source(), f.Where(), observed)
	}
}

// The next bundle is in use a minute after it was imported, without a restart.
func TestANewBundleTakesOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b")
	makeBundle(t, path, "password")
	f := startOffline(t, path, map[string]int{})
	f.expect(t, "later", Clean, 0)
	makeBundle(t, path, "later")
	f.expect(t, "later", Clean, 0)
	f.clock.Advance(lookEvery)
	f.expect(t, "later", Breached, 0)
	f.expect(t, "password", Clean, 0)

	// One that is of no use is not used, and neither is none at all.
	if err := os.WriteFile(path+".new", []byte("half a bundle"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.clock.Advance(lookEvery)
		f.expect(t, "later", Breached, 0)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(lookEvery)
	f.expect(t, "later", Breached, 0)
	if said := f.log.String(); strings.Count(said, "is in use") != 1 || strings.Count(said, "is not used") != 1 || !strings.Contains(said, "breach import") {
		t.Errorf("the log says:\n%s", said)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	f.expect(t, "later", Unknown, 0)
}

func TestABundleThatIsOfNoUse(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	makeBundle(t, good, "password")
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut")
	if err := os.WriteFile(cut, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                         "--breach-bundle is missing",
		filepath.Join(dir, "gone"): "make one with `gatehouse breach import`",
		cut:                        "Make it again with `gatehouse breach import`",
		dir:                        "the bundle of breached passwords",
	} {
		c, err := New(Config{Source: SourceOffline, Bundle: path})
		if c != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
	// Damage among the hashes shows when they are read, and is no answer.
	whole[64] ^= 1
	if err := os.WriteFile(cut, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	f := startOffline(t, cut, map[string]int{})
	f.expect(t, "password", Unknown, 0)
	f.expect(t, "of another bucket", Clean, 0)
}
