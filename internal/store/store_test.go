package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

var (
	ctx      = context.Background()
	errWrong = errors.New("wrong code")
)

func TestUpdateCommitsKeepsOrRollsBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		notes(t, db)
		must(t, insert(db, 1, nil))
		if err := insert(db, 2, errWrong); err != errWrong {
			t.Fatalf("got %v", err)
		}
		if err := insert(db, 3, store.Keep(errWrong)); err != errWrong {
			t.Fatalf("got %v", err)
		}
		wrapped := insert(db, 4, fmt.Errorf("checking: %w", store.Keep(errWrong)))
		if !errors.Is(wrapped, errWrong) {
			t.Fatalf("got %v", wrapped)
		}
		if store.Keep(nil) != nil {
			t.Fatal("Keep(nil) is an error")
		}
		if got := ids(t, db); !slices.Equal(got, []int64{1, 3, 4}) {
			t.Fatalf("got %v", got)
		}
	})
}

func TestAFailedStatementEndsItsTransaction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		notes(t, db)
		must(t, insert(db, 1, nil))
		for name, verdict := range map[string]error{"nil": nil, "kept": store.Keep(errWrong), "own": errWrong} {
			err := db.Update(ctx, func(tx *store.Tx) error {
				if _, err := tx.Exec(`INSERT INTO notes (id) VALUES (7)`); err != nil {
					return err
				}
				_, first := tx.Exec(`INSERT INTO notes (id) VALUES ($1)`, 1)
				if !store.IsUnique(first) {
					t.Errorf("not a unique violation: %v", first)
				}
				if _, err := tx.Exec(`INSERT INTO notes (id) VALUES (8)`); err == nil {
					t.Error("a statement ran in a failed transaction")
				}
				return verdict
			})
			if verdict == nil && !store.IsUnique(err) || verdict != nil && !errors.Is(err, errWrong) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if got := ids(t, db); !slices.Equal(got, []int64{1}) {
			t.Fatalf("got %v", got)
		}
	})
}

func TestUniqueViolations(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		run(t, db, `CREATE TABLE a (x BIGINT PRIMARY KEY, y TEXT NOT NULL, z BIGINT REFERENCES a (x))`,
			`CREATE UNIQUE INDEX a_y ON a (y) WHERE x < 10`,
			`INSERT INTO a (x, y) VALUES (1, 'one'), (10, 'ten')`)
		for text, unique := range map[string]bool{
			`INSERT INTO a (x, y) VALUES (1, 'uno')`:         true,
			`INSERT INTO a (x, y) VALUES (2, 'one')`:         true,
			`UPDATE a SET x = 1 WHERE x = 10`:                true,
			`INSERT INTO a (x, y) VALUES (3, NULL)`:          false,
			`INSERT INTO a (x, y, z) VALUES (3, 'three', 9)`: false,
			`INSERT INTO a (x, y) VALUES (11, 'ten')`:        false,
			`INSERT INTO absent VALUES (1)`:                  false,
		} {
			err := db.Update(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(text)
				return err
			})
			if store.IsUnique(err) != unique {
				t.Errorf("%s: got %v", text, err)
			}
		}
	})
}

func TestRowsAffected(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		notes(t, db)
		for i, c := range []struct {
			text string
			want int64
		}{
			{`INSERT INTO notes (id, body) VALUES (1, 'a'), (2, 'a'), (3, 'b')`, 3},
			{`CREATE TABLE other (id BIGINT)`, 0},
			{`UPDATE notes SET body = 'c' WHERE body = 'a'`, 2},
			{`SELECT id FROM notes`, 0},
			{`UPDATE notes SET body = 'c' WHERE id = 99`, 0},
			{`INSERT INTO notes (id) VALUES (1) ON CONFLICT DO NOTHING`, 0},
			{`INSERT INTO notes (id, body) VALUES (1, 'z') ON CONFLICT (id) DO UPDATE SET body = excluded.body RETURNING id`, 1},
			{`WITH old AS (SELECT id FROM notes WHERE id < 3) DELETE FROM notes WHERE id IN (SELECT id FROM old)`, 2},
		} {
			must(t, db.Update(ctx, func(tx *store.Tx) error {
				n, err := tx.Exec(c.text)
				if err == nil && n != c.want {
					t.Errorf("%d: %s: %d rows, not %d", i, c.text, n, c.want)
				}
				return err
			}))
		}
	})
}

func TestCounterIsExact(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		run(t, db, `CREATE TABLE counters (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)`, `INSERT INTO counters VALUES (1, 0)`)
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				if err := db.Update(ctx, func(tx *store.Tx) error {
					var n int
					if err := tx.QueryRow(`SELECT n FROM counters WHERE id = $1`+tx.ForUpdate(), 1).Scan(&n); err != nil {
						return err
					}
					_, err := tx.Exec(`UPDATE counters SET n = $2 WHERE id = $1`, 1, n+1)
					return err
				}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := one[int](t, db, `SELECT n FROM counters`); n != 200 {
			t.Fatalf("counted %d", n)
		}
	})
}

