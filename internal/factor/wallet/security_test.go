package wallet_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/authtest"
)

// from is a page at an address of its own, behind a proxy.
func from(s *authtest.Server, ip, path string, b body) *authtest.Answer {
	public := s.Env.PublicTokens[0].Token
	a := s.Request(http.MethodPost, path, b, func(r *http.Request) {
		r.SetBasicAuth(public, public)
		r.Header.Set("Origin", "http://localhost:3000")
		r.Header.Set("X-Forwarded-For", ip)
	})
	if data, ok := a.Body["data"].(map[string]any); ok {
		a.Body = data
	}
	return a
}

func behindProxy(o *app.Options) { o.Server.TrustedProxies = []string{"127.0.0.1", "::1"} }

// Of many who bring one signature at once exactly one gets in, and no second
// user is made of the wallet.
func TestSecurity08SignatureReuseByRace(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for i, h := range []*holder{onEthereum(1), onSolana(1), onEthereum(1)} {
			message := s.Call(http.MethodPost, start, h.fields(nil)).OK().String("challenge")
			signed := h.signed(message, hour)
			outcomes := authtest.Together(50, func(int) *authtest.Answer { return s.Call(http.MethodPost, authenticate, signed) })
			if outcomes[""] != 1 || outcomes["unable_to_authenticate_crypto_wallet"] != 49 {
				t.Errorf("%s: the outcomes are %v", h.chain, outcomes)
			}
			s.Call(http.MethodPost, authenticate, signed).Refused(401, "unable_to_authenticate_crypto_wallet")
			if n := count(t, s, "SELECT count(*) FROM sessions"); n != int64(i+1) {
				t.Errorf("%d sessions were started", n)
			}
		}
		if n := count(t, s, "SELECT count(*) FROM users"); n != 2 {
			t.Errorf("%d users were made", n)
		}
	})
}

// Several messages for one new wallet, signed and brought at once, make one user.
func TestSecurity08SignUpByRace(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		h := onEthereum(1)
		messages := []string{s.Call(http.MethodPost, start, h.fields(nil)).OK().String("challenge")}
		for i := range 5 {
			messages = append(messages, from(s, fmt.Sprintf("203.0.113.%d", i), "/sdk"+start+"/primary", h.fields(nil)).OK().String("challenge"))
		}
		outcomes := authtest.Together(len(messages), func(i int) *authtest.Answer {
			return s.Call(http.MethodPost, authenticate, h.signed(messages[i], hour))
		})
		if outcomes[""] != len(messages) {
			t.Errorf("the outcomes are %v", outcomes)
		}
		if n := count(t, s, "SELECT count(*) FROM users"); n != 1 {
			t.Errorf("%d users were made", n)
		}
	}, behindProxy)
}

// Messages that are made again while they are signed end in one of the two
// orders, and never in a deadlock.
func TestSecurity08StartingWhileSigning(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		const people = 10
		messages := [people]string{}
		p := s.Person("a@example.com")
		for i := range people {
			messages[i] = s.Call(http.MethodPost, start, onEthereum(i).fields(nil)).OK().String("challenge")
		}
		outcomes := authtest.Together(4*people, func(i int) *authtest.Answer {
			h := onEthereum(i % people)
			switch i / people {
			case 0:
				return s.Call(http.MethodPost, authenticate, h.signed(messages[i%people], hour))
			case 1:
				return s.Call(http.MethodPost, start, h.fields(nil))
			case 2:
				return s.Call(http.MethodPost, start, h.fields(body{"user_id": p.UserID}))
			}
			return s.Call(http.MethodPost, authenticate, h.signed("another message", nil))
		})
		for outcome, n := range outcomes {
			if outcome != "" && outcome != "unable_to_authenticate_crypto_wallet" && outcome != "duplicate_wallet_address" {
				t.Errorf("%d calls ended as %q", n, outcome)
			}
		}
	})
}

// A page learns nothing about who has a wallet.
func TestSecurity12WalletEnumeration(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		known, unknown := onEthereum(1), onEthereum(2)
		signIn(s, known, nil).OK()
		p := s.Person("a@example.com")
		s.Call(http.MethodPost, start, onEthereum(3).fields(body{"user_id": p.UserID})).OK()
		volatile := regexp.MustCompile(`request-id-[a-z0-9-]+|Acme [A-Za-z0-9_-]{80}`)
		for _, path := range []string{start + "/primary", authenticate} {
			answers := map[string]bool{}
			for _, h := range []*holder{known, unknown, onEthereum(3)} {
				a := s.Browser().Call(http.MethodPost, "/sdk"+path, h.fields(body{"signature": h.sign("something else"), "session_duration_minutes": 5}))
				answers[fmt.Sprint(a.Status, volatile.ReplaceAllString(a.Text, ""))] = true
			}
			if len(answers) != 1 {
				t.Errorf("%s answers in %d ways: %v", path, len(answers), answers)
			}
		}
	})
}

