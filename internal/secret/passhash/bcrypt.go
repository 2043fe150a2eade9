package passhash

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"gatehouse/internal/apierr"
)

var (
	errBcrypt     = apierr.New(400, "invalid_bcrypt_hash", "The hash is not one by bcrypt: 60 characters that begin with $2a$, $2b$, $2x$ or $2y$. Send it exactly as the other system stored it.")
	errBcryptCost = apierr.New(400, "invalid_bcrypt_cost", "The cost of the bcrypt hash must be between 4 and 16.")
)

// bcrypt64 is base64 in bcrypt's own alphabet.
var bcrypt64 = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)

// "$2b$12$", 22 characters of salt, 31 of hash.
const bcryptHead, bcryptSalt, bcryptLength = 7, 22, 60

// bcryptHash is a hash by bcrypt in its usual form.
type bcryptHash string

// matches compares as the makers of such hashes do: bytes after the 72nd do
// not count. A password with a NUL never matches, because to some makers it
// ends there, so that "a\x00b" would open what "a" locked; nor does one beyond
// ASCII match $2x$, which marks hashes by an implementation that read such
// bytes wrongly.
func (b bcryptHash) matches(password []byte) bool {
	key := password
	if bytes.IndexByte(password, 0) >= 0 || b[2] == 'x' && bytes.ContainsFunc(password, beyondASCII) {
		key = nil // costs as much as a wrong one, and is one
	}
	same := bcrypt.CompareHashAndPassword([]byte(b), key) == nil
	return same && len(key) == len(password)
}

func beyondASCII(r rune) bool { return r >= 0x80 }

func (b bcryptHash) encode() string { return string(b) }

func (b bcryptHash) split() (string, string, Configs) { return "bcrypt", string(b), Configs{} }

func parseBcrypt(s string) (scheme, error) { return readBcrypt(s) }

// readBcrypt reads a hash, and clears the bits that its base64 has to spare:
// some implementations leave them set.
func readBcrypt(s string) (bcryptHash, error) {
	if len(s) != bcryptLength || !strings.HasPrefix(s, "$2") || !strings.Contains("abxy", s[2:3]) || s[3] != '$' || s[6] != '$' {
		return "", errBcrypt
	}
	cost, err := strconv.ParseUint(s[4:6], 10, 8)
	if err != nil {
		return "", errBcrypt
	}
	if cost < minBcryptCost || cost > maxBcryptCost {
		return "", errBcryptCost
	}
	canonical := s[:bcryptHead]
	for _, part := range []string{s[bcryptHead : bcryptHead+bcryptSalt], s[bcryptHead+bcryptSalt:]} {
		raw, err := bcrypt64.DecodeString(part)
		if err != nil || strings.ContainsAny(part, "\r\n") {
			return "", errBcrypt
		}
		canonical += bcrypt64.EncodeToString(raw)
	}
	return bcryptHash(canonical), nil
}

// bcryptSHA256Prefix marks Django's form of bcrypt for passwords of any length:
// bcrypt of the SHA-256 of the password in hex.
const bcryptSHA256Prefix = "bcrypt_sha256$"

type bcryptSHA256Hash struct{ bcryptHash }

func (b bcryptSHA256Hash) matches(password []byte) bool {
	sum := sha256.Sum256(password)
	return b.bcryptHash.matches([]byte(hex.EncodeToString(sum[:])))
}

func (b bcryptSHA256Hash) encode() string { return bcryptSHA256Prefix + string(b.bcryptHash) }

func (b bcryptSHA256Hash) split() (string, string, Configs) { return "django", b.encode(), Configs{} }

func parseBcryptSHA256(s string) (scheme, error) {
	b, err := readBcrypt(strings.TrimPrefix(s, bcryptSHA256Prefix))
	return bcryptSHA256Hash{b}, err
}
