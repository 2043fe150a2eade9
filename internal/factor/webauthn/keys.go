package webauthn

import (
	"encoding/json"

	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

var errKey = apierr.New(400, "invalid_webauthn_credential", "The credential of the passkey is not one that an export has written.")

// exported is what is kept of a registration, as an export shows it: all bytes
// in base64.
type exported struct {
	CredentialID      []byte   `json:"credential_id"`
	PublicKey         []byte   `json:"public_key"` // COSE_Key
	Algorithm         int64    `json:"algorithm"`
	UserHandle        []byte   `json:"user_handle"`
	AAGUID            []byte   `json:"aaguid"`
	AttestationFormat string   `json:"attestation_format"`
	Transports        []string `json:"transports"`
	Discoverable      *bool    `json:"discoverable"`
	UserVerified      bool     `json:"user_verified"`
	BackupEligible    bool     `json:"backup_eligible"`
	BackupState       bool     `json:"backup_state"`
	SignCount         int64    `json:"sign_count"`
	CreatedAt         int64    `json:"created_at_ms"`
	LastUsedAt        *int64   `json:"last_used_at_ms"`
	Domain            string   `json:"domain"`
	AuthenticatorType string   `json:"authenticator_type"`
	UserAgent         string   `json:"user_agent"`
}

// KeysOf returns the credentials of a user by the ids of their registrations, so
// that RestoreKey makes the same of them elsewhere. Nothing in it is secret.
func (s *Service) KeysOf(tx *store.Tx, env *project.Environment, userID string) (map[string]json.RawMessage, error) {
	list, err := credentialsOfUser(tx, env.ID, userID)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]json.RawMessage, len(list))
	for _, c := range list {
		e := exported{
			CredentialID: c.CredentialID, PublicKey: c.PublicKey, Algorithm: c.Algorithm, UserHandle: c.UserHandle, AAGUID: c.AAGUID,
			AttestationFormat: c.AttestationFormat, Transports: c.Transports, Discoverable: c.Discoverable, UserVerified: c.UserVerified,
			BackupEligible: c.BackupEligible, BackupState: c.BackupState, SignCount: c.SignCount, CreatedAt: store.Millis(c.CreatedAt),
			Domain: c.Domain, AuthenticatorType: c.AuthenticatorType, UserAgent: c.UserAgent,
		}
		if !c.LastUsedAt.IsZero() {
			at := store.Millis(c.LastUsedAt)
			e.LastUsedAt = &at
		}
		if keys[c.ID], err = json.Marshal(e); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// RestoreKey keeps a credential that KeysOf returned. It returns
// duplicate_webauthn_registration when somebody has it already.
func (s *Service) RestoreKey(tx *store.Tx, env *project.Environment, userID, registrationID string, key json.RawMessage) error {
	var e exported
	if err := json.Unmarshal(key, &e); err != nil {
		return errKey.Because(err)
	}
	public, err := webauthncose.ParsePublicKey(e.PublicKey)
	if err != nil {
		return errKey.Because(err)
	}
	// The bounds of the specification: WebAuthn, sections 4 and 5.4.3.
	if len(e.CredentialID) < 1 || len(e.CredentialID) > 1023 || len(e.UserHandle) < 1 || len(e.UserHandle) > 64 || e.Domain == "" || e.SignCount < 0 || !sameAlgorithm(public, e.Algorithm) {
		return errKey
	}
	c := &credentialRecord{
		ID: registrationID, CredentialID: e.CredentialID, UserID: userID, Domain: e.Domain, UserHandle: e.UserHandle, PublicKey: e.PublicKey,
		Algorithm: e.Algorithm, AAGUID: notNil(e.AAGUID), AttestationFormat: e.AttestationFormat, Transports: e.Transports,
		AuthenticatorType: e.AuthenticatorType, UserAgent: e.UserAgent, Discoverable: e.Discoverable, UserVerified: e.UserVerified,
		BackupEligible: e.BackupEligible, BackupState: e.BackupState, SignCount: e.SignCount, CreatedAt: store.Time(e.CreatedAt),
	}
	ok, err := insertCredential(tx, env.ID, c)
	switch {
	case err != nil:
		return err
	case !ok:
		return errDuplicate
	case e.LastUsedAt == nil:
		return nil
	}
	return setLastUsed(tx, env.ID, registrationID, *e.LastUsedAt)
}

// sameAlgorithm reports whether a public key is one of the algorithm.
func sameAlgorithm(public any, algorithm int64) bool {
	switch key := public.(type) {
	case webauthncose.OKPPublicKeyData:
		return key.Algorithm == algorithm
	case webauthncose.EC2PublicKeyData:
		return key.Algorithm == algorithm
	case webauthncose.RSAPublicKeyData:
		return key.Algorithm == algorithm
	}
	return false
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
