package otp

import (
	"context"

	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/template"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// Endpoints are the routes of the otps groups on both surfaces.
func (s *Service) Endpoints() []wire.Endpoint {
	const mail, text, whatsapp = "Mail a code", "Send a code by SMS", "Send a code by WhatsApp"
	prove := func(ctx context.Context, tx *store.Tx, _ *authenticateRequest, a attempt, resp *authenticateResponse) (session.Proof, error) {
		return s.prove(ctx, tx, a, resp)
	}
	provePage := func(ctx context.Context, tx *store.Tx, _ *authenticatePageRequest, a attempt, resp *authenticateResponse) (session.Proof, error) {
		return s.prove(ctx, tx, a, resp)
	}
	list := []wire.Endpoint{
		wire.POST("/v1/otps/email/send", wire.Secret, s.sendEmail, wire.Summary(mail+toUser)),
		wire.POST("/v1/otps/email/login_or_create", wire.Secret, s.loginOrCreateEmail, wire.Summary(mail+toAnybody)),
		wire.POST("/v1/otps/authenticate", wire.Secret, session.LoginAfter(s.core, understoodAttempt, prove), wire.Summary("Sign in with a code")),
		wire.POST("/sdk/v1/otps/email/login_or_create", wire.Public, s.loginOrCreateEmail, wire.Needs("otps.email.login_or_create"), wire.Summary(mail+toAnybody)),
		wire.POST("/sdk/v1/otps/email/send/primary", wire.Public, s.sendEmail, wire.Needs("otps.email.send"), wire.Summary(mail+toPerson)),
		wire.POST("/sdk/v1/otps/email/send/secondary", wire.Public, s.sendEmailSecondary, wire.Needs("otps.email.send"), wire.Summary(mail+toSelf)),
		wire.POST("/sdk/v1/otps/authenticate", wire.Public, session.LoginAfter(s.core, understoodPageAttempt, provePage), wire.Needs("otps"), wire.Summary("Sign in with a code")),
	}
	list = append(list, s.phoneEndpoints(delivery.SMS, text)...)
	return append(list, s.phoneEndpoints(delivery.WhatsApp, whatsapp)...)
}

// The ends of the summaries.
const (
	toUser    = " to a user, or add an address or number to one"
	toAnybody = " to anybody; people unknown become users"
	toPerson  = " to a user"
	toSelf    = " to the signed-in user, perhaps to a new address or number"
)

// phoneEndpoints are those of one of the channels that reach a phone.
func (s *Service) phoneEndpoints(via delivery.Channel, summary string) []wire.Endpoint {
	group := "/otps/" + string(via)
	needCreate, needSend := wire.Needs("otps."+string(via)+".login_or_create"), wire.Needs("otps."+string(via)+".send")
	return []wire.Endpoint{
		wire.POST("/v1"+group+"/send", wire.Secret, s.sendPhone(via), wire.Summary(summary+toUser)),
		wire.POST("/v1"+group+"/login_or_create", wire.Secret, s.loginOrCreatePhone(via), wire.Summary(summary+toAnybody)),
		wire.POST("/sdk/v1"+group+"/login_or_create", wire.Public, s.loginOrCreatePhone(via), needCreate, wire.Summary(summary+toAnybody)),
		wire.POST("/sdk/v1"+group+"/send/primary", wire.Public, s.sendPhone(via), needSend, wire.Summary(summary+toPerson)),
		wire.POST("/sdk/v1"+group+"/send/secondary", wire.Public, s.sendPhoneSecondary(via), needSend, wire.Summary(summary+toSelf)),
	}
}

// phoneFields are what every request that texts a code carries.
type phoneFields struct {
	PhoneNumber       string              `json:"phone_number" required:"true" description:"With its country code: +14155552671."`
	ExpirationMinutes *int                `json:"expiration_minutes" min:"1" max:"10" description:"2 when left out."`
	Locale            string              `json:"locale" enum:"en,es,pt-br,fr,it,de-DE,zh-Hans,ca-ES,ja,ru,nl,pl,tr,fa,vi,cs"`
	Attributes        *session.Attributes `json:"attributes" door:"server" description:"The client's address and user agent, to be compared when the code is typed."`
	EnableAutofill    bool                `json:"enable_autofill" description:"Of pages and apps: have the phone offer the code of an SMS by itself."`
}

type phoneSendRequest struct {
	phoneFields
	session.Holder
}

type phoneLoginRequest struct {
	phoneFields
	CreateUserAsPending bool `json:"create_user_as_pending" description:"A new user is pending until the first sign-in."`
}

// emailFields are what every request that mails a code carries.
type emailFields struct {
	Email             string              `json:"email" required:"true"`
	ExpirationMinutes *int                `json:"expiration_minutes" min:"1" max:"10" description:"2 when left out."`
	LoginTemplateID   string              `json:"login_template_id"`
	SignupTemplateID  string              `json:"signup_template_id"`
	Locale            string              `json:"locale" enum:"en,es,pt-br,fr"`
	Attributes        *session.Attributes `json:"attributes" door:"server" description:"The client's address and user agent, to be compared when the code is typed."`
}

type emailSendRequest struct {
	emailFields
	session.Holder
}

type emailLoginRequest struct {
	emailFields
	CreateUserAsPending bool `json:"create_user_as_pending" description:"A new user is pending until the first sign-in."`
}

type authenticateRequest struct {
	session.Fields
	session.Matching
	MethodID string `json:"method_id" required:"true" description:"The email_id or phone_id that the code was sent to."`
	Code     string `json:"code" required:"true" description:"Six digits."`
}

// authenticatePageRequest has the code in another field, as the official SDKs
// send it.
type authenticatePageRequest struct {
	session.Fields
	MethodID string `json:"method_id" required:"true"`
	Token    string `json:"token" required:"true" description:"The code: six digits."`
}

type authenticateResponse struct {
	session.Result
	session.Reset
	MethodID string `json:"method_id" required:"true" description:"The email_id or phone_id that the code was sent to."`
}

type phoneSentResponse struct {
	wire.Meta
	UserID  string `json:"user_id" required:"true"`
	PhoneID string `json:"phone_id" required:"true" description:"The method_id for POST /v1/otps/authenticate."`
}

type phoneLoginResponse struct {
	wire.Meta
	UserID      string `json:"user_id" required:"true"`
	PhoneID     string `json:"phone_id" required:"true" description:"The method_id for POST /v1/otps/authenticate."`
	UserCreated bool   `json:"user_created" required:"true"`
}

type emailSentResponse struct {
	wire.Meta
	UserID  string `json:"user_id" required:"true"`
	EmailID string `json:"email_id" required:"true" description:"The method_id for POST /v1/otps/authenticate."`
}

type emailLoginResponse struct {
	wire.Meta
	UserID      string `json:"user_id" required:"true"`
	EmailID     string `json:"email_id" required:"true" description:"The method_id for POST /v1/otps/authenticate."`
	UserCreated bool   `json:"user_created" required:"true"`
}

// sentToPage is all that a page is told: it would learn who is a user.
type sentToPage struct {
	wire.Meta
	MethodID string `json:"method_id" required:"true" description:"For POST /sdk/v1/otps/authenticate."`
}

// ForBrowser implements wire.ForBrowser.
func (r phoneSentResponse) ForBrowser() any { return &sentToPage{MethodID: r.PhoneID} }

// ForBrowser implements wire.ForBrowser.
func (r phoneLoginResponse) ForBrowser() any { return &sentToPage{MethodID: r.PhoneID} }

// ForBrowser implements wire.ForBrowser.
func (r emailSentResponse) ForBrowser() any { return &sentToPage{MethodID: r.EmailID} }

// ForBrowser implements wire.ForBrowser.
func (r emailLoginResponse) ForBrowser() any { return &sentToPage{MethodID: r.EmailID} }

func (s *Service) sendPhone(via delivery.Channel) func(context.Context, *phoneSendRequest) (*phoneSentResponse, error) {
	return func(ctx context.Context, req *phoneSendRequest) (*phoneSentResponse, error) {
		r, err := req.understood(ctx, via)
		if err != nil {
			return nil, err
		}
		return phoneSent(s.send(ctx, r, &req.Holder))
	}
}

func (s *Service) sendPhoneSecondary(via delivery.Channel) func(context.Context, *phoneSendRequest) (*phoneSentResponse, error) {
	return func(ctx context.Context, req *phoneSendRequest) (*phoneSentResponse, error) {
		r, err := req.understood(ctx, via)
		if err != nil {
			return nil, err
		}
		return phoneSent(s.sendSecondary(ctx, r))
	}
}

func (s *Service) loginOrCreatePhone(via delivery.Channel) func(context.Context, *phoneLoginRequest) (*phoneLoginResponse, error) {
	return func(ctx context.Context, req *phoneLoginRequest) (*phoneLoginResponse, error) {
		r, err := req.understood(ctx, via)
		if err != nil {
			return nil, err
		}
		r.pending = req.CreateUserAsPending
		done, err := s.loginOrCreate(ctx, r)
		if err != nil {
			return nil, err
		}
		return &phoneLoginResponse{UserID: done.userID, PhoneID: done.methodID, UserCreated: done.created}, nil
	}
}

func phoneSent(done *sent, err error) (*phoneSentResponse, error) {
	if err != nil {
		return nil, err
	}
	return &phoneSentResponse{UserID: done.userID, PhoneID: done.methodID}, nil
}

func (s *Service) sendEmail(ctx context.Context, req *emailSendRequest) (*emailSentResponse, error) {
	r, err := req.understood(ctx)
	if err != nil {
		return nil, err
	}
	return emailSent(s.send(ctx, r, &req.Holder))
}

func (s *Service) sendEmailSecondary(ctx context.Context, req *emailSendRequest) (*emailSentResponse, error) {
	r, err := req.understood(ctx)
	if err != nil {
		return nil, err
	}
	return emailSent(s.sendSecondary(ctx, r))
}

func (s *Service) loginOrCreateEmail(ctx context.Context, req *emailLoginRequest) (*emailLoginResponse, error) {
	r, err := req.understood(ctx)
	if err != nil {
		return nil, err
	}
	r.pending = req.CreateUserAsPending
	done, err := s.loginOrCreate(ctx, r)
	if err != nil {
		return nil, err
	}
	return &emailLoginResponse{UserID: done.userID, EmailID: done.methodID, UserCreated: done.created}, nil
}

func emailSent(done *sent, err error) (*emailSentResponse, error) {
	if err != nil {
		return nil, err
	}
	return &emailSentResponse{UserID: done.userID, EmailID: done.methodID}, nil
}

// understood checks what can be checked without the database.
func (req *phoneFields) understood(ctx context.Context, via delivery.Channel) (*request, error) {
	r := &request{
		caller: project.CallerFrom(ctx), via: via, contact: user.Contact{Kind: user.KindPhone, Value: req.PhoneNumber},
		attributes: session.Started(ctx, req.Attributes),
	}
	var err error
	if !r.contact.InSandbox(r.caller) {
		if r.key, err = r.contact.Canonical(); err != nil {
			return nil, err
		}
		r.region = user.PhoneRegion(r.key)
		if err := r.checkCountry(); err != nil {
			return nil, err
		}
	}
	if r.locale, err = template.PhoneLocale(req.Locale); err != nil {
		return nil, err
	}
	if r.caller.Browser && req.EnableAutofill && via == delivery.SMS {
		r.autofill = autofillFor(r.caller)
	}
	r.lifetime, err = lifetime(req.ExpirationMinutes)
	return r, err
}

// understood checks what can be checked without the database.
func (req *emailFields) understood(ctx context.Context) (*request, error) {
	r := &request{
		caller: project.CallerFrom(ctx), via: delivery.Email, contact: user.Contact{Kind: user.KindEmail, Value: req.Email},
		templates: [2]string{req.LoginTemplateID, req.SignupTemplateID}, attributes: session.Started(ctx, req.Attributes),
	}
	var err error
	if r.key, err = user.ASCIIEmail(req.Email); err != nil {
		return nil, err
	}
	if r.locale, err = template.EmailLocale(req.Locale); err != nil {
		return nil, err
	}
	r.lifetime, err = lifetime(req.ExpirationMinutes)
	return r, err
}

// understoodAttempt refuses what cannot be right before anything is counted.
func understoodAttempt(ctx context.Context, req *authenticateRequest) (attempt, error) {
	return readAttempt(ctx, req.MethodID, req.Code, req.Matching)
}

func understoodPageAttempt(ctx context.Context, req *authenticatePageRequest) (attempt, error) {
	return readAttempt(ctx, req.MethodID, req.Token, session.Matching{})
}

func readAttempt(ctx context.Context, methodID, text string, m session.Matching) (attempt, error) {
	a := attempt{methodID: methodID, matching: m}
	if err := checkMethod(project.CallerFrom(ctx).Env, methodID); err != nil {
		return a, err
	}
	var err error
	a.text, err = parseCode(text)
	return a, err
}
