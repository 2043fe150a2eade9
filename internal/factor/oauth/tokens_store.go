package oauth

import (
	"time"

	"gatehouse/internal/store"
)

const keptColumns = `SELECT environment_id, registration_id, user_id, provider, sealed, expires_at, busy_until, refused_until, used, version
	FROM oauth_provider_tokens WHERE `

func scanKept(from interface{ Scan(dest ...any) error }) (*kept, error) {
	k := &kept{}
	var expires, busy, refused int64
	err := from.Scan(&k.environmentID, &k.registrationID, &k.userID, &k.provider, &k.sealed, &expires, &busy, &refused, &k.used, &k.version)
	k.expires, k.busyUntil, k.refusedUntil = timeOrNone(expires), timeOrNone(busy), timeOrNone(refused)
	return k, err
}

// timeOrNone and millisOrNone are store.Time and store.Millis with 0 for none.
func timeOrNone(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return store.Time(ms)
}

func millisOrNone(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return store.Millis(t)
}

// keptByID reads what is kept of an account, or returns store.ErrNoRows. lock is
// that of the transaction where the row is about to change.
func keptByID(tx *store.Tx, envID, registrationID, lock string) (*kept, error) {
	return scanKept(tx.QueryRow(keptColumns+`environment_id = $1 AND registration_id = $2`+lock, envID, registrationID))
}

// writeKept writes a row whose older version the transaction holds, or a new one.
func writeKept(tx *store.Tx, k *kept) error {
	k.version++
	_, err := tx.Exec(`INSERT INTO oauth_provider_tokens (environment_id, registration_id, user_id, provider, sealed, expires_at,
		busy_until, refused_until, used, version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
		ON CONFLICT (environment_id, registration_id) DO UPDATE SET user_id = excluded.user_id, provider = excluded.provider,
			sealed = excluded.sealed, expires_at = excluded.expires_at, busy_until = excluded.busy_until,
			refused_until = excluded.refused_until, used = excluded.used, version = excluded.version, updated_at = excluded.updated_at`,
		k.environmentID, k.registrationID, k.userID, k.provider, k.sealed, millisOrNone(k.expires), millisOrNone(k.busyUntil),
		millisOrNone(k.refusedUntil), k.used, k.version, store.Millis(tx.Now))
	return err
}

// claimKept reserves the renewal of a row as it was read. Of several that try at
// once it tells exactly one true.
func claimKept(tx *store.Tx, k *kept, until time.Time) (bool, error) {
	n, err := tx.Exec(`UPDATE oauth_provider_tokens SET busy_until = $4, version = version + 1
		WHERE environment_id = $1 AND registration_id = $2 AND version = $3 AND busy_until <= $5`,
		k.environmentID, k.registrationID, k.version, store.Millis(until), store.Millis(tx.Now))
	return n == 1, err
}

// useKept notes that tokens were handed out, and tells whether that was the
// first time.
func useKept(tx *store.Tx, k *kept) (bool, error) {
	n, err := tx.Exec(`UPDATE oauth_provider_tokens SET used = $3 WHERE environment_id = $1 AND registration_id = $2 AND used = $4`,
		k.environmentID, k.registrationID, true, false)
	return n == 1, err
}

func deleteKept(tx *store.Tx, envID, registrationID string) error {
	_, err := tx.Exec(`DELETE FROM oauth_provider_tokens WHERE environment_id = $1 AND registration_id = $2`, envID, registrationID)
	return err
}

func deleteKeptOfUser(tx *store.Tx, envID, userID string) error {
	return deleteIn(tx, `DELETE FROM oauth_provider_tokens WHERE environment_id = $1 AND user_id = $2`, envID, userID)
}

func purgeKept(tx *store.Tx, envID string, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM oauth_provider_tokens WHERE (environment_id, registration_id) IN
		(SELECT environment_id, registration_id FROM oauth_provider_tokens WHERE environment_id = $1 LIMIT $2)`, envID, int64(budget))
}

// forgotten returns providers of which an environment keeps tokens, although it
// has them set up no more. It steps from name to name, and reads few rows
// however many there are.
func forgotten(tx *store.Tx, envID string) ([]string, error) {
	rows, err := tx.Query(`WITH RECURSIVE held (provider) AS (
			SELECT min(provider) FROM oauth_provider_tokens WHERE environment_id = $1
			UNION ALL
			SELECT (SELECT min(k.provider) FROM oauth_provider_tokens k WHERE k.environment_id = $1 AND k.provider > held.provider)
			FROM held WHERE held.provider IS NOT NULL)
		SELECT provider FROM held WHERE provider IS NOT NULL AND NOT EXISTS
			(SELECT 1 FROM oauth_providers p WHERE p.environment_id = $1 AND p.provider = held.provider)`, envID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

func deleteKeptOfProvider(tx *store.Tx, envID, provider string, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM oauth_provider_tokens WHERE (environment_id, registration_id) IN
		(SELECT environment_id, registration_id FROM oauth_provider_tokens WHERE environment_id = $1 AND provider = $2 LIMIT $3)`,
		envID, provider, int64(budget))
}
