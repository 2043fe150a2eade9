package user

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
	"gatehouse/internal/wire"
)

// fixture is a service on a fresh database with two environments.
type fixture struct {
	*testing.T
	db     *store.DB
	clock  *storetest.Clock
	users  *Service
	env    *project.Environment // test
	live   *project.Environment
	server *wire.Server
}

// each runs a test on every engine. Afterwards every user must agree with the
// indexes.
func each(t *testing.T, test func(f *fixture)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		f := newFixture(t, db, clock)
		f.T = t
		test(f)
		f.checkIndexes(f.env)
		f.checkIndexes(f.live)
	})
}

func newFixture(t testing.TB, db *store.DB, clock *storetest.Clock) *fixture {
	t.Helper()
	keys, err := secret.ParseKeyring(strings.Repeat("11", 32))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{db: db, clock: clock, users: New(db, keys)}
	f.env = &project.Environment{ID: id.Random(id.Project, id.Test), Kind: id.Test}
	f.live = &project.Environment{ID: id.Random(id.Project, id.Live), Kind: id.Live}
	gate := func(ctx context.Context, in *wire.Incoming) (context.Context, error) {
		for _, env := range []*project.Environment{f.env, f.live} {
			if in.HasBasic && in.BasicUser == env.ID && in.BasicPassword == "secret" {
				return project.WithCaller(ctx, &project.Caller{Env: env}), nil
			}
		}
		return nil, apierr.New(401, "unauthorized_credentials", "Wrong credentials.")
	}
	f.server = wire.NewServer(wire.Config{Gates: map[wire.Auth]wire.Gate{wire.Secret: gate}, Now: clock.Now}, f.users.Endpoints()...)
	return f
}

// answer is what came back over HTTP.
type answer struct {
	status int
	body   map[string]any
}

func (a answer) errorType() string {
	s, _ := a.body["error_type"].(string)
	return s
}

