package bulk

import (
	"encoding/json"

	"gatehouse/internal/secret/passhash"
	"gatehouse/internal/user"
)

// auth0User is a line of a user export of Auth0, of the hashes that its support
// hands out, or an element of the array that its import takes.
type auth0User struct {
	ID            json.RawMessage `json:"_id"` // {"$oid": "..."} in the hashes
	UserID        string          `json:"user_id"`
	Email         string          `json:"email"`
	EmailVerified bool            `json:"email_verified"`
	Phone         string          `json:"phone_number"`
	PhoneVerified bool            `json:"phone_verified"`
	Name          string          `json:"name"`
	GivenName     string          `json:"given_name"`
	FamilyName    string          `json:"family_name"`
	Picture       string          `json:"picture"`
	Blocked       bool            `json:"blocked"`
	CreatedAt     string          `json:"created_at"`
	UserMetadata  json.RawMessage `json:"user_metadata"`
	AppMetadata   json.RawMessage `json:"app_metadata"`
	Hash          string          `json:"passwordHash"`
	ImportHash    string          `json:"password_hash"`
	CustomHash    *auth0Hash      `json:"custom_password_hash"`
	Connection    string          `json:"connection"`
	Identities    []struct {
		UserID   json.RawMessage `json:"user_id"` // a number for some providers
		Provider string          `json:"provider"`
		Social   bool            `json:"isSocial"`
	} `json:"identities"`
}

// auth0Hash is how Auth0's import takes hashes that are not its own.
type auth0Hash struct {
	Algorithm string `json:"algorithm"`
	Hash      struct {
		Value    string `json:"value"`
		Encoding string `json:"encoding"` // base64, hex or utf8
	} `json:"hash"`
	Salt *struct {
		Value    string `json:"value"`
		Encoding string `json:"encoding"`
		Position string `json:"position"` // prefix or suffix
	} `json:"salt"`
}

func auth0Record(_ *Options, raw []byte) (*Record, error) {
	var a auth0User
	if err := decode(raw, &a); err != nil {
		return nil, err
	}
	r := &Record{
		Email: a.Email, EmailVerified: a.EmailVerified, PhoneNumber: a.Phone, PhoneNumberVerified: a.PhoneVerified,
		TrustedMetadata: a.AppMetadata, UntrustedMetadata: a.UserMetadata,
	}
	var err error
	if r.CreatedAt, err = timeOf("created_at", a.CreatedAt); err != nil {
		return nil, err
	}
	switch {
	case a.GivenName != "" || a.FamilyName != "":
		r.Name = &user.Name{FirstName: a.GivenName, LastName: a.FamilyName}
	case a.Name != a.Email && a.Name != a.Phone: // which is what the name is when nobody gave one
		r.Name = splitName(a.Name)
	}
	if a.Blocked {
		r.disabled = "blocked"
	}
	for _, i := range a.Identities {
		if i.Social {
			r.account(i.Provider, unquoted(i.UserID), a.Picture)
		}
	}
	if r.Password, err = a.password(); err != nil {
		return nil, err
	}
	return r, r.foreignID("auth0", a.id())
}

// id is the user's id, which the hashes have in a form of its own.
func (a *auth0User) id() string {
	var oid struct {
		OID string `json:"$oid"`
	}
	if a.UserID == "" && json.Unmarshal(a.ID, &oid) == nil && oid.OID != "" {
		return "auth0|" + oid.OID
	}
	return a.UserID
}

func (a *auth0User) password() (*Password, error) {
	switch {
	case a.Hash != "":
		return &Password{HashType: "bcrypt", Hash: a.Hash}, nil
	case a.ImportHash != "":
		return &Password{HashType: "bcrypt", Hash: a.ImportHash}, nil
	case a.CustomHash != nil:
		return a.CustomHash.password()
	}
	return nil, nil
}

// auth0HashTypes are the algorithms of custom hashes that exist here.
var auth0HashTypes = map[string]string{"md5": "md_5", "sha1": "sha_1", "sha256": "sha_256", "sha512": "sha_512", "bcrypt": "bcrypt", "ldap": "ldap"}

func (h *auth0Hash) password() (*Password, error) {
	p := &Password{HashType: auth0HashTypes[h.Algorithm], Hash: h.Hash.Value}
	switch h.Algorithm {
	case "bcrypt", "ldap":
		return p, nil
	case "argon2", "pbkdf2":
		return phcPassword(h.Hash.Value)
	case "md5", "sha1", "sha256", "sha512":
	default:
		return nil, faultf("unsupported_hash", "Hashes by %q cannot be brought along from Auth0's format: use the format of Gatehouse.", h.Algorithm)
	}
	salts := &passhash.SaltConfig{}
	if h.Salt != nil {
		if h.Salt.Encoding != "" && h.Salt.Encoding != "utf8" {
			return nil, faultf("unsupported_hash", "A salt in %s cannot be brought along: salts are text.", h.Salt.Encoding)
		}
		if salts.PrependSalt = h.Salt.Value; h.Salt.Position == "suffix" {
			salts.PrependSalt, salts.AppendSalt = "", h.Salt.Value
		}
	}
	p.MD5, p.SHA1, p.SHA256, p.SHA512 = salts, salts, salts, salts
	var err error
	p.Hash, err = asHex(h.Hash.Value, h.Hash.Encoding)
	return p, err
}

// unquoted is a string, or a number as it is written.
func unquoted(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
