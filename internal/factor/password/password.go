// Package password is the factor that a password proves: whoever types it knows
// what the user chose. It owns the hashes (table passwords) and the rules for
// choosing, using, resetting and bringing along passwords. It never keeps a
// password, never decides how strong one is (strength) or how it is hashed
// (passhash), and never ends a session itself.
package password

import (
	"context"
	"errors"
	"time"

	"golang.org/x/text/unicode/norm"

	"gatehouse/internal/apierr"
	"gatehouse/internal/breach"
	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/template"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/secret"
	"gatehouse/internal/secret/passhash"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Config is what a Service needs.
type Config struct {
	DB        *store.DB
	Keyring   *secret.Keyring
	Users     *user.Service
	Core      *session.Core
	Hasher    *passhash.Hasher
	Breaches  *breach.Checker
	Messages  *delivery.Service
	Templates *template.Service
	PublicURL func() string // where people reach this server: links begin with it
	// Replaced is told in the transaction that a user's password was set anew.
	Replaced func(tx *store.Tx, env *project.Environment, userID string) error
}

// Service serves passwords at both doors.
type Service struct {
	Config
	lookups *ratelimit.Local
}

// New returns the service. List Hooks among the hooks of the users.
func New(c Config) *Service { return &Service{c, ratelimit.NewLocal(c.DB.Now)} }

// Hooks end hashes with the passwords and the users they belong to.
func (s *Service) Hooks() user.Hooks {
	return user.Hooks{
		OnFactorRemoved: func(tx *store.Tx, env *project.Environment, u *user.User, kind, _ string) error {
			if kind != user.KindPassword {
				return nil
			}
			return deleteOfUser(tx, env.ID, u.UserID)
		},
		OnDelete: func(tx *store.Tx, env *project.Environment, userID string) error {
			return deleteOfUser(tx, env.ID, userID)
		},
	}
}

const sealPurpose = "password hash"

// fresh is a password that a user gets, as the document shows it.
func fresh(env *project.Environment, now time.Time) *user.Password {
	return &user.Password{PasswordID: id.New(id.Password, env.Kind, now)}
}

// setOn records in the user's document that the password is a new one. The
// password_id stays: it names the one password that a user has.
func setOn(env *project.Environment, now time.Time) func(*user.User) error {
	return func(u *user.User) error {
		if u.Password == nil {
			u.Password = fresh(env, now)
		}
		u.Password.RequiresReset = false
		return nil
	}
}

// Keep stores the hash of a user's password, in any form that passhash reads.
// The user's document has to say in the same transaction that there is one.
func (s *Service) Keep(tx *store.Tx, env *project.Environment, userID, encoded string) error {
	_, err := s.keep(tx, env, userID, encoded)
	return err
}

func (s *Service) keep(tx *store.Tx, env *project.Environment, userID, encoded string) (replaced bool, err error) {
	sealed, err := s.seal(env, encoded)
	if err != nil {
		return false, err
	}
	return put(tx, env.ID, userID, sealed)
}

// HashOf returns the hash of a user's password, "" when there is none.
func (s *Service) HashOf(tx *store.Tx, env *project.Environment, userID string) (encoded string, err error) {
	r, err := recordOf(tx, env.ID, userID)
	if err != nil || r == nil {
		return "", err
	}
	return s.open(env, r)
}

func (s *Service) seal(env *project.Environment, encoded string) ([]byte, error) {
	return s.Keyring.Seal(sealPurpose, env.ID, []byte(encoded))
}

func (s *Service) open(env *project.Environment, r *record) (string, error) {
	text, err := s.Keyring.Open(sealPurpose, env.ID, r.sealed)
	return string(text), err
}

// hash makes the hash of a new password. A password is hashed in the normal form
// NFC, as RFC 8265 asks: keyboards differ in how they type an accent.
func (s *Service) hash(ctx context.Context, env *project.Environment, password string) (string, error) {
	return s.Hasher.Hash(ctx, norm.NFC.String(password), env.Config.Argon2id())
}

// verify reports whether a password is the one that was hashed. Hashes brought
// along were made of what was typed, so text that is not in NFC gets a second try.
func (s *Service) verify(ctx context.Context, env *project.Environment, r *record, password string) (right, outdated bool, err error) {
	encoded, err := s.open(env, r)
	if err != nil {
		return false, false, err
	}
	params, normal := env.Config.Argon2id(), norm.NFC.String(password)
	right, outdated, err = s.Hasher.Verify(ctx, encoded, normal, params)
	if right || err != nil || normal == password {
		return right, outdated, err
	}
	right, _, err = s.Hasher.Verify(ctx, encoded, password, params)
	return right, true, err
}

// factor is what a password proves.
var factor = session.Factor{Type: "password", DeliveryMethod: "knowledge"}

// checked is what a password for an address turned out to be, outside of any
// transaction: hashing takes as long as hundreds of them.
type checked struct {
	address  string
	userID   string  // "" when nobody has the address
	record   *record // nil when the user has no password
	right    bool
	distrust error  // see distrust
	rehashed string // a new hash of a right password, "" when the old one will do
}

// check finds whom an address belongs to and tries the password. It costs the
// same whether there is such a user, with a password or without. Of a locked user
// no password is right: what is only done with a right one would take time, and
// tell whoever goes on guessing.
func (s *Service) check(ctx context.Context, env *project.Environment, address, password string) (*checked, error) {
	c := &checked{address: address}
	if len(password) > passhash.MaxPassword {
		password = "" // matches nothing that anybody could set, and costs the same
	}
	locked := false
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		row, err := user.FindByEmail(tx, env, address)
		if err != nil {
			return err
		}
		c.userID, locked = row.UserID, row.Locked(tx.Now)
		c.record, err = recordOf(tx, env.ID, row.UserID)
		return err
	})
	if err != nil && !errors.Is(err, user.ErrEmailNotFound) {
		return nil, err
	}
	if c.record == nil {
		return c, s.dummy(ctx, env, password)
	}
	var outdated bool
	if c.right, outdated, err = s.verify(ctx, env, c.record, password); err != nil || !c.right {
		return c, err
	}
	switch {
	case locked:
		c.right = false
		if outdated || !norm.NFC.IsNormalString(password) {
			err = s.Hasher.Dummy(ctx, norm.NFC.String(password), env.Config.Argon2id()) // a wrong one costs that much more
		}
	case outdated:
		c.rehashed, err = s.hash(ctx, env, password)
	}
	return c, err
}

