package user

import (
	"strings"

	"github.com/nyaruka/phonenumbers"

	"gatehouse/internal/apierr"
)

var errInvalidPhone = apierr.New(400, "invalid_phone_number", "The phone number is not valid. Write it with its country code, for example +14155552671.")

// maxPhoneInput leaves room for separators around the 15 digits of E.164.
const maxPhoneInput = 40

// CanonicalPhone brings a number into E.164. The country code must be there,
// with its plus; spaces, dots, hyphens, slashes and parentheses are dropped, so
// that spellings of a number share one value. A number that no country's
// numbering plan can assign is invalid_phone_number.
func CanonicalPhone(s string) (string, error) {
	s = strings.TrimSpace(s)
	if hasZeroWidth(s) {
		return "", errZeroWidth
	}
	if len(s) > maxPhoneInput || !strings.HasPrefix(s, "+") {
		return "", errInvalidPhone
	}
	var b strings.Builder
	b.WriteByte('+')
	for _, r := range s[1:] {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case strings.ContainsRune(" .-/()\u00a0\u2010\u2011\u2012\u2013", r):
		default:
			// Letters and extensions would be read as digits or dropped by the
			// library, which makes two different inputs one number.
			return "", errInvalidPhone
		}
	}
	number, err := phonenumbers.Parse(b.String(), "")
	if err != nil {
		return "", errInvalidPhone.Because(err)
	}
	if !phonenumbers.IsValidNumber(number) {
		return "", errInvalidPhone
	}
	return phonenumbers.Format(number, phonenumbers.E164), nil
}
