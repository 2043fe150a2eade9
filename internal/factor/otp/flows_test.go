package otp_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/delivery"
	"gatehouse/internal/store"
)

type body = map[string]any

const authenticate = "/v1/otps/authenticate"

// channel is one way for a code to go, as the wire spells it.
type channel struct{ name, field, idField, factor, to, notFound string }

var (
	sms      = channel{"sms", "phone_number", "phone_id", "phone_number_factor", "+14155552671", "phone_number_not_found"}
	whatsapp = channel{"whatsapp", "phone_number", "phone_id", "phone_number_factor", "+14155552672", "phone_number_not_found"}
	email    = channel{"email", "email", "email_id", "email_factor", "ada@example.com", "email_not_found"}
	channels = []channel{sms, whatsapp, email}
)

func (c channel) path(what string) string { return "/v1/otps/" + c.name + "/" + what }

// at is the channel to another address or number.
func (c channel) at(to string) channel {
	c.to = to
	return c
}

func (c channel) fields(more body) body { return with(body{c.field: c.to}, more) }

// with returns fields with more of them.
func with(fields, more body) body {
	all := maps.Clone(fields)
	maps.Copy(all, more)
	return all
}

// ask has a code sent by login_or_create or send and returns the message and
// the method_id. The clock moves on, since a recipient gets one code a second.
func ask(s *authtest.Server, c channel, what string, more body) (delivery.Envelope, string) {
	s.Clock.Advance(time.Second)
	a := s.Call(http.MethodPost, c.path(what), c.fields(more)).OK()
	return s.Mail(c.to), a.String(c.idField)
}

func login(s *authtest.Server, c channel, more body) (code, methodID string) {
	m, id := ask(s, c, "login_or_create", more)
	return m.Code, id
}

func finish(s *authtest.Server, methodID, code string, more body) *authtest.Answer {
	return s.Call(http.MethodPost, authenticate, with(body{"method_id": methodID, "code": code}, more))
}

// wrong is a code that is not this one.
func wrong(code string) string {
	return code[:5] + string('0'+(code[5]-'0'+1)%10)
}

var hour = body{"session_duration_minutes": 60}

// align moves the clock to the beginning of a window.
func align(s *authtest.Server, window time.Duration) {
	now := s.Clock.Now()
	s.Clock.Advance(now.Truncate(window).Add(window).Sub(now))
}

// count runs a query that counts.
func count(t *testing.T, s *authtest.Server, query string, args ...any) int64 {
	t.Helper()
	var n int64
	err := s.DB.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow(query, args...).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var sixDigits = regexp.MustCompile(`^[0-9]{6}$`)

func TestSignUpAndInByCode(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for _, c := range channels {
			t.Run(c.name, func(t *testing.T) { signUpAndIn(t, s, c) })
		}
	})
}

func signUpAndIn(t *testing.T, s *authtest.Server, c channel) {
	a := s.Call(http.MethodPost, c.path("login_or_create"), c.fields(nil)).OK()
	if a.Get("user_created") != true {
		t.Errorf("user_created is %v", a.Get("user_created"))
	}
	m := s.Mail(c.to)
	if m.Type != delivery.PasscodeSignup || string(m.Channel) != c.name || !sixDigits.MatchString(m.Code) || !strings.Contains(m.Text, m.Code) {
		t.Errorf("the message is %+v", m)
	}
	methodID := a.String(c.idField)
	in := finish(s, methodID, " "+m.Code+"\n", hour).OK()
	if in.String("user_id") != a.String("user_id") || in.String("method_id") != methodID || in.Get("reset_sessions") != false {
		t.Errorf("signed in: %s", in.Text)
	}
	list := map[string]string{"phone_number": "phone_numbers", "email": "emails"}[c.field]
	if in.Get("user", list, 0, "verified") != true {
		t.Errorf("nothing is verified: %s", in.Text)
	}
	factor := in.Get("session", "authentication_factors", 0).(map[string]any)
	object, _ := factor[c.factor].(map[string]any)
	if factor["type"] != "otp" || factor["delivery_method"] != c.name || object[c.idField] != methodID {
		t.Errorf("the factor is %v", factor)
	}
	if value := object[map[string]string{"phone_number": "phone_number", "email": "email_address"}[c.field]]; value != c.to {
		t.Errorf("the factor names %v", value)
	}
	m, again := ask(s, c, "send", nil)
	if m.Type != delivery.Passcode || again != methodID {
		t.Errorf("a user gets %s, by %s", m.Type, again)
	}
	if in := finish(s, methodID, m.Code, nil).OK(); in.Get("session") != nil || in.String("session_token") != "" || in.Get("reset_sessions") != false {
		t.Errorf("without a duration: %s", in.Text)
	}
	nobody := c.at(map[string]string{"phone_number": "+14155559999", "email": "nobody@example.com"}[c.field])
	s.Call(http.MethodPost, c.path("send"), nobody.fields(nil)).Refused(404, c.notFound)
	if got := s.Messages(nobody.to); len(got) != 0 {
		t.Errorf("sent %d messages to nobody", len(got))
	}
}

