package bulk

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"gatehouse/internal/secret/passhash"
)

// phcPassword tells by its beginning what made a hash that says so itself.
func phcPassword(hash string) (*Password, error) {
	for _, form := range []struct{ prefix, hashType string }{
		{"$2", "bcrypt"}, {"$argon2id$", "argon_2id"}, {"$argon2i$", "argon_2i"}, {"$pbkdf2", "pbkdf_2"}, {"$scrypt$", "scrypt"},
		{"$1$", "crypt"}, {"$5$", "crypt"}, {"$6$", "crypt"}, {"$P$", "phpass"}, {"$H$", "phpass"},
	} {
		if strings.HasPrefix(hash, form.prefix) {
			return &Password{HashType: form.hashType, Hash: hash}, nil
		}
	}
	if strings.HasPrefix(hash, "$fbscrypt$") {
		return fbscrypt(hash)
	}
	return nil, faultf("unsupported_hash", "The password hash does not say how it was made, by a beginning such as $2a$ or $argon2id$.")
}

// fbscrypt reads "$fbscrypt$v=1,n=14,r=8,p=1,ss=SEPARATOR,sk=KEY$salt$hash", as
// Supabase keeps hashes of Firebase.
func fbscrypt(hash string) (*Password, error) {
	bad := faultf("invalid_hash", "The hash is not in the form $fbscrypt$v=1,n=...,r=...,p=1,ss=...,sk=...$salt$hash.")
	parts := strings.Split(hash, "$")
	if len(parts) != 5 {
		return nil, bad
	}
	c := &passhash.FirebaseScryptConfig{Salt: parts[3]}
	for setting := range strings.SplitSeq(parts[2], ",") {
		name, value, _ := strings.Cut(setting, "=")
		var err error
		switch name {
		case "v", "p":
			if value != "1" {
				return nil, bad
			}
		case "n":
			c.MemCost, err = strconv.Atoi(value)
		case "r":
			c.Rounds, err = strconv.Atoi(value)
		case "ss":
			c.SaltSeparator = value
		case "sk":
			c.SignerKey = value
		}
		if err != nil {
			return nil, bad
		}
	}
	return &Password{HashType: "firebase_scrypt", Hash: parts[4], Configs: passhash.Configs{FirebaseScrypt: c}}, nil
}

// asHex brings a digest into hex, which is how we take it.
func asHex(value, encoding string) (string, error) {
	if encoding != "base64" {
		return value, nil
	}
	b, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return "", faultf("invalid_hash", "The hash is not base64.")
	}
	return hex.EncodeToString(b), nil
}
