package user

import (
	"testing"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// A user whom another system made keeps the instant and, if told, the id. A new
// id is of that instant, so that searches find the user in its place.
func TestUsersFromElsewhereKeepTheirTimeAndID(t *testing.T) {
	each(t, func(f *fixture) {
		at := time.Date(2019, 5, 6, 7, 8, 9, 123_456_789, time.UTC)
		const old = "user-test-d5a3b680-e8a3-40c0-b815-ab79986666d0" // a version 4, which tells no time
		var first, second *Row
		err := f.db.Update(f.Context(), func(tx *store.Tx) (err error) {
			if first, err = f.users.Create(tx, f.env, NewUser{Email: "a@example.com", CreatedAt: at}); err != nil {
				return err
			}
			second, err = f.users.Create(tx, f.env, NewUser{ID: old, Email: "b@example.com", CreatedAt: at})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if made, _ := id.Made(first.UserID); !made.Equal(at.Truncate(time.Millisecond)) || second.UserID != old {
			t.Errorf("the ids are %s and %s", first.UserID, second.UserID)
		}
		err = f.db.View(f.Context(), func(tx *store.Tx) error {
			rows, err := After(tx, f.env, "", 10)
			if err != nil {
				return err
			}
			if len(rows) != 2 || rows[0].UserID != first.UserID || rows[1].UserID != old {
				t.Errorf("listed %d users", len(rows))
			}
			for _, row := range rows {
				if u, err := row.User(); err != nil || time.Time(u.CreatedAt) != at.Truncate(time.Millisecond) {
					t.Errorf("%s was created at %v, %v", row.UserID, time.Time(u.CreatedAt), err)
				}
			}
			rows, err = After(tx, f.env, first.UserID, 10)
			if err == nil && (len(rows) != 1 || rows[0].UserID != old) {
				t.Errorf("after the first come %d users", len(rows))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