// dummy costs what verify of a wrong password costs: two tries where it is not in
// the normal form.
func (s *Service) dummy(ctx context.Context, env *project.Environment, password string) error {
	params, normal := env.Config.Argon2id(), norm.NFC.String(password)
	if err := s.Hasher.Dummy(ctx, normal, params); err != nil || normal == password {
		return err
	}
	return s.Hasher.Dummy(ctx, password, params)
}

// unknownAttempts makes an address that nobody has, or that has no password, look
// to a page like one that is being guessed at: after as many failures it is
// refused like a locked user.
func (s *Service) unknownAttempts(tx *store.Tx, env *project.Environment, c *checked) error {
	value, err := user.ASCIIEmail(c.address)
	if err != nil {
		return err
	}
	rule := ratelimit.Rule{Name: "passwords for an address without one", Limit: env.Config.LockThreshold(), Per: env.Config.LockTTL()}
	ok, wait, err := ratelimit.Take(tx, rule, env.ID, ratelimit.Of(value))
	if err != nil {
		return err
	}
	if !ok {
		return session.Locked(wait)
	}
	return nil
}

// verdicts are the answers to a password that proves nothing.
type verdicts struct{ wrong, mustReset *apierr.Error }

// prove judges a checked password under the user's lock.
func (s *Service) prove(ctx context.Context, tx *store.Tx, c *checked, say verdicts) (session.Proof, error) {
	caller := project.CallerFrom(ctx)
	env, proof := caller.Env, session.Proof{Factor: factor}
	row, current, err := s.hold(tx, env, c)
	switch {
	case err != nil:
		return proof, err
	case row == nil || current == nil:
		return proof, s.absent(tx, caller, c, row != nil, say)
	}
	proof.UserID = row.UserID
	if !c.right || c.record == nil || c.record.version != current.version {
		return proof, say.wrong
	}
	u, err := row.User()
	if err != nil {
		return proof, err
	}
	// What follows is only told to somebody who knows the password.
	if proof.Uncounted = u.Password.RequiresReset || c.distrust != nil; !proof.Uncounted {
		return proof, s.rehash(tx, env, c)
	}
	if c.distrust != nil && !row.Locked(tx.Now) {
		err = s.Users.Apply(tx, env, row, func(u *user.User) error {
			u.DistrustPassword()
			return nil
		})
	}
	if err != nil {
		return proof, err
	}
	return proof, say.mustReset.Because(c.distrust)
}

// hold locks the user's row and reads the password again. The row is nil when
// there is no such user any more, the record when there is no password.
func (s *Service) hold(tx *store.Tx, env *project.Environment, c *checked) (*user.Row, *record, error) {
	if c.userID == "" {
		return nil, nil, nil
	}
	row, err := user.ForUpdate(tx, env, c.userID)
	if apierr.From(err) != nil {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	current, err := recordOf(tx, env.ID, c.userID)
	return row, current, err
}

// absent is the verdict where there is no password. A server is told what is
// missing; a page would learn who is a user.
func (s *Service) absent(tx *store.Tx, caller *project.Caller, c *checked, known bool, say verdicts) error {
	if caller.Browser {
		if err := s.unknownAttempts(tx, caller.Env, c); err != nil {
			return err
		}
		return store.Keep(say.wrong)
	}
	if known {
		return errNoPassword
	}
	return user.ErrEmailNotFound
}

func (s *Service) rehash(tx *store.Tx, env *project.Environment, c *checked) error {
	if c.rehashed == "" {
		return nil
	}
	sealed, err := s.seal(env, c.rehashed)
	if err != nil {
		return err
	}
	return rehash(tx, env.ID, c.record, sealed)
}
