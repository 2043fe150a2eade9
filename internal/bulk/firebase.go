package bulk

import (
	"encoding/json"
	"strconv"
	"time"

	"gatehouse/internal/secret/passhash"
	"gatehouse/internal/user"
)

// firebaseUser is an element of what `firebase auth:export users.json` writes.
type firebaseUser struct {
	LocalID          string          `json:"localId"`
	Email            string          `json:"email"`
	EmailVerified    bool            `json:"emailVerified"`
	PasswordHash     string          `json:"passwordHash"`
	Salt             string          `json:"salt"`
	DisplayName      string          `json:"displayName"`
	CreatedAt        json.RawMessage `json:"createdAt"` // milliseconds, in quotes
	PhoneNumber      string          `json:"phoneNumber"`
	Disabled         bool            `json:"disabled"`
	CustomAttributes string          `json:"customAttributes"` // JSON in a text
	ProviderUserInfo []struct {
		ProviderID string `json:"providerId"`
		RawID      string `json:"rawId"`
		PhotoURL   string `json:"photoUrl"`
	} `json:"providerUserInfo"`
}

var errNoFirebaseKey = &fault{"no_firebase_key", "The row has a password hash, and --firebase-signer-key is missing: the Firebase console shows it under Authentication, Password hash parameters."}

func firebaseRecord(o *Options, raw []byte) (*Record, error) {
	var f firebaseUser
	if err := decode(raw, &f); err != nil {
		return nil, err
	}
	r := &Record{
		Email: f.Email, EmailVerified: f.EmailVerified,
		PhoneNumber: f.PhoneNumber, PhoneNumberVerified: f.PhoneNumber != "", // Firebase has no number that was not proven
		Name: splitName(f.DisplayName), TrustedMetadata: json.RawMessage(f.CustomAttributes),
	}
	if text := unquoted(f.CreatedAt); text != "" && text != "null" {
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, faultf("invalid_field", "The field \"createdAt\" is not a number of milliseconds.")
		}
		at := user.Timestamp(time.UnixMilli(ms).UTC())
		r.CreatedAt = &at
	}
	if f.Disabled {
		r.disabled = "disabled"
	}
	for _, p := range f.ProviderUserInfo {
		switch p.ProviderID {
		case "password", "phone": // said by other fields
		default:
			r.account(p.ProviderID, p.RawID, p.PhotoURL)
		}
	}
	if f.PasswordHash != "" {
		if o.Firebase == nil {
			return nil, errNoFirebaseKey
		}
		c := *o.Firebase
		c.Salt = f.Salt
		r.Password = &Password{HashType: "firebase_scrypt", Hash: f.PasswordHash, Configs: passhash.Configs{FirebaseScrypt: &c}}
	}
	return r, r.foreignID("firebase", f.LocalID)
}
