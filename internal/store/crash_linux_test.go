package store_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func kill(t *testing.T) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) { must(t, cmd.Process.Kill()) }
}

func TestKillLosesNoAcknowledgedWrite(t *testing.T) {
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			url := storetest.URL(t, engine)
			open := func() *store.DB {
				db, err := store.Open(ctx, store.Options{URL: url, Now: storetest.NewClock().Now})
				must(t, err)
				return db
			}
			db := open()
			run(t, db, createHalves)
			must(t, db.Close())
			var all []int
			for round := range 6 {
				all = append(all, acknowledged(t, url, round*1_000_000, 1+random.IntN(2500), kill(t))...)
				db := open()
				must(t, db.Migrate(ctx))
				checkHalves(t, db, all)
				if engine == store.SQLite {
					if check := one[string](t, db, `PRAGMA integrity_check`); check != "ok" {
						t.Error(check)
					}
				}
				must(t, insertHalf(db, -1-round))
				must(t, db.Close())
			}
			t.Logf("%d acknowledged writes", len(all))
		})
	}
}

func insertHalf(db *store.DB, id int) error {
	return db.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO halves VALUES ($1, 0, ''), ($1, 1, '')`, id)
		return err
	})
}

// What is in the log when the process dies is read by the next one, which may
// die as well.
func TestAKilledProcessLeavesALogToReplay(t *testing.T) {
	url := storetest.URL(t, store.SQLite)
	path := strings.TrimPrefix(url, "sqlite:")
	db, err := openFile(path)
	must(t, err)
	run(t, db, createHalves)
	must(t, db.Close())
	all := acknowledged(t, url, 0, 100, kill(t))
	if size(t, path+"-wal") == 0 {
		t.Error("there is no log")
	}
	must(t, os.Remove(path+"-shm")) // as after a power cut
	all = append(all, acknowledged(t, url, 1_000_000, 100, kill(t))...)
	db, err = openFile(path)
	must(t, err)
	defer db.Close()
	checkHalves(t, db, all)
}

// The server itself goes down without a word to anyone, and starts again.
func TestServerCrashLosesNoAcknowledgedWrite(t *testing.T) {
	if !slices.Contains(storetest.Engines(), store.Postgres) {
		t.Skip("needs " + storetest.PostgresEnv)
	}
	server := newServer(t)
	random := rand.New(rand.NewPCG(3, 4))
	db, err := store.Open(ctx, store.Options{URL: server.url, Now: storetest.NewClock().Now})
	must(t, err)
	defer db.Close()
	run(t, db, createHalves)
	var all []int
	for round := range 3 {
		all = append(all, acknowledged(t, server.url, round*1_000_000, 100+random.IntN(1000), func(*exec.Cmd) {
			server.ctl("stop", "-m", "immediate")
		})...)
		server.start()
		// The same pool, whose connections are all gone.
		checkHalves(t, db, all)
		must(t, insertHalf(db, -1-round))
	}
	t.Logf("%d acknowledged writes", len(all))
}

// server is a PostgreSQL that may be crashed.
type server struct {
	t   *testing.T
	bin string
	dir string
	url string
}

// newServer starts a PostgreSQL of its own, which syncs to disk.
func newServer(t *testing.T) *server {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if on, err := exec.LookPath("initdb"); err == nil {
		found = append(found, on)
	}
	if len(found) == 0 {
		t.Skip("no PostgreSQL server to start")
	}
	dir, err := os.MkdirTemp("", "gatehouse-pg")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &server{t: t, bin: filepath.Dir(found[0]), dir: dir, url: "postgres://postgres@/postgres?host=" + dir}
	must(t, giveAway(dir))
	s.run("initdb", "-D", filepath.Join(dir, "data"), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	s.start()
	t.Cleanup(func() { s.ctl("stop", "-m", "immediate") })
	return s
}

func (s *server) start() {
	s.ctl("start", "-l", filepath.Join(s.dir, "data", "log"), "-o", "-c listen_addresses='' -c unix_socket_directories='"+s.dir+"'")
}

func (s *server) ctl(args ...string) {
	s.run("pg_ctl", append([]string{"-D", filepath.Join(s.dir, "data"), "-s", "-w"}, args...)...)
}

func (s *server) run(name string, args ...string) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	asOther(cmd)
	// Not a pipe, which the server would keep open.
	out, err := os.CreateTemp(s.dir, name)
	must(s.t, err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		s.t.Fatalf("%s: %v\n%s", name, err, text)
	}
}
