package password_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/delivery"
	"gatehouse/internal/event"
)

// Spellings of one address are one user and one counter.
func TestSecurity05SpellingsShareALock(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("user_lock.threshold", "3")
		signUp(s, "ada@b\u00fccher.example", first)
		for _, same := range []string{"ADA@b\u00fccher.example", "ada@xn--bcher-kva.example", " ada@bu\u0308cher.example "} {
			login(s, same, second).Refused(401, "unauthorized_credentials")
		}
		login(s, "ada@b\u00fccher.example", first).Refused(429, "user_lock_limit_reached")
	})
}

// Wrong passwords at the same time are all counted, and none beyond the
// threshold is judged.
func TestSecurity06LostIncrements(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		signUp(s, "ada@example.com", first)
		got := authtest.Together(200, func(i int) *authtest.Answer {
			for {
				// More than wait for a hash at once are asked to come again.
				if a := login(s, "ada@example.com", fmt.Sprintf("wrong %d", i)); a.Status != 503 {
					return a
				}
			}
		})
		if got["unauthorized_credentials"] != 10 || got["user_lock_limit_reached"] != 190 {
			t.Errorf("the outcomes are %v", got)
		}
		login(s, "ada@example.com", first).Refused(429, "user_lock_limit_reached")
		s.Clock.Advance(time.Hour)
		login(s, "ada@example.com", first).OK()
	})
}

// Whoever goes on guessing at a locked user is not told which guess is right: not
// by a new password that cannot be set either. Without a lock it is said, and a
// wrong guess counts all the same.
func TestSecurity07ALockedUsersPasswordIsNotConfirmed(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		signUp(s, "ada@example.com", first)
		change := func(existing string) *authtest.Answer {
			return s.Browser().Call(http.MethodPost, "/sdk/v1/passwords/existing_password/reset",
				body{"email": "ada@example.com", "existing_password": existing, "new_password": "password"})
		}
		change(first).Refused(400, "weak_password")
		for range 10 {
			change(second).Refused(400, "password_does_not_match")
		}
		for _, guess := range []string{second, first} {
			change(guess).Refused(429, "user_lock_limit_reached")
		}
		s.Clock.Advance(time.Hour)
		change(first).Refused(400, "weak_password")
		login(s, "ada@example.com", first).OK()
	})
}

// Many guesses that are on their way when the lock comes confirm nothing either.
func TestSecurity07GuessesInFlightAreNotConfirmed(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("user_lock.threshold", "1")
		signUp(s, "ada@example.com", first)
		got := authtest.Together(40, func(i int) *authtest.Answer {
			guess := second
			if i == 39 {
				guess = first
			}
			return s.Call(http.MethodPost, byExisting, body{"email": "ada@example.com", "existing_password": guess, "new_password": "password"})
		})
		if got["password_does_not_match"] != 1 || got["weak_password"]+got["user_lock_limit_reached"] != 39 {
			t.Errorf("the outcomes are %v", got)
		}
	})
}

// Of many who use one reset link at once exactly one sets the password.
func TestSecurity08ResetReuseByRace(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		signUp(s, "ada@example.com", first)
		link := token(t, forget(s, body{"email": "ada@example.com"}).Link)
		got := authtest.Together(50, func(i int) *authtest.Answer {
			return s.Call(http.MethodPost, byEmail, body{"token": link, "password": fmt.Sprintf("%s number %d", second, i)})
		})
		if got[""] != 1 || got["unable_to_auth_password_reset_token"] != 49 {
			t.Errorf("the outcomes are %v", got)
		}
		if got := authtest.Together(50, func(int) *authtest.Answer {
			return s.Call(http.MethodPost, create, credentials("bob@example.com", first))
		}); got[""] != 1 || got["duplicate_email"] != 49 {
			t.Errorf("of many sign-ups with one address: %v", got)
		}
	})
}

