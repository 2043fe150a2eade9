package otp

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errMethodID = apierr.New(400, "invalid_method_id", "The method_id is not valid. Send the email_id, phone_id or method_id that came back when the code was sent.")
	errCode     = apierr.New(400, "invalid_code", "The code is not valid. It has six digits.")
)

const (
	digits = 6
	// maxWrong is how many wrong guesses use a code up: as many as lock its user
	// where the environment does not say otherwise.
	maxWrong = 10
	// The lifetime of a code, in minutes.
	usualMinutes, minMinutes, maxMinutes = 2, 1, 10
	// keepFor is how long a code that is over is still told from one that never was.
	keepFor = 24 * time.Hour
)

// purpose binds the MAC of a code.
const purpose = "passcode"

// code is a code as it is kept.
type code struct {
	methodID   string
	userID     string
	channel    delivery.Channel
	mac        []byte
	attempts   int64 // wrong guesses
	attributes session.Attributes
	sessionID  string // the session it has to be typed in, "" for none
	expiresAt  time.Time
	used       bool
}

// open reports whether the code can still be used.
func (c *code) open(now time.Time) bool {
	return !c.used && c.attempts < maxWrong && now.Before(c.expiresAt)
}

// newCode returns six random digits, each of the million codes as likely as any
// other.
func newCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%06d", n), nil
}

// parseCode reads the code that somebody typed: six digits, perhaps with the
// blanks that come along when it is copied.
func parseCode(s string) (string, error) {
	s = strings.TrimSpace(s)
	if len(s) != digits || strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
		return "", errCode
	}
	return s, nil
}

// checkMethod refuses what cannot be the id of an address or a number here.
func checkMethod(env *project.Environment, methodID string) error {
	if !id.Check(id.Email, env.Kind, methodID) && !id.Check(id.Phone, env.Kind, methodID) {
		return errMethodID
	}
	return nil
}

// lifetime is the lifetime a request asks for, or the usual one.
func lifetime(asked *int) (time.Duration, error) {
	minutes := usualMinutes
	if asked != nil {
		minutes = *asked
	}
	if minutes < minMinutes || minutes > maxMinutes {
		return 0, errExpiration
	}
	return time.Duration(minutes) * time.Minute, nil
}

// issue makes a code, which takes the place of an earlier one at once, and
// returns it with the text that is sent.
func (s *Service) issue(tx *store.Tx, r *request, to *user.Reached) (text string, c *code, err error) {
	if text, err = newCode(); err != nil {
		return "", nil, err
	}
	c = &code{
		methodID: to.FactorID, userID: to.Row.UserID, channel: r.via,
		attributes: r.attributes, sessionID: to.SessionID, expiresAt: tx.Now.Add(r.lifetime),
	}
	env := r.caller.Env
	if c.mac, err = s.keys.MAC(purpose, env.ID, []byte(c.methodID), []byte(text)); err != nil {
		return "", nil, err
	}
	return text, c, replace(tx, env.ID, c)
}

// is reports whether text is the code.
func (s *Service) is(env *project.Environment, c *code, text string) (bool, error) {
	return s.keys.VerifyMAC(purpose, env.ID, c.mac, []byte(c.methodID), []byte(text))
}

// find reads the code that was last sent to a method, and false when there was
// none for so long that it does not matter. lock ends the query (tx.ForUpdate)
// when the code is about to change.
func find(tx *store.Tx, env *project.Environment, methodID, lock string) (*code, bool, error) {
	c, err := byMethod(tx, env.ID, methodID, lock)
	if errors.Is(err, store.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return c, tx.Now.Sub(c.expiresAt) < keepFor, nil
}
