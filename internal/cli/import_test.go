//go:build unix

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
	"gatehouse/internal/user"
)

// countUsers reads how many users there are, beside whatever else runs.
func (in *installation) countUsers() (n int64) {
	in.t.Helper()
	url := strings.TrimPrefix(in.env[0], "GATEHOUSE_DATABASE_URL=")
	db, err := store.Open(in.t.Context(), store.Options{URL: url, Now: time.Now})
	if err != nil {
		in.t.Fatal(err)
	}
	defer db.Close()
	err = db.View(in.t.Context(), func(tx *store.Tx) (err error) {
		n, err = user.Count(tx, &project.Environment{ID: in.projectID})
		return err
	})
	if err != nil {
		in.t.Fatal(err)
	}
	return n
}

// manyRows writes a file of users, some of whom are refused.
func manyRows(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.jsonl")
	var b strings.Builder
	for i := range n {
		if i%100 == 99 {
			fmt.Fprintf(&b, "{\"email\":\"bad %d\"}\n", i)
			continue
		}
		fmt.Fprintf(&b, "{\"email\":\"user%d@example.com\",\"name\":{\"first_name\":\"A\",\"last_name\":\"B%d\"}}\n", i, i)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// An import that is killed at any moment, again and again, ends with everybody
// once and each refused row once in its report.
func TestKilledImportGoesOnAndLosesNobody(t *testing.T) {
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			in := install(t, engine)
			file, report := manyRows(t, 3000), filepath.Join(t.TempDir(), "report.jsonl")
			args := []string{"import", "users", file, "--environment", "test", "--report", report, "--batch-size", "50"}
			for _, enough := range []int64{1, 700, 1500} {
				p := spawn(t, in.env, args...)
				if !eventually(func() bool { return in.countUsers() >= enough }) {
					t.Fatalf("fewer than %d users came: %s", enough, p.out)
				}
				_ = p.cmd.Process.Signal(syscall.SIGKILL) // it may have ended meanwhile
				p.exit()
			}
			p := spawn(t, in.env, args...)
			if code := p.exit(); code != exitPartly {
				t.Fatalf("ended with %d: %s", code, p.out)
			}
			out := p.out.String()
			if !strings.Contains(out, "2,970 created, 0 updated, 0 existed, 30 refused.") {
				t.Errorf("it says:\n%s", out)
			}
			if n := in.countUsers(); n != 2970 {
				t.Errorf("there are %d users", n)
			}
			text, err := os.ReadFile(report)
			if err != nil || strings.Count(string(text), "\n") != 30 {
				t.Errorf("the report has %d lines, %v", strings.Count(string(text), "\n"), err)
			}
			if out := in.run("doctor", "--integrity"); strings.Contains(out, "FAIL") {
				t.Errorf("the doctor says:\n%s", out)
			}
		})
	}
}

// At Ctrl-C an import ends its transaction and says how to go on. It runs beside
// a server, which goes on answering.
func TestInterruptedImportSaysHowToGoOn(t *testing.T) {
	in := install(t, store.SQLite)
	server := in.serve()
	args := []string{"import", "users", manyRows(t, 2000), "--environment", "test"}
	p := spawn(t, in.env, args...)
	if !eventually(func() bool { return in.countUsers() > 0 }) {
		t.Fatalf("nobody came: %s", p.out)
	}
	in.must(server.url, "POST", "/v1/users", map[string]any{"email": "meanwhile@example.com"})
	if code := p.signal(syscall.SIGINT); code != exitFailed {
		t.Errorf("ended with %d", code)
	}
	out := p.out.String()
	if !strings.Contains(out, "A server uses this database") || !strings.Contains(out, "the same command goes on from there") {
		t.Errorf("it says:\n%s", out)
	}
	p = spawn(t, in.env, args...)
	if code := p.exit(); code != exitPartly || !strings.Contains(p.out.String(), "An earlier run had done ") {
		t.Errorf("ended with %d: %s", code, p.out)
	}
	if n := in.countUsers(); n != 1981 {
		t.Errorf("there are %d users", n)
	}
}
