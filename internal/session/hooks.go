package session

import (
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Hooks keep sessions in step with the users they belong to.
func (c *Core) Hooks() user.Hooks {
	return user.Hooks{
		OnFactorRemoved: func(tx *store.Tx, env *project.Environment, u *user.User, kind, factorID string) error {
			return c.downgrade(tx, env, u.UserID, kind, factorID)
		},
		OnDelete: func(tx *store.Tx, env *project.Environment, userID string) error {
			_, err := removeOfUser(tx, env.ID, userID)
			return err
		},
	}
}

// downgrade takes a factor that its user no longer has out of the user's
// sessions. A session that nothing else proved ends: taking a stolen passkey
// away takes the thief out too. The one session that stays with what it has
// left is the one that takes the factor away, which then has to step up again.
func (c *Core) downgrade(tx *store.Tx, env *project.Environment, userID, kind, factorID string) error {
	sessions, err := lockOfUser(tx, env.ID, userID)
	if err != nil {
		return err
	}
	own, _ := presented(tx.Context())
	for _, r := range sessions {
		found, left, err := r.Factors.without(kind, factorID)
		switch {
		case err != nil:
			return err
		case !found:
			continue
		case left == 0 && !own.names(r):
			err = remove(tx, env.ID, r.ID)
		default:
			r.Version++
			err = update(tx, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
