// Package store owns the connection to the database: opening, transactions,
// migrations, backup, and the differences between SQLite and PostgreSQL. It
// never knows a table of a feature: SQL text lives in the package that owns
// the table, and in migrations/.
//
// One SQL text serves both engines. Write placeholders as $1..$N (they may
// repeat), times as BIGINT milliseconds ([Millis], [Time]), JSON as TEXT,
// binary as BYTEA and truth values as BOOLEAN. What still differs is a word of
// the transaction: [Tx.ForUpdate] and [Tx.SkipLocked].
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"
)

// Engine names a database engine.
type Engine string

// The two engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// Options say which database to open and what to tell about it.
type Options struct {
	// URL is "sqlite:/path/to/gatehouse.db" (a relative path is relative to
	// the working directory) or "postgres://user:password@host/database".
	URL string
	// Now is the clock behind Tx.Now and the durations given to Observe.
	Now func() time.Time
	// Logger receives what nobody waits for: checkpoints that fail, reruns.
	Logger *slog.Logger
	// Observe, if set, is told how long each operation took: "view" and
	// "update" are whole calls, "commit" is the durable commit alone, which
	// several updates may share.
	Observe func(op string, d time.Duration)
	// Trace, if set, is called when an "update" or "view" begins, with the
	// caller's context, and what it returns when that has ended.
	Trace func(ctx context.Context, op string) (end func(error))
	// Fatal, if set, is called once when a commit failed in a way that leaves
	// unknown whether it is durable (a failed fsync, a disk I/O error). From
	// then on every Update fails with ErrBroken; the process should answer
	// what it has in hand and exit, so that the next start recovers from what
	// really is on disk. It is called by the goroutine that writes, and must
	// not wait for an Update. PostgreSQL keeps its own house: there a commit
	// that got no answer is an error of that Update alone.
	Fatal func(error)
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	o       Options
	kind    Engine
	files   fs.FS // the migrations
	backend backend
	signals signals
}

// backend is what differs between the engines.
type backend interface {
	// update runs fn alone when told that it changes many rows.
	update(ctx context.Context, alone bool, fn func(*Tx) error) error
	view(ctx context.Context, fn func(*Tx) error) error
	expectLoad(ctx context.Context) error
	ping(ctx context.Context) error
	migrator() (migrator, error)
	backup(ctx context.Context, path string) error
	schema(tx *Tx) (string, error)
	close() error
}

// Open opens the database that o.URL names and checks that it answers. It
// creates a missing SQLite file but no tables: see Migrate.
func Open(ctx context.Context, o Options) (*DB, error) {
	return open(ctx, o, Migrations())
}

func open(ctx context.Context, o Options, files fs.FS) (*DB, error) {
	if o.Now == nil {
		return nil, errors.New("store: Options.Now is required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration) {}
	}
	if o.Fatal == nil {
		o.Fatal = func(error) {}
	}
	db := &DB{o: o, files: files}
	var err error
	switch scheme, rest, _ := strings.Cut(o.URL, ":"); scheme {
	case "sqlite":
		db.kind = SQLite
		db.backend, err = openSQLite(ctx, &db.o, rest)
	case "postgres", "postgresql":
		db.kind = Postgres
		db.backend, err = openPostgres(ctx, &db.o)
	default:
		return nil, errors.New(`store: the database URL must start with "sqlite:" or "postgres://"`)
	}
	if err != nil {
		return nil, err
	}
	return db, nil
}

// Engine says which engine the database runs on.
func (db *DB) Engine() Engine { return db.kind }

// Now is the database's clock: UTC, in whole milliseconds, as times are stored.
func (db *DB) Now() time.Time { return instant(db.o.Now()) }

// Ping checks that the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.backend.ping(ctx) }

// Close waits for transactions under way and closes the database.
func (db *DB) Close() error { return db.backend.close() }

// Update runs fn in a transaction that may write, and commits it when fn
// returns nil or an error marked by Keep. When Update returns without an error
// (or with a kept one) the transaction is durable.
//
// fn may run twice: after a serialization conflict on PostgreSQL, or on SQLite
// because a neighbour in the same group commit took the transaction down. So
// nothing outside the transaction may happen inside it. To read the rows that
// are about to change use Tx.ForUpdate. A statement that fails ends the
// transaction on both engines: fn may then choose the error to return (see
// IsUnique) but not go on, and Keep does not keep anything.
//
// A ctx cancelled before fn starts, or between two statements, ends the
// Update with its error; a commit under way is not interrupted.
func (db *DB) Update(ctx context.Context, fn func(tx *Tx) error) error {
	return db.update(ctx, false, fn)
}

// UpdateMany is Update for a transaction that writes hundreds of rows. On SQLite
// it shares its commit with nobody and so needs no savepoint, for which SQLite
// keeps a copy of each page that changes: with a large database that costs more
// than everything else. Others who write wait for all of it.
func (db *DB) UpdateMany(ctx context.Context, fn func(tx *Tx) error) error {
	return db.update(ctx, true, fn)
}

// ExpectLoad prepares for many calls of UpdateMany, until the database is closed,
// in a process in which nobody waits for anything else: a SQLite file may have
// some 150 MB of log meanwhile, and 64 MB of its pages in memory.
func (db *DB) ExpectLoad(ctx context.Context) error { return db.backend.expectLoad(ctx) }

func (db *DB) update(ctx context.Context, alone bool, fn func(tx *Tx) error) error {
	if err := refuseNested(ctx); err != nil {
		return err
	}
	observed := db.observe(ctx, "update")
	var names []string
	err := db.backend.update(ctx, alone, func(tx *Tx) error {
		err := fn(tx)
		names = tx.signals
		return err
	})
	observed(err)
	if err == nil || isKept(err) {
		db.signals.send(names)
	}
	return unkept(err)
}

// View runs fn in a transaction that only reads and sees one consistent
// snapshot, whatever is committed meanwhile. fn may run twice, as in Update.
func (db *DB) View(ctx context.Context, fn func(tx *Tx) error) error {
	if err := refuseNested(ctx); err != nil {
		return err
	}
	observed := db.observe(ctx, "view")
	err := db.backend.view(ctx, fn)
	observed(err)
	return unkept(err)
}

// observe begins one operation for whoever measures it, and returns its end.
func (db *DB) observe(ctx context.Context, op string) func(error) {
	start := db.o.Now()
	end := func(error) { db.o.Observe(op, db.o.Now().Sub(start)) }
	if db.o.Trace == nil {
		return end
	}
	traced := db.o.Trace(ctx, op)
	return func(err error) {
		end(err)
		traced(err)
	}
}

// Backup writes a consistent copy of the database to the file at path, which
// must not exist, while the database is in use. SQLite only.
func (db *DB) Backup(ctx context.Context, path string) error {
	return db.backend.backup(ctx, path)
}

// Schema describes the live database's tables, columns and indexes as text,
// the same for the same schema, for review (api/schema.<engine>.sql).
func (db *DB) Schema(ctx context.Context) (string, error) {
	var text string
	err := db.View(ctx, func(tx *Tx) (err error) {
		text, err = db.backend.schema(tx)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading the schema: %w", err)
	}
	return text, nil
}

// Millis is how a time is stored: milliseconds since 1970-01-01T00:00:00Z.
func Millis(t time.Time) int64 { return t.UnixMilli() }

// Time is the inverse of Millis, in UTC.
func Time(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// instant cuts t to what Millis and Time round trip.
func instant(t time.Time) time.Time { return Time(Millis(t)) }
