package otp_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/event"
	"gatehouse/internal/store"
)

// Neither a client's address nor any field beside the recipient gives a
// recipient another code within the second.
func TestSecurity02And04CountersHaveOneKey(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for _, c := range channels {
			login(s, c, nil)
			for i, more := range []body{nil, {"expiration_minutes": 3}, {"locale": "fr"}, {"attributes": body{"ip_address": "203.0.113.9"}}, {"surprise": "x"}, {"create_user_as_pending": true}} {
				s.Request(http.MethodPost, c.path("login_or_create"), c.fields(more), func(r *http.Request) {
					r.SetBasicAuth(s.Env.ID, s.Secret())
					r.Header.Set("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i))
				}).Refused(429, "too_many_requests")
			}
		}
	})
}

// Spellings of one address or number are one user and one limit, and SMS and
// WhatsApp reach the same phone.
func TestSecurity05SpellingsShareALimit(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		login(s, email.at("a@b\u00fccher.example"), nil)
		for _, same := range []string{"A@B\u00dcCHER.example", "a@xn--bcher-kva.example", " a@bu\u0308cher.example "} {
			s.Call(http.MethodPost, email.path("login_or_create"), body{"email": same}).Refused(429, "too_many_requests")
		}
		login(s, sms, nil)
		for _, same := range []string{"+1 415 555 2671", "+1 (415) 555-2671", " +1.415.555.2671 "} {
			for _, c := range []channel{sms, whatsapp} {
				s.Call(http.MethodPost, c.path("login_or_create"), body{"phone_number": same}).Refused(429, "too_many_requests")
			}
		}
		s.Clock.Advance(time.Second)
		s.Call(http.MethodPost, whatsapp.path("login_or_create"), body{"phone_number": "+1 415 555 2671"}).OK()
		if n := count(t, s, "SELECT count(*) FROM users"); n != 2 {
			t.Errorf("%d users were made", n)
		}
	})
}

// Every wrong guess is counted, and none is evaluated beyond the threshold.
func TestSecurity06LostLockoutIncrements(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		align(s, 10*time.Minute)
		code, id := login(s, email, nil)
		outcomes := authtest.Together(200, func(int) *authtest.Answer { return finish(s, id, wrong(code), nil) })
		if outcomes["otp_code_not_found"] != 10 || outcomes["user_lock_limit_reached"] != 190 {
			t.Errorf("the outcomes are %v", outcomes)
		}
		code, _ = login(s, email, nil)
		finish(s, id, code, nil).Refused(429, "user_lock_limit_reached")

		s.Configure("user_lock.threshold", "100")
		other := email.at("eve@example.com")
		a := s.Call(http.MethodPost, other.path("login_or_create"), other.fields(nil)).OK()
		code, id = s.Mail(other.to).Code, a.String("email_id")
		outcomes = authtest.Together(200, func(int) *authtest.Answer { return finish(s, id, wrong(code), nil) })
		if outcomes["otp_code_not_found"] != 20 || outcomes["too_many_requests"] != 180 {
			t.Errorf("the outcomes are %v", outcomes)
		}
		if n := s.Failures(a.String("user_id")); n != 10 { // the code was over then
			t.Errorf("%d failures are counted", n)
		}
		if n := count(t, s, "SELECT attempts FROM passcodes WHERE environment_id = $1 AND method_id = $2", s.Env.ID, id); n != 10 {
			t.Errorf("%d guesses are counted", n)
		}
	})
}

// Ten wrong guesses use a code up, and lock its user; a new code is a new
// chance, but neither for the lock nor for the method's limit. Guesses at a code
// that is over win nothing and lock nobody: whoever knows a method_id could keep
// its user out for ever.
func TestSecurity07CodeBruteForce(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		guess := func(id, code string, n int) {
			for range n {
				finish(s, id, wrong(code), nil).Refused(404, "otp_code_not_found")
			}
		}
		align(s, 10*time.Minute)
		code, id := login(s, email, nil)
		guess(id, code, 9)
		finish(s, id, code, nil).OK()
		guess(id, code, 10) // used: nothing to win
		align(s, 10*time.Minute)
		code, _ = login(s, email, nil)
		guess(id, code, 6)
		code, _ = login(s, email, nil)
		guess(id, code, 4)
		finish(s, id, code, nil).Refused(429, "user_lock_limit_reached")

		s.Configure("user_lock.threshold", "100")
		other := email.at("eve@example.com")
		align(s, 10*time.Minute)
		code, id = login(s, other, nil)
		guess(id, code, 10)
		finish(s, id, code, nil).Refused(401, "unable_to_auth_otp_code")
		code, _ = login(s, other, nil)
		guess(id, code, 9)
		a := finish(s, id, code, nil).Refused(429, "too_many_requests")
		if a.Get("error_details", "rule") != "passcode attempts per method_id" || a.Header.Get("Retry-After") == "" {
			t.Errorf("refused by %s", a.Text)
		}
		align(s, 10*time.Minute)
		code, _ = login(s, other, nil)
		if n := s.Failures(finish(s, id, code, nil).OK().String("user_id")); n != 0 {
			t.Errorf("%d failures are counted", n)
		}
	})
}

