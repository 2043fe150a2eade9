package store_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// giveAway makes a folder belong to whom asOther runs a command as: PostgreSQL
// refuses to run as root.
func giveAway(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid := other()
	return os.Chown(dir, int(uid), int(gid))
}

func asOther(cmd *exec.Cmd) {
	if os.Geteuid() == 0 {
		uid, gid := other()
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	}
}

func other() (uid, gid uint32) {
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(u.Uid)
			gid, _ := strconv.Atoi(u.Gid)
			return uint32(uid), uint32(gid)
		}
	}
	return 65534, 65534
}

func TestAFailedSyncStopsTheWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	out, err := child(t, "fail sync", path).Output()
	if strings.HasPrefix(string(out), "skip") {
		t.Skip(string(out))
	}
	must(t, err)
	if strings.TrimSpace(string(out)) != "done" {
		t.Fatalf("the child said %q", out)
	}
	// The next process finds all that was acknowledged.
	db, err := openFile(path)
	must(t, err)
	defer db.Close()
	got := ids(t, db)
	for i := range 10 {
		if i >= len(got) || got[i] != int64(i) {
			t.Fatalf("got %v", got)
		}
	}
	must(t, insert(db, 1000, nil))
	if check := one[string](t, db, `PRAGMA integrity_check`); check != "ok" {
		t.Error(check)
	}
}

func writeOnABrokenDisk(args []string) error {
	var fatal atomic.Int64
	db, err := store.Open(ctx, store.Options{URL: "sqlite:" + args[0], Now: storetest.NewClock().Now,
		Fatal: func(err error) {
			if errors.Is(err, store.ErrBroken) {
				fatal.Add(1)
			}
		}})
	if err != nil {
		return err
	}
	if err := db.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`CREATE TABLE notes (id BIGINT PRIMARY KEY, body TEXT)`)
		return err
	}); err != nil {
		return err
	}
	for i := range 10 {
		if err := insert(db, i, nil); err != nil {
			return err
		}
	}
	if err := storetest.FailSync(); err != nil {
		fmt.Println("skip: no way to make fsync fail here:", err)
		return nil
	}
	var callers sync.WaitGroup
	var wrong atomic.Int64
	for i := range 8 {
		callers.Go(func() {
			if err := insert(db, 100+i, nil); !errors.Is(err, store.ErrBroken) {
				wrong.Add(1)
			}
		})
	}
	callers.Wait()
	if n := wrong.Load(); n != 0 {
		return fmt.Errorf("%d of 8 writes were not refused", n)
	}
	if err := insert(db, 200, errWrong); !errors.Is(err, store.ErrBroken) {
		return fmt.Errorf("a later write got %w", err)
	}
	if err := db.Ping(ctx); !errors.Is(err, store.ErrBroken) {
		return fmt.Errorf("ping got %w", err)
	}
	if n := fatal.Load(); n != 1 {
		return fmt.Errorf("Fatal was called %d times", n)
	}
	// What was read before can still be read.
	if err := db.View(ctx, func(tx *store.Tx) error { return queryOne(tx, `SELECT id FROM notes WHERE id = 9`) }); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	fmt.Println("done")
	return nil
}

func TestAFullDiskIsAnErrorAndPasses(t *testing.T) {
	cmd := child(t, "fill disk", t.TempDir())
	// A name space of its own, in which anyone may mount a small disk.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	}
	out, err := cmd.Output()
	if errors.Is(err, syscall.EPERM) || strings.HasPrefix(string(out), "skip") {
		t.Skip("no small disk to be had here: ", err, string(out))
	}
	must(t, err)
	if strings.TrimSpace(string(out)) != "done" {
		t.Fatalf("the child said %q", out)
	}
}

func fillTheDisk(args []string) error {
	dir := args[0]
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		fmt.Println("skip:", err)
		return nil
	}
	if err := syscall.Mount("disk", dir, "tmpfs", 0, "size=16m"); err != nil {
		fmt.Println("skip:", err)
		return nil
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 9<<20), 0o600); err != nil {
		return err
	}
	path := filepath.Join(dir, "x.db")
	var fatal atomic.Int64
	db, err := store.Open(ctx, store.Options{URL: "sqlite:" + path, Now: storetest.NewClock().Now, Fatal: func(error) { fatal.Add(1) }})
	if err != nil {
		return err
	}
	if err := db.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`CREATE TABLE notes (id BIGINT PRIMARY KEY, body TEXT)`)
		return err
	}); err != nil {
		return err
	}
	body := strings.Repeat("x", 50_000)
	write := func(id int) error {
		return db.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO notes (id, body) VALUES ($1, $2)`, id, body)
			return err
		})
	}
	written := 0
	for err = nil; err == nil && written < 1000; written++ {
		err = write(written)
	}
	written--
	if !errors.Is(err, store.ErrDiskFull) || !strings.Contains(err.Error(), path) {
		return fmt.Errorf("after %d rows: %w", written, err)
	}
	for range 3 {
		if err := write(5000); !errors.Is(err, store.ErrDiskFull) {
			return fmt.Errorf("a second time: %w", err)
		}
	}
	if err := holds(db, written); err != nil {
		return err
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	for i := range 10 {
		if err := write(2000 + i); err != nil {
			return fmt.Errorf("with room again: %w", err)
		}
	}
	if err := holds(db, written+10); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	if db, err = openFile(path); err != nil {
		return err
	}
	if err := holds(db, written+10); err != nil {
		return err
	}
	if n := fatal.Load(); n != 0 {
		return fmt.Errorf("a full disk was fatal, %d times", n)
	}
	fmt.Println("done")
	return db.Close()
}

func holds(db *store.DB, want int) error {
	return db.View(ctx, func(tx *store.Tx) error {
		var n int
		if err := tx.QueryRow(`SELECT count(*) FROM notes WHERE length(body) = 50000`).Scan(&n); err != nil {
			return err
		}
		if n != want {
			return fmt.Errorf("%d rows, not %d", n, want)
		}
		return nil
	})
}

// A statement that finds no room fails alone.
func TestAFullDatabaseHurtsOnlyWhoNeedsRoom(t *testing.T) {
	g := hold(t)
	g.release()
	run(t, g.db, `PRAGMA max_page_count = 40`)
	g.block()
	var times [2]int
	g.join(ctx, g.succeeds, adds(1, &times[0]))
	var full error
	g.join(ctx, func(err error) { full = err }, func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO notes (id, body) VALUES (2, $1)`, strings.Repeat("x", 1_000_000))
		return err
	})
	g.join(ctx, g.succeeds, adds(3, &times[1]))
	g.release()
	if !errors.Is(full, store.ErrDiskFull) {
		t.Errorf("got %v", full)
	}
	if got := ids(t, g.db); len(got) != 2 {
		t.Errorf("got %v", got)
	}
	run(t, g.db, `PRAGMA max_page_count = 1000000`)
	must(t, insert(g.db, 4, nil))
}
