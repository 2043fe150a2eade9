// Package magiclink is the factor that a link proves: whoever opens it reads
// the mailbox it was sent to, or was handed it by the customer's own server
// (embeddable links). It owns the rules for sending links and for finishing
// with them. The links themselves are emaillink's, the wording and the sending
// delivery's.
package magiclink

import (
	"context"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/template"
	"gatehouse/internal/emaillink"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/sandbox"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errNotFound     = apierr.New(404, "magic_link_not_found", "The magic link could not be authenticated, try sending another magic link to the user.")
	errUnable       = apierr.New(401, "unable_to_auth_magic_link", "The magic link could not be authenticated because it was either already used or expired. Send another magic link to this user.")
	errInvited      = apierr.New(400, "duplicate_email", "A user with this email address exists already and needs no invitation. Send a login link instead.")
	errNoInvitation = apierr.New(404, "email_not_found", "There is no open invitation for this email address.")
)

// The usual lifetimes of links, in minutes (factors.md, section 2.1).
const (
	loginMinutes    = 60
	signupMinutes   = 10080
	inviteMinutes   = 60
	embeddedMinutes = 60
)

// Service serves magic links at both doors.
type Service struct {
	db        *store.DB
	users     *user.Service
	core      *session.Core
	messages  *delivery.Service
	templates *template.Service
	publicURL func() string
}

// New returns the service. publicURL is where people reach this server: links
// begin with it.
func New(db *store.DB, users *user.Service, core *session.Core, messages *delivery.Service, templates *template.Service, publicURL func() string) *Service {
	return &Service{db, users, core, messages, templates, publicURL}
}

// perAddress is shared by everything that mails a link (factors.md, section 0.4).
func perAddress(c *project.Config) ratelimit.Rule {
	return delivery.OnceIn(c.LinkPause(), "magic links per e-mail address")
}

// request is what a call that mails a link says, understood and checked.
type request struct {
	caller     *project.Caller
	contact    user.Contact
	login      leg
	signup     leg
	challenge  string
	locale     string
	attributes session.Attributes
	browserID  string
}

// leg is one of the two ways a mail can turn out: for a user who is active, or
// for one who is new or pending.
type leg struct {
	kind        delivery.Type
	destination string
	lifetime    time.Duration
	templateID  string
}

// mail sends a link to whoever was reached, in the transaction.
func (s *Service) mail(tx *store.Tx, r *request, to *user.Reached) error {
	env := r.caller.Env
	leg := r.login
	if to.SignsUp() {
		leg = r.signup
	}
	link := &emaillink.Link{
		Kind: emaillink.MagicLink, UserID: to.Row.UserID, MethodID: to.FactorID, Destination: leg.destination, CodeChallenge: r.challenge,
		IPAddress: r.attributes.IPAddress, UserAgent: r.attributes.UserAgent, SessionID: to.SessionID, BrowserID: r.browserID,
		ExpiresAt: tx.Now.Add(leg.lifetime),
	}
	token, err := emaillink.Issue(tx, env, link)
	if err != nil {
		return err
	}
	url, err := link.URL(s.publicURL(), env, token)
	if err != nil {
		return err
	}
	u, err := to.Row.User()
	if err != nil {
		return err
	}
	return s.messages.Enqueue(tx, env, delivery.Message{
		Channel: delivery.Email, Type: leg.kind, To: to.Value, Locale: r.locale, TemplateID: leg.templateID, Link: url,
		UserID: to.Row.UserID, Name: u.Name.FirstName, ExpiresAt: link.ExpiresAt,
	})
}

// limit counts a mail to an address. What is refused is not sent, and leaves
// nothing behind.
func (r *request) limit(tx *store.Tx) error {
	address, err := user.ASCIIEmail(r.contact.Value)
	if err != nil {
		return err
	}
	if err := ratelimit.Spend(tx, perAddress(&r.caller.Env.Config), r.caller.Env.ID, ratelimit.Of(address)); err != nil {
		return err
	}
	return delivery.Budget(tx, r.caller, delivery.Email, address)
}

// checkTemplates refuses templates that do not exist or say something else,
// whichever of the two this mail would need.
func (s *Service) checkTemplates(tx *store.Tx, env *project.Environment, legs ...leg) error {
	for _, l := range legs {
		if l.templateID == "" {
			continue
		}
		if err := s.templates.Check(tx, env.ProjectID, l.kind, l.templateID); err != nil {
			return err
		}
	}
	return nil
}

