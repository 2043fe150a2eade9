package totp_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/event"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

// A user's two ids and all spellings of a code share one count, and nothing
// beside them changes it.
func TestSecurity05IdentifiersShareACount(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("user_lock.threshold", "100")
		d := owner(s, "ada@example.com")
		s.Call(http.MethodPut, "/v1/users/"+d.userID, body{"external_id": "customer-1"}).OK()
		align(s, 10*time.Minute)
		for i := range 20 {
			who, wrong := *d, d.wrong()
			if i%2 == 0 {
				who.userID = "customer-1"
			}
			typed := []string{wrong, " " + wrong, wrong[:3] + " " + wrong[3:], wrong[:3] + "-" + wrong[3:]}[i%4]
			who.enter(typed, body{"telemetry_id": fmt.Sprint(i), "surprise": i}).Refused(401, "unable_to_authenticate_totp")
		}
		for _, userID := range []string{d.userID, "customer-1"} {
			who := *d
			who.userID = userID
			a := who.enter(d.code(0), nil).Refused(429, "too_many_requests")
			if a.Get("error_details", "rule") != "authenticator app attempts per user" || a.Header.Get("Retry-After") == "" {
				t.Errorf("refused by %s", a.Text)
			}
			who.recover(d.codes[0], nil).Refused(429, "too_many_requests")
		}
		if n := s.Failures(d.userID); n != 20 {
			t.Errorf("%d failures are counted", n)
		}
	})
}

// Every wrong code is counted, and none is looked at beyond the threshold.
func TestSecurity06LostLockoutIncrements(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		d := owner(s, "ada@example.com")
		align(s, 10*time.Minute)
		outcomes := authtest.Together(200, func(int) *authtest.Answer { return d.enter(d.wrong(), nil) })
		if outcomes["unable_to_authenticate_totp"] != 10 || outcomes["user_lock_limit_reached"] != 190 {
			t.Errorf("the outcomes are %v", outcomes)
		}
		d.enter(d.code(0), nil).Refused(429, "user_lock_limit_reached")
		d.recover(d.codes[0], nil).Refused(429, "user_lock_limit_reached")

		s.Configure("user_lock.threshold", "100")
		other := owner(s, "eve@example.com")
		align(s, 10*time.Minute)
		outcomes = authtest.Together(200, func(i int) *authtest.Answer {
			if i%2 == 0 {
				return other.recover("0000-0000-0000", nil)
			}
			return other.enter(other.wrong(), nil)
		})
		if outcomes["unable_to_authenticate_totp"]+outcomes["unable_to_authenticate_recovery_code"] != 20 || outcomes["too_many_requests"] != 180 {
			t.Errorf("the outcomes are %v", outcomes)
		}
		if n := s.Failures(other.userID); n != 20 {
			t.Errorf("%d failures are counted", n)
		}
	})
}

// Ten wrong codes of either kind lock their user; a new enrolment gives back
// neither those nor the attempts that the user has.
func TestSecurity07CodeBruteForce(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		d := owner(s, "ada@example.com")
		align(s, 10*time.Minute)
		for range 9 {
			d.enter(d.wrong(), nil).Refused(401, "unable_to_authenticate_totp")
		}
		d.enter(d.code(0), nil).OK() // a success forgets the failures
		for range 5 {
			d.recover("0000-0000-0000", nil).Refused(401, "unable_to_authenticate_recovery_code")
		}
		align(s, 10*time.Minute)
		for range 5 {
			d.enter(d.wrong(), nil).Refused(401, "unable_to_authenticate_totp")
		}
		d.enter(d.code(0), nil).Refused(429, "user_lock_limit_reached")
		s.Clock.Advance(time.Hour)
		d.enter(d.code(0), nil).OK() // the lock is over

		e := enrol(s, newUser(s, "eve@example.com"), nil)
		for range 4 {
			e.enter(e.wrong(), nil).Refused(401, "unable_to_authenticate_totp")
		}
		e = enrol(s, e.userID, nil)
		for range 6 {
			e.enter(e.wrong(), nil).Refused(401, "unable_to_authenticate_totp")
		}
		e.enter(e.code(0), nil).Refused(429, "user_lock_limit_reached")

		s.Configure("user_lock.threshold", "100")
		f := enrol(s, newUser(s, "finn@example.com"), nil)
		align(s, 10*time.Minute)
		for i := range 20 {
			if i%5 == 0 {
				f = enrol(s, f.userID, nil)
			}
			f.enter(f.wrong(), nil).Refused(401, "unable_to_authenticate_totp")
		}
		f = enrol(s, f.userID, nil)
		f.enter(f.code(0), nil).Refused(429, "too_many_requests")
		align(s, 10*time.Minute)
		f.enter(f.code(0), nil).OK()
	})
}

