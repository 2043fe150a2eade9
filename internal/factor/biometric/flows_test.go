package biometric_test

import (
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/event"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

const (
	registerStart = "/sdk/v1/biometrics/register/start"
	registerEnd   = "/sdk/v1/biometrics/register"
	authStart     = "/sdk/v1/biometrics/authenticate/start"
	authEnd       = "/sdk/v1/biometrics/authenticate"
)

type body = map[string]any

// signedIn is an app in which a new person is signed in by their passkey.
func signedIn(s *authtest.Server, email string) (*authtest.Person, *authtest.Browser) {
	p := s.Person(email)
	return p, in(s, p)
}

// in is an app in which somebody is signed in anew.
func in(s *authtest.Server, p *authtest.Person) *authtest.Browser {
	app := s.Mobile()
	app.Token = p.Session().String("session_token")
	return app
}

// begin asks for a challenge.
func begin(app *authtest.Browser, path string, d *authtest.Device) *authtest.Answer {
	return app.Call(http.MethodPost, path, body{"public_key": d.PublicKey()}).OK()
}

// end answers the challenge of a start.
func end(app *authtest.Browser, path string, start *authtest.Answer, signature string) *authtest.Answer {
	return app.Call(http.MethodPost, path, body{
		"biometric_registration_id": start.String("biometric_registration_id"), "signature": signature, "session_duration_minutes": 30,
	})
}

// signed is end with the right signature.
func signed(app *authtest.Browser, path string, start *authtest.Answer, d *authtest.Device) *authtest.Answer {
	return end(app, path, start, d.Sign(start.String("challenge")))
}

// count runs a query that counts.
func count(t *testing.T, s *authtest.Server, query string, args ...any) int {
	t.Helper()
	var n int
	err := s.DB.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow(query, args...).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func rows(t *testing.T, s *authtest.Server) (registrations, challenges int) {
	t.Helper()
	return count(t, s, "SELECT COUNT(*) FROM biometric_registrations"), count(t, s, "SELECT COUNT(*) FROM biometric_challenges")
}

// change edits a user as no route can.
func change(t *testing.T, s *authtest.Server, userID string, edit func(*user.User)) {
	t.Helper()
	err := s.DB.Update(t.Context(), func(tx *store.Tx) error {
		_, err := s.Users.Change(tx, s.Env, userID, func(u *user.User) error { edit(u); return nil })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRegisterAndSignIn(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, app := signedIn(s, "ada@example.com")
		phone := authtest.NewDevice()

		start := begin(app, registerStart, phone)
		challenge, err := base64.StdEncoding.DecodeString(start.String("challenge"))
		if err != nil || len(challenge) != 32 || start.String("user_id") != p.UserID {
			t.Errorf("the start answers %s", start.Text)
		}
		if a := s.Call(http.MethodGet, "/v1/users/"+p.UserID, nil).OK(); a.Get("biometric_registrations", 0) != nil {
			t.Errorf("a registration that is not finished is shown: %s", a.Text)
		}
		done := signed(app, registerEnd, start, phone).OK()
		id := done.String("biometric_registration_id")
		if id != start.String("biometric_registration_id") || done.Get("user", "biometric_registrations", 0, "verified") != true ||
			done.Get("user", "biometric_registrations", 0, "biometric_registration_id") != id || done.Get("__user", "user_id") != p.UserID {
			t.Errorf("the finish answers %s", done.Text)
		}
		if done.String("session_token") != app.Token || done.Get("session", "authentication_factors", 1, "type") != "signature_challenge" {
			t.Errorf("the factor is not in the session: %s", done.Text)
		}

		fresh := s.Mobile()
		start = begin(fresh, authStart, phone)
		if start.String("user_id") != p.UserID || start.String("biometric_registration_id") != id {
			t.Errorf("the start answers %s", start.Text)
		}
		a := signed(fresh, authEnd, start, phone).OK()
		factor := func(name string) any { return a.Get("session", "authentication_factors", 0, name) }
		if factor("type") != "signature_challenge" || factor("delivery_method") != "biometric" ||
			a.Get("session", "authentication_factors", 0, "biometric_factor", "biometric_registration_id") != id ||
			a.Get("biometric_registration_id") != id || a.Get("user_id") != p.UserID || a.Get("user_device") != nil {
			t.Errorf("the sign-in answers %s", a.Text)
		}
		fresh.Token = a.String("session_token")
		fresh.Call(http.MethodGet, "/sdk/v1/users/me", nil).OK()

		// As a second factor it joins the session.
		second := in(s, p)
		if a := second.Unlock(phone).OK(); a.String("session_token") != second.Token || len(a.Get("session", "authentication_factors").([]any)) != 2 {
			t.Errorf("as a second factor: %s", a.Text)
		}
		// Without a duration nobody asked for a session.
		start = begin(s.Mobile(), authStart, phone)
		a = s.Mobile().Call(http.MethodPost, authEnd, body{"biometric_registration_id": id, "signature": phone.Sign(start.String("challenge"))}).OK()
		if a.Get("session") != nil || a.String("session_token") != "" || a.String("user_id") != p.UserID {
			t.Errorf("without a duration: %s", a.Text)
		}
		events, err := event.List(t.Context(), s.DB, s.Env.ID, p.UserID, "biometric.register", 10)
		if err != nil || len(events) != 1 || events[0].ObjectID != id || events[0].IP == "" {
			t.Errorf("%+v, %v", events, err)
		}
	})
}

// A challenge holds for five minutes, to the millisecond, in both ceremonies.
func TestChallengesHoldForFiveMinutes(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for after, holds := range map[time.Duration]bool{
			4*time.Minute + 59*time.Second: true, 5*time.Minute - time.Millisecond: true,
			5 * time.Minute: false, 5*time.Minute + time.Second: false,
		} {
			p := s.Person("ada-" + after.String() + "@example.com")
			app, phone := in(s, p), authtest.NewDevice()
			start := begin(app, registerStart, phone)
			s.Clock.Advance(after)
			if a := signed(app, registerEnd, start, phone); holds {
				a.OK()
			} else {
				a.Refused(401, "unable_to_register_biometric_registration")
				app.Enrol(phone).OK()
			}
			start = begin(app, authStart, phone)
			s.Clock.Advance(after)
			if a := signed(s.Mobile(), authEnd, start, phone); holds {
				a.OK()
			} else {
				a.Refused(401, "unable_to_auth_biometric_registration")
			}
		}
	})
}

// Only the newest challenge of a session, or of a key, is good.
func TestTheNewestChallengeWins(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, app := signedIn(s, "ada@example.com")
		phone, tablet := authtest.NewDevice(), authtest.NewDevice()
		other := in(s, p) // another session is not disturbed
		elsewhere := begin(other, registerStart, tablet)
		first, second := begin(app, registerStart, phone), begin(app, registerStart, phone)
		signed(app, registerEnd, first, phone).Refused(401, "unable_to_register_biometric_registration")
		signed(app, registerEnd, second, phone).OK()
		signed(other, registerEnd, elsewhere, tablet).OK()

		first, second = begin(app, authStart, phone), begin(s.Mobile(), authStart, phone)
		beside := begin(s.Mobile(), authStart, tablet)
		signed(s.Mobile(), authEnd, second, phone).OK()
		signed(s.Mobile(), authEnd, first, phone).Refused(401, "unable_to_auth_biometric_registration")
		signed(s.Mobile(), authEnd, beside, tablet).OK()
	})
}

