package webauthn_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/event"
	"gatehouse/internal/factor/webauthn/virtualkey"
)

// The tests of this file are named after the bug classes of the security
// cases, with their numbers.

// finish sends an assertion to the server's door.
func finish(s *authtest.Server, g *virtualkey.Got) *authtest.Answer {
	return s.Call(http.MethodPost, authEnd, body{"public_key_credential": g.JSON(virtualkey.Base64)})
}

func failedAttempts(t *testing.T, s *authtest.Server, userID string) int64 {
	t.Helper()
	return number(t, s, "SELECT failed_attempts FROM users WHERE id = $1", userID)
}

// race sends one request from many callers at once and counts the answers.
func race(callers int, send func() *authtest.Answer) map[string]int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := map[string]int{}
	gate := make(chan struct{})
	for range callers {
		wg.Go(func() {
			<-gate
			a := send()
			mu.Lock()
			defer mu.Unlock()
			answers[fmt.Sprint(a.Status, " ", a.Body["error_type"])]++
		})
	}
	close(gate)
	wg.Wait()
	return answers
}

func TestSecurity08ChallengeReuseByRace(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("ada@example.com")
		for name, more := range map[string]body{"anonymous": nil, "user-bound": {"user_id": p.UserID}} {
			g := get(t, p.Key, requestOptions(s, more))
			got := race(50, func() *authtest.Answer { return finish(s, g) })
			if got["200 <nil>"] != 1 || got["401 unable_to_auth_webauthn_registration"] != 49 {
				t.Errorf("%s: %v", name, got)
			}
		}
		userID := newUser(s, nil)
		c := create(t, virtualkey.New(), creationOptions(s, userID, nil)).JSON(virtualkey.Base64)
		got := race(50, func() *authtest.Answer {
			return s.Call(http.MethodPost, registerEnd, body{"user_id": userID, "public_key_credential": c})
		})
		if got["200 <nil>"] != 1 || got["400 no_pending_webauthn_registration"] != 49 {
			t.Errorf("registration: %v", got)
		}
		// The losers of a race proved nothing about anybody, so nobody is locked.
		if n := failedAttempts(t, s, p.UserID); n != 0 {
			t.Errorf("%d failed attempts counted", n)
		}
		p.SignIn(nil).OK()
	})
}

func TestSecurity47EnrolmentReplay(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		victim, attacker := s.Person("ada@example.com"), s.Person("eve@example.com")
		signedIn := func(p *authtest.Person) *authtest.Browser {
			b := s.Browser()
			b.Token = p.Session().String("session_token")
			return b
		}
		mine, same, hers := signedIn(victim), signedIn(victim), signedIn(attacker)
		start := func() string {
			return mine.Call(http.MethodPost, "/sdk/v1/webauthn/register/start", body{"domain": "localhost"}).OK().String("public_key_credential_creation_options")
		}
		end := func(b *authtest.Browser, c *virtualkey.Created) *authtest.Answer {
			return b.Call(http.MethodPost, "/sdk/v1/webauthn/register", body{"public_key_credential": c.JSON(virtualkey.Base64URL)})
		}
		c := create(t, virtualkey.New(), start())
		end(hers, c).Refused(400, "no_pending_webauthn_registration") // another user's session
		end(same, c).Refused(400, "no_pending_webauthn_registration") // another session of the same user
		end(s.Browser(), c).Refused(401, "user_unauthenticated")      // nobody's
		s.Call(http.MethodPost, registerEnd, body{"user_id": victim.UserID, "public_key_credential": c.JSON(virtualkey.Base64)}).
			Refused(400, "no_pending_webauthn_registration") // another door
		end(mine, c).OK()
		end(mine, c).Refused(400, "no_pending_webauthn_registration") // once only

		late := create(t, virtualkey.New(), start())
		s.Clock.Advance(5 * time.Minute)
		end(mine, late).Refused(400, "no_pending_webauthn_registration")
		intime := create(t, virtualkey.New(), start())
		s.Clock.Advance(5*time.Minute - time.Millisecond)
		end(mine, intime).OK()

		// Its owner can see it: the event says who, where and what.
		events, err := event.List(t.Context(), s.DB, s.Env.ID, victim.UserID, "webauthn.register", 10)
		if err != nil || len(events) != 3 || events[0].ObjectID == "" || events[0].UserAgent == "" {
			t.Errorf("%d events, %v", len(events), err)
		}
	})
}

