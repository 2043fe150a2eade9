package app_test

import (
	"crypto/ed25519"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/id"
	"gatehouse/internal/wire"
)

// act is something that changes what an account can be entered with, or shows
// what it can be: a privileged change behind the browser's door.
type act struct {
	name, route string
	// body is what is sent, with numbers in it that were not there before.
	body func(n int) fields
	// deletes is the kind of what is taken away. It is something that does not
	// exist, so that it can be tried again and again.
	deletes id.Kind
	// passes is how it may end when the step-up rule lets it happen; "" is success.
	passes []string
}

var done = []string{""}

var acts = []act{
	{"change the user", "PUT /sdk/v1/users/me", always(fields{"name": fields{"first_name": "Ada"}}), "", done},
	{"add an address by link", "POST /sdk/v1/magic_links/email/send/secondary", newAddress, "", done},
	{"add an address by code", "POST /sdk/v1/otps/email/send/secondary", newAddress, "", done},
	{"add a number by SMS", "POST /sdk/v1/otps/sms/send/secondary", newNumber, "", done},
	{"add a number by WhatsApp", "POST /sdk/v1/otps/whatsapp/send/secondary", newNumber, "", done},
	{"add a passkey", "POST /sdk/v1/webauthn/register/start", always(fields{"domain": authtest.Domain}), "", done},
	{"add biometrics", "POST /sdk/v1/biometrics/register/start", newKey, "", done},
	{"add an authenticator app", "POST /sdk/v1/totps", always(fields{}), "", []string{"", "active_totp_exists", "pending_totp_exists"}},
	{"read recovery codes", "POST /sdk/v1/totps/recovery_codes", always(fields{}), "", []string{"", "totps_not_found_for_user"}},
	{"add a wallet", "POST /sdk/v1/crypto_wallets/authenticate/start/secondary", newWallet, "", done},
	{"add an account at a provider", "POST /sdk/v1/oauth/attach", always(fields{"provider": "google"}), "", []string{"oauth_config_not_found"}},
	{"delete an address", "DELETE /sdk/v1/users/emails/{factor_id}", nil, id.Email, []string{"email_not_found"}},
	{"delete a number", "DELETE /sdk/v1/users/phone_numbers/{factor_id}", nil, id.Phone, []string{"phone_number_not_found"}},
	{"delete a passkey", "DELETE /sdk/v1/users/webauthn_registrations/{factor_id}", nil, id.WebAuthn, []string{"webauthn_registration_not_found"}},
	{"delete biometrics", "DELETE /sdk/v1/users/biometric_registrations/{factor_id}", nil, id.Biometric, []string{"biometric_registration_not_found"}},
	{"delete an authenticator app", "DELETE /sdk/v1/users/totps/{factor_id}", nil, id.TOTP, []string{"totp_not_found"}},
	{"delete a wallet", "DELETE /sdk/v1/users/crypto_wallets/{factor_id}", nil, id.CryptoWallet, []string{"crypto_wallet_not_found"}},
	{"delete an account at a provider", "DELETE /sdk/v1/users/oauth/{factor_id}", nil, id.OAuth, []string{"oauth_user_registration_not_found"}},
}

// unprivileged are the routes of signed-in people that the step-up rule leaves
// alone, each with its reason.
var unprivileged = map[string]string{
	"POST /sdk/v1/sessions/authenticate":                     "keeps the session alive",
	"POST /sdk/v1/sessions/revoke":                           "signs out",
	"PUT /sdk/v1/webauthn/update/{webauthn_registration_id}": "a name proves nothing",
	"POST /sdk/v1/webauthn/authenticate/start/secondary":     "proves what the person has",
	"POST /sdk/v1/webauthn/register":                         "finishes what had to be earned, and asks again",
	"POST /sdk/v1/totps/authenticate":                        "proves what the person has",
	"POST /sdk/v1/totps/recover":                             "proves what the person has",
	"POST /sdk/v1/passwords/session/reset":                   "asks for a mailbox or a password proven within five minutes",
	"POST /sdk/v1/biometrics/register":                       "finishes what had to be earned, and asks again",
}

func always(f fields) func(int) fields { return func(int) fields { return f } }
func newAddress(n int) fields          { return fields{"email": fmt.Sprintf("new%d@example.com", n)} }
func newNumber(n int) fields {
	return fields{"phone_number": fmt.Sprintf("+1415%03d%04d", 200+n/10_000, n%10_000)}
}
func newWallet(int) fields {
	key := authtest.NewDevice().Key.Public().(ed25519.PublicKey)
	return fields{"crypto_wallet_type": "solana", "crypto_wallet_address": base58(key)}
}
func newKey(int) fields { return fields{"public_key": authtest.NewDevice().PublicKey()} }

