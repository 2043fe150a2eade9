package notice_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/delivery"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

type body = map[string]any

// each runs a test on both engines, in an environment with a redirect URL.
func each(t *testing.T, test func(t *testing.T, s *authtest.Server)) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		if _, err := s.Projects.AddRedirectURL(t.Context(), s.Env.ID, "http://localhost:3000/in", project.RedirectTypes, false); err != nil {
			t.Fatal(err)
		}
		s.Configure("user_lock.threshold", "3")
		test(t, s)
	})
}

// owner creates a user who has proven some addresses.
func owner(t *testing.T, s *authtest.Server, emails ...string) string {
	t.Helper()
	var row *user.Row
	err := s.DB.Update(t.Context(), func(tx *store.Tx) (err error) {
		row, err = s.Users.Create(tx, s.Env, user.NewUser{Fill: func(u *user.User) error {
			for _, email := range emails {
				e, err := u.AddEmail(s.Env, email)
				if err != nil {
					return err
				}
				e.Verified = true
			}
			return nil
		}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return row.UserID
}

// change changes a user as factors do.
func change(t *testing.T, s *authtest.Server, userID string, f func(u *user.User) error) {
	t.Helper()
	err := s.DB.Update(t.Context(), func(tx *store.Tx) error {
		_, err := s.Users.Change(tx, s.Env, userID, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// notices lists what an address was told, newest first: "NOTICE_FACTOR_ADDED a passkey".
func notices(s *authtest.Server, to string) []string {
	list := []string{}
	for _, m := range s.Messages(to) {
		if !strings.HasPrefix(string(m.Type), "NOTICE_") {
			continue
		}
		said := string(m.Type)
		for line := range strings.SplitSeq(m.Text, "\n") {
			for _, label := range []string{"Added: ", "Removed: ", "Device: "} {
				if what, ok := strings.CutPrefix(line, label); ok {
					said += " " + what
				}
			}
		}
		list = append(list, said)
	}
	return list
}

// told compares what an address was told in any order: messages of one moment
// are sent side by side.
func told(t *testing.T, s *authtest.Server, to string, want ...string) {
	t.Helper()
	got := notices(s, to)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s was told %q, want %q", to, got, want)
	}
}

// mailed asks for a link by mail and returns its token.
func mailed(t *testing.T, s *authtest.Server, path string, fields body) string {
	t.Helper()
	s.Clock.Advance(time.Second)
	s.Call(http.MethodPost, "/v1/magic_links/email/"+path, fields).OK()
	u, err := url.Parse(s.Mail(fields["email"].(string)).Link)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("token")
}

func enter(s *authtest.Server, token string, more body) *authtest.Answer {
	fields := body{"token": token}
	for name, value := range more {
		fields[name] = value
	}
	return s.Call(http.MethodPost, "/v1/magic_links/authenticate", fields)
}

// The life of an account, through both doors.
func TestOwnerIsTold(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		in := enter(s, mailed(t, s, "login_or_create", body{"email": "a@example.com"}), body{"session_duration_minutes": 60}).OK()
		userID := in.String("user_id")
		told(t, s, "a@example.com") // the first proof is no news

		p := s.Person("unused@example.com")
		p.UserID = userID
		passkey := p.Register(nil).String("webauthn_registration_id")
		told(t, s, "a@example.com", "NOTICE_FACTOR_ADDED a passkey")

		// A second address: the first is told once it is proven, the new one is not.
		link := mailed(t, s, "send", body{"email": "b@example.com", "user_id": userID})
		told(t, s, "a@example.com", "NOTICE_FACTOR_ADDED a passkey")
		enter(s, link, nil).OK()
		told(t, s, "a@example.com", "NOTICE_FACTOR_ADDED an e-mail address", "NOTICE_FACTOR_ADDED a passkey")
		told(t, s, "b@example.com")

		b := s.Browser()
		b.Token = in.String("session_token")
		p.SignIn(body{"session_token": b.Token}).OK() // the step-up rule
		b.Call(http.MethodDelete, "/sdk/v1/users/webauthn_registrations/"+passkey, nil).OK()
		told(t, s, "b@example.com", "NOTICE_FACTOR_REMOVED a passkey")
		if got := notices(s, "a@example.com"); got[0] != "NOTICE_FACTOR_REMOVED a passkey" || len(got) != 3 {
			t.Errorf("a@example.com was told %q", got)
		}
		told(t, s, "unused@example.com")
	})
}

// TestSecurity64PreviousAddressIsTold is security case 64: the notice of an
// address that is taken away goes to that address, and none goes to the one
// that takes its place.
func TestSecurity64PreviousAddressIsTold(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		userID := owner(t, s, "a@example.com", "b@example.com")
		a := s.Call(http.MethodGet, "/v1/users/"+userID, nil).OK().String("emails", 0, "email_id")
		s.Call(http.MethodDelete, "/v1/users/emails/"+a, nil).OK()
		told(t, s, "a@example.com", "NOTICE_FACTOR_REMOVED an e-mail address")
		told(t, s, "b@example.com", "NOTICE_FACTOR_REMOVED an e-mail address")

		s.Call(http.MethodPut, "/v1/users/"+userID+"/exchange_primary_factor", body{"email_address": "thief@example.com"}).OK()
		told(t, s, "a@example.com", "NOTICE_FACTOR_REMOVED an e-mail address")
		told(t, s, "b@example.com", "NOTICE_FACTOR_REMOVED an e-mail address", "NOTICE_FACTOR_REMOVED an e-mail address")
		told(t, s, "thief@example.com")

		// In one change: replaced, proven and joined by a passkey.
		other := owner(t, s, "c@example.com")
		change(t, s, other, func(u *user.User) error {
			u.Emails = nil
			e, err := u.AddEmail(s.Env, "thief2@example.com")
			if err != nil {
				return err
			}
			e.Verified = true
			return nil
		})
		told(t, s, "c@example.com", "NOTICE_FACTOR_ADDED an e-mail address", "NOTICE_FACTOR_REMOVED an e-mail address")
		told(t, s, "thief2@example.com")
	})
}

// A removed address is told however many there are, and new ones push nobody out.
func TestOldestAddressesAreTold(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		var emails []string
		for i := range 8 {
			emails = append(emails, fmt.Sprintf("m%d@example.com", i))
		}
		userID := owner(t, s, emails...)
		change(t, s, userID, func(u *user.User) error { u.Emails = u.Emails[:7]; return nil })
		for i, email := range emails {
			if want := i < 4 || i == 7; (len(notices(s, email)) == 1) != want {
				t.Errorf("%s: told is %v, want %v", email, !want, want)
			}
		}
	})
}

func TestEveryKindIsNamed(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		kinds := map[string]struct {
			words string
			add   func(u *user.User)
		}{
			"phone": {"a phone number", func(u *user.User) {
				u.PhoneNumbers = []user.PhoneNumber{{PhoneID: id.Random(id.Phone, s.Env.Kind), PhoneNumber: "+14155552671", Verified: true}}
			}},
			"passkey": {"a passkey", func(u *user.User) {
				u.WebAuthnRegistrations = []user.WebAuthnRegistration{{WebAuthnRegistrationID: id.Random(id.WebAuthn, s.Env.Kind), Verified: true, Name: "evil.example"}}
			}},
			"oauth": {"an account at another service", func(u *user.User) {
				u.Providers = []user.OAuthProvider{{OAuthUserRegistrationID: id.Random(id.OAuth, s.Env.Kind), ProviderType: "Google", ProviderSubject: "1"}}
			}},
			"totp": {"an authenticator app", func(u *user.User) {
				u.TOTPs = []user.TOTP{{TOTPID: id.Random(id.TOTP, s.Env.Kind), Verified: true}}
			}},
			"wallet": {"a crypto wallet", func(u *user.User) {
				u.CryptoWallets = []user.CryptoWallet{{CryptoWalletID: id.Random(id.CryptoWallet, s.Env.Kind), CryptoWalletType: "ethereum", CryptoWalletAddress: "0x1", Verified: true}}
			}},
			"biometrics": {"a fingerprint or face on a phone", func(u *user.User) {
				u.BiometricRegistrations = []user.BiometricRegistration{{BiometricRegistrationID: id.Random(id.Biometric, s.Env.Kind), Verified: true}}
			}},
			"password": {"a password", func(u *user.User) {
				u.Password = &user.Password{PasswordID: id.Random(id.Password, s.Env.Kind)}
			}},
		}
		for name, kind := range kinds {
			email := name + "@example.com"
			userID := owner(t, s, email)
			change(t, s, userID, func(u *user.User) error { kind.add(u); return nil })
			told(t, s, email, "NOTICE_FACTOR_ADDED "+kind.words)
			change(t, s, userID, func(u *user.User) error { u.Name.FirstName = "evil"; return nil })
			change(t, s, userID, func(u *user.User) error {
				u.PhoneNumbers, u.WebAuthnRegistrations, u.Providers, u.Password = nil, nil, nil, nil
				u.TOTPs, u.CryptoWallets, u.BiometricRegistrations = nil, nil, nil
				return nil
			})
			told(t, s, email, "NOTICE_FACTOR_REMOVED "+kind.words, "NOTICE_FACTOR_ADDED "+kind.words)
			for _, m := range s.Messages(email) {
				if strings.Contains(m.Text+m.HTML+m.Subject, "evil") {
					t.Errorf("a notice says what a client wrote: %s", m.Text)
				}
			}
		}
	})
}