func TestSecurity48RPIDAndOriginConfusion(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		userID := newUser(s, nil)
		device := virtualkey.New()
		page := virtualkey.Page{Origin: "https://app.example.com"}
		register := func(page virtualkey.Page) *authtest.Answer {
			c, err := virtualkey.New().Create(page, creationOptions(s, userID, body{"domain": "app.example.com"}))
			if err != nil {
				t.Fatal(err)
			}
			return s.Call(http.MethodPost, registerEnd, body{"user_id": userID, "public_key_credential": c.JSON(virtualkey.Base64)})
		}
		c, err := device.Create(page, creationOptions(s, userID, body{"domain": "app.example.com"}))
		if err != nil {
			t.Fatal(err)
		}
		s.Call(http.MethodPost, registerEnd, body{"user_id": userID, "public_key_credential": c.JSON(virtualkey.Base64)}).OK()
		signIn := func(page virtualkey.Page) *authtest.Answer {
			g, err := device.Get(page, requestOptions(s, body{"domain": "app.example.com"}))
			if err != nil {
				t.Fatal(err)
			}
			return finish(s, g)
		}
		signIn(page).OK()
		for name, wrong := range map[string]virtualkey.Page{
			"another site":           {Origin: "https://evil.example"},
			"a parent domain":        {Origin: "https://example.com"},
			"a sibling":              {Origin: "https://other.example.com"},
			"a look-alike":           {Origin: "https://app.example.com.evil.example"},
			"plain http":             {Origin: "http://app.example.com"},
			"user info":              {Origin: "https://app.example.com@evil.example"},
			"a frame":                {Origin: page.Origin, CrossOrigin: true},
			"a frame in evil":        {Origin: page.Origin, CrossOrigin: true, TopOrigin: "https://evil.example"},
			"topOrigin alone":        {Origin: page.Origin, TopOrigin: "https://app.example.com"},
			"an unknown Android app": {Origin: "android:apk-key-hash:AAAA"},
		} {
			if a := signIn(wrong); a.Status != 401 || a.Body["error_type"] != "unable_to_auth_webauthn_registration" {
				t.Errorf("signing in from %s: %s", name, a.Text)
			}
			if a := register(wrong); a.Status != 401 || a.Body["error_type"] != "unable_to_register_webauthn_registration" {
				t.Errorf("registering from %s: %s", name, a.Text)
			}
			// Not about locks: refused sign-ins count towards one.
			if _, err := s.Users.Unlock(t.Context(), s.Env, userID); err != nil {
				t.Fatal(err)
			}
		}
		signIn(virtualkey.Page{Origin: "https://deep.app.example.com"}).OK()
		signIn(virtualkey.Page{Origin: page.Origin, CrossOrigin: true, TopOrigin: "https://sub.app.example.com"}).OK()

		s.Configure("webauthn.related_origins", `["https://app.example.de"]`)
		s.Configure("webauthn.android_key_hashes", `["android:apk-key-hash:AAAA"]`)
		signIn(virtualkey.Page{Origin: "https://app.example.de"}).OK()
		signIn(virtualkey.Page{Origin: "android:apk-key-hash:AAAA"}).OK()
		signIn(virtualkey.Page{Origin: "https://www.app.example.de"}).Refused(401, "unable_to_auth_webauthn_registration")
		signIn(virtualkey.Page{Origin: page.Origin, CrossOrigin: true, TopOrigin: "https://app.example.de"}).OK()
		s.Configure("webauthn.allow_cross_origin", "true")
		signIn(virtualkey.Page{Origin: page.Origin, CrossOrigin: true}).OK()
		signIn(virtualkey.Page{Origin: "https://evil.example", CrossOrigin: true, TopOrigin: page.Origin}).Refused(401, "unable_to_auth_webauthn_registration")
	})
}

