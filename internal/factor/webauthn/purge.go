package webauthn

import (
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Purge removes up to budget rows of ceremonies whose time is over, and
// returns how many it removed. Nothing depends on it: the clock decides what
// is valid, and a used challenge is kept until its expiry refuses it.
func Purge(tx *store.Tx, budget int) (int, error) {
	n, err := purgeChallenges(tx, budget)
	if err != nil {
		return 0, err
	}
	removed := int(n)
	var before [6]byte
	// A node whose clock is behind may still accept a challenge that is over
	// here, so that it was used is remembered for a while longer.
	putMillis(before[:], tx.Now.Add(-challengeLifetime))
	for envID := ""; removed < budget; {
		if envID, err = nextUsedEnvironment(tx, envID); err != nil || envID == "" {
			return removed, err
		}
		n, err := purgeUsed(tx, envID, before[:], budget-removed)
		if err != nil {
			return removed, err
		}
		removed += int(n)
	}
	return removed, nil
}

// Hooks keep the credentials in step with the users who own them.
func (s *Service) Hooks() user.Hooks {
	return user.Hooks{
		OnFactorRemoved: func(tx *store.Tx, env *project.Environment, _ *user.User, kind, id string) error {
			if kind != user.KindWebAuthn {
				return nil
			}
			return deleteCredential(tx, env.ID, id)
		},
		OnDelete: func(tx *store.Tx, env *project.Environment, userID string) error {
			return deleteOfUser(tx, env.ID, userID)
		},
	}
}
