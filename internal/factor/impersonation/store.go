package impersonation

import (
	"time"

	"gatehouse/internal/session"
	"gatehouse/internal/store"
)

func insert(tx *store.Tx, envID string, hash []byte, m *Made, as *session.ImpersonatedFactor) error {
	_, err := tx.Exec(`INSERT INTO impersonations (environment_id, token_hash, id, user_id, impersonator_id, impersonator_email_address, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		envID, hash, m.ID, m.UserID, as.ImpersonatorID, as.ImpersonatorEmailAddress, store.Millis(m.ExpiresAt))
	return err
}

// byHash reads a token; store.ErrNoRows when there is none.
func byHash(tx *store.Tx, envID string, hash []byte) (*session.Impersonation, time.Time, error) {
	found := &session.Impersonation{}
	var expires int64
	err := tx.QueryRow(`SELECT id, user_id, impersonator_id, impersonator_email_address, expires_at FROM impersonations
		WHERE environment_id = $1 AND token_hash = $2`, envID, hash).
		Scan(&found.ID, &found.UserID, &found.As.ImpersonatorID, &found.As.ImpersonatorEmailAddress, &expires)
	return found, store.Time(expires), err
}

// take uses a token up. Of several that try it tells exactly one true.
func take(tx *store.Tx, envID string, hash []byte) (bool, error) {
	n, err := tx.Exec(`DELETE FROM impersonations WHERE environment_id = $1 AND token_hash = $2 AND expires_at > $3`,
		envID, hash, store.Millis(tx.Now))
	return n == 1, err
}

func deleteOfUser(tx *store.Tx, envID, userID string) error {
	_, err := tx.Exec(`DELETE FROM impersonations WHERE environment_id = $1 AND user_id = $2`, envID, userID)
	return err
}

func purge(tx *store.Tx, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM impersonations WHERE (environment_id, token_hash) IN
		(SELECT environment_id, token_hash FROM impersonations WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
		store.Millis(tx.Now), int64(budget))
}
