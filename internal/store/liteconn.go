package store

import (
	"errors"
	"fmt"
	"strings"

	"gatehouse/internal/store/lite"
)

// liteConn is a connection to a SQLite file with its statements, and runs the
// statements of one transaction at a time.
type liteConn struct {
	*lite.Conn
	stmts map[string]*lite.Stmt // by the text before placeholders are rewritten
	rows  liteRows              // of the one query that is open

	begin, commit, rollback, save, release, undo *lite.Stmt
}

// maxStatements bounds the statements a connection keeps: queries put together
// from parts have many texts.
const maxStatements = 300

// writes is the number of readers to give openLite for a connection that
// writes.
const writes = 0

// openLite opens a connection that writes, or one of so many that read.
func openLite(path string, readers int) (*liteConn, error) {
	conn, err := lite.Open(path)
	if err != nil {
		return nil, err
	}
	c := &liteConn{Conn: conn, stmts: map[string]*lite.Stmt{}}
	if err := c.configure(readers); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *liteConn) configure(readers int) error {
	c.BusyTimeout(busyMillis)
	pragmas := []string{
		"PRAGMA synchronous = FULL",
		"PRAGMA foreign_keys = ON",
		// Sorting and the undo log of savepoints stay off the disk.
		"PRAGMA temp_store = MEMORY",
		fmt.Sprintf("PRAGMA cache_size = -%d", cacheKilobytes(readers)),
		// The checkpointer decides when.
		"PRAGMA wal_autocheckpoint = 0",
		fmt.Sprintf("PRAGMA journal_size_limit = %d", logLimit*pageBytes),
	}
	if readers > 0 {
		pragmas = append(pragmas, "PRAGMA query_only = ON")
	} else if err := c.useLog(); err != nil {
		return err
	}
	for _, p := range pragmas {
		if err := c.Run(p); err != nil {
			return err
		}
	}
	return nil
}

// cacheKilobytes is how much of the file a connection may keep in memory. A
// page that is not there costs a system call: with 100,000 users of which 1,000
// are busy, all that look-ups need fits in 8 MB, while one that writes, which
// changes indexes all over, read less with 12 MB than with 6. All readers together
// keep at most 128 MB, or 4 MB each.
func cacheKilobytes(readers int) int {
	const writer, most, all, least = 12 << 10, 8 << 10, 128 << 10, 4 << 10
	if readers == writes {
		return writer
	}
	return max(least, min(most, all/readers))
}

const loadKilobytes = 64 << 10

// expectLoad keeps in memory what a transaction of UpdateMany changes, or pages
// would be written before the commit and again at it, and does not cut the log
// each time it starts again.
func (c *liteConn) expectLoad() error {
	if err := c.Run(fmt.Sprintf("PRAGMA cache_size = -%d", loadKilobytes)); err != nil {
		return err
	}
	return c.Run(fmt.Sprintf("PRAGMA journal_size_limit = %d", logLoad*3/2*pageBytes))
}

// useLog switches the file to a write-ahead log, as which it then stays.
func (c *liteConn) useLog() error {
	s, err := c.Prepare("PRAGMA journal_mode = WAL")
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Step(); err != nil {
		return err
	}
	if mode := s.String(0); mode != "wal" {
		return fmt.Errorf("the file system has no shared memory, which SQLite needs (journal mode %q); use a local disk, or PostgreSQL", mode)
	}
	return nil
}

func (c *liteConn) close() error {
	c.forget()
	for _, s := range []*lite.Stmt{c.begin, c.commit, c.rollback, c.save, c.release, c.undo} {
		if s != nil {
			s.Close()
		}
	}
	return c.Conn.Close()
}

func (c *liteConn) forget() {
	for text, s := range c.stmts {
		s.Close()
		delete(c.stmts, text)
	}
}

// control runs a statement of the transaction itself, prepared in *s.
func (c *liteConn) control(s **lite.Stmt, text string) error {
	if *s == nil {
		var err error
		if *s, err = c.Prepare(text); err != nil {
			return err
		}
	}
	_, err := (*s).Exec()
	return err
}

