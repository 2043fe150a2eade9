package app

import (
	"context"
	"strconv"
	"time"

	"gatehouse/internal/store"
)

// DatabaseFacts is what a database says about itself.
type DatabaseFacts struct {
	Engine   string        // "SQLite 3.50.4", "PostgreSQL 17.2 (...)"
	Settings []FactSetting // those that decide whether a commit is durable
	Clock    time.Time     // of the database's machine; zero on SQLite, which has none
}

// FactSetting is a setting of the database.
type FactSetting struct{ Name, Value, Want string }

// Facts asks the database about itself.
func Facts(ctx context.Context, db *store.DB) (f DatabaseFacts, err error) {
	err = db.Update(ctx, func(tx *store.Tx) error { // the connection that writes is the one to ask
		if db.Engine() == store.SQLite {
			f, err = sqliteFacts(tx)
		} else {
			f, err = postgresFacts(tx)
		}
		return err
	})
	return f, err
}

func sqliteFacts(tx *store.Tx) (f DatabaseFacts, err error) {
	if err := tx.QueryRow(`SELECT 'SQLite ' || sqlite_version()`).Scan(&f.Engine); err != nil {
		return f, err
	}
	journal := FactSetting{Name: "journal_mode", Want: "wal"}
	if err := tx.QueryRow(`PRAGMA journal_mode`).Scan(&journal.Value); err != nil {
		return f, err
	}
	var level int64
	if err := tx.QueryRow(`PRAGMA synchronous`).Scan(&level); err != nil {
		return f, err
	}
	f.Settings = []FactSetting{journal, {"synchronous", strconv.FormatInt(level, 10), "2"}}
	return f, nil
}

func postgresFacts(tx *store.Tx) (f DatabaseFacts, err error) {
	var ms int64
	err = tx.QueryRow(`SELECT 'PostgreSQL ' || current_setting('server_version'), (extract(epoch FROM clock_timestamp()) * 1000)::bigint`).Scan(&f.Engine, &ms)
	if err != nil {
		return f, err
	}
	f.Clock = store.Time(ms)
	for _, s := range []FactSetting{{"fsync", "", "on"}, {"full_page_writes", "", "on"}, {"synchronous_commit", "", "on"}} {
		if err := tx.QueryRow(`SELECT current_setting($1)`, s.Name).Scan(&s.Value); err != nil {
			return f, err
		}
		f.Settings = append(f.Settings, s)
	}
	return f, nil
}

// CheckIntegrity reads a whole SQLite database and returns what is broken in
// it, "" for nothing. PostgreSQL has tools of its own for that (amcheck).
func CheckIntegrity(ctx context.Context, db *store.DB) (broken string, err error) {
	if db.Engine() != store.SQLite {
		return "", nil
	}
	err = db.View(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(`PRAGMA quick_check(1)`).Scan(&broken)
	})
	if broken == "ok" {
		broken = ""
	}
	return broken, err
}

// TryWrite makes a durable write that changes nothing of importance.
func TryWrite(ctx context.Context, db *store.DB) error {
	return db.Update(ctx, func(tx *store.Tx) error {
		return writeSetting(tx, "last_try_at", strconv.FormatInt(store.Millis(tx.Now), 10))
	})
}
