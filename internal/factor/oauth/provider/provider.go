// Package provider owns what differs between identity providers: where they
// are, what is asked of them, how an account and its e-mail address are read
// from what they answer and what of that is believed, which tokens come back.
// It never touches users, sessions or the database, and never decides what
// follows from an account.
package provider

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/jwks"
)

// Credentials are what an environment has of a provider: who we are there. They
// hold secrets; seal them where they are kept.
type Credentials struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret,omitempty"`
	// TeamID, KeyID and PrivateKey (PKCS #8 in PEM, as Apple hands it out) stand
	// in the place of a client secret at Apple.
	TeamID     string `json:"team_id,omitempty"`
	KeyID      string `json:"key_id,omitempty"`
	PrivateKey string `json:"private_key,omitempty"`
	// Tenant is the tenant at Microsoft (an id, or common, organizations or
	// consumers; empty is common), and the host of an own GitLab or Salesforce.
	Tenant string `json:"tenant,omitempty"`
	// Issuer is the issuer of a provider that is known by nothing else.
	Issuer string `json:"issuer,omitempty"`
	// NativeClientIDs are further client ids whose id_tokens are taken when an
	// app signs in natively: those of the apps for Android and iOS.
	NativeClientIDs []string `json:"native_client_ids,omitempty"`
	// Scopes are asked for in addition to those of the provider.
	Scopes []string `json:"scopes,omitempty"`
	// Params are names of further parameters that an app may add to the request,
	// beside those of the provider's allow-list.
	Params []string `json:"params,omitempty"`
	// Endpoints replace those of the provider, each where it is not empty.
	Endpoints Endpoints `json:"endpoints,omitzero"`
}

// Endpoints are the addresses of a provider, all of them URLs.
type Endpoints struct {
	Issuer        string `json:"issuer,omitempty"` // the iss of its id_tokens
	Authorization string `json:"authorization,omitempty"`
	Token         string `json:"token,omitempty"`
	UserInfo      string `json:"userinfo,omitempty"`
	Emails        string `json:"emails,omitempty"` // where addresses are listed apart from the account
	JWKS          string `json:"jwks,omitempty"`
}

// Request is what a browser is sent to a provider with.
type Request struct {
	RedirectURI   string
	State         string
	Nonce         string            // used where Provider.Nonce
	CodeChallenge string            // S256; used where Provider.PKCE
	Scopes        []string          // asked for in addition to the provider's and the environment's
	Params        map[string]string // what an app adds, such as login_hint; the provider's allow-list decides
}

// Answer is what a browser came back from a provider with, and what the flow
// remembers of how it began.
type Answer struct {
	Code         string
	CodeVerifier string     // to Request.CodeChallenge
	Nonce        string     // as in Request
	RedirectURI  string     // as in Request
	Issuer       string     // the parameter iss (RFC 9207), "" where there was none
	Form         url.Values // everything that came; Apple says the name here, once
}

// Identity is an account at a provider.
type Identity struct {
	Subject string // the provider's stable id of the account: never empty, at most 255 bytes
	Email   string // "" where the provider says none
	// EmailVerified is whether the address is known to be the person's by the
	// policy for the provider (docs/oauth-emails.md).
	EmailVerified bool
	Name          Name
	Picture       string // an https URL or ""
	Locale        string
}

// Name is what a provider says that a person is called.
type Name struct{ First, Middle, Last string }

// Tokens are what a provider issued. Only Access is always there.
type Tokens struct {
	Access, Refresh, ID string
	Scopes              []string
	ExpiresAt           time.Time // of Access; zero where the provider says none
}

// Provider is an identity provider: what it is called, what it is asked for, and
// how it differs from the others. What is not set is as OAuth 2.0 and OpenID
// Connect say.
type Provider struct {
	Name     string   // in paths and settings, and after "oauth_" in delivery methods: "gitlab"
	Type     string   // what a user's account says it is of: "GitLab"
	Scopes   []string // asked for always
	PKCE     bool     // it takes a code_challenge; elsewhere none is sent
	Nonce    bool     // it repeats a nonce in its id_token; elsewhere none is sent
	FormPost bool     // it comes back with a form in a POST, from another site
	Email    Trust    // when its word for an e-mail address is taken

	endpoints Endpoints
	locate    func(c *Credentials) Endpoints // in place of endpoints, where the credentials say which they are
	issuer    func(c *Credentials, iss string) bool
	check     func(c *Credentials) error
	secret    func(s *Service, c *Credentials) (string, error)

	openID    bool // an id_token comes with the tokens, and says who it is
	native    bool // apps may bring an id_token that they got themselves
	discovers bool // its endpoints are in a document at its issuer
	basic     bool // the client authenticates in a header (RFC 6749, section 2.3.1)

	idParam   string            // what the parameter client_id is called, where it is called otherwise
	separator string            // between scopes in a request, where it is no space
	fixed     map[string]string // parameters of every request; an app may choose another value where params names them
	params    []string          // parameters that an app may add
	refreshAt func(token string) string
	fault     func(status int, answer jwks.Claims) string // the code of RFC 6749 for what went wrong
	refusals  func(answer jwks.Claims) error              // a verdict that is more precise than the code's
	account   func(ctx context.Context, v *visit) (*Identity, error)
}

// Find returns the provider of a name: one of All, or any that begins with
// "oidc_" and is known to an environment by its issuer.
func Find(name string) (*Provider, bool) {
	if p, ok := byName[name]; ok {
		return p, true
	}
	if rest, ok := strings.CutPrefix(name, openIDPrefix); ok && isName(rest) {
		return openIDProvider(name), true
	}
	return nil, false
}

// ByIssuer reports whether an environment knows the provider by its issuer, so
// that it is whoever an operator named.
func (p *Provider) ByIssuer() bool { return strings.HasPrefix(p.Name, openIDPrefix) }

// All returns the providers that are known by name, in alphabetical order.
func All() []*Provider {
	return slices.SortedFunc(maps.Values(byName), func(a, b *Provider) int { return strings.Compare(a.Name, b.Name) })
}

var byName = index(amazon, apple, bitbucket, coinbase, discord, facebook, figma, github, gitlab, google, linkedin,
	microsoft, salesforce, slack, snapchat, tiktok, twitch, twitter, yahoo)

func index(list ...*Provider) map[string]*Provider {
	m := map[string]*Provider{}
	for _, p := range list {
		m[p.Name] = p
	}
	return m
}

// maxName bounds what an operator calls a provider of their own, after the
// prefix. The name is part of addresses and of delivery methods.
const maxName = 40

func isName(s string) bool {
	return s != "" && len(s) <= maxName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}
