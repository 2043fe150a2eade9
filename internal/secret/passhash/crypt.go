package passhash

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"hash"
	"strings"

	"gatehouse/internal/apierr"
)

var (
	errCrypt        = errHash.WithMessage("The hash is not one by crypt that can be imported: $1$, $apr1$, $5$, $6$, or bcrypt.")
	errCryptRounds  = errHash.WithMessage("The rounds of the hash must be between %d and %d.", minCryptRounds, maxCryptRounds)
	errPhpassFormat = apierr.New(400, "invalid_phpass_hash_format", "The hash is not one by phpass: 34 characters, with 2^7 to 2^20 rounds. Send it exactly as the other system stored it.")
	errPhpassPrefix = apierr.New(400, "invalid_phpass_hash_prefix", "The hash is not one by phpass: it begins with neither $P$ nor $H$.")
)

// importCrypt reads what crypt(3) makes, by its prefix.
func importCrypt(s string) (scheme, error) {
	switch {
	case strings.HasPrefix(s, "$1$"), strings.HasPrefix(s, "$apr1$"):
		return parseMD5Crypt(s)
	case strings.HasPrefix(s, "$5$"), strings.HasPrefix(s, "$6$"):
		return parseSHACrypt(s)
	case strings.HasPrefix(s, "$2"):
		return parseBcrypt(s)
	}
	return nil, errCrypt
}

// cryptAlphabet is how crypt(3) writes six bits.
const cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// crypt64 writes the bytes of sum that order names, three at a time with the
// last of them first, as crypt(3) does.
func crypt64(sum []byte, order []byte) string {
	var out []byte
	for i := 0; i < len(order); i += 3 {
		group, chars := uint32(0), 1
		for j, b := range order[i:min(i+3, len(order))] {
			group |= uint32(sum[b]) << (8 * j)
			chars++
		}
		for range chars {
			out = append(out, cryptAlphabet[group&63])
			group >>= 6
		}
	}
	return string(out)
}

// validCrypt64 reports whether s can be what crypt64 writes for so many bytes.
func validCrypt64(s string, size int) bool {
	if len(s) != (size*8+5)/6 {
		return false
	}
	for i := range len(s) {
		if strings.IndexByte(cryptAlphabet, s[i]) < 0 {
			return false
		}
	}
	spare := len(s)*6 - size*8 // bits, the upper ones of the last character
	return strings.IndexByte(cryptAlphabet, s[len(s)-1]) < 64>>spare
}

// validCryptSalt allows what can stand in a line of /etc/shadow.
func validCryptSalt(s string, most int) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '$' || s[i] == ':' {
			return false
		}
	}
	return len(s) <= most
}

// cryptHash is a hash by one of the forms of crypt(3) below.
type cryptHash struct {
	prefix string // "$1$", "$apr1$", "$5$" or "$6$"
	rounds int
	salt   string
	sum    string
}

// matches never accepts a password with a NUL, where crypt(3) would end it, nor
// one that is longer than crypt(3) takes.
func (c *cryptHash) matches(password []byte) bool {
	if len(password) > maxCryptPassword || bytes.IndexByte(password, 0) >= 0 {
		return false
	}
	var sum string
	switch c.prefix {
	case "$5$":
		sum = crypt64(shaCrypt(sha256.New, password, []byte(c.salt), c.rounds), sha256Order[:])
	case "$6$":
		sum = crypt64(shaCrypt(sha512.New, password, []byte(c.salt), c.rounds), sha512Order[:])
	default:
		sum = crypt64(md5Crypt(c.prefix, password, []byte(c.salt)), md5Order[:])
	}
	return subtle.ConstantTimeCompare([]byte(sum), []byte(c.sum)) == 1
}

func (c *cryptHash) encode() string {
	rounds := ""
	if c.rounds != shaCryptRounds {
		rounds = fmt.Sprintf("rounds=%d$", c.rounds)
	}
	return c.prefix + rounds + c.salt + "$" + c.sum
}

func (c *cryptHash) split() (string, string, Configs) { return "crypt", c.encode(), Configs{} }

// shaCryptRounds is meant when a hash names no number.
const shaCryptRounds = 5000

// parseMD5Crypt reads "$1$salt$hash", or Apache's "$apr1$salt$hash".
func parseMD5Crypt(s string) (scheme, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 4 || !validCryptSalt(parts[2], 8) || !validCrypt64(parts[3], md5.Size) {
		return nil, errCrypt
	}
	// Its rounds are always the same, and never written.
	return &cryptHash{prefix: "$" + parts[1] + "$", rounds: shaCryptRounds, salt: parts[2], sum: parts[3]}, nil
}

// parseSHACrypt reads "$5$salt$hash" or "$6$rounds=656000$salt$hash".
func parseSHACrypt(s string) (scheme, error) {
	c := &cryptHash{prefix: s[:3], rounds: shaCryptRounds}
	parts := strings.Split(s[3:], "$")
	if written, ok := strings.CutPrefix(parts[0], "rounds="); ok {
		if c.rounds, ok = number(written); !ok || c.rounds < minCryptRounds || c.rounds > maxCryptRounds {
			return nil, errCryptRounds
		}
		parts = parts[1:]
	}
	size := sha512.Size
	if c.prefix == "$5$" {
		size = sha256.Size
	}
	if len(parts) != 2 || !validCryptSalt(parts[0], 16) || !validCrypt64(parts[1], size) {
		return nil, errCrypt
	}
	c.salt, c.sum = parts[0], parts[1]
	return c, nil
}