// prepared is the statement of a query, with its arguments.
func (c *liteConn) prepared(query string, args []any) (*lite.Stmt, error) {
	s, ok := c.stmts[query]
	if !ok {
		if err := refuseControl(query); err != nil {
			return nil, err
		}
		var err error
		if s, err = c.Prepare(unguarded(numbered(query))); err != nil {
			return nil, err
		}
		if len(c.stmts) == maxStatements {
			c.forget()
		}
		c.stmts[query] = s
	}
	if len(args) != s.Params() {
		return nil, fmt.Errorf("store: %d arguments for %d placeholders", len(args), s.Params())
	}
	s.Bind()
	for i, a := range args {
		if err := bind(s, i+1, a); err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return s, nil
}

// refuseControl keeps a transaction's function from ending the transaction,
// and with it its neighbours'.
func refuseControl(query string) error {
	word, _, _ := strings.Cut(strings.TrimSpace(query), " ")
	switch strings.ToUpper(strings.TrimRight(word, ";")) {
	case "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "ATTACH", "DETACH", "VACUUM":
		return errors.New("store: the transaction belongs to Update and View")
	}
	return nil
}

func bind(s *lite.Stmt, i int, v any) error {
	switch x := v.(type) {
	case nil:
		return s.BindNull(i)
	case string:
		if err := checkText(x); err != nil {
			return err
		}
		return s.BindText(i, x)
	case []byte:
		if x == nil {
			return s.BindNull(i)
		}
		return s.BindBlob(i, x)
	case int64:
		return s.BindInt(i, x)
	case int:
		return s.BindInt(i, int64(x))
	case bool:
		if x {
			return s.BindInt(i, 1)
		}
		return s.BindInt(i, 0)
	case float64:
		return s.BindFloat(i, x)
	}
	basic, err := argument(v)
	if err != nil {
		return err
	}
	return bind(s, i, basic)
}

func (c *liteConn) exec(query string, args []any) (int64, error) {
	s, err := c.prepared(query, args)
	if err != nil {
		return 0, err
	}
	return s.Exec()
}

// query takes the first step at once, so that a statement that writes has run
// and its error shows where it was written.
func (c *liteConn) query(query string, args []any) (cursor, error) {
	s, err := c.prepared(query, args)
	if err != nil {
		return nil, err
	}
	row, err := s.Step()
	if err != nil {
		s.Reset()
		return nil, err
	}
	c.rows = liteRows{stmt: s, ready: row, more: row}
	return &c.rows, nil
}

// liteRows walks a statement's rows.
type liteRows struct {
	stmt   *lite.Stmt
	ready  bool // a row was stepped to and not yet given
	more   bool // the end was not seen yet
	failed error
}

func (r *liteRows) next() bool {
	if r.ready {
		r.ready = false
		return true
	}
	if r.more {
		r.more, r.failed = r.stmt.Step()
	}
	return r.more
}

func (r *liteRows) close() error {
	// The constraints of a statement that writes are checked at its end.
	for r.more && r.stmt.Writes() {
		r.more, r.failed = r.stmt.Step()
	}
	r.stmt.Reset()
	return r.failed
}

func (r *liteRows) scan(dest []any) error {
	if n := r.stmt.Columns(); len(dest) != n {
		return fmt.Errorf("store: Scan of %d columns into %d", n, len(dest))
	}
	for i, d := range dest {
		if err := r.column(i, d); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	return nil
}

// column scans one column, the usual types without a detour.
func (r *liteRows) column(i int, dest any) error {
	kind := r.stmt.Type(i)
	switch d := dest.(type) {
	case *string:
		if kind == lite.Text {
			*d = r.stmt.String(i)
			return nil
		}
	case *[]byte:
		if kind == lite.Blob || kind == lite.Text {
			*d = r.stmt.Bytes(i)
			return nil
		}
	case *int64:
		if kind == lite.Integer {
			*d = r.stmt.Int(i)
			return nil
		}
	}
	return assign(dest, r.value(kind, i))
}

func (r *liteRows) value(kind lite.Type, i int) any {
	switch kind {
	case lite.Integer:
		return r.stmt.Int(i)
	case lite.Float:
		return r.stmt.Float(i)
	case lite.Text:
		return r.stmt.String(i)
	case lite.Blob:
		return r.stmt.Bytes(i)
	}
	return nil
}
