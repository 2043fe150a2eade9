package biometric

import (
	"encoding/json"

	"gatehouse/internal/store"
)

func keysOf(tx *store.Tx, envID, userID string) (map[string]json.RawMessage, error) {
	rows, err := tx.Query(`SELECT id, public_key, created_at FROM biometric_registrations WHERE environment_id = $1 AND user_id = $2`, envID, userID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	keys := map[string]json.RawMessage{}
	for rows.Next() {
		var id string
		var e exported
		if err := rows.Scan(&id, &e.PublicKey, &e.CreatedAt); err != nil {
			return nil, err
		}
		if keys[id], err = json.Marshal(e); err != nil {
			return nil, err
		}
	}
	return keys, rows.Err()
}

// restore reports false when the environment has the key already.
func restore(tx *store.Tx, envID, userID, id string, e *exported) (bool, error) {
	n, err := tx.Exec(`INSERT INTO biometric_registrations (environment_id, id, user_id, public_key, created_at)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (environment_id, public_key) DO NOTHING`, envID, id, userID, e.PublicKey, e.CreatedAt)
	return n == 1, err
}
