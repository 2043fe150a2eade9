package oauth

import (
	"errors"
	"fmt"
	"slices"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errUnverified = apierr.New(400, "too_many_unverified_factors", "The user has an email address or phone number that is not verified yet. Verify it first, then add the account.")
	errNoUser     = apierr.New(404, "user_not_found", "The user whom the account was to be added to is gone. Sign up again.")
)

// errRaced means that another login changed at the same moment whose an account
// or an address is: once it has, the right user is found.
var errRaced = errors.New("whose the account is has changed")

// owner is whose user an account is, by the rules of docs/decisions/0084.
type owner struct {
	row      *user.Row // nil for somebody new
	provider *provider.Provider
	identity *provider.Identity
	// address is the account's address where it is known to be the person's, in
	// canonical form; "" when it plays no part.
	address string
	// rival has the address without ever having proven it, and is vouched for by
	// something else: it may be somebody who waits there for whoever reads it.
	rival *user.Row
	// isKnown is set where the user has the account already.
	isKnown bool
	// registrationID is that of the account, and emailID that of the address, ""
	// when the user does not have it in the end.
	registrationID, emailID string
}

// ownerOf decides whose user an account is. An account that is known is its
// user's, whatever its address says now. One that is not is the user's who has
// the address, where the provider is believed that it is the person's. userID
// is the user to whom the account is to be added, "" for none.
func ownerOf(tx *store.Tx, env *project.Environment, p *provider.Provider, i *provider.Identity, userID string) (*owner, error) {
	o := &owner{provider: p, identity: i}
	if i.EmailVerified {
		if address, err := (user.Contact{Kind: user.KindEmail, Value: i.Email}).Canonical(); err == nil {
			o.address = address
		}
	}
	holder, err := absent(user.FindByProvider(tx, env, p.Type, i.Subject))
	if err != nil {
		return nil, err
	}
	var reader *user.Row
	if o.address != "" {
		if reader, err = absent(user.FindByEmail(tx, env, o.address)); err != nil {
			return nil, err
		}
	}
	switch {
	case userID != "":
		return o, o.adds(tx, env, userID, holder, reader)
	case holder != nil:
		return o, o.is(tx, env, holder, reader)
	case reader == nil:
		o.isNew(tx, env)
		return o, nil
	}
	u, err := reader.User()
	if err != nil {
		return nil, err
	}
	if e := emailOf(u, o.address); e != nil && !e.Verified && u.Proven() {
		o.rival = reader
		o.isNew(tx, env)
		return o, nil
	}
	return o, o.is(tx, env, reader, reader)
}

// absent makes nobody of the verdict that nobody was found.
func absent(row *user.Row, err error) (*user.Row, error) {
	if verdict := apierr.From(err); verdict != nil && verdict.Status == 404 {
		return nil, nil
	}
	return row, err
}

// adds is for an account that is to be added to a certain user.
func (o *owner) adds(tx *store.Tx, env *project.Environment, userID string, holder, reader *user.Row) error {
	if holder != nil && holder.UserID != userID {
		return errOwned
	}
	row, err := absent(user.Get(tx, env, userID))
	if err != nil {
		return err
	}
	if row == nil {
		return errNoUser
	}
	u, err := row.User()
	if err != nil {
		return err
	}
	// An account vouches for its user. It must not vouch for an address beside it
	// that nobody has proven: whoever reads it would come to share the user.
	for _, f := range u.Factors() {
		contact := f.Kind == user.KindEmail || f.Kind == user.KindPhone
		if mine := emailOf(u, o.address); contact && !f.Verified && f.ExpiresAt.IsZero() && !u.Proven() && (mine == nil || f.ID != mine.EmailID) {
			return errUnverified
		}
	}
	return o.is(tx, env, row, reader)
}

// is settles on a user who exists. reader is who has the address.
func (o *owner) is(tx *store.Tx, env *project.Environment, row, reader *user.Row) error {
	o.row, o.registrationID = row, id.New(id.OAuth, env.Kind, tx.Now)
	u, err := row.User()
	if err != nil {
		return err
	}
	if held := o.registration(u); held != nil {
		o.isKnown, o.registrationID = true, held.OAuthUserRegistrationID
	}
	switch mine := emailOf(u, o.address); {
	case mine != nil:
		o.emailID = mine.EmailID
	case o.address != "" && reader == nil:
		o.emailID = id.Random(id.Email, env.Kind)
	}
	return nil
}

// isNew settles on a user who is still to be made.
func (o *owner) isNew(tx *store.Tx, env *project.Environment) {
	o.registrationID = id.New(id.OAuth, env.Kind, tx.Now)
	if o.address != "" {
		o.emailID = id.Random(id.Email, env.Kind)
	}
}

