package oauth

import (
	"context"
	"time"

	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/wire"
)

// attachment says to whom an account is to be added, as it is kept.
type attachment struct {
	hash      []byte
	provider  string
	userID    string
	sessionID string // in which it has to end, "" where a server answers for the user
	expires   time.Time
}

// attach lets a server have an account added to a user of its choice.
func (s *Service) attach(ctx context.Context, req *attachRequest) (*attachResponse, error) {
	held, err := s.Core.Holding(ctx, &req.Holder)
	if err != nil {
		return nil, err
	}
	return s.attachTo(ctx, req.Provider, func(tx *store.Tx) (userID, sessionID string, err error) {
		row, sessionID, err := held.User(tx)
		switch {
		case err != nil:
			return "", "", err
		case row == nil:
			return "", "", wire.BadRequest("Send one of user_id, session_token and session_jwt.")
		}
		return row.UserID, sessionID, nil
	})
}

// attachOwn lets the signed-in person add an account, which is a privileged
// change.
func (s *Service) attachOwn(ctx context.Context, req *attachRequest) (*attachResponse, error) {
	return s.attachTo(ctx, req.Provider, func(tx *store.Tx) (userID, sessionID string, err error) {
		who, err := s.Core.Identify(ctx, tx)
		if err != nil {
			return "", "", err
		}
		if err := who.StepUp(tx.Now); err != nil {
			return "", "", err
		}
		return who.User.UserID, who.Session.ID, nil
	})
}

// attachTo makes the token that a start at the provider brings. The way ends in
// the session in which it began, or whoever is led onto it by somebody else
// would add their account to that somebody's user.
func (s *Service) attachTo(ctx context.Context, name string, whom func(*store.Tx) (userID, sessionID string, err error)) (*attachResponse, error) {
	env := project.CallerFrom(ctx).Env
	token := secret.Token()
	a := &attachment{hash: secret.Hash(token), provider: name}
	// Who asks comes before what is asked for: strangers learn of no setting.
	_, missing := s.provider(ctx, env, name)
	err := s.DB.Update(ctx, func(tx *store.Tx) (err error) {
		if a.userID, a.sessionID, err = whom(tx); err == nil {
			err = missing
		}
		if err != nil {
			return err
		}
		a.expires = tx.Now.Add(attachFor)
		return insertAttachment(tx, env.ID, a)
	})
	if err != nil {
		return nil, err
	}
	return &attachResponse{Token: token}, nil
}
