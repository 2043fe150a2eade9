// Package providertest owns fakes of the identity providers for tests: servers
// that speak the documented wire format of each, and check what the real ones
// check: how a client authenticates, that the redirect URI is the same, PKCE,
// that a code works once. It never shares code with what it is there to test.
package providertest

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/jwks/jwkstest"
)

// OpenID is the name under which the fake of a provider that is known by its
// issuer runs.
const OpenID = "oidc_acme"

// RedirectURI is registered with every fake unless Register says otherwise.
const RedirectURI = "https://login.example.com/v1/oauth/callback/oauth-callback-test-1"

// Person is whoever sits at the browser, as the provider knows them.
type Person struct {
	Subject  string // the id of the account; digits for those that count
	Email    string // "" for none
	Verified bool   // what the provider claims about it
	First    string
	Last     string
	Picture  string
	Locale   string
	Tenant   string // Microsoft's tid, Slack's workspace
	Owned    any    // Microsoft's xms_edov, nil for none
	Private  bool   // Apple's relay address
}

// Ada is a person with an address that every provider vouches for.
func Ada() Person {
	return Person{
		Subject: "10815", Email: "ada@example.com", Verified: true, First: "Ada", Last: "Lovelace", Picture: "https://img.example.com/ada.png",
		Locale: "en-GB", Tenant: "9188040d-6c67-4c5b-b112-36a304b66dad",
	}
}

// Mood is what goes wrong at a provider. The zero Mood is a good day.
type Mood struct {
	Denied     bool           // the person says no
	TokenError string         // a code of RFC 6749 that the token endpoint answers, in the provider's own words
	ErrorCode  int            // Microsoft's number beside it
	Status     int            // that the account endpoint answers
	Claims     map[string]any // in the id_token in place of the true ones; nil takes one away
	Reply      map[string]any // in the answer of the token endpoint, likewise
	Account    map[string]any // in the answer of the account endpoint, likewise, at its top
	Body       string         // that the token endpoint answers, whatever was asked
	Hang       bool           // nothing is answered before the caller has left
	Issuer     string         // that the discovery document names
	NoIssuer   bool           // the answer to the browser does not name its issuer
	Type       string         // of id_tokens, in their header, in place of JWT
	ForeignKey bool           // id_tokens are signed by a key that is not published
	Meanwhile  func()         // runs between a renewal and its answer, once for each; it cannot call the fakes
}

// Server runs the fakes of all providers.
type Server struct {
	URL string

	t   testing.TB
	now func() time.Time
	mu  sync.Mutex
	all map[string]*fake
}

// fake is one provider.
type fake struct {
	server *Server
	name   string
	format format
	url    string // of its endpoints, without a slash at the end
	key    *jwkstest.Key
	apple  *jwkstest.Key

	person    Person
	mood      Mood
	redirects []string
	grants    map[string]*grant // by code
	tokens    map[string]*grant // by access token
	refreshes map[string]*grant
	consented map[string]bool // subjects whose name Apple has said
	calls     map[string]int
	asked     url.Values // of the last authorization request
	count     int
}

// New starts the fakes. The clock is the one that tokens are good by.
func New(t testing.TB, now func() time.Time) *Server {
	t.Helper()
	s := &Server{t: t, now: now, all: map[string]*fake{}}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	s.URL = web.URL
	for name, format := range formats {
		f := &fake{
			server: s, name: name, format: format, url: s.URL + "/" + name, person: Ada(), redirects: []string{RedirectURI},
			grants: map[string]*grant{}, tokens: map[string]*grant{}, refreshes: map[string]*grant{}, consented: map[string]bool{}, calls: map[string]int{},
		}
		if format.openID {
			f.key = jwkstest.NewKey(t, name+"-1", "ES256")
		}
		if name == "apple" {
			f.apple = jwkstest.NewKey(t, "KEYID12345", "ES256")
		}
		s.all[name] = f
	}
	return s
}

