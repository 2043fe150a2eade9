package oauth

import "gatehouse/internal/store"

func allCredentials(tx *store.Tx) ([]*sealedCredentials, error) {
	rows, err := tx.Query(`SELECT environment_id, provider, sealed FROM oauth_providers ORDER BY environment_id, provider`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*sealedCredentials
	for rows.Next() {
		c := &sealedCredentials{}
		if err := rows.Scan(&c.environmentID, &c.provider, &c.sealed); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// replaceCredentials writes credentials sealed anew, unless they have become
// others meanwhile.
func replaceCredentials(tx *store.Tx, was *sealedCredentials, sealed []byte) error {
	_, err := tx.Exec(`UPDATE oauth_providers SET sealed = $4 WHERE environment_id = $1 AND provider = $2 AND sealed = $3`,
		was.environmentID, was.provider, was.sealed, sealed)
	return err
}
