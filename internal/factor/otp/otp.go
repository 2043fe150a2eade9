// Package otp is the factor that a one-time passcode proves: whoever types it
// reads the mailbox, or holds the phone, that it was sent to. It owns the codes
// (table passcodes), where texts may go, and the guard against texts that
// nobody answers (table passcode_conversions). The wording and the sending are
// delivery's. It never keeps a code, only its MAC, and never mints a session.
package otp

import (
	"context"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/template"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/secret"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errCountry    = apierr.New(400, "invalid_phone_number_country_code", "Codes are not sent to phone numbers of this country. Use another number or another way to sign in.")
	errExpiration = apierr.New(400, "invalid_expiration_otp", "The expiration must lie between 1 and 10 minutes.")
)

// Service serves passcodes at both doors.
type Service struct {
	db        *store.DB
	keys      *secret.Keyring
	users     *user.Service
	core      *session.Core
	messages  *delivery.Service
	templates *template.Service
}

// New returns the service. List Hooks among the hooks of the users.
func New(db *store.DB, keys *secret.Keyring, users *user.Service, core *session.Core, messages *delivery.Service, templates *template.Service) *Service {
	return &Service{db, keys, users, core, messages, templates}
}

// Hooks end codes with the addresses and numbers they were sent to.
func (s *Service) Hooks() user.Hooks {
	return user.Hooks{
		OnFactorRemoved: func(tx *store.Tx, env *project.Environment, _ *user.User, kind, id string) error {
			if kind != user.KindEmail && kind != user.KindPhone {
				return nil
			}
			return deleteOfMethod(tx, env.ID, id)
		},
		OnDelete: func(tx *store.Tx, env *project.Environment, userID string) error {
			return deleteOfUser(tx, env.ID, userID)
		},
	}
}

// Purge removes up to budget codes that nobody is told about any more, and
// counts of texts whose window is over.
func Purge(tx *store.Tx, budget int) (int64, error) {
	codes, err := purgeCodes(tx, tx.Now.Add(-keepFor), budget)
	if err != nil {
		return 0, err
	}
	counts, err := purgeConversions(tx, budget-int(codes))
	return codes + counts, err
}

// perRecipient is shared by all channels that reach one address or number.
func perRecipient(c *project.Config) ratelimit.Rule {
	return delivery.OnceIn(c.PasscodePause(), "passcodes per recipient")
}

// request is what a call that sends a code says, understood and checked.
type request struct {
	caller     *project.Caller
	via        delivery.Channel
	contact    user.Contact
	key        string // the contact as counters know it
	region     string // of a number
	lifetime   time.Duration
	locale     string
	templates  [2]string // of e-mails: for users who are active, and for those who are new or pending
	pending    bool      // a user whom this creates is
	attributes session.Attributes
	autofill   autofill
}

// sent is whom a code went to.
type sent struct {
	userID, methodID string
	created          bool
}

// send sends a code to a user who exists, or adds an address or number to a
// user whom the caller names.
func (s *Service) send(ctx context.Context, r *request, h *session.Holder) (*sent, error) {
	holder, err := s.core.Holding(ctx, h)
	if err != nil {
		return nil, err
	}
	return s.deliver(ctx, r, func(tx *store.Tx) (*user.Reached, error) { return holder.Reach(tx, r.contact) })
}

// sendSecondary sends a code to the signed-in person: to prove something of
// theirs once more, or to add it, which is a privileged change.
func (s *Service) sendSecondary(ctx context.Context, r *request) (*sent, error) {
	return s.deliver(ctx, r, func(tx *store.Tx) (*user.Reached, error) { return s.core.AttachOwn(ctx, tx, r.contact) })
}

// loginOrCreate sends a code to anybody: people unknown become users.
func (s *Service) loginOrCreate(ctx context.Context, r *request) (*sent, error) {
	return s.deliver(ctx, r, func(tx *store.Tx) (*user.Reached, error) {
		return s.users.FindOrCreate(tx, r.caller.Env, r.contact, r.pending)
	})
}

// deliver finds whom the code is for and sends it, in one transaction: what is
// refused is not sent, and leaves nothing behind.
func (s *Service) deliver(ctx context.Context, r *request, find func(*store.Tx) (*user.Reached, error)) (*sent, error) {
	if r.contact.InSandbox(r.caller) {
		return sentInSandbox(r.via), nil
	}
	var done *sent
	err := user.Retry(func() error {
		return s.db.Update(ctx, func(tx *store.Tx) error {
			if err := r.limit(tx); err != nil {
				return err
			}
			if err := s.checkTemplates(tx, r); err != nil {
				return err
			}
			to, err := find(tx)
			if err != nil {
				return err
			}
			done = &sent{to.Row.UserID, to.FactorID, to.Created}
			if err := s.write(tx, r, to); err != nil {
				return err
			}
			return r.countText(tx)
		})
	})
	return done, err
}

// limit counts the code against the budgets before anybody is looked up, so
// that a refusal says nothing about who is a user.
func (r *request) limit(tx *store.Tx) error {
	if err := delivery.Reachable(tx, r.caller.Env, r.via, r.key); err != nil {
		return err
	}
	if err := ratelimit.Spend(tx, perRecipient(&r.caller.Env.Config), r.caller.Env.ID, ratelimit.Of(r.key)); err != nil {
		return err
	}
	return delivery.Budget(tx, r.caller, r.via, r.key)
}

// messageTypes are what a code comes in: for a user who is active, and for one
// who is new or pending.
var messageTypes = [2]delivery.Type{delivery.Passcode, delivery.PasscodeSignup}

// checkTemplates refuses templates that do not exist or say something else,
// whichever of the two this message would need.
func (s *Service) checkTemplates(tx *store.Tx, r *request) error {
	for i, templateID := range r.templates {
		if templateID == "" {
			continue
		}
		if err := s.templates.Check(tx, r.caller.Env.ProjectID, messageTypes[i], templateID); err != nil {
			return err
		}
	}
	return nil
}

// write makes a code for whoever was reached and has it sent.
func (s *Service) write(tx *store.Tx, r *request, to *user.Reached) error {
	text, c, err := s.issue(tx, r, to)
	if err != nil {
		return err
	}
	u, err := to.Row.User()
	if err != nil {
		return err
	}
	leg := 0
	if to.SignsUp() {
		leg = 1
	}
	return s.messages.Enqueue(tx, r.caller.Env, delivery.Message{
		Channel: r.via, Type: messageTypes[leg], To: to.Value, Locale: r.locale, TemplateID: r.templates[leg], Code: text,
		UserID: c.userID, Name: u.Name.FirstName, ExpiresAt: c.expiresAt,
		AutofillDomain: r.autofill.domain, AutofillHash: r.autofill.hash,
	})
}