// A challenge made for one domain, environment or RP does not open another.
func TestSecurity48ChallengeOfAnotherRP(t *testing.T) {
	s := authtest.New(t)
	p := s.Person("ada@example.com")
	retarget := func(options, rpID string) string {
		var o map[string]any
		if err := json.Unmarshal([]byte(options), &o); err != nil {
			t.Fatal(err)
		}
		o["rpId"], o["allowCredentials"] = rpID, []any{}
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	g := get(t, p.Key, retarget(requestOptions(s, body{"domain": "example.com"}), "localhost"))
	finish(s, g).Refused(401, "unable_to_auth_webauthn_registration")

	// The same master key, another environment.
	staging, err := s.Projects.CreateEnvironment(t.Context(), s.Env.ProjectID, "test", "Staging")
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := s.Projects.CreateSecret(t.Context(), staging.ID)
	if err != nil {
		t.Fatal(err)
	}
	other := s.Request(http.MethodPost, authStart, body{"domain": "localhost"}, func(r *http.Request) { r.SetBasicAuth(staging.ID, key) }).OK()
	g = get(t, p.Key, other.String("public_key_credential_request_options"))
	finish(s, g).Refused(401, "unable_to_auth_webauthn_registration")
	// And the credential of one environment does not exist in the other.
	s.Request(http.MethodPost, authEnd, body{"public_key_credential": g.JSON(virtualkey.Base64)}, func(r *http.Request) { r.SetBasicAuth(staging.ID, key) }).
		Refused(404, "webauthn_registration_not_found")

	// A user-bound challenge of another domain.
	if _, err := virtualkey.New().Get(authtest.Page(), requestOptions(s, body{"user_id": p.UserID})); err == nil {
		t.Error("a device without the key answered")
	}
	g = get(t, p.Key, requestOptions(s, body{"user_id": p.UserID}))
	g.AuthData[3] ^= 1 // of another RP ID
	if err := g.Sign(); err != nil {
		t.Fatal(err)
	}
	finish(s, g).Refused(401, "unable_to_auth_webauthn_registration")
}

func TestSecurity49FlagsHandlesAndCeremonies(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		const present, verified, eligible, backed = virtualkey.UserPresent, virtualkey.UserVerified, virtualkey.BackupEligible, virtualkey.BackupState
		for flags := range byte(16) {
			// Bits of the matrix, spread over the real flags.
			f := flags&1*present | flags>>1&1*verified | flags>>2&1*eligible | flags>>3&1*backed
			ok := f&present != 0 && (f&backed == 0 || f&eligible != 0)
			userID := newUser(s, nil)
			device := virtualkey.New()
			device.Flags = f
			registered := s.Call(http.MethodPost, registerEnd, body{"user_id": userID, "public_key_credential": create(t, device, creationOptions(s, userID, nil)).JSON(virtualkey.Base64)})
			p := s.Person(fmt.Sprintf("p%d@example.com", flags))
			p.Key.Flags = f
			asserted := p.SignIn(nil)
			if (registered.Status == 200) != ok || (asserted.Status == 200) != ok {
				t.Errorf("flags %05b: registered %d, signed in %d, want accepted %t", f, registered.Status, asserted.Status, ok)
			}
		}

		ada, eve := s.Person("ada@example.com"), s.Person("eve@example.com")
		g := get(t, ada.Key, requestOptions(s, nil))
		g.UserHandle = []byte(eve.UserID)
		finish(s, g).Refused(401, "unable_to_auth_webauthn_registration")

		// Another user's credential under a challenge for this one: the failure is
		// this one's.
		options := requestOptions(s, body{"user_id": ada.UserID})
		g = get(t, eve.Key, strings.Replace(options, options[:strings.Index(options, `,"challenge"`)], `{"allowCredentials":[]`, 1))
		before := failedAttempts(t, s, ada.UserID)
		finish(s, g).Refused(401, "unable_to_auth_webauthn_registration")
		if failedAttempts(t, s, ada.UserID) != before+1 || failedAttempts(t, s, eve.UserID) != 0 {
			t.Error("the failure was counted for the wrong user")
		}

		// The ceremonies swapped, by challenge and by client data.
		var creation map[string]any
		if err := json.Unmarshal([]byte(creationOptions(s, ada.UserID, nil)), &creation); err != nil {
			t.Fatal(err)
		}
		g = get(t, ada.Key, fmt.Sprintf(`{"challenge":%q,"rpId":"localhost"}`, creation["challenge"]))
		finish(s, g).Refused(401, "unable_to_auth_webauthn_registration")
		g = get(t, ada.Key, requestOptions(s, nil))
		g.ClientDataJSON = []byte(strings.Replace(string(g.ClientDataJSON), "webauthn.get", "webauthn.create", 1))
		if err := g.Sign(); err != nil {
			t.Fatal(err)
		}
		finish(s, g).Refused(401, "unable_to_auth_webauthn_registration")
		c := create(t, virtualkey.New(), creationOptions(s, ada.UserID, nil))
		c.ClientDataJSON = []byte(strings.Replace(string(c.ClientDataJSON), "webauthn.create", "webauthn.get", 1))
		s.Call(http.MethodPost, registerEnd, body{"user_id": ada.UserID, "public_key_credential": c.JSON(virtualkey.Base64)}).Refused(401, "unable_to_register_webauthn_registration")

		// A refused registration has used its challenge up.
		c.ClientDataJSON = []byte(strings.Replace(string(c.ClientDataJSON), "webauthn.get", "webauthn.create", 1))
		s.Call(http.MethodPost, registerEnd, body{"user_id": ada.UserID, "public_key_credential": c.JSON(virtualkey.Base64)}).Refused(400, "no_pending_webauthn_registration")
	})
}

