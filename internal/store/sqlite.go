package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"runtime"
	"sync"

	"modernc.org/sqlite"
)

// sqliteDB is the backend on a SQLite file: one connection that writes and a
// pool of connections that read.
type sqliteDB struct {
	o       *Options
	dsn     string
	mu      sync.Mutex
	writer  *liteConn
	readers chan *liteConn
}

func openSQLite(ctx context.Context, o *Options, path string) (backend, error) {
	if path == "" {
		return nil, errors.New(`store: "sqlite:" needs a file, for example sqlite:gatehouse.db`)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	db := &sqliteDB{o: o, dsn: sqliteDSN(path)}
	if db.writer, err = openLite(ctx, db.dsn); err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	n := max(4, 2*runtime.GOMAXPROCS(0))
	db.readers = make(chan *liteConn, n)
	for range n {
		db.readers <- nil
	}
	return db, nil
}

func sqliteDSN(path string) string {
	q := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)"}}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func (db *sqliteDB) update(ctx context.Context, fn func(*Tx) error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.transaction(ctx, db.writer, "BEGIN IMMEDIATE", fn)
}

func (db *sqliteDB) view(ctx context.Context, fn func(*Tx) error) error {
	c := <-db.readers
	defer func() { db.readers <- c }()
	if c == nil {
		var err error
		if c, err = openLite(ctx, db.dsn); err != nil {
			return err
		}
	}
	return db.transaction(ctx, c, "BEGIN", fn)
}

func (db *sqliteDB) transaction(ctx context.Context, c *liteConn, begin string, fn func(*Tx) error) (err error) {
	if _, err := c.exec(begin, nil); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			c.exec("ROLLBACK", nil)
		}
	}()
	tx := &Tx{Now: instant(db.o.Now()), ctx: ctx, kind: SQLite, run: c}
	commit, err := tx.finish(fn(tx))
	if !commit {
		return err
	}
	if _, failed := c.exec("COMMIT", nil); failed != nil {
		return failed
	}
	done = true
	return err
}

func (db *sqliteDB) ping(ctx context.Context) error {
	return db.view(ctx, func(tx *Tx) error {
		var one int
		return tx.QueryRow("SELECT 1").Scan(&one)
	})
}

func (db *sqliteDB) close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	for range cap(db.readers) {
		if c := <-db.readers; c != nil {
			c.conn.Close()
		}
	}
	return db.writer.conn.Close()
}

// liteConn is one connection and its prepared statements.
type liteConn struct {
	conn  driver.Conn
	stmts map[string]driver.Stmt
}

func openLite(ctx context.Context, dsn string) (*liteConn, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &liteConn{conn: conn, stmts: map[string]driver.Stmt{}}, nil
}

func (c *liteConn) prepare(query string) (driver.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.conn.Prepare(numbered(query))
	if err != nil {
		return nil, err
	}
	c.stmts[query] = s
	return s, nil
}

func named(args []any) ([]driver.NamedValue, error) {
	out := make([]driver.NamedValue, len(args))
	for i, a := range args {
		v, err := argument(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out, nil
}

func (c *liteConn) exec(query string, args []any) (int64, error) {
	s, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	values, err := named(args)
	if err != nil {
		return 0, err
	}
	r, err := s.(driver.StmtExecContext).ExecContext(context.Background(), values)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (c *liteConn) query(query string, args []any) (cursor, error) {
	s, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	values, err := named(args)
	if err != nil {
		return nil, err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), values)
	if err != nil {
		return nil, err
	}
	return &liteRows{rows: rows, row: make([]driver.Value, len(rows.Columns()))}, nil
}

type liteRows struct {
	rows   driver.Rows
	row    []driver.Value
	failed error
}

func (r *liteRows) next() bool {
	err := r.rows.Next(r.row)
	if err != nil && err != io.EOF {
		r.failed = err
	}
	return err == nil
}

func (r *liteRows) scan(dest []any) error {
	if len(dest) != len(r.row) {
		return fmt.Errorf("store: Scan of %d columns into %d", len(r.row), len(dest))
	}
	for i, d := range dest {
		if err := assign(d, r.row[i]); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	return nil
}

func (r *liteRows) err() error { return r.failed }
func (r *liteRows) close()     { r.rows.Close() }

func (db *sqliteDB) migrator() (migrator, error) {
	conn, err := sql.Open("sqlite", db.dsn)
	return migrator{db: conn}, err
}
