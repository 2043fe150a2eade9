package password_test

import (
	"net/http"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"gatehouse/internal/authtest"
)

func bcryptOf(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func TestMigrate(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		ready := body{
			"email": "ada@example.com", "hash_type": "bcrypt", "hash": bcryptOf(t, first), "set_email_verified": true,
			"phone_number": "+14155552671", "set_phone_number_verified": true, "external_id": "customer-1", "name": body{"first_name": "Ada"},
			"trusted_metadata": body{"plan": "pro"},
		}
		a := s.Call(http.MethodPost, migrate, ready).OK()
		if a.Get("user_created") != true || a.Get("user", "emails", 0, "verified") != true || a.Get("user", "phone_numbers", 0, "verified") != true ||
			a.Get("user", "external_id") != "customer-1" || a.Get("user", "emails", 0, "email_id") != a.String("email_id") || a.Get("session") != nil {
			t.Errorf("a new user is %s", a.Text)
		}
		s.Call(http.MethodPost, migrate, ready).Refused(400, "duplicate_user_external_id")
		delete(ready, "external_id")
		delete(ready, "phone_number")
		s.Call(http.MethodPost, migrate, ready).Refused(400, "password_already_exists")
		login(s, "ada@example.com", second).Refused(401, "unauthorized_credentials")
		login(s, "ada@example.com", first).OK()
		login(s, "ada@example.com", first).OK() // hashed anew by now

		s.Call(http.MethodPost, "/v1/users", body{"email": "bob@example.com"}).OK()
		b := s.Call(http.MethodPost, migrate, body{"email": "Bob@Example.com", "hash_type": "bcrypt", "hash": bcryptOf(t, first), "name": body{"last_name": "Stone"}}).OK()
		if b.Get("user_created") != false || b.Get("user", "emails", 0, "verified") != false || b.Get("user", "name", "last_name") != "Stone" {
			t.Errorf("a known user is %s", b.Text)
		}
		login(s, "bob@example.com", first).OK()
		s.Call(http.MethodPost, migrate, body{"email": "eve@example.com", "hash_type": "bcrypt", "hash": "nonsense"}).Refused(400, "invalid_bcrypt_hash")
		s.Call(http.MethodPost, migrate, body{"email": "eve@example.com", "hash_type": "rot13", "hash": "x"}).Refused(400, "invalid_hash_type")
		login(s, "eve@example.com", first).Refused(404, "email_not_found")
	})
}

// The documented rate: a hundred a second.
func TestMigrationsAreLimited(t *testing.T) {
	s := authtest.New(t)
	prepare(t, s)
	ready := body{"email": "ada@example.com", "hash_type": "bcrypt", "hash": bcryptOf(t, first)}
	s.Call(http.MethodPost, migrate, ready).OK()
	for range 99 {
		s.Call(http.MethodPost, migrate, ready).Refused(400, "password_already_exists")
	}
	// What is refused for its own sake counted nothing.
	for i := range 100 {
		fresh := body{"email": string(rune('a'+i%26)) + string(rune('a'+i/26)) + "@example.com", "hash_type": "bcrypt", "hash": ready["hash"]}
		if a := s.Call(http.MethodPost, migrate, fresh); i < 99 {
			a.OK()
		} else {
			a.Refused(429, "too_many_requests")
		}
	}
	s.Clock.Advance(time.Second)
	s.Call(http.MethodPost, migrate, body{"email": "zz@example.com", "hash_type": "bcrypt", "hash": ready["hash"]}).OK()
}

// A password of a migrated user is brought along weak or breached, and a login
// with it works until the environment asks more of it.
func TestPoliciesAtLogin(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Call(http.MethodPost, migrate, body{"email": "ada@example.com", "hash_type": "bcrypt", "hash": bcryptOf(t, "password"), "set_email_verified": true}).OK()
		login(s, "ada@example.com", "password").OK()
		s.Configure("passwords.validate_on_authentication", "true")
		login(s, "ada@example.com", "wrong").Refused(401, "unauthorized_credentials")
		login(s, "ada@example.com", "password").Refused(400, "reset_password")
		s.Configure("passwords.validate_on_authentication", "false")
		login(s, "ada@example.com", "password").Refused(400, "reset_password") // until it is reset
		s.Call(http.MethodPost, byEmail, body{"token": token(t, forget(s, body{"email": "ada@example.com"}).Link), "password": second}).OK()
		login(s, "ada@example.com", second).OK()
	})
}
