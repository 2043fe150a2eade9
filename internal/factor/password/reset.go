package password

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/template"
	"gatehouse/internal/emaillink"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/sandbox"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errToken       = apierr.New(401, "unable_to_auth_password_reset_token", "The link is not valid: it was used already, has expired, or was never sent. Ask for another one.")
	errNotExisting = apierr.New(400, "password_does_not_match", "The existing password is not right. Check it, or set a new one by e-mail.")
	errForced      = apierr.New(400, "cannot_reset_password_with_existing_password", "The existing password cannot be used any more. Ask for a mail that resets it.")
	errTooOld      = apierr.New(400, "session_too_old_to_reset_password", "To set a password, sign in again first: with your password, or with a link or a code sent by e-mail.")
)

const (
	resetMinutes = 30 // the usual lifetime of the links of a mail
	// freshLogin is how recently the mailbox or the old password must have been
	// proven in a session that sets a password (factors.md, section 8.1).
	freshLogin = 5 * time.Minute
)

// perAddress bounds the mails to one address, as that of other links.
func perAddress(c *project.Config) ratelimit.Rule {
	return delivery.OnceIn(c.LinkPause(), "password mails per e-mail address")
}

// resetMail is what a call that mails a reset says, understood and checked.
type resetMail struct {
	caller     *project.Caller
	contact    user.Contact
	reset      string // where the first link leads
	login      string // where the second one leads, "" for a mail without it
	challenge  string
	lifetime   time.Duration
	locale     string
	templateID string
	attributes session.Attributes
	browserID  string
}

// understood checks what can be checked without the database.
func (req *startRequest) understood(ctx context.Context) (*resetMail, error) {
	caller := project.CallerFrom(ctx)
	r := &resetMail{
		caller: caller, contact: user.Contact{Kind: user.KindEmail, Value: req.Email}, challenge: req.CodeChallenge,
		templateID: req.ResetPasswordTemplateID, attributes: session.Started(ctx, req.Attributes), browserID: emaillink.MarkBrowser(caller),
	}
	var err error
	if _, err = r.contact.Canonical(); err != nil && !r.contact.InSandbox(caller) {
		return nil, err
	}
	if r.locale, err = template.EmailLocale(req.Locale); err != nil {
		return nil, err
	}
	if r.lifetime, err = emaillink.Lifetime(req.ResetPasswordExpirationMinutes, resetMinutes); err != nil {
		return nil, err
	}
	if r.reset, err = caller.Env.Destination(project.RedirectResetPassword, req.ResetPasswordRedirectURL); err != nil {
		return nil, err
	}
	// An environment without a LOGIN URL mails the one link alone.
	if r.login, err = caller.Env.Destination(project.RedirectLogin, req.LoginRedirectURL); err != nil && req.LoginRedirectURL != "" {
		return nil, err
	}
	destinations := []string{r.reset}
	if r.login != "" {
		destinations = append(destinations, r.login)
	}
	return r, emaillink.CheckChallenge(caller, caller.Env.Config.SDK.Passwords.PKCERequired, req.CodeChallenge, destinations...)
}

// start mails the links to a user. A page is not told whether there is one.
func (s *Service) start(ctx context.Context, req *startRequest) (*startResponse, error) {
	r, err := req.understood(ctx)
	if err != nil {
		return nil, err
	}
	if r.contact.InSandbox(r.caller) {
		return &startResponse{UserID: sandbox.UserID, EmailID: sandbox.EmailID}, nil
	}
	resp := &startResponse{}
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		if err := r.limit(tx); err != nil {
			return err
		}
		if r.templateID != "" {
			if err := s.Templates.Check(tx, r.caller.Env.ProjectID, delivery.ResetPassword, r.templateID); err != nil {
				return err
			}
		}
		to, err := r.contact.Find(tx, r.caller.Env)
		if errors.Is(err, user.ErrEmailNotFound) && r.caller.Browser {
			return nil
		}
		if err != nil {
			return err
		}
		resp.UserID, resp.EmailID = to.Row.UserID, to.FactorID
		return s.mail(tx, r, to)
	})
	if err != nil {
		return nil, err
	}
	emaillink.BindBrowser(ctx, r.browserID, s.DB.Now().Add(r.lifetime))
	return resp, nil
}

// limit counts a mail to an address before anybody is looked up.
func (r *resetMail) limit(tx *store.Tx) error {
	address, err := user.ASCIIEmail(r.contact.Value)
	if err != nil {
		return err
	}
	if err := ratelimit.Spend(tx, perAddress(&r.caller.Env.Config), r.caller.Env.ID, ratelimit.Of(address)); err != nil {
		return err
	}
	return delivery.Budget(tx, r.caller, delivery.Email, address)
}