// Of many who enter one code at once exactly one gets in, and the others are
// nobody's failure.
func TestSecurity08CodeReuseByRace(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		d := owner(s, "ada@example.com")
		align(s, 10*time.Minute)
		code := d.code(0)
		outcomes := authtest.Together(50, func(int) *authtest.Answer { return d.enter(code, hour) })
		if outcomes[""] != 1 || outcomes["totp_code_already_authenticated"] != 19 || outcomes["too_many_requests"] != 30 {
			t.Errorf("the outcomes are %v", outcomes)
		}
		align(s, 10*time.Minute)
		outcomes = authtest.Together(50, func(int) *authtest.Answer { return d.recover(d.codes[0], hour) })
		if outcomes[""] != 1 || outcomes["unable_to_authenticate_recovery_code"] != 19 || outcomes["too_many_requests"] != 30 {
			t.Errorf("the outcomes are %v", outcomes)
		}
		align(s, 10*time.Minute)
		outcomes = authtest.Together(18, func(i int) *authtest.Answer { return d.recover(d.codes[1+i%9], hour) })
		if outcomes[""] != 9 || outcomes["unable_to_authenticate_recovery_code"]+outcomes["recovery_codes_not_found"] != 9 {
			t.Errorf("the outcomes of nine codes are %v", outcomes)
		}
		if n := count(t, s, "SELECT count(*) FROM sessions"); n != 11 {
			t.Errorf("%d sessions were started", n)
		}
		if n := s.Failures(d.userID); n != 0 {
			t.Errorf("%d failures are counted", n)
		}
		// The first code of an enrolment is one code too.
		e := enrol(s, newUser(s, "eve@example.com"), nil)
		code = e.code(0)
		if outcomes := authtest.Together(10, func(int) *authtest.Answer { return e.enter(code, nil) }); outcomes[""] != 1 || outcomes["totp_code_already_authenticated"] != 9 {
			t.Errorf("the outcomes of a first code are %v", outcomes)
		}
	})
}

// A code that was used, and every earlier one, is over, whoever types it where.
func TestSecurity09TOTPReplay(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		d := owner(s, "ada@example.com")
		align(s, 30*time.Second)
		before, now, next := d.code(-1), d.code(0), d.code(1)
		d.enter(now, nil).OK()
		d.enter(now, nil).Refused(401, "totp_code_already_authenticated")
		d.enter(before, nil).Refused(401, "totp_code_already_authenticated")
		d.enter(next, nil).OK() // a device whose clock is ahead
		for _, old := range []string{before, now, next} {
			d.enter(old, nil).Refused(401, "totp_code_already_authenticated")
		}
		s.Clock.Advance(30 * time.Second)
		d.enter(next, hour).Refused(401, "totp_code_already_authenticated")
		d.enter(now, hour).Refused(401, "totp_code_already_authenticated")
		d.enter(before, hour).Refused(401, "unable_to_authenticate_totp") // too old to be known
		if n := s.Failures(d.userID); n != 1 {
			t.Errorf("%d failures are counted", n)
		}
		d.enter(d.code(1), hour).OK()
	})
}

// One factor of two is half a login, by whatever the session is named and
// whatever was signed before.
func TestSecurity42HalfSessions(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		page, _ := signedIn(s, "ada@example.com")
		d := enrolled(s, page)
		half, _ := signedIn(s, "ada@example.com")
		token := half.Token
		jwt := s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": token}).OK().String("session_jwt")
		privileged := func(check func(*authtest.Answer)) {
			for _, named := range []string{token, jwt} {
				half.Token = named
				check(half.Call(http.MethodPost, sdk+recoveryCodes, nil))
				check(half.Call(http.MethodPut, "/sdk/v1/users/me", body{"name": body{"first_name": "Eve"}}))
			}
		}
		privileged(func(a *authtest.Answer) { a.Refused(401, "insufficient_factors") })
		s.Node().Browser().Call(http.MethodPost, sdk+recoveryCodes, nil).Refused(401, "user_unauthenticated")
		half.Call(http.MethodPost, sdk+authenticate, body{"totp_code": d.wrong(), "session_duration_minutes": 60}).Refused(401, "unable_to_authenticate_totp")
		privileged(func(a *authtest.Answer) { a.Refused(401, "insufficient_factors") })
		half.Call(http.MethodPost, sdk+authenticate, body{"totp_code": d.code(0), "session_duration_minutes": 60}).OK()
		privileged(func(a *authtest.Answer) { a.OK() })
		if got := factors(s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_jwt": jwt}).OK()); got != "otp totp" {
			t.Errorf("the session lists %s", got)
		}
	})
}

