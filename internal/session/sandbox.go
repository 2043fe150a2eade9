package session

import (
	"context"
	"time"

	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/project"
	"gatehouse/internal/sandbox"
	"gatehouse/internal/user"
)

// Sandboxed is implemented by the authenticate requests of factors that have
// values in the sandbox. Sandbox returns nil and no error for a request that
// carries none, and the outcome of the one it carries otherwise. It is asked in
// test environments and behind the secret key only.
type Sandboxed interface {
	Sandbox() (*SandboxProof, error)
}

// SandboxProof is what a sandbox value proves about the virtual user.
type SandboxProof struct {
	Factor Factor
	// Fill completes the response with the factor's own fields. It may be nil.
	Fill func(resp any)
}

// sandboxMinutes is how long the virtual user's session lasts, from any moment
// that it is looked at.
const sandboxMinutes = 60

// SandboxEmail is the factor that a link or a code sent to the sandbox's
// address proves.
func SandboxEmail(factorType string) Factor {
	return Factor{Type: factorType, DeliveryMethod: "email", EmailFactor: &EmailFactor{EmailID: sandbox.EmailID, EmailAddress: sandbox.Email}}
}

// inSandbox answers a request that carries a sandbox value; nil and no error
// when it carries none.
func inSandbox[Resp any, PResp response[Resp]](ctx context.Context, c *Core, req authenticating) (PResp, error) {
	s, ok := req.(Sandboxed)
	if caller := project.CallerFrom(ctx); !ok || !caller.MaySandbox() {
		return nil, nil
	}
	proof, err := s.Sandbox()
	if err != nil || proof == nil {
		return nil, err
	}
	fields := req.sessionFields()
	if err := checkDuration(project.CallerFrom(ctx), fields.SessionDurationMinutes); err != nil {
		return nil, err
	}
	resp := PResp(new(Resp))
	if proof.Fill != nil {
		proof.Fill(resp)
	}
	done, err := c.sandboxSession(ctx, proof.Factor, fields.SessionCustomClaims)
	if err != nil {
		return nil, err
	}
	if fields.SessionDurationMinutes == nil && fields.SessionToken != sandbox.SessionToken {
		done.record = nil
	}
	return resp, c.answer(ctx, done, resp.sessionResult())
}

// authenticating is an authenticate request whose type does not matter.
type authenticating interface{ sessionFields() *Fields }

// sandboxSession is the virtual user's session as of now. Its JWT is signed
// like any other, so that it passes the SDKs' own verification.
func (c *Core) sandboxSession(ctx context.Context, factor Factor, claims Claims) (*issued, error) {
	row, err := user.Sandbox()
	if err != nil {
		return nil, err
	}
	now := c.db.Now()
	r := &Record{
		ID: sandbox.SessionID, UserID: sandbox.UserID, EnvironmentID: project.CallerFrom(ctx).Env.ID,
		StartedAt: sandbox.SessionStart, LastAccessedAt: now, ExpiresAt: now.Add(sandboxMinutes * time.Minute),
		// Nothing is stored, so nothing but the moment tells two of them apart.
		Version: now.UnixNano(),
	}
	if r.Claims, err = r.Claims.mergedOver(project.CallerFrom(ctx).Env.JWTTemplate(jwttemplate.Session).Template(), claims); err != nil {
		return nil, err
	}
	if err := r.Factors.authenticated(factor, sandbox.SessionStart); err != nil {
		return nil, err
	}
	return &issued{record: r, user: row, token: sandbox.SessionToken}, nil
}

// namesSandbox reports whether a server asks about the virtual user's session.
func namesSandbox(caller *project.Caller, token string, which selector) bool {
	return caller.MaySandbox() && (token == sandbox.SessionToken || which.id == sandbox.SessionID)
}

func (c *Core) authenticateSandbox(ctx context.Context, req *authenticateRequest) (*authenticateResponse, error) {
	s, err := c.sandboxSession(ctx, SandboxEmail("magic_link"), req.SessionCustomClaims)
	if err != nil {
		return nil, err
	}
	env := project.CallerFrom(ctx).Env
	if s.verdict, err = c.check(env, req.AuthorizationCheck, s.user); err != nil {
		return nil, err
	}
	return c.authenticated(ctx, env, s)
}
