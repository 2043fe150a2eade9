package magiclink

import (
	"slices"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/emaillink"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// unlockLifetime is how long a link that ends a lock can be used.
const unlockLifetime = 60 * time.Minute

// MailUnlock sends a user who was just locked a link that ends the lock and
// signs them in, where the environment wants that (platform.md, section 13). It
// goes to an address that the user has proven, and leads to the default LOGIN
// redirect URL; without either there is nothing to send. A mail that cannot be
// sent changes nothing about the lock. It reports whether one was.
func (s *Service) MailUnlock(tx *store.Tx, env *project.Environment, row *user.Row) (sent bool, err error) {
	if !env.Config.UserLock.SelfServe {
		return false, nil
	}
	u, err := row.User()
	if err != nil {
		return false, err
	}
	at := slices.IndexFunc(u.Emails, func(e user.Email) bool { return e.Verified })
	destination, err := env.Destination(project.RedirectLogin, "")
	if at < 0 || err != nil || project.IsNative(destination) { // any app can claim a scheme, and nobody holds a verifier
		return false, nil
	}
	link := &emaillink.Link{
		Kind: emaillink.Unlock, UserID: u.UserID, MethodID: u.Emails[at].EmailID, Destination: destination, ExpiresAt: tx.Now.Add(unlockLifetime),
	}
	token, err := emaillink.Issue(tx, env, link)
	if err != nil {
		return false, err
	}
	url, err := link.URL(s.publicURL(), env, token)
	if err != nil {
		return false, err
	}
	err = s.messages.Enqueue(tx, env, delivery.Message{
		Channel: delivery.Email, Type: delivery.Unlock, To: u.Emails[at].Email, Link: url, UserID: u.UserID, Name: u.Name.FirstName,
		ExpiresAt: link.ExpiresAt,
	})
	if apierr.From(err) != nil {
		return false, nil // no sender: the lock ends by itself
	}
	return err == nil, err
}
