package magiclink

import (
	"context"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/emaillink"
	"gatehouse/internal/pkce"
	"gatehouse/internal/project"
	"gatehouse/internal/sandbox"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// prove finishes with a link. A link that is over proves nothing about anybody
// and is nobody's failure; one that is open, but opened in the wrong place,
// counts towards the user's lock and stays open for whom it was sent to.
func (s *Service) prove(ctx context.Context, tx *store.Tx, req *authenticateRequest, resp *authenticateResponse) (session.Proof, error) {
	env := project.CallerFrom(ctx).Env
	proof := session.Proof{Factor: session.Factor{Type: "magic_link"}, Attributes: req.Attributes}
	link, err := emaillink.Find(tx, env, req.Token, emaillink.MagicLink, emaillink.Unlock, emaillink.Login, emaillink.Embedded)
	if errors.Is(err, emaillink.ErrUnknown) {
		return proof, errNotFound
	}
	if err != nil {
		return proof, err
	}
	if err := user.Hold(tx, env, link.UserID); apierr.From(err) != nil {
		return proof, errNotFound.Because(err) // the user is gone, and the link with them
	} else if err != nil {
		return proof, err
	}
	held, err := describe(tx, env, link, &proof)
	if err != nil {
		return proof, err
	}
	proof.UserID = link.UserID
	if proof.Uncounted = !held || !link.Open(tx.Now); proof.Uncounted {
		return proof, errUnable
	}
	if err := req.mayOpen(link); err != nil {
		return proof, err
	}
	first, err := link.Use(tx, env)
	if err != nil {
		return proof, err
	}
	if proof.Uncounted = !first; proof.Uncounted {
		return proof, errUnable // another request was faster
	}
	proof.SessionID, resp.MethodID = link.SessionID, link.MethodID
	return proof, nil
}

// Sandbox implements session.Sandboxed.
func (req *authenticateRequest) Sandbox() (*session.SandboxProof, error) {
	switch req.Token {
	case sandbox.MagicLink:
		return &session.SandboxProof{
			Factor: session.SandboxEmail("magic_link"),
			Fill:   func(resp any) { resp.(*authenticateResponse).MethodID = sandbox.EmailID },
		}, nil
	case sandbox.MagicLinkUsed:
		return nil, errUnable
	case sandbox.MagicLinkAbsent:
		return nil, errNotFound
	}
	return nil, nil
}

// mayOpen decides whether the request comes from where the link may be opened.
func (req *authenticateRequest) mayOpen(link *emaillink.Link) error {
	if err := pkce.Verify(link.CodeChallenge, req.CodeVerifier); err != nil {
		return err
	}
	return req.Check(session.Attributes{IPAddress: link.IPAddress, UserAgent: link.UserAgent})
}

// describe completes the proof with what the link proves: that the user reads
// the mailbox, or, for an embeddable link, nothing about any address. It
// reports false when the user does not have the address any more.
func describe(tx *store.Tx, env *project.Environment, link *emaillink.Link, proof *session.Proof) (bool, error) {
	if link.Kind == emaillink.Embedded {
		proof.Factor.DeliveryMethod = "embedded"
		proof.Factor.EmbeddedFactor = &session.EmbeddedFactor{EmbeddedID: link.MethodID}
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
	proof.Factor.EmailFactor = &session.EmailFactor{EmailID: address.EmailID, EmailAddress: address.Email}
	proof.Apply = func(u *user.User) error {
		if !u.Prove(user.KindEmail, link.MethodID) {
			return errUnable
		}
		return nil
	}
	return true, nil
}
