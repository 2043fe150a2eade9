package lite

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Type is what a column of the current row holds.
type Type int32

// The types of values.
const (
	Integer Type = sqlite3.SQLITE_INTEGER
	Float   Type = sqlite3.SQLITE_FLOAT
	Text    Type = sqlite3.SQLITE_TEXT
	Blob    Type = sqlite3.SQLITE_BLOB
	Null    Type = sqlite3.SQLITE_NULL
)

// Stmt is a prepared statement. Bind all arguments from 1 to Params, then call
// Step or Exec, then Reset. One statement of a connection is bound and run at
// a time.
type Stmt struct {
	c       *Conn
	handle  uintptr
	params  int
	columns int
	writes  bool
	changes bool // counts the rows it changes
}

// Prepare compiles text, which must be one statement.
func (c *Conn) Prepare(text string) (*Stmt, error) {
	z, err := libc.CString(text)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, z)
	results := (*[2]uintptr)(at(c.out))
	*results = [2]uintptr{}
	rc := sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, z, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, c.out, c.out+unsafe.Sizeof(z))
	if rc != sqlite3.SQLITE_OK {
		return nil, c.failure(rc)
	}
	s := &Stmt{c: c, handle: results[0]}
	rest := text[results[1]-z:]
	if s.handle == 0 {
		return nil, errors.New("lite: no statement in the text")
	}
	if strings.Trim(rest, " \t\r\n;") != "" {
		s.Close()
		return nil, fmt.Errorf("lite: more than one statement in the text: %q is left", rest)
	}
	s.params = int(sqlite3.Xsqlite3_bind_parameter_count(c.tls, s.handle))
	s.columns = int(sqlite3.Xsqlite3_column_count(c.tls, s.handle))
	s.writes = sqlite3.Xsqlite3_stmt_readonly(c.tls, s.handle) == 0
	s.changes = s.writes && changesRows(text)
	return s, nil
}

// changesRows says whether text begins like a statement that counts rows: for
// others SQLite repeats the last count.
func changesRows(text string) bool {
	text = strings.TrimLeft(text, " \t\r\n")
	for _, verb := range [...]string{"INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"} {
		if len(text) > len(verb) && strings.EqualFold(text[:len(verb)], verb) {
			return true
		}
	}
	return false
}

// Close ends the use of the statement.
func (s *Stmt) Close() {
	sqlite3.Xsqlite3_finalize(s.c.tls, s.handle)
	s.handle = 0
}

// Params is the number of arguments.
func (s *Stmt) Params() int { return s.params }

// Columns is the number of columns of a row, 0 for a statement without rows.
func (s *Stmt) Columns() int { return s.columns }

// Writes says whether the statement may change the database.
func (s *Stmt) Writes() bool { return s.writes }

// Bind begins to give the arguments of the next run.
func (s *Stmt) Bind() { s.c.arena.empty() }

// BindNull gives NULL as argument i, from 1.
func (s *Stmt) BindNull(i int) error {
	return s.bound(sqlite3.Xsqlite3_bind_null(s.c.tls, s.handle, int32(i)))
}

// BindInt gives an integer as argument i, from 1.
func (s *Stmt) BindInt(i int, v int64) error {
	return s.bound(sqlite3.Xsqlite3_bind_int64(s.c.tls, s.handle, int32(i), v))
}

// BindFloat gives a float as argument i, from 1.
func (s *Stmt) BindFloat(i int, v float64) error {
	return s.bound(sqlite3.Xsqlite3_bind_double(s.c.tls, s.handle, int32(i), v))
}

// BindText gives a text as argument i, from 1.
func (s *Stmt) BindText(i int, v string) error {
	p, err := s.c.arena.copy(unsafe.Slice(unsafe.StringData(v), len(v)))
	if err != nil {
		return err
	}
	return s.bound(sqlite3.Xsqlite3_bind_text(s.c.tls, s.handle, int32(i), p, int32(len(v)), sqlite3.SQLITE_STATIC))
}

// BindBlob gives bytes as argument i, from 1.
func (s *Stmt) BindBlob(i int, v []byte) error {
	p, err := s.c.arena.copy(v)
	if err != nil {
		return err
	}
	return s.bound(sqlite3.Xsqlite3_bind_blob(s.c.tls, s.handle, int32(i), p, int32(len(v)), sqlite3.SQLITE_STATIC))
}

