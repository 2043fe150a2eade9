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
	}
	for _, c := range cases {
		u := c.user
		if err := stepUp(&u, c.factors, now); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}
