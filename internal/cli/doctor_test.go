package cli

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/config"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// sealedWorld is a database whose master key changes, looked at by the doctor.
type sealedWorld struct {
	*testing.T
	url string
}

func eachSealed(t *testing.T, test func(w *sealedWorld)) {
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Setenv("GATEHOUSE_OAUTH_CLIENT_SECRET", "mine")
			w := &sealedWorld{t, storetest.URL(t, engine)}
			w.run("", "migrate")
			w.run("", "project", "create", "Shop")
			w.run("", "environment", "set", "test", "session.algorithm=ES256")
			test(w)
		})
	}
}

// command runs a command with master keys and returns what it printed and its
// exit code.
func (w *sealedWorld) command(keys string, args ...string) (string, int) {
	w.Helper()
	var out bytes.Buffer
	args = append(args, "--database-url", w.url)
	if keys != "" {
		args = append(args, "--master-key", keys)
	}
	code := Main(args, &Terminal{In: strings.NewReader(""), Out: &out, Err: &out})
	return out.String(), code
}

func (w *sealedWorld) run(keys string, args ...string) {
	w.Helper()
	if out, code := w.command(keys, args...); code != exitDone {
		w.Fatalf("gatehouse %s ended with %d: %s", strings.Join(args, " "), code, out)
	}
}

// tools are the services, as a server with these master keys has them.
func (w *sealedWorld) tools(keys string) *app.App {
	w.Helper()
	a, err := app.OpenTools(w.Context(), app.Options{Database: config.Database{DatabaseURL: w.url, MasterKey: keys}, Now: time.Now})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = a.Close() })
	return a
}

var adviceBelow = regexp.MustCompile(`\n +-> `)