// send mails a link to a user who exists, or adds an address to a user whom
// the caller names.
func (s *Service) send(ctx context.Context, req *sendRequest) (*sentResponse, error) {
	r, err := req.understood(ctx)
	if err != nil {
		return nil, err
	}
	holder, err := s.core.Holding(ctx, &req.Holder)
	if err != nil {
		return nil, err
	}
	return s.deliver(ctx, r, func(tx *store.Tx) (*user.Reached, error) { return holder.Reach(tx, r.contact) })
}

// sendSecondary mails a link to the signed-in person: to prove an address of
// theirs once more, or to add one, which is a privileged change.
func (s *Service) sendSecondary(ctx context.Context, req *sendRequest) (*sentResponse, error) {
	r, err := req.understood(ctx)
	if err != nil {
		return nil, err
	}
	return s.deliver(ctx, r, func(tx *store.Tx) (*user.Reached, error) { return s.core.AttachOwn(ctx, tx, r.contact) })
}

// loginOrCreate mails a link to anybody: people unknown become users.
func (s *Service) loginOrCreate(ctx context.Context, req *loginOrCreateRequest) (*loginOrCreateResponse, error) {
	r, err := req.understood(ctx)
	if err != nil {
		return nil, err
	}
	resp := &loginOrCreateResponse{}
	sent, err := s.deliver(ctx, r, func(tx *store.Tx) (*user.Reached, error) {
		to, err := s.users.FindOrCreate(tx, r.caller.Env, r.contact, req.CreateUserAsPending)
		if err == nil {
			resp.UserCreated = to.Created
		}
		return to, err
	})
	if err != nil {
		return nil, err
	}
	resp.UserID, resp.EmailID = sent.UserID, sent.EmailID
	return resp, nil
}

// deliver finds whom the mail is for and sends it, in one transaction.
func (s *Service) deliver(ctx context.Context, r *request, find func(*store.Tx) (*user.Reached, error)) (*sentResponse, error) {
	if r.contact.InSandbox(r.caller) {
		return &sentResponse{UserID: sandbox.UserID, EmailID: sandbox.EmailID}, nil
	}
	r.browserID = emaillink.MarkBrowser(r.caller)
	resp := &sentResponse{}
	err := user.Retry(func() error {
		return s.db.Update(ctx, func(tx *store.Tx) error {
			if err := r.limit(tx); err != nil {
				return err
			}
			if err := s.checkTemplates(tx, r.caller.Env, r.login, r.signup); err != nil {
				return err
			}
			to, err := find(tx)
			if err != nil {
				return err
			}
			resp.UserID, resp.EmailID = to.Row.UserID, to.FactorID
			return s.mail(tx, r, to)
		})
	})
	if err != nil {
		return nil, err
	}
	emaillink.BindBrowser(ctx, r.browserID, s.db.Now().Add(max(r.login.lifetime, r.signup.lifetime)))
	return resp, nil
}

// create makes an embeddable link: the customer's server brings it to the user
// in its own way.
func (s *Service) create(ctx context.Context, req *createRequest) (*createResponse, error) {
	env := project.CallerFrom(ctx).Env
	lifetime, err := emaillink.Lifetime(req.ExpirationMinutes, embeddedMinutes)
	if err != nil {
		return nil, err
	}
	attributes := session.Started(ctx, req.Attributes)
	if req.UserID == sandbox.UserID && project.CallerFrom(ctx).MaySandbox() {
		return &createResponse{UserID: sandbox.UserID, Token: sandbox.MagicLink}, nil
	}
	resp := &createResponse{}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		row, err := user.Get(tx, env, req.UserID)
		if err != nil {
			return err
		}
		resp.UserID = row.UserID
		resp.Token, err = emaillink.Issue(tx, env, &emaillink.Link{
			Kind: emaillink.Embedded, UserID: row.UserID, MethodID: id.New(id.EmbeddedLink, env.Kind, tx.Now),
			IPAddress: attributes.IPAddress, UserAgent: attributes.UserAgent, ExpiresAt: tx.Now.Add(lifetime),
		})
		return err
	})
	return resp, err
}
