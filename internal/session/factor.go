package session

import (
	"encoding/json"
	"slices"
	"time"
)

// Factor is one way a session was authenticated (contract.json,
// AuthenticationFactor). Exactly one of the pointers is set, or none for
// factors without an object of their own.
type Factor struct {
	Type                string             `json:"type"`
	DeliveryMethod      string             `json:"delivery_method"`
	LastAuthenticatedAt Timestamp          `json:"last_authenticated_at"`
	CreatedAt           Timestamp          `json:"created_at"`
	UpdatedAt           Timestamp          `json:"updated_at"`
	EmailFactor         *EmailFactor       `json:"email_factor,omitempty"`
	PhoneNumberFactor   *PhoneNumberFactor `json:"phone_number_factor,omitempty"`
	WebAuthnFactor      *WebAuthnFactor    `json:"webauthn_factor,omitempty"`
}

// EmailFactor names the address a message was sent to.
type EmailFactor struct {
	EmailID      string `json:"email_id"`
	EmailAddress string `json:"email_address"`
}

// PhoneNumberFactor names the number a message was sent to.
type PhoneNumberFactor struct {
	PhoneID     string `json:"phone_id"`
	PhoneNumber string `json:"phone_number"`
}

// WebAuthnFactor names the passkey or security key that was used.
type WebAuthnFactor struct {
	WebAuthnRegistrationID string `json:"webauthn_registration_id"`
	Domain                 string `json:"domain"`
	UserAgent              string `json:"user_agent,omitempty"`
}

// identity says which factors are the same one: authenticating it again
// refreshes its time instead of adding a second entry.
func (f *Factor) identity() string {
	key := f.Type + "/" + f.DeliveryMethod
	switch {
	case f.EmailFactor != nil:
		key += "/" + f.EmailFactor.EmailID
	case f.PhoneNumberFactor != nil:
		key += "/" + f.PhoneNumberFactor.PhoneID
	case f.WebAuthnFactor != nil:
		key += "/" + f.WebAuthnFactor.WebAuthnRegistrationID
	}
	return key
}

// Factors is the list of a session. It stays encoded until someone looks
// inside: most requests only pass it on.
type Factors struct {
	list []Factor
	text json.RawMessage
}

// MarshalJSON returns the list as an array, never null.
func (f Factors) MarshalJSON() ([]byte, error) {
	if f.text != nil {
		return f.text, nil
	}
	if f.list == nil {
		return []byte("[]"), nil
	}
	return json.Marshal(f.list)
}

// UnmarshalJSON keeps the text; All decodes it.
func (f *Factors) UnmarshalJSON(b []byte) error {
	f.list, f.text = nil, slices.Clone(b)
	return nil
}

// All returns the factors in the order they were first used.
func (f *Factors) All() ([]Factor, error) {
	if f.list == nil && f.text != nil {
		if err := json.Unmarshal(f.text, &f.list); err != nil {
			return nil, err
		}
	}
	return f.list, nil
}

// authenticated records that a factor was just proven.
func (f *Factors) authenticated(proven Factor, now time.Time) error {
	list, err := f.All()
	if err != nil {
		return err
	}
	proven.LastAuthenticatedAt, proven.CreatedAt, proven.UpdatedAt = Timestamp(now), Timestamp(now), Timestamp(now)
	at := slices.IndexFunc(list, func(old Factor) bool { return old.identity() == proven.identity() })
	if at < 0 {
		list = append(list, proven)
	} else {
		proven.CreatedAt = list[at].CreatedAt
		list[at] = proven
	}
	f.list, f.text = list, nil
	return nil
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
	case "magic_link", "email_otp", "oauth", "password", "recovery_codes":
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

// DescribedAs says how the list looks on the wire.
func (Factors) DescribedAs() any { return []Factor{} }
