package project_test

import (
	"errors"
	"testing"

	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestAMemoForgetsWhenTheConfigurationChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		s := project.New(db)
		if err := s.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		var memo project.Memo[string, int]
		reads := 0
		get := func(key string) int {
			v, err := memo.Get(s, key, func() (int, error) { reads++; return reads, nil })
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		if a, again, b := get("a"), get("a"), get("b"); a != 1 || again != 1 || b != 2 {
			t.Errorf("got %d, %d, %d", a, again, b)
		}
		if err := s.Configure(t.Context(), func(*store.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if a := get("a"); a != 3 {
			t.Errorf("after a change got %d", a)
		}
		broken := errors.New("broken")
		if _, err := memo.Get(s, "c", func() (int, error) { return 0, broken }); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		if c := get("c"); c != 4 {
			t.Errorf("an error was remembered: got %d", c)
		}
	})
}
