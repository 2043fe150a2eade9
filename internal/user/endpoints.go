package user

import (
	"context"
	"encoding/json"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/wire"
)

// Endpoints are the routes of /v1/users.
func (s *Service) Endpoints() []wire.Endpoint {
	return []wire.Endpoint{
		wire.POST("/v1/users", wire.Secret, s.create, wire.Summary("Create a user")),
		wire.POST("/v1/users/search", wire.Secret, s.search, wire.Summary("Search users")),
		wire.GET("/v1/users/{user_id}", wire.Secret, s.get, wire.Summary("Get a user")),
		wire.PUT("/v1/users/{user_id}", wire.Secret, s.update, wire.Summary("Update a user")),
		wire.DELETE("/v1/users/{user_id}", wire.Secret, s.delete, wire.Summary("Delete a user")),
		wire.PUT("/v1/users/{user_id}/exchange_primary_factor", wire.Secret, s.exchange, wire.Summary("Exchange a user's only email address or phone number")),
		wire.DELETE("/v1/users/{user_id}/external_id", wire.Secret, s.deleteExternalID, wire.Summary("Delete a user's external id")),
		wire.DELETE("/v1/users/emails/{email_id}", wire.Secret, removal(s, KindEmail, func(r *emailPath) string { return r.ID }), wire.Summary("Delete an email address")),
		wire.DELETE("/v1/users/phone_numbers/{phone_id}", wire.Secret, removal(s, KindPhone, func(r *phonePath) string { return r.ID }), wire.Summary("Delete a phone number")),
		wire.DELETE("/v1/users/webauthn_registrations/{webauthn_registration_id}", wire.Secret, removal(s, KindWebAuthn, func(r *webauthnPath) string { return r.ID }), wire.Summary("Delete a passkey or security key")),
		wire.DELETE("/v1/users/biometric_registrations/{biometric_registration_id}", wire.Secret, removal(s, KindBiometric, func(r *biometricPath) string { return r.ID }), wire.Summary("Delete a biometric registration")),
		wire.DELETE("/v1/users/totps/{totp_id}", wire.Secret, removal(s, KindTOTP, func(r *totpPath) string { return r.ID }), wire.Summary("Delete an authenticator app")),
		wire.DELETE("/v1/users/crypto_wallets/{crypto_wallet_id}", wire.Secret, removal(s, KindWallet, func(r *walletPath) string { return r.ID }), wire.Summary("Delete a crypto wallet")),
		wire.DELETE("/v1/users/passwords/{password_id}", wire.Secret, removal(s, KindPassword, func(r *passwordPath) string { return r.ID }), wire.Summary("Delete a password")),
		wire.DELETE("/v1/users/oauth/{oauth_user_registration_id}", wire.Secret, removal(s, KindOAuth, func(r *oauthPath) string { return r.ID }), wire.Summary("Delete an account at an identity provider")),
		wire.GET("/v1/projects/metrics", wire.Secret, s.metrics, wire.Summary("Count the users of the environment")),
	}
}

// Attributes describe the person's device, as the caller's server sees it.
type Attributes struct {
	IPAddress string `json:"ip_address"`
	UserAgent string `json:"user_agent"`
}

type createRequest struct {
	Email               string     `json:"email" description:"At least one of email and phone_number is needed." example:"ada@example.com"`
	PhoneNumber         string     `json:"phone_number" description:"With the country code." example:"+14155552671"`
	CreateUserAsPending bool       `json:"create_user_as_pending" description:"The user is pending until the first sign-in."`
	Attributes          Attributes `json:"attributes"`
	Changes
}

type createResponse struct {
	wire.Meta
	UserID  string `json:"user_id" required:"true"`
	EmailID string `json:"email_id" required:"true" description:"Empty without an email address."`
	PhoneID string `json:"phone_id" required:"true" description:"Empty without a phone number."`
	Status  string `json:"status" required:"true"`
	User    JSON   `json:"user" required:"true"`
}

var errNothingToCreate = apierr.New(400, "invalid_create_user_request", "A user needs an email address or a phone number.")

