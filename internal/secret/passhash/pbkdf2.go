package passhash

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"

	"gatehouse/internal/apierr"
)

var (
	errPBKDF2           = apierr.New(400, "invalid_pbkdf_2_hash", "The hash is not one by PBKDF2: between 12 and 1024 bytes in base64, or the encoded form that begins with $pbkdf2.")
	errPBKDF2Salt       = apierr.New(400, "invalid_pbkdf_2_salt", "The pbkdf_2_config.salt must have between 1 and 512 bytes, in base64.")
	errPBKDF2Iterations = apierr.New(400, "invalid_pbkdf_2_iteration_amount", "The iterations of PBKDF2 must be at least 1, and 5000000 at most over all blocks of the key.")
	errPBKDF2Algorithm  = apierr.New(400, "invalid_pbkdf_2_algorithm", "The pbkdf_2_config.algorithm must be sha256 or sha512.")
	errPBKDF2Mismatch   = apierr.New(400, "pbkdf_2_key_length_mismatch", "The pbkdf_2_config.key_length is not the length of the hash in bytes.")
)

// The functions below PBKDF2. The contract knows no SHA-1, so that it comes in
// the encoded form only.
var pbkdf2Functions = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

type pbkdf2Hash struct {
	algorithm  string
	iterations int
	salt, hash []byte
}

func (p *pbkdf2Hash) matches(password []byte) bool {
	key, err := pbkdf2.Key(pbkdf2Functions[p.algorithm], string(password), p.salt, p.iterations, len(p.hash))
	return err == nil && subtle.ConstantTimeCompare(key, p.hash) == 1
}

func (p *pbkdf2Hash) encode() string {
	return fmt.Sprintf("$pbkdf2-%s$i=%d$%s$%s", p.algorithm, p.iterations, b64.EncodeToString(p.salt), b64.EncodeToString(p.hash))
}

func (p *pbkdf2Hash) split() (string, string, Configs) {
	if p.algorithm == "sha1" {
		return "pbkdf_2", p.encode(), Configs{}
	}
	return "pbkdf_2", base64.StdEncoding.EncodeToString(p.hash), Configs{PBKDF2: &PBKDF2Config{
		Salt:            base64.StdEncoding.EncodeToString(p.salt),
		IterationAmount: p.iterations, KeyLength: len(p.hash), Algorithm: p.algorithm,
	}}
}

func importPBKDF2(hash string, c *PBKDF2Config) (scheme, error) {
	if strings.HasPrefix(hash, "$") {
		return parsePBKDF2(hash)
	}
	key, ok := anyBase64(hash)
	if !ok {
		return nil, errPBKDF2
	}
	if c == nil {
		c = &PBKDF2Config{}
	}
	salt, ok := anyBase64(c.Salt)
	if !ok {
		return nil, errPBKDF2Salt
	}
	algorithm := c.Algorithm
	switch algorithm {
	case "":
		algorithm = "sha256"
	case "sha256", "sha512":
	default:
		return nil, errPBKDF2Algorithm
	}
	if c.KeyLength != len(key) {
		return nil, errPBKDF2Mismatch
	}
	return checkPBKDF2(algorithm, c.IterationAmount, salt, key)
}

// parsePBKDF2 reads "$pbkdf2-sha256$i=600000$salt$hash", and how passlib writes
// it: without "i=", with "." for "+", and with "$pbkdf2$" for SHA-1.
func parsePBKDF2(s string) (scheme, error) {
	parts := strings.Split(strings.ReplaceAll(s, ".", "+"), "$")
	if len(parts) != 5 || parts[0] != "" {
		return nil, errPBKDF2
	}
	algorithm := "sha1"
	if parts[1] != "pbkdf2" {
		var ok bool
		algorithm, ok = strings.CutPrefix(parts[1], "pbkdf2-")
		if _, known := pbkdf2Functions[algorithm]; !ok || !known {
			return nil, errPBKDF2
		}
	}
	iterations, ok := number(strings.TrimPrefix(parts[2], "i="))
	if !ok {
		return nil, errPBKDF2Iterations
	}
	salt, ok := unb64(parts[3])
	if !ok {
		return nil, errPBKDF2Salt
	}
	key, ok := unb64(parts[4])
	if !ok {
		return nil, errPBKDF2
	}
	return checkPBKDF2(algorithm, iterations, salt, key)
}

func checkPBKDF2(algorithm string, iterations int, salt, key []byte) (scheme, error) {
	size := pbkdf2Functions[algorithm]().Size()
	switch {
	case len(key) < minHashBytes || len(key) > maxHashBytes:
		return nil, errPBKDF2
	case len(salt) < 1 || len(salt) > maxSaltBytes:
		return nil, errPBKDF2Salt
	case iterations < 1 || iterations > maxPBKDF2Work/((len(key)+size-1)/size):
		return nil, errPBKDF2Iterations
	}
	return &pbkdf2Hash{algorithm: algorithm, iterations: iterations, salt: salt, hash: key}, nil
}