func (s *Stmt) bound(rc int32) error {
	if rc != sqlite3.SQLITE_OK {
		return s.c.failure(rc)
	}
	return nil
}

// Step moves to the next row and says whether there is one.
func (s *Stmt) Step() (bool, error) {
	switch rc := sqlite3.Xsqlite3_step(s.c.tls, s.handle); rc {
	case sqlite3.SQLITE_ROW:
		return true, nil
	case sqlite3.SQLITE_DONE:
		return false, nil
	default:
		return false, s.c.failure(rc)
	}
}

// Reset ends the run. The error of the run was Step's to tell.
func (s *Stmt) Reset() { sqlite3.Xsqlite3_reset(s.c.tls, s.handle) }

// Exec steps to the end, resets, and returns the number of rows changed.
func (s *Stmt) Exec() (int64, error) {
	defer s.Reset()
	for {
		row, err := s.Step()
		if err != nil {
			return 0, err
		}
		if !row {
			break
		}
	}
	if !s.changes {
		return 0, nil
	}
	return sqlite3.Xsqlite3_changes64(s.c.tls, s.c.db), nil
}

// Type is the type of column i, from 0, of the current row.
func (s *Stmt) Type(i int) Type {
	return Type(sqlite3.Xsqlite3_column_type(s.c.tls, s.handle, int32(i)))
}

// Int is column i, from 0, as an integer.
func (s *Stmt) Int(i int) int64 { return sqlite3.Xsqlite3_column_int64(s.c.tls, s.handle, int32(i)) }

// Float is column i, from 0, as a float.
func (s *Stmt) Float(i int) float64 {
	return sqlite3.Xsqlite3_column_double(s.c.tls, s.handle, int32(i))
}

// String is a copy of the bytes of column i, from 0, a text or a blob.
func (s *Stmt) String(i int) string { return string(s.bytes(i)) }

// Bytes is a copy of the bytes of column i, from 0, a text or a blob; not nil.
func (s *Stmt) Bytes(i int) []byte {
	b := s.bytes(i)
	out := make([]byte, len(b))
	copy(out, b)
	return out
}

// bytes is SQLite's own memory, until the next call.
func (s *Stmt) bytes(i int) []byte {
	p := sqlite3.Xsqlite3_column_blob(s.c.tls, s.handle, int32(i))
	n := sqlite3.Xsqlite3_column_bytes(s.c.tls, s.handle, int32(i))
	if p == 0 || n <= 0 {
		return nil
	}
	return unsafe.Slice((*byte)(at(p)), n)
}

// arena holds copies of arguments in C memory, one statement's at a time, so
// that binding allocates nothing in the usual case.
type arena struct {
	tls   *libc.TLS
	block uintptr
	size  int
	used  int
	extra []uintptr // copies that found no room in block
	spill int       // their length
}

// empty makes room for the next statement's arguments.
func (a *arena) empty() {
	a.used = 0
	if len(a.extra) == 0 {
		return
	}
	want := a.size + a.spill
	a.free()
	// A rare large document should not be paid for in memory for ever.
	const most = 256 << 10
	if want = min(want, most); want > 0 {
		if a.block = sqlite3.Xsqlite3_malloc(a.tls, int32(want)); a.block != 0 {
			a.size = want
		}
	}
}

func (a *arena) free() {
	for _, p := range a.extra {
		sqlite3.Xsqlite3_free(a.tls, p)
	}
	if a.block != 0 {
		sqlite3.Xsqlite3_free(a.tls, a.block)
	}
	a.block, a.size, a.used, a.extra, a.spill = 0, 0, 0, nil, 0
}

func (a *arena) copy(b []byte) (uintptr, error) {
	const maxLength = 1 << 30 // SQLite's own limit is of this order
	if len(b) > maxLength {
		return 0, fmt.Errorf("lite: an argument of %d bytes is too long", len(b))
	}
	if a.used+len(b) <= a.size && a.block != 0 {
		p := a.block + uintptr(a.used)
		a.used += len(b)
		copy(unsafe.Slice((*byte)(at(p)), len(b)), b)
		return p, nil
	}
	n := max(len(b), 1) // an empty argument still needs an address
	p := sqlite3.Xsqlite3_malloc(a.tls, int32(n))
	if p == 0 {
		return 0, errors.New("lite: out of memory")
	}
	a.extra = append(a.extra, p)
	a.spill += n
	copy(unsafe.Slice((*byte)(at(p)), len(b)), b)
	return p, nil
}
