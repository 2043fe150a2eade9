package store_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"

	"gatehouse/internal/store"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run runs statements in one Update.
func run(t testing.TB, db *store.DB, statements ...string) {
	t.Helper()
	must(t, db.Update(ctx, func(tx *store.Tx) error {
		for _, s := range statements {
			if _, err := tx.Exec(s); err != nil {
				return err
			}
		}
		return nil
	}))
}

// notes makes the table that most tests write to.
func notes(t testing.TB, db *store.DB) {
	t.Helper()
	run(t, db, `CREATE TABLE notes (id BIGINT PRIMARY KEY, body TEXT)`)
}

func insert(db *store.DB, id int, verdict error) error {
	return db.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(`INSERT INTO notes (id, body) VALUES ($1, $2)`, id, "x"); err != nil {
			return err
		}
		return verdict
	})
}

// ids lists the notes.
func ids(t testing.TB, db *store.DB) []int64 {
	t.Helper()
	var out []int64
	must(t, db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(`SELECT id FROM notes ORDER BY id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		out = nil
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				return err
			}
			out = append(out, id)
		}
		return rows.Err()
	}))
	return out
}

// one is the only value of a query.
func one[T any](t testing.TB, db *store.DB, query string, args ...any) T {
	t.Helper()
	var v T
	must(t, db.View(ctx, func(tx *store.Tx) error { return tx.QueryRow(query, args...).Scan(&v) }))
	return v
}

// queryOne runs a query for its error.
func queryOne(tx *store.Tx, query string, args ...any) error {
	var v any
	if err := tx.QueryRow(query, args...).Scan(&v); !errors.Is(err, store.ErrNoRows) {
		return err
	}
	return nil
}

// exit ends the goroutine, as t.FailNow does.
func exit() { runtime.Goexit() }

// size is the length of a file, 0 when there is none.
func size(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	must(t, err)
	return info.Size()
}

// cancelled is a context that is over.
func cancelled() context.Context {
	c, cancel := context.WithCancel(ctx)
	cancel()
	return c
}
