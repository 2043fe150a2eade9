package session

import (
	"errors"
	"testing"
	"time"

	"gatehouse/internal/user"
)

func TestStepUp(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	factor := func(kind, delivery string, age time.Duration) Factor {
		return Factor{Type: kind, DeliveryMethod: delivery, LastAuthenticatedAt: Timestamp(now.Add(-age))}
	}
	email := user.User{Emails: []user.Email{{Verified: true}}}
	unproven := user.User{Emails: []user.Email{{}}, WebAuthnRegistrations: []user.WebAuthnRegistration{{Verified: true}}}
	both := user.User{Emails: []user.Email{{Verified: true}}, WebAuthnRegistrations: []user.WebAuthnRegistration{{Verified: true}}}
	three := both
	three.PhoneNumbers = []user.PhoneNumber{{Verified: true}}
	biometrics := user.User{Emails: []user.Email{{Verified: true}}, BiometricRegistrations: []user.BiometricRegistration{{Verified: true}}}
	password := user.User{Emails: []user.Email{{}}, Password: &user.Password{}}
	guarded := user.User{Password: &user.Password{}, WebAuthnRegistrations: []user.WebAuthnRegistration{{Verified: true}}}
	forgotten := guarded
	forgotten.Password = &user.Password{RequiresReset: true}
	pending := user.User{Emails: []user.Email{{Verified: true}}, TOTPs: []user.TOTP{{}}, BiometricRegistrations: []user.BiometricRegistration{{}}}
	wallet := user.User{Emails: []user.Email{{Verified: true}}, CryptoWallets: []user.CryptoWallet{{Verified: true}}}
	const fresh, stale = 59 * time.Minute, 60 * time.Minute
	cases := []struct {
		name    string
		user    user.User
		factors []Factor
		want    error
	}{
		{"one owned, fresh", email, []Factor{factor("magic_link", "email", fresh)}, nil},
		{"one owned, stale", email, []Factor{factor("magic_link", "email", stale)}, errStaleFactors},
		{"an unverified address is not owned", unproven, []Factor{factor("webauthn", "webauthn_registration", fresh)}, nil},
		{"two owned, one used", both, []Factor{factor("webauthn", "webauthn_registration", fresh)}, errInsufficientFactors},
		{"two owned, two used", both, []Factor{factor("webauthn", "webauthn_registration", stale), factor("otp", "email", fresh)}, nil},
		{"two owned, both stale", both, []Factor{factor("webauthn", "webauthn_registration", stale), factor("otp", "email", stale)}, errStaleFactors},
		{"two of one category", both, []Factor{factor("magic_link", "email", fresh), factor("password", "knowledge", fresh)}, errWeakCombination},
		{"e-mail and phone", three, []Factor{factor("otp", "email", fresh), factor("otp", "sms", stale)}, nil},
		{"phone twice", three, []Factor{factor("otp", "whatsapp", fresh), factor("otp", "sms", stale)}, errWeakCombination},
		{"a wallet counts for nothing", both, []Factor{factor("crypto", "crypto_wallet", fresh), factor("otp", "email", fresh)}, errInsufficientFactors},
		{"recovery codes are no second category", both, []Factor{factor("recovery_codes", "recovery_code", fresh), factor("oauth", "oauth_google", fresh)}, errWeakCombination},
		{"no factor at all", email, nil, errStaleFactors},
		{"biometrics are a device", biometrics, []Factor{factor("signature_challenge", "biometric", fresh)}, errInsufficientFactors},
		{"biometrics and e-mail", biometrics, []Factor{factor("signature_challenge", "biometric", stale), factor("otp", "email", fresh)}, nil},
		{"biometrics and a passkey", both, []Factor{factor("signature_challenge", "biometric", fresh), factor("webauthn", "webauthn_registration", fresh)}, errWeakCombination},
		{"a password alone, and nothing else owned", password, []Factor{factor("password", "knowledge", fresh)}, nil},
		{"a password is owned too", guarded, []Factor{factor("password", "knowledge", fresh)}, errInsufficientFactors},
		{"a password and a passkey", guarded, []Factor{factor("password", "knowledge", fresh), factor("webauthn", "webauthn_registration", stale)}, nil},
		{"a password to be set anew is not owned", forgotten, []Factor{factor("webauthn", "webauthn_registration", fresh)}, nil},
		{"what is not verified is not asked for", pending, []Factor{factor("magic_link", "email", fresh)}, nil},
		{"a wallet is not asked for", wallet, []Factor{factor("otp", "email", fresh)}, nil},
		{"a wallet is fresh as well", wallet, []Factor{factor("crypto", "crypto_wallet", fresh), factor("otp", "email", stale)}, nil},
	}
	for _, c := range cases {
		u := c.user
		if err := stepUp(&u, c.factors, now); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}
