package otp_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authtest"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

// Numbers by the country they belong to.
const (
	american  = "+14155552671"
	canadian  = "+16045552671"
	jamaican  = "+18765551234"
	bahamian  = "+12423591234"
	british   = "+447400123456"
	russian   = "+79161234567"
	kazakh    = "+77011234567"
	satellite = "+881612345678"
)

// set tries to change a setting and returns the error_type.
func set(t *testing.T, s *authtest.Server, path, value string) string {
	t.Helper()
	err := s.Projects.ChangeConfig(t.Context(), s.Env.ID, func(_ id.Env, c *project.Config) error { return c.Set(path, value) })
	if err == nil {
		return ""
	}
	refused := apierr.From(err)
	if refused == nil {
		t.Fatal(err)
	}
	return refused.Type
}

// Texts go to allowed countries only, by the numbering plan and not by the
// calling code. A refusal leaves nothing behind.
func TestSecurity63TollFraudByCountry(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for _, c := range []channel{sms, whatsapp} {
			try := func(number string) *authtest.Answer {
				s.Clock.Advance(time.Second)
				return s.Call(http.MethodPost, c.path("login_or_create"), body{"phone_number": number})
			}
			setting := "messages." + c.name + "_countries"
			try(american).OK()
			try(canadian).OK()
			before := count(t, s, "SELECT count(*) FROM users")
			for _, number := range []string{jamaican, bahamian, british, russian, kazakh, satellite} {
				try(number).Refused(400, "invalid_phone_number_country_code")
				s.Call(http.MethodPost, c.path("send"), body{"phone_number": number}).Refused(400, "invalid_phone_number_country_code")
				s.Browser().Call(http.MethodPost, "/sdk/v1/otps/"+c.name+"/login_or_create", body{"phone_number": number}).Refused(400, "invalid_phone_number_country_code")
				for _, m := range s.Messages(number) {
					if string(m.Channel) == c.name {
						t.Errorf("a message went to %s", number)
					}
				}
			}
			if after := count(t, s, "SELECT count(*) FROM users"); after != before {
				t.Errorf("%d users were made", after-before)
			}
			s.Configure(setting, `["gb", "JM", "KZ", "GB"]`)
			for _, number := range []string{british, jamaican, kazakh} {
				try(number).OK()
			}
			for _, number := range []string{american, canadian, bahamian, russian} {
				try(number).Refused(400, "invalid_phone_number_country_code")
			}
			for _, value := range []string{`["RU"]`, `["US", "ru"]`, `["BS"]`, `["XK"]`, `["XX"]`, `["USA"]`, `[""]`, `["1"]`} {
				if got := set(t, s, setting, value); got != "country_code_allowlist_invalid_country_codes" {
					t.Errorf("%s = %s is answered by %q", setting, value, got)
				}
			}
			if got := set(t, s, setting, `[]`); got != "country_code_allowlist_empty" {
				t.Errorf("an empty list is answered by %q", got)
			}
		}
	})
}

// spent asks for codes until a budget refuses, and returns how many there were.
func spent(t *testing.T, s *authtest.Server, limit int, ask func(i int) *authtest.Answer) int {
	t.Helper()
	for i := range limit + 2 {
		a := ask(i)
		if a.Status == 200 {
			continue
		}
		a.Refused(429, "too_many_requests")
		if a.Header.Get("Retry-After") == "" {
			t.Error("nobody is told when to come back")
		}
		return i
	}
	return limit + 2
}

func TestSecurity63BudgetOfANumber(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		both := func(i int) *authtest.Answer {
			s.Clock.Advance(time.Second)
			c := []channel{sms, whatsapp}[i%2]
			return s.Call(http.MethodPost, c.path("login_or_create"), body{"phone_number": american})
		}
		align(s, 10*time.Minute)
		if n := spent(t, s, 5, both); n != 5 {
			t.Errorf("a number gets %d texts", n)
		}
		if got := s.Messages(american); len(got) != 5 {
			t.Errorf("%d messages were sent", len(got))
		}
		align(s, 10*time.Minute)
		both(0).OK()
		s.Configure("messages.number_per_ten_minutes", "0")
		if n := spent(t, s, 8, both); n != 10 {
			t.Errorf("without a budget a number gets %d texts", n)
		}
	})
}

