package password

import (
	"context"

	"gatehouse/internal/breach"
	"gatehouse/internal/secret/passhash"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// need is the switch that browsers need.
const need = "passwords"

// Endpoints are the routes of the passwords groups on both surfaces.
func (s *Service) Endpoints() []wire.Endpoint {
	authenticate := session.LoginAfter(s.Core, s.prepareLogin, s.proveLogin)
	reset := session.LoginAfter(s.Core, s.prepareReset, s.proveReset)
	existing := session.LoginAfter(s.Core, s.prepareReplacing, s.proveReplacing)
	bySession := session.LoginAfter(s.Core, s.prepareBySession, s.proveBySession)
	create := session.LoginAfter(s.Core,
		func(ctx context.Context, req *createRequest) (string, error) {
			return s.prepareSignUp(ctx, req.Email, req.Password)
		},
		func(ctx context.Context, tx *store.Tx, req *createRequest, encoded string, resp *createResponse) (session.Proof, error) {
			return s.proveSignUp(ctx, tx, req.Email, req.Changes, encoded, resp)
		})
	createOnPage := session.LoginAfter(s.Core,
		func(ctx context.Context, req *createPageRequest) (string, error) {
			return s.prepareSignUp(ctx, req.Email, req.Password)
		},
		func(ctx context.Context, tx *store.Tx, req *createPageRequest, encoded string, resp *createResponse) (session.Proof, error) {
			return s.proveSignUp(ctx, tx, req.Email, user.Changes{}, encoded, resp)
		})
	return []wire.Endpoint{
		wire.POST("/v1/passwords", wire.Secret, create, wire.Summary("Sign a user up with a password")),
		wire.POST("/v1/passwords/authenticate", wire.Secret, authenticate, wire.Summary("Sign in with a password")),
		wire.POST("/v1/passwords/strength_check", wire.Secret, s.strengthCheck, wire.Summary("Say what a password is worth")),
		wire.POST("/v1/passwords/migrate", wire.Secret, s.migrate, wire.Summary("Bring the hash of a password along from another system")),
		wire.POST("/v1/passwords/email/reset/start", wire.Secret, s.start, wire.Summary("Mail a user a link to set a new password, and one to sign in without")),
		wire.POST("/v1/passwords/email/reset", wire.Secret, reset, wire.Summary("Set a new password with the token of a mailed link")),
		wire.POST("/v1/passwords/existing_password/reset", wire.Secret, existing, wire.Summary("Set a new password with the existing one")),
		wire.POST("/v1/passwords/session/reset", wire.Secret, bySession, wire.Summary("Set a password from a session that was entered just now")),

		wire.POST("/sdk/v1/passwords", wire.Public, createOnPage, wire.Needs(need), wire.Summary("Sign up with a password")),
		wire.POST("/sdk/v1/passwords/authenticate", wire.Public, authenticate, wire.Needs(need), wire.Summary("Sign in with a password")),
		wire.POST("/sdk/v1/passwords/strength_check", wire.Public, s.strengthCheck, wire.Needs(need), wire.Summary("Say what a password is worth")),
		wire.POST("/sdk/v1/passwords/email/reset/start", wire.Public, s.start, wire.Needs(need), wire.Summary("Mail a user a link to set a new password, and one to sign in without")),
		wire.POST("/sdk/v1/passwords/email/reset", wire.Public, reset, wire.Needs(need), wire.Summary("Set a new password with the token of a mailed link")),
		wire.POST("/sdk/v1/passwords/existing_password/reset", wire.Public, existing, wire.Needs(need), wire.Summary("Set a new password with the existing one")),
		wire.POST("/sdk/v1/passwords/session/reset", wire.Public, bySession, wire.Needs(need), wire.Summary("Set a password from a session that was entered just now")),
		wire.POST("/sdk/v1/users/search", wire.Public, s.search, wire.Needs(need), wire.Summary("Say how whoever has an address signs in")),
	}
}

type createRequest struct {
	session.Fields
	user.Changes
	Email    string `json:"email" required:"true"`
	Password string `json:"password" required:"true"`
}

type createPageRequest struct {
	session.Fields
	Email    string `json:"email" required:"true"`
	Password string `json:"password" required:"true"`
}

type createResponse struct {
	session.Result
	EmailID string `json:"email_id" required:"true"`
}

type authenticateRequest struct {
	session.Fields
	Email    string `json:"email" required:"true"`
	Password string `json:"password" required:"true"`
}

type authenticateResponse struct{ session.Result }

type strengthRequest struct {
	Password string `json:"password" required:"true"`
	Email    string `json:"email" description:"Whose password it is to be: it counts as guessable, and only with it breaches are looked up."`
}

type strengthResponse struct {
	wire.Meta
	ValidPassword           bool     `json:"valid_password" required:"true"`
	Score                   int      `json:"score" required:"true" min:"0" max:"4" description:"Of zxcvbn; 3 is enough. 0 under the policy luds."`
	BreachedPassword        bool     `json:"breached_password" required:"true"`
	StrengthPolicy          string   `json:"strength_policy" required:"true" enum:"zxcvbn,luds"`
	BreachDetectionOnCreate bool     `json:"breach_detection_on_create" required:"true"`
	Feedback                feedback `json:"feedback" required:"true"`
}

func (j *judgement) response(checksBreaches bool) *strengthResponse {
	breached := j.breached == breach.Breached
	return &strengthResponse{
		ValidPassword: j.strong && !breached, Score: j.zxcvbn.Score, BreachedPassword: breached, StrengthPolicy: j.policy,
		BreachDetectionOnCreate: checksBreaches, Feedback: j.feedback(),
	}
}

type migrateRequest struct {
	user.Changes
	passhash.Configs
	Email                  string `json:"email" required:"true"`
	Hash                   string `json:"hash" required:"true"`
	HashType               string `json:"hash_type" required:"true" description:"How the hash was made: bcrypt, argon_2id, scrypt, pbkdf_2 and others."`
	SetEmailVerified       bool   `json:"set_email_verified" description:"The other system knows that the address is the user's."`
	PhoneNumber            string `json:"phone_number"`
	SetPhoneNumberVerified bool   `json:"set_phone_number_verified"`
}

type migrateResponse struct {
	wire.Meta
	UserID      string    `json:"user_id" required:"true"`
	EmailID     string    `json:"email_id" required:"true"`
	UserCreated bool      `json:"user_created" required:"true"`
	User        user.JSON `json:"user" required:"true"`
}

type startRequest struct {
	Email                          string              `json:"email" required:"true"`
	ResetPasswordRedirectURL       string              `json:"reset_password_redirect_url" description:"Where the link that sets a new password leads: one of the redirect URLs for RESET_PASSWORD, their default when left out."`
	ResetPasswordExpirationMinutes *int                `json:"reset_password_expiration_minutes" min:"5" max:"10080" description:"30 when left out."`
	LoginRedirectURL               string              `json:"login_redirect_url" description:"Where the link that signs in without a password leads: one of the redirect URLs for LOGIN, their default when left out."`
	ResetPasswordTemplateID        string              `json:"reset_password_template_id"`
	CodeChallenge                  string              `json:"code_challenge" description:"PKCE with S256: base64url of the SHA-256 of the code_verifier that the reset must then bring."`
	Locale                         string              `json:"locale" enum:"en,es,pt-br,fr"`
	Attributes                     *session.Attributes `json:"attributes" door:"server" description:"The client's address and user agent, to be compared when the password is reset."`
}

type startResponse struct {
	wire.Meta
	UserID  string `json:"user_id" required:"true"`
	EmailID string `json:"email_id" required:"true"`
}

type startedOnPage struct{ wire.Meta }

// ForBrowser implements wire.ForBrowser: a page is not told who is a user.
func (startResponse) ForBrowser() any { return &startedOnPage{} }

type resetRequest struct {
	session.Fields
	session.Matching
	Token        string `json:"token" required:"true"`
	Password     string `json:"password" required:"true"`
	CodeVerifier string `json:"code_verifier" description:"Of the code_challenge that the mail was asked for with."`
}

type existingRequest struct {
	session.Fields
	Email            string `json:"email" required:"true"`
	ExistingPassword string `json:"existing_password" required:"true"`
	NewPassword      string `json:"new_password" required:"true"`
}

type sessionRequest struct {
	session.Fields
	Password string `json:"password" required:"true"`
}

type searchRequest struct {
	Email string `json:"email" required:"true"`
}

type searchResponse struct {
	wire.Meta
	UserType string `json:"userType" required:"true" enum:"new,passwordless,password"`
}