// at follows a path like "user.emails.0.email_id".
func (a answer) at(path string) any {
	var v any = a.body
	if path == "" {
		return v
	}
	for step := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i := 0
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (a answer) text(path string) string {
	s, _ := a.at(path).(string)
	return s
}

// send makes a request; body is JSON text.
func (f *fixture) send(env *project.Environment, method, path, body string) answer {
	f.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.SetBasicAuth(env.ID, "secret")
	w := httptest.NewRecorder()
	f.server.ServeHTTP(w, r)
	d := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	d.UseNumber()
	a := answer{status: w.Code}
	if err := d.Decode(&a.body); err != nil {
		f.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
	if got := fmt.Sprint(a.body["status_code"]); got != fmt.Sprint(w.Code) {
		f.Fatalf("%s %s: status_code %s in an answer with status %d", method, path, got, w.Code)
	}
	if a.body["request_id"] == "" {
		f.Fatalf("%s %s: no request_id", method, path)
	}
	return a
}

// ok is send for a request that must succeed.
func (f *fixture) ok(method, path, body string) answer {
	f.Helper()
	a := f.send(f.env, method, path, body)
	if a.status != http.StatusOK {
		f.Fatalf("%s %s %s: %d %v", method, path, body, a.status, a.body)
	}
	return a
}

// refused is send for a request that must fail with a type.
func (f *fixture) refused(method, path, body string, status int, errorType string) answer {
	f.Helper()
	a := f.send(f.env, method, path, body)
	if a.status != status || a.errorType() != errorType {
		f.Errorf("%s %s %.200s: %d %s (%v), want %d %s", method, path, body, a.status, a.errorType(), a.body["error_message"], status, errorType)
	}
	return a
}

// create makes a user through the front door and returns the id.
func (f *fixture) create(body string) string {
	f.Helper()
	return f.ok("POST", "/v1/users", body).text("user_id")
}

func (f *fixture) update(fn func(tx *store.Tx) error) error {
	f.Helper()
	return f.db.Update(f.Context(), fn)
}

// must is update for a transaction that must succeed.
func (f *fixture) must(fn func(tx *store.Tx) error) {
	f.Helper()
	if err := f.update(fn); err != nil {
		f.Fatal(err)
	}
}

// row reads a user.
func (f *fixture) row(userID string) *Row {
	f.Helper()
	row, err := f.users.Get(f.Context(), f.env, userID)
	if err != nil {
		f.Fatal(err)
	}
	return row
}

// user reads and decodes a user.
func (f *fixture) user(userID string) *User {
	f.Helper()
	u, err := f.row(userID).User()
	if err != nil {
		f.Fatal(err)
	}
	return u
}

// change changes a user in a transaction of its own.
func (f *fixture) change(userID string, change func(u *User) error) error {
	f.Helper()
	return f.update(func(tx *store.Tx) error {
		_, err := f.users.Change(tx, f.env, userID, change)
		return err
	})
}

// typeOf is the error_type of a verdict, "" for nil.
func typeOf(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e := apierr.From(err)
	if e == nil {
		t.Fatalf("not a verdict: %v", err)
	}
	return e.Type
}

// checkIndexes walks all users of an environment and compares what the index
// tables and columns hold with what follows from the documents.
func (f *fixture) checkIndexes(env *project.Environment) {
	f.Helper()
	want, got := map[string]bool{}, map[string]bool{}
	add := func(set map[string]bool, a ...any) {
		line := ""
		for _, v := range a {
			line += fmt.Sprintf("%v ", v)
		}
		set[line] = true
	}
	counts := map[int64]int64{}
	f.must(func(tx *store.Tx) error {
		clear(want)
		clear(got)
		clear(counts)
		rows, err := tx.Query(`SELECT id, status, external_id, created_at, document, expiries, changes_at, lock_created_at, lock_expires_at
			FROM users WHERE environment_id = $1`, env.ID)
		if err != nil {
			return err
		}
		for rows.Next() {
			var userID, status string
			var external, expiries *string
			var created int64
			var s state
			if err := rows.Scan(&userID, &status, &external, &created, (*[]byte)(&s.document), &expiries, &s.changesAt, &s.lockCreatedAt, &s.lockExpiresAt); err != nil {
				return err
			}
			s.expiries = expiries
			u, err := s.user()
			if err != nil {
				return err
			}
			again, err := encode(u)
			if err != nil || !bytes.Equal(again, s.document) {
				f.Errorf("the document of %s changes when it is encoded again:\n%s\n%s", userID, s.document, again)
			}
			factors := u.Factors()
			var lockEnds time.Time
			if s.lockExpiresAt != nil {
				lockEnds = store.Time(*s.lockExpiresAt)
			}
			at, ends, err := changesAt(factors, lockEnds)
			if err != nil {
				return err
			}
			if !equal(at, s.changesAt) || !equal(ends, expiries) {
				f.Errorf("%s: changes_at and expiries do not follow from its factors and lock", userID)
			}
			if u.UserID != userID || u.Status != status || !equal(u.ExternalID, external) || u.IsLocked != (s.lockExpiresAt != nil) {
				f.Errorf("the columns of %s do not follow from its document %s", userID, s.document)
			}
			_, timed := id.Made(userID) // an id that another product made may tell nothing
			if ms := store.Millis(time.Time(u.CreatedAt)); ms != created || timed && !strings.HasPrefix(userID, idAt(env, ms)) {
				f.Errorf("%s was not created at %d", userID, ms)
			}
			counts[int64(shardOf(userID))]++
			for _, x := range factors {
				add(want, "factor", x.Kind, x.ID, x.Value, userID, x.Verified, store.Millis(x.ExpiresAt))
			}
			for _, x := range termsOf(u) {
				add(want, "term", x.kind, x.text, userID)
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return f.readIndexes(tx, env, add, got, counts)
	})
	for _, line := range slices.Sorted(maps.Keys(want)) {
		if !got[line] {
			f.Errorf("missing from the indexes: %s", line)
		}
	}
	for _, line := range slices.Sorted(maps.Keys(got)) {
		if !want[line] {
			f.Errorf("too much in the indexes: %s", line)
		}
	}
}

func (f *fixture) readIndexes(tx *store.Tx, env *project.Environment, add func(map[string]bool, ...any), got map[string]bool, counts map[int64]int64) error {
	rows, err := tx.Query("SELECT kind, id, value, user_id, verified, expires_at FROM user_factors WHERE environment_id = $1", env.ID)
	if err != nil {
		return err
	}
	for rows.Next() {
		var kind, factorID, userID string
		var value *string
		var verified bool
		var expires *int64
		if err := rows.Scan(&kind, &factorID, &value, &userID, &verified, &expires); err != nil {
			return err
		}
		if value == nil {
			value = new(string)
		}
		if expires == nil {
			never := store.Millis(time.Time{})
			expires = &never
		}
		add(got, "factor", kind, factorID, *value, userID, verified, *expires)
	}
	if rows, err = tx.Query("SELECT kind, term, user_id FROM user_terms WHERE environment_id = $1", env.ID); err != nil {
		return err
	}
	for rows.Next() {
		var kind, text, userID string
		if err := rows.Scan(&kind, &text, &userID); err != nil {
			return err
		}
		add(got, "term", kind, text, userID)
	}
	if rows, err = tx.Query("SELECT shard, users FROM user_counts WHERE environment_id = $1", env.ID); err != nil {
		return err
	}
	for rows.Next() {
		var shard, n int64
		if err := rows.Scan(&shard, &n); err != nil {
			return err
		}
		if counts[shard] != n {
			f.Errorf("shard %d counts %d users, there are %d", shard, n, counts[shard])
		}
		delete(counts, shard)
	}
	if len(counts) > 0 {
		f.Errorf("users that no shard counts: %v", counts)
	}
	return rows.Err()
}

// shared is a fixture on SQLite that all inputs of a fuzz test use.
func shared(tb testing.TB) func(t *testing.T) *fixture {
	tb.Helper()
	db, clock := storetest.Open(tb, store.SQLite)
	f := newFixture(tb, db, clock)
	return func(t *testing.T) *fixture {
		own := *f
		own.T = t
		return &own
	}
}
