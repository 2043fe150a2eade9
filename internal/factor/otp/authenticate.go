package otp

import (
	"context"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errNotFound = apierr.New(404, "otp_code_not_found", "The code is not right. Check it, or ask for another one.")
	errUnable   = apierr.New(401, "unable_to_auth_otp_code", "The code was already used, was guessed at too often, or has expired. Ask for another one.")
)

// perMethod bounds guessing at an address or number whatever codes are sent to
// it meanwhile.
func perMethod(c *project.Config) ratelimit.Rule {
	return ratelimit.Rule{Name: "passcode attempts per method_id", Limit: c.PasscodeAttempts(), Per: 10 * time.Minute}
}

// attempt is somebody typing a code.
type attempt struct {
	methodID, text string
	matching       session.Matching
}

// prove finishes with a code. Where none was sent, or the one that was is over,
// there is nothing to guess, and nobody's failure: whoever knows a method_id
// could lock its user from a code that died long ago. A wrong guess at a code
// that is open counts towards the user's lock, and uses the code up a little.
func (s *Service) prove(ctx context.Context, tx *store.Tx, a attempt, resp *authenticateResponse) (session.Proof, error) {
	env := project.CallerFrom(ctx).Env
	proof := session.Proof{Factor: session.Factor{Type: "otp"}, Attributes: a.matching.Attributes}
	c, err := s.hold(tx, env, a.methodID)
	if err != nil {
		return proof, err
	}
	right, err := s.is(env, c, a.text)
	if err != nil {
		return proof, err
	}
	proof.UserID = c.userID
	if !right {
		if proof.Uncounted = !c.open(tx.Now); proof.Uncounted {
			return proof, errNotFound // nothing could be won: it locks nobody
		}
		if err := countWrong(tx, env.ID, c); err != nil {
			return proof, err
		}
		return proof, errNotFound
	}
	number, held, err := describe(tx, env, c, &proof)
	if err != nil {
		return proof, err
	}
	if proof.Uncounted = !held || !c.open(tx.Now); proof.Uncounted {
		return proof, errUnable
	}
	if err := a.matching.Check(c.attributes); err != nil {
		return proof, err
	}
	first, err := take(tx, env.ID, c)
	if err != nil {
		return proof, err
	}
	if proof.Uncounted = !first; proof.Uncounted {
		return proof, errUnable // another request was faster
	}
	proof.SessionID, resp.MethodID = c.sessionID, c.methodID
	proof.Done = func(tx *store.Tx) error { return c.countProof(tx, env, number) }
	return proof, nil
}

// hold finds the code of a method, counts the attempt, and locks the user's row
// and then the code's, the order that everybody keeps.
func (s *Service) hold(tx *store.Tx, env *project.Environment, methodID string) (*code, error) {
	c, known, err := find(tx, env, methodID, "")
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, errNotFound
	}
	if err := ratelimit.Spend(tx, perMethod(&env.Config), env.ID, ratelimit.Of(methodID)); err != nil {
		return nil, err
	}
	if err := user.Hold(tx, env, c.userID); apierr.From(err) != nil {
		return nil, errNotFound.Because(err) // the user is gone, and the code with them
	} else if err != nil {
		return nil, err
	}
	c, known, err = find(tx, env, methodID, tx.ForUpdate())
	if err == nil && !known {
		err = errNotFound
	}
	return c, err
}

// describe completes the proof with the address or number that the code was
// sent to. It reports false when the user does not have it any more.
func describe(tx *store.Tx, env *project.Environment, c *code, proof *session.Proof) (number string, held bool, err error) {
	row, err := user.Get(tx, env, c.userID)
	if err != nil {
		return "", false, err
	}
	u, err := row.User()
	if err != nil {
		return "", false, err
	}
	proof.Factor.DeliveryMethod = string(c.channel)
	kind := user.KindPhone
	if c.channel == delivery.Email {
		kind = user.KindEmail
		address := u.Email(c.methodID)
		if address == nil {
			return "", false, nil
		}
		proof.Factor.EmailFactor = &session.EmailFactor{EmailID: address.EmailID, EmailAddress: address.Email}
	} else {
		phone := u.Phone(c.methodID)
		if phone == nil {
			return "", false, nil
		}
		number = phone.PhoneNumber
		proof.Factor.PhoneNumberFactor = &session.PhoneNumberFactor{PhoneID: phone.PhoneID, PhoneNumber: number}
	}
	proof.Apply = func(u *user.User) error {
		if !u.Prove(kind, c.methodID) {
			return errUnable
		}
		return nil
	}
	return number, true, nil
}
