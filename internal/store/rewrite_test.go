package store_test

import (
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestPlaceholdersAreNumbered(t *testing.T) {
	for in, want := range map[string]string{
		`SELECT 1`:                                  `SELECT 1`,
		`a = $1 AND b = $12`:                        `a = ?1 AND b = ?12`,
		`$2,$1,$2`:                                  `?2,?1,?2`,
		`'$1' || $1 || 'it''s $2'`:                  `'$1' || ?1 || 'it''s $2'`,
		`"col$1" = $1 AND "a""$2" = $2`:             `"col$1" = ?1 AND "a""$2" = ?2`,
		"`x$1` = $1":                                "`x$1` = ?1",
		"a = $1 -- not $2\nAND b = $3":              "a = ?1 -- not $2\nAND b = ?3",
		`a = $1 /* nor $2 */ AND b = $3`:            `a = ?1 /* nor $2 */ AND b = ?3`,
		`a = $1 -- ends $2`:                         `a = ?1 -- ends $2`,
		`a$1 = $1`:                                  `a$1 = ?1`,
		`json_extract(d, '$.a') = $1 AND c = '$'`:   `json_extract(d, '$.a') = ?1 AND c = '$'`,
		`cost = '$5' AND x = $`:                     `cost = '$5' AND x = $`,
		`name = 'unclosed $1`:                       `name = 'unclosed $1`,
		`ünï$1 = $1`:                                `ünï$1 = ?1`,
		`a - -$1`:                                   `a - -?1`,
		`VALUES ($1,$2),($3,$4) ON CONFLICT (a) DO`: `VALUES (?1,?2),(?3,?4) ON CONFLICT (a) DO`,
	} {
		if got := store.Numbered(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestPlaceholdersRepeatAndComeInAnyOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		var a, b, c string
		must(t, db.View(ctx, func(tx *store.Tx) error {
			return tx.QueryRow(`SELECT CAST($2 AS TEXT) || '$1', /* $3 */ CAST($1 AS TEXT) || CAST($2 AS TEXT), CAST($1 AS TEXT) -- $4`,
				"one", "two").Scan(&a, &b, &c)
		}))
		if a != "two$1" || b != "onetwo" || c != "one" {
			t.Errorf("got %q %q %q", a, b, c)
		}
	})
}

func FuzzPlaceholders(f *testing.F) {
	f.Add(`SELECT '$1', $1 -- $2`)
	f.Add("\"a`'$1/*$2*/")
	f.Fuzz(func(t *testing.T, in string) {
		out := store.Numbered(in)
		if len(out) != len(in) {
			t.Fatalf("%q became %q", in, out)
		}
		for i := range len(in) {
			if in[i] != out[i] && (in[i] != '$' || out[i] != '?') {
				t.Fatalf("%q became %q", in, out)
			}
		}
	})
}

func TestMigrationWords(t *testing.T) {
	text := []byte("a TEXT_C NOT NULL, b TEXT, TEXT_CC TEXT_C")
	if got := string(store.MigrationText(store.SQLite, text)); got != "a TEXT NOT NULL, b TEXT, TEXT_CC TEXT" {
		t.Errorf("SQLite: %s", got)
	}
	if got := string(store.MigrationText(store.Postgres, text)); got != `a TEXT COLLATE "C" NOT NULL, b TEXT, TEXT_CC TEXT COLLATE "C"` {
		t.Errorf("PostgreSQL: %s", got)
	}
}
