package magiclink_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/delivery"
	"gatehouse/internal/event"
)

// A link names the configured public URL, whatever host a request says it came
// to (host injection into e-mailed links).
func TestSecurity01HostInjection(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Request(http.MethodPost, loginOrCreate, body{"email": "a@example.com"}, func(r *http.Request) {
			r.SetBasicAuth(s.Env.ID, s.Secret())
			r.Host = "evil.example"
			for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host", "Forwarded", "X-Forwarded-Proto"} {
				r.Header.Set(name, "host=evil.example;proto=http")
			}
		}).OK()
		mail := s.Mail("a@example.com")
		if !strings.HasPrefix(mail.Link, s.URL+"/v1/magic_links/redirect?") || strings.Contains(mail.Text+mail.HTML, "evil.example") {
			t.Errorf("the link is %s", mail.Link)
		}
	})
}

// Spellings of one address are one user and one limit.
func TestSecurity05SpellingsShareALimit(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Call(http.MethodPost, loginOrCreate, body{"email": "a@b\u00fccher.example"}).OK()
		for _, same := range []string{"A@B\u00dcCHER.example", "a@xn--bcher-kva.example", " a@bu\u0308cher.example "} {
			s.Call(http.MethodPost, loginOrCreate, body{"email": same}).Refused(429, "too_many_requests")
		}
	})
}

// Of many who open one link at once exactly one gets in.
func TestSecurity08LinkReuseByRace(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		link := token(t, ask(s, loginOrCreate, body{"email": "a@example.com"}).Link)
		outcomes := authtest.Together(50, func(int) *authtest.Answer { return finish(s, link, hour) })
		if outcomes[""] != 1 || outcomes["unable_to_auth_magic_link"] != 49 {
			t.Errorf("the outcomes are %v", outcomes)
		}
	})
}

// Only a hash of the token is in the database, and a wrong one says nothing.
func TestSecurity10TokensAreHashed(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		link := token(t, ask(s, loginOrCreate, body{"email": "a@example.com"}).Link)
		for _, wrong := range []string{link[:43], link + "A", strings.ToLower(link) + " ", flip(link)} {
			finish(s, wrong, nil).Refused(404, "magic_link_not_found")
		}
		finish(s, link, nil).OK()
		if strings.Contains(s.Logs.String(), link) {
			t.Error("the log holds a token")
		}
		events, err := event.List(t.Context(), s.DB, s.Env.ID, "", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			for _, v := range e.Details {
				if text, _ := v.(string); strings.Contains(text, link) {
					t.Errorf("the event %s holds a token", e.Type)
				}
			}
		}
	})
}

func flip(token string) string {
	last := byte('A')
	if token[10] == last {
		last = 'B'
	}
	return token[:10] + string(last) + token[11:]
}

// Visiting a link, any number of times and by any method, uses nothing up and
// signs nobody in.
func TestSecurity11VisitsUseNothingUp(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		mail := ask(s, loginOrCreate, body{"email": "a@corp.example"})
		path := strings.TrimPrefix(mail.Link, s.URL)
		for range 12 {
			for _, method := range []string{http.MethodHead, http.MethodGet} {
				a := s.Request(method, path, nil, nil)
				if a.Status != 200 || strings.Contains(a.Text, "localhost:3000") || a.Header.Get("Location") != "" || a.Header.Get("Cache-Control") != "no-store" {
					t.Fatalf("%s answered %d, Location %q: %s", method, a.Status, a.Header.Get("Location"), a.Text)
				}
			}
		}
		events, err := event.List(t.Context(), s.DB, s.Env.ID, "", "link.visit", 100)
		if err != nil || len(events) != 10 || events[0].Details["recipient_domain"] != "corp.example" {
			t.Errorf("%d visits are in the log, %v, %v", len(events), events[0].Details, err)
		}
		finish(s, token(t, mail.Link), hour).OK()
		if a := s.Request(http.MethodGet, path, nil, nil); a.Status != 410 {
			t.Errorf("a used link answers %d", a.Status)
		}
	})
}

