package m2m_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/event"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

// dump is what the tables of clients and the audit log hold, as text.
func dump(t testing.TB, s *authtest.Server) string {
	t.Helper()
	var out strings.Builder
	err := s.DB.View(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(`SELECT client_id, name, description, scopes, trusted_metadata, secret_last_four, COALESCE(next_secret_last_four, ''),
			secret_sealed, next_secret_sealed FROM m2m_clients ORDER BY environment_id, client_id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var text [7]string
			var sealed [2][]byte
			if err := rows.Scan(&text[0], &text[1], &text[2], &text[3], &text[4], &text[5], &text[6], &sealed[0], &sealed[1]); err != nil {
				return err
			}
			fmt.Fprintf(&out, "%q %x %x\n", text, sealed[0], sealed[1])
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	events, err := event.List(t.Context(), s.DB, s.Env.ID, "", "", 1000)
	fmt.Fprintf(&out, "%+v", events)
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A copy of the database holds no secret of a client, nor anything that a guess
// could be compared with: not for a weak secret either.
func TestSecretsAreNotInTheDatabase(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		const weak = "kX9!vQ2z"
		s.Call(http.MethodPost, "/v1/m2m/clients", fields{"client_id": "imported", "client_secret": weak, "scopes": []string{}}).OK()
		c := newClient(s)
		next := c.rotate("/start").OK().String("m2m_client", "next_client_secret")
		text := strings.ToLower(dump(t, s))
		for id, values := range map[string][]string{"imported": {weak}, c.id: {c.secret, next}} {
			for _, value := range values {
				for what, form := range map[string]string{
					"the secret": value, "its hexadecimal form": hex.EncodeToString([]byte(value)), "its base64": base64.StdEncoding.EncodeToString([]byte(value)),
					"its hash": hex.EncodeToString(secret.Hash(value)), "its hash with the client": hex.EncodeToString(secret.Hash(id + "\x00" + value)),
				} {
					if strings.Contains(text, strings.ToLower(form)) {
						t.Errorf("the database holds %s", what)
					}
				}
			}
		}
		if !strings.Contains(text, "imported") || !strings.Contains(text, c.id) {
			t.Error("the dump lacks the clients, so finding nothing in it proves nothing")
		}
		if err := s.Reopen(secret.NewMasterKey()); err == nil {
			t.Error("the database opens without its master key")
		}
	})
}

// A row's secret is bound to its client: copied into another row it is worth
// nothing.
func TestASecretIsItsClientsOwn(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		mine, theirs := newClient(s, "a"), newClient(s, "admin")
		err := s.DB.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE m2m_clients SET secret_sealed = (SELECT m.secret_sealed FROM m2m_clients m WHERE m.client_id = $1) WHERE client_id = $2`, mine.id, theirs.id)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		theirs.works(t, "a secret of another row", mine.secret, false)
	})
}

// TestSecurity22BodySuppliedIdentity: naming a client is not being it, and the
// clients' own interface is for the project's secret alone.
func TestSecurity22BodySuppliedIdentity(t *testing.T) {
	s := authtest.New(t)
	c := newClient(s, "a")
	for _, body := range []fields{
		{"grant_type": "client_credentials", "client_id": c.id},
		{"grant_type": "client_credentials", "client_id": c.id, "client_secret": "", "client_secret_last_four": c.secret[40:]},
		{"grant_type": "client_credentials", "client_id": c.id, "client_secret": nil, "sub": c.id},
	} {
		refused(t, s.Request(http.MethodPost, c.tokenPath(), body, nil), 401, "invalid_client")
	}
	token := c.ask(c.secret).OK().String("access_token")
	for what, edit := range map[string]func(*http.Request){
		"nobody":      nil,
		"the client":  func(r *http.Request) { r.SetBasicAuth(c.id, c.secret) },
		"its token":   func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
		"the project": func(r *http.Request) { r.SetBasicAuth(s.Env.ID, c.secret) },
	} {
		for _, path := range []string{"", "/secrets/rotate/start"} {
			method := map[string]string{"": http.MethodGet}[path]
			if method == "" {
				method = http.MethodPost
			}
			if a := s.Request(method, c.path(path), nil, edit); a.Status != 401 {
				t.Errorf("%s: %d %s", what, a.Status, a.Text)
			}
		}
	}
}

