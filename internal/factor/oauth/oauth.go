// Package oauth is the factor that an account at an identity provider proves.
// It owns the way of a browser to the provider and back, the one-time tokens
// that end it, the id_tokens that come without that way, the credentials of
// providers, the tokens that they issue where an environment keeps those, and
// the rules for whose user an account is. It owns the tables oauth_providers,
// oauth_flows, oauth_tokens, oauth_attachments, oauth_id_tokens and
// oauth_provider_tokens. It never knows what differs between providers, which is
// the package provider's, and never shows what it keeps sealed.
package oauth

import (
	"errors"
	"strings"
	"time"

	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/secret"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

const (
	// flowFor is how long somebody may take at the provider.
	flowFor = 10 * time.Minute
	// tokenFor is how long an app may take with what its browser brings back.
	tokenFor = 5 * time.Minute
	// attachFor is how long may pass between asking for an account to be added
	// and the way to its provider.
	attachFor = 10 * time.Minute
	// keepFor is how long a flow that is over is told from one that never was.
	keepFor = time.Hour
)

// factorType is the type of the factor in sessions.
const factorType = "oauth"

// Config is what the service is made of.
type Config struct {
	DB        *store.DB
	Keyring   *secret.Keyring // nil for commands that open nothing
	Users     *user.Service
	Core      *session.Core
	Projects  *project.Service
	Providers *provider.Service
	// PublicURL is where browsers and providers reach this server.
	PublicURL func() string
	// StartsPerMinute bounds how many browsers of one network set out for
	// providers; 0 is no bound. Each leaves a row.
	StartsPerMinute int
}

// Service lets people sign in with accounts at identity providers.
type Service struct {
	Config
	starts   *ratelimit.Local
	renewals turns // of access tokens, by account

	known project.Memo[string, map[string]*configured] // by environment
}

// New returns the service. List Hooks among the hooks of the users.
func New(c Config) *Service {
	return &Service{Config: c, starts: ratelimit.NewLocal(c.DB.Now)}
}

// Hooks end what waits for a user who goes, and what is kept of an account. They
// also end what a server asked to be added while nothing vouched for the user:
// whoever it was for need not be who has now proven to be the user. What was
// asked for in a session ends with that.
func (s *Service) Hooks() user.Hooks {
	return user.Hooks{
		OnFactorRemoved: forget,
		OnChange: func(tx *store.Tx, env *project.Environment, was, u *user.User) error {
			if was.UserID == "" || was.Proven() || !u.Proven() {
				return nil
			}
			return deleteUnproven(tx, env.ID, u.UserID)
		},
		OnDelete: func(tx *store.Tx, env *project.Environment, userID string) error {
			return errors.Join(deleteOfUser(tx, env.ID, userID), deleteKeptOfUser(tx, env.ID, userID))
		},
	}
}

// Purge removes up to budget rows that nobody can use any more.
func Purge(tx *store.Tx, budget int) (int64, error) {
	var total int64
	for _, purge := range []func(*store.Tx, int) (int64, error){purgeTokens, purgeAttachments, purgeFlows, purgeIDTokens} {
		if budget <= 0 {
			break
		}
		n, err := purge(tx, budget)
		if err != nil {
			return total, err
		}
		total, budget = total+n, budget-int(n)
	}
	return total, nil
}

// callbackPath is where providers send browsers back to.
const callbackPath = "/v1/oauth/callback/"

// CallbackID is what the environment is called in the address that providers
// send browsers back to. It holds the same UUID as the project_id.
func CallbackID(env *project.Environment) string {
	return string(id.OAuthCallback) + strings.TrimPrefix(env.ID, string(id.Project))
}

// CallbackPath is the path of that address. A provider that is known by its
// issuer has one of its own: it could have another provider answer in its place,
// and would be handed that one's code (RFC 9700, section 4.4).
func CallbackPath(env *project.Environment, p *provider.Provider) string {
	path := callbackPath + CallbackID(env)
	if own := inAddress(p); own != "" {
		path += "/" + own
	}
	return path
}

// inAddress is how that address names the provider, "" where it is everybody's.
func inAddress(p *provider.Provider) string {
	if p.ByIssuer() {
		return p.Name
	}
	return ""
}

// RedirectURI is the address to register at a provider.
func (s *Service) RedirectURI(env *project.Environment, p *provider.Provider) string {
	return s.PublicURL() + CallbackPath(env, p)
}
