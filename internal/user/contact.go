package user

import (
	"errors"
	"slices"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

// Contact is an address or a number that somebody is to be reached at, in any
// spelling. Kind is KindEmail or KindPhone.
type Contact struct{ Kind, Value string }

// Reached is the user behind a contact.
type Reached struct {
	Row      *Row
	FactorID string // the email_id or phone_id
	Value    string // the contact in canonical form: where a message goes
	Created  bool   // by this call
	// SessionID, when set, is the session in which the contact was added: it has
	// to be proven there, or whoever adds somebody else's address has them sign
	// in to the wrong account.
	SessionID string
}

// SignsUp reports whether a message welcomes the user rather than lets them
// back in: users who are new or still pending (factors.md, section 0.2).
func (r *Reached) SignsUp() bool { return r.Created || r.Row.Status == Pending }

// attachFor is how long an address or number that was added to a user may stay
// without being proven (factors.md, section 0.3).
const attachFor = 5 * time.Minute

var errTooManyUnverified = apierr.New(400, "too_many_unverified_factors", "The user has an email address or phone number that is not verified yet. Verify it first.")

// Canonical returns the contact's one spelling, or says what is wrong with it.
func (c Contact) Canonical() (string, error) {
	if err := c.refuseSandbox(); err != nil {
		return "", err
	}
	if c.Kind == KindPhone {
		return CanonicalPhone(c.Value)
	}
	address, err := CanonicalEmail(c.Value)
	if err != nil {
		return "", err
	}
	// Other spellings lead to the sandbox's address too.
	return address, Contact{KindEmail, address}.refuseSandbox()
}

// Find reads the user who has the contact, or returns email_not_found or
// phone_number_not_found.
func (c Contact) Find(tx *store.Tx, env *project.Environment) (*Reached, error) {
	value, err := c.Canonical()
	if err != nil {
		return nil, err
	}
	find := FindByEmail
	if c.Kind == KindPhone {
		find = FindByPhone
	}
	row, err := find(tx, env, value)
	if err != nil {
		return nil, err
	}
	return c.reached(row, value, false)
}

// reached finds the factor that the contact is of its user.
func (c Contact) reached(row *Row, value string, created bool) (*Reached, error) {
	u, err := row.User()
	if err != nil {
		return nil, err
	}
	if f := u.contact(c.Kind, value); f != nil {
		return &Reached{Row: row, FactorID: f.ID, Value: value, Created: created}, nil
	}
	return nil, kinds[c.Kind].notFound
}

// contact returns the user's factor with a canonical address or number, or nil.
func (u *User) contact(kind, value string) *Factor {
	if kind == KindEmail {
		value = emailValue(value)
	}
	for _, f := range u.Factors() {
		if f.Kind == kind && f.Value == value {
			return &f
		}
	}
	return nil
}

// Has reports whether the user has the contact, proven or not.
func (r *Row) Has(c Contact) (bool, error) {
	value, err := c.Canonical()
	if err != nil {
		return false, err
	}
	u, err := r.User()
	return err == nil && u.contact(c.Kind, value) != nil, err
}

// FindOrCreate is Find that makes a user of somebody unknown, pending if told.
func (s *Service) FindOrCreate(tx *store.Tx, env *project.Environment, c Contact, pending bool) (*Reached, error) {
	found, err := c.Find(tx, env)
	if !errors.Is(err, kinds[c.Kind].notFound) {
		return found, err
	}
	n := NewUser{}
	if pending {
		n.Status = Pending
	}
	if c.Kind == KindPhone {
		n.PhoneNumber = c.Value
	} else {
		n.Email = c.Value
	}
	row, err := s.Create(tx, env, n)
	if err != nil {
		return nil, err
	}
	value, err := c.Canonical()
	if err != nil {
		return nil, err
	}
	return c.reached(row, value, true)
}

// Attach reaches a contact of a certain user. One that is new to the user is
// added, to be proven within five minutes, after which it is gone again; it
// takes the place of one that is still waiting for that. A user who has an
// unverified address or number that was not added this way gets no further one. sessionID
// is the session in which this happens, "" when a server names the user.
func (s *Service) Attach(tx *store.Tx, env *project.Environment, row *Row, c Contact, sessionID string) (*Reached, error) {
	value, err := c.Canonical()
	if err != nil {
		return nil, err
	}
	err = s.Apply(tx, env, row, func(u *User) error {
		if f := u.contact(c.Kind, value); f != nil {
			if !f.ExpiresAt.IsZero() {
				u.expire(f.ID, tx.Now.Add(attachFor))
			}
			return nil
		}
		for _, f := range u.Factors() {
			switch {
			case f.Kind != KindEmail && f.Kind != KindPhone || f.Verified:
			case f.ExpiresAt.IsZero():
				return errTooManyUnverified
			default:
				u.remove(f.Kind, f.ID)
			}
		}
		return u.attach(env, tx.Now, c)
	})
	if err != nil {
		return nil, err
	}
	to, err := c.reached(row, value, false)
	if err != nil {
		return nil, err
	}
	u, err := row.User()
	if err != nil {
		return nil, err
	}
	if f := u.contact(c.Kind, value); !f.ExpiresAt.IsZero() {
		to.SessionID = sessionID
	}
	return to, nil
}

func (u *User) attach(env *project.Environment, now time.Time, c Contact) error {
	if c.Kind == KindPhone {
		p, err := u.AddPhone(env, c.Value)
		if err == nil {
			p.ExpiresAt = now.Add(attachFor)
		}
		return err
	}
	e, err := u.AddEmail(env, c.Value)
	if err == nil {
		e.ExpiresAt = now.Add(attachFor)
	}
	return err
}

// Prove records that the user holds an address or number, which activates a
// pending user. It reports false when the user does not have it any more.
func (u *User) Prove(kind, factorID string) bool {
	var verified *bool
	switch kind {
	case KindEmail:
		if e := u.Email(factorID); e != nil {
			verified = &e.Verified
		}
	case KindPhone:
		if p := u.Phone(factorID); p != nil {
			verified = &p.Verified
		}
	}
	if verified == nil {
		return false
	}
	*verified, u.Status = true, Active
	return true
}

// Proven reports whether anything vouches for who the user is: a verified
// address or number, or an account at an identity provider.
func (u *User) Proven() bool {
	return slices.ContainsFunc(u.Factors(), Factor.vouches)
}

// ReadsMail reports whether the user has proven to read any of their addresses.
func (u *User) ReadsMail() bool {
	return slices.ContainsFunc(u.Emails, func(e Email) bool { return e.Verified })
}

// DistrustPassword makes the user set a new password before the next login with
// one, if there is one.
func (u *User) DistrustPassword() {
	if u.Password != nil {
		u.Password.RequiresReset = true
	}
}

// vouches reports whether the factor says who its user is: others only say that
// it is the same user as before.
func (f Factor) vouches() bool {
	return (f.Kind == KindEmail || f.Kind == KindPhone || f.Kind == KindOAuth) && f.Verified
}

// DropUnvouched takes away the ways to sign in that were added while nothing
// vouched for the user, all but what has now been proven: whoever added them
// need not be who proved it. A password stays, and has to be set anew. It
// reports whether there was anything.
func (u *User) DropUnvouched() (dropped bool) {
	for _, f := range u.Factors() {
		switch {
		case f.vouches():
			continue
		case f.Kind == KindPassword:
			u.DistrustPassword()
		default:
			u.remove(f.Kind, f.ID)
		}
		dropped = true
	}
	return dropped
}

// Hold locks the user's row before anything else of the user is, in the order
// that everybody keeps. SQLite has one writer, and nothing to lock.
func Hold(tx *store.Tx, env *project.Environment, userID string) error {
	if tx.ForUpdate() == "" {
		return nil
	}
	_, err := ForUpdate(tx, env, userID)
	return err
}

// Retry runs a transaction once more when another one claimed the same address
// or number at the same moment: what was to be created exists now, and is found.
// The other one may have been first by any amount: between looking and writing,
// or between looking and looking again whether the value is free.
func Retry(update func() error) error {
	err := update()
	if Raced(err) {
		return update()
	}
	return err
}

// Raced reports whether an error may come of such a claim.
func Raced(err error) bool {
	return store.IsUnique(err) || errors.Is(err, errDuplicateEmail) || errors.Is(err, errDuplicatePhone)
}