func TestSecurity63BudgetOfAPrefix(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("messages.prefix_per_hour", "3")
		block := func(prefix string) func(int) *authtest.Answer {
			return func(i int) *authtest.Answer {
				return s.Call(http.MethodPost, sms.path("login_or_create"), body{"phone_number": fmt.Sprintf("%s%04d", prefix, i)})
			}
		}
		align(s, time.Hour)
		if n := spent(t, s, 3, block("+1415555")); n != 3 {
			t.Errorf("a block gets %d texts", n)
		}
		if n := spent(t, s, 3, block("+1415556")); n != 3 {
			t.Errorf("another block gets %d texts", n)
		}
		users := count(t, s, "SELECT count(*) FROM users")
		s.Clock.Advance(time.Hour - time.Millisecond)
		block("+1415555")(9).Refused(429, "too_many_requests")
		if n := count(t, s, "SELECT count(*) FROM users"); n != users {
			t.Errorf("a refusal made %d users", n-users)
		}
		s.Clock.Advance(time.Millisecond)
		block("+1415555")(9).OK()
	})
}

func TestSecurity63BudgetOfADay(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("messages.sms_per_day", "3")
		s.Configure("messages.whatsapp_per_day", "2")
		by := func(c channel) func(int) *authtest.Answer {
			return func(i int) *authtest.Answer {
				return s.Call(http.MethodPost, c.path("login_or_create"), body{"phone_number": fmt.Sprintf("+1415%s%04d", map[string]string{"sms": "555", "whatsapp": "556"}[c.name], i)})
			}
		}
		align(s, 24*time.Hour)
		for c, want := range map[channel]int{sms: 3, whatsapp: 2} {
			if n := spent(t, s, 3, by(c)); n != want {
				t.Errorf("%s: %d a day", c.name, n)
			}
		}
		login(s, email, nil) // mail is another matter
		other := s.Environment("other")
		other.Call(http.MethodPost, sms.path("login_or_create"), body{"phone_number": american}).OK()
		align(s, 24*time.Hour)
		by(sms)(9).OK()
	})
}

// What people can have mailed to an address is counted together, so that
// nobody's mailbox is flooded by turns.
func TestSecurity63MailBombing(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		if _, err := s.Projects.AddRedirectURL(t.Context(), s.Env.ID, "http://localhost:3000/authenticate", project.RedirectTypes, false); err != nil {
			t.Fatal(err)
		}
		turns := func(i int) *authtest.Answer {
			s.Clock.Advance(time.Second)
			path := []string{"/v1/otps/email/login_or_create", "/v1/magic_links/email/login_or_create"}[i%2]
			return s.Call(http.MethodPost, path, body{"email": []string{"a@b\u00fccher.example", "A@xn--bcher-kva.example"}[i/2%2]})
		}
		align(s, time.Hour)
		if n := spent(t, s, 20, turns); n != 20 {
			t.Errorf("an address gets %d mails", n)
		}
		turns(1).Refused(429, "too_many_requests")
		s.Call(http.MethodPost, email.path("login_or_create"), body{"email": "b@example.com"}).OK()
		align(s, time.Hour)
		turns(0).OK()
		s.Configure("messages.email_per_hour", "0")
		if n := spent(t, s, 25, turns); n != 27 {
			t.Errorf("without a budget an address gets %d mails", n)
		}
	})
}

