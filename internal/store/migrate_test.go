package store_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// The third migration would do harm if it ran twice.
var files = fstest.MapFS{
	"0001_things.sql": {Data: []byte("-- +goose Up\nCREATE TABLE things (id TEXT_C PRIMARY KEY, n BIGINT NOT NULL);\nCREATE INDEX things_n ON things (n);")},
	"0002_first.sql":  {Data: []byte("-- +goose Up\nINSERT INTO things (id, n) VALUES ('a', 1);")},
	"0003_more.sql":   {Data: []byte("-- +goose Up\nUPDATE things SET n = n + 1;\nALTER TABLE things ADD COLUMN note TEXT;")},
	"README.md":       {Data: []byte("not a migration")},
}

func only(names ...string) fs.FS {
	out := fstest.MapFS{}
	for _, name := range names {
		out[name] = files[name]
	}
	return out
}

func openWith(t *testing.T, url string, files fs.FS) *store.DB {
	t.Helper()
	db, err := store.OpenWith(ctx, store.Options{URL: url, Now: storetest.NewClock().Now}, files)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func eachEmpty(t *testing.T, test func(t *testing.T, url string)) {
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) { test(t, storetest.EmptyURL(t, engine)) })
	}
}

func version(t *testing.T, db *store.DB, wantCurrent, wantLatest int64) {
	t.Helper()
	current, latest, err := db.Version(ctx)
	if err != nil || current != wantCurrent || latest != wantLatest {
		t.Errorf("version %d of %d, %v", current, latest, err)
	}
}

func TestMigrateGoesForward(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		db := openWith(t, url, only("0001_things.sql"))
		version(t, db, 0, 1)
		must(t, db.Migrate(ctx))
		must(t, db.Migrate(ctx))
		version(t, db, 1, 1)
		db = openWith(t, url, files)
		version(t, db, 1, 3)
		must(t, db.Migrate(ctx))
		version(t, db, 3, 3)
		if n := one[int](t, db, `SELECT n FROM things`); n != 2 {
			t.Errorf("n is %d", n)
		}
	})
}

func TestMigrateAppliesWhatWasNumberedInBetween(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		must(t, openWith(t, url, only("0001_things.sql", "0003_more.sql")).Migrate(ctx))
		db := openWith(t, url, files)
		must(t, db.Migrate(ctx))
		if n := one[int](t, db, `SELECT n FROM things`); n != 1 {
			t.Errorf("n is %d", n)
		}
	})
}

func TestMigrateRefusesANewerDatabase(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		must(t, openWith(t, url, files).Migrate(ctx))
		db := openWith(t, url, only("0001_things.sql", "0002_first.sql"))
		err := db.Migrate(ctx)
		if !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), "newer program") {
			t.Errorf("got %v", err)
		}
		version(t, db, 3, 2)
	})
}

func TestAFailedMigrationLeavesNothing(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		broken := fstest.MapFS{
			"0001_things.sql": files["0001_things.sql"],
			"0002_broken.sql": {Data: []byte("-- +goose Up\nINSERT INTO things VALUES ('x', 1);\nINSERT INTO things VALUES ('x', 2);")},
		}
		db := openWith(t, url, broken)
		if err := db.Migrate(ctx); err == nil || !strings.Contains(err.Error(), "0002_broken") {
			t.Errorf("got %v", err)
		}
		version(t, db, 1, 2)
		db = openWith(t, url, files)
		must(t, db.Migrate(ctx))
		if n := one[int](t, db, `SELECT count(*) FROM things`); n != 1 {
			t.Errorf("%d things", n)
		}
	})
}

func TestBadMigrationFiles(t *testing.T) {
	for name, fsys := range map[string]fs.FS{
		"no number":      fstest.MapFS{"things.sql": files["0001_things.sql"]},
		"same number":    fstest.MapFS{"0001_a.sql": files["0001_things.sql"], "0001_b.sql": files["0002_first.sql"]},
		"no transaction": fstest.MapFS{"0001_a.sql": {Data: []byte("-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE x (id BIGINT);")}},
	} {
		db := openWith(t, storetest.EmptyURL(t, store.SQLite), fsys)
		if err := db.Migrate(ctx); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestNothingToMigrate(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		db := openWith(t, url, fstest.MapFS{})
		must(t, db.Migrate(ctx))
		version(t, db, 0, 0)
	})
}