func (s *Service) create(ctx context.Context, req *createRequest) (*createResponse, error) {
	if req.Email == "" && req.PhoneNumber == "" {
		return nil, errNothingToCreate
	}
	n := NewUser{Email: req.Email, PhoneNumber: req.PhoneNumber, Changes: req.Changes}
	if req.CreateUserAsPending {
		n.Status = Pending
	}
	env := project.CallerFrom(ctx).Env
	var row *Row
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		row, err = s.Create(tx, env, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	u, err := row.User()
	if err != nil {
		return nil, err
	}
	resp := &createResponse{UserID: row.UserID, Status: row.Status, User: row.JSON}
	if len(u.Emails) > 0 {
		resp.EmailID = u.Emails[0].EmailID
	}
	if len(u.PhoneNumbers) > 0 {
		resp.PhoneID = u.PhoneNumbers[0].PhoneID
	}
	return resp, nil
}

type userPath struct {
	UserID string `path:"user_id" description:"The user's id or external id."`
}

// FlatUser is the answer that shows a user's fields beside the envelope's.
type FlatUser struct {
	wire.Meta
	User JSON `json:",inline"`
}

func (s *Service) get(ctx context.Context, req *userPath) (*FlatUser, error) {
	row, err := s.Get(ctx, project.CallerFrom(ctx).Env, req.UserID)
	if err != nil {
		return nil, err
	}
	return &FlatUser{User: row.JSON}, nil
}

type updateRequest struct {
	userPath
	Attributes Attributes `json:"attributes"`
	Changes
	Emails        json.RawMessage `json:"emails" description:"Refused: add an address by sending a message to it."`
	PhoneNumbers  json.RawMessage `json:"phone_numbers" description:"Refused: add a number by sending a message to it."`
	CryptoWallets json.RawMessage `json:"crypto_wallets" description:"Refused: add a wallet by authenticating it."`
}

type updateResponse struct {
	wire.Meta
	UserID        string         `json:"user_id" required:"true"`
	Emails        []Email        `json:"emails" required:"true"`
	PhoneNumbers  []PhoneNumber  `json:"phone_numbers" required:"true"`
	CryptoWallets []CryptoWallet `json:"crypto_wallets" required:"true"`
	User          JSON           `json:"user" required:"true"`
}

var errAuthMethod = apierr.New(400, "update_user_auth_method_not_allowed", "Email addresses, phone numbers and wallets cannot be set here. Add them by sending a message to them, or by authenticating them.")

func (s *Service) update(ctx context.Context, req *updateRequest) (*updateResponse, error) {
	for _, given := range []json.RawMessage{req.Emails, req.PhoneNumbers, req.CryptoWallets} {
		if len(given) > 0 && string(given) != "null" && string(given) != "[]" {
			return nil, errAuthMethod
		}
	}
	row, err := s.change(ctx, req.UserID, req.Apply(project.CallerFrom(ctx).Env))
	if err != nil {
		return nil, err
	}
	u, err := row.User()
	if err != nil {
		return nil, err
	}
	return &updateResponse{UserID: row.UserID, Emails: u.Emails, PhoneNumbers: u.PhoneNumbers, CryptoWallets: u.CryptoWallets, User: row.JSON}, nil
}

// change is Change in a transaction of its own, for the caller's environment.
func (s *Service) change(ctx context.Context, userID string, change func(*User) error) (row *Row, err error) {
	env := project.CallerFrom(ctx).Env
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if row, err = s.Change(tx, env, userID, change); err != nil {
			return err
		}
		return emit(tx, env, event.Event{Type: "user.update", UserID: row.UserID})
	})
	return row, err
}

type changedResponse struct {
	wire.Meta
	UserID string `json:"user_id" required:"true"`
	User   JSON   `json:"user" required:"true"`
}

func changed(row *Row, err error) (*changedResponse, error) {
	if err != nil {
		return nil, err
	}
	return &changedResponse{UserID: row.UserID, User: row.JSON}, nil
}

type deleteResponse struct {
	wire.Meta
	UserID string `json:"user_id" required:"true"`
}

func (s *Service) delete(ctx context.Context, req *userPath) (*deleteResponse, error) {
	userID, err := s.Remove(ctx, project.CallerFrom(ctx).Env, req.UserID)
	if err != nil {
		return nil, err
	}
	return &deleteResponse{UserID: userID}, nil
}

func (s *Service) deleteExternalID(ctx context.Context, req *userPath) (*changedResponse, error) {
	return changed(s.change(ctx, req.UserID, func(u *User) error {
		u.ExternalID = nil
		return nil
	}))
}

