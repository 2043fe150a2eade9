package password

import (
	"errors"

	"gatehouse/internal/reseal"
	"gatehouse/internal/store"
)

// record is a password as it is kept.
type record struct {
	userID  string
	sealed  []byte
	version int64 // of the password, whatever hash it has
}

// recordOf returns nil for a user without a password.
func recordOf(tx *store.Tx, envID, userID string) (*record, error) {
	r := &record{userID: userID}
	err := tx.QueryRow(`SELECT hash_sealed, version FROM passwords WHERE environment_id = $1 AND user_id = $2`, envID, userID).
		Scan(&r.sealed, &r.version)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return r, err
}

// put sets a user's password and reports whether it took the place of another.
// It looks first: SQLite copies pages for an upsert that returns something.
func put(tx *store.Tx, envID, userID string, sealed []byte) (replaced bool, err error) {
	old, err := recordOf(tx, envID, userID)
	if err != nil {
		return false, err
	}
	_, err = tx.Exec(`INSERT INTO passwords (environment_id, user_id, hash_sealed, version, created_at, updated_at) VALUES ($1, $2, $3, 1, $4, $4)
		ON CONFLICT (environment_id, user_id) DO UPDATE SET hash_sealed = excluded.hash_sealed, version = passwords.version + 1,
			updated_at = excluded.updated_at`, envID, userID, sealed, store.Millis(tx.Now))
	return old != nil, err
}

// rehash puts another hash of the same password in place of the one in r, unless
// the password has changed since.
func rehash(tx *store.Tx, envID string, r *record, sealed []byte) error {
	_, err := tx.Exec(`UPDATE passwords SET hash_sealed = $4 WHERE environment_id = $1 AND user_id = $2 AND version = $3`,
		envID, r.userID, r.version, sealed)
	return err
}

func deleteOfUser(tx *store.Tx, envID, userID string) error {
	_, err := tx.Exec(`DELETE FROM passwords WHERE environment_id = $1 AND user_id = $2`, envID, userID)
	return err
}

// Sealed says where hashes are kept.
func Sealed() []reseal.Column {
	return []reseal.Column{{Table: "passwords", Key: "user_id", Name: "hash_sealed", Purpose: sealPurpose}}
}
