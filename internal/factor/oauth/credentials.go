package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

var (
	errProvider    = apierr.New(400, "invalid_oauth_provider", "There is no such provider. Use one of those in the documentation, such as google.")
	errNoConfig    = apierr.New(404, "oauth_config_not_found", "Sign-in with this provider is not set up. Set it up with `gatehouse oauth-provider set`.")
	errNoAppleConf = apierr.New(400, "apple_oauth_config_not_found", "Sign-in with Apple is not set up. Set it up with `gatehouse oauth-provider set`.")
)

const credentialsPurpose = "oauth provider credentials"

// ProviderInfo is what may be shown of a provider that an environment has set up.
type ProviderInfo struct {
	Name      string    `json:"provider"`
	ClientID  string    `json:"client_id"`
	Enabled   bool      `json:"enabled"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`

	sealed []byte
}

// configured is a provider with what an environment is known by there.
type configured struct {
	*provider.Provider
	credentials *provider.Credentials
	unreadable  error // why there are no credentials, such as a master key that is gone
}

// findProvider finds a provider by its name in a path or a request.
func findProvider(name string) (*provider.Provider, error) {
	if p, ok := provider.Find(name); ok {
		return p, nil
	}
	return nil, errProvider
}

// provider returns a provider that people can sign in with, or says why it is
// none.
func (s *Service) provider(ctx context.Context, env *project.Environment, name string) (*configured, error) {
	if _, err := findProvider(name); err != nil {
		return nil, err
	}
	set, err := s.credentials(ctx, env)
	if err == nil && set[name] == nil {
		// It may have been set up a moment ago, on another node.
		if err = s.Projects.Refresh(ctx); err == nil {
			set, err = s.credentials(ctx, env)
		}
	}
	if err != nil {
		return nil, err
	}
	switch c := set[name]; {
	case c == nil:
		return nil, notSetUp(name)
	case c.unreadable != nil:
		return nil, c.unreadable
	default:
		return c, nil
	}
}

func notSetUp(name string) error {
	if name == "apple" {
		return errNoAppleConf
	}
	return errNoConfig
}

// credentials returns what an environment has set up and switched on, by the
// names of the providers. It is never changed.
func (s *Service) credentials(ctx context.Context, env *project.Environment) (map[string]*configured, error) {
	return s.known.Get(s.Projects, env.ID, func() (map[string]*configured, error) {
		list, err := s.List(ctx, env)
		if err != nil {
			return nil, err
		}
		set := map[string]*configured{}
		for _, info := range list {
			p, known := provider.Find(info.Name)
			if !known || !info.Enabled {
				continue
			}
			// What cannot be read of one keeps nobody from signing in with the others.
			c, err := s.open(env, info)
			set[info.Name] = &configured{p, c, err}
		}
		return set, nil
	})
}

func (s *Service) open(env *project.Environment, info *ProviderInfo) (*provider.Credentials, error) {
	text, err := s.Keyring.Open(credentialsPurpose, env.ID, info.sealed)
	if err != nil {
		return nil, fmt.Errorf("credentials of %s: %w", info.Name, err)
	}
	c := &provider.Credentials{}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("credentials of %s: %w", info.Name, err)
	}
	return c, nil
}

// List returns the providers that an environment has set up, by name.
func (s *Service) List(ctx context.Context, env *project.Environment) (list []*ProviderInfo, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		list, err = readProviders(tx, env.ID, "")
		return err
	})
	return list, err
}

// Credentials returns what an environment is known by at a provider, switched
// on or not: for commands that change a part of it. Never show the secrets.
func (s *Service) Credentials(ctx context.Context, env *project.Environment, name string) (*ProviderInfo, *provider.Credentials, error) {
	if _, err := findProvider(name); err != nil {
		return nil, nil, err
	}
	list, err := s.List(ctx, env)
	if err != nil {
		return nil, nil, err
	}
	for _, info := range list {
		if info.Name == name {
			c, err := s.open(env, info)
			return info, c, err
		}
	}
	return nil, nil, errNoConfig
}

