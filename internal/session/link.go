package session

import (
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/emaillink"
	"gatehouse/internal/pkce"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// LinkUse is a request that finishes with the token of a one-time link.
type LinkUse struct {
	Token        string
	CodeVerifier string
	Matching     *Matching
	Kinds        []emaillink.Kind // that the token may be of
	Unknown      *apierr.Error    // the verdict on a token that names no link
	Unable       *apierr.Error    // the verdict on a link that is over
}

// ProveLink uses a link up and says what it proves, whatever the factor. A link
// that is over proves nothing about anybody and is nobody's failure; one that is
// open, but opened in the wrong place, counts towards the user's lock and stays
// open for whom it was sent to.
func ProveLink(tx *store.Tx, env *project.Environment, use *LinkUse) (*emaillink.Link, Proof, error) {
	proof := Proof{Factor: Factor{Type: "magic_link"}, Attributes: use.Matching.Attributes}
	link, err := emaillink.Find(tx, env, use.Token, use.Kinds...)
	if errors.Is(err, emaillink.ErrUnknown) {
		return nil, proof, use.Unknown
	}
	if err != nil {
		return nil, proof, err
	}
	if err := user.Hold(tx, env, link.UserID); apierr.From(err) != nil {
		return nil, proof, use.Unknown.Because(err) // the user is gone, and the link with them
	} else if err != nil {
		return nil, proof, err
	}
	held, err := describeLink(tx, env, link, &proof, use.Unable)
	if err != nil {
		return nil, proof, err
	}
	proof.UserID = link.UserID
	if proof.Uncounted = !held || !link.Open(tx.Now); proof.Uncounted {
		return nil, proof, use.Unable
	}
	if err := use.mayOpen(link); err != nil {
		return nil, proof, err
	}
	first, err := link.Use(tx, env)
	if err != nil {
		return nil, proof, err
	}
	if proof.Uncounted = !first; proof.Uncounted {
		return nil, proof, use.Unable // another request was faster
	}
	proof.SessionID = link.SessionID
	return link, proof, nil
}

// mayOpen decides whether the request comes from where the link may be opened.
func (use *LinkUse) mayOpen(link *emaillink.Link) error {
	if err := pkce.Verify(link.CodeChallenge, use.CodeVerifier); err != nil {
		return err
	}
	return use.Matching.Check(Attributes{IPAddress: link.IPAddress, UserAgent: link.UserAgent})
}

// describeLink completes the proof with what the link proves: that the user
// reads the mailbox, or, for an embeddable link, nothing about any address. It
// reports false when the user does not have the address any more.
func describeLink(tx *store.Tx, env *project.Environment, link *emaillink.Link, proof *Proof, unable error) (bool, error) {
	if link.Kind == emaillink.Embedded {
		proof.Factor.DeliveryMethod = "embedded"
		proof.Factor.EmbeddedFactor = &EmbeddedFactor{EmbeddedID: link.MethodID}
		proof.Apply = func(u *user.User) error {
			u.Status = user.Active
			return nil
		}
		return true, nil
	}
	row, err := user.Get(tx, env, link.UserID)
	if err != nil {
		return false, err
	}
	u, err := row.User()
	if err != nil {
		return false, err
	}
	address := u.Email(link.MethodID)
	if address == nil {
		return false, nil
	}
	proof.Factor.DeliveryMethod, proof.Unlocks = "email", link.Kind == emaillink.Unlock
	proof.Factor.EmailFactor = &EmailFactor{EmailID: address.EmailID, EmailAddress: address.Email}
	proof.Apply = func(u *user.User) error {
		if !u.Prove(user.KindEmail, link.MethodID) {
			return unable
		}
		return nil
	}
	return true, nil
}
