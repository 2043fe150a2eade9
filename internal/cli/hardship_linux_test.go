package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// hardships are the command in trouble: at SIGUSR1 its disk begins to fail, or
// a full one gets room again.
func hardships() map[string]func() {
	return map[string]func(){
		"gatehouse-on-a-broken-disk": func() {
			atSignal(storetest.FailSync)
			runMain()
		},
		"gatehouse-on-a-small-disk": func() {
			folder := os.Getenv("GATEHOUSE_TEST_DISK")
			if err := smallDisk(folder); err != nil {
				fmt.Println("skip:", err)
				return
			}
			atSignal(func() error { return os.Remove(filepath.Join(folder, "ballast")) })
			runMain()
		},
	}
}

func atSignal(f func() error) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		<-asked
		if err := f(); err != nil {
			fmt.Println("skip:", err)
			return
		}
		fmt.Println("trouble changed")
	}()
}

// smallDisk puts a disk with little room over the folder, with the files that
// are in it. The mount is this process's own.
func smallDisk(folder string) error {
	database, err := os.ReadFile(filepath.Join(folder, databaseFile))
	if err != nil {
		return err
	}
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return err
	}
	if err := syscall.Mount("disk", folder, "tmpfs", 0, "size=16m"); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, "ballast"), make([]byte, 9<<20), 0o600),
		os.WriteFile(filepath.Join(folder, databaseFile), database, 0o600))
}

// inTrouble starts one of the hardships on the installation.
func (in *installation) inTrouble(program string, folder string, attr *syscall.SysProcAttr) *process {
	in.t.Helper()
	cmd := exec.Command(program, "serve")
	cmd.Env = append(os.Environ(), append(in.env, "GATEHOUSE_TEST_DISK="+folder)...)
	cmd.SysProcAttr = attr
	p := launch(in.t, cmd)
	if !eventually(func() bool { return listeningAt(p.out.String()) != "" || p.ended() }) {
		in.t.Fatal("the server does not listen")
	}
	p.skipIfSaid()
	return p.ready()
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *process) skipIfSaid() {
	if _, why, ok := strings.Cut(p.out.String(), "skip: "); ok {
		p.t.Skip("this machine does not allow it: ", why)
	}
}

func (p *process) change() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		p.t.Fatal(err)
	}
	eventually(func() bool {
		p.skipIfSaid()
		return strings.Contains(p.out.String(), "trouble changed")
	})
}

func (in *installation) database() string {
	_, path, _ := strings.Cut(in.env[0], "sqlite:")
	return path
}

// After a failed fsync nobody knows what is on the disk: the server answers
// 5xx, ends with 1, and the next one finds all that was acknowledged.
func TestAFailedSyncEndsTheServer(t *testing.T) {
	in := install(t, store.SQLite)
	p := in.inTrouble("gatehouse-on-a-broken-disk", "", nil)
	var created []string
	for i := range 20 {
		body := map[string]any{"email": fmt.Sprintf("user-%d@example.com", i)}
		created = append(created, in.must(p.url, http.MethodPost, "/v1/users", body)["user_id"].(string))
	}
	p.change()
	status, answer, err := in.call(p.url, http.MethodPost, "/v1/users", map[string]any{"email": "lost@example.com"})
	// Work in the background may meet the broken disk first: then the server is
	// gone, and nobody answers. Nothing else is an excuse.
	gone := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET)
	if !gone && (err != nil || status < 500 || answer["error_type"] != "internal_server_error") {
		t.Errorf("the write answered %d %v %v", status, answer, err)
	}
	if code := p.exit(); code != exitFailed {
		t.Errorf("it ended with %d", code)
	}
	if out := p.out.String(); !strings.Contains(out, "the database can no longer be trusted, stopping") ||
		!strings.Contains(out, "\ngatehouse: the database could not make a commit durable and must be reopened") {
		t.Errorf("it said:\n%s", out)
	}
	next := in.serve()
	for _, userID := range created {
		in.must(next.url, http.MethodGet, "/v1/users/"+userID, nil)
	}
	in.must(next.url, http.MethodPost, "/v1/users", map[string]any{"email": "found@example.com"})
}

// On a full disk writes are refused and reads go on; with room again,
// everything does.
func TestAFullDiskPasses(t *testing.T) {
	in := install(t, store.SQLite)
	folder := filepath.Dir(in.database())
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		attr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
	}
	p := in.inTrouble("gatehouse-on-a-small-disk", folder, attr)
	bulk := strings.Repeat("x", 4000)
	var created []string
	full := false
	for i := 0; i < 5000 && !full; i++ {
		body := map[string]any{"email": fmt.Sprintf("user-%d@example.com", i), "trusted_metadata": map[string]any{"bulk": bulk}}
		status, answer, err := in.call(p.url, http.MethodPost, "/v1/users", body)
		switch {
		case err != nil:
			t.Fatal(err)
		case status == http.StatusOK:
			created = append(created, answer["user_id"].(string))
		case status == http.StatusInternalServerError && answer["error_type"] == "internal_server_error":
			full = true
		default:
			t.Fatalf("a full disk answered %d %v", status, answer)
		}
	}
	if !full || len(created) == 0 {
		t.Fatalf("the disk took %d users and was not full", len(created))
	}
	// The log is written after the answer.
	if !eventually(func() bool { return strings.Contains(p.out.String(), "the disk that holds the database is full") }) {
		t.Error("the log does not say what is wrong")
	}
	in.must(p.url, http.MethodGet, "/v1/users/"+created[0], nil)
	p.change()
	in.must(p.url, http.MethodPost, "/v1/users", map[string]any{"email": "room@example.com"})
	for _, userID := range created {
		in.must(p.url, http.MethodGet, "/v1/users/"+userID, nil)
	}
	if code := p.signal(syscall.SIGTERM); code != exitDone {
		t.Errorf("it ended with %d", code)
	}
}