// Texts that nobody answers end, country by country, until enough codes are
// typed in or the hour is over.
func TestSecurity63ConversionGuard(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("messages.prefix_per_hour", "0")
		align(s, time.Hour)
		next := 0
		text := func(c channel, prefix string) *authtest.Answer {
			next++
			return s.Call(http.MethodPost, c.path("login_or_create"), body{"phone_number": fmt.Sprintf("%s%04d", prefix, next)})
		}
		methods := map[string]string{}
		for range 50 {
			a := text(sms, "+1415555").OK()
			methods[a.String("phone_id")] = fmt.Sprintf("+1415555%04d", next)
		}
		users := count(t, s, "SELECT count(*) FROM users")
		a := text(sms, "+1415555").Refused(429, "too_few_tokens_authenticated")
		if a.Header.Get("Retry-After") != "3600" {
			t.Errorf("come back in %s seconds", a.Header.Get("Retry-After"))
		}
		s.Browser().Call(http.MethodPost, "/sdk/v1/otps/sms/login_or_create", body{"phone_number": american}).Refused(429, "too_few_tokens_authenticated")
		if n := count(t, s, "SELECT count(*) FROM users"); n != users || len(s.Messages(american)) != 0 {
			t.Errorf("a refusal made %d users", n-users)
		}
		text(sms, "+1604555").OK() // Canada is another country
		text(whatsapp, "+1415555").OK()
		answered := 0
		for id, number := range methods {
			if answered == 4 {
				text(sms, "+1415555").Refused(429, "too_few_tokens_authenticated")
			}
			if answered == 5 {
				break
			}
			finish(s, id, s.Mail(number).Code, nil).OK()
			answered++
		}
		text(sms, "+1415555").OK() // 5 of 50 are enough
		text(sms, "+1415555").Refused(429, "too_few_tokens_authenticated")
		s.Clock.Advance(time.Hour - time.Millisecond)
		text(sms, "+1415555").Refused(429, "too_few_tokens_authenticated")
		s.Clock.Advance(time.Millisecond)
		text(sms, "+1415555").OK()
		if _, err := s.Purge(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
		if n := count(t, s, "SELECT count(*) FROM passcode_conversions"); n != 1 {
			t.Errorf("%d counts are left", n)
		}
	})
}

// The guard counts exactly, on all nodes together, and 0 switches it off.
func TestSecurity63ConversionGuardByRace(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("messages.prefix_per_hour", "0")
		s.Configure("messages.conversion_after", "7")
		nodes := []*authtest.Server{s, s.Node()}
		align(s, time.Hour)
		outcomes := authtest.Together(30, func(i int) *authtest.Answer {
			return nodes[i%2].Call(http.MethodPost, sms.path("login_or_create"), body{"phone_number": fmt.Sprintf("+1415555%04d", i)})
		})
		if outcomes[""] != 7 || outcomes["too_few_tokens_authenticated"] != 23 {
			t.Errorf("the outcomes are %v", outcomes)
		}
		for _, off := range []string{"messages.conversion_after", "messages.conversion_percent"} {
			s.Configure("messages.conversion_after", "7")
			s.Configure(off, "0")
			s.Call(http.MethodPost, sms.path("login_or_create"), body{"phone_number": fmt.Sprintf("+1415556%04d", len(off))}).OK()
		}
	})
}

