package store_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

type (
	word   string
	number int32
	flag   bool
	raw    []byte
	hash   [4]byte
)

// Everything that goes in comes out the same, on both engines.
func TestValuesRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		run(t, db, `CREATE TABLE v (id BIGINT PRIMARY KEY, i BIGINT, b BOOLEAN, s TEXT, x BYTEA, f DOUBLE PRECISION)`)
		str, num := "pointed at", int64(-5)
		for i, c := range []struct {
			column string
			in     any
			out    any // a pointer to a zero value
			want   any
		}{
			{"i", int64(math.MinInt64), new(int64), int64(math.MinInt64)},
			{"i", math.MaxInt32, new(int), math.MaxInt32},
			{"i", int32(7), new(int32), int32(7)},
			{"i", uint16(7), new(uint16), uint16(7)},
			{"i", number(9), new(number), number(9)},
			{"i", &num, new(int64), num},
			{"i", (*int64)(nil), new(*int64), (*int64)(nil)},
			{"i", 12, new(*int), ptr(12)},
			{"i", nil, new(*int64), (*int64)(nil)},
			{"i", 5, new(any), int64(5)},
			{"i", 5, new(sql.Null[int64]), sql.Null[int64]{V: 5, Valid: true}},
			{"i", nil, new(sql.NullInt64), sql.NullInt64{}},
			{"i", sql.NullInt64{Int64: 3, Valid: true}, new(int64), int64(3)},
			{"i", sql.NullInt64{}, new(*int64), (*int64)(nil)},
			{"b", true, new(bool), true},
			{"b", false, new(bool), false},
			{"b", flag(true), new(flag), flag(true)},
			{"b", nil, new(*bool), (*bool)(nil)},
			{"b", true, new(*bool), ptr(true)},
			{"s", "", new(string), ""},
			{"s", "ünï 🙂 'quoted' \"twice\" \\ %", new(string), "ünï 🙂 'quoted' \"twice\" \\ %"},
			{"s", strings.Repeat("long ", 100_000), new(string), strings.Repeat("long ", 100_000)},
			{"s", word("made"), new(word), word("made")},
			{"s", &str, new(*string), &str},
			{"s", nil, new(*string), (*string)(nil)},
			{"s", json.RawMessage(`{"a":[1, 2]}`), new(json.RawMessage), json.RawMessage(`{"a":[1, 2]}`)},
			{"s", json.RawMessage(`{}`), new(string), `{}`},
			{"s", "bytes", new([]byte), []byte("bytes")},
			{"s", nil, new([]byte), []byte(nil)},
			{"x", []byte{0, 1, 254, 255}, new([]byte), []byte{0, 1, 254, 255}},
			{"x", []byte{}, new([]byte), []byte{}},
			{"x", []byte(nil), new([]byte), []byte(nil)},
			{"x", bytes.Repeat([]byte{0}, 300_000), new([]byte), bytes.Repeat([]byte{0}, 300_000)},
			{"x", raw{7}, new(raw), raw{7}},
			{"x", raw(nil), new(raw), raw(nil)},
			{"x", hash{1, 2, 3, 4}, new([]byte), []byte{1, 2, 3, 4}},
			{"f", 0.1, new(float64), 0.1},
			{"f", -1e300, new(float64), -1e300},
			{"f", float32(0.5), new(float32), float32(0.5)},
			{"f", nil, new(*float64), (*float64)(nil)},
		} {
			must(t, db.Update(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(`INSERT INTO v (id, `+c.column+`) VALUES ($1, $2)`, i, c.in)
				return err
			}))
			err := db.View(ctx, func(tx *store.Tx) error {
				return tx.QueryRow(`SELECT `+c.column+` FROM v WHERE id = $1`, i).Scan(c.out)
			})
			if got := reflect.ValueOf(c.out).Elem().Interface(); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%d: %T in column %s: got %.40v, %v", i, c.in, c.column, got, err)
			}
		}
	})
}

func TestValuesThatDoNotFitAreErrors(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		run(t, db, `CREATE TABLE v (i BIGINT, b BOOLEAN, s TEXT, x BYTEA)`, `INSERT INTO v (i, s) VALUES (300, 'text')`)
		for query, dest := range map[string]any{
			`SELECT i FROM v`:               new(int8),
			`SELECT b FROM v`:               new(bool),
			`SELECT s FROM v`:               new(int64),
			`SELECT x FROM v`:               new(string),
			`SELECT i FROM v WHERE i = 300`: new(string),
			`SELECT i FROM v WHERE i > 0`:   new(time.Time),
			`SELECT i FROM v WHERE i > 1`:   int64(0),
		} {
			err := db.View(ctx, func(tx *store.Tx) error { return tx.QueryRow(query).Scan(dest) })
			if err == nil || errors.Is(err, store.ErrNoRows) {
				t.Errorf("%s into %T: %v", query, dest, err)
			}
		}
	})
}

func TestAggregatesAndConstants(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		run(t, db, `CREATE TABLE v (i BIGINT, b BOOLEAN NOT NULL)`, `INSERT INTO v VALUES (2, TRUE), (40, FALSE), (NULL, TRUE)`)
		var n, sum, most, small int64
		var some, yes bool
		must(t, db.View(ctx, func(tx *store.Tx) error {
			return tx.QueryRow(`SELECT count(*), sum(i), coalesce(max(i), 0), 1, EXISTS (SELECT 1 FROM v WHERE b), TRUE FROM v`).
				Scan(&n, &sum, &most, &small, &some, &yes)
		}))
		if n != 3 || sum != 42 || most != 40 || small != 1 || !some || !yes {
			t.Errorf("got %d %d %d %d %v %v", n, sum, most, small, some, yes)
		}
		if n := one[int](t, db, `SELECT count(*) FROM v WHERE b AND NOT (b = $1)`, false); n != 2 {
			t.Errorf("got %d", n)
		}
	})
}

func ptr[T any](v T) *T { return &v }
