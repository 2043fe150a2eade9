package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

var (
	errRegistration = apierr.New(404, "oauth_user_registration_not_found", "The user has no such account at an identity provider. Use the oauth_user_registration_id of one of the user's providers.")
	errNotKeeping   = apierr.New(400, "missing_oauth_refresh_token", "The environment keeps no tokens of providers. Set oauth.keep_provider_tokens=true, and have the person sign in again.")
	errNothingKept  = apierr.New(400, "missing_oauth_refresh_token", "The access has ended or was never kept, and there is nothing to renew it with. Have the person sign in with the provider again.")
	errNotRenewed   = apierr.New(401, "unable_to_refresh_oauth_token", "The provider did not renew the access. Try again in a minute, or have the person sign in with it again.")
)

const keptPurpose = "oauth provider tokens"

const (
	// renewBefore is how long an access token that is handed out still lasts.
	renewBefore = time.Minute
	// askFor is how long a provider may take to renew.
	askFor = 20 * time.Second
	// busyFor is how long a node may be renewing before another one tries: longer
	// than the provider and the database together.
	busyFor = 45 * time.Second
	// refusedFor is how long a provider that did not renew is not asked again.
	refusedFor = time.Minute
	// lookAgain is how often it is looked whether another node is done.
	lookAgain = 50 * time.Millisecond
)

// kept is what a provider has issued for an account, as it is kept.
type kept struct {
	environmentID, registrationID, userID string
	provider                              string
	sealed                                []byte
	expires                               time.Time // of the access token; zero where the provider says none
	busyUntil                             time.Time // zero: nobody renews
	refusedUntil                          time.Time // zero: the provider has not refused
	used                                  bool      // it was handed out
	version                               int64

	tokens keptTokens
}

// keptTokens is what is sealed. It says whose it is, so that a row which is
// moved in the database opens nothing.
type keptTokens struct {
	RegistrationID string   `json:"oauth_user_registration_id"`
	Client         client   `json:"client"`
	Access         string   `json:"access_token"`
	Refresh        string   `json:"refresh_token,omitempty"`
	Scopes         []string `json:"scopes,omitempty"`
}