func TestSecurity50SignCounter(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		userID := newUser(s, nil)
		key := virtualkey.NewSecurityKey()
		s.Call(http.MethodPost, registerEnd, body{"user_id": userID, "public_key_credential": create(t, key, creationOptions(s, userID, nil)).JSON(virtualkey.Base64)}).OK()
		use := func(counter uint32) *authtest.Answer {
			key.Keys[0].Counter = counter - 1
			return finish(s, get(t, key, requestOptions(s, nil)))
		}
		stored := func() int64 {
			return number(t, s, "SELECT sign_count FROM webauthn_credentials WHERE user_id = $1", userID)
		}
		raised := func() int {
			events, err := event.List(t.Context(), s.DB, s.Env.ID, userID, "webauthn.sign_count_regressed", 100)
			if err != nil {
				t.Fatal(err)
			}
			return len(events)
		}
		use(10).OK()
		for _, counter := range []uint32{10, 9, 1, 1 << 31} {
			want := counter > 10
			if a := use(counter); (a.Status == 200) != want {
				t.Errorf("counter %d after 10: %s", counter, a.Text)
			}
		}
		if stored() != 1<<31 || raised() != 3 {
			t.Errorf("counter %d, %d events", stored(), raised())
		}
		s.Configure("webauthn.sign_count", "warn")
		use(5).OK()
		if stored() != 1<<31 || raised() != 4 {
			t.Errorf("after a warning: counter %d, %d events", stored(), raised())
		}
		// Refusals count towards the lock; the warning was a success and ended
		// the row.
		if n := failedAttempts(t, s, userID); n != 0 {
			t.Errorf("%d failed attempts", n)
		}
		// A counter of zero on both sides is no counter.
		p := s.Person("ada@example.com")
		p.SignIn(nil).OK()
		p.SignIn(nil).OK()
		p.Key.Flags &^= virtualkey.BackupEligible | virtualkey.BackupState
		p.SignIn(nil).OK() // a changed eligibility is reported, not refused
		events, err := event.List(t.Context(), s.DB, s.Env.ID, p.UserID, "webauthn.backup_eligibility_changed", 10)
		if err != nil || len(events) != 1 {
			t.Errorf("%d events about eligibility, %v", len(events), err)
		}
	})
}

