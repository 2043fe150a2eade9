package session

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/event"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// Endpoints are the routes of sessions on both surfaces.
func (c *Core) Endpoints() []wire.Endpoint {
	return []wire.Endpoint{
		wire.POST("/v1/sessions/authenticate", wire.Secret, c.authenticate, wire.Summary("Verify a session, and extend it or change its claims")),
		wire.GET("/v1/sessions", wire.Secret, c.list, wire.Summary("List the active sessions of a user")),
		wire.POST("/v1/sessions/revoke", wire.Secret, c.revoke, wire.Summary("End a session")),
		wire.GET("/v1/sessions/jwks/{project_id}", wire.Open, c.jwks, wire.Cache("public, max-age=60"), wire.Summary("The keys that session JWTs are signed with")),
		wire.POST("/sdk/v1/sessions/authenticate", wire.Public, c.authenticate, wire.Summary("Verify and extend the browser's session")),
		wire.POST("/sdk/v1/sessions/revoke", wire.Public, c.revoke, wire.Summary("Sign out")),
	}
}

type authenticateRequest struct {
	SessionToken           string              `json:"session_token" door:"server" description:"The opaque token of the session."`
	SessionJWT             string              `json:"session_jwt" door:"server" description:"A JWT of the session; it may have expired."`
	SessionDurationMinutes *int                `json:"session_duration_minutes" min:"5" max:"527040" description:"Sets the expiry this many minutes from now; without it the expiry stays."`
	SessionCustomClaims    Claims              `json:"session_custom_claims" door:"server" description:"Merged into the session's claims; null deletes a key. At most 4 KB."`
	AuthorizationCheck     *authorizationCheck `json:"authorization_check" door:"server" description:"Refuse unless one of the user's roles allows the action."`
}

type authenticateResponse struct {
	wire.Meta
	UserID       string     `json:"user_id" required:"true"`
	User         user.JSON  `json:"user" required:"true"`
	SessionToken string     `json:"session_token" required:"true"`
	SessionJWT   string     `json:"session_jwt" required:"true"`
	Session      *Session   `json:"session" required:"true"`
	Verdict      *verdict   `json:"verdict,omitempty"`
	BrowserUser  *user.JSON `json:"__user,omitempty"`
}

func (c *Core) authenticate(ctx context.Context, req *authenticateRequest) (*authenticateResponse, error) {
	caller := project.CallerFrom(ctx)
	if err := checkDuration(caller, req.SessionDurationMinutes); err != nil {
		return nil, err
	}
	which, token, err := c.which(ctx, caller, req.SessionToken, req.SessionJWT)
	if err != nil {
		return nil, err
	}
	if namesSandbox(caller, token, which) {
		return c.authenticateSandbox(ctx, req)
	}
	s := &issued{token: token}
	writes := req.SessionDurationMinutes != nil || !req.SessionCustomClaims.IsEmpty()
	if !writes {
		err = c.db.View(ctx, func(tx *store.Tx) (err error) {
			if s.record, s.user, err = c.read(tx, caller.Env, which); err == nil {
				s.verdict, err = c.check(caller.Env, req.AuthorizationCheck, s.user)
			}
			writes = err == nil && tx.Now.Sub(s.record.LastAccessedAt) >= touchEvery
			return err
		})
	}
	if err == nil && writes {
		err = c.access(ctx, caller.Env, which, req, s)
	}
	if err != nil {
		return nil, err
	}
	return c.authenticated(ctx, caller.Env, s)
}

// which names the session a call is about. The token is returned when it is
// known, which saves unsealing it for the answer.
func (c *Core) which(ctx context.Context, caller *project.Caller, token, jwt string) (selector, string, error) {
	if caller.Browser {
		which, err := presented(ctx)
		if which.hash != nil {
			token = caller.SessionToken
		}
		return which, token, err
	}
	if token == "" && jwt == "" {
		return selector{}, "", errNoArguments
	}
	which, err := c.named(ctx, caller.Env, token, jwt)
	return which, token, err
}

// access records the use of a session and what the request changes about it.
func (c *Core) access(ctx context.Context, env *project.Environment, which selector, req *authenticateRequest, s *issued) error {
	return c.db.Update(ctx, func(tx *store.Tx) error {
		r, u, err := c.lockWithUser(tx, env, which)
		if err != nil {
			return err
		}
		s.record, s.user = r, u
		changes := req.SessionDurationMinutes != nil || !req.SessionCustomClaims.IsEmpty()
		if changes {
			if err := r.refuseImpersonated(errNotMutable); err != nil {
				return err
			}
		}
		// A refused check leaves the session as it was.
		if s.verdict, err = c.check(env, req.AuthorizationCheck, u); err != nil {
			return err
		}
		if !changes {
			r.LastAccessedAt = tx.Now
			return touch(tx, env.ID, r.ID, tx.Now)
		}
		if err := r.extend(tx, env, req.SessionDurationMinutes, req.SessionCustomClaims); err != nil {
			return err
		}
		return update(tx, r)
	})
}