// A wallet alone signs in, and is no second factor of anything: who owns factors
// of two categories cannot change the account with it.
func TestSecurity43WalletsStandForNoOtherFactor(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		h := onEthereum(1)
		in := signIn(s, h, hour).OK()
		page := s.Browser()
		page.Token = in.String("session_token")
		// With nothing else to show, it may add another wallet, within the hour.
		page.Call(http.MethodPost, "/sdk"+start+"/secondary", onEthereum(2).fields(nil)).OK()
		s.Clock.Advance(time.Hour)
		page.Call(http.MethodPost, "/sdk"+start+"/secondary", onEthereum(2).fields(nil)).Refused(404, "session_not_found")

		p := s.Person("a@example.com")
		m := s.Call(http.MethodPost, "/v1/otps/email/send", body{"email": p.Email}).OK()
		s.Call(http.MethodPost, "/v1/otps/authenticate", body{"method_id": m.String("email_id"), "code": s.Mail(p.Email).Code}).OK()
		p.Register(nil)
		added := onEthereum(3)
		message := s.Call(http.MethodPost, start, added.fields(body{"user_id": p.UserID})).OK().String("challenge")
		in = s.Call(http.MethodPost, authenticate, added.signed(message, hour)).OK()
		page.Token = in.String("session_token")
		page.Call(http.MethodPost, "/sdk"+start+"/secondary", onEthereum(4).fields(nil)).Refused(401, "insufficient_factors")
		page.Call(http.MethodDelete, "/sdk/v1/users/emails/"+in.String("user", "emails", 0, "email_id"), nil).Refused(401, "insufficient_factors")
		page.Call(http.MethodPost, "/sdk"+start+"/secondary", added.fields(nil)).OK() // their own, once more
	})
}

// A wallet that is taken away takes its sessions with it.
func TestSecurity46RemovedWalletsEndSessions(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for _, h := range []*holder{onEthereum(1), onSolana(1)} {
			in := signIn(s, h, hour).OK()
			s.Call(http.MethodDelete, "/v1/users/crypto_wallets/"+in.String("user", "crypto_wallets", 0, "crypto_wallet_id"), nil).OK()
			s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": in.String("session_token")}).Refused(404, "session_not_found")
		}
		p, h := s.Person("a@example.com"), onEthereum(2)
		token := p.Session().String("session_token")
		message := s.Call(http.MethodPost, start, h.fields(body{"session_token": token})).OK().String("challenge")
		in := s.Call(http.MethodPost, authenticate, h.signed(message, body{"session_token": token})).OK()
		s.Call(http.MethodDelete, "/v1/users/crypto_wallets/"+in.String("user", "crypto_wallets", 0, "crypto_wallet_id"), nil).OK()
		left := s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": token}).OK()
		if factors := left.Get("session", "authentication_factors").([]any); len(factors) != 1 || factors[0].(map[string]any)["type"] != "webauthn" {
			t.Errorf("the session keeps %v", factors)
		}
	})
}

// The clock alone ends a message and a wallet that waits: no clean-up runs here.
func TestSecurity51ValidityByTheClock(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		h := onSolana(1)
		message := s.Call(http.MethodPost, start, h.fields(nil)).OK().String("challenge")
		p := s.Person("a@example.com")
		s.Call(http.MethodPost, start, onSolana(2).fields(body{"user_id": p.UserID})).OK()
		s.Clock.Advance(5 * time.Minute)
		s.Call(http.MethodPost, authenticate, h.signed(message, nil)).Refused(401, "unable_to_authenticate_crypto_wallet")
		if list := s.Call(http.MethodGet, "/v1/users/"+p.UserID, nil).OK().Get("crypto_wallets").([]any); len(list) != 0 {
			t.Errorf("the user has %v", list)
		}
		if n := count(t, s, "SELECT (SELECT count(*) FROM wallet_challenges) + (SELECT count(*) FROM user_factors WHERE kind = 'wallet')"); n != 3 {
			t.Errorf("%d rows are there, so this test proves nothing", n)
		}
	})
}

