package webauthn

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"gatehouse/internal/secret"
)

// challengeLifetime is how long a ceremony may take between its two steps. It
// is also the timeout the options tell the browser.
const challengeLifetime = 5 * time.Minute

// Two kinds of challenge, told apart by their length: random ones, which a row
// in webauthn_challenges remembers, and anonymous ones, which carry their own
// proof that this server made them.
//
//	stored:    33 random bytes
//	anonymous: 16 bytes of head, then the 32-byte MAC over ceremony, domain and
//	           head, under a key of the environment
//	head:      9 random bytes, then expiry (6 bytes, ms) and flags (1 byte),
//	           both masked with the random bytes
//
// Both encode to base64 without padding. Starting a usernameless login is thus
// free of writes; its finish records the challenge as used.
const (
	storedChallengeSize    = 33
	nonceSize              = 9
	headSize               = nonceSize + 7
	anonymousChallengeSize = headSize + sha256.Size
)

const flagVerifyUser byte = 1 // the options asked for userVerification "required"

// challengePurpose separates these MACs from every other use of the key.
const challengePurpose = "webauthn challenge"

// usedID identifies an anonymous challenge once it is used: its expiry first,
// so that rows sort by the time they may be dropped and inserts stay at the end
// of the index, then the start of its hash.
const usedIDSize = 6 + 16

// anonymousChallenge is a verified challenge that no row remembers.
type anonymousChallenge struct {
	Expires    time.Time
	VerifyUser bool
	UsedID     []byte
}

// newStoredChallenge makes a challenge that a row will remember.
func newStoredChallenge() []byte {
	b := make([]byte, storedChallengeSize)
	for {
		_, _ = rand.Read(b) // never fails since Go 1.24
		if inBothAlphabets(b) {
			return b
		}
	}
}

// newAnonymousChallenge makes a challenge for a login of whoever holds a
// passkey of the domain. With bothAlphabets it reads the same in standard
// base64 as in base64url, which takes about four MACs.
func newAnonymousChallenge(keys *secret.Keyring, envID, domain string, now time.Time, verifyUser, bothAlphabets bool) ([]byte, error) {
	b := make([]byte, anonymousChallengeSize)
	for {
		_, _ = rand.Read(b[:nonceSize]) // never fails since Go 1.24
		var plain [7]byte
		putMillis(plain[:6], now.Add(challengeLifetime))
		if verifyUser {
			plain[6] = flagVerifyUser
		}
		for i, p := range plain {
			b[nonceSize+i] = p ^ b[i]
		}
		// Half of the heads fail by themselves, and save the MAC.
		if bothAlphabets && !inBothAlphabets(b[:headSize-headSize%3]) {
			continue
		}
		mac, err := keys.MAC(challengePurpose, envID, []byte(ceremonyGet), []byte(domain), b[:headSize])
		if err != nil {
			return nil, err
		}
		copy(b[headSize:], mac)
		if !bothAlphabets || inBothAlphabets(b) {
			return b, nil
		}
	}
}

// openAnonymousChallenge says whether this server made the challenge for a
// login at the domain, and what it carries. Expiry is the caller's to check.
func openAnonymousChallenge(keys *secret.Keyring, envID, domain string, challenge []byte) (*anonymousChallenge, bool, error) {
	if len(challenge) != anonymousChallengeSize {
		return nil, false, nil
	}
	head, mac := challenge[:headSize], challenge[headSize:]
	ok, err := keys.VerifyMAC(challengePurpose, envID, mac, []byte(ceremonyGet), []byte(domain), head)
	if err != nil || !ok {
		return nil, false, err
	}
	var plain [7]byte
	for i := range plain {
		plain[i] = head[nonceSize+i] ^ head[i]
	}
	sum := sha256.Sum256(challenge)
	return &anonymousChallenge{
		Expires:    time.UnixMilli(int64(getMillis(plain[:6]))).UTC(),
		VerifyUser: plain[6]&flagVerifyUser != 0,
		UsedID:     append(plain[:6:6], sum[:usedIDSize-6]...),
	}, true, nil
}

// challengeID is what a stored challenge is filed under.
func challengeID(challenge []byte) []byte {
	sum := sha256.Sum256(challenge)
	return sum[:]
}

// inBothAlphabets reports whether the standard and the URL alphabet spell b the
// same way. The contract's samples show a base64url challenge between members
// in standard base64, so clients decode it either way: a challenge that reads
// the same in both suits them all. The length of b is a multiple of three.
func inBothAlphabets(b []byte) bool {
	for ; len(b) >= 3; b = b[3:] {
		bits := uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
		for ; bits != 0; bits >>= 6 {
			if bits&63 >= 62 { // the two characters that differ
				return false
			}
		}
	}
	return true
}

func putMillis(b []byte, t time.Time) {
	var all [8]byte
	binary.BigEndian.PutUint64(all[:], uint64(t.UnixMilli()))
	copy(b, all[2:])
}

func getMillis(b []byte) uint64 {
	var all [8]byte
	copy(all[2:], b)
	return binary.BigEndian.Uint64(all[:])
}
