package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// pgRunner runs the statements of one transaction on one connection. No
// request's context reaches the connection, because pgx answers a cancelled
// one by closing the connection; Tx looks at it between statements.
type pgRunner struct {
	db     *postgresDB
	ctx    context.Context
	conn   *pgx.Conn
	begin  string // what begins the transaction; empty: a View without one so far
	begun  bool
	failed error   // what the database said, for the decision to run again
	first  *answer // of a View's first statement, run without a transaction
}

// answer is a statement and what it said, to be compared later.
type answer struct {
	query string
	args  []any
	rows  [][][]byte // those that were read
	ended bool       // and there were no more
}

func (r *pgRunner) limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.ctx, statementLimit)
}

func (r *pgRunner) note(err error) error {
	if err != nil && r.failed == nil {
		r.failed = err
	}
	return err
}

func (r *pgRunner) exec(query string, args []any) (int64, error) {
	rows, err := r.query(query, args)
	if err != nil {
		return 0, err
	}
	c := rows.(*pgRows)
	if err := c.close(); err != nil {
		return 0, err
	}
	tag := c.rows.CommandTag()
	if tag.Select() {
		return 0, nil
	}
	return tag.RowsAffected(), nil
}

func (r *pgRunner) query(query string, args []any) (cursor, error) {
	args, err := arguments(args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := r.limited()
	c := &pgRows{run: r, cancel: cancel}
	if r.begun {
		c.rows, err = r.conn.Query(ctx, query, args...)
	} else {
		err = r.start(ctx, c, query, args)
	}
	if err != nil {
		cancel()
		return nil, r.note(err)
	}
	// The first row, or the error instead, comes with the query, as it does on
	// SQLite.
	c.ready = c.rows.Next()
	if !c.ready {
		if err := c.close(); err != nil {
			return nil, err
		}
		c.end()
	}
	return c, nil
}

// start runs the first statement, and what begins the transaction with it in
// one round trip.
func (r *pgRunner) start(ctx context.Context, c *pgRows, query string, args []any) (err error) {
	if r.begin == "" && r.first == nil && r.mayRunAlone(query) {
		r.first = &answer{query: query, args: args}
		c.record = r.first
		c.rows, err = r.conn.Query(ctx, query, args...)
		return err
	}
	batch := &pgx.Batch{}
	if r.begin == "" {
		r.begin = beginView
	}
	batch.Queue(r.begin)
	if r.first != nil {
		r.db.remember(r.first.query)
		batch.Queue(r.first.query, r.first.args...)
	}
	batch.Queue(query, args...)
	c.batch = r.conn.SendBatch(ctx, batch)
	r.begun = true
	if _, err = c.batch.Exec(); err == nil && r.first != nil {
		err = r.sameAnswer(c.batch)
	}
	if err == nil {
		c.rows, err = c.batch.Query()
	}
	if err != nil {
		c.batch.Close()
	}
	return err
}

// mayRunAlone says whether a View may run query without a transaction: it must
// not write even if it tries to.
func (r *pgRunner) mayRunAlone(query string) bool {
	query = strings.TrimSpace(query)
	if len(query) < 6 || !strings.EqualFold(query[:6], "SELECT") || strings.Contains(query, "FOR UPDATE") {
		return false
	}
	_, known := r.db.longer.Load(query)
	return !known
}

func (db *postgresDB) remember(query string) {
	if db.longerCount.Load() >= maxLonger {
		return
	}
	if _, known := db.longer.LoadOrStore(strings.TrimSpace(query), true); !known {
		db.longerCount.Add(1)
	}
}

// sameAnswer reads the first statement's answer again and compares.
func (r *pgRunner) sameAnswer(batch pgx.BatchResults) error {
	rows, err := batch.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	// Rows that fn did not read do not matter.
	for _, before := range r.first.rows {
		if !rows.Next() {
			if err := rows.Err(); err != nil {
				return err
			}
			return errMoved
		}
		for i, now := range rows.RawValues() {
			if (now == nil) != (before[i] == nil) || !bytes.Equal(now, before[i]) {
				return errMoved
			}
		}
	}
	if r.first.ended && rows.Next() {
		return errMoved
	}
	rows.Close()
	return rows.Err()
}

func (r *pgRunner) commit() error {
	ctx, cancel := r.limited()
	defer cancel()
	tag, err := r.conn.Exec(ctx, "COMMIT")
	r.begun = false
	var pg *pgconn.PgError
	switch {
	case err == nil && tag.String() == "ROLLBACK":
		return errors.New("store: PostgreSQL rolled the transaction back")
	case err == nil || errors.As(err, &pg):
		return err
	}
	return fmt.Errorf("whether the transaction is committed is unknown: %w", err)
}

// rollback ends the transaction, unless it was committed. Should it fail, the
// pool sees that the connection is not idle and closes it.
func (r *pgRunner) rollback() {
	if !r.begun || r.conn.IsClosed() {
		return
	}
	ctx, cancel := r.limited()
	defer cancel()
	r.conn.Exec(ctx, "ROLLBACK")
}

func arguments(args []any) ([]any, error) {
	out := make([]any, len(args))
	for i, a := range args {
		v, err := argument(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		out[i] = v
	}
	return out, nil
}

// pgRows walks the rows of one query.
type pgRows struct {
	run    *pgRunner
	rows   pgx.Rows
	batch  pgx.BatchResults // the query came with others
	cancel context.CancelFunc
	record *answer
	ready  bool // a row was read and not yet given
	closed bool
	failed error
}

func (c *pgRows) next() bool {
	if c.closed {
		return false
	}
	if !c.ready && !c.rows.Next() {
		c.end()
		return false
	}
	c.ready = false
	if c.record != nil {
		row := c.rows.RawValues()
		kept := make([][]byte, len(row))
		for i, v := range row {
			kept[i] = bytes.Clone(v)
		}
		c.record.rows = append(c.record.rows, kept)
	}
	return true
}

// end notes that there are no more rows.
func (c *pgRows) end() {
	if c.record != nil {
		c.record.ended = true
	}
}

func (c *pgRows) close() error {
	if c.closed {
		return c.failed
	}
	c.closed = true
	c.rows.Close()
	c.failed = c.rows.Err()
	if c.batch != nil {
		if err := c.batch.Close(); c.failed == nil {
			c.failed = err
		}
	}
	c.cancel()
	return c.run.note(c.failed)
}

func (c *pgRows) scan(dest []any) error {
	fields, raw := c.rows.FieldDescriptions(), c.rows.RawValues()
	if len(dest) != len(raw) {
		return fmt.Errorf("store: Scan of %d columns into %d", len(raw), len(dest))
	}
	var decoded []any
	for i, f := range fields {
		v, ok := plain(f, raw[i])
		if !ok {
			if decoded == nil {
				var err error
				if decoded, err = c.rows.Values(); err != nil {
					return err
				}
			}
			v = basic(decoded[i])
		}
		if err := assign(dest[i], v); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	return nil
}

// plain decodes the types that tables are made of.
func plain(f pgconn.FieldDescription, raw []byte) (any, bool) {
	if raw == nil {
		return nil, true
	}
	switch f.DataTypeOID {
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.NameOID:
		return string(raw), true
	}
	if f.Format != pgtype.BinaryFormatCode {
		return nil, false
	}
	switch f.DataTypeOID {
	case pgtype.Int8OID:
		return int64(binary.BigEndian.Uint64(raw)), true
	case pgtype.Int4OID:
		return int64(int32(binary.BigEndian.Uint32(raw))), true
	case pgtype.BoolOID:
		return raw[0] != 0, true
	case pgtype.ByteaOID:
		return append(make([]byte, 0, len(raw)), raw...), true
	}
	return nil, false
}

// basic brings what pgx decodes to the few types that assign knows.
func basic(v any) any {
	switch x := v.(type) {
	case int16:
		return int64(x)
	case int32:
		return int64(x)
	case float32:
		return float64(x)
	case pgtype.Numeric:
		// What sum() of a BIGINT gives.
		if n, err := x.Int64Value(); err == nil && n.Valid {
			return n.Int64
		}
		if f, err := x.Float64Value(); err == nil && f.Valid {
			return f.Float64
		}
	}
	return v
}
