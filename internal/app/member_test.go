package app_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1" // of authenticator apps
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/authtest"
	"gatehouse/internal/delivery"
	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/factor/oauth/provider/providertest"
	"gatehouse/internal/project"
)

// member is a person who has every kind of factor, all of them verified.
type member struct {
	*authtest.Person
	number string
	device *authtest.Device
	// wallet is the key of a wallet of Solana, app the secret of an authenticator
	// app, and recovery what is left of its codes.
	wallet   ed25519.PrivateKey
	app      []byte
	recovery []any
	t        *testing.T
	s        *authtest.Server
}

// password is everybody's.
const password = "mauve tractor sings 41"

const landing = "http://localhost:3000/authenticate"

// openly lifts the limits on messages, which are not what these tests are about.
func openly(t *testing.T, s *authtest.Server) *authtest.Server {
	t.Helper()
	for _, budget := range []string{"number_per_ten_minutes", "prefix_per_hour", "email_per_hour", "texts_per_network_per_hour", "conversion_after"} {
		s.Configure("messages."+budget, "0")
	}
	s.Configure("passwords.argon2id.memory_kib", "8192")
	s.Configure("passwords.argon2id.iterations", "1")
	if _, err := s.Projects.AddRedirectURL(t.Context(), s.Env.ID, landing, project.RedirectTypes, true); err != nil {
		t.Fatal(err)
	}
	return s
}

var members = 0 // makes their addresses and numbers their own

func newMember(t *testing.T, s *authtest.Server) *member {
	t.Helper()
	members++
	m := &member{
		Person: s.Person(fmt.Sprintf("member%d@example.com", members)), number: fmt.Sprintf("+1202555%04d", members),
		device: authtest.NewDevice(), wallet: authtest.NewDevice().Key, t: t, s: s,
	}
	// All in one session: what is proven elsewhere for the first time ends what
	// was there before.
	own := fields{"session_token": m.Session().String("session_token"), "session_duration_minutes": 60}
	byCode("email", "")(m, own).OK()
	byCode("sms", m.UserID)(m, own).OK()
	app := s.Mobile()
	app.Token = own["session_token"].(string)
	app.Enrol(m.device).OK()
	s.Call(http.MethodPost, "/v1/passwords/session/reset", with(own, fields{"password": password})).OK()
	byWallet(m, own).OK()
	m.newApp(own)
	return m
}

// newApp gives the member an authenticator app with codes of its own, in the
// place of an older one.
func (m *member) newApp(own fields) {
	m.t.Helper()
	for _, old := range m.s.Call(http.MethodGet, "/v1/users/"+m.UserID, nil).OK().Get("totps").([]any) {
		m.s.Call(http.MethodDelete, "/v1/users/totps/"+old.(fields)["totp_id"].(string), nil).OK()
	}
	a := m.s.Call(http.MethodPost, "/v1/totps", fields{"user_id": m.UserID}).OK()
	var err error
	if m.app, err = base32.StdEncoding.DecodeString(a.String("secret")); err != nil {
		m.t.Fatal(err)
	}
	m.recovery = a.Get("recovery_codes").([]any)
	byApp(m, own).OK()
}

// method is a way to prove something. Every one that there is stands in methods.
type method struct {
	name string
	// kind is what the step-up rule counts it for (docs/decisions/0013): mailbox,
	// phone or device, and nothing for "".
	kind string
	// routes are those by which it signs in.
	routes []string
	// factor is its type and delivery method in a session.
	factor [2]string
	// prove proves it with the fields in more: a session to join, how long it
	// lasts.
	prove func(m *member, more fields) *authtest.Answer
}