// A key belongs to one registration of an environment, and whose it is is told
// to nobody.
func TestAKeyIsRegisteredOnce(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, mine := signedIn(s, "ada@example.com")
		_, hers := signedIn(s, "eve@example.com")
		phone := authtest.NewDevice()
		early := begin(hers, registerStart, phone) // before anybody has it
		mine.Enrol(phone).OK()
		const duplicate = "duplicate_biometric_registration"
		own := mine.Enrol(phone).Refused(400, duplicate)
		foreign := hers.Enrol(phone).Refused(400, duplicate)
		late := signed(hers, registerEnd, early, phone).Refused(400, duplicate)
		if m := own.String("error_message"); m != foreign.String("error_message") || m != late.String("error_message") {
			t.Error("the refusals tell whose key it is")
		}
		other := s.Environment("Staging")
		_, there := signedIn(other, "ada@example.com")
		there.Enrol(phone).OK()
		s.Mobile().Unlock(phone).OK()

		// Once it is deleted it can be registered again, as another registration.
		old := s.Call(http.MethodGet, "/v1/users/"+p.UserID, nil).OK().String("biometric_registrations", 0, "biometric_registration_id")
		mine.Call(http.MethodDelete, "/sdk/v1/users/biometric_registrations/"+old, nil).OK()
		again := in(s, p)
		if a := again.Enrol(phone).OK(); a.String("biometric_registration_id") == old {
			t.Errorf("the deleted registration is back: %s", a.Text)
		}
	})
}

func TestAUserHasAtMostFiftyKeys(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, app := signedIn(s, "ada@example.com")
		fill := func(n int) {
			change(t, s, p.UserID, func(u *user.User) {
				u.BiometricRegistrations = nil
				for range n {
					u.BiometricRegistrations = append(u.BiometricRegistrations, user.BiometricRegistration{BiometricRegistrationID: newID(s), Verified: true})
				}
			})
		}
		phone := authtest.NewDevice()
		const full = "too_many_biometric_registrations_for_user"
		fill(50)
		app.Enrol(phone).Refused(400, full)
		fill(49)
		start := begin(app, registerStart, phone)
		fill(50) // meanwhile
		signed(app, registerEnd, start, phone).Refused(400, full)
		fill(49)
		signed(app, registerEnd, start, phone).OK() // a refusal before the proof uses nothing up
		app.Enrol(authtest.NewDevice()).Refused(400, full)
	})
}