func TestSecurity51ExpiryByTheClock(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("ada@example.com")
		for _, more := range []body{nil, {"user_id": p.UserID}} {
			early, late := get(t, p.Key, requestOptions(s, more)), get(t, p.Key, requestOptions(s, more))
			s.Clock.Advance(5*time.Minute - time.Millisecond)
			finish(s, early).OK()
			s.Clock.Advance(time.Millisecond)
			finish(s, late).Refused(401, "unable_to_auth_webauthn_registration")
		}
		if n := failedAttempts(t, s, p.UserID); n != 0 {
			t.Errorf("%d failed attempts for being late", n)
		}
	})
}

func TestSecurity52LockedUser(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("ada@example.com")
		for range 10 {
			g := get(t, p.Key, requestOptions(s, nil))
			g.Signature[10] ^= 1
			if a := finish(s, g); a.Status != 401 && a.Status != 400 {
				t.Fatal(a.Text)
			}
		}
		good := p.Assertion()
		s.Call(http.MethodPost, authEnd, body{"public_key_credential": good}).Refused(429, "user_lock_limit_reached")
		c := create(t, virtualkey.New(), creationOptions(s, p.UserID, nil))
		s.Call(http.MethodPost, registerEnd, body{"user_id": p.UserID, "public_key_credential": c.JSON(virtualkey.Base64)}).Refused(429, "user_lock_limit_reached")
		s.Clock.Advance(time.Hour)
		p.SignIn(nil).OK()
	})
}

func TestSignInRacesDeletion(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for _, path := range []string{"webauthn_registrations/", ""} {
			p := s.Person("racer" + fmt.Sprint(len(path)) + "@example.com")
			if path != "" {
				path += p.RegistrationID
			} else {
				path = p.UserID
			}
			assertions := make(chan string, 12)
			for range cap(assertions) {
				assertions <- p.Assertion()
			}
			close(assertions)
			answers := race(cap(assertions)+1, func() *authtest.Answer {
				assertion, more := <-assertions
				if !more {
					return s.Call(http.MethodDelete, "/v1/users/"+path, nil)
				}
				return s.Call(http.MethodPost, authEnd, body{"public_key_credential": assertion, "session_duration_minutes": 5})
			})
			for answer := range answers {
				if !strings.HasPrefix(answer, "200") && !strings.HasPrefix(answer, "404") {
					t.Errorf("%s: %v", path, answers)
				}
			}
			s.Call(http.MethodPost, authEnd, body{"public_key_credential": p.Assertion()}).Refused(404, "webauthn_registration_not_found")
		}
	})
}

func TestRegistrationsInParallelGetTheirOwnNames(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		userID := newUser(s, nil)
		credentials := make(chan string, 8)
		for range cap(credentials) {
			credentials <- create(t, virtualkey.New(), creationOptions(s, userID, nil)).JSON(virtualkey.Base64)
		}
		answers := race(cap(credentials), func() *authtest.Answer {
			return s.Call(http.MethodPost, registerEnd, body{"user_id": userID, "public_key_credential": <-credentials})
		})
		if answers["200 <nil>"] != cap(credentials) {
			t.Fatal(answers)
		}
		names := map[string]bool{}
		list, _ := s.Call(http.MethodGet, "/v1/users/"+userID, nil).OK().Get("webauthn_registrations").([]any)
		for _, r := range list {
			names[fmt.Sprint(r.(map[string]any)["name"])] = true
		}
		if len(names) != cap(credentials) || !names["iCloud Keychain 8"] {
			t.Errorf("names %v", names)
		}
	})
}
