package password

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/secret/passhash"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errHasPassword = apierr.New(400, "password_already_exists", "The user has a password already. It is kept; delete it first to bring another one along.")
	errOldExternal = apierr.New(400, "duplicate_user_external_id", "The user exists already, and external_id is only set on users whom this call creates. Leave it out, or update the user.")
)

// perEnvironment is the documented rate of migrations (behaviour.md, section 16).
var perEnvironment = ratelimit.Rule{Name: "password migrations", Limit: 100, Per: time.Second}

// migrate brings a password along from another system, for a user who exists or
// a new one.
func (s *Service) migrate(ctx context.Context, req *migrateRequest) (*migrateResponse, error) {
	env := project.CallerFrom(ctx).Env
	encoded, err := passhash.Import(req.HashType, req.Hash, req.Configs)
	if err != nil {
		return nil, err
	}
	contact := user.Contact{Kind: user.KindEmail, Value: req.Email}
	resp := &migrateResponse{}
	err = user.Retry(func() error {
		return s.DB.Update(ctx, func(tx *store.Tx) error {
			if err := ratelimit.Spend(tx, perEnvironment, env.ID, ratelimit.Of(env.ID)); err != nil {
				return err
			}
			to, err := contact.Find(tx, env)
			resp.UserCreated = errors.Is(err, user.ErrEmailNotFound)
			switch {
			case resp.UserCreated:
				if err = s.createWith(tx, env, req); err == nil {
					to, err = contact.Find(tx, env)
				}
			case err == nil:
				err = s.addTo(tx, env, to, req)
			}
			if err != nil {
				return err
			}
			resp.UserID, resp.EmailID, resp.User = to.Row.UserID, to.FactorID, to.Row.JSON
			return s.Keep(tx, env, to.Row.UserID, encoded)
		})
	})
	return resp, err
}

// createWith makes a user of what the request says.
func (s *Service) createWith(tx *store.Tx, env *project.Environment, req *migrateRequest) error {
	_, err := s.Users.Create(tx, env, user.NewUser{
		Email: req.Email, PhoneNumber: req.PhoneNumber, Changes: req.Changes,
		Fill: func(u *user.User) error {
			u.Emails[0].Verified = req.SetEmailVerified
			if len(u.PhoneNumbers) > 0 {
				u.PhoneNumbers[0].Verified = req.SetPhoneNumberVerified
			}
			return setOn(env, tx.Now)(u)
		},
	})
	return err
}

// addTo adds what the request says to a user who exists.
func (s *Service) addTo(tx *store.Tx, env *project.Environment, to *user.Reached, req *migrateRequest) error {
	if req.ExternalID != nil {
		return errOldExternal
	}
	return s.Users.Apply(tx, env, to.Row, func(u *user.User) error {
		if u.Password != nil {
			return errHasPassword
		}
		if err := req.Apply(env)(u); err != nil {
			return err
		}
		if req.PhoneNumber != "" {
			number, err := u.AddPhone(env, req.PhoneNumber)
			if err != nil {
				return err
			}
			number.Verified = req.SetPhoneNumberVerified
		}
		if req.SetEmailVerified {
			u.Email(to.FactorID).Verified = true
		}
		return setOn(env, tx.Now)(u)
	})
}
