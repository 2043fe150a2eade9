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
	// Tenant is the tenant at Microsoft (an id, a domain, or common,
	// organizations or consumers), and the host at GitLab and Salesforce.
	Tenant string `json:"tenant,omitempty"`
	// Issuer is the issuer of a provider that is known by nothing else.
	Issuer string `json:"issuer,omitempty"`
	// NativeClientIDs are further client ids whose id_tokens are taken when an
	// app signs in natively: those of the apps for Android and iOS.
	NativeClientIDs []string `json:"native_client_ids,omitempty"`
	// Scopes are asked for in addition to those of the provider.
	Scopes []string `json:"scopes,omitempty"`
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

// Find returns the provider of a name: one of All, or any that begins with
// "oidc_" and is known to an environment by its issuer.
func Find(name string) (*Provider, bool) {
	if p, ok := known[name]; ok {
		return p, true
	}
	if rest, ok := strings.CutPrefix(name, openIDPrefix); ok && isName(rest) {
		return openID(name), true
	}
	return nil, false
}

// All returns the providers that are known by name, in alphabetical order.
func All() []*Provider {
	return slices.SortedFunc(maps.Values(known), func(a, b *Provider) int { return strings.Compare(a.Name, b.Name) })
}

// maxName bounds what an operator calls a provider of their own, after the
// prefix. The name is part of addresses and of delivery methods.
const maxName = 40

func isName(s string) bool {
	return s != "" && len(s) <= maxName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// AuthorizationURL is where to send the browser. Params that the provider's
// allow-list does not name are refused.
func (s *Service) AuthorizationURL(ctx context.Context, p *Provider, c *Credentials, r Request) (string, error) {
	return "", errUnfinished
}

// ReadAnswer reads what a provider sent a browser back with: a code, or the
// verdict that it is none. The caller adds what it remembers of the flow.
func ReadAnswer(form url.Values) (Answer, error) {
	return Answer{}, errUnfinished
}

// Exchange turns the code of an answer into tokens and reads whose they are.
func (s *Service) Exchange(ctx context.Context, p *Provider, c *Credentials, a Answer) (*Identity, *Tokens, error) {
	return nil, nil, errUnfinished
}

// Refresh returns new tokens. Where the provider keeps the refresh token, the
// given one is in the answer.
func (s *Service) Refresh(ctx context.Context, p *Provider, c *Credentials, refreshToken string) (*Tokens, error) {
	return nil, errUnfinished
}

// VerifyIDToken reads the account from an id_token that an app or Google One
// Tap got without us. The nonce is compared where it is not empty.
func (s *Service) VerifyIDToken(ctx context.Context, p *Provider, c *Credentials, token, nonce string) (*Identity, error) {
	return nil, errUnfinished
}
