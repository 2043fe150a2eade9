package passhash

import (
	"encoding/base64"
	"strings"
)

// ldap64 is base64 as LDAP and Firebase write it.
var ldap64 = base64.StdEncoding

var errDjango = errHash.WithMessage("The hash is not one of Django that can be imported: pbkdf2_sha256, pbkdf2_sha1, argon2, bcrypt_sha256, bcrypt, scrypt, md5 or sha1.")

// importDjango reads a password as Django stores it. But for bcrypt_sha256, all
// of its hashers are other schemes in other words.
func importDjango(hash string) (scheme, error) {
	name, rest, _ := strings.Cut(hash, "$")
	parts := strings.Split(rest, "$")
	switch {
	case name == "argon2" && strings.HasPrefix(rest, argon2id+"$"):
		return parseArgon2(argon2id, "$"+rest)
	case name == "argon2" && strings.HasPrefix(rest, argon2i+"$"):
		return parseArgon2(argon2i, "$"+rest)
	case name == "bcrypt":
		return parseBcrypt(rest)
	case name == "bcrypt_sha256":
		return parseBcryptSHA256(hash)
	case (name == "pbkdf2_sha256" || name == "pbkdf2_sha1") && len(parts) == 3:
		iterations, ok := number(parts[0])
		if !ok {
			return nil, errPBKDF2Iterations
		}
		key, ok := anyBase64(parts[2])
		if !ok {
			return nil, errPBKDF2
		}
		return checkPBKDF2(strings.TrimPrefix(name, "pbkdf2_"), iterations, []byte(parts[1]), key)
	case name == "scrypt" && len(parts) == 5:
		n, ok1 := number(parts[0])
		r, ok2 := number(parts[2])
		p, ok3 := number(parts[3])
		if !ok1 || !ok2 || !ok3 {
			return nil, errScryptParameters
		}
		key, ok := anyBase64(parts[4])
		if !ok {
			return nil, errScryptHash
		}
		return checkScrypt(scryptCost{n, r, p}, []byte(parts[1]), key)
	case (name == "md5" || name == "sha1") && len(parts) == 2:
		return importSalted(name, parts[1], &SaltConfig{PrependSalt: parts[0]})
	}
	return nil, errDjango
}

var errLDAP = errHash.WithMessage("The hash is not a userPassword that can be imported: {SSHA}, {SHA}, {SSHA256}, {SHA256}, {SSHA512}, {SHA512}, {SMD5}, {MD5}, {CRYPT} or {ARGON2}.")

// ldapDigests are RFC 2307's schemes and their later relatives. The salt, if
// the scheme has one, stands behind the digest and was hashed behind the password.
var ldapDigests = map[string]struct {
	algorithm string
	salted    bool
}{
	"{MD5}": {"md5", false}, "{SMD5}": {"md5", true},
	"{SHA}": {"sha1", false}, "{SSHA}": {"sha1", true},
	"{SHA256}": {"sha256", false}, "{SSHA256}": {"sha256", true},
	"{SHA512}": {"sha512", false}, "{SSHA512}": {"sha512", true},
}

// importLDAP reads a value of userPassword.
func importLDAP(hash string) (scheme, error) {
	end := strings.IndexByte(hash, '}') + 1
	name, rest := strings.ToUpper(hash[:end]), hash[end:]
	switch name {
	case "{CRYPT}":
		return importCrypt(rest)
	case "{ARGON2}":
		if strings.HasPrefix(rest, "$"+argon2i+"$") {
			return parseArgon2(argon2i, rest)
		}
		return parseArgon2(argon2id, rest)
	}
	kind, known := ldapDigests[name]
	value, ok := anyBase64(rest)
	if !known || !ok {
		return nil, errLDAP
	}
	size := digests[kind.algorithm].new().Size()
	if len(value) < size || kind.salted != (len(value) > size) {
		return nil, errLDAP
	}
	return checkSalted(kind.algorithm, nil, value[size:], value[:size])
}