// mail sends both links, in the transaction.
func (s *Service) mail(tx *store.Tx, r *resetMail, to *user.Reached) error {
	u, err := to.Row.User()
	if err != nil {
		return err
	}
	m := delivery.Message{
		Channel: delivery.Email, Type: delivery.ResetPassword, To: to.Value, Locale: r.locale, TemplateID: r.templateID,
		UserID: u.UserID, Name: u.Name.FirstName, ExpiresAt: tx.Now.Add(r.lifetime),
	}
	if !u.Email(to.FactorID).Verified {
		m.Type = delivery.VerifyPassword
	}
	if m.Link, err = s.link(tx, r, to, emaillink.ResetPassword, r.reset); err != nil {
		return err
	}
	if r.login != "" {
		if m.LoginLink, err = s.link(tx, r, to, emaillink.Login, r.login); err != nil {
			return err
		}
	}
	return s.Messages.Enqueue(tx, r.caller.Env, m)
}

func (s *Service) link(tx *store.Tx, r *resetMail, to *user.Reached, kind emaillink.Kind, destination string) (string, error) {
	link := &emaillink.Link{
		Kind: kind, UserID: to.Row.UserID, MethodID: to.FactorID, Destination: destination, CodeChallenge: r.challenge,
		IPAddress: r.attributes.IPAddress, UserAgent: r.attributes.UserAgent, BrowserID: r.browserID, ExpiresAt: tx.Now.Add(r.lifetime),
	}
	token, err := emaillink.Issue(tx, r.caller.Env, link)
	if err != nil {
		return "", err
	}
	return link.URL(s.PublicURL(), r.caller.Env, token)
}

// chosen is a new password that may be set, ready to be kept.
type chosen struct {
	encoded string
	held    *session.Held // of a reset by session
	checked *checked      // of a reset by the existing password
	refused error         // of one too: why the new password cannot be set
}

// prepareReset begins a reset by e-mail. The link is looked at before anything is
// hashed: nobody makes the server hash with a token made up.
func (s *Service) prepareReset(ctx context.Context, req *resetRequest) (*chosen, error) {
	env := project.CallerFrom(ctx).Env
	address := ""
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		link, err := emaillink.Find(tx, env, req.Token, emaillink.ResetPassword)
		if errors.Is(err, emaillink.ErrUnknown) || err == nil && !link.Open(tx.Now) {
			return nil // proveReset says so
		}
		if err != nil {
			return err
		}
		address, err = addressOf(tx, env, link)
		return err
	})
	if err != nil || address == "" {
		return &chosen{}, err
	}
	return s.choose(ctx, env, req.Password, address)
}

