package user

import (
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

// FindVouched reads the user who has an address of which somebody else says to
// whom it belongs, such as an identity provider, and the address. It returns
// email_not_found for an address that its user has not proven, unless nothing
// vouches for that user: what is proven beside it may be of somebody who has
// taken another's address and waits for them, and no first proof would end it.
func FindVouched(tx *store.Tx, env *project.Environment, address string) (*Row, *Email, error) {
	found, err := Contact{KindEmail, address}.Find(tx, env)
	if err != nil {
		return nil, nil, err
	}
	u, err := found.Row.User()
	if err != nil {
		return nil, nil, err
	}
	e := u.Email(found.FactorID)
	if e == nil || !e.Verified && (!e.ExpiresAt.IsZero() || u.Proven()) {
		return nil, nil, ErrEmailNotFound
	}
	return found.Row, e, nil
}
