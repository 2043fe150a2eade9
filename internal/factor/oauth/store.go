package oauth

import (
	"errors"

	"gatehouse/internal/store"
)

// readProviders reads the providers of an environment. lock is tx.ForUpdate() for
// whoever changes one, so that two follow one another.
func readProviders(tx *store.Tx, envID, lock string) ([]*ProviderInfo, error) {
	rows, err := tx.Query(`SELECT provider, client_id, enabled, sealed, created_at, updated_at FROM oauth_providers
		WHERE environment_id = $1 ORDER BY provider`+lock, envID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*ProviderInfo
	for rows.Next() {
		p := &ProviderInfo{}
		var created, updated int64
		if err := rows.Scan(&p.Name, &p.ClientID, &p.Enabled, &p.sealed, &created, &updated); err != nil {
			return nil, err
		}
		p.CreatedAt, p.UpdatedAt = store.Time(created), store.Time(updated)
		list = append(list, p)
	}
	return list, rows.Err()
}

func writeProvider(tx *store.Tx, envID string, p *ProviderInfo) error {
	_, err := tx.Exec(`INSERT INTO oauth_providers (environment_id, provider, client_id, enabled, sealed, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $6)
		ON CONFLICT (environment_id, provider) DO UPDATE SET client_id = excluded.client_id, enabled = excluded.enabled,
			sealed = excluded.sealed, updated_at = excluded.updated_at`,
		envID, p.Name, p.ClientID, p.Enabled, p.sealed, store.Millis(tx.Now))
	return err
}

func switchProvider(tx *store.Tx, envID, name string, enabled bool) (int64, error) {
	return tx.Exec(`UPDATE oauth_providers SET enabled = $3, updated_at = $4 WHERE environment_id = $1 AND provider = $2`,
		envID, name, enabled, store.Millis(tx.Now))
}

func deleteProvider(tx *store.Tx, envID, name string) (int64, error) {
	return tx.Exec(`DELETE FROM oauth_providers WHERE environment_id = $1 AND provider = $2`, envID, name)
}

func insertFlow(tx *store.Tx, envID string, f *flow) error {
	_, err := tx.Exec(`INSERT INTO oauth_flows (environment_id, state_hash, provider, browser_hash, login_url, signup_url, code_challenge,
		user_id, session_id, sealed, created_at, expires_at, used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, NULL)`,
		envID, f.hash, f.provider, f.browserHash, f.login, f.signup, f.challenge, f.userID, f.sessionID, f.sealed,
		store.Millis(tx.Now), store.Millis(f.expires))
	return err
}

func flowByHash(tx *store.Tx, envID string, hash []byte) (*flow, error) {
	f := &flow{hash: hash}
	var expires int64
	var used *int64
	err := tx.QueryRow(`SELECT provider, browser_hash, login_url, signup_url, code_challenge, user_id, session_id, sealed, expires_at, used_at
		FROM oauth_flows WHERE environment_id = $1 AND state_hash = $2`, envID, hash).
		Scan(&f.provider, &f.browserHash, &f.login, &f.signup, &f.challenge, &f.userID, &f.sessionID, &f.sealed, &expires, &used)
	f.expires, f.used = store.Time(expires), used != nil
	return f, err
}

// takeFlow uses a flow up. Of several that try at once it tells exactly one true.
func takeFlow(tx *store.Tx, envID string, hash []byte) (bool, error) {
	n, err := tx.Exec(`UPDATE oauth_flows SET used_at = $3
		WHERE environment_id = $1 AND state_hash = $2 AND used_at IS NULL AND expires_at > $3`, envID, hash, store.Millis(tx.Now))
	return n == 1, err
}

func insertToken(tx *store.Tx, envID string, k *ticket) error {
	_, err := tx.Exec(`INSERT INTO oauth_tokens (environment_id, token_hash, provider, code_challenge, user_id, session_id, sealed,
		created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		envID, k.hash, k.provider, k.challenge, k.userID, k.sessionID, k.sealed, store.Millis(tx.Now), store.Millis(k.expires))
	return err
}

// tokenByHash reads a token that can still be used, or returns store.ErrNoRows.
func tokenByHash(tx *store.Tx, envID string, hash []byte) (*ticket, error) {
	k := &ticket{hash: hash}
	var expires int64
	err := tx.QueryRow(`SELECT provider, code_challenge, user_id, session_id, sealed, expires_at, EXISTS (SELECT 1 FROM oauth_providers p
			WHERE p.environment_id = t.environment_id AND p.provider = t.provider AND p.enabled)
		FROM oauth_tokens t WHERE environment_id = $1 AND token_hash = $2 AND expires_at > $3`, envID, hash, store.Millis(tx.Now)).
		Scan(&k.provider, &k.challenge, &k.userID, &k.sessionID, &k.sealed, &expires, &k.enabled)
	k.expires = store.Time(expires)
	return k, err
}

// takeToken uses a token up, and with it what it kept. Of several that try at
// once it tells exactly one true.
func takeToken(tx *store.Tx, envID string, hash []byte) (bool, error) {
	n, err := tx.Exec(`DELETE FROM oauth_tokens WHERE environment_id = $1 AND token_hash = $2 AND expires_at > $3`,
		envID, hash, store.Millis(tx.Now))
	return n == 1, err
}

func insertAttachment(tx *store.Tx, envID string, a *attachment) error {
	_, err := tx.Exec(`INSERT INTO oauth_attachments (environment_id, token_hash, provider, user_id, session_id, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, envID, a.hash, a.provider, a.userID, a.sessionID, store.Millis(tx.Now), store.Millis(a.expires))
	return err
}

// takeAttachment uses up what asks for an account of a provider to be added, or
// returns store.ErrNoRows.
func takeAttachment(tx *store.Tx, envID string, hash []byte, provider string) (*attachment, error) {
	a := &attachment{hash: hash, provider: provider}
	err := tx.QueryRow(`SELECT user_id, session_id FROM oauth_attachments
		WHERE environment_id = $1 AND token_hash = $2 AND provider = $3 AND expires_at > $4`, envID, hash, provider, store.Millis(tx.Now)).
		Scan(&a.userID, &a.sessionID)
	if err != nil {
		return nil, err
	}
	n, err := tx.Exec(`DELETE FROM oauth_attachments WHERE environment_id = $1 AND token_hash = $2`, envID, hash)
	if err == nil && n == 0 {
		err = store.ErrNoRows // another request was faster
	}
	return a, err
}

func deleteOfUser(tx *store.Tx, envID, userID string) error {
	return errors.Join(
		deleteIn(tx, `DELETE FROM oauth_attachments WHERE environment_id = $1 AND user_id = $2 AND user_id <> ''`, envID, userID),
		deleteIn(tx, `DELETE FROM oauth_tokens WHERE environment_id = $1 AND user_id = $2 AND user_id <> ''`, envID, userID),
		deleteIn(tx, `DELETE FROM oauth_flows WHERE environment_id = $1 AND user_id = $2 AND user_id <> ''`, envID, userID),
	)
}

// deleteUnproven ends what adds an account to a user in no session of theirs.
func deleteUnproven(tx *store.Tx, envID, userID string) error {
	return errors.Join(
		deleteIn(tx, `DELETE FROM oauth_attachments WHERE environment_id = $1 AND user_id = $2 AND user_id <> '' AND session_id = ''`, envID, userID),
		deleteIn(tx, `DELETE FROM oauth_flows WHERE environment_id = $1 AND user_id = $2 AND user_id <> '' AND session_id = ''`, envID, userID),
		deleteIn(tx, `DELETE FROM oauth_tokens WHERE environment_id = $1 AND user_id = $2 AND user_id <> '' AND session_id = ''`, envID, userID),
	)
}

func deleteIn(tx *store.Tx, statement, envID, userID string) error {
	_, err := tx.Exec(statement, envID, userID)
	return err
}

func purgeFlows(tx *store.Tx, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM oauth_flows WHERE (environment_id, state_hash) IN
		(SELECT environment_id, state_hash FROM oauth_flows WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
		store.Millis(tx.Now.Add(-keepFor)), int64(budget))
}

func purgeTokens(tx *store.Tx, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM oauth_tokens WHERE (environment_id, token_hash) IN
		(SELECT environment_id, token_hash FROM oauth_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
		store.Millis(tx.Now), int64(budget))
}

func purgeAttachments(tx *store.Tx, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM oauth_attachments WHERE (environment_id, token_hash) IN
		(SELECT environment_id, token_hash FROM oauth_attachments WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
		store.Millis(tx.Now), int64(budget))
}
