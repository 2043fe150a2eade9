// Package notice owns what the owner of an account is told without having
// asked: that a way to sign in was added or removed, that a recovery code was
// used, that a lock fell, that a session starts on a device not seen before. It
// owns the table of devices, and the rule which addresses a notice goes to. It
// never decides whether something may happen, never changes a user, and writes
// nothing into a mail that came from a client.
package notice

import (
	"slices"
	"strconv"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// maxAddresses bounds what one notice goes to.
const maxAddresses = 5

// perAddress bounds the notices of one type. Types do not share it: whoever can
// bring about many locks must not use up the notice of a removed factor.
var perAddress = ratelimit.Rule{Name: "notices per address", Limit: 10, Per: time.Hour}

// words name the kinds of factor as the locales of package template list them.
var words = map[string]string{
	user.KindEmail:     "email",
	user.KindPhone:     "phone_number",
	user.KindWebAuthn:  "passkey",
	user.KindOAuth:     "oauth",
	user.KindTOTP:      "totp",
	user.KindWallet:    "crypto_wallet",
	user.KindBiometric: "biometrics",
	user.KindPassword:  "password",
}

// Service has notices sent.
type Service struct {
	keys     *secret.Keyring
	messages *delivery.Service
}

// New returns the service. List Hooks among the hooks of the users, and let the
// session core call Started and, where it mails no link, Locked. Whoever owns
// recovery codes calls Recovered.
func New(keys *secret.Keyring, messages *delivery.Service) *Service {
	return &Service{keys, messages}
}

// Hooks tell of factors, and forget a user's devices with the user. A user who
// is deleted is told nothing.
func (s *Service) Hooks() user.Hooks {
	return user.Hooks{
		OnChange: s.changed,
		OnDelete: func(tx *store.Tx, env *project.Environment, userID string) error {
			return deleteOfUser(tx, env.ID, userID)
		},
	}
}

// changed tells of the factors that came and went, at the addresses that were
// verified before: whoever has taken an account over and puts an address of
// their own in place of the owner's does not get the owner's mail.
func (s *Service) changed(tx *store.Tx, env *project.Environment, was, u *user.User) error {
	to := addresses(was)
	if len(to) == 0 {
		return nil
	}
	before, after := was.Factors(), u.Factors()
	if env.Config.TellsOfRemoved() {
		for _, f := range verifiedOnly(before, after) {
			if err := s.tell(tx, env, delivery.NoticeRemoved, u.UserID, words[f.Kind], putFirst(to, was, f)); err != nil {
				return err
			}
		}
	}
	if env.Config.TellsOfAdded() {
		for _, f := range verifiedOnly(after, before) {
			if err := s.tell(tx, env, delivery.NoticeAdded, u.UserID, words[f.Kind], to); err != nil {
				return err
			}
		}
	}
	return nil
}

// Recovered tells that a recovery code was used in place of an authenticator
// app, and how many are left.
func (s *Service) Recovered(tx *store.Tx, env *project.Environment, row *user.Row, left int) error {
	if !env.Config.TellsOfRecovery() {
		return nil
	}
	u, err := row.User()
	if err != nil {
		return err
	}
	return s.tell(tx, env, delivery.NoticeRecovery, u.UserID, strconv.Itoa(left), addresses(u))
}

// PasswordChanged tells that a user's password was set anew.
func (s *Service) PasswordChanged(tx *store.Tx, env *project.Environment, userID string) error {
	if !env.Config.TellsOfPassword() {
		return nil
	}
	row, err := user.Get(tx, env, userID)
	if err != nil {
		return err
	}
	u, err := row.User()
	if err != nil {
		return err
	}
	return s.tell(tx, env, delivery.NoticePassword, u.UserID, "", addresses(u))
}

// Locked tells that failures have locked a user.
func (s *Service) Locked(tx *store.Tx, env *project.Environment, row *user.Row) error {
	if !env.Config.TellsOfLock() {
		return nil
	}
	u, err := row.User()
	if err != nil {
		return err
	}
	return s.tell(tx, env, delivery.NoticeLocked, u.UserID, "", addresses(u))
}

// tell sends a notice in the transaction of what it tells of. That it cannot be
// sent changes nothing about that: an environment without a sender stays silent,
// and so does everybody after too many notices.
func (s *Service) tell(tx *store.Tx, env *project.Environment, what delivery.Type, userID, detail string, to []string) error {
	for _, address := range to[:min(len(to), maxAddresses)] {
		// The user's row is held already. Everybody who takes these counters
		// holds the row of the one user the address belongs to.
		ok, _, err := ratelimit.Take(tx, perAddress, env.ID, ratelimit.Of(address, string(what)))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		err = s.messages.Enqueue(tx, env, delivery.Message{Channel: delivery.Email, Type: what, To: address, UserID: userID, Detail: detail})
		if apierr.From(err) != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addresses are those that the user has proven, the oldest first: the ones that
// somebody else has just added do not push them out.
func addresses(u *user.User) []string {
	var list []string
	for _, e := range u.Emails {
		if e.Verified {
			list = append(list, e.Email)
		}
	}
	return list
}

// putFirst makes sure that a removed address is among those that are told.
func putFirst(to []string, was *user.User, removed user.Factor) []string {
	if removed.Kind != user.KindEmail {
		return to
	}
	gone := was.Email(removed.ID).Email
	rest := slices.DeleteFunc(slices.Clone(to), func(address string) bool { return address == gone })
	return append([]string{gone}, rest...)
}

// verifiedOnly lists the factors that are verified in one list and not in the
// other. A factor that gets another value is another factor.
func verifiedOnly(in, notIn []user.Factor) []user.Factor {
	var list []user.Factor
	for _, f := range in {
		same := func(o user.Factor) bool { return o.Verified && o.Kind == f.Kind && o.ID == f.ID && o.Value == f.Value }
		if f.Verified && !slices.ContainsFunc(notIn, same) {
			list = append(list, f)
		}
	}
	return list
}