func TestPendingUsersAreRefused(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, app := signedIn(s, "ada@example.com")
		phone := authtest.NewDevice()
		start := begin(app, registerStart, phone)
		change(t, s, p.UserID, func(u *user.User) { u.Status = user.Pending })
		app.Enrol(phone).Refused(400, "cannot_use_biometrics_with_pending_user")
		signed(app, registerEnd, start, phone).Refused(400, "cannot_use_biometrics_with_pending_user")
		change(t, s, p.UserID, func(u *user.User) { u.Status = user.Active })
		signed(app, registerEnd, start, phone).OK()
	})
}

// Each route needs its switch, and names it.
func TestSwitches(t *testing.T) {
	s := authtest.New(t)
	_, app := signedIn(s, "ada@example.com")
	phone, tablet := authtest.NewDevice(), authtest.NewDevice()
	app.Enrol(phone).OK()
	s.Configure("sdk.biometrics.create_biometrics_enabled", "false")
	app.Enrol(tablet).Refused(401, "endpoint_not_authorized_for_sdk")
	s.Mobile().Unlock(phone).OK()
	s.Configure("sdk.biometrics.create_biometrics_enabled", "true")
	s.Configure("sdk.biometrics.enabled", "false")
	app.Enrol(tablet).Refused(401, "endpoint_not_authorized_for_sdk")
	s.Mobile().Unlock(phone).Refused(401, "endpoint_not_authorized_for_sdk")
	for _, path := range []string{registerEnd, authEnd} {
		app.Call(http.MethodPost, path, body{}).Refused(401, "endpoint_not_authorized_for_sdk")
	}
	if live := s.LiveServer(); live.Env.Config.SDK.Biometrics.Enabled {
		t.Error("a live environment starts with biometrics on")
	}
}

// What a device sends is judged before anything is looked up.
func TestShapes(t *testing.T) {
	s := authtest.New(t)
	_, app := signedIn(s, "ada@example.com")
	phone := authtest.NewDevice()
	app.Enrol(phone).OK()
	right := phone.Sign("AAAA")
	known := begin(s.Mobile(), authStart, phone).String("biometric_registration_id")
	for _, path := range []string{registerStart, authStart} {
		app.Call(http.MethodPost, path, body{}).Refused(400, "bad_request")
		app.Call(http.MethodPost, path, body{"public_key": ""}).Refused(400, "public_key_missing")
		app.Call(http.MethodPost, path, body{"public_key": right}).Refused(400, "invalid_public_key")
	}
	for _, path := range []string{registerEnd, authEnd} {
		send := func(id, signature string) *authtest.Answer {
			return app.Call(http.MethodPost, path, body{"biometric_registration_id": id, "signature": signature, "session_duration_minutes": 30})
		}
		app.Call(http.MethodPost, path, body{}).Refused(400, "bad_request")
		send(known, "").Refused(400, "signature_missing")
		send(known, "!").Refused(400, "could_not_parse_biometric_signature")
		send(known, "AAAA").Refused(400, "signature_is_incorrect_size")
		for _, id := range []string{"", "x", known + "x", known[:len(known)-1], "biometric-registration-live" + known[len("biometric-registration-test"):]} {
			send(id, right).Refused(400, "invalid_biometric_registration_id")
		}
	}
	// None of this used the challenge up.
	app.Call(http.MethodPost, authEnd, body{"biometric_registration_id": known, "signature": right, "session_duration_minutes": 4}).Refused(400, "invalid_session_duration_minutes")
	if count(t, s, "SELECT COUNT(*) FROM biometric_challenges") != 1 {
		t.Error("the challenge is gone")
	}
}

// Who has deleted a device, or a whole user, has no row left.
func TestNothingIsLeftBehind(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, app := signedIn(s, "ada@example.com")
		phone, tablet := authtest.NewDevice(), authtest.NewDevice()
		id := app.Enrol(phone).OK().String("biometric_registration_id")
		app.Enrol(tablet).OK()
		begin(s.Mobile(), authStart, phone)
		begin(s.Mobile(), authStart, tablet)
		begin(app, registerStart, authtest.NewDevice())
		s.Call(http.MethodDelete, "/v1/users/biometric_registrations/"+id, nil).OK()
		if r, c := rows(t, s); r != 1 || c != 2 {
			t.Errorf("%d registrations and %d challenges are left", r, c)
		}
		s.Call(http.MethodDelete, "/v1/users/"+p.UserID, nil).OK()
		if r, c := rows(t, s); r != 0 || c != 0 {
			t.Errorf("%d registrations and %d challenges are left of a deleted user", r, c)
		}
	})
}

func TestPurgeTakesWhatIsOver(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		_, app := signedIn(s, "ada@example.com")
		phone := authtest.NewDevice()
		app.Enrol(phone).OK()
		begin(app, registerStart, authtest.NewDevice())
		begin(s.Mobile(), authStart, phone)
		s.Clock.Advance(5*time.Minute - time.Millisecond)
		for range 2 {
			if _, err := s.Purge(t.Context(), 100); err != nil {
				t.Fatal(err)
			}
			if _, c := rows(t, s); c != 2 {
				break
			}
			s.Clock.Advance(time.Millisecond)
		}
		if r, c := rows(t, s); r != 1 || c != 0 {
			t.Errorf("%d registrations and %d challenges are left", r, c)
		}
	})
}