// held is ownerOf with the user's row locked, before anything else of the user
// is, in the order that everybody keeps.
func held(tx *store.Tx, env *project.Environment, p *provider.Provider, i *provider.Identity, userID string) (*owner, error) {
	o, err := ownerOf(tx, env, p, i, userID)
	if err != nil || o.holder() == "" || tx.ForUpdate() == "" {
		return o, err
	}
	was := o.holder()
	if err := user.Hold(tx, env, was); err != nil {
		return nil, fmt.Errorf("%w: %w", errRaced, err)
	}
	if o, err = ownerOf(tx, env, p, i, userID); err == nil && o.holder() != was {
		err = errRaced
	}
	return o, err
}

// holder is the user whom the outcome depends on, "" for nobody.
func (o *owner) holder() string {
	switch {
	case o.row != nil:
		return o.row.UserID
	case o.rival != nil:
		return o.rival.UserID
	}
	return ""
}

// make makes the user whom an account is the first to be known of. Who has the
// address without having proven it loses it to whom it is proven to belong.
func (o *owner) make(tx *store.Tx, env *project.Environment, users *user.Service) error {
	if o.rival != nil {
		u, err := o.rival.User()
		if err != nil {
			return err
		}
		if _, err := users.RemoveFactor(tx, env, o.rival.UserID, user.KindEmail, emailOf(u, o.address).EmailID); err != nil {
			return err
		}
	}
	var err error
	o.row, err = users.Create(tx, env, user.NewUser{Fill: o.complete})
	return err
}

// complete gives the user the account and what it says: the address, once it is
// known to be the person's, and what the user lacks of a name.
func (o *owner) complete(u *user.User) error {
	i := o.identity
	entry := o.registration(u)
	if entry == nil {
		u.Providers = append(u.Providers, user.OAuthProvider{
			ProviderType: o.provider.Type, ProviderSubject: i.Subject, OAuthUserRegistrationID: o.registrationID,
		})
		entry = &u.Providers[len(u.Providers)-1]
	}
	if i.Picture != "" {
		entry.ProfilePictureURL = i.Picture
	}
	if i.Locale != "" {
		entry.Locale = i.Locale
	}
	if o.emailID != "" {
		if emailOf(u, o.address) == nil {
			u.Emails = append(u.Emails, user.Email{EmailID: o.emailID, Email: o.address})
		}
		u.Prove(user.KindEmail, o.emailID)
	}
	u.Status = user.Active
	if u.Name == (user.Name{}) {
		u.Name = user.Name{FirstName: nameOf(i.Name.First), MiddleName: nameOf(i.Name.Middle), LastName: nameOf(i.Name.Last)}
	}
	return nil
}

// report writes into the audit log that a user who was there has gained an
// account; nil where they had it.
func (o *owner) report(env *project.Environment) func(*store.Tx) error {
	if o.isKnown {
		return nil
	}
	return func(tx *store.Tx) error {
		caller := project.CallerFrom(tx.Context())
		e := event.Event{
			EnvironmentID: env.ID, Type: "oauth.register", Factor: factorType, UserID: o.row.UserID, ObjectID: o.registrationID,
			UserAgent: caller.UserAgent, RequestID: caller.RequestID, Details: map[string]any{"provider": o.provider.Name},
		}
		if caller.Browser && caller.IP.IsValid() {
			e.IP = caller.IP.String()
		}
		return event.Emit(tx, env.Kind, e)
	}
}

// nameOf is a part of a name in the form that users have, "" for what is none:
// what a provider says of a name keeps nobody from signing in.
func nameOf(said string) string {
	part, err := user.CanonicalName("name", said)
	if err != nil {
		return ""
	}
	return part
}

// registration is the user's entry of the account, nil without one.
func (o *owner) registration(u *user.User) *user.OAuthProvider {
	i := slices.IndexFunc(u.Providers, func(p user.OAuthProvider) bool {
		return p.ProviderType == o.provider.Type && p.ProviderSubject == o.identity.Subject
	})
	if i < 0 {
		return nil
	}
	return &u.Providers[i]
}

// emailOf is the user's entry of an address in any spelling, nil without one.
func emailOf(u *user.User, address string) *user.Email {
	want, err := user.ASCIIEmail(address)
	if err != nil {
		return nil
	}
	for i := range u.Emails {
		if has, err := user.ASCIIEmail(u.Emails[i].Email); err == nil && has == want {
			return &u.Emails[i]
		}
	}
	return nil
}
