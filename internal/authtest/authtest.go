// Package authtest runs the whole server for a test: real storage, real HTTP on
// a free port, a clock that stands still, and clients for both doors. Tests
// use it from outside the packages they test, the way a customer would.
package authtest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/internal/app"
	"gatehouse/internal/config"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// Server is a running server with one project. Its test environment is the one
// the clients talk to.
type Server struct {
	*app.App
	Clock *storetest.Clock
	Logs  *Log
	URL   string // as a browser names it: http://localhost:PORT
	Env   *project.Environment
	Live  *project.Environment

	t      testing.TB
	secret string
	http   *http.Client
	node   node
}

// node is what a second server needs to share the first one's data.
type node struct {
	url, masterKey string
	edits          []func(*app.Options)
}

// New starts a server on a fresh SQLite database, with options as edited.
func New(t testing.TB, edits ...func(*app.Options)) *Server { return start(t, store.SQLite, edits...) }

// Each runs a test against a server on every engine.
func Each(t *testing.T, test func(t *testing.T, s *Server), edits ...func(*app.Options)) {
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) { test(t, start(t, engine, edits...)) })
	}
}

func start(t testing.TB, engine store.Engine, edits ...func(*app.Options)) *Server {
	t.Helper()
	s := open(t, node{storetest.URL(t, engine), secret.NewMasterKey(), edits}, storetest.NewClock())
	test, live, err := s.Projects.CreateProject(t.Context(), "Acme")
	if err != nil {
		t.Fatal(err)
	}
	s.Env, s.Live = test, live
	if _, s.secret, err = s.Projects.CreateSecret(t.Context(), test.ID); err != nil {
		t.Fatal(err)
	}
	// An ES256 key is made in a moment, an RS256 key takes most of a second.
	s.Configure("session.algorithm", project.ES256)
	return s
}

// Node starts a second server on the same data and the same clock.
func (s *Server) Node() *Server {
	s.t.Helper()
	other := open(s.t, s.node, s.Clock)
	other.Env, other.Live, other.secret = s.Env, s.Live, s.secret
	other.SetPublicURL(s.URL)
	return other
}

func open(t testing.TB, n node, clock *storetest.Clock) *Server {
	t.Helper()
	s := &Server{Clock: clock, Logs: &Log{}, t: t, node: n, http: &http.Client{CheckRedirect: seeRedirects}}
	var err error
	s.App, err = app.Open(context.Background(), s.options(n.masterKey))
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.App)
	_, port, err := net.SplitHostPort(web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.URL = "http://localhost:" + port
	s.SetPublicURL(s.URL)
	t.Cleanup(func() {
		web.Close()
		if err := s.Close(); err != nil {
			t.Errorf("closing the server: %v", err)
		}
	})
	return s
}