var tried = 0

// try tries the act as whoever is signed in.
func (a act) try(s *authtest.Server, b *authtest.Browser) *authtest.Answer {
	tried++
	verb, path, _ := strings.Cut(a.route, " ")
	if a.deletes != "" {
		return b.Call(verb, strings.Replace(path, "{factor_id}", id.New(a.deletes, id.Test, s.Clock.Now()), 1), nil)
	}
	return b.Call(verb, path, a.body(tried))
}

// check fails the test unless every act ends with the verdict of the step-up
// rule; "" lets it happen.
func check(t *testing.T, s *authtest.Server, b *authtest.Browser, what, want string) {
	t.Helper()
	for _, a := range acts {
		expected := []string{want}
		if want == "" {
			expected = a.passes
		}
		answer := a.try(s, b)
		if got, _ := answer.Body["error_type"].(string); !slices.Contains(expected, got) || (got == "") != (answer.Status == http.StatusOK) {
			t.Errorf("%s: to %s: %d %q, want %q", what, a.name, answer.Status, got, expected)
		}
	}
}

// verdict is the rule once more, of somebody who owns factors of all kinds: two
// kinds are needed, and how far the session is from that says the refusal.
func verdict(kinds ...string) string {
	kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == "" })
	slices.Sort(kinds)
	switch count := len(kinds); {
	case len(slices.Compact(kinds)) >= 2:
		return ""
	case count >= 2:
		return "weak_factor_combination"
	default:
		return "insufficient_factors"
	}
}

// refusals are those of the step-up rule.
var refusals = []string{"insufficient_factors", "weak_factor_combination", "stale_factors"}

// TestStepUpMatrix is every privileged act with every pair of ways to sign in,
// and with each of them alone.
func TestStepUpMatrix(t *testing.T) {
	s := openly(t, authtest.New(t, calling))
	for _, first := range methods {
		m := newMember(t, s)
		for _, second := range methods {
			with, kinds := []method{first}, []string{first.kind}
			if second.name != first.name {
				with, kinds = append(with, second), append(kinds, second.kind)
			}
			b, _ := m.session(with...)
			check(t, s, b, first.name+" and "+second.name, verdict(kinds...))
		}
	}
}

// TestStepUpAges: one of the factors must have been proven within the hour, and
// it does not matter which.
func TestStepUpAges(t *testing.T) {
	s := openly(t, authtest.New(t))
	m := newMember(t, s)
	mail, phone, device := named(t, "an embeddable link"), named(t, "a code by SMS"), named(t, "a passkey")
	const stale = "stale_factors"
	for _, pair := range [][2]method{{mail, phone}, {phone, mail}, {mail, device}, {device, mail}, {phone, device}, {device, phone}} {
		for _, age := range []struct {
			first, second time.Duration
			want          string
		}{
			{59 * time.Minute, 58 * time.Minute, ""},
			{61 * time.Minute, 59 * time.Minute, ""},
			{20 * time.Hour, time.Hour - time.Millisecond, ""},
			{20 * time.Hour, time.Hour, stale},
			{62 * time.Minute, 61 * time.Minute, stale},
		} {
			b, _ := m.session(pair[0])
			s.Clock.Advance(age.first - age.second)
			join := pair[1].prove(m, fields{"session_token": b.Token, "session_duration_minutes": lasting}).OK()
			b.Token = join.String("session_token")
			s.Clock.Advance(age.second)
			check(t, s, b, fmt.Sprintf("%s %s and %s %s old", pair[0].name, age.first, pair[1].name, age.second), age.want)
			if age.want == stale {
				// Either of them, proven once more, is enough.
				pair[0].prove(m, fields{"session_token": b.Token, "session_duration_minutes": lasting}).OK()
				check(t, s, b, pair[0].name+" proven once more", "")
			}
		}
	}
}

