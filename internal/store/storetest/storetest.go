// Package storetest gives tests a fresh, migrated database on every engine and
// a clock that stands still. It never serves anything but tests.
package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/store"
)

// PostgresEnv names the environment variable that holds the URL of a
// PostgreSQL superuser. Without it the tests run on SQLite only.
const PostgresEnv = "GATEHOUSE_TEST_POSTGRES"

// Clock is a clock that moves when told.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock at 2026-01-02T03:04:05Z.
func NewClock() *Clock {
	return &Clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// Now is the time the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Set moves the clock to t.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// Each runs test as a subtest on every engine there is, each time on a fresh,
// migrated database.
func Each(t *testing.T, test func(t *testing.T, db *store.DB, clock *Clock)) {
	t.Helper()
	for _, engine := range Engines() {
		t.Run(string(engine), func(t *testing.T) {
			db, clock := Open(t, engine)
			test(t, db, clock)
		})
	}
}

// Open gives one fresh, migrated database, closed and removed when the test
// ends.
func Open(t testing.TB, engine store.Engine) (*store.DB, *Clock) {
	t.Helper()
	clock := NewClock()
	db, err := store.Open(context.Background(), store.Options{URL: URL(t, engine), Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return db, clock
}
