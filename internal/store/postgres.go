package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgresDB is the backend on PostgreSQL, and on databases that speak its
// protocol: nothing here takes advisory locks or listens.
type postgresDB struct {
	o    *Options
	pool *pgxpool.Pool

	// generation counts how often the pool was emptied after a connection was
	// lost, so that those who notice the same loss empty it once.
	generation atomic.Int64

	// Texts of first statements of Views that turned out to have more.
	longer      sync.Map
	longerCount atomic.Int64
}

const (
	// reruns bounds how often a transaction is tried.
	reruns = 12
	// reconnects bounds how often one is tried on a new connection: what the
	// server dies of should not be given to it again and again.
	reconnects = 3
	// statementLimit bounds one statement, so that a server that went away
	// without a word does not keep callers for ever.
	statementLimit = time.Minute
	// maxLonger bounds what is remembered of Views: query texts put together
	// from parts are many.
	maxLonger = 2000

	beginUpdate = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
	beginView   = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
)

func openPostgres(ctx context.Context, o *Options) (backend, error) {
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("the database URL: %w", err)
	}
	poolDefaults(config, o.URL)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("the database URL: %w", err)
	}
	db := &postgresDB{o: o, pool: pool}
	if err := db.ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	return db, nil
}

// poolDefaults sizes the pool where the URL does not (pool_max_conns,
// pool_min_conns, ...): with few connections requests wait for each other, and
// with few idle ones they wait for connections to be made.
func poolDefaults(config *pgxpool.Config, url string) {
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = int32(max(16, 4*runtime.GOMAXPROCS(0)))
	}
	if !strings.Contains(url, "pool_min_conns") && !strings.Contains(url, "pool_min_idle_conns") {
		config.MinIdleConns = min(2, config.MaxConns)
	}
	if !strings.Contains(url, "pool_max_conn_lifetime_jitter") {
		config.MaxConnLifetimeJitter = config.MaxConnLifetime / 10
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "gatehouse"
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 10 * time.Second
	}
}

func (db *postgresDB) ping(ctx context.Context) error { return db.pool.Ping(ctx) }

func (db *postgresDB) close() error {
	db.pool.Close()
	return nil
}

func (db *postgresDB) migrator() (migrator, error) {
	return migrator{db: stdlib.OpenDB(*db.pool.Config().ConnConfig)}, nil
}

func (db *postgresDB) backup(context.Context, string) error {
	return errors.New("a PostgreSQL database is not backed up by Gatehouse; use pg_dump, or your provider's snapshots")
}

func (db *postgresDB) update(ctx context.Context, _ bool, fn func(*Tx) error) error {
	return db.rerun(ctx, func(int) (error, error) { return db.attempt(ctx, beginUpdate, fn) })
}

func (db *postgresDB) expectLoad(context.Context) error { return nil }

// view runs the statements of fn in one snapshot. A first SELECT runs by
// itself, which is all that most Views do, and saves BEGIN and COMMIT. A second
// statement then begins a REPEATABLE READ transaction and asks for the first
// one's answer again, in the same round trip: when it has not changed, it is
// what the snapshot says too, and fn goes on. When it has, fn runs again, in a
// snapshot from the start, and so does from then on every View that begins
// with the same text.
func (db *postgresDB) view(ctx context.Context, fn func(*Tx) error) error {
	return db.rerun(ctx, func(attempt int) (error, error) {
		if attempt > 1 {
			return db.attempt(ctx, beginView, fn)
		}
		return db.attempt(ctx, "", fn)
	})
}

// rerun calls try until it no longer fails for a reason that may pass. try
// returns the error for the caller and what went wrong in the database.
func (db *postgresDB) rerun(ctx context.Context, try func(attempt int) (err, cause error)) error {
	for attempt := 1; ; attempt++ {
		err, cause := try(attempt)
		if cause == nil || !passing(cause) {
			return err
		}
		if attempt == reruns || attempt == reconnects && isLost(cause) {
			return fmt.Errorf("giving up after %d attempts: %w", attempt, err)
		}
		if cause == errMoved {
			continue
		}
		db.o.Logger.Debug("running a transaction again", "attempt", attempt, "error", cause)
		// Half of them step aside longer than the other half.
		most := time.Millisecond << min(attempt, 7)
		pause := time.NewTimer(rand.N(most))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

// errMoved says that the first statement of a View has another answer by now.
var errMoved = errors.New("store: the snapshot moved")

// lost is the end of the connection before the commit was asked for, so that
// nothing of the transaction remains.
type lost struct{ error }

func isLost(err error) bool {
	_, is := err.(lost)
	return is
}

// passing says whether the same transaction may succeed when run again.
func passing(err error) bool {
	var pg *pgconn.PgError
	switch {
	case err == errMoved || isLost(err):
		return true
	case errors.As(err, &pg):
		return pg.Code == "40001" || // serialization_failure
			pg.Code == "40P01" || // deadlock_detected
			// A prepared statement from before a migration; pgx has thrown it
			// away by now.
			pg.Code == "0A000" && strings.Contains(pg.Message, "cached plan")
	}
	// Nothing was sent, for example on a connection found to be closed.
	return pgconn.SafeToRetry(err)
}

// attempt runs fn once, in a transaction that begins with the first statement;
// an empty begin is a View's attempt without one.
func (db *postgresDB) attempt(ctx context.Context, begin string, fn func(*Tx) error) (err, cause error) {
	generation := db.generation.Load()
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		if ctx.Err() == nil {
			err = fmt.Errorf("no connection to PostgreSQL: %w", err)
		}
		return err, nil
	}
	defer conn.Release()
	run := &pgRunner{db: db, ctx: context.WithoutCancel(ctx), conn: conn.Conn(), begin: begin}
	defer run.rollback()
	tx := &Tx{Now: instant(db.o.Now()), ctx: ctx, kind: Postgres, run: run}
	defer tx.end()
	commit, err := tx.verdict(fn(tx))
	if tx.failed != nil {
		if run.failed != nil && run.conn.IsClosed() && !pgconn.Timeout(run.failed) {
			// The others in the pool were likely lost with it.
			if db.generation.CompareAndSwap(generation, generation+1) {
				db.pool.Reset()
			}
			return err, lost{run.failed}
		}
		return err, run.failed
	}
	if !commit || !run.begun {
		return err, nil
	}
	start := db.o.Now()
	failed := run.commit()
	if begin == beginUpdate {
		db.o.Observe("commit", db.o.Now().Sub(start))
	}
	if failed != nil {
		return failed, failed
	}
	return err, nil
}