// TestSecurity24RecycledIDs: a client that takes over an id inherits nothing,
// neither in its own environment nor from another one.
func TestSecurity24RecycledIDs(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		other := s.Environment("other")
		make := func(e *authtest.Server, scopes ...string) *client {
			a := e.Call(http.MethodPost, "/v1/m2m/clients", fields{"client_id": "billing", "scopes": scopes, "client_name": e.Env.Name}).OK()
			return &client{e, "billing", a.String("m2m_client", "client_secret")}
		}
		old := make(s, "admin")
		s.Call(http.MethodDelete, old.path(""), nil).OK()
		fresh, foreign := make(s, "read"), make(other, "foreign")
		old.works(t, "the secret of a deleted client", old.secret, false)
		for _, c := range []*client{fresh, foreign} {
			if got := c.ask(c.secret).OK().Get("scope"); got != map[*client]string{fresh: "read", foreign: "foreign"}[c] {
				t.Errorf("the token has %v", got)
			}
		}
		foreign.works(t, "the secret of a namesake", fresh.secret, false)
		fresh.works(t, "the secret of a namesake", foreign.secret, false)
		other.Call(http.MethodDelete, foreign.path(""), nil).OK()
		fresh.works(t, "after a namesake was deleted", fresh.secret, true)
	})
}

// TestSecurity25ForeignTokens: a token of another project, or of something that
// is no session, is no session; and a session is no client.
func TestSecurity25ForeignTokens(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		c := newClient(s, "a")
		token := c.ask(c.secret).OK().String("access_token")
		p := s.Person("ada@example.com").Session()
		s.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_jwt": token}).Refused(400, "unable_to_parse_session_jwt")
		b := s.Browser()
		b.Token = token
		if a := b.Call(http.MethodPost, "/sdk/v1/sessions/authenticate", fields{}); a.Status != 404 {
			t.Errorf("at the browser's door: %d %s", a.Status, a.Text)
		}
		if a := b.Call(http.MethodGet, "/sdk/v1/users/me", nil); a.Status < 400 {
			t.Errorf("the client's own user: %d %s", a.Status, a.Text)
		}
		jwt := part(t, p.String("session_jwt"), 1)
		if jwt["client_id"] != nil || jwt["scope"] != nil || jwt["sub"] == c.id {
			t.Errorf("a session's JWT says what a client's says: %v", jwt)
		}
		for _, value := range []string{p.String("session_jwt")[:200], p.String("session_token"), s.Secret(), token[:200]} {
			c.works(t, "a credential of another kind", value, false)
		}
		other := s.Environment("other")
		foreign := &client{other, c.id, c.secret}
		foreign.works(t, "another environment", c.secret, false)
		(&client{s.LiveServer(), c.id, c.secret}).works(t, "live", c.secret, false)
		// What was given to somebody is not taken back by deleting the client, and
		// renews nothing.
		s.Call(http.MethodDelete, c.path(""), nil).OK()
		c.works(t, "deleted", c.secret, false)
	})
}

// TestSecurity28ParameterPollution: a parameter that is there twice is refused.
func TestSecurity28ParameterPollution(t *testing.T) {
	s := authtest.New(t)
	c := newClient(s, "a", "admin")
	for _, name := range []string{"grant_type", "client_id", "client_secret", "scope", "audience"} {
		f := c.form(c.secret)
		f.Set("scope", "a")
		f.Set("audience", "x")
		f[name] = append(f[name], f.Get(name))
		refused(t, post(s, c.tokenPath(), f, nil), 400, "invalid_request")
		f[name][1] = "admin"
		refused(t, post(s, "/v1/oauth2/token", f, nil), 400, "invalid_request")
	}
	twice := fmt.Sprintf(`{"grant_type":"client_credentials","client_id":%q,"client_secret":%q,"scope":"a","scope":"admin"}`, c.id, c.secret)
	refused(t, s.Request(http.MethodPost, c.tokenPath(), twice, nil), 400, "invalid_request")
	a := post(s, c.tokenPath(), c.form(c.secret), func(r *http.Request) { r.Header["Authorization"] = []string{"Basic eDp5", "Basic eDp5"} })
	refused(t, a, 400, "invalid_request")
}

