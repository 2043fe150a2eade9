// Package devidp owns the identity provider of `gatehouse dev`: OpenID Connect in miniature, where whoever sits at the
// machine says who signs in. It stands in for providers such as Google, so that signing in with them can be built and
// tried without an account anywhere. Codes and tokens are kept in memory and end with the process. It never opens the
// database, never imports a domain package, never calls anybody, and answers nobody but the machine it runs on.
package devidp

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/wire"
)

// Prefix is where the Provider must be mounted, with everything below it, for GET and POST.
const Prefix = "/dev/idp/"

// StandIn is a provider that is stood in for. Each has its own issuer and its own accounts.
type StandIn struct {
	Key      string // as in the addresses: "google"
	Name     string // as people know it: "Google"
	Verified string // the claim by which it says that an address is verified; "" is email_verified
	HasEmail bool   // every account there has an address
}

// Config says who may ask, and for whom the provider stands in.
type Config struct {
	BaseURL      func() string // of this server, no slash at the end; asked on every call, since the port may be chosen late
	ClientID     string
	ClientSecret string
	StandIns     []StandIn
	Now          func() time.Time
}

// Endpoints are the addresses of one stand-in, under the names of OpenID Connect Discovery.
type Endpoints struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	UserInfo      string `json:"userinfo_endpoint"`
	JWKS          string `json:"jwks_uri"`
}

// Provider is the identity provider, an http.Handler for everything under Prefix. Below the key of a stand-in it has
//
//	GET  .well-known/openid-configuration  discovery
//	GET  jwks                              the keys that its tokens are signed with
//	GET  authorize                         the page where a person says who signs in
//	POST authorize                         what they said; leads back to the client
//	POST token                             a code or a refresh token becomes tokens
//	GET  userinfo                          the person behind an access token; POST does the same
//
// It is safe for concurrent use.
type Provider struct {
	config  Config
	keys    func() *signer
	people  people
	codes   shelf[grant]
	access  shelf[grant]
	refresh shelf[grant]
	handler http.Handler
}

// New returns a provider that nobody has signed in at yet.
func New(c Config) *Provider {
	p := &Provider{config: c, keys: newSigner()}
	mux := http.NewServeMux()
	at := Prefix + "{standin}/"
	mux.Handle("GET "+at+".well-known/openid-configuration", p.endpoint(p.discovery))
	mux.Handle("GET "+at+"jwks", p.endpoint(p.jwks))
	mux.Handle("GET "+at+"authorize", p.endpoint(p.authorize))
	mux.Handle("POST "+at+"authorize", p.endpoint(p.decide))
	mux.Handle("POST "+at+"token", p.endpoint(p.token))
	mux.Handle("GET "+at+"userinfo", p.endpoint(p.userInfo))
	mux.Handle("POST "+at+"userinfo", p.endpoint(p.userInfo))
	// A page elsewhere must not decide for the person at this browser who they are.
	p.handler = http.NewCrossOriginProtection().Handler(mux)
	return p
}

// ServeHTTP serves the routes listed at Provider. Who signs in here is anybody they like, so a machine elsewhere, which
// may reach the server through a tunnel or the local network, gets no answer.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	headers(w.Header())
	if !wire.FromThisMachine(r) {
		http.Error(w, "The identity provider of development answers only the machine that runs Gatehouse, opened as localhost.", http.StatusForbidden)
		return
	}
	p.handler.ServeHTTP(w, r)
}

// Endpoints are the addresses of the stand-in with that key.
func (p *Provider) Endpoints(key string) Endpoints {
	issuer := p.config.BaseURL() + Prefix + key
	return Endpoints{
		Issuer: issuer, Authorization: issuer + "/authorize", Token: issuer + "/token",
		UserInfo: issuer + "/userinfo", JWKS: issuer + "/jwks",
	}
}

// endpoint finds the stand-in that the path names.
func (p *Provider) endpoint(f func(http.ResponseWriter, *http.Request, StandIn)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.PathValue("standin")
		at := slices.IndexFunc(p.config.StandIns, func(s StandIn) bool { return s.Key == key })
		if at < 0 {
			http.NotFound(w, r)
			return
		}
		f(w, r, p.config.StandIns[at])
	})
}

// discovery answers as OpenID Connect Discovery 1.0, section 4.2.
func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request, s StandIn) {
	writeJSON(w, http.StatusOK, struct {
		Endpoints
		ResponseTypes  []string `json:"response_types_supported"`
		ResponseModes  []string `json:"response_modes_supported"`
		Grants         []string `json:"grant_types_supported"`
		Subjects       []string `json:"subject_types_supported"`
		Algorithms     []string `json:"id_token_signing_alg_values_supported"`
		Scopes         []string `json:"scopes_supported"`
		Claims         []string `json:"claims_supported"`
		Authentication []string `json:"token_endpoint_auth_methods_supported"`
		Challenges     []string `json:"code_challenge_methods_supported"`
		NamesItself    bool     `json:"authorization_response_iss_parameter_supported"`
	}{
		Endpoints:      p.Endpoints(s.Key),
		ResponseTypes:  []string{"code"},
		ResponseModes:  []string{"query"},
		Grants:         []string{"authorization_code", "refresh_token"},
		Subjects:       []string{"public"},
		Algorithms:     []string{"RS256"},
		Scopes:         scopes,
		Claims:         []string{"sub", "name", "given_name", "family_name", "picture", "locale", "email", cmp.Or(s.Verified, "email_verified")},
		Authentication: []string{"client_secret_basic", "client_secret_post"},
		Challenges:     []string{"S256"},
		NamesItself:    true,
	})
}

// scopes are those that mean something here. Others are granted and change nothing, since whoever is stood in for has
// many of its own.
var scopes = []string{"openid", "email", "profile", "offline_access"}

// policy lets the pages use the styles and the mark of this server and nothing else: there are no scripts. It says
// nothing of form-action, because Chrome holds every redirect that follows a form against it, and this one leads to the
// client and on to an app. The forms have no address but the page's own.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

func headers(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // the page's address holds the client's state
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// contains tells whether a scope, a list in one string, has the word.
func contains(scope, word string) bool { return slices.Contains(strings.Fields(scope), word) }