func TestPendingUsersBecomeActive(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for _, c := range channels {
			m, id := ask(s, c, "login_or_create", body{"create_user_as_pending": true})
			again, _ := ask(s, c, "send", nil)
			if m.Type != delivery.PasscodeSignup || again.Type != delivery.PasscodeSignup {
				t.Errorf("a pending user gets %s, then %s", m.Type, again.Type)
			}
			if in := finish(s, id, again.Code, nil).OK(); in.Get("user", "status") != "active" {
				t.Errorf("%s: the user is %v", c.name, in.Get("user", "status"))
			}
			if third, _ := ask(s, c, "send", nil); third.Type != delivery.Passcode {
				t.Errorf("an active user gets %s", third.Type)
			}
		}
	})
}

func TestCodeLifetimes(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("messages.number_per_ten_minutes", "0")
		for _, c := range channels {
			for _, minutes := range []int{0, 11, -1, 1 << 30} {
				for _, what := range []string{"send", "login_or_create"} {
					s.Call(http.MethodPost, c.path(what), c.fields(body{"expiration_minutes": minutes})).Refused(400, "invalid_expiration_otp")
				}
			}
			for _, try := range []struct {
				more body
				life time.Duration
			}{{nil, 2 * time.Minute}, {body{"expiration_minutes": 1}, time.Minute}, {body{"expiration_minutes": 10}, 10 * time.Minute}} {
				code, id := login(s, c, try.more)
				s.Clock.Advance(try.life - time.Millisecond)
				finish(s, id, code, nil).OK()
				code, id = login(s, c, try.more)
				s.Clock.Advance(try.life)
				finish(s, id, code, nil).Refused(401, "unable_to_auth_otp_code")
			}
		}
	})
}

func TestLocalesAndTemplates(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("messages.number_per_ten_minutes", "0")
		phone := []string{"", "en", "es", "pt-br", "fr", "it", "de-DE", "zh-Hans", "ca-ES", "ja", "ru", "nl", "pl", "tr", "fa", "vi", "cs"}
		for _, c := range channels {
			known := phone
			if c.name == "email" {
				known = phone[:5]
				s.Call(http.MethodPost, c.path("login_or_create"), c.fields(body{"locale": "it"})).Refused(400, "invalid_locale")
				for _, field := range []string{"login_template_id", "signup_template_id"} {
					a := s.Call(http.MethodPost, c.path("login_or_create"), c.fields(body{field: "there-is-none"}))
					if a.Status < 400 || a.Status >= 500 {
						t.Errorf("an unknown template answers %d: %s", a.Status, a.Text)
					}
				}
			}
			texts := map[string]bool{}
			for _, locale := range known {
				m, _ := ask(s, c, "login_or_create", body{"locale": locale})
				texts[strings.ReplaceAll(m.Text, m.Code, "")] = true
			}
			if len(texts) < len(known)-1 {
				t.Errorf("%s: %d locales give %d texts", c.name, len(known), len(texts))
			}
			s.Call(http.MethodPost, c.path("login_or_create"), c.fields(body{"locale": "xx"})).Refused(400, "invalid_locale")
		}
	})
}

