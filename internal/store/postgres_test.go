package store_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// onPostgres opens a fresh database, or skips.
func onPostgres(t *testing.T) *store.DB {
	t.Helper()
	if !slices.Contains(storetest.Engines(), store.Postgres) {
		t.Skip("needs " + storetest.PostgresEnv)
	}
	db, _ := storetest.Open(t, store.Postgres)
	return db
}

const conflict = `DO $$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = '40001'; END $$`

func TestAConflictIsRunAgain(t *testing.T) {
	db := onPostgres(t)
	notes(t, db)
	for name, f := range map[string]func(context.Context, func(*store.Tx) error) error{"update": db.Update, "view": db.View} {
		attempts := 0
		must(t, f(ctx, func(tx *store.Tx) error {
			attempts++
			if name == "update" {
				if _, err := tx.Exec(`INSERT INTO notes (id) VALUES ($1)`, attempts); err != nil {
					return err
				}
			}
			if attempts < 3 {
				_, err := tx.Exec(conflict)
				// What fn makes of it does not matter.
				return errors.Join(errWrong, err)
			}
			return nil
		}))
		if attempts != 3 {
			t.Errorf("%s: %d attempts", name, attempts)
		}
	}
	if got := ids(t, db); !slices.Equal(got, []int64{3}) {
		t.Errorf("got %v", got)
	}
}

func TestAConflictHiddenByTheFunctionIsRunAgain(t *testing.T) {
	db := onPostgres(t)
	attempts := 0
	must(t, db.Update(ctx, func(tx *store.Tx) error {
		if attempts++; attempts > 1 {
			return nil
		}
		tx.Exec(conflict)
		return store.Keep(errWrong)
	}))
	if attempts != 2 {
		t.Errorf("%d attempts", attempts)
	}
}

func TestAConflictAtTheCommitIsRunAgain(t *testing.T) {
	db := onPostgres(t)
	run(t, db, `CREATE TABLE late (id BIGINT)`,
		`CREATE FUNCTION complain() RETURNS trigger AS $$ BEGIN
			IF NEW.id = 1 THEN RAISE EXCEPTION 'made up' USING ERRCODE = '40001'; END IF; RETURN NULL; END $$ LANGUAGE plpgsql`,
		`CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION complain()`)
	attempts := 0
	must(t, db.Update(ctx, func(tx *store.Tx) error {
		attempts++
		_, err := tx.Exec(`INSERT INTO late VALUES ($1)`, attempts)
		return err
	}))
	if n := one[int](t, db, `SELECT id FROM late`); n != 2 || attempts != 2 {
		t.Errorf("stored %d after %d attempts", n, attempts)
	}
}