// Whichever way in, an owner of an app has not stepped up before the app, and
// has with it.
func TestSecurity43EveryWayInNeedsTheApp(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		const email = "ada@example.com"
		page, userID := signedIn(s, email)
		phone := page.Call(http.MethodPost, "/sdk/v1/otps/sms/send/secondary", body{"phone_number": "+14155552671"}).OK().String("method_id")
		page.Call(http.MethodPost, "/sdk/v1/otps/authenticate", body{"method_id": phone, "token": s.Mail("+14155552671").Code, "session_duration_minutes": 600}).OK()
		d := enrolled(s, page)
		ways := map[string]func() string{
			"a code by e-mail": func() string {
				half, _ := signedIn(s, email)
				return half.Token
			},
			"a code by SMS": func() string {
				s.Clock.Advance(time.Second)
				s.Call(http.MethodPost, "/v1/otps/sms/send", body{"phone_number": "+14155552671"}).OK()
				in := body{"method_id": phone, "code": s.Mail("+14155552671").Code, "session_duration_minutes": 60}
				return s.Call(http.MethodPost, "/v1/otps/authenticate", in).OK().String("session_token")
			},
			"an embeddable link": func() string {
				link := s.Call(http.MethodPost, "/v1/magic_links", body{"user_id": userID}).OK().String("token")
				return s.Call(http.MethodPost, "/v1/magic_links/authenticate", body{"token": link, "session_duration_minutes": 60}).OK().String("session_token")
			},
			"a recovery code": func() string { return d.recover(d.codes[0], hour).OK().String("session_token") },
		}
		for name, way := range ways {
			half := s.Browser()
			half.Token = way()
			a := half.Call(http.MethodPost, sdk+recoveryCodes, nil)
			if a.Refused(401, "insufficient_factors"); t.Failed() {
				t.Fatalf("after %s", name)
			}
			s.Clock.Advance(30 * time.Second)
			in := half.Call(http.MethodPost, sdk+authenticate, body{"totp_code": d.code(0), "session_duration_minutes": 60}).OK()
			if in.String("user_id") != userID {
				t.Errorf("%s signed in %s", name, in.Text)
			}
			half.Call(http.MethodPost, sdk+recoveryCodes, nil).OK()
		}
	})
}

// An app that has not shown a code yet is neither asked for nor worth anything.
func TestSecurity44UnverifiedEnrolment(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		page, userID := signedIn(s, "ada@example.com")
		a := page.Call(http.MethodPost, sdk+create, body{}).OK()
		d := &device{s, userID, a.String("totp_id"), a.String("secret"), texts(a.Get("recovery_codes"))}
		page.Call(http.MethodPut, "/sdk/v1/users/me", body{"name": body{"first_name": "Ada"}}).OK() // nobody asks for the app
		d.recover(d.codes[0], hour).Refused(400, "no_active_recovery_code_backed_factor")
		page.Call(http.MethodPost, sdk+recovery, body{"recovery_code": d.codes[0], "session_duration_minutes": 60}).Refused(400, "no_active_recovery_code_backed_factor")
		if listed := page.Call(http.MethodPost, sdk+recoveryCodes, nil).OK(); listed.Get("totps", 0, "verified") != false {
			t.Errorf("listed: %s", listed.Text)
		}
		page.Call(http.MethodPost, sdk+authenticate, body{"totp_code": d.code(0), "session_duration_minutes": 60}).OK()
		d.recover(d.codes[0], hour).OK()
	})
}

