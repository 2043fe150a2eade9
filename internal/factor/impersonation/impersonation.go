// Package impersonation lets an operator act as a user for an hour, to see what
// the user sees. It owns the one-time tokens that such a session begins with
// (table impersonations): who asked, for whom, until when. It never proves
// anything about the user, never changes them, and never decides what a session
// of this kind may do: the session core does, for every feature alike.
package impersonation

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Lifetime is how long a token waits for its one use.
const Lifetime = 5 * time.Minute

const (
	// maxReason bounds a reason, in characters.
	maxReason = 500
	// maxName bounds the name of who acts as the user, in characters.
	maxName = 128
	// tokenType is what the token calls itself on its way to the app.
	tokenType = "impersonation"
)

var (
	errReason     = apierr.New(400, "invalid_impersonation_reason", "Say why in 1 to 500 characters, without line breaks. The audit log keeps it.")
	errNotAllowed = apierr.New(400, "user_impersonation_not_allowed", "Acting as users is switched off for this environment. Switch it on with `gatehouse environment set ENVIRONMENT user_impersonation.enabled=true`.")
	errUnable     = apierr.New(401, "unable_to_auth_impersonation_token", "The token is wrong, was used already or is older than five minutes. Make another one.")
)

// ErrImpersonator means that a text names nobody who could act as a user.
var ErrImpersonator = errors.New("name whoever acts as the user as NAME, EMAIL or NAME/EMAIL")

// Service makes tokens for acting as a user and takes them.
type Service struct {
	db   *store.DB
	core *session.Core
}

// New returns the service. List Hooks among the hooks of the users.
func New(db *store.DB, core *session.Core) *Service {
	return &Service{db, core}
}

// Hooks forget the tokens of a user who is deleted.
func (s *Service) Hooks() user.Hooks {
	return user.Hooks{
		OnDelete: func(tx *store.Tx, env *project.Environment, userID string) error {
			return deleteOfUser(tx, env.ID, userID)
		},
	}
}

// ParseImpersonator reads who acts as a user: "NAME/EMAIL", or one of the two.
// An address alone is the name as well.
func ParseImpersonator(text string) (session.ImpersonatedFactor, error) {
	name, address, both := strings.Cut(strings.TrimSpace(text), "/")
	if !both && strings.Contains(name, "@") {
		address = name
	}
	as := session.ImpersonatedFactor{ImpersonatorID: strings.TrimSpace(name)}
	if address != "" {
		canonical, err := user.CanonicalEmail(strings.TrimSpace(address))
		if err != nil {
			return as, ErrImpersonator
		}
		as.ImpersonatorEmailAddress = canonical
	}
	if !readable(as.ImpersonatorID, maxName) || both && address == "" {
		return as, ErrImpersonator
	}
	return as, nil
}

// readable reports whether a text is there, has max characters at most and
// shows in one line what it holds.
func readable(text string, max int) bool {
	return text != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= max &&
		!strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Request is a wish to act as a user.
type Request struct {
	UserID   string // or the external id
	Reason   string // for the audit log
	As       session.ImpersonatedFactor
	LoginURL string // a registered redirect URL for LOGIN; "" is the default one
}

// Made is a token, which is shown this once.
type Made struct {
	ID        string    `json:"impersonation_id"`
	UserID    string    `json:"user_id"`
	Token     string    `json:"token"`
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Create makes a token with which somebody can act as a user, once and within
// five minutes.
func (s *Service) Create(ctx context.Context, env *project.Environment, r *Request) (*Made, error) {
	reason := strings.TrimSpace(r.Reason)
	switch {
	case !env.Config.UserImpersonation.Enabled:
		return nil, errNotAllowed
	case !readable(reason, maxReason):
		return nil, errReason
	}
	destination, err := env.Destination(project.RedirectLogin, r.LoginURL)
	if err != nil {
		return nil, err
	}
	token := secret.Token()
	made := &Made{Token: token}
	if made.URL, err = withToken(destination, token); err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		row, err := user.ForUpdate(tx, env, r.UserID)
		if err != nil {
			return err
		}
		made.ID, made.UserID, made.ExpiresAt = id.New(id.Impersonation, env.Kind, tx.Now), row.UserID, tx.Now.Add(Lifetime)
		if err := insert(tx, env.ID, secret.Hash(token), made, &r.As); err != nil {
			return err
		}
		return event.Emit(tx, env.Kind, event.Event{
			EnvironmentID: env.ID, Type: "impersonation.create", UserID: row.UserID, ObjectID: made.ID,
			Details: map[string]any{
				"reason": reason, "impersonator_id": r.As.ImpersonatorID, "impersonator_email_address": r.As.ImpersonatorEmailAddress,
			},
		})
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// withToken adds the token to an address, by the names that SDKs look for.
func withToken(destination, token string) (string, error) {
	u, err := url.Parse(destination)
	if err != nil {
		return "", err
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "stytch_token_type=" + tokenType + "&token=" + url.QueryEscape(token)
	return u.String(), nil
}

// authenticate begins the session. The one who brings the token is believed to
// be whom it was made for; what the caller brings beside it counts for nothing.
func (s *Service) authenticate(ctx context.Context, req *authenticateRequest) (*authenticateResponse, error) {
	env := project.CallerFrom(ctx).Env
	if !env.Config.UserImpersonation.Enabled {
		return nil, errNotAllowed
	}
	if !secret.ValidToken(req.Token) {
		return nil, errUnable
	}
	hash := secret.Hash(req.Token)
	out, err := s.core.Impersonate(ctx, func(tx *store.Tx) (*session.Impersonation, error) {
		found, expires, err := byHash(tx, env.ID, hash)
		if errors.Is(err, store.ErrNoRows) || err == nil && !tx.Now.Before(expires) {
			return nil, errUnable
		}
		if err != nil {
			return nil, err
		}
		found.Take = func(tx *store.Tx) error {
			first, err := take(tx, env.ID, hash)
			if err == nil && !first {
				return errUnable
			}
			return err
		}
		return found, nil
	})
	if err != nil {
		return nil, err
	}
	return &authenticateResponse{
		UserID: out.UserID, User: out.User, SessionToken: out.SessionToken, SessionJWT: out.SessionJWT, Session: out.Session,
		BrowserUser: out.BrowserUser,
	}, nil
}

// Purge removes up to budget tokens that nobody has used in time.
func Purge(tx *store.Tx, budget int) (int64, error) { return purge(tx, budget) }
