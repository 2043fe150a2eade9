package totp_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
)

const sdk = "/sdk"

// signedIn is a page at which somebody has signed in with a code by e-mail.
func signedIn(s *authtest.Server, email string) (page *authtest.Browser, userID string) {
	page = s.Browser()
	s.Clock.Advance(time.Second)
	method := page.Call(http.MethodPost, "/sdk/v1/otps/email/login_or_create", body{"email": email}).OK().String("method_id")
	in := page.Call(http.MethodPost, "/sdk/v1/otps/authenticate", body{"method_id": method, "token": s.Mail(email).Code, "session_duration_minutes": 600}).OK()
	page.Token = in.String("session_token")
	return page, in.String("user_id")
}

// enrolled adds an authenticator app at a page and proves it there.
func enrolled(s *authtest.Server, page *authtest.Browser) *device {
	a := page.Call(http.MethodPost, sdk+create, body{}).OK()
	d := &device{s, a.String("user_id"), a.String("totp_id"), a.String("secret"), texts(a.Get("recovery_codes"))}
	page.Call(http.MethodPost, sdk+authenticate, body{"totp_code": d.code(0), "session_duration_minutes": 600}).OK()
	s.Clock.Advance(30 * time.Second)
	return d
}

func TestBrowsersAddAnApp(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		page, userID := signedIn(s, "ada@example.com")
		page.Call(http.MethodPost, sdk+create, body{"expiration_minutes": 4}).Refused(400, "invalid_expiration")
		// Whom a page names is not asked for.
		victim := newUser(s, "victim@example.com")
		a := page.Call(http.MethodPost, sdk+create, body{"expiration_minutes": 30, "user_id": victim}).OK()
		if a.String("user_id") != userID || a.Get("__user", "totps", 0, "totp_id") != a.String("totp_id") || a.Get("user", "totps", 0, "verified") != false {
			t.Errorf("added: %s", a.Text)
		}
		d := &device{s, userID, a.String("totp_id"), a.String("secret"), texts(a.Get("recovery_codes"))}
		in := page.Call(http.MethodPost, sdk+authenticate, body{"totp_code": d.code(0), "session_duration_minutes": 30}).OK()
		if factors(in) != "otp totp" || in.String("totp_id") != d.totpID || in.Get("__user", "totps", 0, "verified") != true || in.String("session_token") != page.Token {
			t.Errorf("proven: %s", in.Text)
		}
		listed := page.Call(http.MethodPost, sdk+recoveryCodes, nil).OK()
		if listed.String("user_id") != userID || !slices.Equal(texts(listed.Get("totps", 0, "recovery_codes")), d.codes) {
			t.Errorf("the recovery codes are %s", listed.Text)
		}
		out := page.Call(http.MethodPost, sdk+recovery, body{"recovery_code": d.codes[0], "session_duration_minutes": 30}).OK()
		if factors(out) != "otp totp recovery_codes" || out.String("totp_id") != d.totpID || out.Get("__user", "user_id") != userID {
			t.Errorf("recovered: %s", out.Text)
		}
		page.Call(http.MethodPost, sdk+create, body{}).Refused(400, "active_totp_exists")
		page.Call(http.MethodDelete, "/sdk/v1/users/totps/"+d.totpID, nil).OK()
		page.Call(http.MethodPost, sdk+recoveryCodes, nil).Refused(404, "totps_not_found_for_user")
	})
}

// Nothing works without a session, and with one that has ended.
func TestBrowsersNeedASession(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		page, _ := signedIn(s, "ada@example.com")
		d := enrolled(s, page)
		routes := func(check func(path string, fields body)) {
			for path, fields := range map[string]body{create: {}, authenticate: {"totp_code": d.code(0)}, recovery: {"recovery_code": d.codes[0]}, recoveryCodes: {}} {
				check(sdk+path, with(fields, body{"user_id": d.userID, "session_token": page.Token, "session_duration_minutes": 60}))
			}
		}
		nobody := s.Browser()
		routes(func(path string, fields body) {
			nobody.Call(http.MethodPost, path, fields).Refused(401, "user_unauthenticated")
		})
		page.Call(http.MethodPost, "/sdk/v1/sessions/revoke", nil).OK()
		routes(func(path string, fields body) {
			page.Call(http.MethodPost, path, fields).Refused(404, "session_not_found")
		})
		if !slices.Equal(d.left(), d.codes) {
			t.Error("a recovery code was used up")
		}
		d.enter(d.code(0), nil).OK()
	})
}

