// Package passhash owns everything about password hashes: making and checking
// them at a bounded rate beside the requests that hash nothing, and reading
// the forms in which other systems keep theirs. Every hash is one string that
// says how it was made. The package never stores a hash, knows no user and no
// HTTP, and keeps no password longer than the call that brings it.
package passhash

import (
	"context"
	"crypto/rand"
	"fmt"
)

// MaxPassword is the longest password in bytes that is hashed at all: some of
// the imported schemes hash the whole password in each of their rounds, or
// as many times as it is long. No longer password matches any hash.
const MaxPassword = 1024

// What a new hash looks like: 128 bits of salt keep any two hashes apart, and
// 256 bits of hash are as many as an attacker could ever search.
const (
	newSaltBytes = 16
	newHashBytes = 32
)

// Params is the cost of Argon2id, the scheme of every new hash.
type Params struct {
	MemoryKiB, Iterations uint32
	Parallelism           uint8
}

// Default is the cost that OWASP recommends for Argon2id with little memory.
var Default = Params{MemoryKiB: 19456, Iterations: 2, Parallelism: 1}

// Check reports what is wrong with the parameters, in words for operators. It
// allows what a stored hash may cost, so that Verify reads whatever Hash wrote.
func (p Params) Check() error {
	if p.Iterations < 1 || p.Parallelism < 1 {
		return fmt.Errorf("argon2id needs at least one iteration and one lane")
	}
	if p.Parallelism > maxArgon2Threads {
		return fmt.Errorf("argon2id may use %d lanes at most", maxArgon2Threads)
	}
	if least := uint32(p.Parallelism) * argon2KiBPerLane; p.MemoryKiB < least || p.MemoryKiB > maxArgon2KiB {
		return fmt.Errorf("the memory of argon2id must be between %d and %d KiB", least, maxArgon2KiB)
	}
	if uint64(p.MemoryKiB)*uint64(p.Iterations) > maxArgon2Work {
		return fmt.Errorf("memory times iterations of argon2id must be %d KiB at most", maxArgon2Work)
	}
	return nil
}

// Hasher makes and checks password hashes, a bounded number at a time. It is
// safe for concurrent use; a process has one.
type Hasher struct{ queue *queue }

// New returns a Hasher with these limits. While any hashes, GOMAXPROCS of the
// process is higher by the number of cores, so that the operating system and not
// the Go scheduler shares them between hashes and requests; see
// docs/decisions/0053-password-hashes-beside-requests.md.
func New(l Limits) *Hasher { return &Hasher{queue: newQueue(l.withDefaults(), &ofProcess)} }

// Hash returns a new hash of the password in the PHC string format. It fails
// when the queue is full (server_unavailable, with Retry-After), the context
// ends, the parameters fail [Params.Check] or the password is longer than
// [MaxPassword].
func (h *Hasher) Hash(ctx context.Context, password string, p Params) (encoded string, err error) {
	if err := p.Check(); err != nil {
		return "", err
	}
	if len(password) > MaxPassword {
		return "", fmt.Errorf("a password of %d bytes is too long to be hashed", len(password))
	}
	a := argon2Hash{variant: argon2id, Params: p, salt: make([]byte, newSaltBytes)}
	_, _ = rand.Read(a.salt) // never fails since Go 1.24
	err = h.queue.do(ctx, func() { a.hash = a.key([]byte(password), newHashBytes) })
	if err != nil {
		return "", err
	}
	return a.encode(), nil
}

// Verify reports whether the hash was made from the password, and whether it
// is outdated: made by another scheme or at another cost than p, so that the
// caller makes a new one while the password is at hand. The error says that
// the queue is full, the context ended, or encoded is no hash that Hash or
// Import returned.
//
// A password that is wrong for an outdated hash costs one hash at p more.
// Without it, an old and cheap hash would answer sooner than an unknown user
// does ([Hasher.Dummy]), and tell who is a user. A right one costs the same
// through the rehash.
func (h *Hasher) Verify(ctx context.Context, encoded, password string, p Params) (ok, outdated bool, err error) {
	if err := p.Check(); err != nil {
		return false, false, err
	}
	s, err := parse(encoded)
	if err != nil {
		return false, false, err
	}
	pw := []byte(password)
	if len(pw) > MaxPassword {
		// Costs as much as a wrong one, and is one.
		s, pw = dummy(p), nil
	}
	a, current := s.(*argon2Hash)
	outdated = !current || !a.madeAs(p)
	err = h.queue.do(ctx, func() {
		ok = s.matches(pw)
		if !ok && outdated {
			dummy(p).matches(pw)
		}
	})
	if err != nil {
		return false, false, err
	}
	return ok, outdated, nil
}

// Dummy costs what Verify of a hash at p costs, for a user who does not exist
// or has no password: whoever waits for the answer must not learn that.
func (h *Hasher) Dummy(ctx context.Context, password string, p Params) error {
	_, _, err := h.Verify(ctx, dummy(p).encode(), password, p)
	return err
}

// dummy is a hash at p that no known password matches.
func dummy(p Params) *argon2Hash {
	return &argon2Hash{variant: argon2id, Params: p, salt: make([]byte, newSaltBytes), hash: make([]byte, newHashBytes)}
}
