package webauthn_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/webauthn"
	"gatehouse/internal/factor/webauthn/virtualkey"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

const (
	registerStart = "/v1/webauthn/register/start"
	registerEnd   = "/v1/webauthn/register"
	authStart     = "/v1/webauthn/authenticate/start"
	authEnd       = "/v1/webauthn/authenticate"
)

type body = map[string]any

// newUser creates a user without any passkey and returns the id.
func newUser(s *authtest.Server, fields body) string {
	b := body{"email": strings.ToLower(rand.Text()) + "@example.com"}
	for k, v := range fields {
		b[k] = v
	}
	return s.Call(http.MethodPost, "/v1/users", b).OK().String("user_id")
}

func creationOptions(s *authtest.Server, userID string, more body) string {
	b := body{"user_id": userID, "domain": "localhost"}
	for k, v := range more {
		b[k] = v
	}
	return s.Call(http.MethodPost, registerStart, b).OK().String("public_key_credential_creation_options")
}

func requestOptions(s *authtest.Server, more body) string {
	b := body{"domain": "localhost"}
	for k, v := range more {
		b[k] = v
	}
	return s.Call(http.MethodPost, authStart, b).OK().String("public_key_credential_request_options")
}

func create(t *testing.T, a *virtualkey.Authenticator, options string) *virtualkey.Created {
	t.Helper()
	c, err := a.Create(authtest.Page(), options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func get(t *testing.T, a *virtualkey.Authenticator, options string) *virtualkey.Got {
	t.Helper()
	g, err := a.Get(authtest.Page(), options)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// verifyEmail makes the user's first address a proven one.
func verifyEmail(t *testing.T, s *authtest.Server, userID string) {
	t.Helper()
	err := s.DB.Update(t.Context(), func(tx *store.Tx) error {
		_, err := s.Users.Change(tx, s.Env, userID, func(u *user.User) error {
			u.Emails[0].Verified = true
			return nil
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// number runs a query that counts.
func number(t *testing.T, s *authtest.Server, query string, args ...any) int64 {
	t.Helper()
	var n int64
	err := s.DB.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow(query, args...).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRegisterAndSignIn(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for _, algorithm := range []int{virtualkey.ES256, virtualkey.EdDSA, virtualkey.RS256} {
			for _, url := range []bool{false, true} {
				for _, passkey := range []bool{false, true} {
					t.Run(fmt.Sprintf("alg %d, base64url %t, passkey %t", algorithm, url, passkey), func(t *testing.T) {
						registerAndSignIn(t, s, algorithm, url, passkey)
					})
				}
			}
		}
	})
}

func registerAndSignIn(t *testing.T, s *authtest.Server, algorithm int, url, passkey bool) {
	enc := virtualkey.Base64
	if url {
		enc = virtualkey.Base64URL
	}
	flags := body{"use_base64_url_encoding": url, "return_passkey_credential_options": passkey}
	device := virtualkey.New()
	device.Algorithm = algorithm
	userID := newUser(s, body{"name": body{"first_name": "Ada"}})

	text := creationOptions(s, userID, flags)
	var o struct {
		User                   struct{ ID, Name string }
		AuthenticatorSelection struct{ ResidentKey, UserVerification string }
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	want := [2]string{"discouraged", "discouraged"}
	if passkey {
		want = [2]string{"required", "preferred"}
	}
	if o.User.ID != enc.EncodeToString([]byte(userID)) || o.User.Name != "Ada" || [2]string{o.AuthenticatorSelection.ResidentKey, o.AuthenticatorSelection.UserVerification} != want {
		t.Errorf("options %s", text)
	}
	made := s.Call(http.MethodPost, registerEnd, body{"user_id": userID, "public_key_credential": create(t, device, text).JSON(enc)}).OK()
	registrationID := made.String("webauthn_registration_id")
	if made.String("session_token") != "" || made.Get("session") != nil || made.Get("user", "webauthn_registrations", 0, "verified") != true {
		t.Errorf("registered as %s", made.Text)
	}

	for _, bound := range []bool{false, true} {
		more := body{"use_base64_url_encoding": url, "return_passkey_credential_options": passkey}
		if bound {
			more["user_id"] = userID
		}
		g := get(t, device, requestOptions(s, more))
		in := s.Call(http.MethodPost, authEnd, body{"public_key_credential": g.JSON(enc), "session_duration_minutes": 30}).OK()
		if in.String("user_id") != userID || in.String("webauthn_registration_id") != registrationID || len(in.String("session_token")) != 44 {
			t.Errorf("signed in as %s", in.Text)
		}
		factor := in.Get("session", "authentication_factors", 0)
		if m, _ := factor.(map[string]any); m["type"] != "webauthn" || m["delivery_method"] != "webauthn_registration" {
			t.Errorf("factor %v", factor)
		}
		if in.String("session", "authentication_factors", 0, "webauthn_factor", "webauthn_registration_id") != registrationID {
			t.Errorf("factor %v", factor)
		}
	}
}

func TestStoredFromDayOne(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		userID := newUser(s, body{"email": "ada@example.com"})
		device := virtualkey.NewSecurityKey()
		device.AAGUID = [16]byte{0x2f, 0xc0, 0x57, 0x9f, 0x81, 0x13, 0x47, 0xea, 0xb1, 0x16, 0xbb, 0x5a, 0x8d, 0xb9, 0x20, 0x2a}
		made := s.Call(http.MethodPost, registerEnd, body{
			"user_id": userID, "public_key_credential": create(t, device, creationOptions(s, userID, body{"user_agent": "Lynx"})).JSON(virtualkey.Base64),
		}).OK()
		if got := made.Get("user", "webauthn_registrations", 0); fmt.Sprint(got) != fmt.Sprint(body{
			"webauthn_registration_id": made.String("webauthn_registration_id"), "domain": "localhost", "user_agent": "Lynx",
			"verified": true, "authenticator_type": "cross-platform", "name": "YubiKey 5 NFC",
		}) {
			t.Errorf("registration %v", got)
		}
		s.Clock.Advance(time.Hour)
		g := get(t, device, requestOptions(s, nil))
		s.Call(http.MethodPost, authEnd, body{"public_key_credential": g.JSON(virtualkey.Base64)}).OK()

		var transports, format string
		var eligible, state, verified, discoverable bool
		var count, algorithm, created, used int64
		err := s.DB.View(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(`SELECT transports, attestation_format, backup_eligible, backup_state, user_verified, discoverable, sign_count, algorithm, created_at, last_used_at
				FROM webauthn_credentials WHERE user_id = $1`, userID).
				Scan(&transports, &format, &eligible, &state, &verified, &discoverable, &count, &algorithm, &created, &used)
		})
		if err != nil {
			t.Fatal(err)
		}
		if transports != `["usb","nfc"]` || format != "packed" || eligible || state || !verified || !discoverable || count != 2 || algorithm != -7 || used-created != 3600_000 {
			t.Error(transports, format, eligible, state, verified, discoverable, count, algorithm, used-created)
		}
	})
}

func TestRegistrationRules(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		userID := newUser(s, body{"email": "ada@example.com"})
		start := func(more body) *authtest.Answer {
			b := body{"user_id": userID, "domain": "localhost"}
			for k, v := range more {
				b[k] = v
			}
			return s.Call(http.MethodPost, registerStart, b)
		}
		start(body{"domain": "https://localhost"}).Refused(400, "invalid_domain")
		start(body{"domain": "co.uk"}).Refused(400, "invalid_domain")
		start(body{"domain": ""}).Refused(400, "invalid_domain")
		start(body{"authenticator_type": "sundial"}).Refused(400, "invalid_authenticator_type")
		start(body{"override_id": strings.Repeat("x", 65)}).Refused(400, "bad_request")
		start(body{"user_id": "user-test-00000000-0000-4000-8000-000000000000"}).Refused(404, "user_not_found")
		start(body{"user_id": newUser(s, body{"email": "p@example.com", "create_user_as_pending": true})}).Refused(400, "cannot_use_webauthn_with_pending_user")
		s.Call(http.MethodPost, registerStart, body{"domain": "localhost"}).Refused(400, "bad_request")
		s.Call(http.MethodPost, authStart, body{"domain": "localhost", "user_id": userID}).Refused(400, "no_active_webauthn_registrations")

		device := virtualkey.New()
		credential := create(t, device, creationOptions(s, userID, nil)).JSON(virtualkey.Base64URL)
		end := body{"user_id": userID, "public_key_credential": credential}
		s.Call(http.MethodPost, registerEnd, body{"user_id": newUser(s, body{}), "public_key_credential": credential}).Refused(400, "no_pending_webauthn_registration")
		s.Call(http.MethodPost, registerEnd, end).OK()
		s.Call(http.MethodPost, registerEnd, end).Refused(400, "no_pending_webauthn_registration")

		if _, err := device.Create(authtest.Page(), creationOptions(s, userID, nil)); err != virtualkey.ErrExcluded {
			t.Errorf("a second passkey on the same device: %v", err)
		}

		s.Configure("webauthn.requires_verified_factor", "true")
		start(nil).Refused(401, "unable_to_register_webauthn_registration")
		verifyEmail(t, s, userID)
		start(nil).OK()
	})
}

func TestOneCredentialOneUser(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		first, second := newUser(s, body{}), newUser(s, body{})
		device := virtualkey.New()
		s.Call(http.MethodPost, registerEnd, body{"user_id": first, "public_key_credential": create(t, device, creationOptions(s, first, nil)).JSON(virtualkey.Base64)}).OK()
		key := device.Keys[0]
		for _, userID := range []string{first, second} {
			c := create(t, virtualkey.New(), creationOptions(s, userID, nil))
			// The same key once more: an attestation of none proves nothing about
			// who made it.
			idAt := strings.Index(string(c.AuthData), string(c.Key.ID))
			copy(c.AuthData[idAt:], key.ID)
			c.Key.ID = key.ID
			s.Call(http.MethodPost, registerEnd, body{"user_id": userID, "public_key_credential": c.JSON(virtualkey.Base64)}).Refused(400, "duplicate_webauthn_registration")
		}
		if n := number(t, s, "SELECT COUNT(*) FROM webauthn_credentials"); n != 1 {
			t.Errorf("%d credentials", n)
		}
		if n := number(t, s, "SELECT COUNT(*) FROM webauthn_challenges"); n != 0 {
			t.Errorf("%d challenges can be tried again", n)
		}
	})
}

func TestTooManyRegistrations(t *testing.T) {
	s := authtest.New(t)
	userID := newUser(s, body{})
	device := virtualkey.New()
	spare := create(t, virtualkey.New(), creationOptions(s, userID, nil)).JSON(virtualkey.Base64)
	for range 100 {
		device.Keys = nil
		s.Call(http.MethodPost, registerEnd, body{"user_id": userID, "public_key_credential": create(t, device, creationOptions(s, userID, nil)).JSON(virtualkey.Base64)}).OK()
	}
	s.Call(http.MethodPost, registerStart, body{"user_id": userID, "domain": "localhost"}).Refused(400, "too_many_user_registrations_for_domain")
	s.Call(http.MethodPost, registerEnd, body{"user_id": userID, "public_key_credential": spare}).Refused(400, "too_many_user_registrations_for_domain")
	if n := number(t, s, "SELECT COUNT(*) FROM webauthn_credentials"); n != 100 {
		t.Errorf("%d credentials", n)
	}
	creationOptions(s, userID, body{"domain": "example.com"}) // another domain has room
}

func TestOverriddenUserHandle(t *testing.T) {
	s := authtest.New(t)
	userID := newUser(s, body{"external_id": "ada-1"})
	device := virtualkey.New()
	options := creationOptions(s, "ada-1", body{"override_id": "handle-1", "override_name": "ada", "override_display_name": "Ada L."})
	if !strings.Contains(options, `"user":{"id":"`+base64.StdEncoding.EncodeToString([]byte("handle-1"))+`","name":"ada","displayName":"Ada L."}`) {
		t.Error(options)
	}
	s.Call(http.MethodPost, registerEnd, body{"user_id": "ada-1", "public_key_credential": create(t, device, options).JSON(virtualkey.Base64)}).OK()
	g := get(t, device, requestOptions(s, nil))
	if string(g.UserHandle) != "handle-1" {
		t.Fatalf("user handle %q", g.UserHandle)
	}
	if got := s.Call(http.MethodPost, authEnd, body{"public_key_credential": g.JSON(virtualkey.Base64)}).OK().String("user_id"); got != userID {
		t.Error(got)
	}
	// A key that keeps no user handle sends none.
	g = get(t, device, requestOptions(s, body{"user_id": "ada-1"}))
	g.UserHandle = nil
	s.Call(http.MethodPost, authEnd, body{"public_key_credential": g.JSON(virtualkey.Base64)}).OK()
}

func TestNamesRenameListDelete(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("ada@example.com")
		s.Clock.Advance(time.Second)
		p.Key.Keys = nil // a second phone of the same make
		second := p.Register(nil)
		if got := second.String("user", "webauthn_registrations", 1, "name"); got != "iCloud Keychain 2" {
			t.Errorf("named %q", got)
		}
		put := func(id, name string) *authtest.Answer {
			return s.Call(http.MethodPut, "/v1/webauthn/"+id, body{"name": name})
		}
		if got := put(p.RegistrationID, " Work phone ").OK().String("webauthn_registration", "name"); got != "Work phone" {
			t.Errorf("renamed to %q", got)
		}
		put(p.RegistrationID, " ").Refused(400, "empty_webauthn_registration_name")
		put(p.RegistrationID, strings.Repeat("ü", 129)).Refused(400, "bad_request")
		put("user-test-00000000-0000-4000-8000-000000000000", "x").Refused(400, "invalid_webauthn_registration_id")
		put("webauthn-registration-test-00000000-0000-4000-8000-000000000000", "x").Refused(404, "webauthn_registration_not_found")

		list := s.Call(http.MethodGet, "/v1/webauthn/credentials/"+p.UserID+"/localhost", nil).OK()
		if list.String("credentials", 0, "webauthn_registration_id") != p.RegistrationID || list.Get("credentials", 1) == nil || list.Get("credentials", 2) != nil {
			t.Error(list.Text)
		}
		if list.String("credentials", 1, "credential_id") != base64.RawURLEncoding.EncodeToString(p.Key.Keys[0].ID) ||
			list.String("credentials", 1, "public_key") != base64.StdEncoding.EncodeToString(p.Key.Keys[0].COSE()) || list.String("credentials", 1, "type") != "public-key" {
			t.Error(list.Text)
		}
		if empty := s.Call(http.MethodGet, "/v1/webauthn/credentials/"+p.UserID+"/example.com", nil).OK(); len(empty.Get("credentials").([]any)) != 0 {
			t.Error(empty.Text)
		}

		assertion := p.Assertion()
		s.Call(http.MethodDelete, "/v1/users/webauthn_registrations/"+second.String("webauthn_registration_id"), nil).OK()
		s.Call(http.MethodPost, authEnd, body{"public_key_credential": assertion}).Refused(404, "webauthn_registration_not_found")
		creationOptions(s, p.UserID, nil)
		s.Call(http.MethodDelete, "/v1/users/"+p.UserID, nil).OK()
		if n := number(t, s, "SELECT (SELECT COUNT(*) FROM webauthn_credentials) + (SELECT COUNT(*) FROM webauthn_challenges)"); n != 0 {
			t.Errorf("%d rows survive the user", n)
		}
	})
}

