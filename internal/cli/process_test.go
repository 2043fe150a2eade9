//go:build unix

package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// process is a gatehouse command that runs beside the test.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    *log
	url    string
	exited chan struct{}
}

// log is what a process has printed so far.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// spawn starts a command; the test's end kills it.
func spawn(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	cmd := exec.Command("gatehouse", args...)
	cmd.Env = append(os.Environ(), env...)
	return launch(t, cmd)
}

// launch is spawn for a command that needs more preparation.
func launch(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, out: &log{}, exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // exit reads the state
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("%s printed:\n%s", strings.Join(cmd.Args, " "), p.out)
		}
	})
	return p
}

// signal sends a signal and returns the exit code; -1 for a killed process.
func (p *process) signal(s os.Signal) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	return p.exit()
}

// exit waits for the end of the process and returns its exit code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatal("the process did not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// ready waits until the server answers that it is.
func (p *process) ready() *process {
	p.t.Helper()
	ok := eventually(func() bool {
		select {
		case <-p.exited:
			p.t.Fatalf("the server ended: %s", p.out)
		default:
		}
		if p.url == "" {
			p.url = listeningAt(p.out.String())
			return false
		}
		resp, err := http.Get(p.url + "/readyz")
		return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
	if !ok {
		p.t.Fatal("the server is not ready")
	}
	return p
}

// listeningAt finds the address in a server's log.
func listeningAt(log string) string {
	for line := range strings.SplitSeq(log, "\n") {
		var entry struct{ Msg, Address string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "listening" {
			return "http://" + entry.Address
		}
	}
	return ""
}

// installation is a database with a project, and what servers on it need.
type installation struct {
	t         *testing.T
	env       []string
	projectID string
	secret    string
}

// install makes a database with one project on it.
func install(t *testing.T, engine store.Engine) *installation {
	t.Helper()
	in := &installation{t: t, env: []string{
		"GATEHOUSE_DATABASE_URL=" + storetest.URL(t, engine),
		"GATEHOUSE_MASTER_KEY=" + secret.NewMasterKey(),
		"GATEHOUSE_PUBLIC_URL=http://localhost",
		"GATEHOUSE_LISTEN=127.0.0.1:0",
		"GATEHOUSE_DRAIN_DELAY=0s",
	}}
	in.run("migrate")
	in.run("project", "create", "Acme")
	// An ES256 key is made in a moment, an RS256 key takes most of a second.
	in.run("environment", "set", "test", "session.algorithm=ES256")
	var made struct {
		ProjectID string `json:"project_id"`
		Secret    string `json:"secret"`
	}
	if err := json.Unmarshal([]byte(in.run("secret", "create", "test", "--json")), &made); err != nil {
		t.Fatal(err)
	}
	in.projectID, in.secret = made.ProjectID, made.Secret
	return in
}

// run runs a command to its end, which must be a good one.
func (in *installation) run(args ...string) string {
	in.t.Helper()
	cmd := exec.Command("gatehouse", args...)
	cmd.Env = append(os.Environ(), in.env...)
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s%s", err, out, failed.Stderr)
		}
		in.t.Fatalf("gatehouse %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// serve starts a server on the installation.
func (in *installation) serve(more ...string) *process {
	in.t.Helper()
	return spawn(in.t, append(in.env, more...), "serve").ready()
}

// client is for tests that send one request after the other.
var client = &http.Client{Timeout: patience}

// call sends a request with the project's secret to a server.
func (in *installation) call(url, method, path string, body any) (status int, answer map[string]any, err error) {
	return in.callWith(client, in.secret, url, method, path, body)
}

func (in *installation) callWith(c *http.Client, secret, url, method, path string, body any) (status int, answer map[string]any, err error) {
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		payload = bytes.NewReader(text)
	}
	r, err := http.NewRequest(method, url+path, payload)
	if err != nil {
		return 0, nil, err
	}
	r.SetBasicAuth(in.projectID, secret)
	resp, err := c.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return resp.StatusCode, answer, err
}

// must is call for requests that have to succeed.
func (in *installation) must(url, method, path string, body any) map[string]any {
	in.t.Helper()
	status, answer, err := in.call(url, method, path, body)
	if err != nil || status != http.StatusOK {
		in.t.Fatalf("%s %s answered %d %v %v", method, path, status, answer, err)
	}
	return answer
}

// asNobody runs a command as a user who owns nothing, if this one is root.
func asNobody(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	program, err := os.ReadFile(cmd.Path)
	if err != nil {
		t.Fatal(err)
	}
	// Temporary folders are for their owner alone, and nobody else's.
	folder, err := os.MkdirTemp("", "gatehouse-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	cmd.Path = filepath.Join(folder, "gatehouse")
	if err := errors.Join(os.Chmod(folder, 0o755), os.WriteFile(cmd.Path, program, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}
