package oauth

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

var (
	errCallbackID    = apierr.New(400, "invalid_callback_id", "This address belongs to no environment. Check the redirect URI that is registered at the provider: `gatehouse oauth-provider show` says what it is.")
	errCallback      = apierr.New(400, "oauth_invalid_callback_request", "The provider's answer is malformed. Go back to the app and sign in again.")
	errState         = apierr.New(400, "oauth_invalid_state", "This sign-in is unknown here. Go back to the app and sign in again.")
	errStateMismatch = apierr.New(400, "oauth_state_mismatch", "This sign-in was begun in another browser, or this one keeps no cookies. Go back to the app and sign in again.")
	errStateUsed     = apierr.New(400, "oauth_state_used", "This sign-in has been finished already. Sign in again if you are not signed in.")
	errStateExpired  = apierr.New(400, "expired_oauth_response", "Signing in with the provider took too long. Try again.")
	errOwned         = apierr.New(400, "duplicate_oauth_registration", "This account at the provider belongs to another user, so it cannot be added. Choose another account.")
)

// Return is a browser that is back from a provider.
type Return struct {
	CallbackID string
	Provider   string     // as the address names it, "" in everybody's
	Values     url.Values // of the query, or of the form that was posted
	Posted     bool
	Cookies    []Cookie
}

// Arrival is where a browser that is back goes on to.
type Arrival struct {
	URL string
	// Refused is why the app gets no token; nil when it does. The address says so
	// to the app.
	Refused error
}

// ticket is what a browser brings back to the app, as it is kept.
type ticket struct {
	hash      []byte
	provider  string
	challenge string
	userID    string // as in flow
	sessionID string
	sealed    []byte
	expires   time.Time
	enabled   bool // the provider still is
}

// account is whose a ticket is and what came with it, kept sealed.
type account struct {
	Identity *provider.Identity `json:"identity"`
	Tokens   *provider.Tokens   `json:"tokens"`
	Client   client             `json:"client"` // to whom they were issued
}

const accountPurpose = "oauth account"

// Return finishes with a provider and sends the browser back to the app. An
// error is for the person: it says that the browser is not known to have begun
// anything, so that there is nowhere to send it. Whatever else goes wrong, the
// app is told.
func (s *Service) Return(ctx context.Context, r Return) (*Arrival, error) {
	env, err := s.callbackEnvironment(ctx, r.CallbackID)
	if err != nil {
		return nil, err
	}
	wire.CallFrom(ctx).SetEnv(string(env.Kind))
	values, ok := singleValues(r.Values)
	if !ok {
		return nil, errCallback
	}
	f, verdict, err := s.arrive(ctx, env, values["state"], &r)
	if err != nil {
		return nil, err
	}
	if err := f.stillRegistered(env); err != nil {
		return nil, err
	}
	if verdict != nil {
		return f.back(verdict)
	}
	target, err := s.finish(ctx, env, f, r.Values)
	refused := apierr.From(err)
	if err != nil && refused == nil {
		return nil, err
	}
	if refused != nil {
		if err := s.report(ctx, env, f, refused); err != nil {
			return nil, err
		}
		return f.back(refused)
	}
	return &Arrival{URL: target}, nil
}

// callbackEnvironment finds the environment that an address of ours names.
func (s *Service) callbackEnvironment(ctx context.Context, callbackID string) (*project.Environment, error) {
	kind, _, ok := id.Split(callbackID)
	if !ok || kind != id.OAuthCallback {
		return nil, errCallbackID
	}
	env, err := s.Projects.Environment(ctx, string(id.Project)+strings.TrimPrefix(callbackID, string(id.OAuthCallback)))
	if err == nil && env == nil {
		err = errCallbackID
	}
	return env, err
}

// arrive uses a flow up, whatever comes of it: a code that was shown once is not
// tried again. An error means that the browser is none that we know; a verdict
// that it is, and comes too late.
func (s *Service) arrive(ctx context.Context, env *project.Environment, state string, r *Return) (f *flow, verdict *apierr.Error, err error) {
	if !secret.ValidToken(state) {
		return nil, nil, errState
	}
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		verdict = nil
		if f, err = flowByHash(tx, env.ID, secret.Hash(state)); errors.Is(err, store.ErrNoRows) {
			return errState
		} else if err != nil {
			return err
		}
		p, known := provider.Find(f.provider)
		if !known || p.FormPost != r.Posted || r.Provider != inAddress(p) {
			return errCallback
		}
		if !slices.ContainsFunc(s.marks(p, r.Cookies), func(c Cookie) bool {
			return secret.Equal(string(secret.Hash(c.Value)), string(f.browserHash))
		}) {
			return errStateMismatch
		}
		switch first, err := takeFlow(tx, env.ID, f.hash); {
		case err != nil:
			return err
		case first:
		case f.used || tx.Now.Before(f.expires): // here before, or another request was faster
			verdict = errStateUsed
		default:
			verdict = errStateExpired
		}
		return nil
	})
	return f, verdict, err
}

