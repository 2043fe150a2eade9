package totp_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/totp"
	"gatehouse/internal/store"
)

type body = map[string]any

const (
	create        = "/v1/totps"
	authenticate  = "/v1/totps/authenticate"
	recovery      = "/v1/totps/recover"
	recoveryCodes = "/v1/totps/recovery_codes"
)

var hour = body{"session_duration_minutes": 60}

func with(fields, more body) body {
	all := maps.Clone(fields)
	maps.Copy(all, more)
	return all
}

// device is a phone with an authenticator app, and a paper with recovery codes.
type device struct {
	s      *authtest.Server
	userID string
	totpID string
	secret string
	codes  []string
}

// newUser is a user with an address that nobody has proven.
func newUser(s *authtest.Server, email string) string {
	return s.Call(http.MethodPost, "/v1/users", body{"email": email}).OK().String("user_id")
}

func texts(list any) []string {
	out := []string{}
	for _, v := range list.([]any) {
		out = append(out, v.(string))
	}
	return out
}

// enrol gives a user an authenticator app that has not shown a code yet.
func enrol(s *authtest.Server, userID string, more body) *device {
	a := s.Call(http.MethodPost, create, with(body{"user_id": userID}, more)).OK()
	return &device{s, a.String("user_id"), a.String("totp_id"), a.String("secret"), texts(a.Get("recovery_codes"))}
}

// owner is a user whose authenticator app is in use. The code that made it so
// is of the step before.
func owner(s *authtest.Server, email string) *device {
	d := enrol(s, newUser(s, email), nil)
	d.enter(d.code(0), nil).OK()
	s.Clock.Advance(30 * time.Second)
	return d
}

// code is what the app shows so many steps from now.
func (d *device) code(steps int64) string {
	key, _ := base32.StdEncoding.DecodeString(d.secret)
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, d.s.Clock.Now().Unix()/30+steps)
	sum := mac.Sum(nil)
	at := sum[19] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:at+4])&0x7fffffff%1000000)
}

// wrong is a code that no step around now has.
func (d *device) wrong() string {
	near := []string{d.code(-1), d.code(0), d.code(1)}
	for n := 0; ; n++ {
		if code := fmt.Sprintf("%06d", n); !slices.Contains(near, code) {
			return code
		}
	}
}

func (d *device) enter(code string, more body) *authtest.Answer {
	return d.s.Call(http.MethodPost, authenticate, with(body{"user_id": d.userID, "totp_code": code}, more))
}

func (d *device) recover(code string, more body) *authtest.Answer {
	return d.s.Call(http.MethodPost, recovery, with(body{"user_id": d.userID, "recovery_code": code}, more))
}

func (d *device) left() []string {
	a := d.s.Call(http.MethodPost, recoveryCodes, body{"user_id": d.userID}).OK()
	return texts(a.Get("totps", 0, "recovery_codes"))
}

