//go:build unix

package cli

import (
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// refused runs a command that must fail with 1 and one line.
func refused(t *testing.T, cmd *exec.Cmd, want string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("it ended with %d, want %d", code, exitFailed)
	}
	text := string(out)
	if !strings.HasPrefix(text, "gatehouse: ") || strings.Count(text, "\n") != 1 || !strings.Contains(text, want) {
		t.Errorf("it said:\n%s\nwant one line with %q", text, want)
	}
}

func TestABusyPortIsOneLine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	folder := filepath.Join(t.TempDir(), "data")
	want := fmt.Sprintf("the address %s is taken by another program: stop that one, or choose another address with --listen", l.Addr())
	refused(t, exec.Command("gatehouse", "dev", "--listen", l.Addr().String(), "--data", folder), want)

	in := install(t, store.SQLite)
	cmd := exec.Command("gatehouse", "serve", "--listen", l.Addr().String())
	cmd.Env = append(os.Environ(), in.env...)
	refused(t, cmd, want)
}

// A browser takes localhost for either loopback address, so both must be ours.
func TestDevAnswersOnBothLoopbackAddresses(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6: ", err)
	}
	port := portOf(l)
	folder := filepath.Join(t.TempDir(), "data")
	refused(t, exec.Command("gatehouse", "dev", "--listen", fmt.Sprintf("127.0.0.1:%d", port), "--data", folder),
		fmt.Sprintf("the address [::1]:%d is taken by another program", port))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p := spawn(t, nil, "dev", "--listen", "127.0.0.1:0", "--data", folder)
	var dev devState
	if !eventually(func() bool { dev, err = readDevState(folder); return err == nil && dev.BaseURL != "" }) {
		t.Fatal("no dev.json")
	}
	_, own, _ := strings.Cut(dev.BaseURL, "localhost:")
	for _, host := range []string{"127.0.0.1", "[::1]", "localhost"} {
		resp, err := client.Get("http://" + host + ":" + own + "/healthz")
		if err != nil {
			t.Error(err)
			continue
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s answered %d, %v", host, resp.StatusCode, err)
		}
	}
	if code := p.signal(syscall.SIGTERM); code != exitDone {
		t.Errorf("it ended with %d", code)
	}
}

func TestAFolderThatCannotBeWrittenIsOneLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, exec.Command("gatehouse", "dev", "--listen", "127.0.0.1:0", "--data", filepath.Join(file, "data")),
		"(not a directory): give the user who runs gatehouse the right to, or name another folder")

	folder, err := os.MkdirTemp("", "gatehouse-closed-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	if err := os.Chmod(folder, 0o555); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"dev", "--listen", "127.0.0.1:0", "--data", folder},
		{"dev", "--listen", "127.0.0.1:0", "--data", filepath.Join(folder, "data")},
		{"serve", "--listen", "127.0.0.1:0", "--public-url", "http://localhost", "--master-key", strings.Repeat("ab", 32), "--database-url", "sqlite:" + folder + "/gatehouse.db"},
	} {
		cmd := exec.Command("gatehouse", args...)
		asNobody(t, cmd)
		refused(t, cmd, fmt.Sprintf("cannot write in the folder %s (permission denied): give the user who runs gatehouse the right to, or name another folder", folder))
	}
}

func TestADatabaseFromANewerVersionIsOneLine(t *testing.T) {
	in := install(t, store.SQLite)
	_, path, _ := strings.Cut(in.env[0], "sqlite:")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"serve"}, {"migrate"}, {"migrate", "--dry-run"}, {"project", "list"}, {"user", "search", "test"}} {
		cmd := exec.Command("gatehouse", args...)
		cmd.Env = append(os.Environ(), in.env...)
		refused(t, cmd, "the database was written by a newer version of Gatehouse (the database has version 9999, this program knows")
	}
	folder := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, filepath.Join(folder, databaseFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, masterKeyFile), []byte(strings.Repeat("ab", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, exec.Command("gatehouse", "dev", "--listen", "127.0.0.1:0", "--data", folder), "run the newer program, or restore a backup from before the upgrade")
}

// A request under way is answered, whatever asks the server to stop.
func TestAStopWaitsForRequestsUnderWay(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			in := install(t, store.SQLite)
			p := in.serve("GATEHOUSE_DRAIN_DELAY=100ms")
			body, write := io.Pipe()
			r, err := http.NewRequest(http.MethodPost, p.url+"/v1/users", body)
			if err != nil {
				t.Fatal(err)
			}
			r.SetBasicAuth(in.projectID, in.secret)
			answered := make(chan error, 1)
			go func() {
				resp, err := client.Do(r)
				if err == nil && resp.StatusCode != http.StatusOK {
					err = fmt.Errorf("it answered %d", resp.StatusCode)
				}
				answered <- err
			}()
			if _, err := write.Write([]byte(`{"email":`)); err != nil {
				t.Fatal(err)
			}
			if err := p.cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			// The listener closes first; the request goes on.
			gone := eventually(func() bool {
				conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
				return err != nil || conn.Close() != nil
			})
			if !gone {
				t.Error("new connections are still taken")
			}
			if _, err := write.Write([]byte(`"ada@example.com"}`)); err != nil {
				t.Fatal(err)
			}
			write.Close()
			if err := <-answered; err != nil {
				t.Error(err)
			}
			if code := p.exit(); code != exitDone {
				t.Errorf("it ended with %d", code)
			}
		})
	}
}

