package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
// PostgreSQL it is migrated already.
func URL(t testing.TB, engine store.Engine) string {
	t.Helper()
	if engine == store.SQLite {
		return "sqlite:" + filepath.Join(t.TempDir(), "gatehouse.db")
	}
	template.once.Do(makeTemplate)
	if template.err != nil {
		t.Fatal(template.err)
	}
	name := fmt.Sprintf("%s_%d", template.name, template.next.Add(1))
	if err := admin("CREATE DATABASE " + name + " TEMPLATE " + template.name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return databaseURL(name)
}

// template is the migrated PostgreSQL database that tests copy: one per test
// process, since copying needs it to have no connection.
var template struct {
	once sync.Once
	name string
	err  error
	next atomic.Int64
}

func makeTemplate() {
	ctx := context.Background()
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", os.Getpid(), time.Now().UnixNano()))
	template.name = "gatehouse_test_" + hex.EncodeToString(sum[:6])
	if template.err = admin("CREATE DATABASE " + template.name); template.err != nil {
		return
	}
	db, err := store.Open(ctx, store.Options{URL: databaseURL(template.name), Now: NewClock().Now})
	if err != nil {
		template.err = err
		return
	}
	defer db.Close()
	template.err = db.Migrate(ctx)
}

func databaseURL(name string) string {
	u, err := url.Parse(os.Getenv(PostgresEnv))
	if err != nil {
		panic(PostgresEnv + ": " + err.Error())
	}
	u.Path = "/" + name
	return u.String()
}

func admin(statement string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Getenv(PostgresEnv))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}
