package session

import (
	"encoding/json"
	"slices"
	"time"

	"gatehouse/internal/user"
)

// Factor is one way a session was authenticated (contract.json,
// AuthenticationFactor). Exactly one of the pointers is set, or none for
// factors without an object of their own.
type Factor struct {
	Type                   string                  `json:"type" required:"true"`
	DeliveryMethod         string                  `json:"delivery_method" required:"true"`
	LastAuthenticatedAt    Timestamp               `json:"last_authenticated_at"`
	CreatedAt              Timestamp               `json:"created_at"`
	UpdatedAt              Timestamp               `json:"updated_at"`
	EmailFactor            *EmailFactor            `json:"email_factor,omitempty"`
	PhoneNumberFactor      *PhoneNumberFactor      `json:"phone_number_factor,omitempty"`
	WebAuthnFactor         *WebAuthnFactor         `json:"webauthn_factor,omitempty"`
	AuthenticatorAppFactor *AuthenticatorAppFactor `json:"authenticator_app_factor,omitempty"`
	RecoveryCodeFactor     *RecoveryCodeFactor     `json:"recovery_code_factor,omitempty"`
	EmbeddedFactor         *EmbeddedFactor         `json:"embeddable_magic_link_factor,omitempty"`
	BiometricFactor        *BiometricFactor        `json:"biometric_factor,omitempty"`
	CryptoWalletFactor     *CryptoWalletFactor     `json:"crypto_wallet_factor,omitempty"`
	ImpersonatedFactor     *ImpersonatedFactor     `json:"impersonated_factor,omitempty"`
	TrustedAuthTokenFactor *TrustedAuthTokenFactor `json:"trusted_auth_token_factor,omitempty"`
	oauthAccounts
}

// EmailFactor names the address a message was sent to.
type EmailFactor struct {
	EmailID      string `json:"email_id" required:"true"`
	EmailAddress string `json:"email_address" required:"true"`
}

// PhoneNumberFactor names the number a message was sent to.
type PhoneNumberFactor struct {
	PhoneID     string `json:"phone_id" required:"true"`
	PhoneNumber string `json:"phone_number" required:"true"`
}

// WebAuthnFactor names the passkey or security key that was used.
type WebAuthnFactor struct {
	WebAuthnRegistrationID string `json:"webauthn_registration_id" required:"true"`
	Domain                 string `json:"domain" required:"true"`
	UserAgent              string `json:"user_agent,omitempty"`
}

// AuthenticatorAppFactor names the authenticator app that was used.
type AuthenticatorAppFactor struct {
	TOTPID string `json:"totp_id" required:"true"`
}

// RecoveryCodeFactor names the recovery code that was used.
type RecoveryCodeFactor struct {
	RecoveryCodeID string `json:"totp_recovery_code_id" required:"true"`
}

// EmbeddedFactor names the embeddable magic link that was used.
type EmbeddedFactor struct {
	EmbeddedID string `json:"embedded_id" required:"true"`
}

// BiometricFactor names the device's key that was used.
type BiometricFactor struct {
	BiometricRegistrationID string `json:"biometric_registration_id" required:"true"`
}

// CryptoWalletFactor names the wallet that signed.
type CryptoWalletFactor struct {
	CryptoWalletID      string `json:"crypto_wallet_id" required:"true"`
	CryptoWalletAddress string `json:"crypto_wallet_address" required:"true"`
	CryptoWalletType    string `json:"crypto_wallet_type" required:"true" enum:"ethereum,solana"`
}

// ImpersonatedFactor names who acts as the user.
type ImpersonatedFactor struct {
	ImpersonatorID           string `json:"impersonator_id" required:"true"`
	ImpersonatorEmailAddress string `json:"impersonator_email_address" required:"true"`
}

// TrustedAuthTokenFactor names the token of another issuer that was used.
type TrustedAuthTokenFactor struct {
	TokenID string `json:"token_id" required:"true"`
}

// id is the identifier of the user's factor that this one is, "" where it is
// none of the user's: an embeddable link, or a factor without an object.
func (f *Factor) id() string {
	switch {
	case f.EmailFactor != nil:
		return f.EmailFactor.EmailID
	case f.PhoneNumberFactor != nil:
		return f.PhoneNumberFactor.PhoneID
	case f.WebAuthnFactor != nil:
		return f.WebAuthnFactor.WebAuthnRegistrationID
	case f.AuthenticatorAppFactor != nil:
		return f.AuthenticatorAppFactor.TOTPID
	case f.RecoveryCodeFactor != nil:
		return f.RecoveryCodeFactor.RecoveryCodeID
	case f.BiometricFactor != nil:
		return f.BiometricFactor.BiometricRegistrationID
	case f.CryptoWalletFactor != nil:
		return f.CryptoWalletFactor.CryptoWalletID
	}
	if account := f.oauth(); account != nil {
		return account.ID
	}
	return ""
}