func TestSessionsAtTheServersDoor(t *testing.T) {
	s := authtest.New(t)
	p := s.Person("ada@example.com")
	first := p.Session()
	p.Key.Keys = nil
	joined := p.Register(body{"session_token": first.String("session_token"), "session_duration_minutes": 60})
	if joined.String("session", "session_id") != first.String("session", "session_id") || joined.Get("session", "authentication_factors", 1) == nil {
		t.Errorf("registering joined %s", joined.Text)
	}
	again := p.SignIn(body{"session_token": first.String("session_token")}).OK()
	if again.Get("session", "authentication_factors", 2) != nil {
		t.Errorf("the same passkey twice is one factor: %s", again.Text)
	}
	other := s.Person("bob@example.com")
	other.SignIn(body{"session_token": first.String("session_token")}).Refused(400, "user_id_mismatch")
	started := p.Register // a registration alone can start a session
	p.Key.Keys = nil
	if got := started(body{"session_duration_minutes": 5}); len(got.String("session_token")) != 44 {
		t.Error(got.Text)
	}
}

func TestUserVerificationRequired(t *testing.T) {
	s := authtest.New(t)
	s.Configure("webauthn.user_verification", "required")
	p := s.Person("ada@example.com")
	for _, more := range []body{nil, {"user_id": p.UserID}} {
		options := requestOptions(s, more)
		if !strings.Contains(options, `"userVerification":"required"`) {
			t.Error(options)
		}
		p.Key.Flags &^= virtualkey.UserVerified
		g := get(t, p.Key, options)
		s.Call(http.MethodPost, authEnd, body{"public_key_credential": g.JSON(virtualkey.Base64)}).Refused(401, "unable_to_auth_webauthn_registration")
		p.Key.Flags |= virtualkey.UserVerified
		g = get(t, p.Key, requestOptions(s, more))
		s.Call(http.MethodPost, authEnd, body{"public_key_credential": g.JSON(virtualkey.Base64)}).OK()
	}
	p.Key.Flags &^= virtualkey.UserVerified
	p.Key.Keys = nil
	c := create(t, p.Key, creationOptions(s, p.UserID, nil))
	s.Call(http.MethodPost, registerEnd, body{"user_id": p.UserID, "public_key_credential": c.JSON(virtualkey.Base64)}).Refused(401, "unable_to_register_webauthn_registration")
}