// The last line of an SMS lets the phone offer the code: to the page's own
// host where it is configured, to an app by its hash.
func TestAutofill(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("sdk.basic.bundle_ids", `["com.acme.app", "com.acme.other"]`)
		s.Configure("sdk.otps.sms_autofill_metadata", `[
			{"metadata_type": "hash", "metadata_value": "FA+9qCX9VSu", "bundle_id": "com.acme.app"},
			{"metadata_type": "domain", "metadata_value": "Acme.example"},
			{"metadata_type": "domain", "metadata_value": "localhost"}]`)
		next := 0
		last := func(c channel, more body, edit func(*http.Request)) (string, string) {
			next++
			number := fmt.Sprintf("+1415555%04d", next)
			s.Request(http.MethodPost, "/sdk/v1/otps/"+c.name+"/login_or_create", c.at(number).fields(more), func(r *http.Request) {
				public := s.Env.PublicTokens[0].Token
				r.SetBasicAuth(public, public)
				edit(r)
			}).OK()
			m := s.Mail(number)
			lines := strings.Split(m.Text, "\n")
			return lines[len(lines)-1], m.Code
		}
		page := func(origin string) func(*http.Request) {
			return func(r *http.Request) { r.Header.Set("Origin", origin) }
		}
		app := func(bundle string) func(*http.Request) {
			return func(r *http.Request) {
				r.Header.Set("X-SDK-Client", base64.StdEncoding.EncodeToString([]byte(`{"app":{"identifier":"`+bundle+`"}}`)))
			}
		}
		on := body{"enable_autofill": true}
		for name, c := range map[string]struct {
			edit func(*http.Request)
			want string
		}{
			"own host":     {page("http://localhost:3000"), "@localhost #"},
			"another host": {page("http://127.0.0.1:3000"), "@acme.example #"},
			"app":          {app("com.acme.app"), "FA+9qCX9VSu"},
			"another app":  {app("com.acme.other"), "@acme.example #"},
		} {
			want := c.want
			got, code := last(sms, on, c.edit)
			if strings.HasSuffix(want, "#") {
				want += code
			}
			if got != want {
				t.Errorf("%s: the last line is %q, want %q", name, got, want)
			}
			for _, line := range []func() (string, string){
				func() (string, string) { return last(sms, nil, c.edit) },
				func() (string, string) { return last(whatsapp, on, c.edit) },
			} {
				if got, _ := line(); strings.HasPrefix(got, "@") || got == want {
					t.Errorf("%s: without being asked the last line is %q", name, got)
				}
			}
		}
		m, _ := ask(s, sms, "login_or_create", on)
		if strings.Contains(m.Text, "@") {
			t.Errorf("a server gets %q", m.Text)
		}
		for _, bad := range []string{
			`[{"metadata_type": "domain", "metadata_value": "https://acme.example"}]`, `[{"metadata_type": "domain", "metadata_value": "a.example #1"}]`,
			`[{"metadata_type": "domain"}]`, `[{"metadata_type": "hash", "metadata_value": "FA+9qCX9VSu"}]`, `[{"metadata_type": "other", "metadata_value": "x"}]`,
			`[{"metadata_type": "hash", "metadata_value": "FA+9qCX9VS", "bundle_id": "com.acme.app"}]`,
		} {
			if got := set(t, s, "sdk.otps.sms_autofill_metadata", bad); got != "invalid_setting" {
				t.Errorf("%s is answered by %q", bad, got)
			}
		}
	})
}

// What was fixed is a setting like the budgets, with bounds.
func TestThePausesAreSettings(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("messages.number_per_ten_minutes", "0")
		s.Configure("messages.email_per_hour", "0")
		ask := func() *authtest.Answer {
			return s.Call(http.MethodPost, email.path("login_or_create"), body{"email": "ada@example.com"})
		}
		align(s, time.Hour)
		id := ask().OK().String("email_id")
		ask().Refused(429, "too_many_requests")
		s.Configure("messages.seconds_between_passcodes", "60")
		align(s, time.Hour)
		ask().OK()
		s.Clock.Advance(59 * time.Second)
		ask().Refused(429, "too_many_requests")
		s.Clock.Advance(time.Second)
		ask().OK()
		s.Configure("messages.seconds_between_passcodes", "0")
		for range 3 {
			ask().OK()
		}
		s.Configure("messages.passcode_attempts_per_ten_minutes", "3")
		for range 3 {
			s.Call(http.MethodPost, "/v1/otps/authenticate", body{"method_id": id, "code": "000000"}).Refused(404, "otp_code_not_found")
		}
		s.Call(http.MethodPost, "/v1/otps/authenticate", body{"method_id": id, "code": "000000"}).Refused(429, "too_many_requests")
		for setting, values := range map[string][]string{
			"messages.seconds_between_passcodes": {"-1", "3601"}, "messages.seconds_between_links": {"-1", "3601"},
			"messages.passcode_attempts_per_ten_minutes": {"0", "-1", "101"},
		} {
			for _, value := range values {
				if got := set(t, s, setting, value); got == "" {
					t.Errorf("%s may be %s", setting, value)
				}
			}
		}
	})
}