var methods = []method{
	{"a link by e-mail", "mailbox", both("magic_links/authenticate"), [2]string{"magic_link", "email"}, byLink},
	{"an embeddable link", "mailbox", both("magic_links/authenticate"), [2]string{"magic_link", "embedded"}, byEmbeddedLink},
	{"a code by e-mail", "mailbox", both("otps/authenticate"), [2]string{"otp", "email"}, byCode("email", "")},
	{"a code by SMS", "phone", both("otps/authenticate"), [2]string{"otp", "sms"}, byCode("sms", "")},
	{"a code by WhatsApp", "phone", both("otps/authenticate"), [2]string{"otp", "whatsapp"}, byCode("whatsapp", "")},
	{"a passkey", "device", both("webauthn/authenticate"), [2]string{"webauthn", "webauthn_registration"}, (*member).SignInWith},
	{"a password", "mailbox", slices.Concat(
		// The others set the password that they prove, and sign nobody in otherwise.
		both("passwords/authenticate"), both("passwords"), both("passwords/email/reset"), both("passwords/existing_password/reset"), both("passwords/session/reset"),
	), [2]string{"password", "knowledge"}, byPassword},
	{"an authenticator app", "device", both("totps/authenticate"), [2]string{"totp", "authenticator_app"}, byApp},
	{"a recovery code", "mailbox", both("totps/recover"), [2]string{"recovery_codes", "recovery_code"}, byRecoveryCode},
	{"a trusted token", "", both("sessions/attest"), [2]string{"trusted_auth_token", "trusted_token_exchange"}, byTrustedToken},
	{"a wallet", "", both("crypto_wallets/authenticate"), [2]string{"crypto", "crypto_wallet"}, byWallet},
	{"an account at a provider", "mailbox", both("oauth/authenticate"), [2]string{"oauth", "oauth_discord"}, byAccount},
	{"biometrics", "device", []string{"POST /sdk/v1/biometrics/authenticate"}, [2]string{"signature_challenge", "biometric"}, byBiometrics},
}

func both(path string) []string { return []string{"POST /v1/" + path, "POST /sdk/v1/" + path} }

// with returns fields with more of them.
func with(some, more fields) fields {
	all := maps.Clone(some)
	maps.Copy(all, more)
	return all
}

// message is the newest one to a recipient that holds what is looked for. Others
// may come along with it: people are told of what happens to them.
func (m *member) message(to string, holds func(delivery.Envelope) string) string {
	m.t.Helper()
	for _, e := range m.s.Messages(to) {
		if text := holds(e); text != "" {
			return text
		}
	}
	m.t.Fatalf("%s got no message", to)
	return ""
}

func byLink(m *member, more fields) *authtest.Answer {
	m.s.Clock.Advance(time.Minute) // an address gets one mail a second
	m.s.Call(http.MethodPost, "/v1/magic_links/email/send", fields{"email": m.Email}).OK()
	link, err := url.Parse(m.message(m.Email, func(e delivery.Envelope) string { return e.Link }))
	if err != nil {
		m.t.Fatal(err)
	}
	return m.s.Call(http.MethodPost, "/v1/magic_links/authenticate", with(more, fields{"token": link.Query().Get("token")}))
}

func byEmbeddedLink(m *member, more fields) *authtest.Answer {
	token := m.s.Call(http.MethodPost, "/v1/magic_links", fields{"user_id": m.UserID}).OK().String("token")
	return m.s.Call(http.MethodPost, "/v1/magic_links/authenticate", with(more, fields{"token": token}))
}

// byCode proves an address or number, which is added to the user with this id if
// there is one.
func byCode(via, toUser string) func(*member, fields) *authtest.Answer {
	return func(m *member, more fields) *authtest.Answer {
		m.s.Clock.Advance(time.Minute) // a recipient gets one code a second
		to, field, id := m.number, "phone_number", "phone_id"
		if via == "email" {
			to, field, id = m.Email, "email", "email_id"
		}
		sent := m.s.Call(http.MethodPost, "/v1/otps/"+via+"/send", fields{field: to, "user_id": toUser}).OK()
		code := m.message(to, func(e delivery.Envelope) string { return e.Code })
		return m.s.Call(http.MethodPost, "/v1/otps/authenticate", with(more, fields{"method_id": sent.String(id), "code": code}))
	}
}

// SignInWith is SignIn as a method.
func (m *member) SignInWith(more fields) *authtest.Answer { return m.SignIn(more) }

// byBiometrics goes through the door of apps, the only one there is.
func byBiometrics(m *member, more fields) *authtest.Answer {
	app := m.s.Mobile()
	app.Token, _ = more["session_token"].(string)
	start := app.Call(http.MethodPost, "/sdk/v1/biometrics/authenticate/start", fields{"public_key": m.device.PublicKey()}).OK()
	return app.Call(http.MethodPost, "/sdk/v1/biometrics/authenticate", fields{
		"biometric_registration_id": start.String("biometric_registration_id"), "signature": m.device.Sign(start.String("challenge")),
		"session_duration_minutes": more["session_duration_minutes"],
	})
}

// calling lets a server call the provider of byAccount.
func calling(o *app.Options) { o.Server.OutboundAllow = []string{"127.0.0.1", "::1"} }