// TestSecurity53MalleableTokens: a secret is accepted as it was shown, to the
// last bit.
func TestSecurity53MalleableTokens(t *testing.T) {
	s := authtest.New(t)
	c := newClient(s, "a")
	next := c.rotate("/start").OK().String("m2m_client", "next_client_secret")
	for _, value := range []string{c.secret, next} {
		variants := []string{value + "A", "A" + value, value[:43], value[1:], value + "=", value + "\n", " " + value, strings.ToLower(value), strings.ToUpper(value), value + value}
		for i := range value {
			changed := []byte(value)
			changed[i] ^= 1
			variants = append(variants, string(changed))
		}
		for i, v := range variants {
			if i%9 == 0 {
				s.Clock.Advance(time.Minute) // another window for guesses
			}
			if v != value {
				c.works(t, "a variant", v, false)
			}
		}
		s.Clock.Advance(time.Minute)
		c.works(t, "itself", value, true)
	}
	for _, clientID := range []string{strings.ToUpper(c.id), c.id + " ", c.id[1:], c.id + "\n"} {
		f := c.form(c.secret)
		f.Set("client_id", clientID)
		refused(t, post(s, c.tokenPath(), f, nil), 401, "invalid_client")
	}
}

// TestSecurity55Exhaustion: sizes are checked before anything is looked at.
func TestSecurity55Exhaustion(t *testing.T) {
	s := authtest.New(t)
	c := newClient(s, "a")
	for _, f := range []url.Values{
		{"grant_type": {"client_credentials"}, "client_id": {strings.Repeat("a", 900_000)}, "client_secret": {"x"}},
		{"grant_type": {"client_credentials"}, "client_id": {c.id}, "client_secret": {strings.Repeat("a", 900_000)}},
		{"grant_type": {"client_credentials"}, "client_id": {c.id}, "client_secret": {strings.Repeat(".", 900_000)}},
	} {
		refused(t, post(s, c.tokenPath(), f, nil), 401, "invalid_client")
	}
	f := c.form(c.secret)
	f.Set("scope", strings.Repeat("a ", 400_000))
	if a := post(s, c.tokenPath(), f, nil).OK(); a.Get("scope") != "a" {
		t.Errorf("the scope is %.100v", a.Get("scope"))
	}
	f.Set("scope", strings.Repeat("x", 1<<20))
	refused(t, post(s, c.tokenPath(), f, nil), 400, "invalid_request")
	many := url.Values{"grant_type": {"client_credentials"}}
	for i := range 50_000 {
		many.Set(fmt.Sprint("p", i), "")
	}
	if a := post(s, c.tokenPath(), many, nil); a.Status < 400 || a.Status > 401 {
		t.Errorf("%d %s", a.Status, a.Text)
	}
}

// TestSecurity61SecretsInListings: a secret is in the answer that makes it, and
// in no other.
func TestSecurity61SecretsInListings(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		c := newClient(s, "a")
		next := c.rotate("/start").OK().String("m2m_client", "next_client_secret")
		answers := []*authtest.Answer{
			s.Call(http.MethodGet, c.path(""), nil),
			s.Call(http.MethodPut, c.path(""), fields{"client_name": "x"}),
			s.Call(http.MethodPost, "/v1/m2m/clients/search", fields{}),
			c.ask(c.secret),
			c.rotate("/start"), c.rotate(""), c.rotate("/cancel"),
			s.Call(http.MethodDelete, c.path(""), nil),
		}
		for _, a := range answers {
			for _, value := range []string{c.secret, next, hex.EncodeToString(secret.Hash(c.secret))} {
				if strings.Contains(a.Text, value) {
					t.Errorf("a secret is in %s", a.Text)
				}
			}
			if strings.Contains(a.Text, `"client_secret"`) || strings.Contains(a.Text, "sealed") {
				t.Errorf("a field for a secret is in %s", a.Text)
			}
		}
	})
}

