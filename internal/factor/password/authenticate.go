package password

import (
	"context"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/sandbox"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errWrong      = apierr.New(401, "unauthorized_credentials", "The email address or the password is not right. Check both, or set a new password by e-mail.")
	errMustReset  = apierr.New(400, "reset_password", "The password has to be set anew before it can be used again. Ask for a mail that resets it.")
	errNoPassword = apierr.New(400, "no_user_password", "The user has no password. Sign in another way, or set a password by e-mail.")
)

// loginVerdicts are those of a login.
var loginVerdicts = verdicts{wrong: errWrong, mustReset: errMustReset}

// prepareLogin does everything of a login that takes long.
func (s *Service) prepareLogin(ctx context.Context, req *authenticateRequest) (*checked, error) {
	env := project.CallerFrom(ctx).Env
	c, err := s.check(ctx, env, req.Email, req.Password)
	if err == nil && c.right {
		c.distrust = s.distrust(ctx, env, req.Password, req.Email)
	}
	return c, err
}

func (s *Service) proveLogin(ctx context.Context, tx *store.Tx, _ *authenticateRequest, c *checked, _ *authenticateResponse) (session.Proof, error) {
	return s.prove(ctx, tx, c, loginVerdicts)
}

// prepareSignUp hashes the password of somebody new.
func (s *Service) prepareSignUp(ctx context.Context, email, password string) (encoded string, err error) {
	env := project.CallerFrom(ctx).Env
	address, err := user.Contact{Kind: user.KindEmail, Value: email}.Canonical()
	if err != nil {
		return "", err
	}
	if err := s.accept(ctx, env, password, address); err != nil {
		return "", err
	}
	// An address that is taken costs no hash. Whether it is free is decided later.
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		_, err := user.FindByEmail(tx, env, address)
		return err
	})
	switch {
	case err == nil:
		return "", errDuplicate
	case apierr.From(err) == nil:
		return "", err
	}
	return s.hash(ctx, env, password)
}

var errDuplicate = apierr.New(400, "duplicate_email", "A user with this email address already exists. Sign in, or set a new password by e-mail.")

// proveSignUp makes the user.
func (s *Service) proveSignUp(ctx context.Context, tx *store.Tx, email string, changes user.Changes, encoded string, resp *createResponse) (session.Proof, error) {
	env, proof := project.CallerFrom(ctx).Env, session.Proof{Factor: factor}
	row, err := s.Users.Create(tx, env, user.NewUser{Email: email, Changes: changes, Fill: setOn(env, tx.Now)})
	if err != nil {
		return proof, err
	}
	u, err := row.User()
	if err != nil {
		return proof, err
	}
	proof.UserID, resp.EmailID = row.UserID, u.Emails[0].EmailID
	return proof, s.Keep(tx, env, row.UserID, encoded)
}

// isSandbox reports whether an address is the sandbox's, whose every password is
// right.
func isSandbox(email string) bool { return strings.EqualFold(strings.TrimSpace(email), sandbox.Email) }

// Sandbox implements session.Sandboxed.
func (req *authenticateRequest) Sandbox() (*session.SandboxProof, error) {
	if !isSandbox(req.Email) {
		return nil, nil
	}
	return &session.SandboxProof{Factor: factor}, nil
}

// Sandbox implements session.Sandboxed.
func (req *createRequest) Sandbox() (*session.SandboxProof, error) {
	if !isSandbox(req.Email) {
		return nil, nil
	}
	return &session.SandboxProof{Factor: factor, Fill: func(resp any) { resp.(*createResponse).EmailID = sandbox.EmailID }}, nil
}