func TestConflictsEndAtSomePoint(t *testing.T) {
	db := onPostgres(t)
	attempts := 0
	err := db.Update(ctx, func(tx *store.Tx) error {
		attempts++
		_, err := tx.Exec(conflict)
		return err
	})
	var pg *pgconn.PgError
	if attempts != store.Reruns || !errors.As(err, &pg) || pg.Code != "40001" {
		t.Errorf("%d attempts, %v", attempts, err)
	}
	gone, cancel := context.WithCancel(ctx)
	err = db.Update(gone, func(tx *store.Tx) error {
		_, err := tx.Exec(conflict)
		cancel()
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestADeadlockIsRunAgain(t *testing.T) {
	db := onPostgres(t)
	run(t, db, `CREATE TABLE pair (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)`, `INSERT INTO pair VALUES (1, 0), (2, 0)`)
	var both, callers sync.WaitGroup
	both.Add(2)
	var attempts atomic.Int64
	for _, order := range [][2]int{{1, 2}, {2, 1}} {
		callers.Go(func() {
			first := true
			if err := db.Update(ctx, func(tx *store.Tx) error {
				attempts.Add(1)
				if _, err := tx.Exec(`SET LOCAL deadlock_timeout = '10ms'`); err != nil {
					return err
				}
				for i, id := range order {
					if _, err := tx.Exec(`UPDATE pair SET n = n + 1 WHERE id = $1`, id); err != nil {
						return err
					}
					if i == 0 && first {
						first = false
						both.Done()
						both.Wait()
					}
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if n := one[int](t, db, `SELECT sum(n) FROM pair`); n != 4 || attempts.Load() != 3 {
		t.Errorf("sum %d after %d attempts", n, attempts.Load())
	}
}

// A statement prepared before a migration fails once, inside a transaction
// that then has to run again.
func TestAMigrationUnderAPreparedStatement(t *testing.T) {
	db := onPostgres(t)
	notes(t, db)
	must(t, insert(db, 1, nil))
	update := func() error {
		return db.Update(ctx, func(tx *store.Tx) error {
			var id int64
			var body any
			if _, err := tx.Exec(`INSERT INTO notes (id) VALUES (2) ON CONFLICT DO NOTHING`); err != nil {
				return err
			}
			return tx.QueryRow(`SELECT id, body FROM notes WHERE id = $1`, 1).Scan(&id, &body)
		})
	}
	must(t, update())
	run(t, db, `ALTER TABLE notes ALTER COLUMN body TYPE BYTEA USING NULL`)
	must(t, update())
	must(t, update())
}

func TestASingleSelectRunsWithoutATransaction(t *testing.T) {
	db := onPostgres(t)
	if level := one[string](t, db, `SELECT current_setting('transaction_isolation')`); level != "read committed" {
		t.Errorf("a single statement ran in %s", level)
	}
	must(t, db.View(ctx, func(tx *store.Tx) error {
		if err := queryOne(tx, `SELECT 1`); err != nil {
			return err
		}
		for name, want := range map[string]string{"transaction_isolation": "repeatable read", "transaction_read_only": "on"} {
			var is string
			if err := tx.QueryRow(`SELECT current_setting($1)`, name).Scan(&is); err != nil {
				return err
			}
			if is != want {
				t.Errorf("after the first statement %s is %s", name, is)
			}
		}
		return nil
	}))
}

// The function does not run again because its View has a second statement, only
// when the first one's answer changed in between; then it runs in a snapshot.
func TestAViewRunsAgainOnlyWhenItsFirstAnswerChanged(t *testing.T) {
	db := onPostgres(t)
	run(t, db, `CREATE TABLE pair (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)`, `INSERT INTO pair VALUES (1, 0), (2, 0)`)
	for _, c := range []struct{ first, between string }{
		{`SELECT n FROM pair WHERE id = 1`, ``},
		{`SELECT n FROM pair WHERE 1 = id`, `UPDATE pair SET n = n + 1 WHERE id = 2`},
		{`SELECT n + 1 FROM pair WHERE id = 1`, `UPDATE pair SET n = n + 1`},
	} {
		for round := range 2 {
			attempts := 0
			must(t, db.View(ctx, func(tx *store.Tx) error {
				attempts++
				var n int
				if err := tx.QueryRow(c.first).Scan(&n); err != nil {
					return err
				}
				if c.between != "" {
					run(t, db, c.between)
				}
				return tx.QueryRow(`SELECT n FROM pair WHERE id = 2`).Scan(&n)
			}))
			want := 1
			if c.between == `UPDATE pair SET n = n + 1` && round == 0 {
				want = 2
			}
			if attempts != want {
				t.Errorf("%s, then %s: %d attempts in round %d", c.first, c.between, attempts, round)
			}
		}
	}
}

func TestACancelledCallerKeepsItsConnection(t *testing.T) {
	db := onPostgres(t)
	backend := func() int { return one[int](t, db, `SELECT pg_backend_pid()`) }
	before := backend()
	gone, cancel := context.WithCancel(ctx)
	err := db.Update(gone, func(tx *store.Tx) error {
		if err := queryOne(tx, `SELECT 1`); err != nil {
			return err
		}
		cancel()
		return queryOne(tx, `SELECT 2`)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if after := backend(); after != before {
		t.Error("the connection was thrown away")
	}
}

func TestALostConnectionIsReplaced(t *testing.T) {
	db := onPostgres(t)
	notes(t, db)
	conn, err := pgx.Connect(ctx, os.Getenv(storetest.PostgresEnv))
	must(t, err)
	defer conn.Close(ctx)
	name := one[string](t, db, `SELECT current_database()`)
	_, err = conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, name)
	must(t, err)
	// What it finds out about the connection, it finds out before the commit.
	must(t, insert(db, 1, nil))
	if got := ids(t, db); !slices.Equal(got, []int64{1}) {
		t.Errorf("got %v", got)
	}
}

func TestAConnectionLostInATransaction(t *testing.T) {
	db := onPostgres(t)
	notes(t, db)
	err := db.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(`INSERT INTO notes (id) VALUES (1)`); err != nil {
			return err
		}
		_, err := tx.Exec(`SELECT pg_terminate_backend(pg_backend_pid())`)
		return err
	})
	if err == nil {
		t.Error("no error")
	}
	must(t, insert(db, 2, nil))
	if got := ids(t, db); !slices.Equal(got, []int64{2}) {
		t.Errorf("got %v", got)
	}
}

func TestPostgresIsBackedUpByItsOwnTools(t *testing.T) {
	db := onPostgres(t)
	if err := db.Backup(ctx, "x"); err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("got %v", err)
	}
}

func TestPostgresThatDoesNotAnswer(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://nobody:secret@127.0.0.1:1/x?connect_timeout=2": "connecting to PostgreSQL",
		"postgres://nobody:secret@[::1/x":                          "the database URL",
		"mysql://x":                                                "must start with",
		"/var/lib/x.db":                                            "must start with",
	} {
		_, err := store.Open(ctx, store.Options{URL: url, Now: storetest.NewClock().Now})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