// addressOf is the address that a link was sent to, "" when its user is gone or
// has it no more.
func addressOf(tx *store.Tx, env *project.Environment, link *emaillink.Link) (string, error) {
	row, err := user.Get(tx, env, link.UserID)
	if apierr.From(err) != nil {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	u, err := row.User()
	if err != nil {
		return "", err
	}
	if e := u.Email(link.MethodID); e != nil {
		return e.Email, nil
	}
	return "", nil
}

func (s *Service) choose(ctx context.Context, env *project.Environment, password, address string) (*chosen, error) {
	if err := s.accept(ctx, env, password, address); err != nil {
		return nil, err
	}
	encoded, err := s.hash(ctx, env, password)
	return &chosen{encoded: encoded}, err
}

// proveReset finishes it: whoever opened the link reads the mailbox, so the
// address is proven too. Everybody who was signed in is signed out.
func (s *Service) proveReset(ctx context.Context, tx *store.Tx, req *resetRequest, c *chosen, _ *authenticateResponse) (session.Proof, error) {
	env := project.CallerFrom(ctx).Env
	link, proof, err := session.ProveLink(tx, env, &session.LinkUse{
		Token: req.Token, CodeVerifier: req.CodeVerifier, Matching: &req.Matching,
		Kinds: []emaillink.Kind{emaillink.ResetPassword}, Unknown: errToken, Unable: errToken,
	})
	proof.Factor = factor
	if err != nil {
		return proof, err
	}
	if c.encoded == "" {
		return proof, errToken // it was not there to be found a moment ago
	}
	if err := emaillink.Exhaust(tx, env, link.UserID, emaillink.ResetPassword, emaillink.Login); err != nil {
		return proof, err
	}
	proof.Unlocks, proof.Ends, proof.Settle = env.Config.UserLock.SelfServe, session.EndsAll, setOn(env, tx.Now)
	return proof, s.change(tx, env, &proof, c)
}

// change keeps the new password and has the owner told of it. A first password
// is a factor that was added, which is told of as all of them are.
func (s *Service) change(tx *store.Tx, env *project.Environment, proof *session.Proof, c *chosen) error {
	replaced, err := s.keep(tx, env, proof.UserID, c.encoded)
	if replaced {
		userID := proof.UserID
		proof.Done = func(tx *store.Tx) error { return s.Replaced(tx, env, userID) }
	}
	return err
}

// prepareReplacing begins a reset by the existing password.
func (s *Service) prepareReplacing(ctx context.Context, req *existingRequest) (*chosen, error) {
	env := project.CallerFrom(ctx).Env
	checked, err := s.check(ctx, env, req.Email, req.ExistingPassword)
	if err != nil {
		return nil, err
	}
	checked.rehashed = "" // it is about to be replaced
	if !checked.right {
		return &chosen{checked: checked}, nil
	}
	c, err := s.choose(ctx, env, req.NewPassword, req.Email)
	switch {
	case apierr.From(err) != nil:
		// It would say that the existing password is right, to somebody who may be
		// locked by now: the second half says it once it is known that they are not.
		return &chosen{checked: checked, refused: err}, nil
	case err != nil:
		return nil, err
	}
	c.checked = checked
	return c, nil
}

var replaceVerdicts = verdicts{wrong: errNotExisting, mustReset: errForced}

// proveReplacing finishes it. Everybody who was signed in is signed out.
func (s *Service) proveReplacing(ctx context.Context, tx *store.Tx, _ *existingRequest, c *chosen, _ *authenticateResponse) (session.Proof, error) {
	env := project.CallerFrom(ctx).Env
	proof, err := s.prove(ctx, tx, c.checked, replaceVerdicts)
	if err != nil {
		return proof, err
	}
	if proof.Uncounted = c.refused != nil; proof.Uncounted {
		return proof, c.refused
	}
	proof.Ends, proof.Apply = session.EndsAll, setOn(env, tx.Now)
	return proof, s.change(tx, env, &proof, c)
}

// prepareBySession begins a reset by session, which also sets the first password
// of somebody who has none.
func (s *Service) prepareBySession(ctx context.Context, req *sessionRequest) (*chosen, error) {
	env := project.CallerFrom(ctx).Env
	held, err := s.Core.Holding(ctx, &session.Holder{SessionToken: req.SessionToken, SessionJWT: req.SessionJWT})
	if err != nil {
		return nil, err
	}
	address := ""
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		who, err := s.mayChoose(ctx, tx, held)
		if err != nil {
			return err
		}
		u, err := who.User.User()
		if err == nil && len(u.Emails) > 0 {
			address = u.Emails[0].Email
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c, err := s.choose(ctx, env, req.Password, address)
	if c != nil {
		c.held = held
	}
	return c, err
}

// mayChoose returns whose session it is, if it was entered with the password or
// through the mailbox just now.
func (s *Service) mayChoose(ctx context.Context, tx *store.Tx, held *session.Held) (*session.Identity, error) {
	who, err := held.Identify(ctx, tx)
	if err != nil {
		return nil, err
	}
	factors, err := who.Session.Factors.All()
	if err != nil {
		return nil, err
	}
	u, err := who.User.User()
	if err != nil {
		return nil, err
	}
	// A password that has to be set anew opens nothing, not even this.
	good := u.Password != nil && !u.Password.RequiresReset
	for _, f := range factors {
		suits := f.Type == "password" && good || f.EmailFactor != nil && (f.Type == "magic_link" || f.Type == "otp")
		if suits && tx.Now.Sub(time.Time(f.LastAuthenticatedAt)) <= freshLogin {
			return who, nil
		}
	}
	return nil, errTooOld
}

// proveBySession finishes it. The other sessions end.
func (s *Service) proveBySession(ctx context.Context, tx *store.Tx, _ *sessionRequest, c *chosen, _ *authenticateResponse) (session.Proof, error) {
	env, proof := project.CallerFrom(ctx).Env, session.Proof{Factor: factor}
	who, err := s.mayChoose(ctx, tx, c.held)
	if err != nil {
		return proof, err
	}
	if err := user.Hold(tx, env, who.User.UserID); err != nil {
		return proof, err
	}
	// The session may have ended while the row was waited for, for example because
	// the owner has set another password.
	if who, err = s.mayChoose(ctx, tx, c.held); err != nil {
		return proof, err
	}
	proof.UserID, proof.SessionID = who.User.UserID, who.Session.ID
	proof.Ends, proof.Apply = session.EndsOthers, setOn(env, tx.Now)
	return proof, s.change(tx, env, &proof, c)
}