// Who is locked or gone gets in by no wallet; and no wrong signature locks
// anybody, for addresses are public.
func TestSecurity52LockedAndDeletedUsers(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("user_lock.threshold", "2")
		p, h := s.Person("a@example.com"), onEthereum(1)
		message := s.Call(http.MethodPost, start, h.fields(body{"user_id": p.UserID})).OK().String("challenge")
		s.Call(http.MethodPost, authenticate, h.signed(message, nil)).OK()
		for i := range 20 {
			s.Call(http.MethodPost, authenticate, h.signed(fmt.Sprint(i), nil)).Refused(401, "unable_to_authenticate_crypto_wallet")
		}
		message = s.Call(http.MethodPost, start, h.fields(nil)).OK().String("challenge")
		for range 20 {
			s.Call(http.MethodPost, authenticate, h.signed("another", nil)).Refused(401, "unable_to_authenticate_crypto_wallet")
		}
		for range 2 {
			forged := strings.Replace(p.Assertion(), `"signature":"`, `"signature":"AAAA`, 1)
			if a := s.Call(http.MethodPost, "/v1/webauthn/authenticate", body{"public_key_credential": forged}); a.Status < 400 {
				t.Fatal(a.Text)
			}
		}
		s.Call(http.MethodPost, authenticate, h.signed(message, nil)).Refused(429, "user_lock_limit_reached")
		s.Clock.Advance(time.Hour)
		message = s.Call(http.MethodPost, start, h.fields(nil)).OK().String("challenge")
		s.Call(http.MethodPost, authenticate, h.signed(message, hour)).OK()
		message = s.Call(http.MethodPost, start, h.fields(nil)).OK().String("challenge")
		s.Call(http.MethodDelete, "/v1/users/"+p.UserID, nil).OK()
		s.Call(http.MethodPost, authenticate, h.signed(message, hour)).Refused(401, "unable_to_authenticate_crypto_wallet")
	})
}

// A wallet is its user's and no other's, and a message is good for what it was
// made for: this wallet, this user, this session, this environment.
func TestSecurity56MessagesAreBound(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		a, b := onEthereum(1), onEthereum(2)
		ofA := s.Call(http.MethodPost, start, a.fields(nil)).OK().String("challenge")
		ofB := s.Call(http.MethodPost, start, b.fields(nil)).OK().String("challenge")
		const unable = "unable_to_authenticate_crypto_wallet"
		s.Call(http.MethodPost, authenticate, a.signed(ofB, nil)).Refused(401, unable)
		s.Call(http.MethodPost, authenticate, b.signed(ofA, nil)).Refused(401, unable)
		s.Call(http.MethodPost, authenticate, b.fields(body{"signature": a.sign(ofA)})).Refused(401, unable)
		s.Call(http.MethodPost, authenticate, onSolana(1).fields(body{"signature": onSolana(1).sign(ofA)})).Refused(401, unable)
		other := s.Environment("other")
		other.Call(http.MethodPost, authenticate, a.signed(ofA, nil)).Refused(401, unable)
		inA := s.Call(http.MethodPost, authenticate, a.signed(ofA, hour)).OK()
		inB := s.Call(http.MethodPost, authenticate, b.signed(ofB, hour)).OK()

		// B's session cannot take A's wallet, nor can A's login join B's session.
		page := s.Browser()
		page.Token = inB.String("session_token")
		page.Call(http.MethodPost, "/sdk"+start+"/secondary", a.fields(nil)).Refused(400, "duplicate_wallet_address")
		ofA = s.Call(http.MethodPost, start, a.fields(nil)).OK().String("challenge")
		s.Call(http.MethodPost, authenticate, a.signed(ofA, body{"session_token": inB.String("session_token")})).Refused(400, "user_id_mismatch")
		page.Call(http.MethodPost, "/sdk"+authenticate, a.signed(ofA, body{"session_duration_minutes": 5})).Refused(400, "user_id_mismatch")
		s.Call(http.MethodPost, authenticate, a.signed(ofA, body{"session_token": inA.String("session_token")})).OK() // the refusals used nothing up

		// Whoever adds somebody else's wallet to their own account catches nobody: the
		// message works in their own session only.
		victim := onEthereum(3)
		trap := page.Call(http.MethodPost, "/sdk"+start+"/secondary", victim.fields(nil)).OK().String("challenge")
		s.Browser().Call(http.MethodPost, "/sdk"+authenticate, victim.signed(trap, body{"session_duration_minutes": 5})).Refused(404, "session_not_found")
		in := s.Browser().Call(http.MethodPost, "/sdk"+authenticate, victim.signed(s.Browser().Call(http.MethodPost, "/sdk"+start+"/primary", victim.fields(nil)).OK().String("challenge"), body{"session_duration_minutes": 5})).OK()
		if in.String("user_id") == inB.String("user_id") {
			t.Error("the owner of a wallet is in somebody else's account")
		}
	})
}

