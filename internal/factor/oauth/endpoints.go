package oauth

import (
	"context"

	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/session"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// needOAuth is the product switch that a browser needs.
const needOAuth = "oauth"

// Endpoints are the routes of the oauth group on both surfaces. The addresses
// that browsers visit (start, callback) are mounted where HTTP is known.
func (s *Service) Endpoints() []wire.Endpoint {
	return append(append(s.nativeEndpoints(), s.tokenEndpoints()...),
		wire.POST("/v1/oauth/authenticate", wire.Secret, s.authenticate(), wire.Summary("Sign in with the token that a browser brings back from a provider")),
		wire.POST("/v1/oauth/attach", wire.Secret, s.attach, wire.Summary("Let a user add an account at a provider")),
		wire.POST("/sdk/v1/oauth/authenticate", wire.Public, s.authenticate(), wire.Needs(needOAuth), wire.Summary("Sign in with the token that a browser brings back from a provider")),
		wire.POST("/sdk/v1/oauth/attach", wire.Public, s.attachOwn, wire.Needs(needOAuth), wire.Summary("Let the signed-in user add an account at a provider")),
	)
}

type attachRequest struct {
	session.Holder
	Provider string `json:"provider" required:"true" example:"google" description:"Whose account may be added."`
}

type attachResponse struct {
	wire.Meta
	Token string `json:"oauth_attach_token" required:"true" description:"For the start address of the same provider. It works once, within ten minutes."`
}

type authenticateRequest struct {
	session.Fields
	Token        string `json:"token" required:"true" description:"Of the address that the browser came back to."`
	CodeVerifier string `json:"code_verifier" description:"Of the code_challenge that the browser set out with."`
}

// providerFields are what the provider said, on every surface.
type providerFields struct {
	ProviderSubject string         `json:"provider_subject" required:"true" description:"The account's id at the provider."`
	ProviderType    string         `json:"provider_type" required:"true" example:"Google"`
	ProviderValues  providerValues `json:"provider_values" required:"true"`
	RegistrationID  string         `json:"oauth_user_registration_id" required:"true"`
}

// providerValues are what the provider issued. They are shown here, and kept
// only where the environment wants that.
type providerValues struct {
	AccessToken  string             `json:"access_token" required:"true" description:"For the provider's own API. Empty when it issued none, as the others."`
	RefreshToken string             `json:"refresh_token" required:"true"`
	IDToken      string             `json:"id_token" required:"true"`
	Scopes       []string           `json:"scopes" required:"true" description:"What the access token is good for."`
	ExpiresAt    *session.Timestamp `json:"expires_at,omitempty" description:"When the access token ends, where the provider says."`
}

// loginResponse is what the core fills in. What is answered names the session
// differently.
type loginResponse struct {
	session.Result
	session.Reset
	providerFields
}

// fill completes the response with what the provider said.
func (r *loginResponse) fill(o *owner, t *provider.Tokens) {
	r.ProviderSubject, r.ProviderType, r.RegistrationID = o.identity.Subject, o.provider.Type, o.registrationID
	r.ProviderValues = providerValues{AccessToken: t.Access, RefreshToken: t.Refresh, IDToken: t.ID, Scopes: t.Scopes}
	if t.Scopes == nil {
		r.ProviderValues.Scopes = []string{}
	}
	if !t.ExpiresAt.IsZero() {
		at := session.Timestamp(t.ExpiresAt)
		r.ProviderValues.ExpiresAt = &at
	}
}

// authenticateResponse names the session user_session, unlike all others: the
// contract kept the name for the sake of older clients.
type authenticateResponse struct {
	wire.Meta
	session.Reset
	providerFields
	UserID       string           `json:"user_id" required:"true"`
	User         user.JSON        `json:"user" required:"true"`
	SessionToken string           `json:"session_token" required:"true"`
	SessionJWT   string           `json:"session_jwt" required:"true"`
	UserSession  *session.Session `json:"user_session" description:"null unless a session was asked for or given."`
	UserDevice   *struct{}        `json:"user_device" description:"null: devices are not recognised yet."`

	login *loginResponse
}

// browserResponse has the session under the name that browsers read everywhere
// as well.
type browserResponse struct {
	loginResponse
	UserSession *session.Session `json:"user_session" description:"The same as session."`
}

// ForBrowser implements wire.ForBrowser.
func (r authenticateResponse) ForBrowser() any {
	if r.login == nil {
		return &browserResponse{}
	}
	return &browserResponse{loginResponse: *r.login, UserSession: r.UserSession}
}

// authenticate is the login with the answer that the contract names.
func (s *Service) authenticate() func(context.Context, *authenticateRequest) (*authenticateResponse, error) {
	login := session.Retried(session.Login(s.Core, s.prove), raced)
	return func(ctx context.Context, req *authenticateRequest) (*authenticateResponse, error) {
		r, err := login(ctx, req)
		if err != nil {
			return nil, err
		}
		return &authenticateResponse{
			Reset: r.Reset, providerFields: r.providerFields, UserID: r.UserID, User: r.User, SessionToken: r.SessionToken,
			SessionJWT: r.SessionJWT, UserSession: r.Session, UserDevice: r.UserDevice, login: r,
		}, nil
	}
}