func TestMalformedAttempts(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		code, id := login(s, email, nil)
		live := strings.Replace(id, "email-test-", "email-live-", 1)
		userID := s.Call(http.MethodPost, "/v1/users", body{"email": "other@example.com"}).OK().String("user_id")
		for _, bad := range []string{"x", "email-test-", live, userID, strings.ToUpper(id), id + "0", strings.Replace(id, "email", "totp", 1)} {
			finish(s, bad, code, nil).Refused(400, "invalid_method_id")
		}
		for _, bad := range []string{"12345", "1234567", "12345a", "１２３４５６"} {
			finish(s, id, bad, nil).Refused(400, "invalid_code")
		}
		s.Call(http.MethodPost, authenticate, body{"code": code}).Refused(400, "bad_request")
		s.Call(http.MethodPost, authenticate, body{"method_id": id}).Refused(400, "bad_request")
		if n := count(t, s, "SELECT SUM(attempts) FROM passcodes") + count(t, s, "SELECT SUM(failed_attempts) FROM users"); n != 0 {
			t.Errorf("%d of these were counted", n)
		}
		finish(s, id, code, nil).OK()
	})
}

func TestBrowsersSignInByCode(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for _, c := range channels {
			page := s.Browser()
			s.Clock.Advance(time.Second)
			a := page.Call(http.MethodPost, "/sdk/v1/otps/"+c.name+"/login_or_create", c.fields(nil)).OK()
			in := page.Call(http.MethodPost, "/sdk/v1/otps/authenticate", body{"method_id": a.String("method_id"), "token": s.Mail(c.to).Code, "session_duration_minutes": 30}).OK()
			if in.String("method_id") != a.String("method_id") || in.Get("session", "authentication_factors", 0, "delivery_method") != c.name || in.Get("__user", "user_id") != in.String("user_id") {
				t.Errorf("signed in: %s", in.Text)
			}
			s.Clock.Advance(time.Second)
			again := page.Call(http.MethodPost, "/sdk/v1/otps/"+c.name+"/send/primary", c.fields(nil)).OK()
			if again.String("method_id") != a.String("method_id") {
				t.Errorf("another method_id: %s", again.Text)
			}
			page.Token = in.String("session_token")
			s.Clock.Advance(time.Second)
			page.Call(http.MethodPost, "/sdk/v1/otps/"+c.name+"/send/secondary", c.fields(nil)).OK()
			in = page.Call(http.MethodPost, "/sdk/v1/otps/authenticate", body{"method_id": a.String("method_id"), "token": s.Mail(c.to).Code, "session_duration_minutes": 30}).OK()
			if n := len(in.Get("session", "authentication_factors").([]any)); n != 1 {
				t.Errorf("the session lists %d factors", n)
			}
			// The field code is the server's; a page's code is its token.
			page.Call(http.MethodPost, "/sdk/v1/otps/authenticate", body{"method_id": a.String("method_id"), "code": "123456"}).Refused(400, "bad_request")
		}
	})
}

func TestSwitchesOfTheBrowsersDoor(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		page := s.Browser()
		for _, c := range channels {
			for word, paths := range map[string][]string{"login_or_create": {"login_or_create"}, "send": {"send/primary", "send/secondary"}} {
				s.Configure("sdk.otps."+c.name+"_"+word+"_enabled", "false")
				for _, path := range paths {
					page.Call(http.MethodPost, "/sdk/v1/otps/"+c.name+"/"+path, c.fields(nil)).Refused(401, "endpoint_not_authorized_for_sdk")
				}
			}
		}
		attempt := body{"method_id": "email-test-00000000-0000-4000-8000-000000000000", "token": "123456", "session_duration_minutes": 5}
		page.Call(http.MethodPost, "/sdk/v1/otps/authenticate", attempt).Refused(401, "endpoint_not_authorized_for_sdk")
		s.Configure("sdk.otps.whatsapp_send_enabled", "true")
		page.Call(http.MethodPost, "/sdk/v1/otps/authenticate", attempt).Refused(404, "otp_code_not_found")
	})
}

