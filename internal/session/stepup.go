package session

import (
	"context"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// freshFactor is how recently one factor must have been proven before a
// browser may change what the account can be entered with.
const freshFactor = time.Hour

var (
	errInsufficientFactors = apierr.New(401, "insufficient_factors", "This change needs a second factor. Sign in with another of your factors as well, then try again.")
	errWeakCombination     = apierr.New(401, "weak_factor_combination", "This change needs factors of two different kinds, for example an e-mail and a passkey.")
	errStaleFactors        = apierr.New(401, "stale_factors", "It has been too long since you proved who you are. Sign in again, then try again.")
)

// StepUp decides whether a signed-in person may make a privileged change
// through the browser's door (factors.md, section 4.4): factors of two
// categories for someone who owns two, and always one proven within the hour.
// Who acts as the user may make none.
func (i *Identity) StepUp(now time.Time) error {
	factors, err := i.Session.Factors.All()
	if err != nil {
		return err
	}
	u, err := i.User.User()
	if err != nil {
		return err
	}
	return stepUp(u, factors, now)
}

func stepUp(u *user.User, factors []Factor, now time.Time) error {
	used := map[category]bool{}
	counted, fresh := 0, false
	for k := range factors {
		if factors[k].Type == impersonated {
			return errNotOwn
		}
		if !factors[k].heldBy(u) {
			continue // taken away since: it proves nothing any more
		}
		if c := categoryOf(&factors[k]); c != 0 {
			used[c] = true
			counted++
		}
		fresh = fresh || now.Sub(time.Time(factors[k].LastAuthenticatedAt)) < freshFactor
	}
	switch {
	case ownedCategories(u) >= 2 && len(used) < 2 && counted >= 2:
		return errWeakCombination
	case ownedCategories(u) >= 2 && len(used) < 2:
		return errInsufficientFactors
	case !fresh:
		return errStaleFactors
	}
	return nil
}

// ownedCategories counts the categories in which a user holds a factor that they
// can sign in with.
func ownedCategories(u *user.User) int {
	owned := map[category]bool{}
	for _, e := range u.Emails {
		owned[mailbox] = owned[mailbox] || e.Verified
	}
	// A password that has to be set anew opens nothing.
	owned[mailbox] = owned[mailbox] || len(u.Providers) > 0 || u.Password != nil && !u.Password.RequiresReset
	for _, p := range u.PhoneNumbers {
		owned[phone] = owned[phone] || p.Verified
	}
	for _, w := range u.WebAuthnRegistrations {
		owned[dedicated] = owned[dedicated] || w.Verified
	}
	for _, t := range u.TOTPs {
		owned[dedicated] = owned[dedicated] || t.Verified
	}
	for _, b := range u.BiometricRegistrations {
		owned[dedicated] = owned[dedicated] || b.Verified
	}
	n := 0
	for _, has := range owned {
		if has {
			n++
		}
	}
	return n
}

// AttachOwn reaches a contact of the signed-in person (user.Service.Attach).
// Proving a contact they have needs no more than the session; adding one is a
// privileged change. Who owns nothing to step up with yet may add a second
// factor all the same: stepUp asks only for what the user has.
func (c *Core) AttachOwn(ctx context.Context, tx *store.Tx, contact user.Contact) (*user.Reached, error) {
	who, err := c.Identify(ctx, tx)
	if err != nil {
		return nil, err
	}
	owned, err := who.User.Has(contact)
	if err != nil {
		return nil, err
	}
	if !owned {
		if err := who.StepUp(tx.Now); err != nil {
			return nil, err
		}
	}
	return c.users.Attach(tx, project.CallerFrom(ctx).Env, who.User, contact, who.Session.ID)
}