// The browser that asked for the link is forwarded at once, nobody else is.
func TestTheAskingBrowserIsForwarded(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		page := s.Browser()
		a := page.Call(http.MethodPost, "/sdk/v1/magic_links/email/login_or_create", body{"email": "a@example.com"}).OK()
		if len(a.Cookies) != 1 || !a.Cookies[0].HttpOnly || !a.Cookies[0].Secure {
			t.Fatalf("the cookies are %v", a.Cookies)
		}
		mail := s.Mail("a@example.com")
		path := strings.TrimPrefix(mail.Link, s.URL)
		visit := func(value string) *authtest.Answer {
			return s.Request(http.MethodGet, path, nil, func(r *http.Request) {
				r.AddCookie(&http.Cookie{Name: a.Cookies[0].Name, Value: value})
			})
		}
		if got := visit(flip(a.Cookies[0].Value)); got.Status != 200 {
			t.Errorf("another browser is answered %d", got.Status)
		}
		want := home + "?stytch_token_type=magic_links&token=" + token(t, mail.Link)
		if got := visit(a.Cookies[0].Value); got.Status != 303 || got.Header.Get("Location") != want {
			t.Errorf("the asking browser is answered %d to %s, want %s", got.Status, got.Header.Get("Location"), want)
		}
	})
}

// Where the environment wants it, mails link straight to the app.
func TestDirectLinks(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("email_links.direct", "true")
		mail := ask(s, loginOrCreate, body{"email": "a@example.com"})
		if want := home + "?stytch_token_type=magic_links&token="; !strings.HasPrefix(mail.Link, want) {
			t.Errorf("the link is %s, want it to begin with %s", mail.Link, want)
		}
		finish(s, token(t, mail.Link), nil).OK()
	})
}

// A page learns nothing about who is a user.
func TestSecurity12Enumeration(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Call(http.MethodPost, "/v1/users", body{"email": "known@example.com"}).OK()
		answers := map[string]bool{}
		for _, email := range []string{"known@example.com", "unknown@example.com"} {
			a := s.Browser().Call(http.MethodPost, "/sdk/v1/magic_links/email/login_or_create", body{"email": email}).OK()
			answers[strings.ReplaceAll(a.Text, a.String("request_id"), "")] = true
			if a.Get("user_id") != nil || a.Get("email_id") != nil || a.Get("user_created") != nil {
				t.Errorf("a page is told %s", a.Text)
			}
		}
		if len(answers) != 1 {
			t.Errorf("the answers differ: %v", answers)
		}
		for _, more := range []body{{"login_magic_link_url": "https://evil.example/"}, {"signup_magic_link_url": "https://evil.example/"}, {"locale": "xx"}, {"login_template_id": "none"}} {
			types := map[any]bool{}
			for _, email := range []string{"known@example.com", "unknown@example.com"} {
				s.Clock.Advance(time.Second)
				types[s.Browser().Call(http.MethodPost, "/sdk/v1/magic_links/email/login_or_create", with(body{"email": email}, more)).Get("error_type")] = true
			}
			if len(types) != 1 || types[nil] {
				t.Errorf("%v is answered by %v", more, types)
			}
		}
	})
}

// Whoever made an account with somebody else's address is out when its owner
// first proves it: sessions, passkeys and all.
func TestSecurity14PreHijack(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		attacker := s.Person("victim@example.com")
		stolen := attacker.Session()
		link := token(t, ask(s, loginOrCreate, body{"email": "victim@example.com"}).Link)
		in := finish(s, link, hour).OK()
		if in.String("user_id") != attacker.UserID || in.Get("reset_sessions") != true {
			t.Errorf("the owner is answered %s", in.Text)
		}
		if list := in.Get("user", "webauthn_registrations").([]any); len(list) != 0 {
			t.Errorf("the attacker's passkey is still there: %v", list)
		}
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": stolen.String("session_token")}).Refused(404, "session_not_found")
		attacker.SignIn(hour).Refused(404, "webauthn_registration_not_found")
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": in.String("session_token")}).OK()
		again := finish(s, token(t, ask(s, loginOrCreate, body{"email": "victim@example.com"}).Link), hour).OK()
		if again.Get("reset_sessions") != false {
			t.Error("a later proof resets sessions too")
		}
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": in.String("session_token")}).OK()
	})
}

// What came with the account goes too: a phone that nobody proved, and links that
// lie around.
func TestSecurity16UnprovenCredentialsEnd(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		userID := s.Call(http.MethodPost, "/v1/users", body{"email": "victim@example.com", "phone_number": "+12025550123"}).OK().String("user_id")
		waiting := s.Call(http.MethodPost, embed, body{"user_id": userID}).OK().String("token")
		code := s.Call(http.MethodPost, "/v1/otps/sms/send", body{"phone_number": "+12025550123"}).OK()
		text := s.Mail("+12025550123").Code
		first := ask(s, loginOrCreate, body{"email": "victim@example.com"})
		second := ask(s, loginOrCreate, body{"email": "victim@example.com"})
		if in := finish(s, token(t, first.Link), hour).OK(); in.Get("reset_sessions") != true || len(in.Get("user", "phone_numbers").([]any)) != 0 {
			t.Errorf("the owner is answered %s", in.Text)
		}
		finish(s, waiting, hour).Refused(404, "magic_link_not_found")
		s.Call(http.MethodPost, "/v1/otps/authenticate", body{"method_id": code.String("phone_id"), "code": text}).Refused(404, "otp_code_not_found")
		s.Clock.Advance(time.Second)
		s.Call(http.MethodPost, "/v1/otps/sms/send", body{"phone_number": "+12025550123"}).Refused(404, "phone_number_not_found")
		finish(s, token(t, second.Link), nil).OK() // the owner's own links stay
	})
}

