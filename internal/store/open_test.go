package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func openFile(path string) (*store.DB, error) {
	return store.Open(ctx, store.Options{URL: "sqlite:" + path, Now: storetest.NewClock().Now})
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		must(t, os.Chmod(path, mode))
		return path
	}
	folder := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		must(t, os.Mkdir(path, 0o700))
		must(t, os.Chmod(path, mode))
		t.Cleanup(func() { os.Chmod(path, 0o700) })
		return path
	}
	root := os.Geteuid() == 0 // who may write everywhere
	for _, c := range []struct {
		name, path, want string
		skip             bool
	}{
		{"no path", "", "needs a file", false},
		{"no folder", filepath.Join(dir, "no/such/x.db"), "does not exist", false},
		{"a folder", folder("folder.db", 0o700), "is a folder", false},
		{"a file for a folder", filepath.Join(file("plain", "", 0o600), "x.db"), "not a", false},
		{"not a database", file("letter.db", strings.Repeat("Dear Sir or Madam, ", 100), 0o600), "is not a SQLite database", false},
		{"a short text", file("note.db", "hello", 0o600), "is not a SQLite database", false},
		{"a read-only folder", filepath.Join(folder("ro", 0o500), "x.db"), "not writable", root},
		{"a read-only file", file("ro.db", "", 0o400), "writable", root},
	} {
		if c.skip {
			continue
		}
		db, err := openFile(c.path)
		if err == nil {
			t.Errorf("%s: opened", c.name)
			db.Close()
		} else if !strings.Contains(err.Error(), c.want) || c.path != "" && !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAnyFileNameWillDo(t *testing.T) {
	for _, name := range []string{"a b.db", "a?mode=ro.db", "100%.db", "#1.db", "ünï 🙂.db", "file:x.db", "'quoted'.db"} {
		path := filepath.Join(t.TempDir(), name)
		db, err := openFile(path)
		must(t, err)
		must(t, db.Migrate(ctx))
		notes(t, db)
		must(t, insert(db, 1, nil))
		must(t, db.Close())
		if size(t, path) == 0 {
			t.Errorf("%s is not the database's name", path)
		}
	}
}

func TestTheFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := openFile(path)
	must(t, err)
	defer db.Close()
	notes(t, db)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		must(t, err)
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", name, mode)
		}
	}
}

func TestARelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	db, err := openFile("x.db")
	must(t, err)
	notes(t, db)
	must(t, db.Close())
	if size(t, "x.db") == 0 {
		t.Error("the file is somewhere else")
	}
}

func TestReopenedDatabaseHoldsWhatWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	for i := range 3 {
		db, err := openFile(path)
		must(t, err)
		must(t, db.Migrate(ctx))
		if i == 0 {
			notes(t, db)
		}
		must(t, insert(db, i, nil))
		if got := ids(t, db); len(got) != i+1 {
			t.Errorf("got %v", got)
		}
		must(t, db.Close())
	}
	if n := size(t, path+"-wal"); n != 0 {
		t.Errorf("a closed database left a log of %d bytes", n)
	}
}
