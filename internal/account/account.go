// Package account is what a signed-in person may do to their own user through
// the browser's door: see it, change the parts that are theirs, take factors
// away. Identity is the session they present, never a field of the request.
package account

import (
	"context"
	"encoding/json"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

var (
	errTrustedMetadata = apierr.New(401, "cannot_update_trusted_metadata", "Trusted metadata can only be changed by a server.")
	errAuthMethods     = apierr.New(400, "update_user_auth_method_not_allowed", "E-mails, phone numbers and wallets cannot be set here. Add them by proving them.")
)

// Service serves the routes.
type Service struct {
	db    *store.DB
	users *user.Service
	core  *session.Core
}

// New returns the service.
func New(db *store.DB, users *user.Service, core *session.Core) *Service {
	return &Service{db, users, core}
}

// Endpoints are the routes of a person's own user.
func (s *Service) Endpoints() []wire.Endpoint {
	list := []wire.Endpoint{
		wire.GET("/sdk/v1/users/me", wire.Public, s.get, wire.Summary("The signed-in user")),
		wire.PUT("/sdk/v1/users/me", wire.Public, s.update, wire.Summary("Change the signed-in user's name or untrusted metadata")),
	}
	for path, kind := range map[string]string{
		"emails":                  user.KindEmail,
		"phone_numbers":           user.KindPhone,
		"webauthn_registrations":  user.KindWebAuthn,
		"biometric_registrations": user.KindBiometric,
		"totps":                   user.KindTOTP,
		"crypto_wallets":          user.KindWallet,
		"oauth":                   user.KindOAuth,
	} {
		list = append(list, wire.DELETE("/sdk/v1/users/"+path+"/{factor_id}", wire.Public, s.remove(kind),
			wire.Summary("Take this factor away from the signed-in user")))
	}
	return list
}

type getRequest struct{}

// getResponse is the user itself with the envelope's fields among its own.
type getResponse struct {
	wire.Meta
	User user.JSON `json:",inline"`
}

func (s *Service) get(ctx context.Context, _ *getRequest) (*getResponse, error) {
	resp := &getResponse{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		me, err := s.core.Look(tx.Context(), tx)
		if err != nil {
			return err
		}
		resp.User = me.User.JSON.ForBrowser()
		return nil
	})
	return resp, err
}

type updateRequest struct {
	Name              *user.NameChange `json:"name"`
	UntrustedMetadata json.RawMessage  `json:"untrusted_metadata"`
	// Refused when present, so that a page learns why nothing happened.
	TrustedMetadata json.RawMessage   `json:"trusted_metadata"`
	Emails          []json.RawMessage `json:"emails"`
	PhoneNumbers    []json.RawMessage `json:"phone_numbers"`
	CryptoWallets   []json.RawMessage `json:"crypto_wallets"`
}

func (r *updateRequest) Validate() error {
	switch {
	case len(r.TrustedMetadata) > 0 && string(r.TrustedMetadata) != "null":
		return errTrustedMetadata
	case len(r.Emails)+len(r.PhoneNumbers)+len(r.CryptoWallets) > 0:
		return errAuthMethods
	}
	return nil
}

// changeResponse shows the user after a change, under both names: the browser
// SDK reads __user, mobile SDKs read user.
type changeResponse struct {
	wire.Meta
	UserID        string              `json:"user_id" required:"true"`
	Emails        []user.Email        `json:"emails" required:"true"`
	PhoneNumbers  []user.PhoneNumber  `json:"phone_numbers" required:"true"`
	CryptoWallets []user.CryptoWallet `json:"crypto_wallets" required:"true"`
	User          user.JSON           `json:"user" required:"true"`
	BrowserUser   user.JSON           `json:"__user" required:"true"`
}

func changed(row *user.Row) (*changeResponse, error) {
	u, err := row.User()
	if err != nil {
		return nil, err
	}
	mine := row.JSON.ForBrowser()
	return &changeResponse{
		UserID: u.UserID, Emails: u.Emails, PhoneNumbers: u.PhoneNumbers, CryptoWallets: u.CryptoWallets,
		User: mine, BrowserUser: mine,
	}, nil
}

func (s *Service) update(ctx context.Context, req *updateRequest) (*changeResponse, error) {
	return s.change(ctx, func(tx *store.Tx, env *project.Environment, me *user.User) (*user.Row, error) {
		changes := user.Changes{Name: req.Name, UntrustedMetadata: req.UntrustedMetadata}
		return s.users.Change(tx, env, me.UserID, changes.Apply(env))
	})
}

type removeRequest struct {
	FactorID string `path:"factor_id"`
}

// remove takes a factor away, unless it is the last one the person could be
// reached or recognised by.
func (s *Service) remove(kind string) func(context.Context, *removeRequest) (*changeResponse, error) {
	return func(ctx context.Context, req *removeRequest) (*changeResponse, error) {
		return s.change(ctx, func(tx *store.Tx, env *project.Environment, me *user.User) (*user.Row, error) {
			return s.users.RemoveOwnFactor(tx, env, me.UserID, kind, req.FactorID)
		})
	}
}

// change makes a privileged change to the signed-in user, who has to pass the
// step-up rule first.
func (s *Service) change(ctx context.Context, f func(*store.Tx, *project.Environment, *user.User) (*user.Row, error)) (*changeResponse, error) {
	var resp *changeResponse
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		me, err := s.core.Identify(tx.Context(), tx)
		if err != nil {
			return err
		}
		if err := me.StepUp(tx.Now); err != nil {
			return err
		}
		u, err := me.User.User()
		if err != nil {
			return err
		}
		row, err := f(tx, project.CallerFrom(ctx).Env, u)
		if err != nil {
			return err
		}
		resp, err = changed(row)
		return err
	})
	return resp, err
}
