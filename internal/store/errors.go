package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"gatehouse/internal/store/lite"
)

var (
	// ErrNoRows is returned by Row.Scan when the query gave no row.
	ErrNoRows = errors.New("store: no rows")
	// ErrNewer is returned by Migrate when the database was written by a newer
	// version of the program.
	ErrNewer = errors.New("the database was written by a newer version of Gatehouse")
	// ErrDiskFull is returned by Update when there is no room left. Nothing of
	// the transaction is kept; the database works again once there is room.
	ErrDiskFull = errors.New("the disk that holds the database is full")
	// ErrBroken is returned by every Update after a commit whose durability is
	// unknown. See Options.Fatal.
	ErrBroken = errors.New("the database could not make a commit durable and must be reopened")
	// ErrText is returned for a text that PostgreSQL cannot hold: not UTF-8, or
	// with a NUL. SQLite could, but refuses too, so that it shows in tests.
	ErrText = errors.New("store: a text must be UTF-8 without NUL")
	// ErrClosed is returned once the database is closed.
	ErrClosed = errors.New("store: the database is closed")
)

// kept marks an error whose transaction is committed all the same.
type kept struct{ err error }

func (k *kept) Error() string { return k.err.Error() }
func (k *kept) Unwrap() error { return k.err }

// Keep marks err so that Update fails with it and yet commits: a wrong code
// must count against the attempts. errors.Is and errors.As see through the
// mark. Keep(nil) is nil.
func Keep(err error) error {
	if err == nil {
		return nil
	}
	return &kept{err}
}

func isKept(err error) bool {
	var k *kept
	return errors.As(err, &k)
}

// unkept removes an outermost mark: it has done its work.
func unkept(err error) error {
	if k, ok := err.(*kept); ok {
		return k.err
	}
	return err
}

// IsUnique says whether err is the violation of a unique index or primary key.
func IsUnique(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23505"
	}
	return lite.IsUnique(err)
}

type nestedKey struct{}

// refuseNested turns a transaction opened inside another one's function, which
// would wait for itself, into an error.
func refuseNested(ctx context.Context) error {
	if ctx.Value(nestedKey{}) != nil {
		return errors.New("store: a transaction was opened inside another one; pass the tx on instead")
	}
	return nil
}

func statementError(query string, err error) error {
	return fmt.Errorf("%w (in %s)", err, shorten(query))
}
