package trusted

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"gatehouse/internal/store"
)

// readProfile returns a profile; lock keeps it from changing meanwhile.
func readProfile(tx *store.Tx, envID, profileID, lock string) (*Profile, error) {
	var text string
	err := tx.QueryRow(`SELECT document FROM trusted_profiles WHERE environment_id = $1 AND profile_id = $2`+lock, envID, profileID).Scan(&text)
	if errors.Is(err, store.ErrNoRows) {
		return nil, errNotFound
	}
	if err != nil {
		return nil, err
	}
	p := &Profile{}
	return p, json.Unmarshal([]byte(text), p)
}

func readProfiles(tx *store.Tx, envID string) ([]*Profile, error) {
	rows, err := tx.Query(`SELECT document FROM trusted_profiles WHERE environment_id = $1 ORDER BY created_at, profile_id`, envID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []*Profile{}
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		p := &Profile{}
		if err := json.Unmarshal([]byte(text), p); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

func writeProfile(tx *store.Tx, envID string, p *Profile) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO trusted_profiles (environment_id, profile_id, document, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (environment_id, profile_id) DO UPDATE SET document = excluded.document`,
		envID, p.ID, string(text), store.Millis(p.CreatedAt))
	return err
}

func deleteProfile(tx *store.Tx, envID, profileID string) error {
	if _, err := tx.Exec(`DELETE FROM trusted_profiles WHERE environment_id = $1 AND profile_id = $2`, envID, profileID); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM trusted_tokens WHERE environment_id = $1 AND profile_id = $2`, envID, profileID)
	return err
}

// use remembers that a token was used, and reports false when it was before. Of
// several that try at once it tells exactly one true.
func use(tx *store.Tx, envID, profileID, tokenID string, issued, expires time.Time) (bool, error) {
	hash := sha256.Sum256([]byte(tokenID))
	n, err := tx.Exec(`INSERT INTO trusted_tokens (environment_id, profile_id, token_id, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (environment_id, profile_id, token_id) DO UPDATE SET issued_at = excluded.issued_at,
			expires_at = CASE WHEN excluded.expires_at > trusted_tokens.expires_at THEN excluded.expires_at ELSE trusted_tokens.expires_at END
		WHERE trusted_tokens.expires_at <= $6 OR trusted_tokens.issued_at < excluded.issued_at`,
		envID, profileID, hash[:], store.Millis(issued), store.Millis(expires), store.Millis(tx.Now))
	return n == 1, err
}

func purgeTokens(tx *store.Tx, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM trusted_tokens WHERE expires_at <= $1 AND (environment_id, profile_id, token_id) IN
		(SELECT environment_id, profile_id, token_id FROM trusted_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
		store.Millis(tx.Now), int64(budget))
}