// An app that is taken away takes what it had proven with it, and what its
// recovery codes had.
func TestSecurity46FactorDowngrade(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		page, _ := signedIn(s, "ada@example.com")
		d := enrolled(s, page)
		page.Call(http.MethodPost, sdk+recovery, body{"recovery_code": d.codes[0], "session_duration_minutes": 60}).OK()
		thief := d.enter(d.code(0), hour).OK().String("session_token")
		other := d.recover(d.codes[1], hour).OK()
		page.Call(http.MethodPost, sdk+recoveryCodes, nil).OK()
		s.Call(http.MethodDelete, "/v1/users/totps/"+d.totpID, nil).OK()
		left := s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": page.Token}).OK()
		if factors(left) != "otp" {
			t.Errorf("the session lists %s", factors(left))
		}
		for _, token := range []string{thief, other.String("session_token")} {
			s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": token}).Refused(404, "session_not_found")
		}
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_jwt": other.String("session_jwt")}).Refused(404, "session_not_found")
		d.enter(d.code(1), nil).Refused(404, "totps_not_found_for_user")
		d.recover(d.codes[2], nil).Refused(400, "no_active_recovery_code_backed_factor")
		if n := count(t, s, "SELECT count(*) FROM totps"); n != 0 {
			t.Errorf("%d apps are left", n)
		}

		// Whoever takes the app away in a page stays signed in there.
		d = enrolled(s, page)
		page.Call(http.MethodDelete, "/sdk/v1/users/totps/"+d.totpID, nil).OK()
		page.Call(http.MethodGet, "/sdk/v1/users/me", nil).OK()
	})
}

// An enrolment is over by the clock, whether or not anything has cleaned up,
// and is told from none for a day.
func TestSecurity51ValidityByClock(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for _, purge := range []bool{false, true} {
			clean := func() {
				if !purge {
					return
				}
				if _, err := s.Purge(t.Context(), 1000); err != nil {
					t.Fatal(err)
				}
			}
			d := enrol(s, newUser(s, fmt.Sprintf("%v@example.com", purge)), body{"expiration_minutes": 5})
			s.Clock.Advance(5 * time.Minute)
			clean()
			d.enter(d.code(0), nil).Refused(401, "expired_totp")
			s.Clock.Advance(24*time.Hour - time.Millisecond)
			clean()
			d.enter(d.code(0), nil).Refused(401, "expired_totp")
			s.Clock.Advance(time.Millisecond)
			clean()
			d.enter(d.code(0), nil).Refused(404, "totps_not_found_for_user")
			if n := count(t, s, "SELECT count(*) FROM totps WHERE user_id = $1", d.userID); purge != (n == 0) {
				t.Errorf("%d are kept", n)
			}
			in := owner(s, fmt.Sprintf("in.%v@example.com", purge))
			s.Clock.Advance(1000 * time.Hour)
			clean()
			in.enter(in.code(0), nil).OK() // what is in use never ends
		}
	})
}

// Neither a locked nor a deleted user gets anywhere with an app.
func TestSecurity52LockedAndDeletedUsers(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		page, userID := signedIn(s, "ada@example.com")
		d := enrolled(s, page)
		align(s, 10*time.Minute)
		for range 10 {
			d.enter(d.wrong(), nil).Refused(401, "unable_to_authenticate_totp")
		}
		for range 2 {
			d.enter(d.code(0), hour).Refused(429, "user_lock_limit_reached")
			d.recover(d.codes[0], hour).Refused(429, "user_lock_limit_reached")
			page.Call(http.MethodPost, sdk+authenticate, body{"totp_code": d.code(0), "session_duration_minutes": 60}).Refused(429, "user_lock_limit_reached")
			page.Call(http.MethodPost, sdk+recovery, body{"recovery_code": d.codes[0], "session_duration_minutes": 60}).Refused(429, "user_lock_limit_reached")
		}
		s.Clock.Advance(time.Hour)
		d.enter(d.code(0), nil).OK() // nothing was used up
		d.recover(d.codes[0], nil).OK()
		s.Call(http.MethodDelete, "/v1/users/"+userID, nil).OK()
		d.enter(d.code(1), hour).Refused(404, "user_not_found")
		d.recover(d.codes[1], hour).Refused(404, "user_not_found")
		s.Call(http.MethodPost, recoveryCodes, body{"user_id": userID}).Refused(404, "user_not_found")
		page.Call(http.MethodPost, sdk+authenticate, body{"totp_code": d.code(1), "session_duration_minutes": 60}).Refused(404, "session_not_found")
		if n := count(t, s, "SELECT count(*) FROM totps"); n != 0 {
			t.Errorf("%d apps are left", n)
		}
	})
}

