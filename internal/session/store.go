package session

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"gatehouse/internal/reseal"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

const columns = `s.id, s.user_id, s.token_hash, s.token_sealed, s.version, s.factors, s.attributes, s.custom_claims, s.started_at, s.last_accessed_at, s.expires_at`

// scanned holds the columns that need decoding.
type scanned struct {
	factors, attributes, claims string
	started, accessed, expires  int64
}

func (v *scanned) dest(r *Record) []any {
	return []any{&r.ID, &r.UserID, &r.tokenHash, &r.tokenSealed, &r.Version, &v.factors, &v.attributes, &v.claims, &v.started, &v.accessed, &v.expires}
}

func (v *scanned) into(r *Record) error {
	r.Factors.text = json.RawMessage(v.factors)
	if err := json.Unmarshal([]byte(v.attributes), &r.Attributes); err != nil {
		return err
	}
	r.StartedAt, r.LastAccessedAt, r.ExpiresAt = store.Time(v.started), store.Time(v.accessed), store.Time(v.expires)
	if v.claims == "null" {
		return nil
	}
	return json.Unmarshal([]byte(v.claims), &r.Claims)
}

func scan(row interface{ Scan(...any) error }, envID string) (*Record, error) {
	r, v := &Record{EnvironmentID: envID}, &scanned{}
	if err := row.Scan(v.dest(r)...); err != nil {
		return nil, err
	}
	return r, v.into(r)
}

// selector names one session: by the hash of its token, or by its id.
type selector struct {
	hash []byte
	id   string
}

func (s selector) where() (string, any) {
	if s.hash != nil {
		return `s.token_hash = $2`, s.hash
	}
	return `s.id = $2`, s.id
}

// names reports whether the selector is that of r.
func (s selector) names(r *Record) bool {
	return s.id == r.ID || s.hash != nil && bytes.Equal(s.hash, r.tokenHash)
}

// readWithUser reads a session and its user in one query; store.ErrNoRows when
// there is no such session in the environment.
func readWithUser(tx *store.Tx, envID string, which selector) (*Record, *user.Row, error) {
	where, arg := which.where()
	r, v := &Record{EnvironmentID: envID}, &scanned{}
	row := tx.QueryRow(`SELECT `+columns+`, `+user.RowColumns+`
		FROM sessions s JOIN users u ON u.environment_id = s.environment_id AND u.id = s.user_id
		WHERE s.environment_id = $1 AND `+where, envID, arg)
	u, err := user.ScanRow(tx, row, v.dest(r)...)
	if err != nil {
		return nil, nil, err
	}
	return r, u, v.into(r)
}

// find reads a session as it is, to look at what never changes.
func find(tx *store.Tx, envID string, which selector) (*Record, error) {
	where, arg := which.where()
	return scan(tx.QueryRow(`SELECT `+columns+` FROM sessions s WHERE s.environment_id = $1 AND `+where, envID, arg), envID)
}

// lock reads a session for a change. Lock the user first.
func lock(tx *store.Tx, envID string, which selector) (*Record, error) {
	where, arg := which.where()
	return scan(tx.QueryRow(`SELECT `+columns+` FROM sessions s WHERE s.environment_id = $1 AND `+where+tx.ForUpdate(), envID, arg), envID)
}

// owner is the user of a session, read without a lock so that the user's row
// can be locked before the session's.
func owner(tx *store.Tx, envID string, which selector) (userID string, err error) {
	where, arg := which.where()
	err = tx.QueryRow(`SELECT s.user_id FROM sessions s WHERE s.environment_id = $1 AND `+where, envID, arg).Scan(&userID)
	return userID, err
}

func insert(tx *store.Tx, r *Record) error {
	factors, attributes, claims, err := r.texts()
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO sessions (environment_id, id, user_id, token_hash, token_sealed, version, factors, attributes, custom_claims, started_at, last_accessed_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		r.EnvironmentID, r.ID, r.UserID, r.tokenHash, r.tokenSealed, r.Version, factors, attributes, claims,
		store.Millis(r.StartedAt), store.Millis(r.LastAccessedAt), store.Millis(r.ExpiresAt))
	return err
}