// phpassHash is a portable hash of phpass, as WordPress ($P$) and phpBB ($H$)
// had them: prefix, the logarithm of the rounds, salt, hash.
type phpassHash string

func parsePhpass(s string) (scheme, error) {
	if !strings.HasPrefix(s, "$P$") && !strings.HasPrefix(s, "$H$") {
		return nil, errPhpassPrefix
	}
	if len(s) != 34 || !validCrypt64(s[12:], md5.Size) || !validCryptSalt(s[4:12], 8) {
		return nil, errPhpassFormat
	}
	if log2 := strings.IndexByte(cryptAlphabet, s[3]); log2 < minPhpassLog2 || log2 > maxPhpassLog2 {
		return nil, errPhpassFormat
	}
	return phpassHash(s), nil
}

func (p phpassHash) matches(password []byte) bool {
	sum := md5.Sum(append([]byte(p[4:12]), password...))
	h := md5.New()
	for range 1 << strings.IndexByte(cryptAlphabet, p[3]) {
		h.Reset()
		h.Write(sum[:])
		h.Write(password)
		h.Sum(sum[:0])
	}
	inOrder := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	return subtle.ConstantTimeCompare([]byte(crypt64(sum[:], inOrder)), []byte(p[12:])) == 1
}

func (p phpassHash) encode() string { return string(p) }

func (p phpassHash) split() (string, string, Configs) { return "phpass", string(p), Configs{} }

// The orders in which crypt(3) writes the bytes of a digest.
var (
	md5Order    = [md5.Size]byte{12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11}
	sha256Order = [sha256.Size]byte{
		20, 10, 0, 11, 1, 21, 2, 22, 12, 23, 13, 3, 14, 4, 24, 5,
		25, 15, 26, 16, 6, 17, 7, 27, 8, 28, 18, 29, 19, 9, 30, 31,
	}
	sha512Order = [sha512.Size]byte{
		42, 21, 0, 1, 43, 22, 23, 2, 44, 45, 24, 3, 4, 46, 25, 26,
		5, 47, 48, 27, 6, 7, 49, 28, 29, 8, 50, 51, 30, 9, 10, 52,
		31, 32, 11, 53, 54, 33, 12, 13, 55, 34, 35, 14, 56, 57, 36, 15,
		16, 58, 37, 38, 17, 59, 60, 39, 18, 19, 61, 40, 41, 20, 62, 63,
	}
)

// fill returns n bytes of sum, repeated.
func fill(sum []byte, n int) []byte {
	return bytes.Repeat(sum, n/len(sum)+1)[:n]
}

// md5Crypt is the algorithm of $1$ by Poul-Henning Kamp, and of Apache's $apr1$,
// which differs by its prefix alone.
func md5Crypt(prefix string, password, salt []byte) []byte {
	inner := md5.Sum(bytes.Join([][]byte{password, salt, password}, nil))
	h := md5.New()
	h.Write(password)
	h.Write([]byte(prefix))
	h.Write(salt)
	h.Write(fill(inner[:], len(password)))
	for i := len(password); i > 0; i >>= 1 {
		if i&1 == 1 {
			h.Write([]byte{0})
		} else {
			h.Write(password[:1])
		}
	}
	sum := h.Sum(nil)
	for i := range 1000 {
		sum = cryptRound(h, i, sum, password, salt)
	}
	return sum
}

// shaCrypt is the algorithm of $5$ and $6$ by Ulrich Drepper.
func shaCrypt(newHash func() hash.Hash, password, salt []byte, rounds int) []byte {
	h := newHash()
	h.Write(password)
	h.Write(salt)
	h.Write(password)
	inner := h.Sum(nil)

	h.Reset()
	h.Write(password)
	h.Write(salt)
	h.Write(fill(inner, len(password)))
	for i := len(password); i > 0; i >>= 1 {
		if i&1 == 1 {
			h.Write(inner)
		} else {
			h.Write(password)
		}
	}
	sum := h.Sum(nil)

	h.Reset()
	for range password {
		h.Write(password)
	}
	p := fill(h.Sum(nil), len(password))
	h.Reset()
	for range 16 + int(sum[0]) {
		h.Write(salt)
	}
	s := fill(h.Sum(nil), len(salt))
	for i := range rounds {
		sum = cryptRound(h, i, sum, p, s)
	}
	return sum
}

// cryptRound is one round of both, which writes the next digest over the last.
func cryptRound(h hash.Hash, i int, sum, password, salt []byte) []byte {
	h.Reset()
	first, last := sum, password
	if i&1 == 1 {
		first, last = password, sum
	}
	h.Write(first)
	if i%3 != 0 {
		h.Write(salt)
	}
	if i%7 != 0 {
		h.Write(password)
	}
	h.Write(last)
	return h.Sum(sum[:0])
}