func TestSeveralMigrateAtOnce(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		var all sync.WaitGroup
		for range 6 {
			db := openWith(t, url, files)
			all.Go(func() {
				if err := db.Migrate(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		db := openWith(t, url, files)
		version(t, db, 3, 3)
		if n := one[int](t, db, `SELECT n FROM things`); n != 2 {
			t.Errorf("a migration ran twice: n is %d", n)
		}
	})
}

func TestTextCComparesByBytes(t *testing.T) {
	eachEmpty(t, func(t *testing.T, url string) {
		db := openWith(t, url, files)
		must(t, db.Migrate(ctx))
		run(t, db, `DELETE FROM things`)
		for _, id := range []string{"b", "a_", "aB", "ab", "Z", "ä", "a", "a-"} {
			must(t, db.Update(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(`INSERT INTO things (id, n) VALUES ($1, 0)`, id)
				return err
			}))
		}
		var got []string
		must(t, db.View(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(`SELECT id FROM things WHERE id >= $1 AND id < $2 ORDER BY id`, "a", "b")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id string
				if err := rows.Scan(&id); err != nil {
					return err
				}
				got = append(got, id)
			}
			return rows.Err()
		}))
		if want := []string{"a", "a-", "aB", "a_", "ab"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestSchemaIsTheSameForTheSameTables(t *testing.T) {
	var texts []string
	eachEmpty(t, func(t *testing.T, url string) {
		db := openWith(t, url, files)
		must(t, db.Migrate(ctx))
		run(t, db, `CREATE TABLE alpha (
			-- the environment
			environment_id TEXT NOT NULL,   id TEXT NOT NULL DEFAULT 'a, (b)',
			parent TEXT REFERENCES things (id), seen BOOLEAN NOT NULL,
			PRIMARY KEY (environment_id, id)
		)`, `CREATE UNIQUE INDEX alpha_parent ON alpha (parent) WHERE seen`)
		text, err := db.Schema(ctx)
		must(t, err)
		again, err := db.Schema(ctx)
		must(t, err)
		if text != again {
			t.Error("two readings differ")
		}
		for _, want := range []string{"CREATE TABLE alpha", "environment_id", "'a, (b)'", "alpha_parent", "WHERE", "CREATE TABLE things", "things_n"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s is missing in\n%s", want, text)
			}
		}
		for _, no := range []string{"goose", "sqlite_", "public.", "the environment", "\t"} {
			if strings.Contains(text, no) {
				t.Errorf("%q is in\n%s", no, text)
			}
		}
		if strings.Index(text, "CREATE TABLE alpha") > strings.Index(text, "CREATE TABLE things") {
			t.Errorf("not sorted:\n%s", text)
		}
		texts = append(texts, text)
	})
	t.Log(strings.Join(texts, "\n"))
}

func TestBackupWhileWriting(t *testing.T) {
	db, _ := storetest.Open(t, store.SQLite)
	run(t, db, `CREATE TABLE pair (id BIGINT PRIMARY KEY, a BIGINT NOT NULL, b BIGINT NOT NULL)`)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	var begun sync.WaitGroup
	for w := range 4 {
		begun.Add(1)
		writers.Go(func() {
			for i := 0; ; i++ {
				if err := db.Update(ctx, func(tx *store.Tx) error {
					if _, err := tx.Exec(`INSERT INTO pair VALUES ($1, $2, 0)`, i*4+w, i); err != nil {
						return err
					}
					_, err := tx.Exec(`UPDATE pair SET b = $2 WHERE id = $1`, i*4+w, i)
					return err
				}); err != nil {
					t.Error(err)
				}
				if i == 50 {
					begun.Done()
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	begun.Wait()
	dir := t.TempDir()
	path := filepath.Join(dir, "copy.db")
	must(t, db.Backup(ctx, path))
	before := size(t, path)
	if err := db.Backup(ctx, path); err == nil || !strings.Contains(err.Error(), "exists already") || size(t, path) != before {
		t.Errorf("a second backup to the same place: %v", err)
	}
	close(stop)
	writers.Wait()
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("the folder holds %v", left)
	}
	copied, err := openFile(path)
	must(t, err)
	defer copied.Close()
	must(t, copied.Migrate(ctx))
	rows, torn := 0, 0
	must(t, copied.View(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(`SELECT count(*), count(CASE WHEN a <> b THEN 1 END) FROM pair`).Scan(&rows, &torn)
	}))
	if rows < 4*51 || torn != 0 {
		t.Errorf("%d rows, %d torn", rows, torn)
	}
	if check := one[string](t, copied, `PRAGMA integrity_check`); check != "ok" {
		t.Error(check)
	}
}

func TestABackupThatFailsLeavesNothing(t *testing.T) {
	db, _ := storetest.Open(t, store.SQLite)
	dir := t.TempDir()
	if err := db.Backup(ctx, filepath.Join(dir, "no/such/folder")); err == nil {
		t.Error("no error")
	}
	if err := db.Backup(cancelled(), filepath.Join(dir, "copy.db")); err == nil {
		t.Error("a cancelled backup succeeded")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Errorf("the folder holds %v", left)
	}
}
