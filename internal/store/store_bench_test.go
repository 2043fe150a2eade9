package store_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func eachEngine(b *testing.B, bench func(b *testing.B, engine store.Engine)) {
	for _, engine := range storetest.Engines() {
		b.Run(string(engine), func(b *testing.B) { bench(b, engine) })
	}
}

const (
	people = 100_000
	busy   = 1_000
)

// people signed in: a session found by the hash of its token, and the document
// of its user, together about 2 KB.
func signedIn(b *testing.B, db *store.DB) (hashes [][]byte) {
	run(b, db,
		`CREATE TABLE bench_users (environment_id TEXT NOT NULL, id TEXT NOT NULL, document TEXT NOT NULL,
			version BIGINT NOT NULL, status TEXT NOT NULL, changes_at BIGINT, PRIMARY KEY (environment_id, id))`,
		`CREATE TABLE bench_sessions (environment_id TEXT NOT NULL, id TEXT NOT NULL, token_hash BYTEA NOT NULL UNIQUE,
			sealed BYTEA NOT NULL, user_id TEXT NOT NULL, started_at BIGINT NOT NULL, expires_at BIGINT NOT NULL,
			factors TEXT NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (environment_id, id))`)
	document, factors := strings.Repeat("d", 1500), strings.Repeat("f", 400)
	for first := 0; first < people; first += 1000 {
		must(b, db.Update(ctx, func(tx *store.Tx) error {
			for i := first; i < first+1000; i++ {
				id := fmt.Sprintf("user-test-%032d", i)
				if _, err := tx.Exec(`INSERT INTO bench_users VALUES ($1, $2, $3, $4, $5, $6)`,
					"project-test", id, document, 1, "active", nil); err != nil {
					return err
				}
				hash := sha256.Sum256([]byte(id))
				if _, err := tx.Exec(`INSERT INTO bench_sessions VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
					"project-test", "session-"+id, hash[:], hash[:], id, 1, 2, factors, 1); err != nil {
					return err
				}
				if i%(people/busy) == 0 {
					hashes = append(hashes, hash[:])
				}
			}
			return nil
		}))
	}
	return hashes
}

// The look-up of POST /v1/sessions/authenticate, 1,000 busy sessions among
// 100,000.
func BenchmarkView(b *testing.B) {
	eachEngine(b, func(b *testing.B, engine store.Engine) {
		db, _ := storetest.Open(b, engine)
		hashes := signedIn(b, db)
		var next atomic.Int64
		look := func() error {
			hash := hashes[next.Add(1)%busy]
			return db.View(ctx, func(tx *store.Tx) error {
				var id, userID, factors, status string
				var sealed, document []byte
				var started, expires, version, userVersion int64
				var changesAt *int64
				return tx.QueryRow(`SELECT s.id, s.user_id, s.sealed, s.started_at, s.expires_at, s.factors, s.version,
						u.document, u.version, u.status, u.changes_at
					FROM bench_sessions s JOIN bench_users u ON u.environment_id = s.environment_id AND u.id = s.user_id
					WHERE s.token_hash = $1`, hash).
					Scan(&id, &userID, &sealed, &started, &expires, &factors, &version, &document, &userVersion, &status, &changesAt)
			})
		}
		for range 2 * busy {
			must(b, look())
		}
		b.ReportAllocs()
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := look(); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// Durable single-row writes by so many callers at once.
func BenchmarkUpdate(b *testing.B) {
	eachEngine(b, func(b *testing.B, engine store.Engine) {
		for _, callers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { writes(b, engine, callers) })
		}
	})
}

func writes(b *testing.B, engine store.Engine, callers int) {
	var commits atomic.Int64
	db, err := store.Open(ctx, store.Options{
		URL: storetest.URL(b, engine), Now: storetest.NewClock().Now,
		Observe: func(op string, _ time.Duration) {
			if op == "commit" {
				commits.Add(1)
			}
		},
	})
	must(b, err)
	defer db.Close()
	run(b, db, `CREATE TABLE bench (environment_id TEXT NOT NULL, id BIGINT NOT NULL, body TEXT, PRIMARY KEY (environment_id, id))`)
	body := strings.Repeat("b", 200)
	commits.Store(0)
	var n atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	for range callers {
		all.Go(func() {
			for {
				id := n.Add(1)
				if id > int64(b.N) {
					return
				}
				if err := db.Update(ctx, func(tx *store.Tx) error {
					_, err := tx.Exec(`INSERT INTO bench VALUES ($1, $2, $3)`, "project-test", id, body)
					return err
				}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
	b.ReportMetric(float64(b.N)/float64(commits.Load()), "writes/commit")
}

// What a start pays before it can answer: the database exists and is migrated.
func BenchmarkOpen(b *testing.B) {
	eachEngine(b, func(b *testing.B, engine store.Engine) {
		url := storetest.URL(b, engine)
		open := func() {
			db, err := store.Open(ctx, store.Options{URL: url, Now: storetest.NewClock().Now})
			must(b, err)
			must(b, db.Migrate(ctx))
			must(b, db.Close())
		}
		open()
		b.ResetTimer()
		for b.Loop() {
			open()
		}
	})
}
