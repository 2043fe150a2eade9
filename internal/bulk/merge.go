package bulk

import (
	"encoding/json"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// found is a user of the environment whom a row is about.
type found struct {
	row *user.Row
	// vouched says that the row names the user by something it may be trusted
	// with: an id, or an address that the other system has seen proven.
	vouched bool
}

var errSeveral = &fault{"matches_several_users", "The row's ids, addresses and numbers belong to more than one user here. Merge those users first, or split the row."}

// match finds the one user whom a row is about, nil when it is nobody yet.
func match(tx *store.Tx, env *project.Environment, d *draft) (*found, error) {
	var f *found
	look := func(vouched bool, find func() (*user.Row, error)) error {
		row, err := find()
		if v := apierr.From(err); v != nil && v.Status == 404 {
			return nil
		}
		if err != nil {
			return err
		}
		if f != nil && f.row.UserID != row.UserID {
			return errSeveral
		}
		if f == nil {
			f = &found{row: row}
		}
		f.vouched = f.vouched || vouched
		return nil
	}
	var err error
	try := func(vouched bool, find func() (*user.Row, error)) {
		if err == nil {
			err = look(vouched, find)
		}
	}
	if d.user.UserID != "" {
		try(true, func() (*user.Row, error) { return user.Get(tx, env, d.user.UserID) })
	}
	if d.user.ExternalID != nil {
		try(true, func() (*user.Row, error) { return user.Get(tx, env, *d.user.ExternalID) })
	}
	for _, e := range d.user.Emails {
		try(e.Verified, func() (*user.Row, error) { return user.FindByEmail(tx, env, e.Email) })
	}
	for _, p := range d.user.PhoneNumbers {
		try(p.Verified, func() (*user.Row, error) { return user.FindByPhone(tx, env, p.PhoneNumber) })
	}
	for _, p := range d.user.Providers {
		try(true, func() (*user.Row, error) { return user.FindByProvider(tx, env, p.ProviderType, p.ProviderSubject) })
	}
	for _, w := range d.user.CryptoWallets {
		try(w.Verified, func() (*user.Row, error) {
			return user.FindByWallet(tx, env, w.CryptoWalletType, w.CryptoWalletAddress)
		})
	}
	return f, err
}

// errNothingNew ends a merge that would change nothing.
var errNothingNew = errors.New("the user has all that the row says")

var (
	errUnproven = &fault{"user_not_verified", "The user who has this address here can sign in, but has never proven to own it: it may be somebody else. Have them verify the address, or delete the user, then import again."}
	errUnsure   = &fault{"address_not_verified", "The user exists here with a verified address, and the file does not say that its owner has verified it there: the password may be somebody else's."}
)

// merge adds to a user what the row has and the user has not, and replaces
// nothing. The first password a user gets is a way into their account, and so
// is an address that counts as verified: each side of the merge could be a
// stranger who claimed somebody else's address, so that one of them has to
// vouch for the other.
func (d *draft) merge(f *found) func(u *user.User) error {
	return func(u *user.User) error {
		changed, err := d.fill(u)
		switch {
		case err != nil:
			return err
		case !changed && !d.adds(u):
			return errNothingNew
		case !u.Proven() && signsIn(u):
			return errUnproven
		case u.Proven() && !f.vouched:
			return errUnsure
		}
		if d.user.Password != nil && u.Password == nil {
			p := *d.user.Password
			u.Password = &p
		}
		d.addAddresses(u)
		return nil
	}
}

// signsIn reports whether somebody can sign in as the user by other means than
// an address or a number, which have to be read each time.
func signsIn(u *user.User) bool {
	for _, f := range u.Factors() {
		if f.Kind != user.KindEmail && f.Kind != user.KindPhone {
			return true
		}
	}
	return false
}

// adds reports whether the row has a way to sign in that the user lacks.
func (d *draft) adds(u *user.User) bool {
	if d.user.Password != nil && u.Password == nil {
		return true
	}
	for _, e := range d.user.Emails {
		if have := emailOf(u, e.Email); have == nil || e.Verified && !have.Verified {
			return true
		}
	}
	for _, p := range d.user.PhoneNumbers {
		if have := phoneOf(u, p.PhoneNumber); have == nil || p.Verified && !have.Verified {
			return true
		}
	}
	return false
}

func (d *draft) addAddresses(u *user.User) {
	for _, e := range d.user.Emails {
		switch have := emailOf(u, e.Email); {
		case have == nil:
			u.Emails = append(u.Emails, e)
		case e.Verified:
			have.Verified = true
		}
	}
	for _, p := range d.user.PhoneNumbers {
		switch have := phoneOf(u, p.PhoneNumber); {
		case have == nil:
			u.PhoneNumbers = append(u.PhoneNumbers, p)
		case p.Verified:
			have.Verified = true
		}
	}
}

func emailOf(u *user.User, address string) *user.Email {
	for i := range u.Emails {
		if u.Emails[i].Email == address {
			return &u.Emails[i]
		}
	}
	return nil
}

func phoneOf(u *user.User, number string) *user.PhoneNumber {
	for i := range u.PhoneNumbers {
		if u.PhoneNumbers[i].PhoneNumber == number {
			return &u.PhoneNumbers[i]
		}
	}
	return nil
}

// fill sets the attributes that the user has not, and reports whether there were
// any.
func (d *draft) fill(u *user.User) (changed bool, err error) {
	if u.Name == (user.Name{}) && d.user.Name != u.Name {
		u.Name, changed = d.user.Name, true
	}
	if u.ExternalID == nil && d.user.ExternalID != nil {
		u.ExternalID, changed = d.user.ExternalID, true
	}
	if len(u.Roles) == 0 && len(d.user.Roles) > 0 {
		u.Roles, changed = d.user.Roles, true
	}
	for _, m := range []struct{ to, from *user.Metadata }{
		{&u.TrustedMetadata, &d.user.TrustedMetadata}, {&u.UntrustedMetadata, &d.user.UntrustedMetadata},
	} {
		missing := map[string]json.RawMessage{}
		for name, value := range *m.from {
			if _, has := (*m.to)[name]; !has {
				missing[name] = value
			}
		}
		if len(missing) == 0 {
			continue
		}
		patch, err := json.Marshal(missing)
		if err != nil {
			return false, err
		}
		if *m.to, err = m.to.Merge(patch); err != nil {
			return false, err
		}
		changed = true
	}
	return changed, nil
}
