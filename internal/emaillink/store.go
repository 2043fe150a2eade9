package emaillink

import (
	"time"

	"gatehouse/internal/store"
)

func insert(tx *store.Tx, envID string, l *Link) error {
	_, err := tx.Exec(`INSERT INTO email_links (environment_id, token_hash, kind, user_id, method_id, destination, code_challenge,
		ip_address, user_agent, session_id, browser_hash, created_at, expires_at, used_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, NULL)`,
		envID, l.hash, string(l.Kind), l.UserID, l.MethodID, l.Destination, l.CodeChallenge, l.IPAddress, l.UserAgent,
		l.SessionID, l.browserHash, store.Millis(tx.Now), store.Millis(l.ExpiresAt))
	return err
}

func byHash(tx *store.Tx, envID string, hash []byte) (*Link, error) {
	l := &Link{hash: hash}
	var expires int64
	var used *int64
	err := tx.QueryRow(`SELECT kind, user_id, method_id, destination, code_challenge, ip_address, user_agent, session_id, browser_hash,
		expires_at, used_at FROM email_links WHERE environment_id = $1 AND token_hash = $2`, envID, hash).
		Scan(&l.Kind, &l.UserID, &l.MethodID, &l.Destination, &l.CodeChallenge, &l.IPAddress, &l.UserAgent, &l.SessionID, &l.browserHash,
			&expires, &used)
	l.ExpiresAt, l.used = store.Time(expires), used != nil
	return l, err
}

func take(tx *store.Tx, envID string, hash []byte) (bool, error) {
	n, err := tx.Exec(`UPDATE email_links SET used_at = $3
		WHERE environment_id = $1 AND token_hash = $2 AND used_at IS NULL AND expires_at > $3`, envID, hash, store.Millis(tx.Now))
	return n == 1, err
}

func takeAll(tx *store.Tx, envID, userID string, kind Kind) error {
	_, err := tx.Exec(`UPDATE email_links SET used_at = $4
		WHERE environment_id = $1 AND user_id = $2 AND kind = $3 AND used_at IS NULL`, envID, userID, string(kind), store.Millis(tx.Now))
	return err
}

func deleteOfMethod(tx *store.Tx, envID, userID, methodID string) error {
	_, err := tx.Exec(`DELETE FROM email_links WHERE environment_id = $1 AND user_id = $2 AND method_id = $3`, envID, userID, methodID)
	return err
}

func deleteOthers(tx *store.Tx, envID, userID, methodID string) (int64, error) {
	return tx.Exec(`DELETE FROM email_links WHERE environment_id = $1 AND user_id = $2 AND method_id <> $3`, envID, userID, methodID)
}

func deleteOfUser(tx *store.Tx, envID, userID string) error {
	_, err := tx.Exec(`DELETE FROM email_links WHERE environment_id = $1 AND user_id = $2`, envID, userID)
	return err
}

func purge(tx *store.Tx, before time.Time, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM email_links WHERE (environment_id, token_hash) IN
		(SELECT environment_id, token_hash FROM email_links WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
		store.Millis(before), int64(budget))
}
