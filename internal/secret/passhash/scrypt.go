package passhash

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
	"math/bits"
	"strings"

	"golang.org/x/crypto/scrypt"

	"gatehouse/internal/apierr"
)

var (
	errScryptHash       = apierr.New(400, "invalid_base64_scrypt_hash", "The hash is not one by scrypt: between 12 and 1024 bytes in base64, or the encoded form that begins with $scrypt$.")
	errScryptSalt       = apierr.New(400, "invalid_base64_scrypt_salt", "The salt of scrypt is not base64.")
	errScryptSaltLength = apierr.New(400, "invalid_scrypt_salt_length", "The salt of scrypt must have between 1 and 512 bytes.")
	errScryptN          = apierr.New(400, "invalid_scrypt_n_parameter", "The N parameter of scrypt must be a power of two between 2 and 262144.")
	errScryptParameters = apierr.New(400, "invalid_scrypt_parameters", "The parameters of scrypt must be at least 1 each, N times r 2097152 at most, and N times r times p 4194304 at most.")
	errScryptMismatch   = apierr.New(400, "scrypt_key_length_mismatch", "The scrypt_config.key_length is not the length of the hash in bytes.")
	errFirebase         = apierr.New(400, "invalid_firebase_scrypt_config", "The firebase_scrypt_config must have the salt of the user, and signer_key, salt_separator, rounds and mem_cost of the Firebase project.")
)

// scryptCost is what one run of scrypt takes.
type scryptCost struct{ n, r, p int }

func (c scryptCost) check() error {
	switch {
	case c.n < minScryptN || c.n > maxScryptN || bits.OnesCount(uint(c.n)) != 1:
		return errScryptN
	case c.r < 1 || c.p < 1 || c.r > maxScryptMemory/c.n || c.p > maxScryptWork/(c.n*c.r):
		return errScryptParameters
	}
	return nil
}

func (c scryptCost) encode() string {
	return fmt.Sprintf("ln=%d,r=%d,p=%d", bits.TrailingZeros(uint(c.n)), c.r, c.p)
}

func parseScryptCost(s string) (c scryptCost, ok bool) {
	v, ok := settings(s, "ln", "r", "p")
	if !ok || v[0] > 30 {
		return c, false
	}
	return scryptCost{n: 1 << v[0], r: v[1], p: v[2]}, true
}

type scryptHash struct {
	scryptCost
	salt, hash []byte
}

func (s *scryptHash) matches(password []byte) bool {
	key, err := scrypt.Key(password, s.salt, s.n, s.r, s.p, len(s.hash))
	return err == nil && subtle.ConstantTimeCompare(key, s.hash) == 1
}

func (s *scryptHash) encode() string {
	return "$scrypt$" + s.scryptCost.encode() + "$" + b64.EncodeToString(s.salt) + "$" + b64.EncodeToString(s.hash)
}

func (s *scryptHash) split() (string, string, Configs) { return "scrypt", s.encode(), Configs{} }

func importScrypt(hash string, c *ScryptConfig) (scheme, error) {
	if strings.HasPrefix(hash, "$") {
		return parseScrypt(hash)
	}
	key, ok := anyBase64(hash)
	if !ok {
		return nil, errScryptHash
	}
	if c == nil {
		c = &ScryptConfig{}
	}
	salt, ok := anyBase64(c.Salt)
	if !ok {
		return nil, errScryptSalt
	}
	if c.KeyLength != len(key) {
		return nil, errScryptMismatch
	}
	return checkScrypt(scryptCost{c.NParameter, c.RParameter, c.PParameter}, salt, key)
}

// parseScrypt reads "$scrypt$ln=14,r=8,p=1$salt$hash".
func parseScrypt(s string) (scheme, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 5 || parts[0] != "" || parts[1] != "scrypt" {
		return nil, errHash
	}
	cost, ok := parseScryptCost(parts[2])
	if !ok {
		return nil, errScryptParameters
	}
	salt, ok := unb64(parts[3])
	if !ok {
		return nil, errScryptSalt
	}
	key, ok := unb64(parts[4])
	if !ok {
		return nil, errScryptHash
	}
	return checkScrypt(cost, salt, key)
}