// A page learns from no answer whether an address is a user's: not from a wrong
// password, not from very many, not from asking for a reset.
func TestSecurity12Enumeration(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		signUp(s, "known@example.com", first)
		s.Call(http.MethodPost, "/v1/users", body{"email": "bare@example.com"}).OK()
		ask := func(path, email string, more body) string {
			a := s.Browser().Call(http.MethodPost, path, with(body{"email": email}, more))
			delete(a.Body, "request_id")
			return fmt.Sprint(a.Status, a.Body)
		}
		for i := range 12 {
			for path, more := range map[string]body{
				"/sdk/v1/passwords/authenticate": {"password": second},
			} {
				known := ask(path, "known@example.com", more)
				for _, email := range []string{"bare@example.com", "nobody@example.com"} {
					if got := ask(path, email, more); got != known {
						t.Fatalf("attempt %d: %s answers %s for %s, and %s for a user", i, path, got, email, known)
					}
				}
			}
		}
		s.Clock.Advance(2 * time.Hour)
		known := ask("/sdk/v1/passwords/email/reset/start", "known@example.com", nil)
		if got := ask("/sdk/v1/passwords/email/reset/start", "nobody@example.com", nil); got != known || !strings.HasPrefix(got, "200") {
			t.Errorf("a reset answers %s for nobody and %s for a user", got, known)
		}
		existing := body{"existing_password": second, "new_password": first}
		known = ask("/sdk/v1/passwords/existing_password/reset", "known@example.com", existing)
		if got := ask("/sdk/v1/passwords/existing_password/reset", "nobody@example.com", existing); got != known {
			t.Errorf("a change answers %s for nobody and %s for a user", got, known)
		}
		if n := len(s.Messages("nobody@example.com")); n != 0 {
			t.Errorf("%d messages went to nobody", n)
		}
	})
}

// Somebody signs up with the address of somebody else. When its owner comes, by
// whatever proves the mailbox, the sessions and the password of the first are
// worth nothing, and only a reset by e-mail brings a password back.
func TestSecurity14And16PreHijack(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		attacker := signUp(s, "victim@example.com", first).String("session_token")
		s.Call(http.MethodPost, "/v1/magic_links/email/login_or_create", body{"email": "victim@example.com"}).OK()
		a := s.Call(http.MethodPost, "/v1/magic_links/authenticate", with(hour, body{"token": token(t, s.Mail("victim@example.com").Link)})).OK()
		if a.Get("reset_sessions") != true || a.Get("user", "password", "requires_reset") != true {
			t.Errorf("the owner's first login answers %s", a.Text)
		}
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": attacker}).Refused(404, "session_not_found")
		login(s, "victim@example.com", first).Refused(400, "reset_password")
		login(s, "victim@example.com", second).Refused(401, "unauthorized_credentials")
		s.Call(http.MethodPost, byExisting, body{"email": "victim@example.com", "existing_password": first, "new_password": second}).
			Refused(400, "cannot_reset_password_with_existing_password")
		mail := forget(s, body{"email": "victim@example.com"})
		s.Call(http.MethodPost, "/v1/magic_links/authenticate", body{"token": token(t, loginLink(t, mail))}).OK()
		login(s, "victim@example.com", first).Refused(400, "reset_password")
		s.Call(http.MethodPost, byEmail, body{"token": token(t, forget(s, body{"email": "victim@example.com"}).Link), "password": second}).OK()
		login(s, "victim@example.com", first).Refused(401, "unauthorized_credentials")
		login(s, "victim@example.com", second).OK()
	})
}

// Whoever proves the mailbox from within the session that the password started is
// the same person: the password stays good. So it does when the address was
// proven before.
func TestAProvenAddressForcesNoReset(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		in := signUp(s, "ada@example.com", first)
		method := s.Call(http.MethodPost, "/v1/otps/email/send", body{"email": "ada@example.com", "session_token": in.String("session_token")}).OK().String("email_id")
		a := s.Call(http.MethodPost, "/v1/otps/authenticate", body{"method_id": method, "code": s.Mail("ada@example.com").Code, "session_token": in.String("session_token")}).OK()
		if a.Get("user", "emails", 0, "verified") != true || a.Get("user", "password", "requires_reset") != false || a.Get("session", "authentication_factors", 1, "type") != "otp" {
			t.Errorf("verifying answers %s", a.Text)
		}
		login(s, "ada@example.com", first).OK()
		s.Clock.Advance(time.Minute)
		s.Call(http.MethodPost, "/v1/magic_links/email/login_or_create", body{"email": "ada@example.com"}).OK()
		s.Call(http.MethodPost, "/v1/magic_links/authenticate", body{"token": token(t, s.Mail("ada@example.com").Link)}).OK()
		login(s, "ada@example.com", first).OK()
	})
}

// A number that somebody has proven vouches for them, not for an address of
// somebody else's that they signed up with.
func TestSecurity14AnotherProvenFactorDoesNotVouchForTheAddress(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Call(http.MethodPost, migrate, body{
			"email": "victim@example.com", "hash": "$2b$04$8QpSNXfmvCP5.9XX.6UuB.7Qm0wBBZHdJdwmZZbFk.qGtxrtcHDL6", "hash_type": "bcrypt",
			"phone_number": "+14155552671", "set_phone_number_verified": true,
		}).OK()
		s.Call(http.MethodPost, "/v1/magic_links/email/login_or_create", body{"email": "victim@example.com"}).OK()
		a := s.Call(http.MethodPost, "/v1/magic_links/authenticate", body{"token": token(t, s.Mail("victim@example.com").Link)}).OK()
		if a.Get("user", "password", "requires_reset") != true {
			t.Errorf("the owner's first login answers %s", a.Text)
		}
	})
}