// TestStepUpAsksNobodyForWhatTheyDoNotHave is the exemption: who owns factors of
// one kind adds a second with what there is, and needs both from then on.
func TestStepUpAsksNobodyForWhatTheyDoNotHave(t *testing.T) {
	s := openly(t, authtest.New(t))
	n := 0
	// What a person begins with, and how they sign in with it.
	for name, begin := range map[string]func(address string) *authtest.Answer{
		"an address": func(address string) *authtest.Answer {
			sent := s.Call(http.MethodPost, "/v1/otps/email/login_or_create", fields{"email": address}).OK()
			return s.Call(http.MethodPost, "/v1/otps/authenticate", fields{"method_id": sent.String("email_id"), "code": s.Mail(address).Code, "session_duration_minutes": lasting})
		},
		"a number": func(string) *authtest.Answer {
			number := fmt.Sprintf("+1303555%04d", n)
			sent := s.Call(http.MethodPost, "/v1/otps/sms/login_or_create", fields{"phone_number": number}).OK()
			return s.Call(http.MethodPost, "/v1/otps/authenticate", fields{"method_id": sent.String("phone_id"), "code": s.Mail(number).Code, "session_duration_minutes": lasting})
		},
		"a passkey": func(address string) *authtest.Answer {
			return s.Person(address).SignIn(fields{"session_duration_minutes": lasting})
		},
		"an embeddable link": func(address string) *authtest.Answer {
			user := s.Call(http.MethodPost, "/v1/users", fields{"email": address}).OK().String("user_id")
			token := s.Call(http.MethodPost, "/v1/magic_links", fields{"user_id": user}).OK().String("token")
			return s.Call(http.MethodPost, "/v1/magic_links/authenticate", fields{"token": token, "session_duration_minutes": lasting})
		},
	} {
		n++
		b := s.Browser()
		b.Token = begin(fmt.Sprintf("alone%d@example.com", n)).OK().String("session_token")
		s.Clock.Advance(time.Hour - time.Millisecond)
		for _, a := range acts {
			// Other rules may refuse: an address that nobody has proven bars others.
			if got, _ := a.try(s, b).Body["error_type"].(string); slices.Contains(refusals, got) {
				t.Errorf("with %s alone, to %s: %s", name, a.name, got)
			}
		}
		s.Clock.Advance(time.Millisecond)
		check(t, s, b, "an hour after "+name, "stale_factors")
	}
}

// TestStepUpAsksForBothOnceThereAreTwo: the exemption ends with the second kind.
func TestStepUpAsksForBothOnceThereAreTwo(t *testing.T) {
	s := openly(t, authtest.New(t))
	address := "grows@example.com"
	signIn := func(session string) *authtest.Browser {
		s.Clock.Advance(time.Minute)
		sent := s.Call(http.MethodPost, "/v1/otps/email/login_or_create", fields{"email": address}).OK()
		b := s.Browser()
		b.Token = s.Call(http.MethodPost, "/v1/otps/authenticate", fields{
			"method_id": sent.String("email_id"), "code": s.Mail(address).Code, "session_duration_minutes": lasting, "session_token": session,
		}).OK().String("session_token")
		return b
	}
	b, phone := signIn(""), authtest.NewDevice()
	b.Enrol(phone).OK()
	check(t, s, b, "in the session that added the second kind", "")
	again := signIn("")
	check(t, s, again, "by the first kind alone", "insufficient_factors")
	again.Unlock(phone).OK()
	check(t, s, again, "by both", "")
	app := s.Browser()
	app.Token = s.Mobile().Unlock(phone).OK().String("session_token")
	check(t, s, app, "by the second kind alone", "insufficient_factors")
	signIn(app.Token)
	check(t, s, app, "by both, the other way round", "")
}

// TestEveryRouteOfASignedInPersonIsDecidedAbout: a new route of the browser's
// door that changes something is among the acts, or says why it is not.
func TestEveryRouteOfASignedInPersonIsDecidedAbout(t *testing.T) {
	s := authtest.New(t)
	decided := map[string]bool{}
	for _, a := range acts {
		decided[a.route] = true
	}
	routes := map[string]bool{}
	for _, e := range s.App.Server.Endpoints() {
		route := e.Method + " " + e.Path
		routes[route] = true
		if e.Auth != wire.Public || e.Method == http.MethodGet || anonymous[route] {
			continue
		}
		if decided[route] == (unprivileged[route] != "") {
			t.Errorf("%s is neither among the acts that the step-up rule guards, nor among those it leaves alone, or it is both", route)
		}
	}
	for _, list := range []map[string]bool{decided, keys(unprivileged), anonymous} {
		for route := range list {
			if !routes[route] {
				t.Errorf("there is no route %s", route)
			}
		}
	}
}

func keys(m map[string]string) map[string]bool {
	list := map[string]bool{}
	for k := range m {
		list[k] = true
	}
	return list
}
