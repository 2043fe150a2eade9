package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/jwks"
	"gatehouse/internal/outbound"
)

const (
	documentAge  = time.Hour        // of a document that is used without a look
	documentLast = 24 * time.Hour   // of one that is used while its issuer does not answer
	lookAgain    = 10 * time.Second // after a look that failed
	maxDocuments = 1000
	maxIssuer    = 512
)

const openIDPrefix = "oidc_"

// openIDProvider is a provider that an environment knows by its issuer. Whoever
// configures one vouches for what it says of addresses.
func openIDProvider(name string) *Provider {
	return &Provider{
		Name: name, Type: name, Scopes: []string{"openid", "email", "profile"},
		PKCE: true, Nonce: true, Email: IfClaimed,
		openID: true, discovers: true,
		params: common,
		check: func(c *Credentials) error {
			u, err := outbound.ParseURL(c.Issuer)
			if err != nil || len(c.Issuer) > maxIssuer || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
				return fmt.Errorf("%s: the issuer is missing or no URL; give it with --issuer, as its discovery document writes it", name)
			}
			return nil
		},
	}
}

// document is what an issuer publishes about itself (OpenID Connect Discovery),
// as far as it is needed.
type document struct {
	place
	read  time.Time // when it came; zero: it never did
	tried time.Time
}

// discover returns the document of an issuer.
func (s *Service) discover(ctx context.Context, issuer string) (*document, error) {
	s.mu.Lock()
	d, now := s.documents[issuer], s.now()
	s.mu.Unlock()
	switch {
	case d == nil:
	case !d.read.IsZero() && now.Sub(d.read) < documentAge:
		return d, nil
	case now.Sub(d.tried) < lookAgain:
		return d.still(now)
	default: // whoever comes meanwhile does not look as well
		s.remember(issuer, &document{place: d.place, read: d.read, tried: now})
	}
	// Whoever asked may leave; the look is everybody's, and takes no longer than any
	// other call.
	fresh, err := s.readDocument(context.WithoutCancel(ctx), issuer)
	if err == nil {
		fresh.read, fresh.tried = now, now
		s.remember(issuer, fresh)
		return fresh, nil
	}
	old := &document{tried: now}
	if d != nil {
		old.place, old.read = d.place, d.read
	}
	s.remember(issuer, old)
	if d, oldErr := old.still(now); oldErr == nil {
		return d, nil
	}
	return nil, err
}

var errUndiscovered = errors.New("the issuer's document could not be read a moment ago")

func (d *document) still(now time.Time) (*document, error) {
	if d.read.IsZero() || now.Sub(d.read) >= documentLast {
		return nil, errUndiscovered
	}
	return d, nil
}

// remember keeps a document. Issuers are named by operators, so there are few;
// a bound that nobody reaches needs no order in which to forget.
func (s *Service) remember(issuer string, d *document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.documents) >= maxDocuments {
		clear(s.documents)
	}
	s.documents[issuer] = d
}

func (s *Service) readDocument(ctx context.Context, issuer string) (*document, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		return nil, errors.New("the issuer is not a URL")
	}
	r.Header.Set("Accept", "application/json")
	resp, err := s.out.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	if resp.Status != http.StatusOK {
		return nil, fmt.Errorf("the issuer's document has status %d", resp.Status)
	}
	c, err := readObject(resp.Body)
	if err != nil {
		return nil, err
	}
	return parseDocument(issuer, c)
}

// parseDocument takes a document that is about the issuer it was asked for, and
// no other: whoever can have us read a document must not be able to have it
// speak for somebody else.
func parseDocument(issuer string, c jwks.Claims) (*document, error) {
	if c.String("issuer") != issuer {
		return nil, errAnotherIssuer
	}
	d := &document{place: place{Endpoints: Endpoints{
		Issuer: issuer, Authorization: c.String("authorization_endpoint"), Token: c.String("token_endpoint"),
		UserInfo: c.String("userinfo_endpoint"), JWKS: c.String("jwks_uri"),
	}}}
	needed := []string{d.Authorization, d.Token, d.JWKS}
	if d.UserInfo != "" {
		needed = append(needed, d.UserInfo)
	}
	for _, address := range needed {
		u, err := outbound.ParseURL(address)
		if err != nil || u.Scheme != "https" && strings.HasPrefix(issuer, "https:") {
			return nil, errors.New("the issuer's document lacks an endpoint or has one that is no safe URL")
		}
	}
	// Basic is what holds where nothing is said (Discovery, section 3).
	methods := c.Strings("token_endpoint_auth_methods_supported")
	d.basic = len(methods) == 0 || slices.Contains(methods, "client_secret_basic")
	d.namesIssuer = c.Bool("authorization_response_iss_parameter_supported")
	return d, nil
}
