package webauthn

import "gatehouse/internal/store"

// credentialsOfUser lists the credentials of a user for all domains, oldest
// first.
func credentialsOfUser(tx *store.Tx, envID, userID string) ([]*credentialRecord, error) {
	rows, err := tx.Query(`SELECT `+credentialColumns+` FROM webauthn_credentials
		WHERE environment_id = $1 AND user_id = $2 ORDER BY id`, envID, userID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*credentialRecord
	for rows.Next() {
		c, err := scanCredential(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

func setLastUsed(tx *store.Tx, envID, id string, at int64) error {
	_, err := tx.Exec(`UPDATE webauthn_credentials SET last_used_at = $3 WHERE environment_id = $1 AND id = $2`, envID, id, at)
	return err
}
