// Package biometric owns the keys that mobile devices keep behind a fingerprint
// or a face: the public halves (table biometric_registrations), the challenges
// that a device signs (table biometric_challenges), and what counts as a
// signature. It never sees a private key or anything of a body, never writes a
// user but through package user, and never mints a session.
package biometric

import (
	"gatehouse/internal/project"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Service serves biometrics at the browser's door, where mobile apps call. The
// server's door has none: only a device can sign.
type Service struct {
	db   *store.DB
	core *session.Core
}

// New returns the service. List Hooks among the hooks of the users.
func New(db *store.DB, core *session.Core) *Service { return &Service{db, core} }

// Hooks keep the keys in step with the users who own them.
func (s *Service) Hooks() user.Hooks {
	return user.Hooks{
		OnFactorRemoved: func(tx *store.Tx, env *project.Environment, _ *user.User, kind, id string) error {
			if kind != user.KindBiometric {
				return nil
			}
			return deleteRegistration(tx, env.ID, id)
		},
		OnDelete: func(tx *store.Tx, env *project.Environment, userID string) error {
			return deleteOfUser(tx, env.ID, userID)
		},
	}
}

// Purge removes up to budget challenges that nobody answered in time, and
// returns how many it removed. Nothing depends on it: the clock decides.
func Purge(tx *store.Tx, budget int) (int64, error) { return purgeChallenges(tx, budget) }

// factorOf is the factor as a session shows it.
func factorOf(registrationID string) session.Factor {
	return session.Factor{
		Type: "signature_challenge", DeliveryMethod: "biometric",
		BiometricFactor: &session.BiometricFactor{BiometricRegistrationID: registrationID},
	}
}
