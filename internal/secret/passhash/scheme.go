package passhash

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"gatehouse/internal/apierr"
)

var (
	errHashType = apierr.New(400, "invalid_hash_type", "The hash_type is not one that can be imported. See docs/password-hashes.md for all of them.")
	errHash     = apierr.New(400, "invalid_hash", "The hash is not in a form of its hash_type. Send it exactly as the other system stored it.")
)

// errStored is what a stored string is that neither Hash nor Import returned.
var errStored = errors.New("the stored password hash is in no known form")

// A scheme is one hash and how it was made.
type scheme interface {
	// matches reports whether the hash was made from the password, comparing
	// in constant time.
	matches(password []byte) bool
	// encode returns the canonical string, which parse reads.
	encode() string
	// split returns what Import makes the same hash of.
	split() (hashType, hash string, c Configs)
}

// importers read what POST /v1/passwords/migrate brings, by hash_type. The
// types after "scrypt" are ours; the contract has the others.
var importers = map[string]func(hash string, c Configs) (scheme, error){
	"argon_2i":  func(hash string, c Configs) (scheme, error) { return importArgon2(argon2i, hash, c.Argon2) },
	"argon_2id": func(hash string, c Configs) (scheme, error) { return importArgon2(argon2id, hash, c.Argon2) },
	"bcrypt":    func(hash string, _ Configs) (scheme, error) { return parseBcrypt(hash) },
	"md_5":      func(hash string, c Configs) (scheme, error) { return importSalted("md5", hash, c.MD5) },
	"pbkdf_2":   func(hash string, c Configs) (scheme, error) { return importPBKDF2(hash, c.PBKDF2) },
	"phpass":    func(hash string, _ Configs) (scheme, error) { return parsePhpass(hash) },
	"sha_1":     func(hash string, c Configs) (scheme, error) { return importSalted("sha1", hash, c.SHA1) },
	"sha_512":   func(hash string, c Configs) (scheme, error) { return importSalted("sha512", hash, c.SHA512) },
	"scrypt":    func(hash string, c Configs) (scheme, error) { return importScrypt(hash, c.Scrypt) },

	"crypt":           func(hash string, _ Configs) (scheme, error) { return importCrypt(hash) },
	"django":          func(hash string, _ Configs) (scheme, error) { return importDjango(hash) },
	"firebase_scrypt": func(hash string, c Configs) (scheme, error) { return importFirebase(hash, c.FirebaseScrypt) },
	"ldap":            func(hash string, _ Configs) (scheme, error) { return importLDAP(hash) },
	"sha_256":         func(hash string, c Configs) (scheme, error) { return importSalted("sha256", hash, c.SHA256) },
}

// parsers read stored strings, by how they begin.
var parsers = []struct {
	prefix string
	parse  func(string) (scheme, error)
}{
	{"$argon2id$", func(s string) (scheme, error) { return parseArgon2(argon2id, s) }},
	{"$argon2i$", func(s string) (scheme, error) { return parseArgon2(argon2i, s) }},
	{"$2", parseBcrypt},
	{bcryptSHA256Prefix, parseBcryptSHA256},
	{"$pbkdf2-", parsePBKDF2},
	{"$scrypt$", parseScrypt},
	{"$firebase-scrypt$", parseFirebase},
	{"$salted-", parseSalted},
	{"$P$", parsePhpass},
	{"$H$", parsePhpass},
	{"$1$", parseMD5Crypt},
	{"$apr1$", parseMD5Crypt},
	{"$5$", parseSHACrypt},
	{"$6$", parseSHACrypt},
}

// Import checks a hash that another system made and returns it as one string
// that says how it was made, which Verify understands. Two forms of the same
// hash become the same string. The error is for the client.
func Import(hashType, hash string, c Configs) (encoded string, err error) {
	read, known := importers[hashType]
	if !known {
		return "", errHashType
	}
	if len(hash) > maxImport {
		return "", errHash
	}
	s, err := read(hash, c)
	if err != nil {
		return "", err
	}
	return s.encode(), nil
}

// Split returns a stored hash as POST /v1/passwords/migrate takes it, for an
// export: Import of the parts is the string again.
func Split(encoded string) (hashType, hash string, c Configs, err error) {
	s, err := parse(encoded)
	if err != nil {
		return "", "", Configs{}, err
	}
	hashType, hash, c = s.split()
	return hashType, hash, c, nil
}

// parse reads a stored string. The limits of Import hold here as well, so that
// a string from anywhere else can cost no more.
func parse(encoded string) (scheme, error) {
	if len(encoded) > maxEncoded {
		return nil, errStored
	}
	for _, p := range parsers {
		if strings.HasPrefix(encoded, p.prefix) {
			s, err := p.parse(encoded)
			if err != nil {
				return nil, errors.Join(errStored, err)
			}
			return s, nil
		}
	}
	return nil, errStored
}

// b64 is the alphabet of the PHC string format.
var b64 = base64.RawStdEncoding

// anyBase64 reads base64 in the standard or the URL alphabet, padded or not.
func anyBase64(s string) ([]byte, bool) {
	return unb64(strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "=")))
}

func unb64(s string) ([]byte, bool) {
	b, err := b64.DecodeString(s)
	return b, err == nil && !strings.ContainsAny(s, "\r\n") // which the decoder would skip
}

// number reads a decimal number as the PHC string format writes it: no sign,
// no leading zero, and small enough for 32 bits with a sign.
func number(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil && strconv.FormatUint(n, 10) == s
}

// settings reads "m=19456,t=2,p=1" given "m", "t", "p", in this order.
func settings(s string, names ...string) ([]int, bool) {
	parts := strings.Split(s, ",")
	if len(parts) != len(names) {
		return nil, false
	}
	values := make([]int, len(names))
	for i, name := range names {
		value, ok := strings.CutPrefix(parts[i], name+"=")
		if !ok {
			return nil, false
		}
		if values[i], ok = number(value); !ok {
			return nil, false
		}
	}
	return values, true
}
