package bulk

import (
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/internal/factor/wallet"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/secret/passhash"
	"gatehouse/internal/user"
)

// draft is a row that was read and checked, ready to be written.
type draft struct {
	number     int64
	identifier string
	err        error // why it is refused, whatever the database holds

	user    user.User // UserID and CreatedAt may be empty
	encoded string    // the password's hash; "" without
	keys    []key
	leftOut []string // fields of the row that could not be brought along
}

// key is what a Keeper is to restore.
type key struct {
	kind, factorID string
	value          []byte
}

// maxFactors bounds the factors of one row, which one transaction has to hold.
const maxFactors = 100

// The first and the last instant a user can have been created at: an id has 48
// bits for the milliseconds since 1970.
var earliest = time.Unix(0, 0)

// draw checks a record by the rules that the API has.
func (o *Options) draw(env *project.Environment, now time.Time, number int64, r *Record) *draft {
	d := &draft{number: number}
	r.contacts()
	d.identifier = r.identifier()
	d.leftOut = r.leftOut
	for _, step := range []func(*Options, *project.Environment, time.Time, *Record) error{
		d.attributes, d.addresses, d.factors, d.password,
	} {
		if d.err = step(o, env, now, r); d.err != nil {
			return d
		}
	}
	return d
}

var errNoIdentifier = &fault{"no_identifier", "The row has no email address, no phone number and no other way to sign in, and is about nobody who exists."}

// reachable reports whether somebody could sign in as the user of the row. One
// that is not can still add to a user who exists.
func (d *draft) reachable() bool {
	for _, f := range d.user.Factors() {
		if f.Kind != user.KindPassword {
			return true
		}
	}
	return false
}

func (d *draft) attributes(o *Options, env *project.Environment, now time.Time, r *Record) error {
	if r.disabled != "" && !o.WithDisabled {
		return faultf("user_disabled", "The user is %s there and could sign in here. Import such users with --with-disabled.", r.disabled)
	}
	u := &d.user
	switch u.Status = r.Status; u.Status {
	case "":
		u.Status = user.Active
	case user.Active, user.Pending:
	default:
		return faultf("invalid_status", "The status must be active or pending.")
	}
	if r.UserID != "" && !o.NewIDs {
		if err := checkID(id.User, env, "user_id", r.UserID); err != nil {
			return err
		}
		u.UserID = r.UserID
	}
	if r.CreatedAt != nil {
		at := time.Time(*r.CreatedAt)
		if at.Before(earliest) || at.After(now.Add(24*time.Hour)) {
			return faultf("invalid_created_at", "The user cannot have been created at %s: that is before 1970 or still to come.", at.Format(time.RFC3339))
		}
		u.CreatedAt = *r.CreatedAt
	}
	c := user.Changes{TrustedMetadata: r.TrustedMetadata, UntrustedMetadata: r.UntrustedMetadata}
	if n := r.Name; n != nil {
		c.Name = &user.NameChange{FirstName: &n.FirstName, MiddleName: &n.MiddleName, LastName: &n.LastName}
	}
	if r.ExternalID != "" {
		c.ExternalID = &r.ExternalID
	}
	if len(r.Roles) > 0 {
		c.Roles = &r.Roles
	}
	return c.Apply(env)(u)
}

func (d *draft) addresses(o *Options, env *project.Environment, _ time.Time, r *Record) error {
	if len(r.Emails)+len(r.PhoneNumbers) > maxFactors {
		return errTooManyFactors
	}
	for _, e := range r.Emails {
		canonical, err := user.Contact{Kind: user.KindEmail, Value: e.Email}.Canonical()
		if err != nil {
			return err
		}
		if e.EmailID, err = o.factorID(id.Email, env, "email_id", e.EmailID); err != nil {
			return err
		}
		e.Email = canonical
		d.user.Emails = append(d.user.Emails, e)
	}
	for _, p := range r.PhoneNumbers {
		canonical, err := user.Contact{Kind: user.KindPhone, Value: p.PhoneNumber}.Canonical()
		if err != nil {
			return err
		}
		if p.PhoneID, err = o.factorID(id.Phone, env, "phone_id", p.PhoneID); err != nil {
			return err
		}
		p.PhoneNumber = canonical
		d.user.PhoneNumbers = append(d.user.PhoneNumbers, p)
	}
	return nil
}

var errTooManyFactors = &fault{"too_many_factors", "The row has more than 100 factors of one kind."}

