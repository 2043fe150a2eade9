package store_test

import (
	"context"
	"errors"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

var ctx = context.Background()

func TestUpdateCommitsKeepsOrRollsBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		verdict := errors.New("wrong code")
		must(t, db.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(`CREATE TABLE notes (id BIGINT PRIMARY KEY, body TEXT)`)
			return err
		}))
		insert := func(id int, verdict error) error {
			return db.Update(ctx, func(tx *store.Tx) error {
				if _, err := tx.Exec(`INSERT INTO notes (id, body) VALUES ($1, $2)`, id, "x"); err != nil {
					return err
				}
				return verdict
			})
		}
		must(t, insert(1, nil))
		if err := insert(2, verdict); err != verdict {
			t.Fatalf("got %v", err)
		}
		if err := insert(3, store.Keep(verdict)); err != verdict {
			t.Fatalf("got %v", err)
		}
		if err := insert(1, nil); !store.IsUnique(err) {
			t.Fatalf("got %v", err)
		}
		var ids []int64
		must(t, db.View(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(`SELECT id FROM notes ORDER BY id`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id int64
				if err := rows.Scan(&id); err != nil {
					return err
				}
				ids = append(ids, id)
			}
			return rows.Err()
		}))
		if len(ids) != 2 || ids[0] != 1 || ids[1] != 3 {
			t.Fatalf("got %v", ids)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