func TestViewSeesOneSnapshot(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		run(t, db, `CREATE TABLE pair (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)`, `INSERT INTO pair VALUES (1, 0), (2, 0)`)
		for name, first := range map[string]string{
			"row":        `SELECT n FROM pair WHERE id = 1`,
			"no row":     `SELECT n FROM pair WHERE id = 3`,
			"aggregate":  `SELECT count(*) FROM pair WHERE n = 0`,
			"other form": `WITH x AS (SELECT n FROM pair WHERE id = 1) SELECT n FROM x`,
		} {
			for round := range 3 {
				run(t, db, `UPDATE pair SET n = 0 WHERE id < 3`, `DELETE FROM pair WHERE id > 2`)
				err := db.View(ctx, func(tx *store.Tx) error {
					before := -1
					if err := tx.QueryRow(first).Scan(&before); err != nil && err != store.ErrNoRows {
						return err
					}
					// Between two statements of the View.
					run(t, db, `UPDATE pair SET n = n + 1 WHERE id < 3`,
						`INSERT INTO pair VALUES (3, 7) ON CONFLICT DO NOTHING`)
					var a, b int
					if err := tx.QueryRow(`SELECT n FROM pair WHERE id = 2`).Scan(&b); err != nil {
						return err
					}
					after := -1
					if err := tx.QueryRow(first).Scan(&after); err != nil && err != store.ErrNoRows {
						return err
					}
					if err := tx.QueryRow(`SELECT n FROM pair WHERE id = 1`).Scan(&a); err != nil {
						return err
					}
					if before != after || a != b {
						t.Errorf("%s, round %d: read %d then %d, and %d beside %d", name, round, before, after, a, b)
					}
					return nil
				})
				must(t, err)
			}
		}
	})
}

func TestViewCannotWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		notes(t, db)
		for _, text := range []string{
			`INSERT INTO notes (id) VALUES (1)`,
			`CREATE TABLE more (id BIGINT)`,
		} {
			if err := db.View(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(text)
				return err
			}); err == nil {
				t.Errorf("a View ran %s", text)
			}
		}
		if got := ids(t, db); len(got) != 0 {
			t.Fatalf("got %v", got)
		}
	})
}

func TestMisuseIsAnErrorOnBothEngines(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		notes(t, db)
		must(t, insert(db, 1, nil))
		must(t, insert(db, 2, nil))
		var late *store.Tx
		for name, fn := range map[string]func(tx *store.Tx) error{
			"a statement while rows are open": func(tx *store.Tx) error {
				if _, err := tx.Query(`SELECT id FROM notes ORDER BY id`); err != nil {
					return err
				}
				_, err := tx.Exec(`UPDATE notes SET body = 'x'`)
				return err
			},
			"a transaction inside": func(tx *store.Tx) error {
				return db.Update(tx.Context(), func(*store.Tx) error { return nil })
			},
			"a view inside": func(tx *store.Tx) error {
				return db.View(tx.Context(), func(*store.Tx) error { return nil })
			},
			"a time":          func(tx *store.Tx) error { return queryOne(tx, `SELECT $1`, clock.Now()) },
			"a map":           func(tx *store.Tx) error { return queryOne(tx, `SELECT $1`, map[string]any{}) },
			"text with a NUL": func(tx *store.Tx) error { return queryOne(tx, `SELECT id FROM notes WHERE body = $1`, "a\x00b") },
			"broken UTF-8":    func(tx *store.Tx) error { return queryOne(tx, `SELECT id FROM notes WHERE body = $1`, "a\xff") },
			"too few args":    func(tx *store.Tx) error { return queryOne(tx, `SELECT id FROM notes WHERE id = $1`) },
			"too many args":   func(tx *store.Tx) error { return queryOne(tx, `SELECT id FROM notes WHERE id = $1`, 1, 2) },
			"two statements":  func(tx *store.Tx) error { return queryOne(tx, `SELECT id FROM notes; SELECT id FROM notes`) },
			"an identifier for a text": func(tx *store.Tx) error {
				return queryOne(tx, `SELECT id FROM notes WHERE body = "nothing"`)
			},
			"too few columns": func(tx *store.Tx) error {
				var a, b int
				return tx.QueryRow(`SELECT id FROM notes`).Scan(&a, &b)
			},
			"after the end": func(tx *store.Tx) error { return queryOne(late, `SELECT 1`) },
		} {
			must(t, db.Update(ctx, func(tx *store.Tx) error { late = tx; return nil }))
			if err := db.Update(ctx, fn); err == nil {
				t.Errorf("%s is no error", name)
			}
		}
		if err := db.Update(ctx, func(tx *store.Tx) error {
			return queryOne(tx, `SELECT id FROM notes WHERE body = $1`, "\x00")
		}); !errors.Is(err, store.ErrText) {
			t.Errorf("got %v", err)
		}
		must(t, insert(db, 3, nil))
	})
}

func TestACancelledCallerRollsBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		notes(t, db)
		gone, cancel := context.WithCancel(ctx)
		err := db.Update(gone, func(tx *store.Tx) error {
			if _, err := tx.Exec(`INSERT INTO notes (id) VALUES (1)`); err != nil {
				return err
			}
			cancel()
			_, err := tx.Exec(`INSERT INTO notes (id) VALUES (2)`)
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		ran := false
		for _, f := range []func(context.Context, func(*store.Tx) error) error{db.Update, db.View} {
			if err := f(gone, func(*store.Tx) error { ran = true; return nil }); !errors.Is(err, context.Canceled) || ran {
				t.Fatalf("ran %v, got %v", ran, err)
			}
		}
		must(t, insert(db, 3, nil))
		if got := ids(t, db); !slices.Equal(got, []int64{3}) {
			t.Fatalf("got %v", got)
		}
	})
}

// TestAReaderNobodyWaitsForEnds: SQLite shares this process, so a statement that
// runs long is interrupted when its caller goes, and its connection serves the
// next one. (On PostgreSQL statements have a limit of their own.)
func TestAReaderNobodyWaitsForEnds(t *testing.T) {
	db, _ := storetest.Open(t, store.SQLite)
	for range 20 {
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		err := db.View(short, func(tx *store.Tx) error {
			var n int64
			return tx.QueryRow("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000000) SELECT count(*) FROM c").Scan(&n)
		})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("the statement ended with %v", err)
		}
	}
	var one int64
	if err := db.View(ctx, func(tx *store.Tx) error { return tx.QueryRow("SELECT 1").Scan(&one) }); err != nil || one != 1 {
		t.Errorf("the next caller got %d, %v", one, err)
	}
}

func TestPanicsAndExitsReachTheCallerAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		notes(t, db)
		for i, f := range []func(context.Context, func(*store.Tx) error) error{db.Update, db.View} {
			func() {
				defer func() {
					if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "boom") {
						t.Errorf("recovered %v", v)
					}
				}()
				f(ctx, func(tx *store.Tx) error { panic("boom") })
			}()
			ended := make(chan bool)
			go func() {
				returned := false
				defer func() { ended <- returned }()
				f(ctx, func(tx *store.Tx) error {
					if _, err := tx.Query(`SELECT id FROM notes`); err != nil {
						return err
					}
					exit()
					return nil
				})
				returned = true
			}()
			if <-ended {
				t.Error("runtime.Goexit did not end the caller")
			}
			must(t, insert(db, i, nil))
		}
	})
}

func TestTxCarriesTheInstant(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		clock.Set(time.Date(2026, 3, 4, 5, 6, 7, 123_999_999, time.FixedZone("", 3600)))
		want := time.Date(2026, 3, 4, 4, 6, 7, 123_000_000, time.UTC)
		see := func(tx *store.Tx) error {
			if !tx.Now.Equal(want) || tx.Now.Location() != time.UTC {
				t.Errorf("tx.Now is %v", tx.Now)
			}
			if !store.Time(store.Millis(tx.Now)).Equal(tx.Now) {
				t.Error("a stored time changed")
			}
			return nil
		}
		must(t, db.Update(ctx, see))
		must(t, db.View(ctx, see))
		if !db.Now().Equal(want) {
			t.Errorf("db.Now is %v", db.Now())
		}
	})
}

func TestOperationsAreObserved(t *testing.T) {
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			var seen [3]atomic.Int64
			names := []string{"view", "update", "commit"}
			db, err := store.Open(ctx, store.Options{
				URL: storetest.URL(t, engine), Now: storetest.NewClock().Now,
				Observe: func(op string, d time.Duration) { seen[slices.Index(names, op)].Add(1) },
			})
			must(t, err)
			defer db.Close()
			notes(t, db)
			must(t, insert(db, 1, nil))
			ids(t, db)
			if seen[0].Load() != 1 || seen[1].Load() != 2 || seen[2].Load() != 2 {
				t.Errorf("views %d, updates %d, commits %d", seen[0].Load(), seen[1].Load(), seen[2].Load())
			}
		})
	}
}

func TestAClosedDatabaseSaysSo(t *testing.T) {
	db, _ := storetest.Open(t, store.SQLite)
	must(t, db.Close())
	must(t, db.Close())
	nothing := func(*store.Tx) error { return nil }
	if err := errors.Join(db.Update(ctx, nothing)); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Update: %v", err)
	}
	if err := db.View(ctx, nothing); !errors.Is(err, store.ErrClosed) {
		t.Errorf("View: %v", err)
	}
}