func TestNobodyIsToldOf(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		const a = "a@example.com"
		userID := owner(t, s, a)
		s.Call(http.MethodPost, "/v1/magic_links/email/send", body{"email": "later@example.com", "user_id": userID}).OK()
		change(t, s, userID, func(u *user.User) error {
			u.TOTPs = []user.TOTP{{TOTPID: id.Random(id.TOTP, s.Env.Kind)}}
			return nil
		})
		told(t, s, a) // attachments that nobody has proven
		s.Clock.Advance(time.Hour)
		if _, err := s.App.Purge(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
		change(t, s, userID, func(u *user.User) error { u.TOTPs = nil; return nil })
		told(t, s, a) // nor that they expire or go
		s.Call(http.MethodPut, "/v1/users/"+userID, body{"name": body{"first_name": "Ada"}, "external_id": "ada"}).OK()
		s.Call(http.MethodDelete, "/v1/users/ada", nil).OK()
		told(t, s, a) // nor the end of the whole user

		unproven := s.Person("u@example.com") // an address that is not verified, a passkey
		s.Call(http.MethodDelete, "/v1/users/webauthn_registrations/"+unproven.RegistrationID, nil).OK()
		told(t, s, "u@example.com")
		s.Person("v@example.com")
		enter(s, mailed(t, s, "login_or_create", body{"email": "v@example.com"}), nil).OK()
		told(t, s, "v@example.com") // not even of what the first proof took away
	})
}

