package event

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

const env = "project-test-0194f0a2-7c1e-7abc-8def-0123456789ab"

func emit(t *testing.T, db *store.DB, e Event) {
	t.Helper()
	e.EnvironmentID = env
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return Emit(tx, id.Test, e) }); err != nil {
		t.Fatal(err)
	}
}

func TestListNewestFirst(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		for _, e := range []Event{
			{Type: "user.create", UserID: "a"},
			{Type: "login", UserID: "a", Outcome: "success", Factor: "webauthn", IP: "192.0.2.1", Details: map[string]any{"n": 1.0}},
			{Type: "login", UserID: "b", Outcome: "user_lock_limit_reached"},
		} {
			emit(t, db, e)
			clock.Advance(time.Second)
		}
		for _, c := range []struct {
			user, kind string
			limit      int
			want       string
		}{
			{"", "", 10, "login/b login/a user.create/a"},
			{"", "", 1, "login/b"},
			{"a", "", 10, "login/a user.create/a"},
			{"", "login", 10, "login/b login/a"},
			{"a", "login", 10, "login/a"},
			{"nobody", "", 10, ""},
		} {
			list, err := List(t.Context(), db, env, c.user, c.kind, c.limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range list {
				got = append(got, e.Type+"/"+e.UserID)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("List(%q, %q, %d) = %v, want %s", c.user, c.kind, c.limit, got, c.want)
			}
		}
		list, err := List(t.Context(), db, env, "a", "login", 1)
		if err != nil {
			t.Fatal(err)
		}
		if e := list[0]; e.Details["n"] != 1.0 || e.IP != "192.0.2.1" || e.Factor != "webauthn" || !id.Check(id.Event, id.Test, e.ID) {
			t.Errorf("the event reads as %+v", e)
		}
		if other, err := List(t.Context(), db, "project-test-other", "", "", 10); err != nil || len(other) != 0 {
			t.Errorf("another environment sees %v, %v", other, err)
		}
	})
}

// TestEmitBelongsToTheFact: when the fact is rolled back, so is its event.
func TestEmitBelongsToTheFact(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		failed := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := Emit(tx, id.Test, Event{EnvironmentID: env, Type: "user.create"}); err != nil {
				return err
			}
			return store.ErrNoRows
		})
		if failed == nil {
			t.Fatal("the update succeeded")
		}
		if list, err := List(t.Context(), db, env, "", "", 10); err != nil || len(list) != 0 {
			t.Errorf("an event without its fact: %v, %v", list, err)
		}
	})
}

func TestUserAgentIsBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		emit(t, db, Event{Type: "login", UserAgent: strings.Repeat("é", 400) + "\xff"})
		list, err := List(t.Context(), db, env, "", "", 1)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(list[0].UserAgent); n == 0 || n > maxUserAgent+3 {
			t.Errorf("the user agent takes %d bytes", n)
		}
	})
}

func TestPurge(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		for range 5 {
			emit(t, db, Event{Type: "login"})
		}
		clock.Advance(time.Hour)
		emit(t, db, Event{Type: "recent"})
		purge := func(budget int) (n int64) {
			err := db.Update(t.Context(), func(tx *store.Tx) (err error) {
				n, err = Purge(tx, time.Hour-time.Millisecond, budget)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if a, b, c := purge(3), purge(3), purge(3); a != 3 || b != 2 || c != 0 {
			t.Errorf("purged %d, %d, %d", a, b, c)
		}
		if list, err := List(t.Context(), db, env, "", "", 10); err != nil || len(list) != 1 || list[0].Type != "recent" {
			t.Errorf("left: %v, %v", list, err)
		}
	})
}

// Of what an operator does, every event says so, whoever writes it; of what
// others do, none.
func TestOperator(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		shared := map[string]any{"n": 1.0}
		for _, ctx := range []context.Context{WithOperator(t.Context(), "ada"), t.Context()} {
			err := db.Update(ctx, func(tx *store.Tx) error {
				return errors.Join(Emit(tx, id.Test, Event{EnvironmentID: env, Type: "a"}), Emit(tx, id.Test, Event{EnvironmentID: env, Type: "b", Details: shared}))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(shared) != 1 {
			t.Errorf("the caller's details have become %v", shared)
		}
		for _, kind := range []string{"a", "b"} {
			list, err := List(t.Context(), db, env, "", kind, 10)
			if err != nil || len(list) != 2 {
				t.Fatal(list, err)
			}
			by := map[string]int{}
			for _, e := range list {
				by[fmt.Sprint(e.Operator(), e.Details["by"], e.Details["n"])]++
			}
			n := map[string]any{"b": 1.0}[kind]
			if by[fmt.Sprint("ada", "cli", n)] != 1 || by[fmt.Sprint("", nil, n)] != 1 {
				t.Errorf("%s: %v", kind, by)
			}
		}
	})
}

func TestChanged(t *testing.T) {
	type thing struct {
		A string            `json:"a"`
		B []string          `json:"b,omitempty"`
		C map[string]string `json:"c"`
		d int
	}
	for _, c := range []struct {
		was, is thing
		want    string
	}{
		{thing{A: "x", d: 1}, thing{A: "x", d: 2}, ""},
		{thing{A: "x"}, thing{A: "y"}, "a"},
		{thing{}, thing{B: []string{"1"}}, "b"},
		{thing{B: []string{"1"}}, thing{}, "b"},
		{thing{A: "x", C: map[string]string{"k": "1", "l": "1"}}, thing{C: map[string]string{"l": "1", "k": "2"}}, "a c"},
		{thing{C: map[string]string{"k": "1", "l": "1"}}, thing{C: map[string]string{"l": "1", "k": "1"}}, ""},
	} {
		got, err := Changed(c.was, &c.is)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%+v to %+v: %v, %v", c.was, c.is, got, err)
		}
	}
	if _, err := Changed(1, thing{}); err == nil {
		t.Error("a number has fields")
	}
}