// Of many who type one code at once exactly one gets in.
func TestSecurity08CodeReuseByRace(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for _, c := range channels {
			align(s, 10*time.Minute)
			code, id := login(s, c, nil)
			outcomes := authtest.Together(50, func(int) *authtest.Answer { return finish(s, id, code, hour) })
			if outcomes[""] != 1 || outcomes["unable_to_auth_otp_code"] != 19 || outcomes["too_many_requests"] != 30 {
				t.Errorf("%s: the outcomes are %v", c.name, outcomes)
			}
			s.Clock.Advance(10 * time.Minute)
			finish(s, id, code, hour).Refused(401, "unable_to_auth_otp_code")
		}
		if n := count(t, s, "SELECT count(*) FROM sessions"); n != int64(len(channels)) {
			t.Errorf("%d sessions were started", n)
		}
	})
}

// Right and wrong guesses at once: the right one counts for once at most, and
// no wrong one is lost.
func TestSecurity08RaceOfRightAndWrong(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("user_lock.threshold", "100")
		align(s, 10*time.Minute)
		code, id := login(s, email, nil)
		outcomes := authtest.Together(20, func(i int) *authtest.Answer {
			if i%5 == 0 {
				return finish(s, id, code, nil)
			}
			return finish(s, id, wrong(code), nil)
		})
		if outcomes[""] > 1 || outcomes["otp_code_not_found"] != 16 || outcomes[""]+outcomes["unable_to_auth_otp_code"] != 4 {
			t.Errorf("the outcomes are %v", outcomes)
		}
		// Once the code is used or used up, there is nothing left to count.
		if n := count(t, s, "SELECT attempts FROM passcodes WHERE environment_id = $1", s.Env.ID); n > 10 {
			t.Errorf("%d guesses are counted", n)
		}
	})
}

// Codes that are sent again while they are typed end in one of the two orders,
// and never in a deadlock.
func TestSecurity08SendingWhileTyping(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		const people = 12
		codes, methods, phones := [people]string{}, [people]string{}, [people]channel{}
		for i := range people {
			phones[i] = sms.at(fmt.Sprintf("+1415555%04d", i))
			codes[i], methods[i] = login(s, phones[i], nil)
		}
		s.Clock.Advance(time.Second)
		outcomes := authtest.Together(3*people, func(i int) *authtest.Answer {
			who := i % people
			switch i / people {
			case 0:
				return finish(s, methods[who], codes[who], hour)
			case 1:
				return s.Call(http.MethodPost, sms.path("send"), phones[who].fields(nil))
			}
			return finish(s, methods[who], wrong(codes[who]), nil)
		})
		for outcome, n := range outcomes {
			if outcome != "" && outcome != "otp_code_not_found" {
				t.Errorf("%d calls ended as %q", n, outcome)
			}
		}
	})
}

// One number asked for many times at once gets one code and one user.
func TestSecurity63SendsByRace(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for _, c := range []channel{sms, email} {
			outcomes := authtest.Together(30, func(int) *authtest.Answer {
				return s.Call(http.MethodPost, c.path("login_or_create"), c.fields(nil))
			})
			if outcomes[""] != 1 || outcomes["too_many_requests"] != 29 {
				t.Errorf("%s: the outcomes are %v", c.name, outcomes)
			}
			if got := s.Messages(c.to); len(got) != 1 {
				t.Errorf("%d messages were sent", len(got))
			}
		}
		if n := count(t, s, "SELECT count(*) FROM users"); n != 2 {
			t.Errorf("%d users were made", n)
		}
	})
}