// lockWithUser locks the user's row and then the session's, in the one order
// everybody keeps.
func (c *Core) lockWithUser(tx *store.Tx, env *project.Environment, which selector) (*Record, *user.Row, error) {
	userID, err := owner(tx, env.ID, which)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil, errNotFound
	}
	if err != nil {
		return nil, nil, err
	}
	u, err := user.ForUpdate(tx, env, userID)
	if err != nil {
		return nil, nil, err
	}
	r, err := lock(tx, env.ID, which)
	if errors.Is(err, store.ErrNoRows) || err == nil && !r.Alive(tx.Now) {
		return nil, nil, errNotFound
	}
	return r, u, err
}

func (c *Core) authenticated(ctx context.Context, env *project.Environment, s *issued) (*authenticateResponse, error) {
	var out Result
	if err := c.show(ctx, env, s, &out); err != nil {
		return nil, err
	}
	resp := &authenticateResponse{
		UserID: s.user.UserID, User: s.user.JSON, SessionToken: out.SessionToken, SessionJWT: out.SessionJWT,
		Session: out.Session, Verdict: s.verdict,
	}
	if project.CallerFrom(ctx).Browser {
		resp.User = resp.User.ForBrowser()
		resp.BrowserUser = &resp.User
	}
	return resp, nil
}

type listRequest struct {
	UserID string `query:"user_id" required:"true" description:"The user's id or external id."`
}

type listResponse struct {
	wire.Meta
	Sessions []*Session `json:"sessions" required:"true"`
}

func (c *Core) list(ctx context.Context, req *listRequest) (*listResponse, error) {
	env := project.CallerFrom(ctx).Env
	resp := &listResponse{Sessions: []*Session{}}
	err := c.db.View(ctx, func(tx *store.Tx) error {
		row, err := user.Get(tx, env, req.UserID)
		if err != nil {
			return err
		}
		u, err := row.User()
		if err != nil {
			return err
		}
		roles := env.Policy().RolesOf(u.Roles)
		records, err := listActive(tx, env.ID, row.UserID)
		for _, r := range records {
			resp.Sessions = append(resp.Sessions, r.wire(roles, c.claims(env, r, u, roles)))
		}
		return err
	})
	return resp, err
}

type revokeRequest struct {
	SessionID    string `json:"session_id" door:"server"`
	SessionToken string `json:"session_token" door:"server"`
	SessionJWT   string `json:"session_jwt" door:"server"`
}

type revokeResponse struct{ wire.Meta }

// revoke ends a session at once: every call reads the row. JWTs checked
// without asking stay valid until they expire.
func (c *Core) revoke(ctx context.Context, req *revokeRequest) (*revokeResponse, error) {
	caller := project.CallerFrom(ctx)
	which, err := c.revoked(ctx, caller, req)
	if err != nil {
		return nil, err
	}
	var r *Record
	err = c.db.Update(ctx, func(tx *store.Tx) (err error) {
		r, err = lock(tx, caller.Env.ID, which)
		if errors.Is(err, store.ErrNoRows) || err == nil && !r.Alive(tx.Now) {
			return errNotFound
		}
		if err != nil {
			return err
		}
		if err := remove(tx, caller.Env.ID, r.ID); err != nil {
			return err
		}
		if err := reportEnd(ctx, tx, r); err != nil {
			return err
		}
		return event.Emit(tx, caller.Env.Kind, event.Event{
			EnvironmentID: caller.Env.ID, Type: "session.revoke", UserID: r.UserID, ObjectID: r.ID, RequestID: caller.RequestID,
		})
	})
	dropCookies(ctx)
	if err != nil {
		return nil, err
	}
	c.jwts.forget(r.ID)
	return &revokeResponse{}, nil
}

func (c *Core) revoked(ctx context.Context, caller *project.Caller, req *revokeRequest) (selector, error) {
	if caller.Browser {
		return presented(ctx)
	}
	given := 0
	for _, arg := range []string{req.SessionID, req.SessionToken, req.SessionJWT} {
		if arg != "" {
			given++
		}
	}
	switch {
	case given == 0:
		return selector{}, errNoRevoke
	case given > 1:
		return selector{}, errTooManyRevoke
	case req.SessionID == "":
		return c.named(ctx, caller.Env, req.SessionToken, req.SessionJWT)
	case !id.Check(id.Session, caller.Env.Kind, req.SessionID):
		return selector{}, errIDShape
	}
	return selector{id: req.SessionID}, nil
}

type jwksRequest struct {
	ProjectID string `path:"project_id"`
}

type jwksResponse struct {
	wire.Meta
	Keys []*jwk `json:"keys" required:"true"`
}

func (c *Core) jwks(ctx context.Context, req *jwksRequest) (*jwksResponse, error) {
	env, err := c.projects.Environment(ctx, req.ProjectID)
	if err != nil {
		return nil, err
	}
	if env == nil {
		return nil, errProjectNotFound
	}
	set, err := c.keys(ctx, env)
	if err != nil {
		return nil, err
	}
	resp := &jwksResponse{Keys: []*jwk{}}
	now := c.db.Now()
	for _, k := range set.keys {
		if !k.published(now) {
			continue
		}
		j, err := k.jwk()
		if err != nil {
			return nil, err
		}
		resp.Keys = append(resp.Keys, j)
	}
	wire.CallFrom(ctx).SetEnv(string(env.Kind))
	return resp, nil
}

func minutesOf(n int) time.Duration { return time.Duration(n) * time.Minute }
