package biometric_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/id"
)

// The tests of this file are named after the bug classes of the security
// cases, with their numbers.

const (
	unableToRegister = "unable_to_register_biometric_registration"
	unableToSignIn   = "unable_to_auth_biometric_registration"
	notFound         = "biometric_registration_not_found"
)

func newID(s *authtest.Server) string { return id.New(id.Biometric, id.Test, s.Clock.Now()) }

// flip changes one bit of a text in base64.
func flip(t *testing.T, s string, bit int) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	b[bit/8] ^= 1 << (bit % 8)
	return base64.StdEncoding.EncodeToString(b)
}

// failures is how many failures in a row are counted for a user.
func failures(t *testing.T, s *authtest.Server, userID string) int {
	t.Helper()
	return count(t, s, "SELECT failed_attempts FROM users WHERE id = $1", userID)
}

// race sends one request from fifty callers at once and counts the answers.
func race(send func() *authtest.Answer) map[string]int {
	var wait sync.WaitGroup
	var mu sync.Mutex
	answers := map[string]int{}
	gate := make(chan struct{})
	for range 50 {
		wait.Go(func() {
			<-gate
			a := send()
			mu.Lock()
			defer mu.Unlock()
			answers[fmt.Sprint(a.Status, " ", a.Body["error_type"])]++
		})
	}
	close(gate)
	wait.Wait()
	return answers
}

func TestSecurity08ChallengeReuse(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, app := signedIn(s, "ada@example.com")
		phone := authtest.NewDevice()
		start := begin(app, registerStart, phone)
		got := race(func() *authtest.Answer { return signed(app, registerEnd, start, phone) })
		if got["200 <nil>"] != 1 || got["401 "+unableToRegister] != 49 {
			t.Errorf("registration: %v", got)
		}
		start = begin(s.Mobile(), authStart, phone)
		got = race(func() *authtest.Answer { return signed(s.Mobile(), authEnd, start, phone) })
		if got["200 <nil>"] != 1 || got["401 "+unableToSignIn] != 49 {
			t.Errorf("sign-in: %v", got)
		}
		signed(s.Mobile(), authEnd, start, phone).Refused(401, unableToSignIn)
		// A new challenge does not revive the old answer.
		old := phone.Sign(start.String("challenge"))
		end(s.Mobile(), authEnd, begin(s.Mobile(), authStart, phone), old).Refused(401, unableToSignIn)
		if n := failures(t, s, p.UserID); n != 1 { // the answer to another challenge alone
			t.Errorf("%d failures are counted", n)
		}
		if n := count(t, s, "SELECT COUNT(*) FROM biometric_registrations"); n != 1 {
			t.Errorf("%d registrations were made", n)
		}
	})
}

// Two devices race for the last place, two users for one key.
func TestSecurity08RegistrationRaces(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		phone := authtest.NewDevice()
		var apps []*authtest.Browser
		var starts []*authtest.Answer
		for i := range 10 {
			_, app := signedIn(s, fmt.Sprintf("person%d@example.com", i))
			apps, starts = append(apps, app), append(starts, begin(app, registerStart, phone))
		}
		var wait sync.WaitGroup
		won := make(chan string, len(apps))
		for i := range apps {
			wait.Go(func() {
				if a := signed(apps[i], registerEnd, starts[i], phone); a.Status == http.StatusOK {
					won <- a.String("user_id")
				} else {
					a.Refused(400, "duplicate_biometric_registration")
				}
			})
		}
		wait.Wait()
		close(won)
		if len(won) != 1 {
			t.Fatalf("%d users have the key", len(won))
		}
		if a := s.Mobile().Unlock(phone).OK(); a.String("user_id") != <-won {
			t.Errorf("the key signs somebody else in: %s", a.Text)
		}
	})
}

// An unknown key is answered in the same way whoever asks, and a known one says
// nothing beyond what the device knows.
func TestSecurity12Enumeration(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		_, app := signedIn(s, "ada@example.com")
		phone := authtest.NewDevice()
		unknown := func(b *authtest.Browser) *authtest.Answer {
			return b.Call(http.MethodPost, authStart, body{"public_key": authtest.NewDevice().PublicKey()})
		}
		unknown(s.Mobile()).Refused(404, notFound)
		unknown(app).Refused(400, "no_active_biometric_registrations") // about oneself
		app.Enrol(phone).OK()
		unknown(app).Refused(404, notFound)
		stale := s.Mobile()
		stale.Token = "x"
		unknown(stale).Refused(404, notFound)
		other := s.Environment("Staging")
		other.Mobile().Unlock(phone).Refused(404, notFound)
		// An id that is somebody's says as little as one that is nobody's to who has
		// not begun anything.
		s.Mobile().Call(http.MethodPost, authEnd, body{"biometric_registration_id": newID(s), "signature": phone.Sign("AAAA")}).Refused(404, notFound)
		end(app, registerEnd, begin(s.Mobile(), authStart, phone), phone.Sign("AAAA")).Refused(401, unableToRegister)
	})
}