func checkScrypt(cost scryptCost, salt, key []byte) (scheme, error) {
	if err := cost.check(); err != nil {
		return nil, err
	}
	switch {
	case len(salt) < 1 || len(salt) > maxSaltBytes:
		return nil, errScryptSaltLength
	case len(key) < minHashBytes || len(key) > maxHashBytes:
		return nil, errScryptHash
	}
	return &scryptHash{scryptCost: cost, salt: salt, hash: key}, nil
}

// firebaseHash is a hash by Firebase Authentication: the project's signer key,
// encrypted under a key that scrypt makes of the password.
type firebaseHash struct {
	scryptCost
	salt, separator, signer, hash []byte
}

func (f *firebaseHash) matches(password []byte) bool {
	key, err := scrypt.Key(password, append(append([]byte{}, f.salt...), f.separator...), f.n, f.r, f.p, 32)
	if err != nil {
		return false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return false
	}
	sum := make([]byte, len(f.signer))
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(sum, f.signer)
	return subtle.ConstantTimeCompare(sum, f.hash) == 1
}

func (f *firebaseHash) encode() string {
	s := "$firebase-scrypt$" + f.scryptCost.encode()
	for _, part := range [][]byte{f.salt, f.separator, f.signer, f.hash} {
		s += "$" + b64.EncodeToString(part)
	}
	return s
}

func (f *firebaseHash) split() (string, string, Configs) {
	return "firebase_scrypt", ldap64.EncodeToString(f.hash), Configs{FirebaseScrypt: &FirebaseScryptConfig{
		Salt: ldap64.EncodeToString(f.salt), SaltSeparator: ldap64.EncodeToString(f.separator), SignerKey: ldap64.EncodeToString(f.signer),
		Rounds: f.r, MemCost: bits.TrailingZeros(uint(f.n)),
	}}
}

func importFirebase(hash string, c *FirebaseScryptConfig) (scheme, error) {
	if c == nil || c.MemCost < 1 || c.MemCost > 30 {
		return nil, errFirebase
	}
	var parts [4][]byte
	for i, s := range []string{c.Salt, c.SaltSeparator, c.SignerKey, hash} {
		b, ok := anyBase64(s)
		if !ok && i == 3 {
			return nil, errHash
		}
		if !ok {
			return nil, errFirebase
		}
		parts[i] = b
	}
	return checkFirebase(scryptCost{n: 1 << c.MemCost, r: c.Rounds, p: 1}, parts)
}

// parseFirebase reads "$firebase-scrypt$ln=14,r=8,p=1$salt$separator$signer$hash".
func parseFirebase(s string) (scheme, error) {
	fields := strings.Split(s, "$")
	if len(fields) != 7 {
		return nil, errHash
	}
	cost, ok := parseScryptCost(fields[2])
	if !ok {
		return nil, errFirebase
	}
	var parts [4][]byte
	for i := range parts {
		if parts[i], ok = unb64(fields[3+i]); !ok {
			return nil, errHash
		}
	}
	return checkFirebase(cost, parts)
}

func checkFirebase(cost scryptCost, parts [4][]byte) (scheme, error) {
	f := &firebaseHash{scryptCost: cost, salt: parts[0], separator: parts[1], signer: parts[2], hash: parts[3]}
	switch {
	case cost.p != 1 || cost.check() != nil,
		len(f.salt) < 1 || len(f.salt) > maxSaltBytes || len(f.separator) > maxSaltBytes,
		len(f.signer) < minHashBytes || len(f.signer) > maxHashBytes:
		return nil, errFirebase
	case len(f.hash) != len(f.signer):
		return nil, errHash
	}
	return f, nil
}
