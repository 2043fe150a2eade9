package oauth_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/app"
	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/factor/oauth/provider/providertest"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

type body = map[string]any

const (
	loginURL  = "http://localhost:3000/login"
	signupURL = "http://localhost:3000/signup"
	nativeURL = "acme://done"
)

var hour = body{"session_duration_minutes": 60}

// with is some fields with more of them.
func with(some, more body) body {
	all := body{}
	maps.Copy(all, some)
	maps.Copy(all, more)
	return all
}

func allowLoopback(o *app.Options) { o.Server.OutboundAllow = []string{"127.0.0.1", "::1"} }

func threePerMinute(o *app.Options) { o.Server.SDKRateLimit = 3 }

// world is a server with providers around it.
type world struct {
	*authtest.Server
	idp *providertest.Server
	t   *testing.T
}

// each runs a test in a world on every engine.
func each(t *testing.T, test func(t *testing.T, w *world), edits ...func(*app.Options)) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) { test(t, worldOf(t, s)) }, append(edits, allowLoopback)...)
}

// once is each on SQLite alone, for what no table has a part in.
func once(t *testing.T, test func(t *testing.T, w *world), edits ...func(*app.Options)) {
	test(t, worldOf(t, authtest.New(t, append(edits, allowLoopback)...)))
}

func worldOf(t *testing.T, s *authtest.Server) *world {
	t.Helper()
	w := &world{Server: s, idp: providertest.New(t, s.Clock.Now), t: t}
	w.addURLs(s)
	return w
}

func (w *world) addURLs(s *authtest.Server) {
	w.t.Helper()
	for address, types := range map[string][]project.RedirectType{
		loginURL: {project.RedirectLogin}, signupURL: {project.RedirectSignup}, nativeURL: {project.RedirectLogin, project.RedirectSignup},
	} {
		if _, err := s.Projects.AddRedirectURL(w.t.Context(), s.Env.ID, address, types, address != nativeURL); err != nil {
			w.t.Fatal(err)
		}
	}
}

// setUp gives the environment credentials of these providers.
func (w *world) setUp(names ...string) {
	w.t.Helper()
	w.setUpAt(w.Server, names...)
}

func (w *world) setUpAt(s *authtest.Server, names ...string) {
	w.t.Helper()
	for _, name := range names {
		if err := s.OAuth.Set(w.t.Context(), s.Env, name, w.idp.Credentials(name)); err != nil {
			w.t.Fatalf("%s: %v", name, err)
		}
		w.idp.Register(name, s.OAuth.RedirectURI(s.Env, known(name)))
	}
}

// known is a provider by its name.
func known(name string) *provider.Provider {
	p, _ := provider.Find(name)
	return p
}

// tab is a browser in which somebody signs in.
type tab struct {
	w       *world
	s       *authtest.Server // whose environment it is about
	cookies map[string]string
	accept  string
}

func (w *world) tab() *tab { return &tab{w: w, s: w.Server, cookies: map[string]string{}} }

func (b *tab) send(method, path, form string) *authtest.Answer {
	b.w.t.Helper()
	a := b.s.Request(method, path, form, func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if b.accept != "" {
			r.Header.Set("Accept", b.accept)
		}
		for name, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	})
	for _, c := range a.Cookies {
		b.cookies[c.Name] = c.Value
	}
	return a
}

// mark is the browser's mark for providers that come back with a link.
func (b *tab) mark() *http.Cookie {
	b.w.t.Helper()
	for name, value := range b.cookies {
		if strings.HasPrefix(name, "gatehouse_oauth.") {
			return &http.Cookie{Name: name, Value: value}
		}
	}
	b.w.t.Fatalf("the browser has no mark: %v", b.cookies)
	return nil
}

// start visits the address that sends browsers to a provider.
func (b *tab) start(name string, query url.Values) *authtest.Answer {
	b.w.t.Helper()
	all := url.Values{"public_token": {b.s.Env.PublicTokens[0].Token}}
	maps.Copy(all, query)
	return b.send(http.MethodGet, "/v1/public/oauth/"+name+"/start?"+all.Encode(), "")
}

