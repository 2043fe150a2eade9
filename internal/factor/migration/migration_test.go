package migration_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/authtest"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

type fields = map[string]any

const (
	migrate = "/v1/sessions/migrate"
	setting = "session_migration.userinfo_url"
)

// world is a server and the product that people come from.
type world struct {
	*authtest.Server
	t      *testing.T
	url    string
	hits   atomic.Int32
	answer atomic.Value // of http.HandlerFunc
}

func reachable(o *app.Options) { o.Server.OutboundAllow = []string{"127.0.0.1/32"} }

func each(t *testing.T, test func(w *world)) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) { test(enter(t, s)) }, reachable)
}

func enter(t *testing.T, s *authtest.Server) *world {
	t.Helper()
	w := &world{Server: s, t: t}
	old := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.hits.Add(1)
		w.answer.Load().(http.HandlerFunc)(rw, r)
	}))
	t.Cleanup(old.Close)
	w.url = old.URL + "/userinfo"
	s.Configure(setting, w.url)
	return w
}

// says has the other product answer for the token "good" alone.
func (w *world) says(info any) {
	w.does(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/userinfo" || r.Header.Get("Authorization") != "Bearer good" {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(info)
	})
}

func (w *world) does(h http.HandlerFunc) { w.answer.Store(h) }

func (w *world) migrate(token string) *authtest.Answer {
	w.t.Helper()
	return w.Call(http.MethodPost, migrate, fields{"session_token": token, "session_duration_minutes": 60, "session_custom_claims": fields{"from": "auth0"}})
}

func TestASessionOfAnotherProductBecomesOne(t *testing.T) {
	each(t, func(w *world) {
		p := w.Person("ada@example.com")
		w.says(fields{"sub": "auth0|1", "email": "Ada@Example.com", "email_verified": true})
		a := w.migrate("good").OK()
		factor := a.Get("session", "authentication_factors", 0).(fields)
		if a.String("user_id") != p.UserID || factor["type"] != "imported" || factor["delivery_method"] != "imported_auth0" || a.Get("session", "custom_claims", "from") != "auth0" {
			t.Errorf("%s", a.Text)
		}
		w.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_token": a.String("session_token")}).OK()
		// Another call makes another session: the token is the other product's to end.
		if b := w.migrate("good").OK(); b.Get("session", "session_id") == a.Get("session", "session_id") {
			t.Error("the same session twice")
		}
		w.migrate("bad").Refused(400, "migrate_from_external_unexpected_response")
		w.says(fields{"email": "nobody@example.com", "email_verified": true})
		w.migrate("good").Refused(404, "migrate_from_external_email_does_not_exist")
		w.Configure(setting, "")
		w.migrate("good").Refused(400, "migrate_from_external_missing_userinfo")
		w.Call(http.MethodPost, migrate, fields{}).Refused(400, "bad_request")
	})
}

func TestWhatTheOtherProductSaysIsWeighed(t *testing.T) {
	each(t, func(w *world) {
		w.Person("ada@example.com")
		w.says(fields{"email": "ada@example.com", "email_verified": true})
		w.migrate("good").OK() // verifies her address
		const no = "migrate_from_external_unexpected_response"
		for text, want := range map[string]string{
			`{"email":"ada@example.com"}`: "", `{"email":"ada@example.com","email_verified":true}`: "", `{"email":"ada@example.com","email_verified":"true"}`: "",
			`{"email":"ada@example.com","email_verified":false}`: no, `{"email":"ada@example.com","email_verified":"false"}`: no,
			`{"email":"ada@example.com","email_verified":null}`: no, `{"email":"ada@example.com","email_verified":1}`: no,
			`{"email":""}`: no, `{"email":["ada@example.com"]}`: no, `{"email":"ada"}`: no, `{}`: no, `[]`: no, `null`: no, ``: no, `<html>`: no,
			`{"email":"ada@example.com"`: no, `{"email":"sandbox@stytch.com"}`: no, "eyJhbGciOiJub25lIn0.e30.": no,
		} {
			w.does(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(text)) })
			if got, _ := w.migrate("good").Body["error_type"].(string); got != want {
				t.Errorf("%s: %q, want %q", text, got, want)
			}
		}
		hits := w.hits.Load()
		for _, token := range []string{"a b", "a\r\nX-Admin: 1", "ä", "a,b", strings.Repeat("x", 9000), "a;b"} {
			w.migrate(token).Refused(400, "bad_request")
		}
		if w.hits.Load() != hits {
			t.Error("what is no token was sent")
		}
	})
}