func TestNothingIsSentOfWhatDidNotHappen(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		userID := owner(t, s, "a@example.com")
		broken := errors.New("something else failed")
		err := s.DB.Update(t.Context(), func(tx *store.Tx) error {
			_, err := s.Users.Change(tx, s.Env, userID, func(u *user.User) error {
				u.Password = &user.Password{PasswordID: id.Random(id.Password, s.Env.Kind)}
				return nil
			})
			return errors.Join(err, broken)
		})
		if err == nil || err.Error() != broken.Error() {
			t.Fatal(err)
		}
		told(t, s, "a@example.com")
	})
}

func TestLockIsTold(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		challenge := strings.Repeat("A", 43)
		lock := func(email string) {
			bound := mailed(t, s, "login_or_create", body{"email": email, "code_challenge": challenge})
			for range 3 {
				enter(s, bound, nil).Refused(400, "pkce_expected_code_verifier")
			}
			enter(s, bound, nil).Refused(429, "user_lock_limit_reached")
		}
		owner(t, s, "a@example.com", "b@example.com")
		lock("a@example.com")
		told(t, s, "a@example.com", "NOTICE_LOCKED")
		told(t, s, "b@example.com", "NOTICE_LOCKED")

		s.Configure("user_lock.self_serve_enabled", "true")
		owner(t, s, "c@example.com")
		lock("c@example.com")
		told(t, s, "c@example.com")
		if m := s.Mail("c@example.com"); m.Type != delivery.Unlock {
			t.Errorf("the newest mail is %s, want the link that ends the lock", m.Type)
		}

		s.Configure("user_lock.self_serve_enabled", "false")
		s.Configure("notices.locked", "false")
		owner(t, s, "d@example.com")
		lock("d@example.com")
		told(t, s, "d@example.com")
	})
}

