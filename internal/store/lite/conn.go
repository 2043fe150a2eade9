// Package lite is the SQLite library as the store uses it: connections with
// their prepared statements, one goroutine at a time on each. It calls the
// translated C functions of modernc.org/sqlite/lib directly, because on the
// path of every request database/sql and its driver cost more than the query
// does. It owns the only unsafe code of the store, and never knows
// transactions, pools or Go types beyond int64, float64, string and []byte.
package lite

import (
	"errors"
	"fmt"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Conn is a connection to a database file. It must not be used by two
// goroutines at the same time.
type Conn struct {
	tls   *libc.TLS
	db    uintptr
	out   uintptr // room for results returned through pointers
	arena arena   // copies of the arguments of the statement that runs
}

// outSize is the room for results: two pointers or two C ints.
const outSize = 16

// SyncWithFdatasync makes commits call fdatasync, as SQLite itself does where
// it is built for Linux: as durable as fsync, without writing time stamps. It
// holds for the whole process, and does nothing where there is no fdatasync.
func SyncWithFdatasync() {
	// The error only says that the platform has no such call.
	sqlite.Fdatasync(true)
}

// Open opens the database file at path, which it creates when it is missing.
func Open(path string) (*Conn, error) {
	usePages()
	c := &Conn{tls: libc.NewTLS()}
	c.arena.tls = c.tls
	c.out = sqlite3.Xsqlite3_malloc(c.tls, outSize)
	name, err := libc.CString(path)
	if err != nil || c.out == 0 {
		c.Close()
		return nil, errors.Join(err, errors.New("lite: out of memory"))
	}
	defer libc.Xfree(c.tls, name)
	flags := int32(sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE | sqlite3.SQLITE_OPEN_NOMUTEX)
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, c.out, flags, 0)
	c.db = *(*uintptr)(at(c.out))
	if rc == sqlite3.SQLITE_OK {
		rc = sqlite3.Xsqlite3_extended_result_codes(c.tls, c.db, 1)
	}
	if rc != sqlite3.SQLITE_OK {
		err := c.failure(rc)
		c.Close()
		return nil, err
	}
	// A misspelt column in double quotes is an error, as it is on PostgreSQL,
	// and not a string.
	c.config(sqlite3.SQLITE_DBCONFIG_DQS_DML, 0)
	c.config(sqlite3.SQLITE_DBCONFIG_DQS_DDL, 0)
	return c, nil
}

// Close ends the connection, whose statements must be closed. The last one of a
// database in WAL mode moves the log into the database file, unless
// KeepLogOnClose was called.
func (c *Conn) Close() error {
	var err error
	if c.db != 0 {
		if rc := sqlite3.Xsqlite3_close_v2(c.tls, c.db); rc != sqlite3.SQLITE_OK {
			err = c.failure(rc)
		}
		c.db = 0
	}
	c.arena.free()
	if c.out != 0 {
		sqlite3.Xsqlite3_free(c.tls, c.out)
		c.out = 0
	}
	if c.tls != nil {
		c.tls.Close()
		c.tls = nil
	}
	return err
}

// KeepLogOnClose makes Close leave the write-ahead log alone.
func (c *Conn) KeepLogOnClose() { c.config(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1) }

func (c *Conn) config(option, value int32) {
	// The arguments of a variadic C function, then the new setting, which
	// nobody asks for.
	const slots = 2 * 8
	list := sqlite3.Xsqlite3_malloc(c.tls, slots)
	if list == 0 {
		return
	}
	defer sqlite3.Xsqlite3_free(c.tls, list)
	sqlite3.Xsqlite3_db_config(c.tls, c.db, option, libc.VaList(list, value, uintptr(0)))
}

// InTransaction says whether a transaction is open: some errors end it.
func (c *Conn) InTransaction() bool {
	return sqlite3.Xsqlite3_get_autocommit(c.tls, c.db) == 0
}