func count(t *testing.T, s *authtest.Server, query string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := s.DB.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow(query, args...).Scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

// align moves the clock to the beginning of a window.
func align(s *authtest.Server, window time.Duration) {
	now := s.Clock.Now()
	s.Clock.Advance(now.Truncate(window).Add(window).Sub(now))
}

func factors(a *authtest.Answer) string {
	var list []string
	for _, f := range a.Get("session", "authentication_factors").([]any) {
		list = append(list, f.(body)["type"].(string))
	}
	return strings.Join(list, " ")
}

func TestAddAnAppAndProveIt(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		userID := newUser(s, "ada+x@example.com")
		a := s.Call(http.MethodPost, create, body{"user_id": userID}).OK()
		secret, totpID := a.String("secret"), a.String("totp_id")
		if !regexp.MustCompile(`^[A-Z2-7]{32}$`).MatchString(secret) || !strings.HasPrefix(totpID, "totp-test-") || a.String("user_id") != userID {
			t.Errorf("added: %s", a.Text)
		}
		if a.Get("user", "totps", 0, "totp_id") != totpID || a.Get("user", "totps", 0, "verified") != false || a.Get("__user") != nil {
			t.Errorf("the user is %v", a.Get("user"))
		}
		u, err := url.Parse(totp.Scan(t, a.String("qr_code")))
		if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Acme:ada+x@example.com" || u.Query().Get("secret") != secret || u.Query().Get("issuer") != "Acme" {
			t.Errorf("a phone reads %s, %v", u, err)
		}
		codes := texts(a.Get("recovery_codes"))
		for _, c := range codes {
			if !regexp.MustCompile(`^([0-9a-z]{4}-){2}[0-9a-z]{4}$`).MatchString(c) {
				t.Errorf("a recovery code is %q", c)
			}
		}
		if len(codes) != 10 {
			t.Errorf("there are %d recovery codes", len(codes))
		}

		d := &device{s, userID, totpID, secret, codes}
		code := d.code(0)
		in := d.enter(code[:3]+" "+code[3:], hour).OK()
		if in.String("user_id") != userID || in.String("totp_id") != totpID || in.Get("user", "totps", 0, "verified") != true {
			t.Errorf("proven: %s", in.Text)
		}
		factor := in.Get("session", "authentication_factors", 0).(body)
		if factor["type"] != "totp" || factor["delivery_method"] != "authenticator_app" || factor["authenticator_app_factor"].(body)["totp_id"] != totpID {
			t.Errorf("the factor is %v", factor)
		}
		s.Clock.Advance(30 * time.Second)
		if again := d.enter(d.code(0), nil).OK(); again.Get("session") != nil || again.String("session_token") != "" || again.String("session_jwt") != "" {
			t.Errorf("without a duration: %s", again.Text)
		}
		listed := s.Call(http.MethodPost, recoveryCodes, body{"user_id": userID}).OK()
		if listed.String("user_id") != userID || listed.Get("totps", 0, "totp_id") != totpID || listed.Get("totps", 0, "verified") != true || !slices.Equal(d.left(), codes) {
			t.Errorf("the recovery codes are %s", listed.Text)
		}
	})
}

// A user's other id does as well, and a user whom nobody knows is refused.
func TestWhoseAppItIs(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		userID := newUser(s, "ada@example.com")
		s.Call(http.MethodPut, "/v1/users/"+userID, body{"external_id": "customer-1"}).OK()
		d := enrol(s, "customer-1", nil)
		if d.userID != userID {
			t.Errorf("it belongs to %s", d.userID)
		}
		d.userID = "customer-1"
		if in := d.enter(d.code(0), nil).OK(); in.String("user_id") != userID {
			t.Errorf("proven: %s", in.Text)
		}
		d.recover(d.left()[0], nil).OK()
		for _, path := range []string{create, authenticate, recovery, recoveryCodes} {
			call := func(userID any) *authtest.Answer {
				return s.Call(http.MethodPost, path, body{"user_id": userID, "totp_code": "123456", "recovery_code": "a1b2-c3d4-e5f6"})
			}
			call("customer-2").Refused(404, "user_not_found")
			call("user-test-00000000-0000-4000-8000-000000000000").Refused(404, "user_not_found")
			call(strings.Replace(userID, "test", "live", 1)).Refused(400, "live_id_used_in_test_environment")
			call("user-test-").Refused(400, "invalid_user_id")
			call(nil).Refused(400, "bad_request")
		}
		pending := s.Call(http.MethodPost, "/v1/users", body{"email": "p@example.com", "create_user_as_pending": true}).OK().String("user_id")
		s.Call(http.MethodPost, create, body{"user_id": pending}).Refused(400, "cannot_use_totp_with_pending_user")
		none := newUser(s, "none@example.com")
		s.Call(http.MethodPost, authenticate, body{"user_id": none, "totp_code": "123456"}).Refused(404, "totps_not_found_for_user")
		s.Call(http.MethodPost, recoveryCodes, body{"user_id": none}).Refused(404, "totps_not_found_for_user")
		s.Call(http.MethodPost, recovery, body{"user_id": none, "recovery_code": "a1b2-c3d4-e5f6"}).Refused(400, "no_active_recovery_code_backed_factor")
	})
}

