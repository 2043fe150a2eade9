package bulk

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"gatehouse/internal/secret/passhash"
	"gatehouse/internal/user"
)

// Record is one user in a file, in our own format: a line of JSON. What other
// products export is brought into this form first, so that one set of rules
// judges all of it.
type Record struct {
	UserID              string             `json:"user_id,omitempty"` // of an export, or of another system with the same kind of ids
	ExternalID          string             `json:"external_id,omitempty"`
	Status              string             `json:"status,omitempty"`
	CreatedAt           *user.Timestamp    `json:"created_at,omitempty"`
	Name                *user.Name         `json:"name,omitempty"`
	Email               string             `json:"email,omitempty"` // short for one of emails
	EmailVerified       bool               `json:"email_verified,omitempty"`
	Emails              []user.Email       `json:"emails,omitempty"`
	PhoneNumber         string             `json:"phone_number,omitempty"` // short for one of phone_numbers
	PhoneNumberVerified bool               `json:"phone_number_verified,omitempty"`
	PhoneNumbers        []user.PhoneNumber `json:"phone_numbers,omitempty"`
	Password            *Password          `json:"password,omitempty"`

	Providers              []user.OAuthProvider    `json:"providers,omitempty"`
	WebAuthnRegistrations  []WebAuthnRegistration  `json:"webauthn_registrations,omitempty"`
	CryptoWallets          []CryptoWallet          `json:"crypto_wallets,omitempty"`
	BiometricRegistrations []BiometricRegistration `json:"biometric_registrations,omitempty"`

	Roles             []string        `json:"roles,omitempty"`
	TrustedMetadata   json.RawMessage `json:"trusted_metadata,omitempty"`
	UntrustedMetadata json.RawMessage `json:"untrusted_metadata,omitempty"`

	disabled string // why the other system lets this user in no more; "" when it does
	leftOut  []string
}

// Password is a password's hash, as POST /v1/passwords/migrate takes it.
type Password struct {
	PasswordID    string `json:"password_id,omitempty"`
	RequiresReset bool   `json:"requires_reset,omitempty"`
	HashType      string `json:"hash_type,omitempty"`
	Hash          string `json:"hash,omitempty"`
	passhash.Configs
}

// WebAuthnRegistration is a passkey with its public key.
type WebAuthnRegistration struct {
	user.WebAuthnRegistration
	Credential json.RawMessage `json:"credential,omitempty"`
}

// CryptoWallet is a wallet; one that is a contract has the chain it is on.
type CryptoWallet struct {
	user.CryptoWallet
	Credential json.RawMessage `json:"credential,omitempty"`
}

// BiometricRegistration is a key of a mobile device with its public half.
type BiometricRegistration struct {
	user.BiometricRegistration
	Credential json.RawMessage `json:"credential,omitempty"`
}

// readRecord reads a line of our own format. A field that nobody knows is
// refused: it would be lost without a word.
func readRecord(_ *Options, raw []byte) (*Record, error) {
	r := &Record{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return nil, jsonFault(err)
	}
	if d.More() {
		return nil, faultf("invalid_row", "The row holds more than one JSON object. Write each user on a line of its own.")
	}
	return r, nil
}

// decode reads a row of another product, of which only some fields are of use.
func decode(raw []byte, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return jsonFault(err)
	}
	return nil
}

func jsonFault(err error) error {
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return faultf("invalid_field", "The field %q has a value of the wrong type (%s).", wrongType.Field, wrongType.Value)
	case errors.As(err, &wrongType):
		return faultf("invalid_row", "The row is not a JSON object.")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return faultf("invalid_json", "The row is not JSON: it ends too early.")
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if name, ok := strings.CutPrefix(text, "unknown field "); ok {
		return faultf("unknown_field", "There is no field %s.", name)
	}
	if strings.Contains(text, "RFC 3339") {
		return faultf("invalid_field", "The field \"created_at\" is not a date and time like 2026-01-02T03:04:05Z (RFC 3339).")
	}
	return faultf("invalid_json", "The row is not JSON: %s.", text)
}

// contacts brings the short fields into the lists.
func (r *Record) contacts() {
	if r.Email != "" {
		r.Emails = append([]user.Email{{Email: r.Email, Verified: r.EmailVerified}}, r.Emails...)
	}
	if r.PhoneNumber != "" {
		r.PhoneNumbers = append([]user.PhoneNumber{{PhoneNumber: r.PhoneNumber, Verified: r.PhoneNumberVerified}}, r.PhoneNumbers...)
	}
	r.Email, r.EmailVerified, r.PhoneNumber, r.PhoneNumberVerified = "", false, "", false
}

// identifier is what people know the row by.
func (r *Record) identifier() string {
	switch {
	case len(r.Emails) > 0:
		return r.Emails[0].Email
	case len(r.PhoneNumbers) > 0:
		return r.PhoneNumbers[0].PhoneNumber
	case r.ExternalID != "":
		return r.ExternalID
	}
	return r.UserID
}

// foreignID keeps the id that another product knew the user by: as the external
// id if it can be one, otherwise in the metadata that only servers write.
func (r *Record) foreignID(product, id string) error {
	if id == "" {
		return nil
	}
	if user.CanBeExternalID(id) {
		r.ExternalID = id
		return nil
	}
	return addMetadata(&r.TrustedMetadata, product+"_id", id)
}

// addMetadata sets a key of a metadata object.
func addMetadata(to *json.RawMessage, key string, value any) error {
	object := map[string]json.RawMessage{}
	if len(*to) > 0 && string(*to) != "null" {
		if err := json.Unmarshal(*to, &object); err != nil {
			return faultf("metadata_invalid_format", "Metadata must be a JSON object.")
		}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	object[key] = text
	*to, err = json.Marshal(object)
	return err
}

// dropMetadata removes keys that say in other words what the user's fields say.
func dropMetadata(m *json.RawMessage, keys ...string) error {
	object := map[string]json.RawMessage{}
	if len(*m) == 0 || string(*m) == "null" {
		*m = nil
		return nil
	}
	if err := json.Unmarshal(*m, &object); err != nil {
		return faultf("metadata_invalid_format", "Metadata must be a JSON object.")
	}
	for _, key := range keys {
		delete(object, key)
	}
	text, err := json.Marshal(object)
	*m = text
	return err
}

// splitName makes a name of one text: the last word is the last name.
func splitName(full string) *user.Name {
	words := strings.Fields(full)
	switch n := len(words); n {
	case 0:
		return nil
	case 1:
		return &user.Name{FirstName: words[0]}
	default:
		return &user.Name{FirstName: strings.Join(words[:n-1], " "), LastName: words[n-1]}
	}
}
