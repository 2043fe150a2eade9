package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"gatehouse/internal/store"
)

// Engines lists the engines tests can run on here.
func Engines() []store.Engine {
	if os.Getenv(PostgresEnv) == "" {
		return []store.Engine{store.SQLite}
	}
	return []store.Engine{store.SQLite, store.Postgres}
}

// URL names a fresh database for store.Open, removed when the test ends. On
// PostgreSQL it is migrated already; see EmptyURL.
func URL(t testing.TB, engine store.Engine) string {
	t.Helper()
	if engine == store.SQLite {
		return EmptyURL(t, engine)
	}
	template.once.Do(func() { template.name, template.err = makeTemplate() })
	if template.err != nil {
		t.Fatal(template.err)
	}
	return create(t, " TEMPLATE "+template.name)
}

// EmptyURL names a fresh database without tables.
func EmptyURL(t testing.TB, engine store.Engine) string {
	t.Helper()
	if engine == store.SQLite {
		return "sqlite:" + filepath.Join(t.TempDir(), "gatehouse.db")
	}
	return create(t, "")
}

var databases atomic.Int64

// create makes a PostgreSQL database that lives as long as the test.
func create(t testing.TB, options string) string {
	t.Helper()
	name := fmt.Sprintf("gatehouse_test_%d_%d", os.Getpid(), databases.Add(1))
	// A process with the same number may have been killed before it cleaned up.
	err := admin("DROP DATABASE IF EXISTS "+name+" WITH (FORCE)", "CREATE DATABASE "+name+options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return databaseURL(name)
}

// template is a migrated database to copy, which is faster than to migrate.
// All test processes with the same migrations share it.
var template struct {
	once sync.Once
	name string
	err  error
}

func makeTemplate() (string, error) {
	ctx := context.Background()
	hash, err := migrationsHash()
	if err != nil {
		return "", err
	}
	name := "gatehouse_template_" + hash
	conn, err := pgx.Connect(ctx, os.Getenv(PostgresEnv))
	if err != nil {
		return "", fmt.Errorf("%s: %w", PostgresEnv, err)
	}
	defer conn.Close(ctx)
	// Of several test processes one builds it; the lock ends with conn.
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext('gatehouse_template'))"); err != nil {
		return "", err
	}
	var there bool
	err = conn.QueryRow(ctx, "SELECT count(*) = 1 FROM pg_database WHERE datname = $1", name).Scan(&there)
	if err != nil || there {
		return name, err
	}
	// It gets its name when it is complete.
	part := name + "_part"
	if err := admin("DROP DATABASE IF EXISTS "+part+" WITH (FORCE)", "CREATE DATABASE "+part); err != nil {
		return "", err
	}
	if err := migrate(ctx, databaseURL(part)); err != nil {
		return "", err
	}
	return name, admin("ALTER DATABASE " + part + " RENAME TO " + name)
}

func migrate(ctx context.Context, url string) error {
	db, err := store.Open(ctx, store.Options{URL: url, Now: NewClock().Now})
	if err != nil {
		return err
	}
	return errors.Join(db.Migrate(ctx), db.Close())
}

func migrationsHash() (string, error) {
	sum := sha256.New()
	files := store.Migrations()
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return "", err
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

func databaseURL(name string) string {
	u, err := url.Parse(os.Getenv(PostgresEnv))
	if err != nil {
		panic(PostgresEnv + ": " + err.Error())
	}
	u.Path = "/" + name
	return u.String()
}

// admin runs statements that cannot be in a transaction.
func admin(statements ...string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Getenv(PostgresEnv))
	if err != nil {
		return fmt.Errorf("%s: %w", PostgresEnv, err)
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}
