package webauthn

import (
	"encoding/json"
	"errors"
	"time"

	"gatehouse/internal/store"
)

// credentialRecord is a row of webauthn_credentials.
type credentialRecord struct {
	ID                string // the registration id
	CredentialID      []byte
	UserID            string
	Domain            string // the RP ID
	UserHandle        []byte
	PublicKey         []byte // COSE_Key
	Algorithm         int64  // COSE algorithm identifier
	AAGUID            []byte
	AttestationFormat string
	Transports        []string
	AuthenticatorType string // attachmentPlatform, attachmentCrossPlatform or ""
	UserAgent         string
	Discoverable      *bool // nil when the client did not say
	UserVerified      bool  // at registration
	BackupEligible    bool
	BackupState       bool
	SignCount         int64
	CreatedAt         time.Time
	LastUsedAt        time.Time // zero until the first assertion
}

// pendingChallenge is a row of webauthn_challenges: a ceremony under way.
type pendingChallenge struct {
	ID                []byte // SHA-256 of the challenge
	Ceremony          string // ceremonyCreate or ceremonyGet
	UserID            string
	SessionID         string // the session it was started in, "" at the server's door
	Domain            string
	VerifyUser        bool
	UserHandle        []byte // what a new credential will carry
	AuthenticatorType string
	UserAgent         string
	ExpiresAt         time.Time
}

const credentialColumns = `id, credential_id, user_id, domain, user_handle, public_key, algorithm, aaguid, attestation_format,
	transports, authenticator_type, user_agent, discoverable, user_verified, backup_eligible, backup_state, sign_count, created_at, last_used_at`

// insertCredential reports false when the environment has the credential
// already, whoever owns it.
func insertCredential(tx *store.Tx, envID string, c *credentialRecord) (bool, error) {
	transports, err := json.Marshal(c.Transports)
	if err != nil {
		return false, err
	}
	n, err := tx.Exec(`INSERT INTO webauthn_credentials (environment_id, `+credentialColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, NULL)
		ON CONFLICT (environment_id, credential_id) DO NOTHING`,
		envID, c.ID, c.CredentialID, c.UserID, c.Domain, c.UserHandle, c.PublicKey, c.Algorithm, c.AAGUID, c.AttestationFormat,
		string(transports), c.AuthenticatorType, c.UserAgent, c.Discoverable, c.UserVerified, c.BackupEligible, c.BackupState,
		c.SignCount, store.Millis(c.CreatedAt))
	return n == 1, err
}

// credentialByID returns nil when the environment has no such credential.
func credentialByID(tx *store.Tx, envID string, credentialID []byte) (*credentialRecord, error) {
	c, err := scanCredential(tx.QueryRow(`SELECT `+credentialColumns+` FROM webauthn_credentials
		WHERE environment_id = $1 AND credential_id = $2`, envID, credentialID))
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return c, err
}

// credentialsOf lists the credentials of a user for a domain, oldest first.
func credentialsOf(tx *store.Tx, envID, userID, domain string) ([]*credentialRecord, error) {
	rows, err := tx.Query(`SELECT `+credentialColumns+` FROM webauthn_credentials
		WHERE environment_id = $1 AND user_id = $2 AND domain = $3 ORDER BY id`, envID, userID, domain)
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

func scanCredential(from interface{ Scan(dest ...any) error }) (*credentialRecord, error) {
	c := &credentialRecord{}
	var transports string
	var created int64
	var used *int64
	err := from.Scan(&c.ID, &c.CredentialID, &c.UserID, &c.Domain, &c.UserHandle, &c.PublicKey, &c.Algorithm, &c.AAGUID, &c.AttestationFormat,
		&transports, &c.AuthenticatorType, &c.UserAgent, &c.Discoverable, &c.UserVerified, &c.BackupEligible, &c.BackupState,
		&c.SignCount, &created, &used)
	if err != nil {
		return nil, err
	}
	c.CreatedAt = store.Time(created)
	if used != nil {
		c.LastUsedAt = store.Time(*used)
	}
	if transports == "null" {
		return c, nil
	}
	return c, json.Unmarshal([]byte(transports), &c.Transports)
}

// useCredential records an assertion. It reports false, and changes nothing,
// when the counter does not go up or the credential is gone.
func useCredential(tx *store.Tx, envID, id string, a *asserted) (bool, error) {
	n, err := tx.Exec(`UPDATE webauthn_credentials SET sign_count = $3, backup_eligible = $4, backup_state = $5, last_used_at = $6
		WHERE environment_id = $1 AND id = $2 AND (sign_count < $3 OR (sign_count = 0 AND $3 = 0))`,
		envID, id, int64(a.SignCount), a.Flags.HasBackupEligible(), a.Flags.HasBackupState(), store.Millis(tx.Now))
	return n == 1, err
}

// useClone records an assertion whose counter went back, and keeps the higher
// counter: every further use of the one that lags behind shows again.
func useClone(tx *store.Tx, envID, id string, a *asserted) error {
	_, err := tx.Exec(`UPDATE webauthn_credentials SET backup_eligible = $3, backup_state = $4, last_used_at = $5
		WHERE environment_id = $1 AND id = $2`,
		envID, id, a.Flags.HasBackupEligible(), a.Flags.HasBackupState(), store.Millis(tx.Now))
	return err
}

// signCount reports false when the credential is gone.
func signCount(tx *store.Tx, envID, id string) (int64, bool, error) {
	var n int64
	err := tx.QueryRow(`SELECT sign_count FROM webauthn_credentials WHERE environment_id = $1 AND id = $2`, envID, id).Scan(&n)
	if errors.Is(err, store.ErrNoRows) {
		return 0, false, nil
	}
	return n, err == nil, err
}

func deleteCredential(tx *store.Tx, envID, id string) error {
	_, err := tx.Exec(`DELETE FROM webauthn_credentials WHERE environment_id = $1 AND id = $2`, envID, id)
	return err
}

// deleteOfUser removes everything a user has here.
func deleteOfUser(tx *store.Tx, envID, userID string) error {
	if _, err := tx.Exec(`DELETE FROM webauthn_challenges WHERE environment_id = $1 AND user_id = $2`, envID, userID); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM webauthn_credentials WHERE environment_id = $1 AND user_id = $2`, envID, userID)
	return err
}