func TestSecurity46FactorDowngrade(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, app := signedIn(s, "ada@example.com")
		phone := authtest.NewDevice()
		registration := app.Enrol(phone).OK().String("biometric_registration_id")
		alone := s.Mobile()
		alone.Token = alone.Unlock(phone).OK().String("session_token")
		both := in(s, p)
		both.Unlock(phone).OK()
		waiting := begin(s.Mobile(), authStart, phone)
		app.Call(http.MethodDelete, "/sdk/v1/users/biometric_registrations/"+registration, nil).OK()
		alone.Call(http.MethodGet, "/sdk/v1/users/me", nil).Refused(404, "session_not_found")
		a := both.Call(http.MethodPost, "/sdk/v1/sessions/authenticate", body{}).OK()
		if factors := a.Get("session", "authentication_factors").([]any); len(factors) != 1 {
			t.Errorf("the session keeps the factor: %v", factors)
		}
		signed(s.Mobile(), authEnd, waiting, phone).Refused(404, notFound)
		s.Mobile().Unlock(phone).Refused(404, notFound)
	})
}

// A registration is finished by the session that began it, and by nobody else.
func TestSecurity47EnrolmentReplay(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, mine := signedIn(s, "ada@example.com")
		_, hers := signedIn(s, "eve@example.com")
		same, phone := in(s, p), authtest.NewDevice()
		start := begin(mine, registerStart, phone)
		signed(hers, registerEnd, start, phone).Refused(401, unableToRegister)
		signed(same, registerEnd, start, phone).Refused(401, unableToRegister)
		signed(s.Mobile(), registerEnd, start, phone).Refused(401, "user_unauthenticated")
		signed(mine, registerEnd, start, phone).OK()
		signed(mine, registerEnd, start, phone).Refused(401, unableToRegister)

		// A session that has ended finishes nothing.
		tablet := authtest.NewDevice()
		start = begin(same, registerStart, tablet)
		s.Call(http.MethodPost, "/v1/sessions/revoke", body{"session_token": same.Token}).OK()
		signed(same, registerEnd, start, tablet).Refused(404, "session_not_found")
		signed(mine, registerEnd, start, tablet).Refused(401, unableToRegister)
	})
}

// A session that has grown too old meanwhile finishes nothing either.
func TestSecurity47StepUpHoldsAtTheFinish(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, app := signedIn(s, "ada@example.com")
		app.Call(http.MethodPost, "/sdk/v1/sessions/authenticate", body{"session_duration_minutes": 600}).OK()
		phone := authtest.NewDevice()
		s.Clock.Advance(time.Hour - time.Millisecond)
		start := begin(app, registerStart, phone)
		s.Clock.Advance(time.Millisecond)
		signed(app, registerEnd, start, phone).Refused(401, "stale_factors")
		app.Enrol(phone).Refused(401, "stale_factors")
		in(s, p).Enrol(phone).OK()
	})
}

func TestSecurity49CeremonyConfusion(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, app := signedIn(s, "ada@example.com")
		phone := authtest.NewDevice()
		start := begin(app, registerStart, phone)
		signed(app, authEnd, start, phone).Refused(404, notFound)
		signed(app, registerEnd, start, phone).OK()
		start = begin(app, authStart, phone)
		signed(app, registerEnd, start, phone).Refused(401, unableToRegister)
		signed(app, authEnd, start, phone).OK()

		// A challenge is for one registration: another key of the same user, and
		// the same key for another's id, sign for nothing.
		tablet := authtest.NewDevice()
		app.Enrol(tablet).OK()
		ofPhone, ofTablet := begin(app, authStart, phone), begin(app, authStart, tablet)
		end(s.Mobile(), authEnd, ofPhone, tablet.Sign(ofPhone.String("challenge"))).Refused(401, unableToSignIn)
		end(s.Mobile(), authEnd, ofTablet, tablet.Sign(ofPhone.String("challenge"))).Refused(401, unableToSignIn)
		if n := failures(t, s, p.UserID); n != 2 {
			t.Errorf("%d failures are counted", n)
		}
		// The text of the challenge is not its bytes.
		start = begin(app, authStart, phone)
		text := authtest.Device{Key: phone.Key}
		end(s.Mobile(), authEnd, start, text.Sign("!"+start.String("challenge"))).Refused(401, unableToSignIn)
		s.Mobile().Unlock(phone).OK()
	})
}