// factors takes over the factors that need no secret of the server.
func (d *draft) factors(o *Options, env *project.Environment, _ time.Time, r *Record) (err error) {
	if max(len(r.Providers), len(r.WebAuthnRegistrations), len(r.CryptoWallets), len(r.BiometricRegistrations)) > maxFactors {
		return errTooManyFactors
	}
	for _, p := range r.Providers {
		if p.ProviderType == "" || p.ProviderSubject == "" || !plain(p.ProviderType+p.ProviderSubject) {
			return faultf("invalid_provider", "An account at an identity provider needs a provider_type and a provider_subject.")
		}
		if p.OAuthUserRegistrationID, err = o.factorID(id.OAuth, env, "oauth_user_registration_id", p.OAuthUserRegistrationID); err != nil {
			return err
		}
		d.user.Providers = append(d.user.Providers, p)
	}
	for _, w := range r.CryptoWallets {
		if w.CryptoWalletAddress, err = wallet.CanonicalAddress(w.CryptoWalletType, w.CryptoWalletAddress); err != nil {
			return err
		}
		if w.CryptoWalletID, err = o.factorID(id.CryptoWallet, env, "crypto_wallet_id", w.CryptoWalletID); err != nil {
			return err
		}
		d.user.CryptoWallets = append(d.user.CryptoWallets, w.CryptoWallet)
		d.keep(user.KindWallet, w.CryptoWalletID, w.Credential)
	}
	for _, w := range r.WebAuthnRegistrations {
		if len(w.Credential) == 0 {
			d.leftOut = append(d.leftOut, "webauthn_registrations")
			continue
		}
		if w.WebAuthnRegistrationID, err = o.factorID(id.WebAuthn, env, "webauthn_registration_id", w.WebAuthnRegistrationID); err != nil {
			return err
		}
		d.user.WebAuthnRegistrations = append(d.user.WebAuthnRegistrations, w.WebAuthnRegistration)
		d.keep(user.KindWebAuthn, w.WebAuthnRegistrationID, w.Credential)
	}
	for _, b := range r.BiometricRegistrations {
		if len(b.Credential) == 0 {
			d.leftOut = append(d.leftOut, "biometric_registrations")
			continue
		}
		if b.BiometricRegistrationID, err = o.factorID(id.Biometric, env, "biometric_registration_id", b.BiometricRegistrationID); err != nil {
			return err
		}
		d.user.BiometricRegistrations = append(d.user.BiometricRegistrations, b.BiometricRegistration)
		d.keep(user.KindBiometric, b.BiometricRegistrationID, b.Credential)
	}
	return nil
}

func (d *draft) keep(kind, factorID string, value []byte) {
	if len(value) > 0 {
		d.keys = append(d.keys, key{kind, factorID, value})
	}
}

func (d *draft) password(o *Options, env *project.Environment, now time.Time, r *Record) (err error) {
	p := r.Password
	switch {
	case p == nil:
		return nil
	case p.Hash == "":
		d.leftOut = append(d.leftOut, "password")
		return nil
	}
	if d.encoded, err = passhash.Import(p.HashType, p.Hash, p.Configs); err != nil {
		return err
	}
	passwordID := p.PasswordID
	if passwordID == "" || o.NewIDs {
		passwordID = id.New(id.Password, env.Kind, now)
	} else if err := checkID(id.Password, env, "password_id", passwordID); err != nil {
		return err
	}
	d.user.Password = &user.Password{PasswordID: passwordID, RequiresReset: p.RequiresReset}
	return nil
}

// factorID is the id of a factor of the row, a new one when it has none. The new
// one does not tell when it was made, as that of an address must not.
func (o *Options) factorID(kind id.Kind, env *project.Environment, field, given string) (string, error) {
	if given == "" || o.NewIDs {
		return id.Random(kind, env.Kind), nil
	}
	return given, checkID(kind, env, field, given)
}

func checkID(kind id.Kind, env *project.Environment, field, s string) error {
	k, e, ok := id.Split(s)
	switch {
	case !ok || k != kind:
		return faultf("invalid_"+field, "The %s does not look like %s-%s-... with a UUID in lower case.", field, kind, env.Kind)
	case e != env.Kind:
		return faultf(string(e)+"_id_used_in_"+string(env.Kind)+"_environment",
			"The %s is one of a %s environment, and this one is %s. Import with --new-ids to give new ones.", field, e, env.Kind)
	}
	return nil
}

// plain reports whether a text is one that both databases can hold.
func plain(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