// There is one live code: a second one ends the first at once, by whichever
// channel it reaches the phone.
func TestSecurity07OneLiveCode(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		byPhone := whatsapp.at(sms.to)
		for _, c := range []struct{ first, second channel }{{sms, sms}, {sms, byPhone}, {byPhone, sms}, {email, email}} {
			align(s, 10*time.Minute)
			first, id := login(s, c.first, nil)
			second, same := login(s, c.second, nil)
			for second == first { // one time in a million
				second, same = login(s, c.second, nil)
			}
			if id != same {
				t.Fatalf("two methods: %s and %s", id, same)
			}
			finish(s, id, first, nil).Refused(404, "otp_code_not_found")
			in := finish(s, id, second, hour).OK()
			if in.Get("session", "authentication_factors", 0, "delivery_method") != c.second.name {
				t.Errorf("signed in by %s", in.Text)
			}
			finish(s, id, second, nil).Refused(401, "unable_to_auth_otp_code")
		}
	})
}

// The code of one user is none of another's, nor in another environment.
func TestSecurity24CodesOfOthers(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		codeA, a := login(s, email, nil)
		codeB, b := login(s, email.at("eve@example.com"), nil)
		for codeA == codeB {
			codeB, b = login(s, email.at("eve@example.com"), nil)
		}
		finish(s, b, codeA, nil).Refused(404, "otp_code_not_found")
		finish(s, a, codeB, nil).Refused(404, "otp_code_not_found")
		other := s.Environment("other")
		finish(other, a, codeA, nil).Refused(404, "otp_code_not_found")
		finish(s, a, codeA, nil).OK()
	})
}

// Where no code was sent there is nothing to guess, and nobody to lock out.
func TestNothingSentCountsNothing(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		u := s.Call(http.MethodPost, "/v1/users", body{"email": "a@example.com"}).OK()
		known := u.String("email_id")
		unknown := "email-test-" + strings.Repeat("0", 8) + "-0000-4000-8000-" + strings.Repeat("0", 12)
		answers := map[string]bool{}
		for range 15 {
			for _, id := range []string{known, unknown} {
				a := finish(s, id, "123456", nil).Refused(404, "otp_code_not_found")
				answers[strings.ReplaceAll(a.Text, a.String("request_id"), "")] = true
			}
		}
		if len(answers) != 1 {
			t.Errorf("the answers differ: %v", answers)
		}
		if n := s.Failures(u.String("user_id")); n != 0 {
			t.Errorf("%d failures are counted", n)
		}
		if n := count(t, s, "SELECT count(*) FROM rate_limits"); n != 0 {
			t.Errorf("strangers left %d counters", n)
		}
	})
}

