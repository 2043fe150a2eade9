package user

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

var errWrongCode = apierr.New(404, "otp_code_not_found", "Wrong.")

// fail is one failed attempt as the session core makes it.
func (f *fixture) fail(userID string) (locked bool) {
	f.Helper()
	err := f.update(func(tx *store.Tx) error {
		row, err := ForUpdate(tx, f.env, userID)
		if err != nil {
			return err
		}
		if locked, err = CountFailure(tx, f.env, row); err != nil {
			return err
		}
		if locked != row.Locked(tx.Now) {
			f.Errorf("CountFailure says %v, the row %v", locked, row.Locked(tx.Now))
		}
		return store.Keep(errWrongCode)
	})
	if !errors.Is(err, errWrongCode) {
		f.Fatal(err)
	}
	return locked
}

func (f *fixture) succeed(userID string) {
	f.Helper()
	f.must(func(tx *store.Tx) error {
		row, err := ForUpdate(tx, f.env, userID)
		if err != nil {
			return err
		}
		return ClearFailures(tx, f.env, row)
	})
}

func TestLock(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"ada@example.com"}`)
		version := f.row(userID).Version
		for range 9 {
			if f.fail(userID) {
				f.Fatal("locked before the tenth failure")
			}
		}
		if row := f.row(userID); row.FailedAttempts != 9 || row.Version != version {
			f.Errorf("%d failures, version %d", row.FailedAttempts, row.Version)
		}
		f.succeed(userID) // a success starts over
		for range 9 {
			f.fail(userID)
		}
		if !f.fail(userID) {
			f.Fatal("not locked by the tenth failure")
		}
		a := f.ok("GET", "/v1/users/"+userID, "")
		if a.at("is_locked") != true || a.text("lock_created_at") != "2026-01-02T03:04:05.000Z" || a.text("lock_expires_at") != "2026-01-02T04:04:05.000Z" {
			f.Errorf("locked user: %v", a.body)
		}
		f.succeed(userID) // a lock outlasts a success
		f.clock.Advance(time.Hour - time.Millisecond)
		if !f.fail(userID) || !f.row(userID).Locked(f.db.Now()) {
			f.Error("unlocked a millisecond too soon")
		}
		f.clock.Advance(time.Millisecond)
		a = f.ok("GET", "/v1/users/"+userID, "")
		if a.at("is_locked") != false || a.at("lock_created_at") != nil || a.at("lock_expires_at") != nil {
			f.Errorf("after the lock: %v", a.body)
		}
		if row := f.row(userID); row.Locked(f.db.Now()) || row.FailedAttempts != 0 {
			f.Errorf("after the lock: %+v", row)
		}
		for range 9 { // the count starts at 0 again
			if f.fail(userID) {
				f.Fatal("locked too soon after a lock")
			}
		}
		if !f.fail(userID) {
			f.Error("not locked again")
		}
	})
}

func TestLockSettings(t *testing.T) {
	each(t, func(f *fixture) {
		for _, c := range []struct {
			threshold int
			ttl       time.Duration
		}{{1, 5 * time.Minute}, {2, time.Hour}, {100, 7 * 24 * time.Hour}} {
			f.env.Config.UserLock = project.UserLockConfig{Threshold: c.threshold, TTLSeconds: int(c.ttl / time.Second)}
			userID := f.create(`{"email":"user` + f.clock.Now().Format("150405") + c.ttl.String() + `@example.com"}`)
			for i := range c.threshold {
				if locked := f.fail(userID); locked != (i == c.threshold-1) {
					f.Errorf("threshold %d: locked %v after %d failures", c.threshold, locked, i+1)
				}
			}
			if row := f.row(userID); !row.LockExpiresAt.Equal(f.db.Now().Add(c.ttl)) {
				f.Errorf("locked until %s", row.LockExpiresAt)
			}
		}
	})
}

func TestUnlock(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"ada@example.com","external_id":"ada"}`)
		unlock := func() *Row {
			f.Helper()
			row, err := f.users.Unlock(f.Context(), f.env, "ada")
			if err != nil {
				f.Fatal(err)
			}
			return row
		}
		unlock() // nothing to do
		f.fail(userID)
		unlock()
		if row := f.row(userID); row.FailedAttempts != 0 {
			f.Errorf("%d failures after an unlock", row.FailedAttempts)
		}
		for range 10 {
			f.fail(userID)
		}
		unlock()
		if row := f.row(userID); row.Locked(f.db.Now()) || row.FailedAttempts != 0 {
			f.Errorf("still locked: %+v", row)
		}
		if f.ok("GET", "/v1/users/"+userID, "").at("is_locked") != false {
			f.Error("shows a lock")
		}
		if f.fail(userID) {
			f.Error("locked by the first failure after an unlock")
		}
		if _, err := f.users.Unlock(f.Context(), f.env, "nobody"); typeOf(t, err) != "user_not_found" {
			f.Errorf("unlocking nobody: %v", err)
		}
	})
}