// says checks what the doctor says of master keys, with its advice behind it, that
// nothing else fails, and with what it ends.
func (w *sealedWorld) says(keys string, code int, want ...string) {
	w.Helper()
	out, got := w.command(keys, "doctor", "--public-url", "https://auth.example.com")
	var lines []string
	for line := range strings.SplitSeq(adviceBelow.ReplaceAllString(out, " -> "), "\n") {
		if strings.Contains(line, "  master key    ") || strings.Contains(line, "FAIL") {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	if got != code || !slices.Equal(lines, want) {
		w.Errorf("with %d of the keys the doctor ends with %d, want %d, and says\n%s\nwant\n%s\nof all this\n%s", strings.Count(keys, ",")+1, got, code, strings.Join(lines, "\n"), strings.Join(want, "\n"), out)
	}
}

const (
	fits        = "OK master key It fits this database."
	noOther     = "OK master key What lasts is sealed with the first key, and needs no other."
	addAtTheEnd = " -> Add the master key that sealed them to the others, at the end of the list."
)

// TestDoctorFollowsAChangeOfTheMasterKey: the older key has to stay while
// anything needs it, and then can go.
func TestDoctorFollowsAChangeOfTheMasterKey(t *testing.T) {
	eachSealed(t, func(w *sealedWorld) {
		old, fresh := secret.NewMasterKey(), secret.NewMasterKey()
		both := fresh + "," + old
		w.says(both, exitDone, fits, noOther) // nothing is sealed yet
		w.run(old, "keys", "rotate", "test", "--now")
		w.run(old, "m2m-client", "create", "test", "--id", "reports")
		w.run(old, "oauth-provider", "set", "test", "github", "--client-id", "1")
		w.says(old, exitDone, fits)
		w.says(both, exitDone, fits, "OK master key 3 values are sealed with an older key, which has to stay until a server has sealed them anew.")
		w.run(both, "m2m-client", "create", "test", "--id", "billing")
		w.says(both, exitDone, fits, "OK master key 3 values are sealed with an older key, which has to stay until a server has sealed them anew.")

		if n, err := w.tools(both).Reseal.Run(w.Context()); n != 3 || err != nil {
			w.Fatalf("%d were sealed anew: %v", n, err)
		}
		w.says(both, exitDone, fits, noOther)
		w.says(fresh, exitDone, fits)
		w.run(old, "m2m-client", "create", "test", "--id", "late")
		w.says(both, exitDone, fits, "OK master key 1 value is sealed with an older key, which has to stay until a server has sealed them anew.")
	})
}

// TestDoctorMissesAMasterKey: what none of the keys opens is a warning for each
// place where it is kept; an environment that cannot sign is a failure.
func TestDoctorMissesAMasterKey(t *testing.T) {
	eachSealed(t, func(w *sealedWorld) {
		gone, old, fresh := secret.NewMasterKey(), secret.NewMasterKey(), secret.NewMasterKey()
		w.run(gone, "m2m-client", "create", "test", "--id", "reports")
		w.run(gone, "m2m-client", "create", "test", "--id", "billing")
		w.run(gone, "m2m-client", "rotate", "test", "billing", "start")
		w.run(gone, "oauth-provider", "set", "test", "github", "--client-id", "1")
		w.run(old, "oauth-provider", "set", "test", "google", "--client-id", "2")
		w.run(fresh, "oauth-provider", "set", "test", "slack", "--client-id", "3")
		lost := []string{
			"WARN master key 1 value of oauth_providers.sealed cannot be opened." + addAtTheEnd,
			"WARN master key 2 values of m2m_clients.secret_sealed cannot be opened." + addAtTheEnd,
			"WARN master key 1 value of m2m_clients.next_secret_sealed cannot be opened." + addAtTheEnd,
		}
		w.says(fresh+","+old, exitDone, append(append([]string{fits}, lost...),
			"OK master key 1 value is sealed with an older key, which has to stay until a server has sealed them anew.")...)
		// Sealing anew stops at none of it, and the warnings stay.
		if n, err := w.tools(fresh + "," + old).Reseal.Run(w.Context()); n != 1 || err != nil {
			w.Fatalf("%d were sealed anew: %v", n, err)
		}
		w.says(fresh+","+old, exitDone, append(append([]string{fits}, lost...), noOther)...)
		w.says(fresh, exitDone, append([]string{fits}, lost...)...)
		// The advice helps.
		w.says(fresh+","+gone, exitDone, fits, "OK master key 4 values are sealed with an older key, which has to stay until a server has sealed them anew.")

		w.run(gone, "keys", "rotate", "test", "--now")
		out, code := w.command(fresh, "doctor", "--json", "--public-url", "https://auth.example.com")
		var found []finding
		if err := json.Unmarshal([]byte(out), &found); err != nil || code != exitFailed {
			w.Fatalf("the doctor ends with %d: %v: %s", code, err, out)
		}
		key := slices.IndexFunc(found, func(f finding) bool { return strings.Contains(f.Message, "signing_keys.private_sealed") })
		if key < 0 || found[key].Check != "master key" || found[key].Verdict != warning || found[key].Advice == "" {
			w.Errorf("of a signing key that cannot be opened it says %s", out)
		}
		signing := slices.IndexFunc(found, func(f finding) bool { return f.Check == "signing keys" })
		if signing < 0 || found[signing].Verdict != failure || !strings.Contains(found[signing].Message, "Shop (test)") {
			w.Errorf("of an environment that cannot sign it says %s", out)
		}
	})
}

// TestDoctorCannotCount: a table that cannot be read is a failure.
func TestDoctorCannotCount(t *testing.T) {
	eachSealed(t, func(w *sealedWorld) {
		key := secret.NewMasterKey()
		err := w.tools(key).DB.Update(w.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec("DROP TABLE totps")
			return err
		})
		if err != nil {
			w.Fatal(err)
		}
		out, code := w.command(key, "doctor", "--public-url", "https://auth.example.com")
		if code != exitFailed || !strings.Contains(out, "FAIL  master key    Counting what is sealed failed: ") {
			w.Errorf("the doctor ends with %d: %s", code, out)
		}
	})
}