func TestSwitches(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		toggle := func(userID string) {
			change(t, s, userID, func(u *user.User) error {
				u.Password = &user.Password{PasswordID: id.Random(id.Password, s.Env.Kind)}
				return nil
			})
			change(t, s, userID, func(u *user.User) error { u.Password = nil; return nil })
		}
		s.Configure("notices.factor_added", "false")
		toggle(owner(t, s, "a@example.com"))
		told(t, s, "a@example.com", "NOTICE_FACTOR_REMOVED a password")
		s.Configure("notices.factor_added", "true")
		s.Configure("notices.factor_removed", "false")
		toggle(owner(t, s, "b@example.com"))
		told(t, s, "b@example.com", "NOTICE_FACTOR_ADDED a password")

		shown := map[string]string{}
		settings, err := s.Live.Config.Settings()
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range settings {
			shown[one.Path] = fmt.Sprintf("%s %v", one.Value, one.IsDefault)
		}
		for path, want := range map[string]string{
			"notices.factor_added": "true true", "notices.factor_removed": "true true", "notices.locked": "true true", "notices.new_device": "false true",
		} {
			if shown[path] != want {
				t.Errorf("%s is shown as %q, want %q", path, shown[path], want)
			}
		}
	})
}

// Notices are dropped beyond a number for an address and hour, each type for
// itself, and the changes go on.
func TestNoticesAreBounded(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		userID := owner(t, s, "a@example.com")
		add := func() {
			change(t, s, userID, func(u *user.User) error {
				u.Providers = append(u.Providers, user.OAuthProvider{
					OAuthUserRegistrationID: id.Random(id.OAuth, s.Env.Kind), ProviderType: "Google", ProviderSubject: fmt.Sprint(len(u.Providers)),
				})
				return nil
			})
		}
		for range 12 {
			add()
		}
		if got := notices(s, "a@example.com"); len(got) != 10 {
			t.Errorf("%d notices in one hour, want 10", len(got))
		}
		change(t, s, userID, func(u *user.User) error { u.Providers = u.Providers[:11]; return nil })
		if got := notices(s, "a@example.com"); len(got) != 11 || got[0] != "NOTICE_FACTOR_REMOVED an account at another service" {
			t.Errorf("after another type: %d, the newest %q", len(got), got[0])
		}
		s.Clock.Advance(time.Hour)
		add()
		if got := notices(s, "a@example.com"); len(got) != 12 {
			t.Errorf("%d notices after the hour, want 12", len(got))
		}
	})
}

// Without a sender nobody is told, and everything goes on.
func TestLiveWithoutASender(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		live := s.LiveServer()
		live.Configure("notices.new_device", "true")
		userID := owner(t, live, "a@example.com")
		change(t, live, userID, func(u *user.User) error {
			u.Password = &user.Password{PasswordID: id.Random(id.Password, live.Env.Kind)}
			return nil
		})
		for _, ip := range []string{"192.0.2.1", "198.51.100.1"} {
			signIn(live, userID, ip, firefox).OK()
		}
	})
}

// A notice holds nothing that opens anything.
func TestNoSecretsInNotices(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		userID := owner(t, s, "a@example.com")
		change(t, s, userID, func(u *user.User) error {
			u.Password = &user.Password{PasswordID: id.Random(id.Password, s.Env.Kind)}
			return nil
		})
		m := s.Mail("a@example.com")
		if m.Link != "" || m.Code != "" {
			t.Errorf("link %q, code %q", m.Link, m.Code)
		}
		for _, sign := range []string{"token", "-test-", "://", "/v1"} {
			if strings.Contains(m.Text, sign) {
				t.Errorf("the notice holds %q: %s", sign, m.Text)
			}
		}
	})
}