// stillRegistered makes sure that an address that was taken away while the
// browser was under way is not gone to.
func (f *flow) stillRegistered(env *project.Environment) error {
	if _, err := destination(env, project.RedirectLogin, f.login, errLoginURL); err != nil {
		return err
	}
	_, err := destination(env, project.RedirectSignup, f.signup, errSignupURL)
	return err
}

// back sends the person to the app without a token. The address was checked
// when the flow began, and the browser is the one that began it. An app that has
// a parameter of that name itself is told nothing; the person is.
func (f *flow) back(refused *apierr.Error) (*Arrival, error) {
	if own, err := url.Parse(f.login); err != nil || own.Query().Has("error") || own.Query().Has("error_description") {
		return nil, refused
	}
	target, err := with(f.login, "error", refused.Type, "error_description", refused.Message)
	if err != nil {
		return nil, err
	}
	return &Arrival{URL: target, Refused: refused}, nil
}

// with adds parameters to an address, which has none of their names.
func with(address string, pairs ...string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	for i := 0; i < len(pairs); i += 2 {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += pairs[i] + "=" + url.QueryEscape(pairs[i+1])
	}
	return u.String(), nil
}

// finish exchanges the provider's answer and keeps what it says under a token,
// which the address it returns holds. Nobody is made or changed by it: that is
// for whoever brings the token with the code_verifier.
func (s *Service) finish(ctx context.Context, env *project.Environment, f *flow, values url.Values) (target string, err error) {
	c, err := s.provider(ctx, env, f.provider)
	if err != nil {
		return "", err
	}
	answer, err := provider.ReadAnswer(values)
	if err != nil {
		return "", err
	}
	var m memo
	if err := s.unseal(memoPurpose, env, f.sealed, &m); err != nil {
		return "", err
	}
	answer.CodeVerifier, answer.Nonce, answer.RedirectURI = m.CodeVerifier, m.Nonce, m.RedirectURI
	a := account{Client: clientOf(c.credentials)}
	if a.Identity, a.Tokens, err = s.Providers.Exchange(ctx, c.Provider, c.credentials, answer); err != nil {
		return "", err
	}
	return s.keep(ctx, env, f, c.Provider, &a, func(tx *store.Tx) error {
		if _, err := flowByHash(tx, env.ID, f.hash); errors.Is(err, store.ErrNoRows) {
			return errStateExpired // ended while the provider was asked, see Hooks
		} else if err != nil {
			return err
		}
		if !slices.Contains(nativeProviders, f.provider) {
			return nil
		}
		// The app is shown the id_token, and may show it to others: it has signed in.
		return useOf(a.Tokens.ID).spend(tx, env)
	})
}

// keep keeps an account under a token, and returns the address of the app with
// it. also runs in the same transaction.
func (s *Service) keep(ctx context.Context, env *project.Environment, f *flow, p *provider.Provider, a *account, also func(*store.Tx) error) (target string, err error) {
	token, to := secret.Token(), ""
	k := &ticket{hash: secret.Hash(token), provider: f.provider, challenge: f.challenge, userID: f.userID, sessionID: f.sessionID}
	if k.sealed, err = s.seal(accountPurpose, env, a); err != nil {
		return "", err
	}
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		o, err := ownerOf(tx, env, p, a.Identity, k.userID)
		if err != nil {
			return err
		}
		if err := also(tx); err != nil {
			return err
		}
		if to = f.login; o.signsUp() {
			to = f.signup
		}
		k.expires = tx.Now.Add(tokenFor)
		return insertToken(tx, env.ID, k)
	})
	if err != nil {
		return "", err
	}
	return with(to, "stytch_token_type", "oauth", "token", token)
}

// signsUp reports whether the app is to welcome the user rather than let them
// back in, as links by e-mail do.
func (o *owner) signsUp() bool { return o.row == nil || o.row.Status == user.Pending }

// report leaves in the audit log why a browser came back with nothing.
func (s *Service) report(ctx context.Context, env *project.Environment, f *flow, refused *apierr.Error) error {
	call := wire.CallFrom(ctx)
	e := event.Event{
		EnvironmentID: env.ID, Type: "oauth.callback", Outcome: refused.Type, Factor: factorType, UserID: f.userID,
		UserAgent: call.UserAgent, RequestID: call.RequestID, Details: map[string]any{"provider": f.provider},
	}
	if call.IP.IsValid() {
		e.IP = call.IP.String()
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error { return event.Emit(tx, env.Kind, e) })
}