// BusyTimeout is how long, in milliseconds, a statement waits for a lock that
// another connection holds.
func (c *Conn) BusyTimeout(ms int) { sqlite3.Xsqlite3_busy_timeout(c.tls, c.db, int32(ms)) }

// Interrupt makes the statement that runs fail. It may be called by any
// goroutine while the connection is open.
func (c *Conn) Interrupt() {
	tls := libc.NewTLS()
	defer tls.Close()
	sqlite3.Xsqlite3_interrupt(tls, c.db)
}

// Mode is a kind of checkpoint.
type Mode int32

// The kinds of checkpoint, by how much they wait for.
const (
	// Look copies nothing.
	Look Mode = sqlite3.SQLITE_CHECKPOINT_NOOP
	// Passive copies what it can without waiting for anyone.
	Passive Mode = sqlite3.SQLITE_CHECKPOINT_PASSIVE
	// Truncate waits for readers of old pages, then empties the log file.
	Truncate Mode = sqlite3.SQLITE_CHECKPOINT_TRUNCATE
)

// Checkpoint moves pages from the write-ahead log to the database file. It
// returns how many pages the log holds and how many of them are moved. Someone
// else's checkpoint or lock in the way is an error for which IsBusy holds.
func (c *Conn) Checkpoint(mode Mode) (pages, moved int, err error) {
	counts := (*[2]int32)(at(c.out))
	*counts = [2]int32{}
	rc := sqlite3.Xsqlite3_wal_checkpoint_v2(c.tls, c.db, 0, int32(mode), c.out, c.out+4)
	pages, moved = max(0, int(counts[0])), max(0, int(counts[1]))
	if rc != sqlite3.SQLITE_OK {
		return pages, moved, c.failure(rc)
	}
	return pages, moved, nil
}

// Run runs one statement without arguments whose rows, if any, do not matter.
func (c *Conn) Run(text string) error {
	s, err := c.Prepare(text)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.Exec()
	return err
}

// failure is the error behind the result code of the call just made.
func (c *Conn) failure(rc int32) error {
	e := &Error{Code: int(rc), Message: libc.GoString(sqlite3.Xsqlite3_errstr(c.tls, rc))}
	if c.db == 0 {
		return e
	}
	// The connection's message says more, when it is about the same call.
	if sqlite3.Xsqlite3_extended_errcode(c.tls, c.db) == rc {
		e.Message = libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db))
	}
	return e
}

// Error is what SQLite answered.
type Error struct {
	Code    int // extended result code, https://www.sqlite.org/rescode.html
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("sqlite: %s (%d)", e.Message, e.Code) }

// Primary is the code without its extension.
func (e *Error) Primary() int { return e.Code & 0xff }

// IsBusy says whether err is about a lock that someone else holds.
func IsBusy(err error) bool { return is(err, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) }

// IsDriverBusy is IsBusy for errors of the database/sql driver.
func IsDriverBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// IsFull says whether err is about a lack of room, on disk or by a limit.
func IsFull(err error) bool { return is(err, sqlite3.SQLITE_FULL) }

// IsIO says whether err is about the disk: a read, a write or a sync failed.
func IsIO(err error) bool { return is(err, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT) }

// IsNotDatabase says whether err is about a file that SQLite did not write.
func IsNotDatabase(err error) bool { return is(err, sqlite3.SQLITE_NOTADB) }

// IsForbidden says whether err is about the right to open or write the file.
func IsForbidden(err error) bool {
	return is(err, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)
}

// IsUnique says whether err is a second row with the same key.
func IsUnique(err error) bool {
	var e *Error
	return errors.As(err, &e) &&
		(e.Code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

func is(err error, primary ...int) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, p := range primary {
		if e.Primary() == p {
			return true
		}
	}
	return false
}

// at is the memory at an address that the C library gave. Such memory is not
// Go's, so the collector neither moves nor frees it.
func at(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }
