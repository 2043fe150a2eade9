package oauth

import (
	"time"

	"gatehouse/internal/store"
)

// insertIDToken notes the use of an id_token. Of several it tells exactly one
// true.
func insertIDToken(tx *store.Tx, envID string, hash []byte, expires time.Time) (bool, error) {
	n, err := tx.Exec(`INSERT INTO oauth_id_tokens (environment_id, token_hash, expires_at) VALUES ($1, $2, $3)
		ON CONFLICT (environment_id, token_hash) DO NOTHING`, envID, hash, store.Millis(expires))
	return n == 1, err
}

func purgeIDTokens(tx *store.Tx, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM oauth_id_tokens WHERE (environment_id, token_hash) IN
		(SELECT environment_id, token_hash FROM oauth_id_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
		store.Millis(tx.Now), int64(budget))
}
