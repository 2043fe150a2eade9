package user

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

const (
	selectByID         = "SELECT " + RowColumns + " FROM users u WHERE u.environment_id = $1 AND u.id = $2"
	selectByExternalID = "SELECT " + RowColumns + " FROM users u WHERE u.environment_id = $1 AND u.external_id = $2"

	selectThroughFactor = "SELECT " + RowColumns + ` FROM user_factors f
		JOIN users u ON u.environment_id = f.environment_id AND u.id = f.user_id
		WHERE f.environment_id = $1 AND (f.expires_at IS NULL OR f.expires_at > $2)`
	selectByFactor = selectThroughFactor + " AND f.id = $3"
	// A value that was added and is not proven yet is nobody's to be found by.
	selectByValue = "SELECT " + RowColumns + ` FROM user_factors f
		JOIN users u ON u.environment_id = f.environment_id AND u.id = f.user_id
		WHERE f.environment_id = $1 AND f.expires_at IS NULL AND f.kind = $2 AND f.value = $3`
)

func insertUser(tx *store.Tx, env *project.Environment, r *Row, u *User) error {
	_, err := tx.Exec(`INSERT INTO users (environment_id, id, status, external_id, version, created_at, updated_at,
		failed_attempts, lock_created_at, lock_expires_at, expiries, changes_at, document)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		env.ID, r.UserID, r.Status, u.ExternalID, r.Version, store.Millis(time.Time(u.CreatedAt)), store.Millis(tx.Now),
		r.FailedAttempts, r.was.lockCreatedAt, r.was.lockExpiresAt, r.was.expiries, r.was.changesAt, r.was.document)
	if store.IsUnique(err) {
		return errDuplicateExternal.Because(err)
	}
	if err != nil {
		return err
	}
	return count(tx, env, r.UserID, 1)
}

func updateUser(tx *store.Tx, env *project.Environment, r *Row, u *User) error {
	_, err := tx.Exec(`UPDATE users SET status = $3, external_id = $4, version = $5, updated_at = $6,
		failed_attempts = $7, lock_created_at = $8, lock_expires_at = $9, expiries = $10, changes_at = $11, document = $12
		WHERE environment_id = $1 AND id = $2`,
		env.ID, r.UserID, r.Status, u.ExternalID, r.Version, store.Millis(tx.Now),
		r.FailedAttempts, r.was.lockCreatedAt, r.was.lockExpiresAt, r.was.expiries, r.was.changesAt, r.was.document)
	if store.IsUnique(err) {
		return errDuplicateExternal.Because(err)
	}
	return err
}

// updateFailures counts without touching the document or its version.
func updateFailures(tx *store.Tx, env *project.Environment, r *Row) error {
	_, err := tx.Exec("UPDATE users SET failed_attempts = $3 WHERE environment_id = $1 AND id = $2", env.ID, r.UserID, r.FailedAttempts)
	return err
}

func deleteUser(tx *store.Tx, env *project.Environment, userID string) error {
	for _, statement := range []string{
		"DELETE FROM user_terms WHERE environment_id = $1 AND user_id = $2",
		// Naming every kind and flag leads through the index that ends in user_id.
		`DELETE FROM user_factors WHERE environment_id = $1 AND user_id = $2 AND verified IN (TRUE, FALSE)
			AND kind IN ('email', 'phone', 'webauthn', 'oauth', 'totp', 'wallet', 'biometric', 'password')`,
		"DELETE FROM users WHERE environment_id = $1 AND id = $2",
	} {
		if _, err := tx.Exec(statement, env.ID, userID); err != nil {
			return err
		}
	}
	return count(tx, env, userID, -1)
}

// shardOf is which of 16 rows counts the user: the last digit of its id.
func shardOf(userID string) int {
	return strings.IndexByte("0123456789abcdef", userID[len(userID)-1])
}

// count moves the number of users. The row to move follows from the id, so
// that a user is taken from where it was added.
func count(tx *store.Tx, env *project.Environment, userID string, by int) error {
	_, err := tx.Exec(`INSERT INTO user_counts (environment_id, shard, users) VALUES ($1, $2, $3)
		ON CONFLICT (environment_id, shard) DO UPDATE SET users = user_counts.users + $3`,
		env.ID, shardOf(userID), by)
	return err
}

// Count returns how many users the environment has, at the cost of a few rows.
func Count(tx *store.Tx, env *project.Environment) (n int64, err error) {
	err = tx.QueryRow("SELECT CAST(COALESCE(SUM(users), 0) AS BIGINT) FROM user_counts WHERE environment_id = $1", env.ID).Scan(&n)
	return n, err
}

// valueHolder returns who has the factor's value and until when.
func valueHolder(tx *store.Tx, env *project.Environment, f Factor) (userID string, expires *int64, err error) {
	err = tx.QueryRow("SELECT user_id, expires_at FROM user_factors WHERE environment_id = $1 AND kind = $2 AND value = $3",
		env.ID, f.Kind, f.Value).Scan(&userID, &expires)
	return userID, expires, err
}

func externalHolder(tx *store.Tx, env *project.Environment, externalID string) (userID string, err error) {
	err = tx.QueryRow("SELECT id FROM users WHERE environment_id = $1 AND external_id = $2", env.ID, externalID).Scan(&userID)
	return userID, err
}

// insertFactor returns the kind's duplicate verdict when another transaction
// claimed the value since checkClaims looked.
func insertFactor(tx *store.Tx, env *project.Environment, userID string, f Factor) error {
	var value *string
	if f.Value != "" {
		value = &f.Value
	}
	_, err := tx.Exec(`INSERT INTO user_factors (environment_id, kind, id, value, user_id, verified, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, env.ID, f.Kind, f.ID, value, userID, f.Verified, millis(f.ExpiresAt))
	if verdict := kinds[f.Kind].duplicate; verdict != nil && store.IsUnique(err) {
		return verdict.Because(err)
	}
	return err
}

func updateFactor(tx *store.Tx, env *project.Environment, f Factor) error {
	_, err := tx.Exec("UPDATE user_factors SET verified = $3, expires_at = $4 WHERE environment_id = $1 AND id = $2",
		env.ID, f.ID, f.Verified, millis(f.ExpiresAt))
	return err
}

func deleteFactor(tx *store.Tx, env *project.Environment, f Factor) error {
	_, err := tx.Exec("DELETE FROM user_factors WHERE environment_id = $1 AND id = $2", env.ID, f.ID)
	return err
}

// termsPerInsert bounds the texts that one statement can have.
const termsPerInsert = 16

func insertTerms(tx *store.Tx, env *project.Environment, userID string, terms []term) error {
	for len(terms) > 0 {
		n := min(len(terms), termsPerInsert)
		args := make([]any, 0, 2+2*n)
		args = append(args, env.ID, userID)
		var rows strings.Builder
		for i, t := range terms[:n] {
			if i > 0 {
				rows.WriteByte(',')
			}
			fmt.Fprintf(&rows, " ($1, $2, $%d, $%d)", len(args)+1, len(args)+2)
			args = append(args, t.kind, t.text)
		}
		if _, err := tx.Exec("INSERT INTO user_terms (environment_id, user_id, kind, term) VALUES"+rows.String(), args...); err != nil {
			return err
		}
		terms = terms[n:]
	}
	return nil
}

func deleteTerms(tx *store.Tx, env *project.Environment, userID string, terms []term) error {
	for _, t := range terms {
		_, err := tx.Exec("DELETE FROM user_terms WHERE environment_id = $1 AND kind = $2 AND term = $3 AND user_id = $4",
			env.ID, t.kind, t.text, userID)
		if err != nil {
			return err
		}
	}
	return nil
}

// overdueUsers lists users whom the clock has changed since they were written.
func overdueUsers(tx *store.Tx, env *project.Environment, limit int) ([]string, error) {
	return texts(tx.Query("SELECT id FROM users WHERE environment_id = $1 AND changes_at <= $2 ORDER BY changes_at LIMIT $3",
		env.ID, store.Millis(tx.Now), limit))
}

// After lists at most limit users in the order of their ids, from the one that
// follows userID on; "" is before the first. It reads everybody in steps.
func After(tx *store.Tx, env *project.Environment, userID string, limit int) ([]*Row, error) {
	rows, err := tx.Query("SELECT "+RowColumns+" FROM users u WHERE u.environment_id = $1 AND u.id > $2 ORDER BY u.id LIMIT $3",
		env.ID, userID, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*Row
	for rows.Next() {
		row, err := ScanRow(tx, rows)
		if err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

// texts reads a result of one text column.
func texts(rows *store.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}