// Set sets a provider up, or changes how it is. It stays switched off if it was.
// What is missing is refused.
func (s *Service) Set(ctx context.Context, env *project.Environment, name string, c *provider.Credentials) error {
	p, err := findProvider(name)
	if err != nil {
		return err
	}
	if err := p.Check(c); err != nil {
		return err
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	sealed, err := s.Keyring.Seal(credentialsPurpose, env.ID, text)
	if err != nil {
		return err
	}
	return s.configure(ctx, env, "oauth.provider.set", name, func(tx *store.Tx, was *ProviderInfo) (map[string]any, error) {
		next, old := &ProviderInfo{Name: name, ClientID: c.ClientID, Enabled: true, sealed: sealed}, &provider.Credentials{}
		if was != nil {
			next.Enabled = was.Enabled
			if readable, err := s.open(env, was); err == nil { // or else all of it is new
				old = readable
			}
		}
		changed, err := event.Changed(old, c)
		if err != nil || len(changed) == 0 {
			return nil, err
		}
		return map[string]any{"changed": changed}, writeProvider(tx, env.ID, next)
	})
}

// Enable switches a provider that is set up on or off. Who is on the way to one
// that is switched off does not come back.
func (s *Service) Enable(ctx context.Context, env *project.Environment, name string, on bool) error {
	what := "oauth.provider.disable"
	if on {
		what = "oauth.provider.enable"
	}
	return s.configure(ctx, env, what, name, func(tx *store.Tx, was *ProviderInfo) (map[string]any, error) {
		if was != nil && was.Enabled == on {
			return nil, nil
		}
		return map[string]any{}, existing(switchProvider(tx, env.ID, name, on))
	})
}

// forgetBatch bounds a transaction of Remove, so that no login waits long behind
// it.
const forgetBatch = 500

// Remove forgets a provider's credentials, and then the tokens that were kept of
// it, which nobody can use any more. What it does not come to is left to
// PurgeTokens. The accounts of users stay.
func (s *Service) Remove(ctx context.Context, env *project.Environment, name string) error {
	err := s.configure(ctx, env, "oauth.provider.remove", name, func(tx *store.Tx, _ *ProviderInfo) (map[string]any, error) {
		return map[string]any{}, existing(deleteProvider(tx, env.ID, name))
	})
	if err != nil {
		return err
	}
	for {
		var n int64
		err := s.DB.Update(ctx, func(tx *store.Tx) (err error) {
			n, err = purgeForgotten(tx, env.ID, forgetBatch)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s is removed, and the tokens that were kept of it go with the next purge: %w", name, err)
		}
		if n < forgetBatch {
			return nil
		}
	}
}

func existing(n int64, err error) error {
	if err == nil && n == 0 {
		return errNoConfig
	}
	return err
}

// configure makes a change that all nodes follow, this one before it returns.
// change sees how the provider is set up, nil where it is not, and returns what
// the event says of the change; nil says that there was none.
func (s *Service) configure(ctx context.Context, env *project.Environment, what, name string, change func(*store.Tx, *ProviderInfo) (map[string]any, error)) error {
	return s.Projects.Configure(ctx, func(tx *store.Tx) error {
		list, err := readProviders(tx, env.ID, tx.ForUpdate())
		if err != nil {
			return err
		}
		var was *ProviderInfo
		if at := slices.IndexFunc(list, func(i *ProviderInfo) bool { return i.Name == name }); at >= 0 {
			was = list[at]
		}
		details, err := change(tx, was)
		if err != nil || details == nil {
			return err
		}
		details["provider"] = name
		return event.Emit(tx, env.Kind, event.Event{EnvironmentID: env.ID, Type: what, Details: details})
	})
}

// IsNotSetUp reports whether an error says that a provider has no credentials.
func IsNotSetUp(err error) bool { return errors.Is(err, errNoConfig) }