// ask is start that goes through, and what the provider answers.
func (b *tab) ask(name string, query url.Values) url.Values {
	b.w.t.Helper()
	a := b.start(name, query)
	if a.Status != http.StatusFound {
		b.w.t.Fatalf("start of %s: %d %s", name, a.Status, a.Text)
	}
	values, err := b.w.idp.Browse(a.Header.Get("Location"))
	if err != nil {
		b.w.t.Fatalf("%s: %v", name, err)
	}
	return values
}

// back comes back from a provider with what it answered.
func (b *tab) back(name string, values url.Values) *authtest.Answer {
	b.w.t.Helper()
	path := oauth.CallbackPath(b.s.Env, known(name))
	if name == "apple" {
		return b.send(http.MethodPost, path, values.Encode())
	}
	return b.send(http.MethodGet, path+"?"+values.Encode(), "")
}

// arrives reads where the browser is sent on to.
func (w *world) arrives(a *authtest.Answer) (address string, query url.Values) {
	w.t.Helper()
	u, err := url.Parse(a.Header.Get("Location"))
	if a.Status != http.StatusFound && a.Status != http.StatusSeeOther || err != nil {
		w.t.Fatalf("the browser is not sent on: %d %s", a.Status, a.Text)
	}
	address, _, _ = strings.Cut(u.String(), "?")
	return address, u.Query()
}

// token is the whole way to a provider and back.
func (b *tab) token(name string, query url.Values) (address, token string) {
	b.w.t.Helper()
	address, got := b.w.arrives(b.back(name, b.ask(name, query)))
	if got.Get("stytch_token_type") != "oauth" || got.Get("token") == "" {
		b.w.t.Fatalf("%s brings back %v", name, got)
	}
	return address, got.Get("token")
}

// refused is token that brings back a verdict.
func (b *tab) refused(a *authtest.Answer, verdict string) {
	b.w.t.Helper()
	address, got := b.w.arrives(a)
	if address != loginURL || got.Get("error") != verdict || got.Get("error_description") == "" || got.Has("token") {
		b.w.t.Fatalf("the app is told %s %v, want %s", address, got, verdict)
	}
}

// signIn signs in as whoever sits at the provider.
func (w *world) signIn(name string, more body) *authtest.Answer {
	w.t.Helper()
	_, token := w.tab().token(name, nil)
	return w.finish(token, more)
}

func (w *world) finish(token string, more body) *authtest.Answer {
	w.t.Helper()
	return w.Call(http.MethodPost, "/v1/oauth/authenticate", with(more, body{"token": token}))
}

// nobody makes a user about whom nothing is known.
func (w *world) nobody() (userID string) {
	w.t.Helper()
	err := w.DB.Update(w.t.Context(), func(tx *store.Tx) error {
		row, err := w.Users.Create(tx, w.Env, user.NewUser{})
		if err == nil {
			userID = row.UserID
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return userID
}

// member is a user whose address is known to be theirs, and a session of theirs.
type member struct{ UserID, session string }

func (w *world) member(address string) member {
	w.t.Helper()
	m := member{UserID: w.Call(http.MethodPost, "/v1/users", body{"email": address}).OK().String("user_id")}
	w.change(m.UserID, func(u *user.User) { u.Emails[0].Verified = true })
	link := w.Call(http.MethodPost, "/v1/magic_links", body{"user_id": m.UserID}).OK().String("token")
	m.session = w.Call(http.MethodPost, "/v1/magic_links/authenticate", with(hour, body{"token": link})).OK().String("session_token")
	return m
}

func (w *world) change(userID string, change func(*user.User)) {
	w.t.Helper()
	err := w.DB.Update(w.t.Context(), func(tx *store.Tx) error {
		_, err := w.Users.Change(tx, w.Env, userID, func(u *user.User) error {
			change(u)
			return nil
		})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// user is a user as a server reads it.
func (w *world) user(id string) *authtest.Answer {
	w.t.Helper()
	return w.Call(http.MethodGet, "/v1/users/"+id, nil).OK()
}

func count(t *testing.T, w *world, query string, args ...any) int64 {
	t.Helper()
	var n int64
	err := w.DB.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow(query, args...).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}