// identity says which factors are the same one: authenticating it again
// refreshes its time instead of adding a second entry.
func (f *Factor) identity() string { return f.Type + "/" + f.DeliveryMethod + "/" + f.id() }

// heldBy reports whether the user still has the factor.
func (f *Factor) heldBy(u *user.User) bool {
	switch {
	case f.EmailFactor != nil:
		return u.Email(f.id()) != nil
	case f.PhoneNumberFactor != nil:
		return u.Phone(f.id()) != nil
	case f.WebAuthnFactor != nil:
		return slices.ContainsFunc(u.WebAuthnRegistrations, func(r user.WebAuthnRegistration) bool { return r.WebAuthnRegistrationID == f.id() })
	case f.AuthenticatorAppFactor != nil:
		return slices.ContainsFunc(u.TOTPs, func(t user.TOTP) bool { return t.TOTPID == f.id() })
	case f.RecoveryCodeFactor != nil:
		return slices.ContainsFunc(u.TOTPs, func(t user.TOTP) bool { return t.Verified })
	case f.BiometricFactor != nil:
		return slices.ContainsFunc(u.BiometricRegistrations, func(r user.BiometricRegistration) bool { return r.BiometricRegistrationID == f.id() })
	case f.CryptoWalletFactor != nil:
		return slices.ContainsFunc(u.CryptoWallets, func(w user.CryptoWallet) bool { return w.CryptoWalletID == f.id() })
	case f.oauth() != nil:
		return holdsAccount(u, f.id())
	}
	return true
}

// Factors is the list of a session as JSON text. It stays encoded until
// someone looks inside: most requests only pass it on.
type Factors struct{ text json.RawMessage }

// WireJSON is the list as an array, never null.
func (f Factors) WireJSON() []byte {
	if f.text == nil {
		return []byte("[]")
	}
	return f.text
}

// MarshalJSON is WireJSON for the standard library, which makes the JWTs.
func (f Factors) MarshalJSON() ([]byte, error) { return f.WireJSON(), nil }

// UnmarshalJSON keeps the text.
func (f *Factors) UnmarshalJSON(b []byte) error {
	f.text = slices.Clone(b)
	return nil
}

// DescribedAs says how the list looks on the wire.
func (Factors) DescribedAs() any { return []Factor{} }

// All decodes the factors, in the order they were first used.
func (f Factors) All() ([]Factor, error) {
	var list []Factor
	err := json.Unmarshal(f.WireJSON(), &list)
	return list, err
}

// authenticated records that a factor was just proven.
func (f *Factors) authenticated(proven Factor, now time.Time) error {
	list, err := f.All()
	if err != nil {
		return err
	}
	proven.LastAuthenticatedAt, proven.CreatedAt, proven.UpdatedAt = Timestamp(now), Timestamp(now), Timestamp(now)
	at := slices.IndexFunc(list, func(old Factor) bool { return old.identity() == proven.identity() })
	if at >= 0 {
		proven.CreatedAt = list[at].CreatedAt
		list = slices.Delete(list, at, at+1)
	}
	list = append(list, proven)
	if len(list) > maxFactors {
		list = list[len(list)-maxFactors:]
	}
	f.text, err = json.Marshal(list)
	return err
}

// maxFactors bounds the list, which is in every JWT; the most recent stay.
const maxFactors = 32

// without takes a factor of the user's out and reports whether it was there, and
// how many are left. A session does not say which password proved it, nor whose
// recovery codes: a user has one password and one authenticator app at most.
func (f *Factors) without(kind, factorID string) (found bool, left int, err error) {
	list, err := f.All()
	if err != nil {
		return false, 0, err
	}
	kept := slices.DeleteFunc(slices.Clone(list), func(old Factor) bool {
		return old.id() == factorID || kind == user.KindPassword && old.Type == "password" ||
			kind == user.KindTOTP && old.Type == "recovery_codes"
	})
	if len(kept) < len(list) {
		f.text, err = json.Marshal(kept)
	}
	return len(kept) < len(list), len(kept), err
}

// category is how the step-up rule counts a factor (factors.md, section 4.4):
// two factors of one category are as good as one.
type category int

const (
	mailbox   category = iota + 1 // an online account: e-mail, OAuth, and what an e-mail can reset
	phone                         // SMS, WhatsApp
	dedicated                     // passkeys, authenticator apps, biometrics
)

// categoryOf returns 0 for factors that count for no category, such as wallets.
func categoryOf(f *Factor) category {
	switch f.Type {
	case "magic_link", "oauth", "password", "recovery_codes":
		return mailbox
	case "otp":
		if f.DeliveryMethod == "email" {
			return mailbox
		}
		return phone
	case "webauthn", "totp", "signature_challenge":
		return dedicated
	default:
		return 0
	}
}
