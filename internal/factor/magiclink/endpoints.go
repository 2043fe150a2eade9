package magiclink

import (
	"context"

	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/template"
	"gatehouse/internal/emaillink"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// The product switches a browser needs.
const (
	needLoginOrCreate = "magic_links.login_or_create"
	needSend          = "magic_links.send"
	needEither        = "magic_links"
)

// Endpoints are the routes of the magic_links groups on both surfaces.
func (s *Service) Endpoints() []wire.Endpoint {
	authenticate := session.Login(s.core, s.prove)
	return []wire.Endpoint{
		wire.POST("/v1/magic_links/email/send", wire.Secret, s.send, wire.Summary("Mail a sign-in link to a user, or add an address to one")),
		wire.POST("/v1/magic_links/email/login_or_create", wire.Secret, s.loginOrCreate, wire.Summary("Mail a sign-in link to anybody; people unknown become users")),
		wire.POST("/v1/magic_links/email/invite", wire.Secret, s.invite, wire.Summary("Mail an invitation to somebody who is no user yet")),
		wire.POST("/v1/magic_links/email/revoke_invite", wire.Secret, s.revokeInvite, wire.Summary("Take an invitation back")),
		wire.POST("/v1/magic_links", wire.Secret, s.create, wire.Summary("Make an embeddable link, which your server brings to the user itself")),
		wire.POST("/v1/magic_links/authenticate", wire.Secret, authenticate, wire.Summary("Sign in with the token of a link")),

		wire.POST("/sdk/v1/magic_links/email/login_or_create", wire.Public, s.loginOrCreate, wire.Needs(needLoginOrCreate), wire.Summary("Mail a sign-in link to anybody; people unknown become users")),
		wire.POST("/sdk/v1/magic_links/email/send/primary", wire.Public, s.send, wire.Needs(needSend), wire.Summary("Mail a sign-in link to a user")),
		wire.POST("/sdk/v1/magic_links/email/send/secondary", wire.Public, s.sendSecondary, wire.Needs(needSend), wire.Summary("Mail a link to the signed-in user, perhaps to a new address")),
		wire.POST("/sdk/v1/magic_links/authenticate", wire.Public, authenticate, wire.Needs(needEither), wire.Summary("Sign in with the token of a link")),
	}
}

// urls are what every request that may mail a login or a signup link carries.
type urls struct {
	Email                   string              `json:"email" required:"true"`
	LoginMagicLinkURL       string              `json:"login_magic_link_url" description:"Where an active user's link leads: one of the redirect URLs for LOGIN, their default when left out."`
	SignupMagicLinkURL      string              `json:"signup_magic_link_url" description:"Where a new or pending user's link leads: one of the redirect URLs for SIGNUP, their default when left out."`
	LoginExpirationMinutes  *int                `json:"login_expiration_minutes" min:"5" max:"10080" description:"60 when left out."`
	SignupExpirationMinutes *int                `json:"signup_expiration_minutes" min:"5" max:"10080" description:"10080, a week, when left out."`
	LoginTemplateID         string              `json:"login_template_id"`
	SignupTemplateID        string              `json:"signup_template_id"`
	CodeChallenge           string              `json:"code_challenge" description:"PKCE with S256: base64url of the SHA-256 of the code_verifier that authenticate must then bring."`
	Locale                  string              `json:"locale" enum:"en,es,pt-br,fr"`
	Attributes              *session.Attributes `json:"attributes" door:"server" description:"The client's address and user agent, to be compared when the link is opened."`
}

type sendRequest struct {
	urls
	session.Holder
}

type loginOrCreateRequest struct {
	urls
	CreateUserAsPending bool `json:"create_user_as_pending" description:"A new user is pending until the first sign-in."`
}

type inviteRequest struct {
	user.Changes
	Email                   string              `json:"email" required:"true"`
	InviteMagicLinkURL      string              `json:"invite_magic_link_url" description:"One of the redirect URLs for INVITE, their default when left out."`
	InviteExpirationMinutes *int                `json:"invite_expiration_minutes" min:"5" max:"10080" description:"60 when left out."`
	InviteTemplateID        string              `json:"invite_template_id"`
	Locale                  string              `json:"locale" enum:"en,es,pt-br,fr"`
	Attributes              *session.Attributes `json:"attributes" door:"server"`
}

type revokeInviteRequest struct {
	Email string `json:"email" required:"true"`
}

type createRequest struct {
	UserID            string              `json:"user_id" required:"true" description:"The user's id or external id."`
	ExpirationMinutes *int                `json:"expiration_minutes" min:"5" max:"10080" description:"60 when left out."`
	Attributes        *session.Attributes `json:"attributes" door:"server"`
}

type authenticateRequest struct {
	session.Fields
	session.Matching
	Token        string `json:"token" required:"true"`
	CodeVerifier string `json:"code_verifier" description:"Of the code_challenge that the link was asked for with."`
}

// sentResponse names whom a mail went to. A page is not told: it would learn
// who is a user.
type sentResponse struct {
	wire.Meta
	UserID  string `json:"user_id" required:"true"`
	EmailID string `json:"email_id" required:"true"`
}

type sentToBrowser struct{ wire.Meta }

// ForBrowser implements wire.ForBrowser.
func (sentResponse) ForBrowser() any { return &sentToBrowser{} }

type loginOrCreateResponse struct {
	wire.Meta
	UserID      string `json:"user_id" required:"true"`
	EmailID     string `json:"email_id" required:"true"`
	UserCreated bool   `json:"user_created" required:"true"`
}

// ForBrowser implements wire.ForBrowser.
func (loginOrCreateResponse) ForBrowser() any { return &sentToBrowser{} }

type revokeInviteResponse struct{ wire.Meta }

type createResponse struct {
	wire.Meta
	UserID string `json:"user_id" required:"true"`
	Token  string `json:"token" required:"true" description:"For POST /v1/magic_links/authenticate. Whoever holds it can sign in as the user."`
}

type authenticateResponse struct {
	session.Result
	session.Reset
	MethodID string `json:"method_id" required:"true" description:"The email_id the link was sent to; of an embeddable link, its own id."`
}

// understood checks what can be checked without the database, and decides both
// ways that the mail can turn out, so that an answer does not depend on who
// the address belongs to.
func (req *urls) understood(ctx context.Context) (*request, error) {
	caller := project.CallerFrom(ctx)
	r := &request{
		caller: caller, contact: user.Contact{Kind: user.KindEmail, Value: req.Email}, challenge: req.CodeChallenge,
		attributes: session.Started(ctx, req.Attributes),
	}
	var err error
	if _, err = r.contact.Canonical(); err != nil && !r.contact.InSandbox(caller) {
		return nil, err
	}
	if r.locale, err = template.EmailLocale(req.Locale); err != nil {
		return nil, err
	}
	r.login = leg{kind: delivery.Login, templateID: req.LoginTemplateID}
	r.signup = leg{kind: delivery.Signup, templateID: req.SignupTemplateID}
	if r.login.lifetime, err = emaillink.Lifetime(req.LoginExpirationMinutes, loginMinutes); err != nil {
		return nil, err
	}
	if r.signup.lifetime, err = emaillink.Lifetime(req.SignupExpirationMinutes, signupMinutes); err != nil {
		return nil, err
	}
	if r.login.destination, err = caller.Env.Destination(project.RedirectLogin, req.LoginMagicLinkURL); err != nil {
		return nil, err
	}
	if r.signup.destination, err = caller.Env.Destination(project.RedirectSignup, req.SignupMagicLinkURL); err != nil {
		return nil, err
	}
	return r, emaillink.CheckChallenge(caller, caller.Env.Config.SDK.MagicLinks.PKCERequired, req.CodeChallenge, r.login.destination, r.signup.destination)
}
