package user

import (
	"context"
	"errors"

	"gatehouse/internal/project"
	"gatehouse/internal/sandbox"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

// Service changes users and serves /v1/users. Reading needs no Service: see
// Get, ForUpdate and the Find functions.
type Service struct {
	db         *store.DB
	keys       *secret.Keyring
	hooks      []Hooks
	candidates int // see maxCandidates
	shown      []Metric
}

// Hooks let features react to what happens to a user without knowing each
// other. They run inside the transaction, before the user is written, in the
// order of the list; an error ends the whole change. Any of them may be nil.
type Hooks struct {
	// OnFirstProof runs when a factor becomes verified, or is added verified. It
	// may change u, for example take away what was set before the proof.
	OnFirstProof func(tx *store.Tx, env *project.Environment, u *User, kind, id string) error
	// OnFactorRemoved runs when a factor is gone from u: removed, replaced, or
	// expired and now written so. It may change u.
	OnFactorRemoved func(tx *store.Tx, env *project.Environment, u *User, kind, id string) error
	// OnChange runs once for each change, after the other hooks, with the user as
	// it was and as it will be. A user who is being created was empty. It may
	// change neither.
	OnChange func(tx *store.Tx, env *project.Environment, was, u *User) error
	// OnDelete runs when the whole user goes, instead of the other hooks.
	OnDelete func(tx *store.Tx, env *project.Environment, userID string) error
}

// New returns the service. The keyring authenticates search cursors.
func New(db *store.DB, keys *secret.Keyring, hooks ...Hooks) *Service {
	return &Service{db: db, keys: keys, hooks: hooks, candidates: maxCandidates}
}

// SetHooks replaces the hooks, for features that need the Service themselves.
// Call it before the first change.
func (s *Service) SetHooks(hooks ...Hooks) { s.hooks = hooks }

// Get returns a user by id or external id, the virtual one of a test
// environment included.
func (s *Service) Get(ctx context.Context, env *project.Environment, userID string) (row *Row, err error) {
	if userID == sandbox.UserID && !env.Live() {
		return Sandbox()
	}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		row, err = Get(tx, env, userID)
		return err
	})
	return row, err
}

// Remove deletes a user by id or external id and returns the id.
func (s *Service) Remove(ctx context.Context, env *project.Environment, userID string) (id string, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		id, err = s.Delete(tx, env, userID)
		return err
	})
	return id, err
}

// Unlock ends a user's lock, if there is one, and forgets the failures.
func (s *Service) Unlock(ctx context.Context, env *project.Environment, userID string) (row *Row, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		row, err = Unlock(tx, env, userID)
		return err
	})
	return row, err
}

// Settle writes down, for at most limit users of the environment, what the
// clock has already done: expired attachments and locks. Readers never wait
// for it; it frees the rows. It returns how many users it wrote.
func (s *Service) Settle(ctx context.Context, env *project.Environment, limit int) (n int, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		ids, err := overdueUsers(tx, env, limit)
		if err != nil {
			return err
		}
		for _, userID := range ids {
			_, err := s.Change(tx, env, userID, func(*User) error { return nil })
			if err != nil && !errors.Is(err, errUserNotFound) { // deleted a moment ago
				return err
			}
		}
		n = len(ids)
		return nil
	})
	return n, err
}