// Whoever adds somebody else's address to their account catches nobody in it:
// the owner signs up with it as if nothing was, and the link that adds it works
// in the session that asked for it only.
func TestSecurity14AddingSomebodyElsesAddress(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		eve := finish(s, token(t, ask(s, loginOrCreate, body{"email": "eve@example.com"}).Link), hour).OK()
		page := s.Browser()
		page.Token = eve.String("session_token")
		trap := func(victim string) string {
			s.Clock.Advance(time.Second)
			page.Call(http.MethodPost, "/sdk/v1/magic_links/email/send/secondary", body{"email": victim}).OK()
			return token(t, s.Mail(victim).Link)
		}
		link := trap("victim@example.com")
		innocent := s.Browser()
		innocent.Call(http.MethodPost, "/sdk/v1/magic_links/authenticate", body{"token": link, "session_duration_minutes": 60}).Refused(404, "session_not_found")
		finish(s, link, hour).Refused(404, "session_not_found")

		s.Clock.Advance(time.Second)
		signup := s.Call(http.MethodPost, loginOrCreate, body{"email": "victim@example.com"}).OK()
		if signup.Get("user_created") != true || signup.String("user_id") == eve.String("user_id") {
			t.Errorf("the owner is led to %s", signup.Text)
		}
		page.Call(http.MethodPost, "/sdk/v1/magic_links/authenticate", body{"token": link, "session_duration_minutes": 60}).Refused(404, "magic_link_not_found")
		s.Clock.Advance(time.Second)
		page.Call(http.MethodPost, "/sdk/v1/magic_links/email/send/secondary", body{"email": "victim@example.com"}).Refused(400, "duplicate_email")

		// In the session that asked for it, it adds the address.
		own := trap("eve2@example.com")
		if in := page.Call(http.MethodPost, "/sdk/v1/magic_links/authenticate", body{"token": own, "session_duration_minutes": 60}).OK(); len(in.Get("user", "emails").([]any)) != 2 {
			t.Errorf("the address is not added: %s", in.Text)
		}
	})
}

// The same proof within the user's own session takes nothing away.
func TestProvingAnAddressWithinASession(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("ada@example.com")
		session := p.Session()
		link := token(t, ask(s, send, body{"email": "ada@example.com", "session_token": session.String("session_token")}).Link)
		in := finish(s, link, body{"session_token": session.String("session_token")}).OK()
		if in.Get("reset_sessions") != false || len(in.Get("user", "webauthn_registrations").([]any)) != 1 {
			t.Errorf("answered %s", in.Text)
		}
		if factors := in.Get("session", "authentication_factors").([]any); len(factors) != 2 {
			t.Errorf("the session has %d factors", len(factors))
		}
		other := s.Person("eve@example.com").Session()
		link = token(t, ask(s, send, body{"email": "ada@example.com"}).Link)
		finish(s, link, body{"session_token": other.String("session_token")}).Refused(400, "user_id_mismatch")
		finish(s, link, nil).OK() // the refusal did not use it up
	})
}