// byAccount goes to a provider and back. The provider names the member's address,
// so that the account is theirs from the first time on. The answer is the one that
// has the session under the name of all others.
func byAccount(m *member, more fields) *authtest.Answer {
	m.t.Helper()
	discord, _ := provider.Find("discord")
	at := providertest.New(m.t, m.s.Clock.Now)
	who := providertest.Ada()
	who.Subject, who.Email = m.number[1:], m.Email
	at.SignIn("discord", who)
	at.Register("discord", m.s.OAuth.RedirectURI(m.s.Env, discord))
	if err := m.s.OAuth.Set(m.t.Context(), m.s.Env, "discord", at.Credentials("discord")); err != nil {
		m.t.Fatal(err)
	}
	out := m.s.Request(http.MethodGet, "/v1/public/oauth/discord/start?public_token="+m.s.Env.PublicTokens[0].Token, nil, nil)
	answer, err := at.Browse(out.Header.Get("Location"))
	if err != nil || len(out.Cookies) != 1 {
		m.t.Fatal(err, out.Text)
	}
	back := m.s.Request(http.MethodGet, oauth.CallbackPath(m.s.Env, discord)+"?"+answer.Encode(), nil, func(r *http.Request) { r.AddCookie(out.Cookies[0]) })
	to, err := url.Parse(back.Header.Get("Location"))
	if err != nil {
		m.t.Fatal(err)
	}
	a := m.s.Call(http.MethodPost, "/v1/oauth/authenticate", with(more, fields{"token": to.Query().Get("token")}))
	if session, ok := a.Body["user_session"]; ok {
		a.Body["session"] = session
	}
	return a
}

func byPassword(m *member, more fields) *authtest.Answer {
	return m.s.Call(http.MethodPost, "/v1/passwords/authenticate", with(more, fields{"email": m.Email, "password": password}))
}

func byApp(m *member, more fields) *authtest.Answer {
	m.s.Clock.Advance(time.Minute) // a code works once
	mac := hmac.New(sha1.New, m.app)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(m.s.Clock.Now().Unix()/30)))
	sum := mac.Sum(nil)
	code := binary.BigEndian.Uint32(sum[sum[19]&15:]) & 0x7fffffff % 1_000_000
	return m.s.Call(http.MethodPost, "/v1/totps/authenticate", with(more, fields{"user_id": m.UserID, "totp_code": fmt.Sprintf("%06d", code)}))
}

func byRecoveryCode(m *member, more fields) *authtest.Answer {
	code := m.recovery[0]
	m.recovery = m.recovery[1:]
	return m.s.Call(http.MethodPost, "/v1/totps/recover", with(more, fields{"user_id": m.UserID, "recovery_code": code}))
}

// byWallet proves the member's wallet, which is added the first time.
func byWallet(m *member, more fields) *authtest.Answer {
	which := fields{"crypto_wallet_type": "solana", "crypto_wallet_address": base58(m.wallet.Public().(ed25519.PublicKey))}
	start := m.s.Call(http.MethodPost, "/v1/crypto_wallets/authenticate/start", with(which, fields{"user_id": m.UserID})).OK()
	signature := base58(ed25519.Sign(m.wallet, []byte(start.String("challenge"))))
	return m.s.Call(http.MethodPost, "/v1/crypto_wallets/authenticate", with(with(which, more), fields{"signature": signature}))
}

// base58 writes the addresses and signatures of Solana.
func base58(raw []byte) string {
	const digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	out := ""
	for n, digit := new(big.Int).SetBytes(raw), new(big.Int); n.Sign() > 0; {
		n.DivMod(n, big.NewInt(58), digit)
		out = digits[digit.Int64():digit.Int64()+1] + out
	}
	for _, b := range raw {
		if b != 0 {
			break
		}
		out = "1" + out
	}
	return out
}

// lasting is how long the sessions of these tests last: longer than a factor is
// fresh.
const lasting = 24 * 60

// session is a session that these methods proved, in their order, and the answer
// to the last.
func (m *member) session(with ...method) (*authtest.Browser, *authtest.Answer) {
	m.t.Helper()
	if len(m.recovery) < 3 {
		m.newApp(fields{})
	}
	b := m.s.Browser()
	var a *authtest.Answer
	for _, w := range with {
		more := fields{"session_duration_minutes": lasting}
		if b.Token != "" {
			more["session_token"] = b.Token
		}
		a = w.prove(m, more)
		if a.Status != http.StatusOK {
			m.t.Fatalf("%s: %d %s", w.name, a.Status, a.Text)
		}
		b.Token = a.String("session_token")
	}
	return b, a
}

// named returns a method by its name.
func named(t *testing.T, name string) method {
	t.Helper()
	for _, m := range methods {
		if m.name == name {
			return m
		}
	}
	t.Fatalf("there is no way to prove %s", name)
	return method{}
}
