package user

import (
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// The kinds of factor a user can have, as the index names them.
const (
	KindEmail     = "email"
	KindPhone     = "phone"
	KindWebAuthn  = "webauthn"
	KindOAuth     = "oauth"
	KindTOTP      = "totp"
	KindWallet    = "wallet"
	KindBiometric = "biometric"
	KindPassword  = "password"
)

// kindRule is what differs between the kinds of factor.
type kindRule struct {
	id            id.Kind
	notFound      *apierr.Error // no factor with that id
	badID         *apierr.Error // the id is of the wrong kind or shape
	duplicate     *apierr.Error // the value belongs to another user
	duplicateSelf *apierr.Error // this user has the value already
	proven        bool          // has a verified flag that a proof sets
}

// ErrWalletNotFound is the verdict on a wallet that nobody has.
var ErrWalletNotFound = apierr.New(404, "crypto_wallet_not_found", "There is no such crypto wallet.")

// ErrEmailNotFound is the verdict on an address that nobody has.
var ErrEmailNotFound = apierr.New(404, "email_not_found", "There is no such email address.")

var (
	errEmailID            = apierr.New(400, "invalid_email_id", "The email_id is not valid. It looks like email-test-... or email-live-...")
	errDuplicateEmail     = apierr.New(400, "duplicate_email", "A user with this email address already exists.")
	errDuplicateEmailSelf = apierr.New(400, "duplicate_email_for_user", "The user already has this email address.")
	errPhoneNotFound      = apierr.New(404, "phone_number_not_found", "There is no such phone number.")
	errPhoneID            = apierr.New(400, "invalid_phone_id", "The phone_id is not valid. It looks like phone-number-test-... or phone-number-live-...")
	errDuplicatePhone     = apierr.New(400, "duplicate_phone_number", "A user with this phone number already exists.")
	errDuplicatePhoneSelf = apierr.New(400, "duplicate_phone_number_for_user", "The user already has this phone number.")
	errWebAuthnNotFound   = apierr.New(404, "webauthn_registration_not_found", "There is no such passkey or security key.")
	errWebAuthnID         = apierr.New(400, "invalid_webauthn_registration_id", "The webauthn_registration_id is not valid. It looks like webauthn-registration-test-... or webauthn-registration-live-...")
	errOAuthNotFound      = apierr.New(404, "oauth_user_registration_not_found", "There is no such account at an identity provider.")
	errOAuthID            = apierr.New(400, "invalid_oauth_user_registration_id", "The oauth_user_registration_id is not valid. It looks like oauth-user-test-... or oauth-user-live-...")
	errDuplicateOAuth     = apierr.New(400, "duplicate_oauth_registration", "This account at the identity provider belongs to another user.")
	errTOTPNotFound       = apierr.New(404, "totp_not_found", "There is no such authenticator app.")
	errTOTPID             = apierr.New(400, "invalid_totp_id", "The totp_id is not valid. It looks like totp-test-... or totp-live-...")
	errWalletID           = apierr.New(400, "invalid_crypto_wallet_id", "The crypto_wallet_id is not valid. It looks like crypto-wallet-test-... or crypto-wallet-live-...")
	errDuplicateWallet    = apierr.New(400, "duplicate_wallet_address", "This wallet belongs to another user.")
	errDuplicateOwnWallet = apierr.New(400, "duplicate_wallet_address_for_user", "The user already has this wallet.")
	errBiometricNotFound  = apierr.New(404, "biometric_registration_not_found", "There is no such biometric registration.")
	errBiometricID        = apierr.New(400, "invalid_biometric_registration_id", "The biometric_registration_id is not valid. It looks like biometric-registration-test-... or biometric-registration-live-...")
	errPasswordNotFound   = apierr.New(404, "password_not_found", "There is no such password.")
	errPasswordID         = apierr.New(400, "invalid_password_id", "The password_id is not valid. It looks like password-test-... or password-live-...")
)

// kinds is the one table of factor kinds. A duplicate of a kind without values
// cannot happen.
var kinds = map[string]kindRule{
	KindEmail:     {id.Email, ErrEmailNotFound, errEmailID, errDuplicateEmail, errDuplicateEmailSelf, true},
	KindPhone:     {id.Phone, errPhoneNotFound, errPhoneID, errDuplicatePhone, errDuplicatePhoneSelf, true},
	KindWebAuthn:  {id.WebAuthn, errWebAuthnNotFound, errWebAuthnID, nil, nil, true},
	KindOAuth:     {id.OAuth, errOAuthNotFound, errOAuthID, errDuplicateOAuth, errDuplicateOAuth, false},
	KindTOTP:      {id.TOTP, errTOTPNotFound, errTOTPID, nil, nil, true},
	KindWallet:    {id.CryptoWallet, ErrWalletNotFound, errWalletID, errDuplicateWallet, errDuplicateOwnWallet, true},
	KindBiometric: {id.Biometric, errBiometricNotFound, errBiometricID, nil, nil, true},
	KindPassword:  {id.Password, errPasswordNotFound, errPasswordID, nil, nil, false},
}

// Factor is one way in which a user can prove who they are, whatever its kind.
type Factor struct {
	Kind      string // one of the Kind constants
	ID        string
	Value     string    // what makes it unique in the environment; "" for kinds whose factor keeps that itself
	Verified  bool      // true for kinds without such a flag
	ExpiresAt time.Time // end of an attachment not proven yet; zero: never
}

// Factors lists the user's factors of all kinds.
func (u *User) Factors() []Factor {
	list := make([]Factor, 0, len(u.Emails)+len(u.PhoneNumbers)+len(u.WebAuthnRegistrations)+2)
	add := func(kind, id, value string, verified bool, expires time.Time) {
		if verified {
			expires = time.Time{}
		}
		if !expires.IsZero() {
			expires = store.Time(store.Millis(expires)) // as the table keeps it
		}
		list = append(list, Factor{kind, id, value, verified, expires})
	}
	for _, e := range u.Emails {
		add(KindEmail, e.EmailID, emailValue(e.Email), e.Verified, e.ExpiresAt)
	}
	for _, p := range u.PhoneNumbers {
		add(KindPhone, p.PhoneID, p.PhoneNumber, p.Verified, p.ExpiresAt)
	}
	for _, w := range u.WebAuthnRegistrations {
		add(KindWebAuthn, w.WebAuthnRegistrationID, "", w.Verified, time.Time{})
	}
	for _, p := range u.Providers {
		add(KindOAuth, p.OAuthUserRegistrationID, oauthValue(p.ProviderType, p.ProviderSubject), true, time.Time{})
	}
	for _, t := range u.TOTPs {
		add(KindTOTP, t.TOTPID, "", t.Verified, t.ExpiresAt)
	}
	for _, w := range u.CryptoWallets {
		add(KindWallet, w.CryptoWalletID, walletValue(w.CryptoWalletType, w.CryptoWalletAddress), w.Verified, w.ExpiresAt)
	}
	for _, b := range u.BiometricRegistrations {
		add(KindBiometric, b.BiometricRegistrationID, "", b.Verified, time.Time{})
	}
	if u.Password != nil {
		add(KindPassword, u.Password.PasswordID, "", true, time.Time{})
	}
	return list
}

// remove takes a factor away and says whether it was there.
func (u *User) remove(kind, id string) bool {
	switch kind {
	case KindEmail:
		return cut(&u.Emails, func(e Email) bool { return e.EmailID == id })
	case KindPhone:
		return cut(&u.PhoneNumbers, func(p PhoneNumber) bool { return p.PhoneID == id })
	case KindWebAuthn:
		return cut(&u.WebAuthnRegistrations, func(w WebAuthnRegistration) bool { return w.WebAuthnRegistrationID == id })
	case KindOAuth:
		return cut(&u.Providers, func(p OAuthProvider) bool { return p.OAuthUserRegistrationID == id })
	case KindTOTP:
		return cut(&u.TOTPs, func(t TOTP) bool { return t.TOTPID == id })
	case KindWallet:
		return cut(&u.CryptoWallets, func(w CryptoWallet) bool { return w.CryptoWalletID == id })
	case KindBiometric:
		return cut(&u.BiometricRegistrations, func(b BiometricRegistration) bool { return b.BiometricRegistrationID == id })
	case KindPassword:
		if u.Password == nil || u.Password.PasswordID != id {
			return false
		}
		u.Password = nil
		return true
	}
	return false
}

func cut[T any](list *[]T, match func(T) bool) bool {
	before := len(*list)
	*list = slices.DeleteFunc(*list, match)
	return len(*list) < before
}

// expire sets the end of an unproven attachment by the factor's id.
func (u *User) expire(id string, at time.Time) {
	for i := range u.Emails {
		if u.Emails[i].EmailID == id {
			u.Emails[i].ExpiresAt = at
		}
	}
	for i := range u.PhoneNumbers {
		if u.PhoneNumbers[i].PhoneID == id {
			u.PhoneNumbers[i].ExpiresAt = at
		}
	}
	for i := range u.TOTPs {
		if u.TOTPs[i].TOTPID == id {
			u.TOTPs[i].ExpiresAt = at
		}
	}
	for i := range u.CryptoWallets {
		if u.CryptoWallets[i].CryptoWalletID == id {
			u.CryptoWallets[i].ExpiresAt = at
		}
	}
}

// emailValue is how an address is compared. The fallback never applies to an
// address that came through CanonicalEmail.
func emailValue(address string) string {
	if ascii, err := ASCIIEmail(address); err == nil {
		return ascii
	}
	return address
}

// oauthValue names an account at a provider. A provider that an environment
// calls by a name of its own is the one of exactly that name.
func oauthValue(provider, subject string) string {
	if !strings.HasPrefix(provider, "oidc_") {
		provider = providerTerm(provider)
	}
	return provider + "|" + subject
}

// walletValue keeps the case of a Solana address, which is base58, and folds
// that of an Ethereum one, where it is only a checksum (EIP-55).
func walletValue(chain, address string) string {
	if chain == "ethereum" {
		address = strings.ToLower(address)
	}
	return chain + "|" + address
}

// separators are what spellings of a provider's name differ by.
var separators = strings.NewReplacer("_", "", "-", "", " ", "")

// providerTerm makes "GitHub", "github" and "git_hub" one provider.
func providerTerm(provider string) string { return strings.ToLower(separators.Replace(provider)) }

var errLastPrimary = apierr.New(400, "cannot_delete_last_primary_factor", "This is the last email address, phone number or account you can sign in with. Add another one first.")

// CanRemove is the rule for people who change their own user: they cannot
// remove their last primary factor (e-mail, phone number or account at an
// identity provider). A server may, because it can repair the user.
func CanRemove(u *User, kind, id string) error {
	primary := func(f Factor) bool {
		return f.Kind == KindEmail || f.Kind == KindPhone || f.Kind == KindOAuth
	}
	others, removes := 0, false
	for _, f := range u.Factors() {
		switch {
		case !primary(f):
		case f.Kind == kind && f.ID == id:
			removes = true
		default:
			others++
		}
	}
	if removes && others == 0 {
		return errLastPrimary
	}
	return nil
}
