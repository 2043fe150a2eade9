// Package user owns the user aggregate: one row that holds the whole user as
// the wire shows it, the index tables that make its factors unique and
// findable, the search over them, the locks, and the /v1/users endpoints. It
// never touches a factor's secrets (hashes, keys, seeds), which live in the
// tables of the factor that owns them, and never a session.
package user

import (
	"slices"
	"time"
)

// User is a user as the wire shows it. Arrays are never nil. Change it only
// inside Service.Change, which keeps the indexes in step.
type User struct {
	UserID                 string                  `json:"user_id" required:"true" example:"user-test-01930e2c-4c7a-7c1e-9a51-0b6a3d1f2e4c"`
	Name                   Name                    `json:"name"`
	Status                 string                  `json:"status" required:"true" enum:"active,pending" description:"pending until the first sign-in of a user created that way"`
	Emails                 []Email                 `json:"emails" required:"true"`
	PhoneNumbers           []PhoneNumber           `json:"phone_numbers" required:"true"`
	WebAuthnRegistrations  []WebAuthnRegistration  `json:"webauthn_registrations" required:"true"`
	Providers              []OAuthProvider         `json:"providers" required:"true"`
	TOTPs                  []TOTP                  `json:"totps" required:"true"`
	CryptoWallets          []CryptoWallet          `json:"crypto_wallets" required:"true"`
	BiometricRegistrations []BiometricRegistration `json:"biometric_registrations" required:"true"`
	Password               *Password               `json:"password" description:"null when the user has none"`
	// The lock is written by CountFailure and Unlock; Change leaves it alone.
	IsLocked          bool       `json:"is_locked" required:"true"`
	LockCreatedAt     *Timestamp `json:"lock_created_at" description:"null unless locked"`
	LockExpiresAt     *Timestamp `json:"lock_expires_at" description:"null unless locked"`
	Roles             []string   `json:"roles" required:"true" description:"roles assigned explicitly; stytch_user is implicit"`
	TrustedMetadata   Metadata   `json:"trusted_metadata" description:"written by servers only"`
	UntrustedMetadata Metadata   `json:"untrusted_metadata" description:"the user may change it in the browser"`
	ExternalID        *string    `json:"external_id" description:"your own id of the user, usable wherever user_id is"`
	CreatedAt         Timestamp  `json:"created_at"`
}

// The states of a user.
const (
	Active  = "active"
	Pending = "pending"
)

// Name is a person's name; each part may be empty.
type Name struct {
	FirstName  string `json:"first_name"`
	MiddleName string `json:"middle_name"`
	LastName   string `json:"last_name"`
}

// Email is an address in the form CanonicalEmail gives it.
type Email struct {
	EmailID  string `json:"email_id" required:"true"`
	Email    string `json:"email" required:"true"`
	Verified bool   `json:"verified" required:"true"`
	// ExpiresAt ends an attachment that nobody has proven yet: from then on the
	// address is not this user's any more and anybody may claim it. Zero: never.
	// Setting Verified makes it irrelevant.
	ExpiresAt time.Time `json:"-"`
}

// PhoneNumber is a number in E.164, see CanonicalPhone.
type PhoneNumber struct {
	PhoneID     string    `json:"phone_id" required:"true"`
	PhoneNumber string    `json:"phone_number" required:"true"`
	Verified    bool      `json:"verified" required:"true"`
	ExpiresAt   time.Time `json:"-"` // as Email.ExpiresAt
}

// WebAuthnRegistration is a passkey or security key.
type WebAuthnRegistration struct {
	WebAuthnRegistrationID string `json:"webauthn_registration_id" required:"true"`
	Domain                 string `json:"domain" required:"true" description:"the RP ID it was registered for"`
	UserAgent              string `json:"user_agent" required:"true"`
	Verified               bool   `json:"verified" required:"true"`
	AuthenticatorType      string `json:"authenticator_type" required:"true" description:"platform, cross-platform or empty"`
	Name                   string `json:"name"`
}

// OAuthProvider is an account at an identity provider.
type OAuthProvider struct {
	ProviderType            string `json:"provider_type" required:"true" example:"Google"`
	ProviderSubject         string `json:"provider_subject" required:"true"`
	ProfilePictureURL       string `json:"profile_picture_url" required:"true"`
	Locale                  string `json:"locale" required:"true"`
	OAuthUserRegistrationID string `json:"oauth_user_registration_id" required:"true"`
}

// TOTP is an authenticator app.
type TOTP struct {
	TOTPID    string    `json:"totp_id" required:"true"`
	Verified  bool      `json:"verified" required:"true"`
	ExpiresAt time.Time `json:"-"` // as Email.ExpiresAt: an enrolment nobody finished
}

// CryptoWallet is a wallet of one of the chains in CryptoWalletType.
type CryptoWallet struct {
	CryptoWalletID      string    `json:"crypto_wallet_id" required:"true"`
	CryptoWalletAddress string    `json:"crypto_wallet_address" required:"true"`
	CryptoWalletType    string    `json:"crypto_wallet_type" required:"true" enum:"ethereum,solana"`
	Verified            bool      `json:"verified" required:"true"`
	ExpiresAt           time.Time `json:"-"` // as Email.ExpiresAt
}

// BiometricRegistration is the key a mobile device keeps behind its biometrics.
type BiometricRegistration struct {
	BiometricRegistrationID string `json:"biometric_registration_id" required:"true"`
	Verified                bool   `json:"verified" required:"true"`
}

// Password says that the user has one; what it is stays with its factor.
type Password struct {
	PasswordID    string `json:"password_id" required:"true"`
	RequiresReset bool   `json:"requires_reset" required:"true"`
}

// empty gives every array and map of u its empty value instead of nil.
func (u *User) empty() {
	u.Emails = notNil(u.Emails)
	u.PhoneNumbers = notNil(u.PhoneNumbers)
	u.WebAuthnRegistrations = notNil(u.WebAuthnRegistrations)
	u.Providers = notNil(u.Providers)
	u.TOTPs = notNil(u.TOTPs)
	u.CryptoWallets = notNil(u.CryptoWallets)
	u.BiometricRegistrations = notNil(u.BiometricRegistrations)
	u.Roles = notNil(u.Roles)
	if u.TrustedMetadata == nil {
		u.TrustedMetadata = Metadata{}
	}
	if u.UntrustedMetadata == nil {
		u.UntrustedMetadata = Metadata{}
	}
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Email returns the address with that id, for reading and changing, or nil.
func (u *User) Email(emailID string) *Email {
	i := slices.IndexFunc(u.Emails, func(e Email) bool { return e.EmailID == emailID })
	if i < 0 {
		return nil
	}
	return &u.Emails[i]
}

// Phone returns the number with that id, for reading and changing, or nil.
func (u *User) Phone(phoneID string) *PhoneNumber {
	i := slices.IndexFunc(u.PhoneNumbers, func(p PhoneNumber) bool { return p.PhoneID == phoneID })
	if i < 0 {
		return nil
	}
	return &u.PhoneNumbers[i]
}