// A second factor joins the session of the first (factors.md, section 4.2).
func TestSecondFactorByText(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		code, id := login(s, email, nil)
		first := finish(s, id, code, hour).OK()
		token := first.String("session_token")
		m, phoneID := ask(s, sms, "send", body{"session_token": token})
		second := finish(s, phoneID, m.Code, body{"session_token": token}).OK()
		factors := second.Get("session", "authentication_factors").([]any)
		if len(factors) != 2 || second.Get("reset_sessions") != false || second.String("user_id") != first.String("user_id") {
			t.Errorf("the session is %s", second.Text)
		}
		m, _ = ask(s, sms, "send", nil)
		code, id = login(s, email.at("eve@example.com"), nil)
		other := finish(s, id, code, hour).OK().String("session_token")
		finish(s, phoneID, m.Code, body{"session_token": other}).Refused(400, "user_id_mismatch")
		finish(s, phoneID, m.Code, body{"session_token": token}).OK() // the refusal did not use it up
	})
}

// What was added and not proven within five minutes is gone, however long its
// code lives.
func TestAddedFactorsAreProvenInFiveMinutes(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		code, id := login(s, email, nil)
		userID := finish(s, id, code, hour).OK().String("user_id")
		for i, c := range channels {
			inTime := c.at(map[string]string{"phone_number": fmt.Sprintf("+1415556%04d", i), "email": "in@example.com"}[c.field])
			m, id := ask(s, inTime, "send", body{"user_id": userID, "expiration_minutes": 10})
			s.Clock.Advance(5*time.Minute - time.Millisecond)
			finish(s, id, m.Code, nil).OK()
			late := c.at(map[string]string{"phone_number": fmt.Sprintf("+1415557%04d", i), "email": "late@example.com"}[c.field])
			m, id = ask(s, late, "send", body{"user_id": userID, "expiration_minutes": 10})
			s.Clock.Advance(5 * time.Minute)
			finish(s, id, m.Code, nil).Refused(401, "unable_to_auth_otp_code")
			fresh := s.Call(http.MethodPost, c.path("login_or_create"), late.fields(nil)).OK()
			if fresh.Get("user_created") != true || fresh.String("user_id") == userID {
				t.Errorf("a login with it made %s", fresh.Text)
			}
			s.Clock.Advance(time.Second)
			s.Call(http.MethodPost, c.path("send"), late.fields(body{"user_id": userID})).Refused(400, "duplicate_"+c.field)
		}
		unproven := s.Call(http.MethodPost, "/v1/users", body{"email": "unproven@example.com"}).OK().String("user_id")
		s.Clock.Advance(time.Second)
		s.Call(http.MethodPost, sms.path("send"), sms.fields(body{"user_id": unproven})).Refused(400, "too_many_unverified_factors")
	})
}

// Codes end with what they were sent to.
func TestCodesEndWithFactorAndUser(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		code, id := login(s, email, nil)
		userID := finish(s, id, code, nil).OK().String("user_id")
		m, phoneID := ask(s, sms, "send", body{"user_id": userID})
		s.Call(http.MethodDelete, "/v1/users/phone_numbers/"+phoneID, nil).OK()
		finish(s, phoneID, m.Code, nil).Refused(404, "otp_code_not_found")
		code, _ = login(s, email, nil)
		s.Call(http.MethodDelete, "/v1/users/"+userID, nil).OK()
		finish(s, id, code, nil).Refused(404, "otp_code_not_found")
		if n := count(t, s, "SELECT count(*) FROM passcodes"); n != 0 {
			t.Errorf("%d codes are left", n)
		}
		if again := s.Call(http.MethodPost, email.path("login_or_create"), body{"email": "free@example.com"}).OK(); again.Get("user_created") != true {
			t.Errorf("answered %s", again.Text)
		}
	})
}

// A live environment without a sender says so, and leaves nothing behind.
func TestLiveNeedsASender(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		live := s.LiveServer()
		for _, c := range channels {
			live.Call(http.MethodPost, c.path("login_or_create"), c.fields(nil)).Refused(400, "sender_not_configured")
		}
		if n := count(t, s, "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM passcodes) + (SELECT count(*) FROM rate_limits)"); n != 0 {
			t.Errorf("%d rows are left behind", n)
		}
	})
}