// The clean-up stands still, and everything is refused at its instant.
func TestSecurity51FrozenCleanup(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		_, app := signedIn(s, "ada@example.com")
		phone, tablet := authtest.NewDevice(), authtest.NewDevice()
		app.Enrol(phone).OK()
		registering, signing := begin(app, registerStart, tablet), begin(s.Mobile(), authStart, phone)
		s.Clock.Advance(5 * time.Minute)
		signed(app, registerEnd, registering, tablet).Refused(401, unableToRegister)
		signed(s.Mobile(), authEnd, signing, phone).Refused(401, unableToSignIn)
		if r, c := rows(t, s); r != 1 || c != 2 {
			t.Errorf("%d registrations and %d challenges: the clean-up has run, so this proves nothing", r, c)
		}
		if purged, err := s.Purge(t.Context(), 100); err != nil || purged.Challenges < 2 {
			t.Errorf("%+v, %v", purged, err)
		}
		signed(app, registerEnd, registering, tablet).Refused(401, unableToRegister)
		signed(s.Mobile(), authEnd, signing, phone).Refused(401, unableToSignIn)
	})
}

func TestSecurity52GoneAndLockedUsers(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("user_lock.threshold", "3")
		p, app := signedIn(s, "ada@example.com")
		phone, tablet, wrong := authtest.NewDevice(), authtest.NewDevice(), authtest.NewDevice()
		app.Enrol(phone).OK()
		for range 3 {
			signed(s.Mobile(), authEnd, begin(s.Mobile(), authStart, phone), wrong).Refused(401, unableToSignIn)
		}
		// Locked: no proof is taken, right or wrong, and none is used up.
		start := begin(s.Mobile(), authStart, phone)
		signed(s.Mobile(), authEnd, start, wrong).Refused(429, "user_lock_limit_reached")
		signed(s.Mobile(), authEnd, start, phone).Refused(429, "user_lock_limit_reached")
		app.Enrol(tablet).Refused(429, "user_lock_limit_reached")
		s.Call(http.MethodPut, "/v1/users/"+p.UserID, body{}).OK()
		s.Clock.Advance(time.Hour)
		s.Mobile().Unlock(phone).OK()

		app = in(s, p)
		registering, signing := begin(app, registerStart, tablet), begin(s.Mobile(), authStart, phone)
		s.Call(http.MethodDelete, "/v1/users/"+p.UserID, nil).OK()
		signed(app, registerEnd, registering, tablet).Refused(404, "session_not_found")
		signed(s.Mobile(), authEnd, signing, phone).Refused(404, notFound)
		s.Mobile().Unlock(phone).Refused(404, notFound)
	})
}

// One bit of a signature, wherever it is, is another signature. A wrong one uses
// the challenge up in both ceremonies, and counts for the lock in one.
func TestSecurity53TamperedSignatures(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("user_lock.threshold", "100")
		p, app := signedIn(s, "ada@example.com")
		phone := authtest.NewDevice()
		for _, bit := range []int{0, 255, 256, 511} {
			start := begin(app, registerStart, phone)
			end(app, registerEnd, start, flip(t, phone.Sign(start.String("challenge")), bit)).Refused(401, unableToRegister)
			signed(app, registerEnd, start, phone).Refused(401, unableToRegister)
		}
		if n := failures(t, s, p.UserID); n != 0 {
			t.Errorf("%d failures are counted for registering", n)
		}
		app.Enrol(phone).OK()
		n := 0
		for bit := 0; bit < 512; bit += 37 {
			start := begin(s.Mobile(), authStart, phone)
			end(s.Mobile(), authEnd, start, flip(t, phone.Sign(start.String("challenge")), bit)).Refused(401, unableToSignIn)
			signed(s.Mobile(), authEnd, start, phone).Refused(401, unableToSignIn)
			n++
		}
		start := begin(s.Mobile(), authStart, phone)
		end(s.Mobile(), authEnd, start, phone.Sign(flip(t, start.String("challenge"), 100))).Refused(401, unableToSignIn)
		if got := failures(t, s, p.UserID); got != n+1 {
			t.Errorf("%d failures are counted, want %d", got, n+1)
		}
		s.Mobile().Unlock(phone).OK()
		if got := failures(t, s, p.UserID); got != 0 {
			t.Errorf("a success leaves %d failures", got)
		}
	})
}

// A device of somebody else does not join a session.
func TestAForeignDeviceJoinsNoSession(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		_, mine := signedIn(s, "ada@example.com")
		_, hers := signedIn(s, "eve@example.com")
		phone := authtest.NewDevice()
		mine.Enrol(phone).OK()
		hers.Unlock(phone).Refused(400, "user_id_mismatch")
		if a := hers.Call(http.MethodPost, "/sdk/v1/sessions/authenticate", body{}).OK(); len(a.Get("session", "authentication_factors").([]any)) != 1 {
			t.Errorf("the session has changed: %s", a.Text)
		}
		// A session that has ended is replaced.
		s.Call(http.MethodPost, "/v1/sessions/revoke", body{"session_token": hers.Token}).OK()
		if a := hers.Unlock(phone).OK(); a.String("session_token") == hers.Token {
			t.Error("a dead session is revived")
		}
	})
}
