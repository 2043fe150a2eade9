package bulk

import (
	"encoding/json"

	"gatehouse/internal/user"
)

// stytchUser is a user of Stytch's Consumer product as POST /v1/users/search
// returns it. The fields are ours, so that a user keeps all ids.
type stytchUser struct {
	UserID                 string                      `json:"user_id"`
	ExternalID             *string                     `json:"external_id"`
	Status                 string                      `json:"status"`
	CreatedAt              string                      `json:"created_at"`
	Name                   *user.Name                  `json:"name"`
	Emails                 []user.Email                `json:"emails"`
	PhoneNumbers           []user.PhoneNumber          `json:"phone_numbers"`
	Providers              []user.OAuthProvider        `json:"providers"`
	CryptoWallets          []CryptoWallet              `json:"crypto_wallets"`
	WebAuthnRegistrations  []user.WebAuthnRegistration `json:"webauthn_registrations"`
	BiometricRegistrations []json.RawMessage           `json:"biometric_registrations"`
	TOTPs                  []json.RawMessage           `json:"totps"`
	Password               *Password                   `json:"password"`
	Roles                  []string                    `json:"roles"`
	TrustedMetadata        json.RawMessage             `json:"trusted_metadata"`
	UntrustedMetadata      json.RawMessage             `json:"untrusted_metadata"`
}

func stytchRecord(_ *Options, raw []byte) (*Record, error) {
	var s stytchUser
	if err := decode(raw, &s); err != nil {
		return nil, err
	}
	r := &Record{
		UserID: s.UserID, Status: s.Status, Name: s.Name, Emails: s.Emails, PhoneNumbers: s.PhoneNumbers, Providers: s.Providers,
		CryptoWallets: s.CryptoWallets, Password: s.Password, TrustedMetadata: s.TrustedMetadata, UntrustedMetadata: s.UntrustedMetadata,
	}
	if s.ExternalID != nil {
		r.ExternalID = *s.ExternalID
	}
	for _, role := range s.Roles {
		if role != "stytch_user" { // which everybody has
			r.Roles = append(r.Roles, role)
		}
	}
	for _, left := range []struct { // their keys and seeds do not leave Stytch
		field string
		n     int
	}{
		{"webauthn_registrations", len(s.WebAuthnRegistrations)}, {"biometric_registrations", len(s.BiometricRegistrations)}, {"totps", len(s.TOTPs)},
	} {
		if left.n > 0 {
			r.leave(left.field)
		}
	}
	var err error
	r.CreatedAt, err = timeOf("created_at", s.CreatedAt)
	return r, err
}