// Security case 14: an unverified address of ours is proven by a product that
// says it verified it, and what was there before is gone.
func TestSecurity14PreHijackingThroughAnUnverifiedAddress(t *testing.T) {
	each(t, func(w *world) {
		userID := w.Call(http.MethodPost, "/v1/users", fields{"email": "victim@example.com"}).OK().String("user_id")
		link := w.Call(http.MethodPost, "/v1/magic_links", fields{"user_id": userID}).OK().String("token")
		attacker := w.Call(http.MethodPost, "/v1/magic_links/authenticate", fields{"token": link, "session_duration_minutes": 60}).OK()
		w.says(fields{"email": "victim@example.com"})
		w.migrate("good").Refused(404, "migrate_from_external_email_does_not_exist")
		w.says(fields{"email": "victim@example.com", "email_verified": true})
		a := w.migrate("good").OK()
		if a.String("user_id") != userID || a.Get("user", "emails", 0, "verified") != true || a.Get("reset_sessions") != true {
			t.Errorf("%s", a.Text)
		}
		w.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_token": attacker.String("session_token")}).Refused(404, "session_not_found")
		// An address that somebody only added to their own user matches nobody.
		w.Person("eve@example.com")
		w.says(fields{"email": "eve@example.com", "email_verified": true})
		eve := w.migrate("good").OK().String("session_token")
		w.Call(http.MethodPost, "/v1/otps/email/send", fields{"email": "other@example.com", "session_token": eve}).OK()
		w.says(fields{"email": "other@example.com", "email_verified": true})
		w.migrate("good").Refused(404, "migrate_from_external_email_does_not_exist")
	})
}

// Security case 39: only the address that was set is asked, and it is guarded.
func TestSecurity39TheOtherProductIsAskedSafely(t *testing.T) {
	each(t, func(w *world) {
		w.Person("ada@example.com")
		var leaked atomic.Int32
		elsewhere := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			leaked.Add(1)
			_, _ = rw.Write([]byte(`{"email":"ada@example.com"}`))
		}))
		defer elsewhere.Close()
		for what, answer := range map[string]http.HandlerFunc{
			"redirect": func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, elsewhere.URL, http.StatusTemporaryRedirect)
			},
			"created": func(rw http.ResponseWriter, _ *http.Request) {
				rw.WriteHeader(201)
				_, _ = rw.Write([]byte(`{"email":"ada@example.com"}`))
			},
			"huge": func(rw http.ResponseWriter, _ *http.Request) {
				_, _ = rw.Write([]byte(`{"email":"ada@example.com","x":"` + strings.Repeat("x", 1<<20) + `"}`))
			},
			"no content": func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(204) },
			"down":       func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		} {
			w.does(answer)
			a := w.migrate("good")
			if a.Body["error_type"] != "migrate_from_external_unexpected_response" || strings.Contains(a.Text, "127.0.0.1") {
				t.Errorf("%s: %s", what, a.Text)
			}
		}
		if leaked.Load() != 0 {
			t.Error("the token went elsewhere")
		}
	})
	w := enter(t, authtest.New(t)) // a server that opens nothing
	w.says(fields{"email": "ada@example.com"})
	w.migrate("good").Refused(400, "migrate_from_external_unexpected_response")
	if w.hits.Load() != 0 {
		t.Error("a private address was called")
	}
}

func TestSecurity39ASlowProductIsNotWaitedForLong(t *testing.T) {
	w := enter(t, authtest.New(t, reachable))
	w.does(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if took := authtest.Took(func() { w.migrate("good").Refused(400, "migrate_from_external_unexpected_response") }); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

// Security case 52: who is locked is not let in by another product.
func TestSecurity52LockedUsers(t *testing.T) {
	each(t, func(w *world) {
		w.Call(http.MethodPost, "/v1/passwords", fields{"email": "ada@example.com", "password": "mauve tractor sings 41"}).OK()
		for range 10 {
			w.Call(http.MethodPost, "/v1/passwords/authenticate", fields{"email": "ada@example.com", "password": "wrong one entirely"})
		}
		w.says(fields{"email": "ada@example.com", "email_verified": true})
		if a := w.migrate("good"); a.Status != 429 {
			t.Errorf("%s", a.Text)
		}
	})
}

// Security case 65: the token of the other product is in no answer and no log.
func TestSecurity65TheTokenIsNotLogged(t *testing.T) {
	each(t, func(w *world) {
		const token = "zqcanaryqz"
		w.Person("ada@example.com")
		w.does(func(rw http.ResponseWriter, r *http.Request) { _, _ = rw.Write([]byte(r.Header.Get("Authorization"))) })
		text := w.migrate(token).Text
		w.does(func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = rw.Write([]byte(`{"email":"ada@example.com","email_verified":true}`))
		})
		text += w.migrate(token).OK().Text
		w.does(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		text += w.migrate(token).Text + w.migrate(token+" ").Text
		if strings.Contains(text, token) || strings.Contains(w.Logs.String(), token) {
			t.Error("the token is shown")
		}
	})
}

func TestTheAddressIsChecked(t *testing.T) {
	s := authtest.New(t)
	for value, live := range map[string][2]bool{
		"https://old.example/userinfo": {true, true}, "http://old.example/userinfo": {true, false}, "": {true, true},
		"file:///etc/passwd": {}, "https://a:b@old.example/": {}, "userinfo": {},
	} {
		for i, env := range []*project.Environment{s.Env, s.Live} {
			err := s.Projects.ChangeConfig(t.Context(), env.ID, func(_ id.Env, c *project.Config) error { return c.Set(setting, value) })
			if (err == nil) != live[i] {
				t.Errorf("%q in %s: %v", value, env.Kind, err)
			}
		}
	}
}
