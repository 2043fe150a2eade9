package app_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
)

// TestTheDocumentedProgram: docs/mfa.md shows these very functions, in a program
// that runs.
func TestTheDocumentedProgram(t *testing.T) {
	page, err := os.ReadFile("../../docs/mfa.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, found := strings.Cut(string(page), "```go\n// mfa.go:")
	program, _, ended := strings.Cut(program, "```")
	here, err := os.ReadFile("helper_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, functions, _ := strings.Cut(string(here), "// copied from it.\n")
	if !found || !ended || !strings.Contains(program, strings.TrimSpace(functions)) {
		t.Fatal("the functions of docs/mfa.md are not those that the tests use")
	}
	s := openly(t, authtest.New(t))
	m := newMember(t, s)
	folder := t.TempDir()
	dev, err := json.Marshal(fields{"base_url": s.URL, "project_id": s.Env.ID, "secret": s.Secret()})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"mfa.go": "//" + program, ".gatehouse/dev.json": string(dev)} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", "mfa", "mfa.go")
	build.Dir = folder
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	one, _ := m.session(named(t, "a passkey"))
	two, _ := m.session(named(t, "a passkey"), named(t, "an embeddable link"))
	for token, want := range map[string]string{one.Token: "two kinds: false", two.Token: "two kinds: true", "x": "no session:"} {
		run := exec.Command(filepath.Join(folder, "mfa"), token)
		run.Dir = folder
		if out, err := run.CombinedOutput(); !strings.HasPrefix(string(out), want) {
			t.Errorf("it prints %q, want %q (%v)", out, want, err)
		}
	}
}

// What follows stands in docs/mfa.md as well, and customers have it
// copied from it.

// Factor is one of the authentication_factors of a session, as answers and JWTs
// have it.
type Factor struct {
	Type                string    `json:"type"`
	DeliveryMethod      string    `json:"delivery_method"`
	LastAuthenticatedAt time.Time `json:"last_authenticated_at"`
}

// Kind says what a factor stands for: reading a mailbox, holding a phone, having a
// device. It is "" for what stands for nothing, such as a wallet.
func Kind(f Factor) string {
	switch f.Type {
	case "magic_link", "oauth", "password", "recovery_codes":
		return "mailbox"
	case "otp":
		if f.DeliveryMethod == "email" {
			return "mailbox"
		}
		return "phone"
	case "webauthn", "totp", "signature_challenge":
		return "device"
	}
	return ""
}

// HasTwoKinds reports whether a session was proven by factors of two kinds.
func HasTwoKinds(factors []Factor) bool {
	kinds := map[string]bool{}
	for _, f := range factors {
		if kind := Kind(f); kind != "" {
			kinds[kind] = true
		}
	}
	return len(kinds) >= 2
}

// ProvenWithin reports whether one of the factors was proven that recently.
func ProvenWithin(factors []Factor, age time.Duration, now time.Time) bool {
	for _, f := range factors {
		if now.Sub(f.LastAuthenticatedAt) < age {
			return true
		}
	}
	return false
}
