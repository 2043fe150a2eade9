package webauthn

import (
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// Service serves passkeys and security keys at both doors.
type Service struct {
	db       *store.DB
	keys     *secret.Keyring
	users    *user.Service
	core     *session.Core
	projects *project.Service
}

// New returns the service. The keyring authenticates anonymous challenges; the
// projects tell whose related origins a host is asked for. List Hooks among
// the hooks of the users.
func New(db *store.DB, keys *secret.Keyring, users *user.Service, core *session.Core, projects *project.Service) *Service {
	return &Service{db: db, keys: keys, users: users, core: core, projects: projects}
}

// The product switches a browser needs: to sign in, and to manage passkeys.
const (
	needWebAuthn = "webauthn"
	needCreate   = "webauthn.create"
)

// Endpoints are the routes of the webauthn group on both surfaces.
func (s *Service) Endpoints() []wire.Endpoint {
	register := session.LoginAfter(s.core, s.prepareRegistration, s.proveRegistration)
	authenticate := session.LoginAfter(s.core, s.prepareAuthentication, s.proveAuthentication)
	return []wire.Endpoint{
		wire.POST("/v1/webauthn/register/start", wire.Secret, s.startRegistration, wire.Summary("Start registering a passkey or security key")),
		wire.POST("/v1/webauthn/register", wire.Secret, register, wire.Summary("Finish registering a passkey or security key")),
		wire.POST("/v1/webauthn/authenticate/start", wire.Secret, s.startAuthentication, wire.Summary("Start signing in with a passkey or security key")),
		wire.POST("/v1/webauthn/authenticate", wire.Secret, authenticate, wire.Summary("Finish signing in with a passkey or security key")),
		wire.PUT("/v1/webauthn/{webauthn_registration_id}", wire.Secret, s.rename, wire.Summary("Rename a registration")),
		wire.GET("/v1/webauthn/credentials/{user_id}/{domain}", wire.Secret, s.listCredentials, wire.Summary("List the public keys of a user's registrations for a domain")),

		wire.POST("/sdk/v1/webauthn/register/start", wire.Public, s.startRegistration, wire.Needs(needWebAuthn, needCreate), wire.Summary("Start registering a passkey for the signed-in user")),
		wire.POST("/sdk/v1/webauthn/register", wire.Public, register, wire.Needs(needWebAuthn, needCreate), wire.Summary("Finish registering a passkey for the signed-in user")),
		wire.PUT("/sdk/v1/webauthn/update/{webauthn_registration_id}", wire.Public, s.rename, wire.Needs(needWebAuthn, needCreate), wire.Summary("Rename a registration of the signed-in user")),
		wire.POST("/sdk/v1/webauthn/authenticate/start", wire.Public, s.startEither, wire.Needs(needWebAuthn), wire.Summary("Start signing in, or adding a passkey to the session")),
		wire.POST("/sdk/v1/webauthn/authenticate/start/primary", wire.Public, s.startPrimary, wire.Needs(needWebAuthn), wire.Summary("Start signing in with any passkey of the domain")),
		wire.POST("/sdk/v1/webauthn/authenticate/start/secondary", wire.Public, s.startSecondary, wire.Needs(needWebAuthn), wire.Summary("Start adding a passkey of the signed-in user to the session")),
		wire.POST("/sdk/v1/webauthn/authenticate", wire.Public, authenticate, wire.Needs(needWebAuthn), wire.Summary("Finish signing in with a passkey or security key")),

		wire.GET("/.well-known/webauthn", wire.Open, s.relatedOrigins, wire.Cache("public, max-age=300"), wire.Summary("Origins that may use the passkeys of this domain (related origin requests)")),
	}
}

type startRegistrationRequest struct {
	UserID            string `json:"user_id" required:"true" door:"server" description:"The user's id or external id."`
	Domain            string `json:"domain" required:"true" example:"example.com" description:"The RP ID: the page's host name or a parent domain of it."`
	UserAgent         string `json:"user_agent" description:"Kept with the registration, to show the user where it was made."`
	AuthenticatorType string `json:"authenticator_type" enum:"platform,cross-platform" description:"Restricts the kind of authenticator; empty leaves the choice to the user."`
	ReturnPasskey     bool   `json:"return_passkey_credential_options" description:"Options for a passkey: residentKey required, userVerification preferred."`
	OverrideID        string `json:"override_id" description:"Replaces user.id in the options, which is the user_id. At most 64 bytes."`
	OverrideName      string `json:"override_name" description:"Replaces user.name in the options, which is the user's name, e-mail address or phone number."`
	OverrideDisplay   string `json:"override_display_name" description:"Replaces user.displayName in the options."`
	UseBase64URL      bool   `json:"use_base64_url_encoding" description:"Binary members of the options in base64url instead of standard base64. Always so behind /sdk/v1."`
}

type startRegistrationResponse struct {
	wire.Meta
	UserID  string `json:"user_id" required:"true"`
	Options string `json:"public_key_credential_creation_options" required:"true" description:"JSON text of PublicKeyCredentialCreationOptions, the inner publicKey object."`
}

type registerRequest struct {
	session.Fields
	UserID     string `json:"user_id" required:"true" door:"server" description:"The user's id or external id."`
	Credential string `json:"public_key_credential" required:"true" description:"JSON text of what navigator.credentials.create() returned."`
}

type startAuthenticationRequest struct {
	Domain        string `json:"domain" required:"true" example:"example.com" description:"The RP ID that the passkeys were registered for."`
	UserID        string `json:"user_id" door:"server" description:"The user's id or external id. Without it any passkey of the domain will do."`
	ReturnPasskey bool   `json:"return_passkey_credential_options" description:"Options for a passkey: userVerification preferred."`
	UseBase64URL  bool   `json:"use_base64_url_encoding" description:"Binary members of the options in base64url instead of standard base64. Always so behind /sdk/v1."`
}

type startAuthenticationResponse struct {
	wire.Meta
	UserID  string `json:"user_id" required:"true" description:"Empty when no user was named."`
	Options string `json:"public_key_credential_request_options" required:"true" description:"JSON text of PublicKeyCredentialRequestOptions, the inner publicKey object."`
}

type authenticateRequest struct {
	session.Fields
	Credential string `json:"public_key_credential" required:"true" description:"JSON text of what navigator.credentials.get() returned."`
}

// proofResponse answers both finishes.
type proofResponse struct {
	session.Result
	RegistrationID string `json:"webauthn_registration_id" required:"true"`
}

type renameRequest struct {
	RegistrationID string `path:"webauthn_registration_id"`
	Name           string `json:"name" required:"true" description:"1 to 128 characters."`
}

type renameResponse struct {
	wire.Meta
	Registration *user.WebAuthnRegistration `json:"webauthn_registration"`
}

type listCredentialsRequest struct {
	UserID string `path:"user_id"`
	Domain string `path:"domain"`
}

type listCredentialsResponse struct {
	wire.Meta
	Credentials []listedCredential `json:"credentials" required:"true"`
}

type listedCredential struct {
	CredentialID   string `json:"credential_id" required:"true" description:"In base64url, like PublicKeyCredential.id in browsers."`
	RegistrationID string `json:"webauthn_registration_id" required:"true"`
	Type           string `json:"type" required:"true" example:"public-key"`
	PublicKey      string `json:"public_key" required:"true" description:"COSE_Key in standard base64."`
}

type relatedOriginsRequest struct {
	ProjectID string `query:"project_id" description:"The environment; without it the host decides."`
}

type relatedOriginsResponse struct {
	wire.Meta
	Origins []string `json:"origins" required:"true"`
}
