package m2m

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/wire"
)

// The error codes of RFC 6749, section 5.2. Who does not show a right secret
// learns nothing: not whether there is such a client, nor in which project.
var (
	errGrantType   = apierr.New(400, "unsupported_grant_type", "The grant_type must be client_credentials.")
	errCredentials = apierr.New(401, "invalid_client", "The client_id or the client_secret is wrong, or the client belongs to another project.")
	errTokenScope  = apierr.New(400, "invalid_scope", "The client may not ask for one of these scopes. Give it the scope first, or ask for fewer.")
)

// tokenLifetime is fixed by the contract.
const tokenLifetime = time.Hour

// maxNamesakes bounds the clients of one id whose secrets are tried where the
// address names no project.
const maxNamesakes = 8

// How often a network may be wrong about a client, and about any. What is right
// counts for nothing, so that a busy client never waits; once the limit is
// reached what is right waits too, or guessing would go on. What has the shape of
// a secret that was made here is no guess: nobody hits one of 264 bits, and who
// has one must not wait for what a neighbour behind the same address tries.
var (
	guessesOfClient = ratelimit.Rule{Name: "wrong secrets of an M2M client", Limit: 10, Per: time.Minute}
	guessesOfAll    = ratelimit.Rule{Name: "wrong secrets of M2M clients", Limit: 100, Per: time.Minute}
)

// grant is a request for a token, brought into one form.
type grant struct {
	env                    *project.Environment // nil where the address names none
	anywhere               bool                 // the client may be of any environment
	clientID, clientSecret string
	scope                  string
}

// token gives a client an access token. Nothing is written.
func (s *Service) token(ctx context.Context, g grant) (*tokenResponse, error) {
	r, env, err := s.prove(ctx, g)
	if err != nil {
		return nil, err
	}
	wire.CallFrom(ctx).SetEnv(string(env.Kind))
	c, err := r.client()
	if err != nil {
		return nil, err
	}
	if c.Status != Active {
		return nil, errCredentials.WithMessage("The client is inactive. Make it active again to get tokens.")
	}
	scope, err := c.grants(g.scope)
	if err != nil {
		return nil, err
	}
	claims, err := s.claims(env, c, scope)
	if err != nil {
		return nil, err
	}
	signed, err := s.Sign(ctx, env, claims)
	if err != nil {
		return nil, err
	}
	return &tokenResponse{AccessToken: signed, TokenType: "bearer", ExpiresIn: int64(tokenLifetime / time.Second), Scope: scope}, nil
}

// prove finds the client that holds the secret. A client that does not exist
// costs as much as a wrong secret does.
func (s *Service) prove(ctx context.Context, g grant) (*credentials, *project.Environment, error) {
	network := wire.CallFrom(ctx).Network()
	ofClient, ofAll := guesser{network, g.environmentID(), g.clientID}, guesser{network: network}
	guesses := !secret.ValidToken(g.clientSecret)
	for _, limit := range []struct {
		rule ratelimit.Rule
		who  guesser
	}{{guessesOfClient, ofClient}, {guessesOfAll, ofAll}} {
		if ok, wait := s.guesses.Left(limit.rule, limit.who); guesses && !ok {
			return nil, nil, limit.rule.Refused(wait)
		}
	}
	candidates, err := s.candidates(ctx, g)
	if err != nil {
		return nil, nil, err
	}
	var proven []*credentials
	for _, r := range candidates {
		ok, err := s.holds(r, g.clientID, g.clientSecret)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			proven = append(proven, r)
		}
	}
	switch len(proven) {
	case 0:
		if guesses {
			s.guesses.Take(guessesOfClient, ofClient)
			s.guesses.Take(guessesOfAll, ofAll)
		}
		return nil, nil, errCredentials
	case 1:
		env, err := s.Projects.Environment(ctx, proven[0].environmentID)
		if err == nil && env == nil {
			err = errCredentials
		}
		return proven[0], env, err
	}
	return nil, nil, wire.BadRequest("Several environments have a client with this client_id and this client_secret. Ask at /v1/public/{project_id}/oauth2/token, which says which one is meant.")
}