func TestPurge(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("ada@example.com")
		rows := func() int64 {
			return number(t, s, "SELECT (SELECT COUNT(*) FROM webauthn_used_challenges) + (SELECT COUNT(*) FROM webauthn_challenges)")
		}
		purge := func(budget int) (n int) {
			t.Helper()
			err := s.DB.Update(t.Context(), func(tx *store.Tx) (err error) {
				n, err = webauthn.Purge(tx, budget)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		for range 3 {
			p.SignIn(nil).OK()
			creationOptions(s, p.UserID, nil)
		}
		s.Clock.Advance(5*time.Minute - time.Millisecond)
		p.SignIn(nil).OK()
		if n := purge(100); n != 0 || rows() != 7 {
			t.Errorf("%d purged before their time, %d left", n, rows())
		}
		s.Clock.Advance(2 * time.Millisecond)
		if n := purge(100); n != 3 || rows() != 4 {
			t.Errorf("%d ceremonies purged, %d rows left", n, rows())
		}
		// Used challenges are remembered for as long again.
		s.Clock.Advance(5 * time.Minute)
		if n := purge(2); n != 2 || rows() != 2 {
			t.Errorf("%d purged with a budget of 2, %d left", n, rows())
		}
		if n := purge(100); n != 1 || rows() != 1 {
			t.Errorf("%d purged, %d left", n, rows())
		}
	})
}
