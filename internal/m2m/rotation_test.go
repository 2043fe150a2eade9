package m2m_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/m2m"
	"gatehouse/internal/secret"
	"gatehouse/internal/wire"
)

// rotate calls one of the three steps.
func (c *client) rotate(step string) *authtest.Answer {
	return c.Call(http.MethodPost, c.path("/secrets/rotate"+step), fields{})
}

// TestRotationTimeline walks through a rotation with time passing in between:
// a secret is good from the answer that shows it to the one that ends it.
func TestRotationTimeline(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		c := newClient(s, "a")
		first := c.secret
		step := func(what string, good map[string]bool) {
			t.Helper()
			for range 2 {
				for value, want := range good {
					c.works(t, what, value, want)
				}
				s.Clock.Advance(45 * 24 * time.Hour)
			}
		}
		step("before", map[string]bool{first: true})
		c.rotate("").Refused(400, "m2m_client_not_rotating_secret")
		c.rotate("/cancel").Refused(400, "m2m_client_not_rotating_secret")

		a := c.rotate("/start").OK()
		second := a.String("m2m_client", "next_client_secret")
		if !secret.ValidToken(second) || a.Get("m2m_client", "next_client_secret_last_four") != second[40:] || a.Get("m2m_client", "client_secret_last_four") != first[40:] {
			t.Errorf("started %s", a.Text)
		}
		c.rotate("/start").Refused(400, "m2m_client_already_rotating_secret")
		step("two secrets", map[string]bool{first: true, second: true})

		a = c.rotate("/cancel").OK()
		if a.Get("m2m_client", "next_client_secret_last_four") != nil || a.Get("m2m_client", "next_client_secret") != nil {
			t.Errorf("cancelled %s", a.Text)
		}
		step("cancelled", map[string]bool{first: true, second: false})

		third := c.rotate("/start").OK().String("m2m_client", "next_client_secret")
		s.Call(http.MethodPut, c.path(""), fields{"client_name": "renamed in between"}).OK()
		step("two secrets again", map[string]bool{first: true, second: false, third: true})
		a = c.rotate("").OK()
		if a.Get("m2m_client", "client_secret_last_four") != third[40:] || a.Get("m2m_client", "next_client_secret_last_four") != nil {
			t.Errorf("rotated %s", a.Text)
		}
		step("rotated", map[string]bool{first: false, second: false, third: true})
		c.rotate("").Refused(400, "m2m_client_not_rotating_secret")
		for _, path := range []string{"/start", "/cancel", ""} {
			s.Call(http.MethodPost, "/v1/m2m/clients/nobody/secrets/rotate"+path, fields{}).Refused(404, "m2m_client_not_found")
		}
	})
}

// Of many who rotate at once one wins, and everybody is told a secret that is
// good or none.
func TestRacingRotations(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		c := newClient(s, "a")
		shown := make(chan string, 50)
		outcomes := authtest.Together(50, func(int) *authtest.Answer {
			a := c.rotate("/start")
			if a.Status == 200 {
				shown <- a.String("m2m_client", "next_client_secret")
			}
			return a
		})
		if outcomes[""] != 1 || outcomes["m2m_client_already_rotating_secret"] != 49 {
			t.Fatalf("starting: %v", outcomes)
		}
		second := <-shown
		outcomes = authtest.Together(50, func(i int) *authtest.Answer { return c.rotate([]string{"", "/cancel"}[i%2]) })
		if outcomes[""] != 1 || outcomes["m2m_client_not_rotating_secret"] != 49 {
			t.Fatalf("ending: %v", outcomes)
		}
		rotated := s.Call(http.MethodGet, c.path(""), nil).OK().Get("m2m_client", "client_secret_last_four") == second[40:]
		c.works(t, "the first secret", c.secret, !rotated)
		c.works(t, "the second secret", second, rotated)
	})
}

// A change of the master key needs no secret to be shown again: what the older
// key sealed is sealed anew, and then the older key can go.
func TestMasterKeysChange(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		c := newClient(s, "a")
		next := c.rotate("/start").OK().String("m2m_client", "next_client_secret")
		untouched := newClient(s.Environment("other"), "a")
		fresh := secret.NewMasterKey()
		both := s.With(fresh + "," + s.MasterKey())
		both.Env = s.Env
		for _, value := range []string{c.secret, next} {
			(&client{both, c.id, value}).works(t, "both keys", value, true)
		}
		if _, err := both.Reseal.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		ring, err := secret.ParseKeyring(fresh)
		if err != nil {
			t.Fatal(err)
		}
		alone, err := m2m.New(m2m.Config{DB: s.DB, Keyring: ring, Projects: s.Projects, Sign: both.Sessions.Sign, Now: s.Clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		gates := map[wire.Auth]wire.Gate{wire.Secret: s.Projects.SecretGate}
		server := wire.NewServer(wire.Config{Now: s.Clock.Now, Gates: gates}, alone.Endpoints()...)
		for _, of := range []*client{c, {s, c.id, next}, untouched} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodPost, of.tokenPath(), strings.NewReader(of.form(of.secret).Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if server.ServeHTTP(w, r); w.Code != 200 {
				t.Errorf("with the fresh key alone: %d %s", w.Code, w.Body)
			}
		}
	})
}
