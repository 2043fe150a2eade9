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

// PhoneRegion returns the country that a number in E.164 belongs to, as an ISO
// 3166-1 alpha-2 code. Countries that share a calling code are told apart by
// the numbering plan: +1 876 is JM, not US. A number of no country, such as one
// of a satellite network, has the region "", and so has one that costs more
// than others to reach, at a premium rate or a shared cost: nobody's phone.
func PhoneRegion(e164 string) string {
	number, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return ""
	}
	switch phonenumbers.GetNumberType(number) {
	case phonenumbers.PREMIUM_RATE, phonenumbers.SHARED_COST:
		return ""
	}
	if region := phonenumbers.GetRegionCodeForNumber(number); len(region) == 2 && region != "ZZ" {
		return region
	}
	return "" // "001" is the world
}
