package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/jwks"
	"gatehouse/internal/outbound"
)

// Service speaks to providers. It may be shared.
type Service struct {
	out  *outbound.Client
	keys *jwks.Client
	now  func() time.Time

	mu        sync.Mutex
	documents map[string]*document // by issuer
}

// New returns a Service that calls providers through out and verifies their
// id_tokens by keys. The clock says when tokens expire.
func New(out *outbound.Client, keys *jwks.Client, now func() time.Time) *Service {
	return &Service{out: out, keys: keys, now: now, documents: map[string]*document{}}
}

// visit is one reading of an account.
type visit struct {
	s      *Service
	p      *Provider
	c      *Credentials
	at     place
	answer Answer
	tokens *Tokens
	reply  jwks.Claims // of the token endpoint
	claims jwks.Claims // of the id_token, where there is one
}

// place is where a provider is for an environment, and how to behave there.
type place struct {
	Endpoints
	basic       bool // the client authenticates in a header
	namesIssuer bool // every answer names its issuer (RFC 9207)
}

func (s *Service) find(ctx context.Context, p *Provider, c *Credentials) (place, error) {
	if err := p.Check(c); err != nil {
		return place{}, err
	}
	at := place{Endpoints: p.endpoints, basic: p.basic}
	if p.locate != nil {
		at.Endpoints = p.locate(c)
	}
	if p.discovers {
		d, err := s.discover(ctx, c.Issuer)
		if err != nil {
			return place{}, err
		}
		at = d.place
	}
	at.Endpoints = at.overridden(c.Endpoints)
	return at, nil
}

func (e Endpoints) overridden(by Endpoints) Endpoints {
	for _, one := range []struct {
		to *string
		by string
	}{
		{&e.Issuer, by.Issuer}, {&e.Authorization, by.Authorization}, {&e.Token, by.Token},
		{&e.UserInfo, by.UserInfo}, {&e.Emails, by.Emails}, {&e.JWKS, by.JWKS},
	} {
		if one.by != "" {
			*one.to = one.by
		}
	}
	return e
}

// Check says what is missing or wrong in the credentials, for an operator.
func (p *Provider) Check(c *Credentials) error {
	if c.ClientID == "" {
		return p.faultf("the client id is missing; give it with --client-id")
	}
	if c.ClientSecret == "" && p.secret == nil && !p.discovers {
		return p.faultf("the client secret is missing; give it with --client-secret-file")
	}
	for _, name := range c.Params {
		if isReserved(name) {
			return p.faultf("the parameter %q is never an app's; leave it out of --param", name)
		}
	}
	if _, err := p.scopes(c, nil); err != nil {
		return p.faultf("a scope is not in the form of one; --scope takes one at a time, without spaces")
	}
	for _, u := range []string{c.Endpoints.Issuer, c.Endpoints.Authorization, c.Endpoints.Token, c.Endpoints.UserInfo, c.Endpoints.Emails, c.Endpoints.JWKS} {
		if u == "" {
			continue
		}
		if _, err := outbound.ParseURL(u); err != nil {
			return p.faultf("an endpoint of --endpoint is not a URL: %w", err)
		}
	}
	if slices.Contains(c.NativeClientIDs, "") {
		return p.faultf("a native client id is empty; give each with --native-client-id")
	}
	if len(c.NativeClientIDs) > 0 && !p.native {
		return p.faultf("there is no native sign-in, so leave --native-client-id out")
	}
	if p.check != nil {
		return p.check(c)
	}
	return nil
}

func (p *Provider) faultf(format string, args ...any) error { return faultOf(p.Type, format, args...) }

// faultOf is what is wrong with the credentials at a provider.
func faultOf(who, format string, args ...any) error { return fmt.Errorf(who+": "+format, args...) }

// get reads a JSON object from an address of the provider with the access token.
func (v *visit) get(ctx context.Context, address string, query url.Values) (jwks.Claims, error) {
	body, err := v.fetch(ctx, address, query)
	if err != nil {
		return nil, err
	}
	return readObject(body)
}

func (v *visit) fetch(ctx context.Context, address string, query url.Values) ([]byte, error) {
	u, err := outbound.ParseURL(address)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	for name, values := range query {
		q[name] = values
	}
	u.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("the address of the provider is not one")
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Authorization", "Bearer "+v.tokens.Access)
	resp, err := v.s.out.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	if resp.Status != http.StatusOK {
		return nil, &statusError{u.Host, resp.Status}
	}
	return resp.Body, nil
}

// statusError is an answer that is no account.
type statusError struct {
	host   string
	status int
}

func (e *statusError) Error() string { return fmt.Sprintf("%s answered %d", e.host, e.status) }

// unlisted reports whether a list of addresses is closed to the access token:
// the person or the app's registration left it out.
func unlisted(err error) bool {
	var e *statusError
	return errors.As(err, &e) && (e.status == http.StatusForbidden || e.status == http.StatusNotFound)
}

// post sends a form and returns the status and the JSON object of the answer,
// nil where it is none.
func (s *Service) post(ctx context.Context, address string, form url.Values, header http.Header) (int, jwks.Claims, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, errors.New("the address of the provider is not one")
	}
	r.Header = header
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	resp, err := s.out.Do(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	answer, _ := readObject(resp.Body) // without one, the status says what to make of it
	return resp.Status, answer, nil
}