// Changing a user neither ends nor forgets a lock, and a lock neither keeps an
// expired factor nor loses it unheard.
func TestLockAndOtherChanges(t *testing.T) {
	each(t, func(f *fixture) {
		removed := 0
		f.users.SetHooks(Hooks{OnFactorRemoved: func(*store.Tx, *project.Environment, *User, string, string) error { removed++; return nil }})
		userID := f.create(`{"email":"ada@example.com"}`)
		if err := f.attach(userID, "late@example.com"); err != nil {
			f.Fatal(err)
		}
		f.clock.Advance(5 * time.Minute)
		for range 10 {
			f.fail(userID)
		}
		if u := f.user(userID); !u.IsLocked || len(u.Emails) != 1 {
			f.Errorf("locked user: %+v", u)
		}
		if removed != 0 {
			f.Error("a lock told the hooks of a factor")
		}
		f.ok("PUT", "/v1/users/"+userID, `{"name":{"first_name":"Ada"}}`)
		if u := f.user(userID); !u.IsLocked || u.Name.FirstName != "Ada" || removed != 1 {
			f.Errorf("after a change: %+v, hooks told %d times", u, removed)
		}
		f.clock.Advance(time.Hour)
		f.ok("PUT", "/v1/users/"+userID, `{"name":{"first_name":"Grace"}}`)
		if row := f.row(userID); row.FailedAttempts != 0 || row.Locked(f.db.Now()) {
			f.Errorf("after the lock: %+v", row)
		}
	})
}

// Security case 6: 200 wrong codes at once are all counted, and no more than
// the threshold are told what was wrong.
func TestFailuresUnderConcurrency(t *testing.T) {
	each(t, func(f *fixture) {
		f.env.Config.UserLock.Threshold = 100
		userID := f.create(`{"email":"ada@example.com"}`)
		var evaluated, refused atomic.Int64
		attempt := func() {
			revealed := false
			err := f.update(func(tx *store.Tx) error {
				revealed = false
				row, err := ForUpdate(tx, f.env, userID)
				if err != nil {
					return err
				}
				if row.Locked(tx.Now) {
					return nil
				}
				revealed = true
				_, err = CountFailure(tx, f.env, row)
				return errors.Join(err, store.Keep(errWrongCode))
			})
			switch {
			case revealed && errors.Is(err, errWrongCode):
				evaluated.Add(1)
			case !revealed && err == nil:
				refused.Add(1)
			default:
				f.Error(err)
			}
		}
		run := func(n int) {
			var wg sync.WaitGroup
			for range n {
				wg.Go(attempt)
			}
			wg.Wait()
		}
		run(60)
		if got := f.row(userID).FailedAttempts; got != 60 {
			f.Errorf("%d failures counted of 60", got)
		}
		run(140)
		if evaluated.Load() != 100 || refused.Load() != 100 {
			f.Errorf("%d attempts were evaluated, %d refused", evaluated.Load(), refused.Load())
		}
	})
}

// A row that was only read is read again before it counts, so that no failure
// is lost to a caller who did not lock it.
func TestFailuresOnRowsNotHeld(t *testing.T) {
	each(t, func(f *fixture) {
		f.env.Config.UserLock.Threshold = 100
		userID := f.create(`{"email":"ada@example.com"}`)
		const callers = 40
		errs := make([]error, callers)
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				errs[i] = f.update(func(tx *store.Tx) error {
					row, err := FindByEmail(tx, f.env, "ada@example.com")
					if err != nil {
						return err
					}
					_, err = CountFailure(tx, f.env, row)
					return err
				})
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			f.Fatal(err)
		}
		if got := f.row(userID).FailedAttempts; got != callers {
			f.Errorf("%d failures counted of %d", got, callers)
		}
	})
}
