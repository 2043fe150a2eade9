package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgresDB is the backend on PostgreSQL.
type postgresDB struct {
	o    *Options
	pool *pgxpool.Pool
}

func openPostgres(ctx context.Context, o *Options) (backend, error) {
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("the database URL: %w", err)
	}
	config.MaxConns = max(config.MaxConns, int32(max(16, 4*runtime.GOMAXPROCS(0))))
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	db := &postgresDB{o: o, pool: pool}
	if err := db.ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	return db, nil
}

func (db *postgresDB) ping(ctx context.Context) error { return db.pool.Ping(ctx) }

func (db *postgresDB) close() error {
	db.pool.Close()
	return nil
}

const reruns = 10

func (db *postgresDB) update(ctx context.Context, fn func(*Tx) error) error {
	return db.rerun(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, fn)
}

func (db *postgresDB) view(ctx context.Context, fn func(*Tx) error) error {
	return db.rerun(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, fn)
}

func (db *postgresDB) rerun(ctx context.Context, o pgx.TxOptions, fn func(*Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := db.transaction(ctx, o, fn)
		var pg *pgconn.PgError
		if attempt == reruns || !errors.As(err, &pg) || pg.Code != "40001" && pg.Code != "40P01" {
			return err
		}
	}
}

func (db *postgresDB) transaction(ctx context.Context, o pgx.TxOptions, fn func(*Tx) error) error {
	t, err := db.pool.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	defer t.Rollback(context.WithoutCancel(ctx))
	tx := &Tx{Now: instant(db.o.Now()), ctx: ctx, kind: Postgres, run: &pgRunner{ctx, t}}
	commit, err := tx.finish(fn(tx))
	if !commit {
		return err
	}
	if failed := t.Commit(ctx); failed != nil {
		return failed
	}
	return err
}

type pgRunner struct {
	ctx context.Context
	tx  pgx.Tx
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

func (r *pgRunner) exec(query string, args []any) (int64, error) {
	args, err := arguments(args)
	if err != nil {
		return 0, err
	}
	tag, err := r.tx.Exec(r.ctx, query, args...)
	return tag.RowsAffected(), err
}

func (r *pgRunner) query(query string, args []any) (cursor, error) {
	args, err := arguments(args)
	if err != nil {
		return nil, err
	}
	rows, err := r.tx.Query(r.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return &pgRows{rows}, nil
}

type pgRows struct{ rows pgx.Rows }

func (r *pgRows) next() bool { return r.rows.Next() }
func (r *pgRows) err() error { return r.rows.Err() }
func (r *pgRows) close()     { r.rows.Close() }

func (r *pgRows) scan(dest []any) error {
	values, err := r.rows.Values()
	if err != nil {
		return err
	}
	if len(dest) != len(values) {
		return fmt.Errorf("store: Scan of %d columns into %d", len(values), len(dest))
	}
	for i, v := range values {
		switch x := v.(type) {
		case int32:
			v = int64(x)
		case int16:
			v = int64(x)
		case float32:
			v = float64(x)
		}
		if err := assign(dest[i], v); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	return nil
}

func (db *postgresDB) migrator() (migrator, error) {
	return migrator{db: stdlib.OpenDBFromPool(db.pool)}, nil
}

func (db *postgresDB) backup(context.Context, string) error {
	return errors.New("a PostgreSQL database is backed up with pg_dump, not by Gatehouse")
}