func TestSwitchesOfTheBrowsersDoor(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		page, _ := signedIn(s, "ada@example.com")
		d := enrolled(s, page)
		s.Configure("sdk.totps.create_totps", "false")
		page.Call(http.MethodPost, sdk+create, body{}).Refused(401, "endpoint_not_authorized_for_sdk")
		page.Call(http.MethodPost, sdk+authenticate, body{"totp_code": d.code(0), "session_duration_minutes": 60}).OK()
		page.Call(http.MethodPost, sdk+recoveryCodes, nil).OK()
		s.Configure("sdk.totps.create_totps", "true")
		s.Configure("sdk.totps.enabled", "false")
		for path, fields := range map[string]body{create: {}, authenticate: {"totp_code": "123456"}, recovery: {"recovery_code": d.codes[0]}, recoveryCodes: {}} {
			page.Call(http.MethodPost, sdk+path, fields).Refused(401, "endpoint_not_authorized_for_sdk")
		}
		live := s.LiveServer()
		live.Configure("sdk.basic.enabled", "true")
		live.Configure("sdk.basic.domains", `["https://app.example.com"]`)
		closed := live.Browser()
		closed.Origin = "https://app.example.com"
		closed.Call(http.MethodPost, sdk+create, body{}).Refused(401, "endpoint_not_authorized_for_sdk")
	})
}

// Adding an app and reading recovery codes need what the person has to prove
// themselves by, and something fresh.
func TestStepUp(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		page, _ := signedIn(s, "ada@example.com")
		s.Clock.Advance(time.Hour - time.Millisecond)
		page.Call(http.MethodPost, sdk+create, body{}).OK()
		s.Clock.Advance(time.Millisecond)
		page.Call(http.MethodPost, sdk+create, body{}).Refused(401, "stale_factors")
		page, _ = signedIn(s, "ada@example.com")
		d := enrolled(s, page)
		page.Call(http.MethodPost, sdk+recoveryCodes, nil).OK()
		s.Clock.Advance(time.Hour)
		page.Call(http.MethodPost, sdk+recoveryCodes, nil).Refused(401, "stale_factors")
		page.Call(http.MethodPost, sdk+authenticate, body{"totp_code": d.code(0), "session_duration_minutes": 60}).OK()
		page.Call(http.MethodPost, sdk+recoveryCodes, nil).OK()

		// A recovery code is worth no second category (decision 0013).
		half, _ := signedIn(s, "ada@example.com")
		half.Call(http.MethodPost, sdk+recoveryCodes, nil).Refused(401, "insufficient_factors")
		half.Call(http.MethodPost, sdk+recovery, body{"recovery_code": d.codes[0], "session_duration_minutes": 60}).OK()
		half.Call(http.MethodPost, sdk+recoveryCodes, nil).Refused(401, "weak_factor_combination")
		half.Call(http.MethodDelete, "/sdk/v1/users/totps/"+d.totpID, nil).Refused(401, "weak_factor_combination")
	})
}

// The owner is told of an app that comes into use, of a recovery code that is
// used, and of an app that goes: where they were known before.
func TestOwnerIsTold(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		const email = "ada@example.com"
		told := func(want ...string) {
			t.Helper()
			var got []string
			for _, m := range s.Messages(email) {
				if strings.HasPrefix(string(m.Type), "NOTICE_") {
					got = append(got, string(m.Type))
				}
			}
			slices.Sort(got) // messages of one moment are sent side by side
			if !slices.Equal(got, want) {
				t.Errorf("told %v, want %v", got, want)
			}
		}
		page, userID := signedIn(s, email)
		page.Call(http.MethodPost, sdk+create, body{}).OK()
		told() // not yet in use
		d := enrolled(s, page)
		told("NOTICE_FACTOR_ADDED")
		if text := s.Mail(email).Text; !strings.Contains(text, "an authenticator app") {
			t.Errorf("told %q", text)
		}
		d.recover("0000-0000-0000", nil).Refused(401, "unable_to_authenticate_recovery_code")
		d.recover(d.codes[0], nil).OK()
		told("NOTICE_FACTOR_ADDED", "NOTICE_RECOVERY_CODE")
		if text := s.Mail(email).Text; !strings.Contains(text, "Recovery codes left: 9") {
			t.Errorf("told %q", text)
		}
		s.Configure("notices.recovery_code", "false")
		d.recover(d.codes[1], nil).OK()
		s.Call(http.MethodDelete, "/v1/users/totps/"+d.totpID, nil).OK()
		told("NOTICE_FACTOR_ADDED", "NOTICE_FACTOR_REMOVED", "NOTICE_RECOVERY_CODE")

		unproven := owner(s, "unproven@example.com")
		unproven.recover(unproven.codes[0], nil).OK()
		if got := s.Messages("unproven@example.com"); len(got) != 0 {
			t.Errorf("an address that nobody has proven was sent %v", got)
		}
		s.Call(http.MethodDelete, "/v1/users/"+userID, nil).OK()
	})
}