// Credentials are what an environment registers to sign people in with a fake.
func (s *Server) Credentials(name string) *provider.Credentials {
	f := s.fake(name)
	c := &provider.Credentials{ClientID: f.clientID(), ClientSecret: f.clientSecret()}
	if name == OpenID {
		c.Issuer = f.url
		return c
	}
	c.Endpoints = provider.Endpoints{Authorization: f.url + "/authorize", Token: f.url + "/token"}
	if f.format.account != nil {
		c.Endpoints.UserInfo = f.url + "/account"
	}
	if f.format.emails != nil {
		c.Endpoints.Emails = f.url + "/emails"
	}
	if f.format.openID {
		c.Endpoints.JWKS = f.url + "/jwks"
	}
	if name == "apple" {
		der, err := x509.MarshalPKCS8PrivateKey(f.apple.Private())
		if err != nil {
			s.t.Fatal(err)
		}
		c.ClientSecret, c.TeamID, c.KeyID = "", "TEAMID1234", f.apple.ID
		c.PrivateKey = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	return c
}

// SignIn has a person sit at the browser from now on.
func (s *Server) SignIn(name string, who Person) {
	f := s.fake(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	f.person = who
}

// Feel gives a fake a mood.
func (s *Server) Feel(name string, m Mood) {
	f := s.fake(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	f.mood = m
}

// Register replaces the redirect URIs of the client.
func (s *Server) Register(name string, redirectURIs ...string) {
	f := s.fake(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	f.redirects = redirectURIs
}

// Rotate replaces the key that signs id_tokens.
func (s *Server) Rotate(name string) {
	f := s.fake(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	f.count++
	f.key = jwkstest.NewKey(s.t, fmt.Sprintf("%s-rotated-%d", name, f.count), "ES256")
}

// Calls is how often an endpoint of a fake was called: authorize, token,
// refresh, account, emails, jwks or document.
func (s *Server) Calls(name, endpoint string) int {
	f := s.fake(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.calls[endpoint]
}

// Asked are the parameters of the last authorization request.
func (s *Server) Asked(name string) url.Values {
	f := s.fake(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.asked
}

// IDToken is an id_token that an app got without the server's help, for one of
// the audiences; claims replace the true ones, nil takes one away.
func (s *Server) IDToken(name, audience string, claims map[string]any) string {
	f := s.fake(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.idToken(&grant{person: f.person, audience: audience}, claims)
}

func (s *Server) fake(name string) *fake {
	s.t.Helper()
	f := s.all[name]
	if f == nil {
		s.t.Fatalf("there is no fake of %q", name)
	}
	return f
}

// Browse does at the provider what a browser does, and returns the parameters
// with which it comes back. What the provider shows in place of that is an error.
func (s *Server) Browse(address string) (url.Values, error) {
	s.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(address)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusFound:
		u, err := resp.Location()
		if err != nil {
			return nil, err
		}
		return u.Query(), nil
	case resp.StatusCode == http.StatusOK && strings.Contains(string(page), "<form"):
		return Form(string(page)), nil
	}
	return nil, fmt.Errorf("the provider shows a page with status %d: %s", resp.StatusCode, page)
}

var input = regexp.MustCompile(`name="([^"]*)" value="([^"]*)"`)

// Form reads the fields of the form that Apple has a browser post.
func Form(page string) url.Values {
	values := url.Values{}
	for _, m := range input.FindAllStringSubmatch(page, -1) {
		values.Add(m[1], html.UnescapeString(m[2]))
	}
	return values
}

// ServeHTTP answers for the provider that the path begins with.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, endpoint, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	f := s.all[name]
	if f == nil {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	if f.mood.Hang {
		s.mu.Unlock()
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return
	}
	defer s.mu.Unlock()
	if endpoint == ".well-known/openid-configuration" {
		endpoint = "document"
	}
	f.calls[endpoint]++
	serve := map[string]func(http.ResponseWriter, *http.Request){
		"authorize": f.authorize, "token": f.token, "refresh": f.refresh, "account": f.account, "emails": f.emails, "jwks": f.jwks, "document": f.document,
	}[endpoint]
	if serve == nil {
		http.NotFound(w, r)
		return
	}
	serve(w, r)
}
