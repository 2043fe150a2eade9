package store

import (
	"context"
	"errors"
	"time"
)

// Tx is a transaction under way. It is valid until the function it was given
// to returns, and may be used by one goroutine at a time.
type Tx struct {
	// Now is the instant of the transaction: UTC, whole milliseconds.
	Now time.Time

	ctx    context.Context
	kind   Engine
	run    runner
	rows   *Rows // not closed yet
	failed error // the first statement that failed
	over   bool

	signals []string // to send after the commit
}

// runner runs statements on the connection that holds the transaction.
type runner interface {
	exec(query string, args []any) (int64, error)
	query(query string, args []any) (cursor, error)
}

// cursor walks the rows of one query.
type cursor interface {
	next() bool
	scan(dest []any) error
	// close ends the query and returns the error that ended it, if any.
	close() error
}

// Context is the caller's context, for its values and for what must end with
// it. It refuses to open another transaction.
func (tx *Tx) Context() context.Context {
	return context.WithValue(tx.ctx, nestedKey{}, true)
}

// ForUpdate is the word that ends a SELECT of rows which are about to change:
// they stay as read until the transaction ends.
func (tx *Tx) ForUpdate() string {
	if tx.kind == Postgres {
		return " FOR UPDATE"
	}
	return ""
}

// SkipLocked is ForUpdate for queues: rows that others hold are left out.
func (tx *Tx) SkipLocked() string {
	if tx.kind == Postgres {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}

// Exec runs a statement and returns the number of rows it affected.
//
// Arguments are nil, bool, the integer and float types, string, []byte,
// pointers to these (nil is NULL) and types made from them. A byte slice type
// that marshals itself to JSON, such as json.RawMessage, is text; other byte
// slices are BYTEA. Times are given as Millis.
func (tx *Tx) Exec(query string, args ...any) (int64, error) {
	if err := tx.ready(); err != nil {
		return 0, err
	}
	n, err := tx.run.exec(query, args)
	if err != nil {
		return 0, tx.fail(query, err)
	}
	return n, nil
}

// Query runs a statement that returns rows. The rows must be closed, or read
// to the end, before the next statement.
func (tx *Tx) Query(query string, args ...any) (*Rows, error) {
	if err := tx.ready(); err != nil {
		return nil, err
	}
	c, err := tx.run.query(query, args)
	if err != nil {
		return nil, tx.fail(query, err)
	}
	tx.rows = &Rows{tx: tx, cursor: c, text: query}
	return tx.rows, nil
}

// QueryRow runs a statement of which at most one row is of interest. Its
// error comes with Scan, which must be called.
func (tx *Tx) QueryRow(query string, args ...any) *Row {
	rows, err := tx.Query(query, args...)
	return &Row{rows: rows, err: err}
}

// ready says why no statement can run now, if so.
func (tx *Tx) ready() error {
	switch {
	case tx.over:
		return errors.New("store: the transaction is over")
	case tx.failed != nil:
		return tx.failed
	case tx.rows != nil:
		// PostgreSQL has one conversation per connection. Refusing on SQLite
		// too shows the mistake where most tests run.
		return tx.fail(tx.rows.text, errors.New("store: the rows of the previous query are still open"))
	}
	if err := tx.ctx.Err(); err != nil {
		tx.failed = err
		return err
	}
	return nil
}

func (tx *Tx) fail(query string, err error) error {
	err = statementError(query, err)
	if tx.failed == nil {
		tx.failed = err
	}
	return err
}

// verdict judges what fn returned: the error for the caller, and whether to
// commit.
func (tx *Tx) verdict(err error) (commit bool, _ error) {
	if tx.rows != nil {
		tx.rows.Close()
	}
	switch {
	case tx.failed != nil && err == nil:
		return false, tx.failed
	case tx.failed != nil:
		return false, err
	}
	return err == nil || isKept(err), err
}

// end makes tx unusable.
func (tx *Tx) end() {
	if tx.rows != nil {
		tx.rows.Close()
	}
	tx.over = true
}

// Rows are the result of Query.
type Rows struct {
	tx     *Tx
	cursor cursor
	text   string
	failed error
}

// Next moves to the next row and says whether there is one. At the end, and
// after an error, it closes the rows.
func (r *Rows) Next() bool {
	if r.tx.rows != r {
		return false
	}
	if r.tx.ctx.Err() == nil && r.cursor.next() {
		return true
	}
	r.Close()
	return false
}

// Scan copies the columns of the row into dest: pointers to bool, integer and
// float types, string, []byte, any, pointers to these for columns that may be
// NULL, types made from them, and sql.Scanner.
func (r *Rows) Scan(dest ...any) error {
	if r.tx.rows != r {
		return errors.New("store: Scan without a row")
	}
	if err := r.cursor.scan(dest); err != nil {
		return r.tx.fail(r.text, err)
	}
	return nil
}

// Err is the error that ended Next, if any.
func (r *Rows) Err() error { return r.failed }

// Close ends the query. It may be called more than once; the error is Err's.
func (r *Rows) Close() error {
	if r.tx.rows != r {
		return r.failed
	}
	r.tx.rows = nil
	err := r.cursor.close()
	if err == nil {
		err = r.tx.ctx.Err()
	}
	if err != nil {
		r.failed = r.tx.fail(r.text, err)
	}
	return r.failed
}

// Row is the result of QueryRow.
type Row struct {
	rows *Rows
	err  error
}

// Scan copies the first row's columns into dest, as Rows.Scan does, or returns
// ErrNoRows, which does not end the transaction.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}