// A wallet proves no e-mail address, whatever the request says, and never finds
// a user by one.
func TestSecurity56WalletsProveNoEmail(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, h := s.Person("a@example.com"), onEthereum(1)
		more := body{"email": p.Email, "user": body{"emails": []body{{"email": p.Email, "verified": true}}}, "email_address": p.Email}
		message := s.Call(http.MethodPost, start, h.fields(more)).OK().String("challenge")
		signed := h.signed(message, hour)
		signed["email"], signed["user_id"] = p.Email, p.UserID
		in := s.Call(http.MethodPost, authenticate, signed).OK()
		if in.String("user_id") == p.UserID || len(in.Get("user", "emails").([]any)) != 0 {
			t.Errorf("signed in: %s", in.Text)
		}
		s.Configure("webauthn.requires_verified_factor", "true")
		s.Call(http.MethodPost, "/v1/webauthn/register/start", body{"user_id": in.String("user_id"), "domain": "localhost"}).Refused(401, "unable_to_register_webauthn_registration")
	})
}

// An address is public: a stranger who asks for messages to it neither ends the
// owner's message nor uses up what the owner may ask for.
func TestSecurity63StrangersKeepNobodyOut(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		h := onEthereum(1)
		const owner, stranger = "203.0.113.1", "198.51.100.7"
		message := from(s, owner, "/sdk"+start+"/primary", h.fields(nil)).OK().String("challenge")
		for i := range 40 {
			a := from(s, stranger, "/sdk"+start+"/primary", h.fields(nil))
			if i < 30 {
				a.OK()
			} else if a.Refused(429, "too_many_requests"); a.Get("error_details", "rule") != "wallet challenges per address" {
				t.Errorf("refused by %s", a.Text)
			}
		}
		for i := range 20 {
			from(s, fmt.Sprintf("198.51.100.%d", 100+i), "/sdk"+start+"/primary", h.fields(nil)).OK()
		}
		from(s, owner, "/sdk"+authenticate, h.signed(message, body{"session_duration_minutes": 5})).OK()
		s.Clock.Advance(time.Millisecond)
		// Another network than where it began is as good, as when a phone moves.
		message = from(s, owner, "/sdk"+start+"/primary", h.fields(nil)).OK().String("challenge")
		from(s, "192.0.2.1", "/sdk"+authenticate, h.signed(message, body{"session_duration_minutes": 5})).OK()
	}, behindProxy)
}

// One network fills no table, and spellings of one address share a count.
func TestSecurity04And05BudgetsOfStarting(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Clock.Set(s.Clock.Now().Truncate(time.Hour).Add(time.Hour))
		h := onEthereum(1)
		shout := *h
		shout.address = "0x" + strings.ToUpper(h.address[2:])
		for i := range 30 {
			one := h
			if i%2 == 0 {
				one = &shout
			}
			s.Call(http.MethodPost, start, one.fields(body{"surprise": i})).OK()
		}
		s.Call(http.MethodPost, start, h.fields(nil)).Refused(429, "too_many_requests")
		s.Clock.Advance(time.Minute)
		s.Call(http.MethodPost, start, h.fields(nil)).OK()
		for i := range 601 {
			s.Clock.Advance(4 * time.Second)
			a := s.Browser().Call(http.MethodPost, "/sdk"+start+"/primary", onSolana(i).fields(nil))
			if i < 600 {
				a.OK()
			} else if a.Refused(429, "too_many_requests"); a.Get("error_details", "rule") != "wallet challenges per network" {
				t.Errorf("refused by %s", a.Text)
			}
		}
		if n := count(t, s, "SELECT count(*) FROM users"); n != 0 {
			t.Errorf("%d users were made", n)
		}
	})
}

// What is signed, and with what, is in no log line.
func TestSecurity65WalletsInLogs(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for _, h := range []*holder{onEthereum(1), onSolana(1)} {
			message := s.Call(http.MethodPost, start, h.fields(nil)).OK().String("challenge")
			s.Call(http.MethodPost, authenticate, h.signed("another", nil)).Refused(401, "unable_to_authenticate_crypto_wallet")
			s.Call(http.MethodPost, authenticate, h.signed(message, hour)).OK()
			log := strings.ToLower(s.Logs.String())
			if !strings.Contains(log, "crypto_wallets/authenticate") {
				t.Fatal("the log does not tell of the calls, so this test proves nothing")
			}
			for name, secret := range map[string]string{"address": h.address[2:], "signature": h.sign(message)[2:], "message": message[len(message)-80:]} {
				if strings.Contains(log, strings.ToLower(secret)) {
					t.Errorf("the log has the %s", name)
				}
			}
		}
	})
}