// The first proof of a user ends an app that somebody else may have added.
func TestSecurity16UnprovenCredentials(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		attacker := owner(s, "victim@example.com")
		stolen := attacker.enter(attacker.code(0), hour).OK().String("session_token")
		_, userID := signedIn(s, "victim@example.com")
		if userID != attacker.userID {
			t.Fatal("the victim is somebody else")
		}
		attacker.enter(attacker.code(1), nil).Refused(404, "totps_not_found_for_user")
		attacker.recover(attacker.codes[0], nil).Refused(400, "no_active_recovery_code_backed_factor")
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": stolen}).Refused(404, "session_not_found")
	})
}

// Another environment knows nothing of an app, whatever it is asked for.
func TestSecurity24AppsOfOtherEnvironments(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		d := owner(s, "ada@example.com")
		other := *d
		other.s = s.Environment("Staging")
		other.enter(d.code(0), nil).Refused(404, "user_not_found")
		other.recover(d.codes[0], nil).Refused(404, "user_not_found")
		d.enter(d.code(0), nil).OK()
	})
}

// No secret is answered but where it is asked for, and none can be read from
// logs, events or the database.
func TestSecurity61And65SecretsLeak(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		page, userID := signedIn(s, "ada@example.com")
		d := enrolled(s, page)
		secrets := append([]string{d.secret, d.code(0)}, d.codes...)
		answers := ""
		keep := func(a *authtest.Answer) { answers += a.Text }
		keep(d.enter(d.wrong(), nil))
		keep(d.enter(d.code(0), hour).OK())
		keep(d.enter(d.code(0), hour))
		keep(d.enter(d.codes[0], hour))
		keep(d.recover(d.code(0), hour))
		keep(d.recover(d.codes[0], hour).OK())
		keep(d.recover(d.codes[0], hour))
		keep(s.Call(http.MethodPost, create, body{"user_id": userID}))
		keep(s.Call(http.MethodGet, "/v1/users/"+userID, nil).OK())
		keep(s.Call(http.MethodPost, "/v1/users/search", nil).OK())
		keep(page.Call(http.MethodGet, "/sdk/v1/users/me", nil).OK())
		d.left()
		events, err := event.List(t.Context(), s.DB, s.Env.ID, "", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		log := fmt.Sprintf("%+v", events)
		for _, want := range []string{"totp.create", "totp.recovery_codes.read", d.totpID} {
			if !strings.Contains(log, want) {
				t.Errorf("the events do not tell of %s", want)
			}
		}
		places := map[string]string{"answers": answers, "log": s.Logs.String(), "events": log, "mails": fmt.Sprintf("%+v", s.Messages("ada@example.com"))}
		if s.DB.Engine() == store.SQLite {
			files, err := filepath.Glob(s.DatabaseFile() + "*")
			if err != nil || len(files) < 2 {
				t.Fatalf("database files: %v, %v", files, err)
			}
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				places["database"] += string(text)
			}
			if !strings.Contains(places["database"], d.totpID) {
				t.Error("the database does not hold the app, so finding nothing in it proves nothing")
			}
		}
		for place, text := range places {
			for i, secret := range secrets {
				if i != 1 && strings.Contains(text, secret) || i == 1 && place == "answers" && strings.Contains(text, `"`+secret+`"`) {
					t.Errorf("the %s hold secret %d", place, i)
				}
			}
		}
	})
}

// A use seals an app's secrets with the newest master key, so that the old one
// can go. What is still sealed with the old one can be taken away without it.
func TestMasterKeysChange(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		used, recovered, idle := owner(s, "used@example.com"), owner(s, "recovered@example.com"), owner(s, "idle@example.com")
		newKey := secret.NewMasterKey()
		both := s.With(newKey + "," + s.MasterKey())
		on := func(server *authtest.Server, method, path string, fields any) *authtest.Answer {
			return server.Request(method, path, fields, func(r *http.Request) { r.SetBasicAuth(s.Env.ID, s.Secret()) })
		}
		enter := func(server *authtest.Server, d *device) *authtest.Answer {
			return on(server, http.MethodPost, authenticate, body{"user_id": d.userID, "totp_code": d.code(0)})
		}
		enter(both, used).OK()
		on(both, http.MethodPost, recovery, body{"user_id": recovered.userID, "recovery_code": recovered.codes[0]}).OK()
		s.Clock.Advance(30 * time.Second)
		alone := s.With(newKey)
		enter(alone, used).OK()
		enter(alone, recovered).OK()
		if a := enter(alone, idle); a.Status != http.StatusInternalServerError {
			t.Errorf("without the key that sealed it: %s", a.Text)
		}
		on(alone, http.MethodDelete, "/v1/users/totps/"+idle.totpID, nil).OK()
	})
}
