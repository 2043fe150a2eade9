package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"gatehouse/internal/store/lite"
)

// sqliteDB is the backend on a SQLite file: one goroutine that writes, a pool
// of connections that read, and one goroutine that keeps the log short.
type sqliteDB struct {
	o       *Options
	path    string
	writer  *writer
	readers *readers
	log     *checkpointer
	broken  atomic.Pointer[error] // a commit of unknown durability
}

// busyMillis is how long to wait for another process that holds the write
// lock, such as a backup or a command beside the server.
const busyMillis = 10_000

func openSQLite(_ context.Context, o *Options, path string) (backend, error) {
	if path == "" {
		return nil, errors.New(`the database URL needs a file, for example sqlite:gatehouse.db`)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := usable(path); err != nil {
		return nil, err
	}
	lite.SyncWithFdatasync()
	db := &sqliteDB{o: o, path: path}
	conn, err := openLite(path, writes)
	if err != nil {
		return nil, openError(path, err)
	}
	// Each keeps pages of its own. A few more than cores are for those that wait.
	db.readers = newReaders(path, 1+2*runtime.GOMAXPROCS(0))
	db.writer = newWriter(db, conn)
	db.log = newCheckpointer(db)
	return db, nil
}

// usable finds the usual mistakes about the file before SQLite does, which has
// one message for all of them.
func usable(path string) error {
	folder := filepath.Dir(path)
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the folder %s of the database does not exist; create it first", folder)
	case err != nil:
		return fmt.Errorf("the folder of the database: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s, where the database should be, is not a folder", folder)
	}
	info, err = os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return createPrivate(path)
	case err != nil:
		return fmt.Errorf("the database: %w", err)
	case info.IsDir():
		return fmt.Errorf("%s is a folder; the database URL must name a file in it", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	}
	return nil
}

// createPrivate makes an empty file that only its owner can read. SQLite takes
// an empty file for a new database and gives its log the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("the folder %s is not writable for the user that runs Gatehouse; change its owner or name another folder", filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("creating the database: %w", err)
	}
	return f.Close()
}

func openError(path string, err error) error {
	switch {
	case lite.IsNotDatabase(err):
		return fmt.Errorf("%s is not a SQLite database; name another file", path)
	case lite.IsForbidden(err):
		return fmt.Errorf("%s cannot be written; the file and its folder must be writable for the user that runs Gatehouse (%w)", path, err)
	case lite.IsBusy(err):
		return fmt.Errorf("%s is locked by another process (%w)", path, err)
	}
	return fmt.Errorf("opening the database %s: %w", path, err)
}

func (db *sqliteDB) update(ctx context.Context, alone bool, fn func(*Tx) error) error {
	return db.writer.update(ctx, alone, fn)
}

func (db *sqliteDB) expectLoad(ctx context.Context) error {
	return db.update(ctx, true, func(*Tx) error { // for the writer's goroutine alone
		db.log.load = true
		return db.writer.conn.expectLoad()
	})
}

func (db *sqliteDB) view(ctx context.Context, fn func(*Tx) error) error {
	c, err := db.readers.get(ctx)
	if err != nil {
		return err
	}
	defer db.readers.put(c)
	// BEGIN takes no lock and costs a fifth of a microsecond; the snapshot is
	// that of the first statement.
	if err := c.control(&c.begin, "BEGIN"); err != nil {
		return err
	}
	// Nothing was written, and COMMIT does less than ROLLBACK.
	defer c.control(&c.commit, "COMMIT")
	// It ends before the COMMIT, which must not be interrupted.
	defer interruptible(ctx, c)()
	tx := &Tx{Now: instant(db.o.Now()), ctx: ctx, kind: SQLite, run: c}
	defer tx.end()
	if _, err = tx.verdict(fn(tx)); err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// interruptible ends what a reader is doing when nobody waits for it any more:
// a search through everything would keep a connection from everybody else. The
// function it returns ends the watch, and an interrupt under way with it.
func interruptible(ctx context.Context, c *liteConn) func() {
	if ctx.Done() == nil {
		return func() {}
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.Interrupt()
		close(done)
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

func (db *sqliteDB) ping(ctx context.Context) error {
	if err := db.brokenErr(); err != nil {
		return err
	}
	return db.view(ctx, func(tx *Tx) error {
		var one int
		return tx.QueryRow("SELECT 1").Scan(&one)
	})
}

// fail makes the database refuse to write: it is unknown what is on disk.
func (db *sqliteDB) fail(cause error) error {
	err := fmt.Errorf("%w: %w", ErrBroken, cause)
	if db.broken.CompareAndSwap(nil, &err) {
		db.o.Fatal(err)
	}
	return err
}

func (db *sqliteDB) brokenErr() error {
	if err := db.broken.Load(); err != nil {
		return *err
	}
	return nil
}

func (db *sqliteDB) close() error {
	if !db.writer.close() {
		return nil
	}
	db.log.close()
	db.readers.close()
	if db.brokenErr() != nil {
		// What the log holds is for the next start to judge.
		db.writer.conn.KeepLogOnClose()
	}
	return db.writer.conn.close()
}

// migrator gives goose the same file through database/sql.
func (db *sqliteDB) migrator() (migrator, error) {
	q := url.Values{
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyMillis), "synchronous(FULL)", "foreign_keys(ON)"},
		"_txlock": {"immediate"},
	}
	name := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(db.path)}).EscapedPath(), RawQuery: q.Encode()}).String()
	conn, err := sql.Open("sqlite", name)
	return migrator{db: conn}, err
}

// readers is a pool of connections for reading. The one used last is used
// next, so that a quiet server keeps few pages in memory.
type readers struct {
	path  string
	slots chan struct{}
	over  chan struct{} // closed with the pool
	mu    sync.Mutex
	idle  []*liteConn
}

func newReaders(path string, n int) *readers {
	return &readers{path: path, slots: make(chan struct{}, n), over: make(chan struct{})}
}

func (r *readers) get(ctx context.Context) (*liteConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case r.slots <- struct{}{}:
	default:
		select {
		case r.slots <- struct{}{}:
		case <-r.over:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.mu.Lock()
	if n := len(r.idle); n > 0 {
		c := r.idle[n-1]
		r.idle = r.idle[:n-1]
		r.mu.Unlock()
		return c, nil
	}
	r.mu.Unlock()
	c, err := openLite(r.path, cap(r.slots))
	if err != nil {
		<-r.slots
		return nil, openError(r.path, err)
	}
	return c, nil
}

func (r *readers) put(c *liteConn) {
	if c.InTransaction() {
		// Its rollback failed, so nobody knows what state it is in.
		c.close()
	} else {
		r.mu.Lock()
		r.idle = append(r.idle, c)
		r.mu.Unlock()
	}
	<-r.slots
}

// close waits for every reader.
func (r *readers) close() {
	close(r.over)
	for range cap(r.slots) {
		r.slots <- struct{}{}
	}
	for _, c := range r.idle {
		c.close()
	}
}