// guesser is who is counted: a network, and what it guesses at.
type guesser struct {
	network                 any
	environmentID, clientID string
}

func (g *grant) environmentID() string {
	if g.env == nil {
		return ""
	}
	return g.env.ID
}

// candidates are the clients that may be meant: one at least, which is nil when
// there is none.
func (s *Service) candidates(ctx context.Context, g grant) (list []*credentials, err error) {
	if !isClientID(g.clientID) || len(g.clientSecret) > maxSecret {
		return []*credentials{nil}, nil
	}
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		list = nil
		if !g.anywhere {
			r, err := credentialsOf(tx, g.environmentID(), g.clientID)
			list = append(list, r)
			return err
		}
		found, err := credentialsEverywhere(tx, g.clientID, maxNamesakes)
		for i := range found {
			list = append(list, &found[i])
		}
		return err
	})
	if len(list) == 0 {
		list = append(list, nil)
	}
	return list, err
}

// grants returns the scope of a token: what was asked for, or all that the
// client has.
func (c *Client) grants(asked string) (string, error) {
	var scopes []string
	for scope := range strings.SplitSeq(asked, " ") {
		switch {
		case scope == "" || slices.Contains(scopes, scope):
			continue
		case !slices.Contains(c.Scopes, scope):
			return "", errTokenScope
		}
		scopes = append(scopes, scope)
	}
	if scopes == nil {
		scopes = c.Scopes
	}
	return strings.Join(scopes, " "), nil
}

// claims are what the token says. Custom claims never take the place of those
// that are set here, and never say that the token is a session's: it must not
// pass for one anywhere.
func (s *Service) claims(env *project.Environment, c *Client, scope string) (map[string]any, error) {
	claims, err := s.customClaims(env, c)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(claims, func(name string, _ any) bool { return !customary(name) })
	now := s.Now()
	claims["sub"], claims["aud"], claims["scope"], claims["client_id"] = c.ClientID, env.Audience(jwttemplate.M2M), scope, c.ClientID
	claims["iat"], claims["nbf"], claims["exp"] = now.Unix(), now.Unix(), now.Add(tokenLifetime).Unix()
	claims["jti"] = id.Random(id.M2MToken, env.Kind)
	return claims, nil
}

// customary reports whether a custom claim may be called so. Case is ignored,
// since there are decoders that ignore it.
func customary(name string) bool {
	return !jwttemplate.Reserved(name) && !jwttemplate.Vendor(name) && !strings.EqualFold(name, "scope") && !strings.EqualFold(name, "client_id")
}

// client returns the credentials of a request: those of its header, or those of
// its body, and never some of both (RFC 6749, section 2.3).
func (r *tokenFields) client() (clientID, clientSecret string, err error) {
	if !r.Basic.Sent {
		if r.ClientID == "" || r.ClientSecret == "" {
			return "", "", errCredentials.WithMessage("The request has no client_id and client_secret. Send them in the body or as Basic authorization.")
		}
		return r.ClientID, r.ClientSecret, nil
	}
	if r.ClientSecret != "" {
		return "", "", wire.BadRequest("The request has credentials in its Authorization header and a client_secret in its body. Send them in one place.")
	}
	if !r.Basic.Sound {
		return "", "", errCredentials.WithMessage("The Authorization header holds no Basic credentials. Send the client_id and the client_secret so, or in the body.")
	}
	clientID, badID := url.QueryUnescape(r.Basic.User)
	clientSecret, badSecret := url.QueryUnescape(r.Basic.Password)
	if badID != nil || badSecret != nil {
		return "", "", wire.BadRequest("The client_id and the client_secret must be percent-encoded in the Authorization header (RFC 6749, section 2.3.1).")
	}
	if r.ClientID != "" && r.ClientID != clientID {
		return "", "", wire.BadRequest("The body names another client_id than the Authorization header.")
	}
	return clientID, clientSecret, nil
}
