package totp

import (
	"errors"
	"time"

	"gatehouse/internal/reseal"
	"gatehouse/internal/store"
)

// record is a row of totps.
type record struct {
	userID    string
	id        string
	sealed    []byte
	lastStep  int64
	expiresAt time.Time // zero once a code was taken
}

// over reports whether nobody has finished the enrolment in time.
func (r *record) over(now time.Time) bool { return !r.expiresAt.IsZero() && !now.Before(r.expiresAt) }

// put makes r the one authenticator app of its user.
func put(tx *store.Tx, envID string, r *record) error {
	_, err := tx.Exec(`INSERT INTO totps (environment_id, user_id, id, sealed, last_step, created_at, expires_at)
		VALUES ($1, $2, $3, $4, 0, $5, $6)
		ON CONFLICT (environment_id, user_id) DO UPDATE SET id = excluded.id, sealed = excluded.sealed, last_step = 0,
			created_at = excluded.created_at, expires_at = excluded.expires_at`,
		envID, r.userID, r.id, r.sealed, store.Millis(tx.Now), store.Millis(r.expiresAt))
	return err
}

// byUser returns nil when the user has none. lock ends the query (tx.ForUpdate)
// when the row is about to change.
func byUser(tx *store.Tx, envID, userID, lock string) (*record, error) {
	r := &record{userID: userID}
	var expires *int64
	err := tx.QueryRow(`SELECT id, sealed, last_step, expires_at FROM totps WHERE environment_id = $1 AND user_id = $2`+lock, envID, userID).
		Scan(&r.id, &r.sealed, &r.lastStep, &expires)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	if expires != nil {
		r.expiresAt = store.Time(*expires)
	}
	return r, err
}

// accept takes the code of a step, once, which finishes the enrolment. Of
// several that try with one step or an earlier one it tells exactly one true.
func accept(tx *store.Tx, envID string, r *record, at int64, sealed []byte) (bool, error) {
	n, err := tx.Exec(`UPDATE totps SET last_step = $4, sealed = $5, expires_at = NULL
		WHERE environment_id = $1 AND user_id = $2 AND id = $3 AND last_step < $4 AND (expires_at IS NULL OR expires_at > $6)`,
		envID, r.userID, r.id, at, sealed, store.Millis(tx.Now))
	return n == 1, err
}

// replaceSealed writes what a used recovery code leaves. Of several that begin
// with the same it tells exactly one true.
func replaceSealed(tx *store.Tx, envID string, r *record, sealed []byte) (bool, error) {
	n, err := tx.Exec(`UPDATE totps SET sealed = $5 WHERE environment_id = $1 AND user_id = $2 AND id = $3 AND sealed = $4`,
		envID, r.userID, r.id, r.sealed, sealed)
	return n == 1, err
}

func deleteOfUser(tx *store.Tx, envID, userID string) error {
	_, err := tx.Exec(`DELETE FROM totps WHERE environment_id = $1 AND user_id = $2`, envID, userID)
	return err
}

// purge asks twice how old an enrolment is: on PostgreSQL one that is made anew
// while the statement waits for it stays.
func purge(tx *store.Tx, before time.Time, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM totps WHERE expires_at <= $1 AND (environment_id, user_id) IN
		(SELECT environment_id, user_id FROM totps WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
		store.Millis(before), int64(budget))
}

// Sealed says where the secrets of authenticator apps are kept.
func Sealed() []reseal.Column {
	return []reseal.Column{{Table: "totps", Key: "user_id", Name: "sealed", Purpose: purpose}}
}
