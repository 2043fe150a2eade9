// Package migration is the factor that an access token of another product
// proves, for the time in which people move over from it without signing in
// again. It owns the one question that is asked of that product, whose token
// this is, and what its answer is worth. It never makes a user, never keeps or
// logs the token, and never asks anybody but the address an operator has set.
package migration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/outbound"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

var (
	errMissing    = apierr.New(400, "migrate_from_external_missing_userinfo", "No sessions are taken over in this environment. Set session_migration.userinfo_url to the UserInfo endpoint of the product they come from.")
	errUnexpected = apierr.New(400, "migrate_from_external_unexpected_response", "The product that the session comes from did not confirm it. Sign in again.")
	errUnknown    = apierr.New(404, "migrate_from_external_email_does_not_exist", "No user has the email address of the session. Create the user first.")
)

const maxToken = 8 << 10 // bytes of another product's access token

// Service signs people in with sessions of another product.
type Service struct {
	core *session.Core
	out  *outbound.Client
}

// New returns the service, which asks through out.
func New(core *session.Core, out *outbound.Client) *Service { return &Service{core, out} }

// Endpoints are the routes that take sessions over. There is none at the
// browser's door: a page would hand the other product's token to a stranger's
// server if it could.
func (s *Service) Endpoints() []wire.Endpoint {
	return []wire.Endpoint{
		wire.POST("/v1/sessions/migrate", wire.Secret, session.LoginAfter(s.core, s.prepare, s.prove), wire.Summary("Exchange a session of the product used before for one of here")),
	}
}

type migrateRequest struct {
	session.StartFields
	SessionToken string `json:"session_token" required:"true" description:"The access token of the other product, which its UserInfo endpoint takes."`
}

type migrateResponse struct {
	session.Result
	session.Reset
}

// person is what the other product says of whom it knows.
type person struct {
	email    string
	verified bool // it says so itself; it may also say nothing
}

// prepare asks the other product whose token this is.
func (s *Service) prepare(ctx context.Context, req *migrateRequest) (*person, error) {
	url := project.CallerFrom(ctx).Env.Config.SessionMigration.UserInfoURL
	if url == "" {
		return nil, errMissing
	}
	if !sendable(req.SessionToken) {
		return nil, wire.BadRequest("The field \"session_token\" is not an access token: at most %d characters, without spaces.", maxToken)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, errUnexpected.Because(errors.New("the address is not one"))
	}
	r.Header.Set("Authorization", "Bearer "+req.SessionToken)
	r.Header.Set("Accept", "application/json")
	resp, err := s.out.Do(ctx, r)
	if err != nil {
		return nil, errUnexpected.Because(err)
	}
	if resp.Status != http.StatusOK {
		return nil, errUnexpected.Because(fmt.Errorf("the answer has status %d", resp.Status))
	}
	return read(resp.Body)
}

// sendable reports whether a text can be a bearer token (RFC 6750, section
// 2.1), and so says nothing else to whoever reads the header.
func sendable(token string) bool {
	return token != "" && len(token) <= maxToken && strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") == ""
}

// read takes from a UserInfo response (OpenID Connect Core, section 5.3.2) the
// address, unless the product says that nobody has proven it.
func read(body []byte) (*person, error) {
	var info map[string]any
	if err := json.Unmarshal(body, &info); err != nil {
		return nil, errUnexpected.Because(errors.New("the answer is not a JSON object"))
	}
	given, _ := info["email"].(string)
	address, err := user.Contact{Kind: user.KindEmail, Value: given}.Canonical()
	if err != nil {
		return nil, errUnexpected.WithMessage("The product that the session comes from names no email address of its user.").Because(err)
	}
	claim, says := info["email_verified"]
	verified := claim == true || claim == "true"
	if says && !verified {
		return nil, errUnexpected.WithMessage("The product that the session comes from has not verified the email address of its user.")
	}
	return &person{address, verified}, nil
}

// prove finds the user who has the address. One that we have not verified is
// proven by a product that says it has; where it says nothing, whoever has an
// account there may have made it with somebody else's address.
func (s *Service) prove(ctx context.Context, tx *store.Tx, _ *migrateRequest, who *person, _ *migrateResponse) (session.Proof, error) {
	proof := session.Proof{Factor: session.Factor{Type: "imported", DeliveryMethod: "imported_auth0"}}
	row, address, err := user.FindVouched(tx, project.CallerFrom(ctx).Env, who.email)
	if errors.Is(err, user.ErrEmailNotFound) || err == nil && !address.Verified && !who.verified {
		return proof, errUnknown
	}
	if err != nil {
		return proof, err
	}
	proof.UserID = row.UserID
	proof.Apply = func(u *user.User) error {
		if !u.Prove(user.KindEmail, address.EmailID) {
			return errUnknown
		}
		return nil
	}
	return proof, nil
}