// seeRedirects shows a redirect to the test instead of following it.
func seeRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (s *Server) options(masterKey string) app.Options {
	o := app.Options{
		Database: config.Database{DatabaseURL: s.node.url, MasterKey: masterKey},
		Server:   config.Server{PublicURL: "http://localhost"},
		Logger:   slog.New(slog.NewJSONHandler(s.Logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:      s.Clock.Now,
	}
	for _, edit := range s.node.edits {
		edit(&o)
	}
	return o
}

// With starts a second server on the same data with other master keys.
func (s *Server) With(masterKeys string) *Server {
	s.t.Helper()
	n := s.node
	n.masterKey = masterKeys
	return open(s.t, n, s.Clock)
}

// MasterKey seals the server's secrets.
func (s *Server) MasterKey() string { return s.node.masterKey }

// Reopen starts one more server on the same data with other master keys, and
// stops it; it returns why it could not start.
func (s *Server) Reopen(masterKeys string) error {
	other, err := app.Open(context.Background(), s.options(masterKeys))
	if err != nil {
		return err
	}
	return other.Close()
}

// Configure changes one setting of the test environment.
func (s *Server) Configure(path, value string) {
	s.t.Helper()
	err := s.Projects.ChangeConfig(s.t.Context(), s.Env.ID, func(_ id.Env, c *project.Config) error { return c.Set(path, value) })
	if err != nil {
		s.t.Fatal(err)
	}
	if s.Env, err = s.Projects.Environment(s.t.Context(), s.Env.ID); err != nil {
		s.t.Fatal(err)
	}
}

// Environment adds another test environment to the project and returns the
// same server as its clients see it.
func (s *Server) Environment(name string) *Server {
	s.t.Helper()
	other := *s
	var err error
	if other.Env, err = s.Projects.CreateEnvironment(s.t.Context(), s.Env.ProjectID, id.Test, name); err != nil {
		s.t.Fatal(err)
	}
	if _, other.secret, err = s.Projects.CreateSecret(s.t.Context(), other.Env.ID); err != nil {
		s.t.Fatal(err)
	}
	other.Configure("session.algorithm", project.ES256)
	return &other
}

// LiveServer is the same server as clients of the live environment see it.
func (s *Server) LiveServer() *Server {
	s.t.Helper()
	live := *s
	live.Env = s.Live
	var err error
	if _, live.secret, err = s.Projects.CreateSecret(s.t.Context(), live.Env.ID); err != nil {
		s.t.Fatal(err)
	}
	live.Configure("session.algorithm", project.ES256)
	return &live
}

// DatabaseFile is the path of the SQLite database.
func (s *Server) DatabaseFile() string { return strings.TrimPrefix(s.node.url, "sqlite:") }

// Answer is a response, decoded.
type Answer struct {
	Status  int
	Header  http.Header
	Text    string
	Body    map[string]any // the data of the envelope behind the browser's door
	Cookies []*http.Cookie
	t       testing.TB
	what    string
}

// Request sends one request as it is. A body that is a string goes out as
// written, anything else as JSON; nil sends none.
func (s *Server) Request(method, path string, body any, edit func(*http.Request)) *Answer {
	s.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = bytes.NewReader([]byte(b))
	default:
		text, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, s.URL+path, reader)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if edit != nil {
		edit(r)
	}
	return s.do(r)
}

func (s *Server) do(r *http.Request) *Answer {
	s.t.Helper()
	resp, err := s.http.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // everything of it has been read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := &Answer{Status: resp.StatusCode, Header: resp.Header, Text: string(text), Cookies: resp.Cookies(), t: s.t, what: r.Method + " " + r.URL.Path}
	if len(text) > 0 && text[0] == '{' {
		if err := json.Unmarshal(text, &a.Body); err != nil {
			s.t.Fatalf("%s answered what is not JSON: %s", a.what, text)
		}
	}
	return a
}

// Call calls the backend API with the environment's secret.
func (s *Server) Call(method, path string, body any) *Answer {
	s.t.Helper()
	return s.Request(method, path, body, func(r *http.Request) { r.SetBasicAuth(s.Env.ID, s.secret) })
}

// Secret is the secret key of the test environment.
func (s *Server) Secret() string { return s.secret }

// Browser is a page that talks to the browser's door.
type Browser struct {
	Origin  string // http://localhost:3000 unless changed
	Token   string // its session token, "" when nobody is signed in
	Cookies []*http.Cookie
	server  *Server
}

// Browser returns a page at which nobody is signed in.
func (s *Server) Browser() *Browser {
	return &Browser{Origin: "http://localhost:3000", server: s}
}

// Call calls the browser's door and unwraps its envelope.
func (b *Browser) Call(method, path string, body any) *Answer {
	b.server.t.Helper()
	public := b.server.Env.PublicTokens[0].Token
	a := b.server.Request(method, path, body, func(r *http.Request) {
		password := b.Token
		if password == "" {
			password = public
		}
		r.SetBasicAuth(public, password)
		if b.Origin != "" {
			r.Header.Set("Origin", b.Origin)
			r.Header.Set("X-SDK-Parent-Host", b.Origin)
		}
		for _, c := range b.Cookies {
			r.AddCookie(c)
		}
	})
	if data, ok := a.Body["data"].(map[string]any); ok {
		a.Body = data
	}
	return a
}

// OK fails the test unless the call succeeded.
func (a *Answer) OK() *Answer {
	a.t.Helper()
	if a.Status != http.StatusOK {
		a.t.Fatalf("%s answered %d: %s", a.what, a.Status, a.Text)
	}
	return a
}

// Refused fails the test unless the call was refused in exactly this way.
func (a *Answer) Refused(status int, errorType string) *Answer {
	a.t.Helper()
	if a.Status != status || a.Body["error_type"] != errorType {
		a.t.Fatalf("%s answered %d %v, want %d %s: %s", a.what, a.Status, a.Body["error_type"], status, errorType, a.Text)
	}
	if message, _ := a.Body["error_message"].(string); message == "" {
		a.t.Errorf("%s refused without a message", a.what)
	}
	return a
}

// Get returns a value of the body by its path, e.g. Get("user", "emails", 0,
// "verified"); nil when there is none.
func (a *Answer) Get(path ...any) any {
	var v any = a.Body
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[s]
		case int:
			list, _ := v.([]any)
			if s >= len(list) {
				return nil
			}
			v = list[s]
		}
	}
	return v
}

// String is Get for a value that must be text.
func (a *Answer) String(path ...any) string {
	a.t.Helper()
	v, ok := a.Get(path...).(string)
	if !ok {
		a.t.Fatalf("%s: %v is not text in %s", a.what, path, a.Text)
	}
	return v
}
