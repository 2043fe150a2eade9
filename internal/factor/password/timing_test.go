package password_test

import (
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"testing"
	"time"

	"gatehouse/internal/authtest"
)

// A login for an address that nobody has takes as long as one with a wrong
// password, and so does one for a user without a password: with the hash of
// imported schemes, which are cheaper, too. A password that is not in the normal
// form NFC is tried twice, for everybody.
func TestSecurity13TimingEnumeration(t *testing.T) {
	for name, password := range map[string]string{"NFC": second, "NFD": second + " a\u0308"} {
		t.Run(name, func(t *testing.T) { answersInOneTime(t, password) })
	}
}

// md5Of is of the cheapest scheme that is taken over.
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
	var tries []func(int)
	for _, email := range []string{"known@example.com", "bare@example.com", "old@example.com", "nobody@example.com"} {
		tries = append(tries, func(int) {
			s.Browser().Call(http.MethodPost, "/sdk/v1/passwords/authenticate", credentials(email, password))
		})
	}
	authtest.SameTime(t, 1.3, func(int) { s.Clock.Advance(2 * time.Hour) }, tries...)
}
