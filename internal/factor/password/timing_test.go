package password_test

import (
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/authtest"
)

// A login for an address that nobody has takes as long as one with a wrong
// password, and so does one for a user without a password: with the hash of
// imported schemes, which are cheaper, too. Samples are taken in turn, so that
// what else the machine does slows all alike, and judged by the fastest of each,
// since whatever disturbs one only makes it slower. While they are apart, another
// round adds samples: of what leaks, no number brings the fastest together. A password
// that is not in the normal form NFC is tried twice, for everybody.
func TestSecurity13TimingEnumeration(t *testing.T) {
	for name, password := range map[string]string{"NFC": second, "NFD": second + " a\u0308"} {
		t.Run(name, func(t *testing.T) { answersInOneTime(t, password) })
	}
}

// md5Of is of the cheapest scheme that is taken over: what is slower than a hash of
// ours is, in Go that the race detector watches, bcrypt at any cost.
func md5Of(password string) string {
	sum := md5.Sum([]byte(password))
	return hex.EncodeToString(sum[:])
}

func answersInOneTime(t *testing.T, password string) {
	s := authtest.New(t)
	prepare(t, s)
	s.Configure("passwords.argon2id.memory_kib", "19456")
	s.Configure("user_lock.threshold", "100")
	signUp(s, "known@example.com", first)
	s.Call(http.MethodPost, "/v1/users", body{"email": "bare@example.com"}).OK()
	s.Call(http.MethodPost, migrate, body{"email": "old@example.com", "hash_type": "md_5", "hash": md5Of(first)}).OK()
	people := []string{"known@example.com", "bare@example.com", "old@example.com", "nobody@example.com"}
	const rounds, samples = 12, 15
	took := make([][]time.Duration, len(people))
	for round := 1; ; round++ {
		for range samples {
			for i, email := range people {
				took[i] = append(took[i], authtest.Took(func() {
					s.Browser().Call(http.MethodPost, "/sdk/v1/passwords/authenticate", credentials(email, password))
				}))
			}
		}
		fastest := make([]time.Duration, len(people))
		for i := range took {
			fastest[i] = slices.Min(took[i])
		}
		if slices.Max(fastest) < slices.Min(fastest)*13/10 {
			return
		}
		if round == rounds {
			t.Fatalf("the fastest answers for %v took %v", people, fastest)
		}
		s.Clock.Advance(2 * time.Hour)
	}
}