func update(tx *store.Tx, r *Record) error {
	factors, attributes, claims, err := r.texts()
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE sessions SET version = $3, factors = $4, attributes = $5, custom_claims = $6, last_accessed_at = $7, expires_at = $8
		WHERE environment_id = $1 AND id = $2`,
		r.EnvironmentID, r.ID, r.Version, factors, attributes, claims, store.Millis(r.LastAccessedAt), store.Millis(r.ExpiresAt))
	return err
}

func (r *Record) texts() (factors, attributes, claims string, err error) {
	if factors, err = text(r.Factors); err != nil {
		return "", "", "", err
	}
	if attributes, err = text(r.Attributes); err != nil {
		return "", "", "", err
	}
	claims, err = text(r.Claims)
	return factors, attributes, claims, err
}

func text(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

func remove(tx *store.Tx, envID, sessionID string) error {
	_, err := tx.Exec(`DELETE FROM sessions WHERE environment_id = $1 AND id = $2`, envID, sessionID)
	return err
}

// removeOfUser removes all of a user's sessions.
func removeOfUser(tx *store.Tx, envID, userID string) (int64, error) {
	return tx.Exec(`DELETE FROM sessions WHERE environment_id = $1 AND user_id = $2`, envID, userID)
}

// removeOthers removes a user's sessions but one, or all of them for "".
func removeOthers(tx *store.Tx, envID, userID, keepID string) error {
	_, err := tx.Exec(`DELETE FROM sessions WHERE environment_id = $1 AND user_id = $2 AND id <> $3`, envID, userID, keepID)
	return err
}

// lockOfUser reads a user's live sessions for a change. Lock the user first.
func lockOfUser(tx *store.Tx, envID, userID string) ([]*Record, error) {
	return records(tx, envID, `SELECT `+columns+` FROM sessions s
		WHERE s.environment_id = $1 AND s.user_id = $2 AND s.expires_at > $3 ORDER BY s.id`+tx.ForUpdate(), envID, userID, store.Millis(tx.Now))
}

// maxListed bounds the sessions of a user that are shown at once.
const maxListed = 1000

// listActive returns a user's live sessions, oldest first; of very many the
// newest.
func listActive(tx *store.Tx, envID, userID string) ([]*Record, error) {
	list, err := records(tx, envID, `SELECT `+columns+` FROM sessions s
		WHERE s.environment_id = $1 AND s.user_id = $2 AND s.expires_at > $3 ORDER BY s.id DESC LIMIT $4`,
		envID, userID, store.Millis(tx.Now), int64(maxListed))
	slices.Reverse(list)
	return list, err
}

func records(tx *store.Tx, envID, query string, args ...any) ([]*Record, error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*Record
	for rows.Next() {
		r, err := scan(rows, envID)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// Purge removes up to budget sessions that have expired and signing keys that
// nobody needs any more; it returns how many rows went.
func Purge(tx *store.Tx, budget int) (int64, error) {
	// A session may be extended while the statement waits for its row, so the
	// expiry is asked for again.
	n, err := tx.Exec(`DELETE FROM sessions WHERE expires_at <= $1 AND (environment_id, id) IN
		(SELECT environment_id, id FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`, store.Millis(tx.Now), int64(budget))
	if err != nil {
		return 0, err
	}
	k, err := tx.Exec(`DELETE FROM signing_keys WHERE retires_at <= $1`, store.Millis(tx.Now))
	return n + k, err
}

func readKeys(tx *store.Tx, envID string) ([]*Key, error) {
	rows, err := tx.Query(`SELECT id, algorithm, private_sealed, certificate, created_at, signs_at, retires_at
		FROM signing_keys WHERE environment_id = $1 ORDER BY signs_at DESC, id DESC`, envID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []*Key
	for rows.Next() {
		k := &Key{}
		var created, signs int64
		var retires *int64
		if err := rows.Scan(&k.ID, &k.Algorithm, &k.sealed, &k.cert, &created, &signs, &retires); err != nil {
			return nil, err
		}
		k.CreatedAt, k.SignsAt = store.Time(created), store.Time(signs)
		if retires != nil {
			at := store.Time(*retires)
			k.RetiresAt = &at
		}
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

func insertKey(tx *store.Tx, envID string, k *Key) error {
	_, err := tx.Exec(`INSERT INTO signing_keys (environment_id, id, algorithm, private_sealed, certificate, created_at, signs_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, envID, k.ID, k.Algorithm, k.sealed, k.cert, store.Millis(k.CreatedAt), store.Millis(k.SignsAt))
	return err
}

func retireKey(tx *store.Tx, envID string, k *Key) error {
	if k.RetiresAt == nil {
		return nil
	}
	_, err := tx.Exec(`UPDATE signing_keys SET retires_at = $3 WHERE environment_id = $1 AND id = $2`, envID, k.ID, store.Millis(*k.RetiresAt))
	return err
}

// touch records that a session was used, without moving its version.
func touch(tx *store.Tx, envID, sessionID string, at time.Time) error {
	_, err := tx.Exec(`UPDATE sessions SET last_accessed_at = $3 WHERE environment_id = $1 AND id = $2 AND last_accessed_at < $3`,
		envID, sessionID, store.Millis(at))
	return err
}

// Sealed says where session tokens and signing keys are kept.
func Sealed() []reseal.Column {
	return []reseal.Column{
		{Table: "sessions", Key: "id", Name: "token_sealed", Purpose: tokenPurpose},
		{Table: "signing_keys", Key: "id", Name: "private_sealed", Purpose: keyPurpose},
	}
}
