package biometric

import (
	"encoding/json"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

var (
	errCredential = apierr.New(400, "invalid_biometric_credential", "The credential of the biometric registration is not one that an export has written.")
	errKeyTaken   = apierr.New(400, "duplicate_biometric_registration", "The public key of the biometric registration belongs to another registration.")
)

// exported is what is kept of a registration, as an export shows it.
type exported struct {
	PublicKey []byte `json:"public_key"` // Ed25519, in base64
	CreatedAt int64  `json:"created_at_ms"`
}

// KeysOf returns the public keys of a user by the ids of their registrations, so
// that RestoreKey makes the same of them elsewhere. Nothing in it is secret.
func (s *Service) KeysOf(tx *store.Tx, env *project.Environment, userID string) (map[string]json.RawMessage, error) {
	return keysOf(tx, env.ID, userID)
}

// RestoreKey keeps a public key that KeysOf returned. It returns
// duplicate_biometric_registration when somebody has it already.
func (s *Service) RestoreKey(tx *store.Tx, env *project.Environment, userID, registrationID string, key json.RawMessage) error {
	var e exported
	if err := json.Unmarshal(key, &e); err != nil || !isKey(e.PublicKey) {
		return errCredential.Because(err)
	}
	ok, err := restore(tx, env.ID, userID, registrationID, &e)
	if err == nil && !ok {
		return errKeyTaken
	}
	return err
}
