package user

import (
	"fmt"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// BenchmarkSearch measures what must not grow with the number of users: compare
// the same search among 10,000 and 100,000 of them.
func BenchmarkSearch(b *testing.B) {
	for _, engine := range storetest.Engines() {
		for _, n := range []int{10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", engine, n), func(b *testing.B) {
				db, clock := storetest.Open(b, engine)
				f := newFixture(b, db, clock)
				f.fill(b, n)
				if engine == store.Postgres {
					f.analyze(b)
				}
				f.benchmark(b, n)
			})
		}
	}
}

// fill creates n users, of whom 40 share the beginning of their address and 40
// that of their name, wherever n ends.
func (f *fixture) fill(b testing.TB, n int) {
	b.Helper()
	const batch = 500
	for start := 0; start < n; start += batch {
		err := f.db.Update(b.Context(), func(tx *store.Tx) error {
			for i := start; i < start+batch; i++ {
				draft := NewUser{Email: fmt.Sprintf("user%d@example%d.com", i, i%1000)}
				first, last := fmt.Sprintf("First%d", i%5000), fmt.Sprintf("Last%d", i)
				if i%(n/40) == 7 {
					draft.Email = fmt.Sprintf("needle%d@example%d.com", i, i%1000)
					first = "Needle"
				}
				draft.Changes.Name = &NameChange{FirstName: &first, LastName: &last}
				draft.Fill = func(u *User) error { u.Emails[0].Verified = i%2 == 0; return nil }
				if _, err := f.users.Create(tx, f.env, draft); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		f.clock.Advance(1)
	}
}

// analyze does what PostgreSQL's autovacuum does within a minute.
func (f *fixture) analyze(b testing.TB) {
	b.Helper()
	if err := f.db.Update(b.Context(), func(tx *store.Tx) error { _, err := tx.Exec("ANALYZE"); return err }); err != nil {
		b.Fatal(err)
	}
}

func (f *fixture) benchmark(b *testing.B, n int) {
	filter := func(name string, value any) Operand {
		o, err := Filter(name, value)
		if err != nil {
			b.Fatal(err)
		}
		return o
	}
	and := func(operands ...Operand) Query { return Query{Operator: "AND", Operands: operands} }
	page := func(q Query) *Page {
		page, err := f.users.Search(b.Context(), f.env, Search{Query: q, Limit: 50})
		if err != nil {
			b.Fatal(err)
		}
		return page
	}
	first, verified := page(Query{}), and(filter("email_verified", true))
	for _, c := range []struct {
		name   string
		search Search
		want   int
	}{
		{"email", Search{Query: and(filter("email_address", []string{"user1234@example234.com"})), Limit: 100}, 1},
		{"fuzzy_email", Search{Query: and(filter("email_address_fuzzy", "needle")), Limit: 100}, 40},
		{"fuzzy_email_and_name", Search{Query: and(filter("email_address_fuzzy", "needle"), filter("full_name_fuzzy", "nee")), Limit: 100}, 40},
		{"fuzzy_name_and_verified", Search{Query: and(filter("full_name_fuzzy", "nee"), filter("email_verified", true)), Limit: 100}, -1},
		{"first_page_of_50", Search{Limit: 50}, 50},
		{"page_of_50", Search{Limit: 50, Cursor: first.NextCursor}, 50},
		{"first_page_of_50_verified", Search{Query: verified, Limit: 50}, 50},
		{"page_of_50_verified", Search{Query: verified, Limit: 50, Cursor: page(verified).NextCursor}, 50},
		{"first_page_of_50_fuzzy_dense", Search{Query: and(filter("email_address_fuzzy", "example")), Limit: 50}, 50},
		{"first_page_of_50_or", Search{Query: Query{Operator: "OR", Operands: []Operand{filter("email_verified", true), filter("full_name_fuzzy", "nee")}}, Limit: 50}, 50},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				page, err := f.users.Search(b.Context(), f.env, c.search)
				if err != nil {
					b.Fatal(err)
				}
				if len(page.Results) != c.want && c.want >= 0 {
					b.Fatalf("%d results, want %d", len(page.Results), c.want)
				}
			}
		})
	}
	b.Run("get", func(b *testing.B) {
		userID := string(first.Results[0][len(`{"user_id":"`):][:len("user-test-")+36])
		for b.Loop() {
			if _, err := f.users.Get(b.Context(), f.env, userID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			err := f.db.View(b.Context(), func(tx *store.Tx) error {
				got, err := Count(tx, f.env)
				if got != int64(n) {
					b.Fatalf("%d users counted", got)
				}
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCreate is what a new user with an e-mail address costs inside its
// transaction, without the commit, which others share.
func BenchmarkCreate(b *testing.B) {
	for _, engine := range storetest.Engines() {
		b.Run(string(engine), func(b *testing.B) {
			db, clock := storetest.Open(b, engine)
			f := newFixture(b, db, clock)
			i := 0
			for b.Loop() {
				err := f.db.Update(b.Context(), func(tx *store.Tx) error {
					for range 100 {
						i++
						if _, err := f.users.Create(tx, f.env, NewUser{Email: fmt.Sprintf("user%d@example%d.com", i*7919%1000003, i%1000)}); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(i), "us/user")
		})
	}
}