// Expiry is by the clock, whatever has been cleaned up.
func TestSecurity51ExpiredLinks(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		signUp(s, "ada@example.com", first)
		link := token(t, forget(s, body{"email": "ada@example.com"}).Link)
		s.Clock.Advance(30 * time.Minute)
		s.Call(http.MethodPost, byEmail, body{"token": link, "password": second}).Refused(401, "unable_to_auth_password_reset_token")
	})
}

// A user who is locked gets in by no password and by no reset; one who is deleted
// by nothing.
func TestSecurity52LockedAndDeletedUsers(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		a := signUp(s, "ada@example.com", first)
		link := token(t, forget(s, body{"email": "ada@example.com"}).Link)
		for range 10 {
			login(s, "ada@example.com", second)
		}
		login(s, "ada@example.com", first).Refused(429, "user_lock_limit_reached")
		s.Call(http.MethodPost, byEmail, body{"token": link, "password": second}).Refused(429, "user_lock_limit_reached")
		s.Call(http.MethodPost, byExisting, body{"email": "ada@example.com", "existing_password": first, "new_password": second}).Refused(429, "user_lock_limit_reached")
		s.Configure("user_lock.self_serve_enabled", "true")
		s.Call(http.MethodPost, byEmail, body{"token": link, "password": second}).OK()
		login(s, "ada@example.com", second).OK()
		link = token(t, forget(s, body{"email": "ada@example.com"}).Link)
		s.Call(http.MethodDelete, "/v1/users/"+a.String("user_id"), nil).OK()
		login(s, "ada@example.com", second).Refused(404, "email_not_found")
		s.Call(http.MethodPost, byEmail, body{"token": link, "password": first}).Refused(401, "unable_to_auth_password_reset_token")
	})
}

// The owner is told of a new password, at the address that was proven before.
func TestSecurity64TheOwnerIsTold(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		signUp(s, "ada@example.com", first)
		s.Call(http.MethodPost, byEmail, body{"token": token(t, forget(s, body{"email": "ada@example.com"}).Link), "password": second}).OK()
		s.Call(http.MethodPost, byExisting, body{"email": "ada@example.com", "existing_password": second, "new_password": first}).OK()
		told := 0
		for _, m := range s.Messages("ada@example.com") {
			if m.Type == delivery.NoticePassword {
				told++
			}
		}
		if told == 0 {
			t.Error("nobody was told that the password changed")
		}
		s.Configure("notices.password_changed", "false")
		s.Call(http.MethodPost, byExisting, body{"email": "ada@example.com", "existing_password": first, "new_password": second}).OK()
		for _, m := range s.Messages("ada@example.com") {
			if m.Type == delivery.NoticePassword {
				told--
			}
		}
		if told != 0 {
			t.Error("a notice went out that was switched off")
		}
	})
}

// Passwords, hashes and tokens are in no log and in no event, and the hash is not
// in the database as it is.
func TestSecurity61And65NothingLeaks(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		const canary = "canary tractor sings 9142"
		signUp(s, "ada@example.com", canary)
		login(s, "ada@example.com", canary).OK()
		login(s, "ada@example.com", canary+"!").Refused(401, "unauthorized_credentials")
		s.Call(http.MethodPost, check, body{"password": canary}).OK()
		link := token(t, forget(s, body{"email": "ada@example.com"}).Link)
		s.Call(http.MethodPost, byEmail, body{"token": link, "password": "password"}).Refused(400, "weak_password")
		a := s.Call(http.MethodPost, byEmail, body{"token": link, "password": canary + " again"}).OK()
		for what, text := range map[string]string{"log": s.Logs.String(), "answer": a.Text} {
			for _, secret := range []string{"canary tractor", "$argon2id$", link} {
				if strings.Contains(text, secret) {
					t.Errorf("the %s holds %q", what, secret)
				}
			}
		}
		events, err := event.List(t.Context(), s.DB, s.Env.ID, "", "", 100)
		if err != nil || len(events) == 0 {
			t.Fatal(err)
		}
		if text := fmt.Sprint(events); strings.Contains(text, "canary") || strings.Contains(text, link) {
			t.Errorf("an event holds a secret: %s", text)
		}
	})
}

// Text that is short enough as it was typed can be too long in the form that is
// hashed. It is refused like any that is too long.
func TestSecurity54APasswordThatGrowsInItsNormalForm(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		long := strings.Repeat("\u0958", 341)
		s.Call(http.MethodPost, create, credentials("ada@example.com", long)).Refused(400, "weak_password")
		signUp(s, "ada@example.com", first)
		login(s, "ada@example.com", long).Refused(401, "unauthorized_credentials")
	})
}
