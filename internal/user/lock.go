package user

import (
	"time"

	"gatehouse/internal/event"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

// CountFailure counts a failed attempt to authenticate, which locks the user
// when it is one too many (the environment's LockThreshold), for LockTTL. It
// reports whether the user is locked now; attempts on a locked user do not
// count. The row is brought up to date in place. Return the verdict under
// store.Keep, or the count is lost with it.
func CountFailure(tx *store.Tx, env *project.Environment, row *Row) (locked bool, err error) {
	if err := row.hold(tx, env); err != nil {
		return false, err
	}
	if row.Locked(tx.Now) {
		return true, nil
	}
	row.FailedAttempts++
	if row.FailedAttempts >= env.Config.LockThreshold() {
		row.LockCreatedAt, row.LockExpiresAt = tx.Now, tx.Now.Add(env.Config.LockTTL())
		return true, row.rewrite(tx, env)
	}
	if row.was.lockExpiresAt != nil {
		// The lock that ran out must go from the table, or its reader would
		// start the count at 0 again.
		return false, row.rewrite(tx, env)
	}
	return false, updateFailures(tx, env, row)
}

// ClearFailures forgets the failures after a success. A lock stays.
func ClearFailures(tx *store.Tx, env *project.Environment, row *Row) error {
	if err := row.hold(tx, env); err != nil {
		return err
	}
	if row.FailedAttempts == 0 || row.Locked(tx.Now) {
		return nil
	}
	row.FailedAttempts = 0
	return updateFailures(tx, env, row)
}

// Unlock ends a user's lock, if there is one, and forgets the failures.
func Unlock(tx *store.Tx, env *project.Environment, userID string) (*Row, error) {
	row, err := ForUpdate(tx, env, userID)
	if err != nil {
		return nil, err
	}
	row.FailedAttempts, row.LockCreatedAt, row.LockExpiresAt = 0, time.Time{}, time.Time{}
	if row.was.lockExpiresAt == nil {
		return row, updateFailures(tx, env, row)
	}
	if err := row.rewrite(tx, env); err != nil {
		return nil, err
	}
	return row, emit(tx, env, event.Event{Type: "user.unlock", UserID: row.UserID})
}

// rewrite writes the row's lock, with the user's factors as they are in the
// table: those that expired are left to Service.Change, which tells the hooks.
func (r *Row) rewrite(tx *store.Tx, env *project.Environment) error {
	u, err := r.was.user()
	if err != nil {
		return err
	}
	if err := write(tx, env, r, u, u); err != nil {
		return err
	}
	return r.settle(tx.Now)
}