func insertChallenge(tx *store.Tx, envID string, p *pendingChallenge) error {
	_, err := tx.Exec(`INSERT INTO webauthn_challenges (environment_id, id, ceremony, user_id, session_id, domain, verify_user,
		user_handle, authenticator_type, user_agent, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		envID, p.ID, p.Ceremony, p.UserID, p.SessionID, p.Domain, p.VerifyUser, p.UserHandle, p.AuthenticatorType, p.UserAgent,
		store.Millis(p.ExpiresAt))
	return err
}

// challengeByID returns nil when there is no such ceremony under way. Expiry
// is the caller's to check.
func challengeByID(tx *store.Tx, envID string, id []byte) (*pendingChallenge, error) {
	p := &pendingChallenge{ID: id}
	var expires int64
	err := tx.QueryRow(`SELECT ceremony, user_id, session_id, domain, verify_user, user_handle, authenticator_type, user_agent, expires_at
		FROM webauthn_challenges WHERE environment_id = $1 AND id = $2`, envID, id).
		Scan(&p.Ceremony, &p.UserID, &p.SessionID, &p.Domain, &p.VerifyUser, &p.UserHandle, &p.AuthenticatorType, &p.UserAgent, &expires)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p.ExpiresAt = store.Time(expires)
	return p, nil
}

// takeChallenge ends a ceremony. Of several transactions that try, one gets
// true.
func takeChallenge(tx *store.Tx, envID string, id []byte) (bool, error) {
	n, err := tx.Exec(`DELETE FROM webauthn_challenges WHERE environment_id = $1 AND id = $2`, envID, id)
	return n == 1, err
}

// markUsed records an anonymous challenge as answered. Of several transactions
// that try, one gets true.
func markUsed(tx *store.Tx, envID string, usedID []byte) (bool, error) {
	n, err := tx.Exec(`INSERT INTO webauthn_used_challenges (environment_id, id) VALUES ($1, $2)
		ON CONFLICT (environment_id, id) DO NOTHING`, envID, usedID)
	return n == 1, err
}

// purgeChallenges removes up to budget ceremonies that nobody finished in time.
func purgeChallenges(tx *store.Tx, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM webauthn_challenges WHERE (environment_id, id) IN
		(SELECT environment_id, id FROM webauthn_challenges WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
		store.Millis(tx.Now), int64(budget))
}

// nextUsedEnvironment walks the environments that have used challenges, from
// one to the next in the primary key; "" ends the walk.
func nextUsedEnvironment(tx *store.Tx, after string) (string, error) {
	var envID *string
	err := tx.QueryRow(`SELECT MIN(environment_id) FROM webauthn_used_challenges WHERE environment_id > $1`, after).Scan(&envID)
	if err != nil || envID == nil {
		return "", err
	}
	return *envID, nil
}

// purgeUsed removes up to budget used challenges of one environment whose id,
// which begins with the expiry, lies before the given one.
func purgeUsed(tx *store.Tx, envID string, before []byte, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM webauthn_used_challenges WHERE environment_id = $1 AND id IN
		(SELECT id FROM webauthn_used_challenges WHERE environment_id = $1 AND id < $2 ORDER BY id LIMIT $3)`,
		envID, before, int64(budget))
}