// client is who an environment was at a provider, and which provider that was,
// when it issued something. A refresh token is shown as no other client, and to
// nobody else.
type client struct {
	ID       string `json:"id"`
	Tenant   string `json:"tenant,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
}

func clientOf(c *provider.Credentials) client {
	return client{c.ClientID, c.Tenant, c.Issuer, c.Endpoints.Token}
}

func (s *Service) sealKept(k *kept) error {
	k.tokens.RegistrationID = k.registrationID
	text, err := json.Marshal(k.tokens)
	if err != nil {
		return err
	}
	k.sealed, err = s.Keyring.Seal(keptPurpose, k.environmentID, text)
	return err
}

func (s *Service) openKept(k *kept) error {
	k.tokens = keptTokens{}
	text, err := s.Keyring.Open(keptPurpose, k.environmentID, k.sealed)
	if err != nil {
		return fmt.Errorf("%s: %w", keptPurpose, err)
	}
	if err := json.Unmarshal(text, &k.tokens); err != nil {
		return err
	}
	if k.tokens.RegistrationID != k.registrationID {
		return errors.New("the tokens are of another account")
	}
	return nil
}

// keepTokens keeps what a login has brought, once it has succeeded; nil where
// there is nothing to keep. A refresh token that did not come along again is
// still good: some providers issue it with the first consent alone.
func (s *Service) keepTokens(env *project.Environment, o *owner, a *account) func(*store.Tx) error {
	if !env.Config.OAuth.KeepProviderTokens || a.Tokens == nil || a.Tokens.Access == "" {
		return nil
	}
	return func(tx *store.Tx) error {
		k := &kept{
			environmentID: env.ID, registrationID: o.registrationID, userID: o.row.UserID, provider: o.provider.Name, expires: a.Tokens.ExpiresAt,
			tokens: keptTokens{Client: a.Client, Access: a.Tokens.Access, Refresh: a.Tokens.Refresh, Scopes: a.Tokens.Scopes},
		}
		was, err := keptByID(tx, env.ID, k.registrationID, tx.ForUpdate())
		if err != nil && !errors.Is(err, store.ErrNoRows) {
			return err
		}
		if err == nil {
			k.version, k.used = was.version, was.used
			// What cannot be opened any more keeps nobody from signing in.
			if k.tokens.Refresh == "" && s.openKept(was) == nil && was.tokens.Client == a.Client {
				k.tokens.Refresh, k.busyUntil = was.tokens.Refresh, was.busyUntil
			}
		}
		if err := s.sealKept(k); err != nil {
			return err
		}
		return writeKept(tx, k)
	}
}

// inTurn runs what is not nil.
func inTurn(steps ...func(*store.Tx) error) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		for _, step := range steps {
			if step == nil {
				continue
			}
			if err := step(tx); err != nil {
				return err
			}
		}
		return nil
	}
}

// forget lets what is kept of an account go with it.
func forget(tx *store.Tx, env *project.Environment, _ *user.User, kind, id string) error {
	if kind != user.KindOAuth {
		return nil
	}
	return deleteKept(tx, env.ID, id)
}

type workingTokenRequest struct {
	UserID         string `path:"user_id" description:"The user's id or external id."`
	RegistrationID string `path:"oauth_user_registration_id" description:"Of the account at the provider, as authenticate and the user's providers name it."`
}

type workingTokenResponse struct {
	wire.Meta
	RegistrationID  string   `json:"oauth_user_registration_id" required:"true"`
	ProviderType    string   `json:"provider_type" required:"true" example:"Google"`
	ProviderSubject string   `json:"provider_subject" required:"true" description:"The account's id at the provider."`
	AccessToken     string   `json:"access_token" required:"true" description:"For the provider's own API. It lasts a minute or more, unless the provider issues shorter ones."`
	ExpiresIn       *int64   `json:"access_token_expires_in" description:"Seconds until the access token ends; null where the provider does not say."`
	Scopes          []string `json:"scopes" required:"true" description:"What the access token is good for."`
}

// tokenEndpoints are the routes of servers that call the provider's own API.
func (s *Service) tokenEndpoints() []wire.Endpoint {
	return []wire.Endpoint{
		wire.GET("/v1/users/{user_id}/oauth_providers/{oauth_user_registration_id}", wire.Secret, s.workingToken,
			wire.Summary("Get an access token of a user's account at a provider, renewed where it ends (an extension of Gatehouse)")),
	}
}

// workingToken hands out an access token. A lock is about signing in as the
// user, and keeps no server from its work.
func (s *Service) workingToken(ctx context.Context, req *workingTokenRequest) (*workingTokenResponse, error) {
	env := project.CallerFrom(ctx).Env
	k, account, err := s.working(ctx, env, req)
	if err != nil {
		return nil, err
	}
	if !k.used {
		if err := s.noteUse(ctx, env, k); err != nil {
			return nil, err
		}
	}
	resp := &workingTokenResponse{
		RegistrationID: k.registrationID, ProviderType: account.ProviderType, ProviderSubject: account.ProviderSubject,
		AccessToken: k.tokens.Access, Scopes: k.tokens.Scopes,
	}
	if resp.Scopes == nil {
		resp.Scopes = []string{}
	}
	if !k.expires.IsZero() {
		left := int64(k.expires.Sub(s.DB.Now()) / time.Second)
		resp.ExpiresIn = &left
	}
	return resp, nil
}

// find reads what is kept of an account, and the account.
func (s *Service) find(ctx context.Context, env *project.Environment, req *workingTokenRequest) (k *kept, account *user.OAuthProvider, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		row, err := user.Get(tx, env, req.UserID)
		if err != nil {
			return err
		}
		// The id is read first, for the sake of what is wrong with its form.
		holder, err := user.FindByFactor(tx, env, user.KindOAuth, req.RegistrationID)
		if err != nil {
			return err
		}
		u, err := row.User()
		if err != nil {
			return err
		}
		for i := range u.Providers {
			if u.Providers[i].OAuthUserRegistrationID == req.RegistrationID {
				account = &u.Providers[i]
			}
		}
		if holder.UserID != row.UserID || account == nil {
			return errRegistration
		}
		if !env.Config.OAuth.KeepProviderTokens {
			return errNotKeeping
		}
		k, err = keptByID(tx, env.ID, req.RegistrationID, "")
		if errors.Is(err, store.ErrNoRows) || err == nil && k.userID != row.UserID {
			return errNothingKept
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return k, account, s.openKept(k)
}

// noteUse writes into the audit log that a server has begun to act at a provider
// for a user. What it does there is between the two.
func (s *Service) noteUse(ctx context.Context, env *project.Environment, k *kept) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		first, err := useKept(tx, k)
		if err != nil || !first {
			return err
		}
		return k.emit(tx, env, "oauth.tokens.use", "")
	})
}

func (k *kept) emit(tx *store.Tx, env *project.Environment, what, outcome string) error {
	caller := project.CallerFrom(tx.Context())
	return event.Emit(tx, env.Kind, event.Event{
		EnvironmentID: env.ID, Type: what, Outcome: outcome, Factor: factorType, UserID: k.userID, ObjectID: k.registrationID,
		UserAgent: caller.UserAgent, RequestID: caller.RequestID, Details: map[string]any{"provider": k.provider},
	})
}

// PurgeTokens removes up to budget rows of environments that keep no tokens of
// providers any more, and of providers that an environment has removed.
func (s *Service) PurgeTokens(tx *store.Tx, budget int) (total int64, err error) {
	for _, env := range s.Projects.Environments() {
		take := purgeKept
		if env.Config.OAuth.KeepProviderTokens {
			take = purgeForgotten
		}
		n, err := take(tx, env.ID, budget)
		if err != nil {
			return total, err
		}
		if total, budget = total+n, budget-int(n); budget <= 0 {
			break
		}
	}
	return total, nil
}

// purgeForgotten removes up to budget rows of providers that an environment has
// set up no more.
func purgeForgotten(tx *store.Tx, envID string, budget int) (total int64, err error) {
	names, err := forgotten(tx, envID)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		n, err := deleteKeptOfProvider(tx, envID, name, budget)
		if err != nil {
			return total, err
		}
		if total, budget = total+n, budget-int(n); budget <= 0 {
			break
		}
	}
	return total, nil
}
