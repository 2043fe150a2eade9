package totp

import (
	"crypto/subtle"
	"encoding/base32"
	"encoding/json"
	"errors"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

// enrolment is what server and device share, and what stands in for the device:
// all that is secret about an authenticator app. It is sealed, and not hashed,
// because codes are computed from it and recovery codes are shown again.
type enrolment struct {
	ID     string         `json:"totp_id"` // so that one user's cannot be put in another's place
	Secret []byte         `json:"secret"`
	Codes  []recoveryCode `json:"recovery_codes"`
}

type recoveryCode struct {
	ID     string `json:"id"`
	Code   string `json:"code"`
	UsedAt int64  `json:"used_at,omitempty"` // milliseconds; 0: not yet
}

func (c *recoveryCode) used() bool { return c.UsedAt != 0 }

func newEnrolment(env *project.Environment, now time.Time) *enrolment {
	e := &enrolment{ID: id.New(id.TOTP, env.Kind, now), Secret: newSecret()}
	for range recoveryCodes {
		e.Codes = append(e.Codes, recoveryCode{ID: id.New(id.RecoveryCode, env.Kind, now), Code: newRecoveryCode()})
	}
	return e
}

// base32 is the secret as apps take it.
func (e *enrolment) base32() string { return base32.StdEncoding.EncodeToString(e.Secret) }

// unused lists the recovery codes that are left.
func (e *enrolment) unused() []string {
	list := []string{}
	for _, c := range e.Codes {
		if !c.used() {
			list = append(list, c.Code)
		}
	}
	return list
}

// find returns the recovery code with a spelling, used or not, or nil. It
// compares with all of them whatever it finds.
func (e *enrolment) find(code string) *recoveryCode {
	var found *recoveryCode
	for i := range e.Codes {
		if subtle.ConstantTimeCompare([]byte(e.Codes[i].Code), []byte(code)) == 1 {
			found = &e.Codes[i]
		}
	}
	return found
}

func (c *recoveryCode) use(now time.Time) { c.UsedAt = store.Millis(now) }

func (s *Service) seal(env *project.Environment, e *enrolment) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return s.keys.Seal(purpose, env.ID, text)
}

func (s *Service) open(env *project.Environment, r *record) (*enrolment, error) {
	text, err := s.keys.Open(purpose, env.ID, r.sealed)
	if err != nil {
		return nil, err
	}
	return readEnrolment(text, r.id)
}

var errEnrolment = errors.New("the sealed secrets of an authenticator app are not its own, or incomplete")

func readEnrolment(text []byte, totpID string) (*enrolment, error) {
	e := &enrolment{}
	if err := json.Unmarshal(text, e); err != nil {
		return nil, errEnrolment // the cause could quote a secret
	}
	if e.ID != totpID || len(e.Secret) != secretSize || len(e.Codes) != recoveryCodes {
		return nil, errEnrolment
	}
	for _, c := range e.Codes {
		if form, ok := recoveryForm(strip(c.Code)); !ok || form != c.Code || c.ID == "" {
			return nil, errEnrolment
		}
	}
	return e, nil
}