var methodID = regexp.MustCompile(`(email|phone-number)-test-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

// A page learns nothing about who is a user: not from the answer, and not from
// the method_id, which does not tell when it was made.
func TestSecurity12Enumeration(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("messages.number_per_ten_minutes", "20")
		s.Call(http.MethodPost, "/v1/users", body{"email": "known@example.com", "phone_number": "+14155550001"}).OK()
		pairs := map[channel][]string{sms: {"+14155550001", "+14155550002"}, whatsapp: {"+14155550001", "+14155550003"}, email: {"known@example.com", "unknown@example.com"}}
		for c, pair := range pairs {
			path := "/sdk/v1/otps/" + c.name + "/login_or_create"
			for _, more := range []body{nil, {"locale": "xx"}, {"expiration_minutes": 11}, {"expiration_minutes": 10}, {"create_user_as_pending": true}} {
				answers := map[string]bool{}
				for _, to := range pair {
					s.Clock.Advance(time.Second)
					a := s.Browser().Call(http.MethodPost, path, c.at(to).fields(more))
					if a.Status == 200 && !methodID.MatchString(a.String("method_id")) {
						t.Errorf("the method_id is %s", a.String("method_id"))
					}
					text := strings.ReplaceAll(a.Text, a.String("request_id"), "")
					answers[methodID.ReplaceAllString(text, "")] = true
				}
				if len(answers) != 1 {
					t.Errorf("%s with %v: the answers differ: %v", c.name, more, answers)
				}
			}
			for _, to := range pair {
				s.Clock.Advance(time.Second)
				a := s.Browser().Call(http.MethodPost, path, c.at(to).fields(nil)).OK()
				for name := range a.Body {
					if name != "method_id" && name != "request_id" && name != "status_code" {
						t.Errorf("a page is told %s", a.Text)
					}
				}
			}
			s.Clock.Advance(10 * time.Minute)
		}
	})
}

// A stranger uses up a share of what an address or a number gets, and its owner
// gets the rest; and an address does not become another by a tag.
func TestSecurity63StrangersUseUpAShare(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		rule := func(a *authtest.Answer) any { return a.Refused(429, "too_many_requests").Get("error_details", "rule") }
		align(s, time.Hour)
		ask := func(c channel) *authtest.Answer {
			s.Clock.Advance(time.Second)
			return s.Browser().Call(http.MethodPost, "/sdk/v1/otps/"+c.name+"/login_or_create", c.fields(nil))
		}
		for range 5 {
			ask(email).OK()
		}
		if got := rule(ask(email)); got != "e-mails per address and network" {
			t.Errorf("refused by %v", got)
		}
		login(s, email, nil) // as from somewhere else
		for range 3 {
			ask(sms).OK()
		}
		if got := rule(ask(sms)); got != "texts per number and network" {
			t.Errorf("refused by %v", got)
		}
		login(s, sms, nil)
		for i := range 17 { // 20 in all
			ask(sms.at(fmt.Sprintf("+1415555%04d", 3000+i))).OK()
		}
		if got := rule(ask(sms.at("+14155553999"))); got != "texts per network" {
			t.Errorf("refused by %v", got)
		}
		for i := range 20 {
			login(s, email.at(fmt.Sprintf("tag+%d@example.com", i)), nil)
		}
		s.Clock.Advance(time.Second)
		other := email.at("TAG+more+more@example.com")
		if got := rule(s.Call(http.MethodPost, other.path("login_or_create"), other.fields(nil))); got != "e-mails per address" {
			t.Errorf("refused by %v", got)
		}
	})
}

// The first proof of an address that nobody had proven ends what was added
// before it (pre-hijacking), and credentials with it.
func TestSecurity14And16UnprovenCredentials(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		attacker := s.Person("victim@example.com")
		stolen := attacker.Session()
		code, id := login(s, email.at("victim@example.com"), nil)
		in := finish(s, id, code, hour).OK()
		if in.String("user_id") != attacker.UserID || in.Get("reset_sessions") != true || len(in.Get("user", "webauthn_registrations").([]any)) != 0 {
			t.Errorf("the owner is answered %s", in.Text)
		}
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": stolen.String("session_token")}).Refused(404, "session_not_found")
	})
}

// Pages cannot vouch for themselves, nor add anything to others.
func TestSecurity21And22BrowsersAddToThemselvesOnly(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		victim := s.Call(http.MethodPost, "/v1/users", body{"email": "victim@example.com"}).OK().String("user_id")
		page := s.Browser()
		for _, c := range channels {
			claims := body{"user_id": victim, "verified": true, "trusted_metadata": body{"role": "admin"}, "attributes": body{"ip_address": "203.0.113.9"}}
			page.Call(http.MethodPost, "/sdk/v1/otps/"+c.name+"/send/primary", c.fields(claims)).Refused(404, c.notFound)
			page.Call(http.MethodPost, "/sdk/v1/otps/"+c.name+"/send/secondary", c.fields(claims)).Refused(401, "user_unauthenticated")
			page.Call(http.MethodPost, "/sdk/v1/otps/"+c.name+"/login_or_create", c.fields(claims)).OK()
		}
		a := s.Call(http.MethodGet, "/v1/users/"+victim, nil).OK()
		if len(a.Get("emails").([]any)) != 1 || len(a.Get("phone_numbers").([]any)) != 0 {
			t.Errorf("the victim has %s", a.Text)
		}
		if n := count(t, s, "SELECT count(*) FROM users WHERE document LIKE '%admin%' OR document LIKE '%\"verified\":true%'"); n != 0 {
			t.Errorf("%d users vouch for themselves", n)
		}
	})
}

// Adding a number from a page needs the factors that the user has, and a fresh
// one.
func TestAddingFromAPageIsPrivileged(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		page := s.Browser()
		code, id := login(s, email, nil)
		page.Token = finish(s, id, code, body{"session_duration_minutes": 600}).OK().String("session_token")
		s.Clock.Advance(time.Hour - time.Millisecond)
		added := page.Call(http.MethodPost, "/sdk/v1/otps/sms/send/secondary", sms.fields(body{"expiration_minutes": 10})).OK()
		s.Clock.Advance(time.Millisecond)
		page.Call(http.MethodPost, "/sdk/v1/otps/sms/send/secondary", sms.at("+14155550009").fields(nil)).Refused(401, "stale_factors")
		page.Call(http.MethodPost, "/sdk/v1/otps/authenticate", body{"method_id": added.String("method_id"), "token": s.Mail(sms.to).Code, "session_duration_minutes": 600}).OK()
		s.Clock.Advance(time.Second)
		page.Call(http.MethodPost, "/sdk/v1/otps/sms/send/secondary", sms.at("+14155550009").fields(nil)).OK()
		one := s.Browser()
		code, id = login(s, email, nil)
		one.Token = finish(s, id, code, hour).OK().String("session_token")
		one.Call(http.MethodPost, "/sdk/v1/otps/sms/send/secondary", sms.at("+14155550010").fields(nil)).Refused(401, "insufficient_factors")
	})
}

// A code is over by the clock, whether or not anything has cleaned up.
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
			code, id := login(s, email, nil)
			s.Clock.Advance(2*time.Minute + 24*time.Hour - time.Millisecond)
			clean()
			finish(s, id, code, nil).Refused(401, "unable_to_auth_otp_code")
			s.Clock.Advance(time.Millisecond)
			clean()
			finish(s, id, code, nil).Refused(404, "otp_code_not_found")
			if n := count(t, s, "SELECT count(*) FROM passcodes"); purge && n != 0 {
				t.Errorf("%d codes were not purged", n)
			}
		}
	})
}

// What a request that asked for the code says of the client can be required of
// the one that types it. A mismatch counts, and leaves the code to its owner.
func TestAttributesMustMatch(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		long := strings.Repeat("é", 300)
		for _, agent := range []string{"Browser/1.0", long} {
			mine := body{"ip_address": "203.0.113.7", "user_agent": agent}
			code, id := login(s, email, body{"attributes": mine})
			both := body{"ip_match_required": true, "user_agent_match_required": true}
			finish(s, id, code, body{"options": both}).Refused(401, "attribute_mismatch")
			finish(s, id, code, body{"options": both, "attributes": with(mine, body{"ip_address": "203.0.113.8"})}).Refused(401, "attribute_mismatch")
			finish(s, id, code, body{"options": both, "attributes": with(mine, body{"user_agent": "Other"})}).Refused(401, "attribute_mismatch")
			in := finish(s, id, wrong(code), body{"options": both, "attributes": mine})
			in.Refused(404, "otp_code_not_found")
			if n := count(t, s, "SELECT failed_attempts FROM users"); n != 4 {
				t.Errorf("%d failures are counted", n)
			}
			finish(s, id, code, body{"options": both, "attributes": mine}).OK()
		}
	})
}

// Pages of other sites cannot have codes sent.
func TestSecurity57ForeignOrigins(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		page := s.Browser()
		page.Origin = "https://evil.example"
		for _, c := range channels {
			for _, path := range []string{"login_or_create", "send/primary", "send/secondary"} {
				page.Call(http.MethodPost, "/sdk/v1/otps/"+c.name+"/"+path, c.fields(nil)).Refused(400, "bad_domain_for_stytch_sdk")
			}
		}
	})
}

// Codes are in no log, no event and no table.
func TestSecurity61And65CodesLeak(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		var codes []string
		for _, c := range channels {
			code, id := login(s, c, nil)
			finish(s, id, wrong(code), nil)
			finish(s, id, code, hour).OK()
			finish(s, id, code, hour)
			codes = append(codes, code)
		}
		events, err := event.List(t.Context(), s.DB, s.Env.ID, "", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			t.Error("there are no events, so finding nothing in them proves nothing")
		}
		var macs string
		err = s.DB.View(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Query("SELECT code_mac FROM passcodes")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var mac []byte
				if err := rows.Scan(&mac); err != nil {
					return err
				}
				macs += string(mac)
			}
			return rows.Err()
		})
		if err != nil || len(macs) != 32*len(codes) {
			t.Fatalf("%d bytes of MACs, %v", len(macs), err)
		}
		for place, text := range map[string]string{"log": s.Logs.String(), "events": fmt.Sprintf("%+v", events), "table": macs} {
			found := 0
			for _, code := range codes {
				if strings.Contains(text, code) {
					found++ // digits of a time or an id can look like one code, not like all
				}
			}
			if found == len(codes) {
				t.Errorf("the %s holds codes", place)
			}
		}
	})
}
