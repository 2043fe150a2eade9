package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// errLocked is what lockFile returns when another process has the lock.
var errLocked = errors.New("locked by another process")

// lockDatabase keeps a second server away from a SQLite database, where the two
// would wait for each other at every commit; several servers are what
// PostgreSQL is for. Commands beside the server take no lock. It returns what
// releases the lock; the end of the process does, too. flag is the one that
// names the database.
func lockDatabase(path, flag string) (release func(), err error) {
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the folder %s of the database does not exist: create it first", folder)
	}
	name := path + ".lock"
	f, err := lockFile(name)
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("another gatehouse%s serves from %s already: stop that one, or use another database with %s", holder(name), folder, flag)
	}
	if err != nil {
		return nil, unwritable(folder, err)
	}
	// The number is for people; the lock is what counts.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return func() { _ = f.Close() }, nil
}

// served reports whether a server has locked a SQLite database.
func served(path string) bool {
	name := path + ".lock"
	if _, err := os.Stat(name); err != nil {
		return false // no server has ever been there
	}
	f, err := lockFile(name)
	if err == nil {
		_ = f.Close() // which gives it back
	}
	return errors.Is(err, errLocked)
}

// holder names the process that wrote itself into the lock file.
func holder(name string) string {
	text, err := os.ReadFile(name)
	if _, bad := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || bad != nil {
		return ""
	}
	return " (process " + strings.TrimSpace(string(text)) + ")"
}