// An address that was added and not proven within five minutes is gone.
func TestAddedAddressesAreProvenInFiveMinutes(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		first := finish(s, token(t, ask(s, loginOrCreate, body{"email": "a@example.com"}).Link), hour).OK()
		userID := first.String("user_id")
		add := func(email string) string {
			return token(t, ask(s, send, body{"email": email, "user_id": userID, "login_expiration_minutes": 60}).Link)
		}
		inTime := add("b@example.com")
		s.Clock.Advance(5*time.Minute - time.Millisecond)
		if in := finish(s, inTime, nil).OK(); len(in.Get("user", "emails").([]any)) != 2 {
			t.Errorf("the user has %s", in.Text)
		}
		late := add("c@example.com")
		s.Clock.Advance(5 * time.Minute)
		finish(s, late, nil).Refused(401, "unable_to_auth_magic_link")
		if a := s.Call(http.MethodGet, "/v1/users/"+userID, nil).OK(); len(a.Get("emails").([]any)) != 2 {
			t.Errorf("the user has %s", a.Text)
		}
		s.Clock.Advance(time.Second)
		fresh := s.Call(http.MethodPost, loginOrCreate, body{"email": "c@example.com"}).OK()
		if fresh.Get("user_created") != true || fresh.String("user_id") == userID {
			t.Errorf("a login with it made %s", fresh.Text)
		}
		s.Clock.Advance(time.Second)
		s.Call(http.MethodPost, send, body{"email": "c@example.com", "user_id": userID}).Refused(400, "duplicate_email")
		// A typo is put right by adding the address that was meant.
		typo := add("d@exmaple.com")
		right := add("d@example.com")
		finish(s, typo, nil).Refused(404, "magic_link_not_found")
		finish(s, right, nil).OK()
		unproven := s.Call(http.MethodPost, "/v1/users", body{"email": "e@example.com"}).OK().String("user_id")
		s.Call(http.MethodPost, send, body{"email": "f@example.com", "user_id": unproven}).Refused(400, "too_many_unverified_factors")
		s.Call(http.MethodPost, send, body{"email": "f@example.com", "user_id": unproven, "session_token": first.String("session_token")}).Refused(400, "bad_request")
	})
}

// At the browser's door adding an address is a privileged change, and nobody
// is added to anybody by naming them.
func TestSecurity22BrowsersAddToThemselvesOnly(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		page := s.Browser()
		secondary := "/sdk/v1/magic_links/email/send/secondary"
		page.Call(http.MethodPost, secondary, body{"email": "b@example.com"}).Refused(401, "user_unauthenticated")
		in := finish(s, token(t, ask(s, loginOrCreate, body{"email": "a@example.com"}).Link), hour).OK()
		victim := s.Call(http.MethodPost, "/v1/users", body{"email": "victim@example.com"}).OK().String("user_id")
		page.Token = in.String("session_token")
		page.Call(http.MethodPost, secondary, body{"email": "b@example.com", "user_id": victim}).OK()
		if a := s.Call(http.MethodGet, "/v1/users/"+in.String("user_id"), nil).OK(); len(a.Get("emails").([]any)) != 2 {
			t.Errorf("the address went to somebody else: %s", a.Text)
		}
		page.Call(http.MethodPost, "/sdk/v1/magic_links/authenticate", body{"token": token(t, s.Mail("b@example.com").Link), "session_duration_minutes": 60}).OK()
		s.Clock.Advance(61 * time.Minute)
		page.Call(http.MethodPost, "/sdk/v1/magic_links/email/send/primary", body{"email": "nobody@example.com"}).Refused(404, "email_not_found")
	})
}

// A locked user gets a link that ends the lock, where the environment wants
// that, and no other link does.
func TestSelfServeUnlock(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("user_lock.self_serve_enabled", "true")
		s.Configure("user_lock.threshold", "3")
		finish(s, token(t, ask(s, loginOrCreate, body{"email": "a@example.com"}).Link), nil).OK()
		challenge := strings.Repeat("A", 43)
		bound := token(t, ask(s, loginOrCreate, body{"email": "a@example.com", "code_challenge": challenge}).Link)
		plain := token(t, ask(s, loginOrCreate, body{"email": "a@example.com"}).Link)
		for range 3 {
			finish(s, bound, nil).Refused(400, "pkce_expected_code_verifier")
		}
		finish(s, plain, hour).Refused(429, "user_lock_limit_reached")
		mail := s.Mail("a@example.com")
		if mail.Type != delivery.Unlock {
			t.Fatalf("the mail is %s", mail.Type)
		}
		if in := finish(s, token(t, mail.Link), hour).OK(); in.Get("user", "is_locked") != false {
			t.Errorf("still locked: %s", in.Text)
		}
		finish(s, plain, hour).OK()
	})
}

// What never works at one door works at the other neither: a link for one
// environment is none in another.
func TestSecurity24LinksStayInTheirEnvironment(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		link := token(t, ask(s, loginOrCreate, body{"email": "a@example.com"}).Link)
		other := s.Environment("other")
		finish(other, link, nil).Refused(404, "magic_link_not_found")
		finish(s, link, nil).OK()
	})
}

// A live environment without a sender says so, and leaves nothing behind.
func TestLiveNeedsASender(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		live := s.LiveServer()
		register(t, live, "https://app.example.com/", "LOGIN", "SIGNUP")
		live.Call(http.MethodPost, loginOrCreate, body{"email": "a@example.com"}).Refused(400, "sender_not_configured")
		live.Call(http.MethodPost, send, body{"email": "a@example.com"}).Refused(404, "email_not_found")
	})
}
