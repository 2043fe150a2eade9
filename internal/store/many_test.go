package store_test

import (
	"errors"
	"strings"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// A transaction of many rows is one: all of it is kept, or nothing, also of a
// statement with several rows that fails at the last of them.
func TestUpdateManyKeepsAllOrNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		const insert = "INSERT INTO settings (name, value) VALUES ($1, ''), ($2, '')"
		count := func() (n int) {
			t.Helper()
			must(t, db.View(ctx, func(tx *store.Tx) error {
				return tx.QueryRow("SELECT COUNT(*) FROM settings WHERE name LIKE 'many%'").Scan(&n)
			}))
			return n
		}
		must(t, db.UpdateMany(ctx, func(tx *store.Tx) error { _, err := tx.Exec(insert, "many 1", "many 2"); return err }))
		for _, update := range []func(func(*store.Tx) error) error{
			func(fn func(*store.Tx) error) error { return db.UpdateMany(ctx, fn) },
			func(fn func(*store.Tx) error) error { return db.Update(ctx, fn) },
		} {
			err := update(func(tx *store.Tx) error { _, err := tx.Exec(insert, "many 3", "many 1"); return err })
			if !store.IsUnique(err) {
				t.Errorf("a duplicate: %v", err)
			}
			verdict := errors.New("refused")
			err = update(func(tx *store.Tx) error {
				if _, err := tx.Exec(insert, "many 3", "many 4"); err != nil {
					return err
				}
				return verdict
			})
			if !errors.Is(err, verdict) {
				t.Errorf("got %v", err)
			}
			if n := count(); n != 2 {
				t.Fatalf("%d rows are left", n)
			}
		}
		// Others write between two of them.
		done := make(chan error)
		for i := range 8 {
			name := string(rune('a' + i))
			go func() {
				done <- db.UpdateMany(ctx, func(tx *store.Tx) error { _, err := tx.Exec(insert, "many "+name, "many 2"+name); return err })
			}()
			go func() {
				done <- db.Update(ctx, func(tx *store.Tx) error { _, err := tx.Exec(insert, "many 3"+name, "many 4"+name); return err })
			}()
		}
		for range 16 {
			must(t, <-done)
		}
		if n := count(); n != 34 {
			t.Errorf("%d rows", n)
		}
	})
}

// A load gathers its changes in a log that becomes longer than others do, and
// all of it is in the file once the database is closed.
func TestALoadMovesItsLogLate(t *testing.T) {
	url := storetest.URL(t, store.SQLite)
	path := strings.TrimPrefix(url, "sqlite:")
	db, err := store.Open(ctx, store.Options{URL: url, Now: storetest.NewClock().Now})
	must(t, err)
	notes(t, db)
	must(t, db.ExpectLoad(ctx))
	for i := range 20 {
		must(t, db.UpdateMany(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO notes (id, body) VALUES ($1, $2)`, i, strings.Repeat("x", 2_000_000))
			return err
		}))
	}
	if n := size(t, path); n > 1<<20 {
		t.Errorf("%d MB of 40 were moved meanwhile", n>>20)
	}
	must(t, db.Close())
	if n := size(t, path+"-wal"); n != 0 {
		t.Errorf("a log of %d bytes is left", n)
	}
	db, err = store.Open(ctx, store.Options{URL: url, Now: storetest.NewClock().Now})
	must(t, err)
	defer db.Close()
	if n := len(ids(t, db)); n != 20 {
		t.Errorf("%d rows are there", n)
	}
}
