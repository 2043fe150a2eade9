package wallet

import (
	"encoding/json"
	"errors"
	"time"

	"gatehouse/internal/store"
)

const challengeColumns = "asker, user_id, creates, wallet_id, session_id, message, siwe, valid_from, expires_at"

// replace writes a challenge in place of the one that the same asker got before.
func replace(tx *store.Tx, envID string, w wallet, c *challenge) error {
	content := ""
	if c.siwe != nil {
		text, err := json.Marshal(c.siwe)
		if err != nil {
			return err
		}
		content = string(text)
	}
	_, err := tx.Exec(`INSERT INTO wallet_challenges (environment_id, wallet, `+challengeColumns+`, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (environment_id, wallet, asker) DO UPDATE SET user_id = excluded.user_id, creates = excluded.creates,
			wallet_id = excluded.wallet_id, session_id = excluded.session_id, message = excluded.message, siwe = excluded.siwe,
			valid_from = excluded.valid_from, expires_at = excluded.expires_at, created_at = excluded.created_at`,
		envID, w.key(), c.asker, c.userID, c.creates, c.walletID, c.sessionID, c.message, content,
		millisOrZero(c.validFrom), store.Millis(c.expires), store.Millis(tx.Now))
	return err
}

// millisOrZero writes the zero time as 0, which is no instant here.
func millisOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return store.Millis(t)
}

// reserved returns the id that an asker was told for a user who is still to be
// made, "" when there is none.
func reserved(tx *store.Tx, envID string, w wallet, asker string) (userID string, err error) {
	err = tx.QueryRow(`SELECT user_id FROM wallet_challenges WHERE environment_id = $1 AND wallet = $2 AND asker = $3 AND creates = TRUE
		AND expires_at > $4`, envID, w.key(), asker, store.Millis(tx.Now)).Scan(&userID)
	if errors.Is(err, store.ErrNoRows) {
		err = nil
	}
	return userID, err
}

// challengesOf returns what a wallet was asked to sign since an instant, at most
// maxCandidates: first what this asker was given, then what users who add the wallet
// were, then the newest.
func challengesOf(tx *store.Tx, envID string, w wallet, asker string, since time.Time) (list []*challenge, err error) {
	rows, err := tx.Query(`SELECT `+challengeColumns+` FROM wallet_challenges WHERE environment_id = $1 AND wallet = $2 AND expires_at > $3
		ORDER BY CASE WHEN asker = $4 THEN 0 WHEN substr(asker, 1, 5) = 'user ' THEN 1 ELSE 2 END, created_at DESC LIMIT $5`,
		envID, w.key(), store.Millis(since), asker, int64(maxCandidates))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		c := &challenge{}
		var content string
		var from, expires int64
		if err := rows.Scan(&c.asker, &c.userID, &c.creates, &c.walletID, &c.sessionID, &c.message, &content, &from, &expires); err != nil {
			return nil, err
		}
		c.validFrom, c.expires = store.Time(from), store.Time(expires)
		if content != "" {
			c.siwe = &siwe{}
			if err := json.Unmarshal([]byte(content), c.siwe); err != nil {
				return nil, err
			}
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// take uses a challenge up. Of several that try at once it tells exactly one true.
func take(tx *store.Tx, envID string, w wallet, c *challenge) (bool, error) {
	n, err := tx.Exec(`DELETE FROM wallet_challenges WHERE environment_id = $1 AND wallet = $2 AND asker = $3 AND message = $4`,
		envID, w.key(), c.asker, c.message)
	return n == 1, err
}

func purgeChallenges(tx *store.Tx, before time.Time, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM wallet_challenges WHERE expires_at <= $1 AND (environment_id, wallet, asker) IN
		(SELECT environment_id, wallet, asker FROM wallet_challenges WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
		store.Millis(before), int64(budget))
}

func deleteOfWallet(tx *store.Tx, envID, userID, walletID string) error {
	if _, err := tx.Exec(`DELETE FROM wallet_challenges WHERE environment_id = $1 AND user_id = $2 AND wallet_id = $3`, envID, userID, walletID); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM wallet_contracts WHERE environment_id = $1 AND wallet_id = $2`, envID, walletID)
	return err
}

func deleteOfUser(tx *store.Tx, envID, userID string) error {
	if _, err := tx.Exec(`DELETE FROM wallet_challenges WHERE environment_id = $1 AND user_id = $2`, envID, userID); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM wallet_contracts WHERE environment_id = $1 AND user_id = $2`, envID, userID)
	return err
}

// contractChain returns the chain on which a wallet was first proven as a
// contract, "" when it was not.
func contractChain(tx *store.Tx, envID, walletID string) (chainID string, err error) {
	err = tx.QueryRow(`SELECT chain_id FROM wallet_contracts WHERE environment_id = $1 AND wallet_id = $2`, envID, walletID).Scan(&chainID)
	if errors.Is(err, store.ErrNoRows) {
		err = nil
	}
	return chainID, err
}

func insertContract(tx *store.Tx, envID, walletID, userID, chainID string) error {
	_, err := tx.Exec(`INSERT INTO wallet_contracts (environment_id, wallet_id, user_id, chain_id) VALUES ($1, $2, $3, $4)`,
		envID, walletID, userID, chainID)
	return err
}