// An interrupted enrolment is begun anew; what is in use stays until it is
// deleted (decision 0057).
func TestOneAppPerUser(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		first := enrol(s, newUser(s, "ada@example.com"), nil)
		second := enrol(s, first.userID, nil)
		if first.secret == second.secret || first.totpID == second.totpID || first.codes[0] == second.codes[0] {
			t.Error("the second is the first")
		}
		first.enter(first.code(0), nil).Refused(401, "unable_to_authenticate_totp")
		in := second.enter(second.code(0), nil).OK()
		if len(in.Get("user", "totps").([]any)) != 1 || in.String("totp_id") != second.totpID {
			t.Errorf("the user has %s", in.Text)
		}
		s.Call(http.MethodPost, create, body{"user_id": first.userID}).Refused(400, "active_totp_exists")
		s.Call(http.MethodDelete, "/v1/users/totps/"+first.totpID, nil).Refused(404, "totp_not_found")
		s.Call(http.MethodDelete, "/v1/users/totps/"+second.totpID, nil).OK()
		second.enter(second.code(1), nil).Refused(404, "totps_not_found_for_user")
		third := enrol(s, first.userID, nil)
		third.enter(third.code(0), nil).OK()
		if n := count(t, s, "SELECT count(*) FROM totps"); n != 1 {
			t.Errorf("%d are kept", n)
		}
	})
}

// Of enrolments at the same moment one is left, whole.
func TestEnrolmentsTogether(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		userID := newUser(s, "ada@example.com")
		devices := make([]*device, 20)
		outcomes := authtest.Together(len(devices), func(i int) *authtest.Answer {
			a := s.Call(http.MethodPost, create, body{"user_id": userID})
			devices[i] = &device{s, userID, a.String("totp_id"), a.String("secret"), nil}
			return a
		})
		if outcomes[""] != len(devices) || count(t, s, "SELECT count(*) FROM totps") != 1 {
			t.Errorf("the outcomes are %v", outcomes)
		}
		s.Configure("user_lock.threshold", "100")
		proven := 0
		for _, d := range devices {
			if a := d.enter(d.code(0), nil); a.Status == http.StatusOK {
				proven++
				if a.Get("user", "totps", 0, "totp_id") != d.totpID || len(a.Get("user", "totps").([]any)) != 1 {
					t.Errorf("the user has %s", a.Text)
				}
			}
		}
		if proven != 1 {
			t.Errorf("%d of them work", proven)
		}
	})
}

func TestDevicesWhoseClockIsOff(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		align(s, 30*time.Second)
		for _, second := range []time.Duration{0, 30*time.Second - time.Millisecond} {
			for steps := int64(-3); steps <= 3; steps++ {
				d := enrol(s, newUser(s, fmt.Sprintf("%d.%d@example.com", steps, second)), nil)
				s.Clock.Advance(second)
				a := d.enter(d.code(steps), nil)
				if steps >= -1 && steps <= 1 {
					a.OK()
				} else {
					a.Refused(401, "unable_to_authenticate_totp")
				}
				s.Clock.Advance(30*time.Second - second)
			}
		}
	})
}

// An enrolment waits for as long as it was told to.
func TestEnrolmentsThatNobodyFinishes(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		userID := newUser(s, "ada@example.com")
		for _, minutes := range []int{-1, 0, 4, 1441, 1 << 30} {
			s.Call(http.MethodPost, create, body{"user_id": userID, "expiration_minutes": minutes}).Refused(400, "invalid_expiration")
		}
		for _, try := range []struct {
			more body
			life time.Duration
		}{{nil, 24 * time.Hour}, {body{"expiration_minutes": 5}, 5 * time.Minute}, {body{"expiration_minutes": 1440}, 24 * time.Hour}} {
			d := enrol(s, newUser(s, fmt.Sprintf("in.%v@example.com", s.Clock.Now().UnixMilli())), try.more)
			s.Clock.Advance(try.life - time.Millisecond)
			d.enter(d.code(0), nil).OK()
			d = enrol(s, newUser(s, fmt.Sprintf("late.%v@example.com", s.Clock.Now().UnixMilli())), try.more)
			s.Clock.Advance(try.life)
			d.enter(d.code(0), nil).Refused(401, "expired_totp")
			d.recover(d.codes[0], nil).Refused(400, "no_active_recovery_code_backed_factor")
			if list := s.Call(http.MethodGet, "/v1/users/"+d.userID, nil).OK().Get("totps").([]any); len(list) != 0 {
				t.Errorf("the user still has %v", list)
			}
			again := enrol(s, d.userID, nil)
			again.enter(again.code(0), nil).OK()
		}
	})
}