// TestSecurity65LogLeakage: neither secrets nor tokens are in the log or the
// audit log, whatever became of the request.
func TestSecurity65LogLeakage(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		c := newClient(s, "a")
		next := c.rotate("/start").OK().String("m2m_client", "next_client_secret")
		token := c.ask(c.secret).OK().String("access_token")
		const guess = "zqcanaryqz-guess"
		c.works(t, "a guess", guess, false)
		refused(t, post(s, c.tokenPath(), url.Values{"grant_type": {guess}, "client_id": {guess}, "client_secret": {guess}, guess: {guess}}, nil), 400, "unsupported_grant_type")
		refused(t, post(s, c.tokenPath(), url.Values{guess: {guess, guess}}, nil), 400, "invalid_request")
		post(s, c.tokenPath(), url.Values{"grant_type": {"client_credentials"}}, func(r *http.Request) { r.SetBasicAuth(guess, guess) })
		events, err := event.List(t.Context(), s.DB, s.Env.ID, "", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		seen := s.Logs.String() + fmt.Sprintf("%+v", events)
		if !strings.Contains(seen, "oauth2/token") || !strings.Contains(seen, "m2m_client.create") {
			t.Error("the logs lack the requests, so finding nothing in them proves nothing")
		}
		for _, value := range []string{c.secret, next, token, strings.Split(token, ".")[2], guess} {
			if strings.Contains(seen, value) {
				t.Errorf("the logs hold %.20s", value)
			}
		}
	})
}

// brought is a client whose secret somebody has brought along.
func brought(s *authtest.Server, id string) *client {
	const value = "kX9!vQ2z-7Lm"
	s.Call(http.MethodPost, "/v1/m2m/clients", fields{"client_id": id, "client_secret": value, "scopes": []string{"a"}}).OK()
	return &client{s, id, value}
}

// TestGuessesOfNeighboursLockNobodyOut: behind one address, whoever guesses does
// not keep a client out whose secret was made here.
func TestGuessesOfNeighboursLockNobodyOut(t *testing.T) {
	s := authtest.New(t)
	c := newClient(s, "a")
	for i := range 12 {
		c.ask(fmt.Sprint("guess", i))
	}
	for i := range 100 {
		(&client{s, fmt.Sprint("nobody", i), ""}).ask("guess")
	}
	refused(t, c.ask("guess"), 429, "too_many_requests")
	c.works(t, "the secret", c.secret, true)
	for range 20 {
		c.works(t, "one that was made for nobody", secret.Token(), false)
	}
	c.works(t, "the secret", c.secret, true)
}

// Guessing is slowed down, for one client and over many; who is right never
// waits, and a wait ends.
func TestGuessingIsThrottled(t *testing.T) {
	s := authtest.New(t)
	c, other := brought(s, "billing"), brought(s, "reports")
	s.Clock.Set(s.Clock.Now().Truncate(time.Minute))
	for range 50 {
		c.works(t, "right", c.secret, true)
	}
	for i := range 10 {
		c.works(t, "wrong", fmt.Sprint("guess", i), false)
	}
	a := c.ask(c.secret)
	refused(t, a, 429, "too_many_requests")
	if a.Header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
	other.works(t, "another client", other.secret, true)
	s.Clock.Advance(time.Minute)
	c.works(t, "a minute later", c.secret, true)

	for i := range 100 {
		stranger := &client{s, fmt.Sprint("nobody", i), ""}
		stranger.works(t, "nobody", "guess", false)
	}
	refused(t, other.ask(other.secret), 429, "too_many_requests")
	// A race gets no further than that.
	s.Clock.Advance(time.Minute)
	tried := authtest.Together(100, func(i int) *authtest.Answer { return c.ask(fmt.Sprint("guess", i)) })
	refused(t, c.ask(c.secret), 429, "too_many_requests")
	if tried[""] != 100 {
		t.Errorf("outcomes %v", tried)
	}
}

// An unknown client and a wrong secret answer alike and take alike.
func TestUnknownClientsTakeAsLong(t *testing.T) {
	s := authtest.New(t)
	c := newClient(s, "read:users", "write:users")
	unknown := &client{s, "m2m-client-test-0194f0a2-7c1e-4abc-8def-0123456789ab", ""}
	wrong := strings.Repeat("x", 44)
	a, b := c.ask(wrong), unknown.ask(wrong)
	refused(t, a, 401, "invalid_client")
	for _, name := range []string{"error", "error_description", "error_uri"} {
		if a.Get(name) != b.Get(name) {
			t.Errorf("%s: %v and %v", name, a.Get(name), b.Get(name))
		}
	}
	authtest.SameTime(t, 1.5, func(int) { s.Clock.Advance(2 * time.Minute) }, func(int) { c.ask(wrong) }, func(int) { unknown.ask(wrong) })
}
