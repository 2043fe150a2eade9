package passhash

import (
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"gatehouse/internal/apierr"
)

var (
	errArgon2Salt       = apierr.New(400, "invalid_argon_2_salt", "The argon_2_config.salt must have between 8 and 512 bytes. Send it as the other system used it, or send the hash in its encoded form.")
	errArgon2Iterations = apierr.New(400, "invalid_argon_2_iteration_amount", "The iterations of Argon2 must be at least 1, and memory times iterations 1048576 KiB at most.")
	errArgon2Memory     = apierr.New(400, "invalid_argon_2_memory", "The memory of Argon2 must be at least 8 KiB for each thread and 262144 KiB at most.")
	errArgon2Threads    = apierr.New(400, "invalid_argon_2_threads", "The threads of Argon2 must be between 1 and 64.")
	errArgon2KeyLength  = apierr.New(400, "invalid_argon_2_key_length", "The key length of Argon2 must be between 12 and 1024 bytes.")
	errArgon2Mismatch   = apierr.New(400, "argon_2_key_length_mismatch", "The argon_2_config.key_length is not the length of the hash in bytes.")
)

// The two variants that are offered. Argon2d is not made for passwords.
const (
	argon2i  = "argon2i"
	argon2id = "argon2id"
)

// argon2Hash is a hash by Argon2i or Argon2id, version 1.3.
type argon2Hash struct {
	variant string
	Params
	salt, hash []byte
}

func (a *argon2Hash) key(password []byte, length int) []byte {
	mode := modeArgon2id
	if a.variant == argon2i {
		mode = modeArgon2i
	}
	return deriveKey(mode, password, a.salt, a.Params, uint32(length))
}

func (a *argon2Hash) matches(password []byte) bool {
	return subtle.ConstantTimeCompare(a.key(password, len(a.hash)), a.hash) == 1
}

// madeAs reports whether Hash would make such a hash at p.
func (a *argon2Hash) madeAs(p Params) bool {
	return a.variant == argon2id && a.Params == p && len(a.salt) >= newSaltBytes && len(a.hash) == newHashBytes
}

func (a *argon2Hash) encode() string {
	return fmt.Sprintf("$%s$v=%d$m=%d,t=%d,p=%d$%s$%s", a.variant, argon2.Version,
		a.MemoryKiB, a.Iterations, a.Parallelism, b64.EncodeToString(a.salt), b64.EncodeToString(a.hash))
}

func (a *argon2Hash) split() (string, string, Configs) {
	if a.variant == argon2i {
		return "argon_2i", a.encode(), Configs{}
	}
	return "argon_2id", a.encode(), Configs{}
}

// importArgon2 reads the encoded form, or a hash in hex with its settings.
func importArgon2(variant, hash string, c *Argon2Config) (scheme, error) {
	if strings.HasPrefix(hash, "$") {
		return parseArgon2(variant, hash)
	}
	key, err := hex.DecodeString(hash)
	if err != nil {
		return nil, errHash
	}
	if c == nil {
		c = &Argon2Config{}
	}
	if c.KeyLength != len(key) {
		return nil, errArgon2Mismatch
	}
	return checkArgon2(variant, c.Memory, c.IterationAmount, c.Threads, []byte(c.Salt), key)
}

// parseArgon2 reads "$argon2id$v=19$m=19456,t=2,p=1$salt$hash".
func parseArgon2(variant, s string) (scheme, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != variant || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, errHash
	}
	cost, ok := settings(parts[3], "m", "t", "p")
	if !ok {
		return nil, errHash
	}
	salt, ok1 := unb64(parts[4])
	key, ok2 := unb64(parts[5])
	if !ok1 || !ok2 {
		return nil, errHash
	}
	return checkArgon2(variant, cost[0], cost[1], cost[2], salt, key)
}

func checkArgon2(variant string, memory, iterations, threads int, salt, key []byte) (scheme, error) {
	switch {
	case len(salt) < minArgon2Salt || len(salt) > maxSaltBytes:
		return nil, errArgon2Salt
	case threads < 1 || threads > maxArgon2Threads:
		return nil, errArgon2Threads
	case memory < argon2KiBPerLane*threads || memory > maxArgon2KiB:
		return nil, errArgon2Memory
	case iterations < 1 || iterations > maxArgon2Work/memory:
		return nil, errArgon2Iterations
	case len(key) < minHashBytes || len(key) > maxHashBytes:
		return nil, errArgon2KeyLength
	}
	p := Params{MemoryKiB: uint32(memory), Iterations: uint32(iterations), Parallelism: uint8(threads)}
	return &argon2Hash{variant: variant, Params: p, salt: salt, hash: key}, nil
}