// A mix-up is told, and nothing that cannot be right is counted.
func TestMalformedAttempts(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		d := owner(s, "ada@example.com")
		for range 30 {
			d.enter(d.codes[0], nil).Refused(400, "recovery_code_used_as_totp_code")
			d.recover(d.code(0), nil).Refused(400, "totp_code_used_as_recovery_code")
		}
		for _, bad := range []string{"12345", "1234567", "12345a", "１２３４５６", ""} {
			d.enter(bad, nil).Refused(400, "invalid_totp_code")
		}
		for _, bad := range []string{"a1b2-c3d4-e5f", "a1b2-c3d4-e5f67", "a1b2-c3d4-e5f!", "", strings.Repeat("-", 10_000)} {
			d.recover(bad, nil).Refused(400, "invalid_recovery_code")
		}
		s.Call(http.MethodPost, authenticate, body{"user_id": d.userID}).Refused(400, "bad_request")
		s.Call(http.MethodPost, recovery, body{"user_id": d.userID}).Refused(400, "bad_request")
		if n := count(t, s, "SELECT SUM(failed_attempts) FROM users"); n != 0 {
			t.Errorf("%d failures are counted", n)
		}
		d.enter(d.code(0), nil).OK()
		d.recover(d.codes[0], nil).OK()
	})
}

// Each recovery code stands in for the app once, however it is spelled.
func TestRecoveryCodes(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("user_lock.threshold", "100")
		d := owner(s, "ada@example.com")
		used := map[string]bool{}
		for i, code := range d.codes {
			align(s, 10*time.Minute)
			typed := code
			switch i % 3 {
			case 1:
				typed = strings.ToUpper(strings.ReplaceAll(code, "-", ""))
			case 2:
				typed = " " + strings.ReplaceAll(code, "-", " ") + "\n"
			}
			in := d.recover(typed, hour).OK()
			if in.String("user_id") != d.userID || in.String("totp_id") != d.totpID {
				t.Errorf("recovered: %s", in.Text)
			}
			factor := in.Get("session", "authentication_factors", 0).(body)
			id, _ := factor["recovery_code_factor"].(body)["totp_recovery_code_id"].(string)
			if factor["type"] != "recovery_codes" || factor["delivery_method"] != "recovery_code" || !strings.HasPrefix(id, "totp-recovery-code-test-") || used[id] {
				t.Errorf("the factor is %v", factor)
			}
			used[id] = true
			if !slices.Equal(d.left(), d.codes[i+1:]) {
				t.Errorf("after %d codes %v are left", i+1, d.left())
			}
			if i < 9 {
				d.recover(typed, hour).Refused(401, "unable_to_authenticate_recovery_code")
				d.recover("0000-0000-0000", hour).Refused(401, "unable_to_authenticate_recovery_code")
			}
		}
		d.recover(d.codes[3], nil).Refused(404, "recovery_codes_not_found")
		d.recover("0000-0000-0000", nil).Refused(404, "recovery_codes_not_found")
		d.enter(d.code(0), nil).OK()
		fresh := owner(s, "eve@example.com")
		d.recover(fresh.codes[0], nil).Refused(404, "recovery_codes_not_found")
		fresh.recover(fresh.codes[0], nil).OK()
	})
}

// App and recovery code join the session of the first factor, of the same user.
func TestSecondFactorOfASession(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		d := owner(s, "unused@example.com")
		p := s.Person("ada@example.com")
		d2 := enrol(s, p.UserID, nil)
		first := p.SignIn(hour).OK()
		token, jwt := first.String("session_token"), first.String("session_jwt")
		d.enter(d.code(0), body{"session_token": token}).Refused(400, "user_id_mismatch")
		d.enter(d.code(0), nil).OK() // the refusal did not use it up
		both := d2.enter(d2.code(0), body{"session_jwt": jwt}).OK()
		if both.Get("session", "session_id") != first.Get("session", "session_id") || factors(both) != "webauthn totp" {
			t.Errorf("the session is %s", both.Text)
		}
		three := d2.recover(d2.codes[0], body{"session_token": token, "session_duration_minutes": 300, "session_custom_claims": body{"a": "b"}}).OK()
		if factors(three) != "webauthn totp recovery_codes" || three.Get("session", "custom_claims", "a") != "b" {
			t.Errorf("the session is %s", three.Text)
		}
		for _, minutes := range []int{4, 527041} {
			d2.recover(d2.codes[1], body{"session_duration_minutes": minutes}).Refused(400, "invalid_session_duration_minutes")
		}
		d2.recover(d2.codes[1], body{"session_token": strings.Repeat("A", 44)}).Refused(404, "session_not_found")
		d2.recover(d2.codes[1], nil).OK()
	})
}
