package ratelimit

import (
	"errors"
	"time"

	"gatehouse/internal/store"
)

// take counts one and returns the zero time, or counts nothing and returns
// the end of the window that is used up. On PostgreSQL the row is locked from
// here to the end of the transaction, so that callers at the same instant are
// counted one after the other.
func take(tx *store.Tx, r Rule, environmentID string, key Key) (until time.Time, err error) {
	var taken int64
	err = tx.QueryRow(`INSERT INTO rate_limits (environment_id, rule, key, taken, ends_at) VALUES ($1, $2, $3, 1, $5)
		ON CONFLICT (environment_id, rule, key) DO UPDATE SET
			taken = CASE WHEN rate_limits.ends_at <= $4 THEN 1 ELSE rate_limits.taken + 1 END,
			ends_at = CASE WHEN rate_limits.ends_at <= $4 THEN $5 ELSE rate_limits.ends_at END
		WHERE rate_limits.ends_at <= $4 OR rate_limits.taken < $6 RETURNING taken`,
		environmentID, r.Name, key[:], store.Millis(tx.Now), store.Millis(r.end(tx.Now)), int64(r.Limit)).Scan(&taken)
	if !errors.Is(err, store.ErrNoRows) {
		return time.Time{}, err
	}
	var end int64
	err = tx.QueryRow(`SELECT ends_at FROM rate_limits WHERE environment_id = $1 AND rule = $2 AND key = $3`,
		environmentID, r.Name, key[:]).Scan(&end)
	return store.Time(end), err
}

// purge asks twice whether a window is over: on PostgreSQL a row that was taken
// from while the statement waited for it would otherwise go with its new count.
func purge(tx *store.Tx, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM rate_limits WHERE ends_at <= $1 AND (environment_id, rule, key) IN
		(SELECT environment_id, rule, key FROM rate_limits WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2)`, store.Millis(tx.Now), int64(budget))
}
