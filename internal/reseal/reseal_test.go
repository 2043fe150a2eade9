package reseal_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gatehouse/internal/reseal"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

var column = reseal.Column{Table: "passwords", Key: "user_id", Name: "hash_sealed", Purpose: "test"}

// world is a table of passwords, and the keys from before and after a change.
type world struct {
	*testing.T
	db              *store.DB
	old, fresh, all *secret.Keyring
	logs            *bytes.Buffer
}

func each(t *testing.T, test func(w *world)) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		old, fresh := secret.NewMasterKey(), secret.NewMasterKey()
		test(&world{t, db, ring(t, old), ring(t, fresh), ring(t, fresh+","+old), &bytes.Buffer{}})
	})
}

func ring(t *testing.T, keys string) *secret.Keyring {
	k, err := secret.ParseKeyring(keys)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (w *world) service(k *secret.Keyring) *reseal.Service {
	s := reseal.New(w.db, k, slog.New(slog.NewTextHandler(w.logs, nil)), []reseal.Column{column})
	s.Small(3, 6)
	return s
}

func (w *world) sealed(k *secret.Keyring, env, text string) []byte {
	b, err := k.Seal(column.Purpose, env, []byte(text))
	if err != nil {
		w.Fatal(err)
	}
	return b
}

func (w *world) exec(query string, args ...any) {
	w.Helper()
	err := w.db.Update(w.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) put(env, user string, sealed []byte) {
	w.Helper()
	w.exec(`INSERT INTO passwords (environment_id, user_id, hash_sealed, version, created_at, updated_at) VALUES ($1, $2, $3, 1, 0, 0)`, env, user, sealed)
}

// fill adds rows of two environments under the old key.
func (w *world) fill(n int) {
	for i := range n {
		env, user := fmt.Sprintf("env-%d", i%2), fmt.Sprintf("user-%02d", i)
		w.put(env, user, w.sealed(w.old, env, user))
	}
}

func (w *world) at(env, user string) (sealed []byte) {
	w.Helper()
	err := w.db.View(w.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(`SELECT hash_sealed FROM passwords WHERE environment_id = $1 AND user_id = $2`, env, user).Scan(&sealed)
	})
	if err != nil {
		w.Fatal(err)
	}
	return sealed
}

func (w *world) runs(s *reseal.Service, want ...int) {
	w.Helper()
	for i, n := range want {
		if got, err := s.Run(w.Context()); err != nil || got != n {
			w.Errorf("run %d sealed %d anew, want %d: %v", i, got, n, err)
		}
	}
}

func (w *world) opens(k *secret.Keyring, env, user, want string) {
	w.Helper()
	if text, err := k.Open(column.Purpose, env, w.at(env, user)); err != nil || string(text) != want {
		w.Errorf("%s holds %q, want %q: %v", user, text, want, err)
	}
}

func (w *world) counts(s *reseal.Service, first, older, lost int) {
	w.Helper()
	got, err := s.Count(w.Context())
	if want := (reseal.Count{Column: column, First: first, Older: older, Lost: lost}); err != nil || len(got) != 1 || got[0] != want {
		w.Errorf("counted %+v, want %+v: %v", got, want, err)
	}
}

// TestTheOldKeyCanGo: after a few runs, each of which goes on where the one
// before has stopped, the new key alone opens everything.
func TestTheOldKeyCanGo(t *testing.T) {
	each(t, func(w *world) {
		w.fill(14)
		s := w.service(w.all)
		w.counts(s, 0, 14, 0)
		w.runs(s, 6, 6, 2)
		w.counts(s, 14, 0, 0)
		for i := range 14 {
			env, user := fmt.Sprintf("env-%d", i%2), fmt.Sprintf("user-%02d", i)
			w.opens(w.fresh, env, user, user)
		}
		w.put("env-0", "user-00a", w.sealed(w.old, "env-0", "late"))
		w.runs(s, 1, 0, 0, 0)
		w.opens(w.fresh, "env-0", "user-00a", "late")
		w.counts(w.service(w.fresh), 15, 0, 0)
	})
}

// TestASingleKeyReadsNothing: without another key there is nothing to seal anew,
// so not even a table that is not there is missed.
func TestASingleKeyReadsNothing(t *testing.T) {
	each(t, func(w *world) {
		nowhere := []reseal.Column{{Table: "nowhere", Key: "id", Name: "sealed"}}
		if n, err := reseal.New(w.db, w.old, slog.New(slog.DiscardHandler), nowhere).Run(w.Context()); n != 0 || err != nil {
			w.Errorf("%d, %v", n, err)
		}
		if _, err := reseal.New(w.db, w.all, slog.New(slog.DiscardHandler), nowhere).Run(w.Context()); err == nil || !strings.Contains(err.Error(), "nowhere.sealed") {
			w.Errorf("several keys: %v", err)
		}
	})
}

// TestUnreadableValuesStopNothing: they are logged once, counted, and left.
func TestUnreadableValuesStopNothing(t *testing.T) {
	each(t, func(w *world) {
		w.fill(5)
		stranger := w.sealed(ring(t, secret.NewMasterKey()), "env-0", "x")
		broken := w.sealed(w.old, "env-0", "y")
		broken[len(broken)-1]++
		w.put("env-0", "a", stranger)
		w.put("env-0", "b", []byte{1})
		w.put("env-0", "c", broken)
		s := w.service(w.all)
		w.runs(s, 3, 2, 0, 0)
		w.counts(s, 5, 1, 2)
		if !bytes.Equal(w.at("env-0", "a"), stranger) || !bytes.Equal(w.at("env-0", "c"), broken) {
			w.Error("what cannot be opened was written")
		}
		if n := strings.Count(w.logs.String(), "\n"); n != 1 || !strings.Contains(w.logs.String(), "column=passwords.hash_sealed rows=3") {
			w.Errorf("logged %d lines: %s", n, w.logs)
		}
	})
}

// TestConcurrentChangesWin: what somebody writes between the reading and the
// writing of a page stays.
func TestConcurrentChangesWin(t *testing.T) {
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			var meanwhile func()
			db, err := store.Open(t.Context(), store.Options{
				URL: storetest.URL(t, engine), Now: storetest.NewClock().Now,
				Trace: func(_ context.Context, op string) func(error) {
					if do := meanwhile; op == "update" && do != nil {
						meanwhile = nil
						do()
					}
					return func(error) {}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			old, fresh := secret.NewMasterKey(), secret.NewMasterKey()
			w := &world{t, db, ring(t, old), ring(t, fresh), ring(t, fresh+","+old), &bytes.Buffer{}}
			w.fill(5)
			meanwhile = func() {
				w.exec(`UPDATE passwords SET hash_sealed = $1 WHERE user_id = 'user-00'`, w.sealed(w.old, "env-0", "changed"))
				w.exec(`DELETE FROM passwords WHERE user_id = 'user-02'`)
			}
			s := w.service(w.all)
			w.runs(s, 3) // of five, one has changed and one is gone
			w.opens(w.old, "env-0", "user-00", "changed")
			w.opens(w.fresh, "env-0", "user-04", "user-04")
			w.runs(s, 1, 0)
			w.opens(w.fresh, "env-0", "user-00", "changed")
			w.counts(s, 4, 0, 0)
		})
	}
}
