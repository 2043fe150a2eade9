package passhash

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/apierr"
)

var (
	errMD5         = apierr.New(400, "invalid_md_5_hash", "The hash is not one by MD5: 32 characters in hex.")
	errSHA1        = apierr.New(400, "invalid_sha_1_hash", "The hash is not one by SHA-1: 40 characters in hex.")
	errSHA256      = apierr.New(400, "invalid_sha_256_hash", "The hash is not one by SHA-256: 64 characters in hex.")
	errSHA512      = apierr.New(400, "invalid_sha_512_hash", "The hash is not one by SHA-512: 128 characters in hex.")
	errPrependSalt = apierr.New(400, "invalid_prepend_salt", "The prepend_salt must be text of 512 bytes at most.")
	errAppendSalt  = apierr.New(400, "invalid_append_salt", "The append_salt must be text of 512 bytes at most.")
)

// A digest is a hash function that was used without stretching.
type digest struct {
	new      func() hash.Hash
	hashType string
	ldap     string // RFC 2307's name for it, with a salt after the password
	config   func(*Configs) **SaltConfig
	wrong    *apierr.Error
}

var digests = map[string]digest{
	"md5":    {md5.New, "md_5", "{SMD5}", func(c *Configs) **SaltConfig { return &c.MD5 }, errMD5},
	"sha1":   {sha1.New, "sha_1", "{SSHA}", func(c *Configs) **SaltConfig { return &c.SHA1 }, errSHA1},
	"sha256": {sha256.New, "sha_256", "{SSHA256}", func(c *Configs) **SaltConfig { return &c.SHA256 }, errSHA256},
	"sha512": {sha512.New, "sha_512", "{SSHA512}", func(c *Configs) **SaltConfig { return &c.SHA512 }, errSHA512},
}

// saltedHash is one digest of the password between two salts.
type saltedHash struct {
	algorithm    string
	before, then []byte
	sum          []byte
}

func (s *saltedHash) matches(password []byte) bool {
	h := digests[s.algorithm].new()
	h.Write(s.before)
	h.Write(password)
	h.Write(s.then)
	return subtle.ConstantTimeCompare(h.Sum(nil), s.sum) == 1
}

func (s *saltedHash) encode() string {
	return "$salted-" + s.algorithm + "$" + b64.EncodeToString(s.before) + "$" + b64.EncodeToString(s.then) + "$" + b64.EncodeToString(s.sum)
}

// split gives the contract's form, whose salts are text. LDAP's are not, and
// come back in the form of LDAP.
func (s *saltedHash) split() (hashType, hash string, c Configs) {
	d := digests[s.algorithm]
	if !utf8.Valid(s.then) {
		return "ldap", d.ldap + ldap64.EncodeToString(append(append([]byte{}, s.sum...), s.then...)), c
	}
	if len(s.before)+len(s.then) > 0 {
		*d.config(&c) = &SaltConfig{PrependSalt: string(s.before), AppendSalt: string(s.then)}
	}
	return d.hashType, hex.EncodeToString(s.sum), c
}

func importSalted(algorithm, hash string, c *SaltConfig) (scheme, error) {
	sum, err := hex.DecodeString(hash)
	if err != nil {
		return nil, digests[algorithm].wrong
	}
	if c == nil {
		c = &SaltConfig{}
	}
	if !utf8.ValidString(c.AppendSalt) {
		return nil, errAppendSalt
	}
	return checkSalted(algorithm, []byte(c.PrependSalt), []byte(c.AppendSalt), sum)
}

// parseSalted reads "$salted-sha1$before$after$sum".
func parseSalted(s string) (scheme, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 5 {
		return nil, errHash
	}
	algorithm := strings.TrimPrefix(parts[1], "salted-")
	if _, known := digests[algorithm]; !known {
		return nil, errHash
	}
	before, ok1 := unb64(parts[2])
	then, ok2 := unb64(parts[3])
	sum, ok3 := unb64(parts[4])
	if !ok1 || !ok2 || !ok3 {
		return nil, errHash
	}
	return checkSalted(algorithm, before, then, sum)
}

func checkSalted(algorithm string, before, then, sum []byte) (scheme, error) {
	d := digests[algorithm]
	switch {
	case len(sum) != d.new().Size():
		return nil, d.wrong
	case len(before) > maxSaltBytes || !utf8.Valid(before):
		return nil, errPrependSalt
	case len(then) > maxSaltBytes || !utf8.Valid(then) && len(before) > 0:
		return nil, errAppendSalt
	}
	return &saltedHash{algorithm: algorithm, before: before, then: then, sum: sum}, nil
}
