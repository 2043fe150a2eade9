package biometric

import (
	"errors"
	"time"

	"gatehouse/internal/store"
)

// The two ceremonies, as the table names them.
const (
	ceremonyRegister     = "register"
	ceremonyAuthenticate = "authenticate"
)

// registration is a row of biometric_registrations.
type registration struct {
	ID        string
	UserID    string
	PublicKey []byte // Ed25519, 32 bytes
}

// pending is a row of biometric_challenges: a ceremony under way.
type pending struct {
	RegistrationID string
	Ceremony       string
	UserID         string
	SessionID      string // of a registration: where it has to be finished
	PublicKey      []byte
	Challenge      []byte
	ExpiresAt      time.Time
}

// insertRegistration reports false when the environment has the key already,
// whoever owns it.
func insertRegistration(tx *store.Tx, envID string, r *registration) (bool, error) {
	n, err := tx.Exec(`INSERT INTO biometric_registrations (environment_id, id, user_id, public_key, created_at)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (environment_id, public_key) DO NOTHING`,
		envID, r.ID, r.UserID, r.PublicKey, store.Millis(tx.Now))
	return n == 1, err
}

// registrationByKey returns nil when the environment has no such key.
func registrationByKey(tx *store.Tx, envID string, key []byte) (*registration, error) {
	r := &registration{PublicKey: key}
	err := tx.QueryRow(`SELECT id, user_id FROM biometric_registrations WHERE environment_id = $1 AND public_key = $2`, envID, key).
		Scan(&r.ID, &r.UserID)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return r, err
}

func registrationExists(tx *store.Tx, envID, id string) (bool, error) {
	var n int
	err := tx.QueryRow(`SELECT COUNT(*) FROM biometric_registrations WHERE environment_id = $1 AND id = $2`, envID, id).Scan(&n)
	return n == 1, err
}

// deleteRegistration removes a key and the challenge it waits for an answer to.
func deleteRegistration(tx *store.Tx, envID, id string) error {
	if _, err := tx.Exec(`DELETE FROM biometric_registrations WHERE environment_id = $1 AND id = $2`, envID, id); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM biometric_challenges WHERE environment_id = $1 AND registration_id = $2`, envID, id)
	return err
}

// deleteOfUser removes everything a user has here.
func deleteOfUser(tx *store.Tx, envID, userID string) error {
	if _, err := tx.Exec(`DELETE FROM biometric_registrations WHERE environment_id = $1 AND user_id = $2`, envID, userID); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM biometric_challenges WHERE environment_id = $1 AND user_id = $2`, envID, userID)
	return err
}

// deleteOfSession ends the registrations that were started in a session.
func deleteOfSession(tx *store.Tx, envID, userID, sessionID string) error {
	_, err := tx.Exec(`DELETE FROM biometric_challenges WHERE environment_id = $1 AND user_id = $2 AND session_id = $3`, envID, userID, sessionID)
	return err
}

// putChallenge begins a ceremony, in the place of an earlier one of the same
// registration.
func putChallenge(tx *store.Tx, envID string, p *pending) error {
	_, err := tx.Exec(`INSERT INTO biometric_challenges (environment_id, registration_id, ceremony, user_id, session_id, public_key, challenge, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (environment_id, registration_id) DO UPDATE SET challenge = excluded.challenge, expires_at = excluded.expires_at`,
		envID, p.RegistrationID, p.Ceremony, p.UserID, p.SessionID, p.PublicKey, p.Challenge, store.Millis(p.ExpiresAt))
	return err
}

// challengeOf returns nil when the registration has no such ceremony under way.
// Whether it is in time, takeChallenge says.
func challengeOf(tx *store.Tx, envID, registrationID, ceremony string) (*pending, error) {
	p := &pending{RegistrationID: registrationID, Ceremony: ceremony}
	err := tx.QueryRow(`SELECT user_id, session_id, public_key, challenge FROM biometric_challenges
		WHERE environment_id = $1 AND registration_id = $2 AND ceremony = $3`, envID, registrationID, ceremony).
		Scan(&p.UserID, &p.SessionID, &p.PublicKey, &p.Challenge)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return p, err
}

// takeChallenge ends a ceremony, unless its time is over or a newer challenge has
// taken its place. Of several transactions that try, one gets true.
func takeChallenge(tx *store.Tx, envID string, p *pending) (bool, error) {
	n, err := tx.Exec(`DELETE FROM biometric_challenges
		WHERE environment_id = $1 AND registration_id = $2 AND ceremony = $3 AND challenge = $4 AND expires_at > $5`,
		envID, p.RegistrationID, p.Ceremony, p.Challenge, store.Millis(tx.Now))
	return n == 1, err
}

func purgeChallenges(tx *store.Tx, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM biometric_challenges WHERE expires_at <= $1 AND (environment_id, registration_id) IN
		(SELECT environment_id, registration_id FROM biometric_challenges WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
		store.Millis(tx.Now), int64(budget))
}