type exchangeRequest struct {
	userPath
	EmailAddress string `json:"email_address" description:"Exactly one of email_address and phone_number is needed."`
	PhoneNumber  string `json:"phone_number"`
}

var (
	errExchangeFields = apierr.New(400, "invalid_exchange_primary_factor_fields", "Send either email_address or phone_number, and only one of them.")
	errExchangeUser   = apierr.New(400, "invalid_exchange_primary_factor_user", "Only a user with exactly one factor, an email address or a phone number, can exchange it.")
)

// exchange replaces the only factor. Nobody has proven the new one, so it is
// not verified, whatever the old one was.
func (s *Service) exchange(ctx context.Context, req *exchangeRequest) (*changedResponse, error) {
	if (req.EmailAddress == "") == (req.PhoneNumber == "") {
		return nil, errExchangeFields
	}
	env := project.CallerFrom(ctx).Env
	var row *Row
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		row, err = s.Change(tx, env, req.UserID, func(u *User) error {
			factors := u.Factors()
			if len(factors) != 1 || factors[0].Kind != KindEmail && factors[0].Kind != KindPhone {
				return errExchangeUser
			}
			// Added before the old one goes, so that the same value is refused.
			if req.EmailAddress != "" {
				_, err = u.AddEmail(env, req.EmailAddress)
			} else {
				_, err = u.AddPhone(env, req.PhoneNumber)
			}
			if err != nil {
				return err
			}
			u.remove(factors[0].Kind, factors[0].ID)
			return nil
		})
		if err != nil {
			return err
		}
		return emit(tx, env, event.Event{Type: "user.factor.exchange", UserID: row.UserID})
	})
	return changed(row, err)
}

type (
	emailPath struct {
		ID string `path:"email_id"`
	}
	phonePath struct {
		ID string `path:"phone_id"`
	}
	webauthnPath struct {
		ID string `path:"webauthn_registration_id"`
	}
	biometricPath struct {
		ID string `path:"biometric_registration_id"`
	}
	totpPath struct {
		ID string `path:"totp_id"`
	}
	walletPath struct {
		ID string `path:"crypto_wallet_id"`
	}
	passwordPath struct {
		ID string `path:"password_id"`
	}
	oauthPath struct {
		ID string `path:"oauth_user_registration_id"`
	}
)

// removal serves the deletion of one kind of factor, which names no user. A
// server may remove the last one: it can repair the user.
func removal[Req any](s *Service, kind string, factorID func(*Req) string) func(context.Context, *Req) (*changedResponse, error) {
	return func(ctx context.Context, req *Req) (*changedResponse, error) {
		env := project.CallerFrom(ctx).Env
		var row *Row
		err := s.db.Update(ctx, func(tx *store.Tx) error {
			holder, err := FindByFactor(tx, env, kind, factorID(req))
			if err != nil {
				return err
			}
			row, err = s.RemoveFactor(tx, env, holder.UserID, kind, factorID(req))
			if errors.Is(err, errUserNotFound) { // deleted since
				return kinds[kind].notFound
			}
			return err
		})
		return changed(row, err)
	}
}

type searchRequest struct {
	Query  Query  `json:"query"`
	Cursor string `json:"cursor" description:"next_cursor of the page before, with the same query."`
	Limit  *int   `json:"limit" min:"1" max:"1000" description:"Users per page; 100 when left out."`
}

type searchResponse struct {
	wire.Meta
	Results         []JSON          `json:"results" required:"true"`
	ResultsMetadata ResultsMetadata `json:"results_metadata" required:"true"`
}

// ResultsMetadata describes a page among the others.
type ResultsMetadata struct {
	Total      int64   `json:"total" required:"true" description:"Of all pages; -1 when there are too many to count."`
	NextCursor *string `json:"next_cursor" description:"null on the last page"`
}

func (s *Service) search(ctx context.Context, req *searchRequest) (*searchResponse, error) {
	search := Search{Query: req.Query, Cursor: req.Cursor, Limit: defaultLimit}
	if req.Limit != nil {
		search.Limit = *req.Limit
	}
	page, err := s.Search(ctx, project.CallerFrom(ctx).Env, search)
	if err != nil {
		return nil, err
	}
	resp := &searchResponse{Results: page.Results, ResultsMetadata: ResultsMetadata{Total: page.Total}}
	if page.NextCursor != "" {
		resp.ResultsMetadata.NextCursor = &page.NextCursor
	}
	return resp, nil
}