// Browsers open connections in advance. Nobody waits for those.
func TestAStopDoesNotWaitForSilentConnections(t *testing.T) {
	in := install(t, store.SQLite)
	p := in.serve()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in.must(p.url, http.MethodGet, "/v1/debug/whoami", nil) // taken after the silent one
	asked := time.Now()
	if code := p.signal(syscall.SIGINT); code != exitDone {
		t.Errorf("it ended with %d", code)
	}
	if took := time.Since(asked); took > 4*time.Second {
		t.Errorf("it took %s to stop", took)
	}
}

// A backup taken while a server writes holds everything acknowledged before.
func TestABackupBesideAServerIsWhole(t *testing.T) {
	in := install(t, store.SQLite)
	p := in.serve()
	var last string
	stop := make(chan struct{})
	var work sync.WaitGroup
	for i := range 50 {
		last = in.must(p.url, http.MethodPost, "/v1/users", map[string]any{"email": fmt.Sprintf("before-%d@example.com", i)})["user_id"].(string)
	}
	work.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if status, answer, err := in.call(p.url, http.MethodPost, "/v1/users", map[string]any{"email": fmt.Sprintf("during-%d@example.com", i)}); err != nil || status != http.StatusOK {
				t.Errorf("a write beside the backup answered %d %v %v", status, answer, err)
				return
			}
		}
	})
	copied := filepath.Join(t.TempDir(), "copy.db")
	in.run("backup", copied)
	close(stop)
	work.Wait()
	if out := in.run("doctor", "--integrity", "--database-url", "sqlite:"+copied); strings.Contains(out, "FAIL") {
		t.Errorf("the doctor says of the copy:\n%s", out)
	}
	if out := in.run("user", "get", "test", last, "--database-url", "sqlite:"+copied); !strings.Contains(out, "before-49@example.com") {
		t.Errorf("the copy has no %s: %s", last, out)
	}
}

// While a server leaves, it still answers, but says that it is leaving.
func TestALeavingServerIsNotReady(t *testing.T) {
	in := install(t, store.SQLite)
	p := in.serve("GATEHOUSE_DRAIN_DELAY=2m")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	unready := eventually(func() bool {
		resp, err := client.Get(p.url + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusServiceUnavailable && resp.Close
	})
	if !unready {
		t.Error("it still says that it is ready")
	}
	in.must(p.url, http.MethodPost, "/v1/users", map[string]any{"email": "late@example.com"})
	// The second signal does not wait.
	if code := p.signal(syscall.SIGTERM); code != -1 {
		t.Errorf("it ended with %d, not at once", code)
	}
}

// Servers that start on a fresh database at the same moment share one master
// key check and one set of tables.
func TestServersStartTogether(t *testing.T) {
	if os.Getenv(storetest.PostgresEnv) == "" {
		t.Skip("needs " + storetest.PostgresEnv)
	}
	in := install(t, store.Postgres)
	var servers []*process
	for range 3 {
		servers = append(servers, spawn(t, in.env, "serve"))
	}
	for _, p := range servers {
		p.ready()
	}
	for _, p := range servers {
		if code := p.signal(syscall.SIGINT); code != exitDone {
			t.Errorf("it ended with %d", code)
		}
	}
	other := spawn(t, append(in.env, "GATEHOUSE_MASTER_KEY="+strings.Repeat("ab", 32)), "serve")
	if code := other.exit(); code != exitFailed || !strings.Contains(other.out.String(), "the master key does not fit this database") {
		t.Errorf("with another key it ended with %d: %s", code, other.out)
	}
}

// A new master key is put in front of the old one, which can go when nothing
// is left that it sealed.
func TestTheMasterKeyCanBeChanged(t *testing.T) {
	in := install(t, store.SQLite)
	in.run("keys", "rotate", "test", "--now")
	in.serve().signal(syscall.SIGINT)
	_, old, _ := strings.Cut(in.env[1], "=")
	fresh := strings.Repeat("ab", 32)
	early := spawn(t, append(in.env, "GATEHOUSE_MASTER_KEY="+fresh), "serve")
	if code := early.exit(); code != exitFailed || !strings.Contains(early.out.String(), "gatehouse: the master key does not fit this database") {
		t.Errorf("without the key that sealed everything it ended with %d: %s", code, early.out)
	}
	in.env[1] = "GATEHOUSE_MASTER_KEY=" + fresh + "," + old
	in.serve().signal(syscall.SIGINT)
	for _, env := range []string{"test", "live"} {
		in.run("keys", "rotate", env, "--revoke", "--yes")
	}
	in.run("purge")
	in.env[1] = "GATEHOUSE_MASTER_KEY=" + fresh
	in.serve().signal(syscall.SIGINT)
}

func TestAMissingCertificateIsSaid(t *testing.T) {
	in := install(t, store.SQLite)
	cmd := exec.Command("gatehouse", "serve", "--tls-cert", "gone.pem", "--tls-key", "gone.pem")
	cmd.Env = append(os.Environ(), in.env...)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "gatehouse: loading the TLS certificate: open gone.pem: no such file or directory") {
		t.Errorf("it said %s, %v", out, err)
	}
}
