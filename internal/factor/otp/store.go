package otp

import (
	"errors"
	"time"

	"gatehouse/internal/delivery"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

func replace(tx *store.Tx, envID string, c *code) error {
	_, err := tx.Exec(`INSERT INTO passcodes (environment_id, method_id, user_id, channel, code_mac, attempts, ip_address, user_agent,
		session_id, created_at, expires_at, used_at) VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, NULL)
		ON CONFLICT (environment_id, method_id) DO UPDATE SET user_id = excluded.user_id, channel = excluded.channel,
			code_mac = excluded.code_mac, attempts = 0, ip_address = excluded.ip_address, user_agent = excluded.user_agent,
			session_id = excluded.session_id,
			created_at = excluded.created_at, expires_at = excluded.expires_at, used_at = NULL`,
		envID, c.methodID, c.userID, string(c.channel), c.mac, c.attributes.IPAddress, c.attributes.UserAgent,
		c.sessionID, store.Millis(tx.Now), store.Millis(c.expiresAt))
	return err
}

func byMethod(tx *store.Tx, envID, methodID, lock string) (*code, error) {
	c := &code{methodID: methodID}
	var expires int64
	var used *int64
	err := tx.QueryRow(`SELECT user_id, channel, code_mac, attempts, ip_address, user_agent, session_id, expires_at, used_at
		FROM passcodes WHERE environment_id = $1 AND method_id = $2`+lock, envID, methodID).
		Scan(&c.userID, &c.channel, &c.mac, &c.attempts, &c.attributes.IPAddress, &c.attributes.UserAgent, &c.sessionID, &expires, &used)
	c.expiresAt, c.used = store.Time(expires), used != nil
	return c, err
}

// countWrong counts a wrong guess against the code.
func countWrong(tx *store.Tx, envID string, c *code) error {
	_, err := tx.Exec(`UPDATE passcodes SET attempts = attempts + 1 WHERE environment_id = $1 AND method_id = $2 AND code_mac = $3`,
		envID, c.methodID, c.mac)
	return err
}

// take uses the code up. Of several that try at once it tells exactly one true.
func take(tx *store.Tx, envID string, c *code) (bool, error) {
	n, err := tx.Exec(`UPDATE passcodes SET used_at = $4 WHERE environment_id = $1 AND method_id = $2 AND code_mac = $3
		AND used_at IS NULL AND expires_at > $4 AND attempts < $5`, envID, c.methodID, c.mac, store.Millis(tx.Now), int64(maxWrong))
	return n == 1, err
}

func deleteOfMethod(tx *store.Tx, envID, methodID string) error {
	_, err := tx.Exec(`DELETE FROM passcodes WHERE environment_id = $1 AND method_id = $2`, envID, methodID)
	return err
}

func deleteOfUser(tx *store.Tx, envID, userID string) error {
	_, err := tx.Exec(`DELETE FROM passcodes WHERE environment_id = $1 AND user_id = $2`, envID, userID)
	return err
}

func purgeCodes(tx *store.Tx, before time.Time, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM passcodes WHERE expires_at <= $1 AND (environment_id, method_id) IN
		(SELECT environment_id, method_id FROM passcodes WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
		store.Millis(before), int64(budget))
}

// addSent counts a text to a country, unless the rule refuses it. It returns
// the zero time, or the end of the window that is closed. On PostgreSQL the row
// is locked from here to the end of the transaction.
func addSent(tx *store.Tx, env *project.Environment, via delivery.Channel, region string, end time.Time) (until time.Time, err error) {
	after, percent := env.Config.Conversion()
	var sent int64
	err = tx.QueryRow(`INSERT INTO passcode_conversions (environment_id, channel, region, sent, authenticated, ends_at)
		VALUES ($1, $2, $3, 1, 0, $5)
		ON CONFLICT (environment_id, channel, region) DO UPDATE SET
			sent = CASE WHEN passcode_conversions.ends_at <= $4 THEN 1 ELSE passcode_conversions.sent + 1 END,
			authenticated = CASE WHEN passcode_conversions.ends_at <= $4 THEN 0 ELSE passcode_conversions.authenticated END,
			ends_at = CASE WHEN passcode_conversions.ends_at <= $4 THEN $5 ELSE passcode_conversions.ends_at END
		WHERE passcode_conversions.ends_at <= $4 OR passcode_conversions.sent < $6
			OR passcode_conversions.authenticated * 100 >= passcode_conversions.sent * $7
		RETURNING sent`,
		env.ID, string(via), region, store.Millis(tx.Now), store.Millis(end), int64(after), int64(percent)).Scan(&sent)
	if !errors.Is(err, store.ErrNoRows) {
		return time.Time{}, err
	}
	var ends int64
	err = tx.QueryRow(`SELECT ends_at FROM passcode_conversions WHERE environment_id = $1 AND channel = $2 AND region = $3`,
		env.ID, string(via), region).Scan(&ends)
	return store.Time(ends), err
}

func addAuthenticated(tx *store.Tx, envID string, via delivery.Channel, region string) error {
	_, err := tx.Exec(`UPDATE passcode_conversions SET authenticated = authenticated + 1
		WHERE environment_id = $1 AND channel = $2 AND region = $3 AND ends_at > $4`, envID, string(via), region, store.Millis(tx.Now))
	return err
}

func purgeConversions(tx *store.Tx, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM passcode_conversions WHERE ends_at <= $1 AND (environment_id, channel, region) IN
		(SELECT environment_id, channel, region FROM passcode_conversions WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2)`,
		store.Millis(tx.Now), int64(budget))
}
