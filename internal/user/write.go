package user

import (
	"bytes"
	"errors"
	"time"

	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

// checkClaims refuses values that another user has, or this one twice. A value
// that another user added and has not proven is freed: whoever adds somebody
// else's address must not keep them from it.
func (s *Service) checkClaims(tx *store.Tx, env *project.Environment, was, u *User) error {
	own := map[[2]string]bool{}
	for _, f := range was.Factors() {
		own[[2]string{f.Kind, f.Value}] = true
	}
	seen := map[[2]string]bool{}
	for _, f := range u.Factors() {
		key := [2]string{f.Kind, f.Value}
		switch {
		case f.Value == "":
			continue
		case seen[key]:
			return kinds[f.Kind].duplicateSelf
		case own[key]:
			seen[key] = true
			continue
		}
		seen[key] = true
		if err := s.free(tx, env, f); err != nil {
			return err
		}
	}
	if u.ExternalID != nil && !equal(u.ExternalID, was.ExternalID) {
		holder, err := externalHolder(tx, env, *u.ExternalID)
		if err == nil && holder != u.UserID {
			return errDuplicateExternal
		}
		if err != nil && !errors.Is(err, store.ErrNoRows) {
			return err
		}
	}
	return nil
}

// free makes sure that nobody holds the factor's value for good.
func (s *Service) free(tx *store.Tx, env *project.Environment, f Factor) error {
	holder, expires, err := valueHolder(tx, env, f)
	if errors.Is(err, store.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if expires == nil {
		return kinds[f.Kind].duplicate
	}
	_, err = s.Change(tx, env, holder, func(u *User) error {
		for _, other := range u.Factors() {
			if other.Kind == f.Kind && other.Value == f.Value {
				u.remove(other.Kind, other.ID)
			}
		}
		return nil
	})
	if errors.Is(err, errUserNotFound) {
		return nil // deleted a moment ago, which frees it too
	}
	return err
}

// write brings the tables from was, which is what they hold, to u, and the row
// with them. It writes nothing when there is nothing to write.
func write(tx *store.Tx, env *project.Environment, row *Row, was, u *User) error {
	u.empty()
	row.showLock(u)
	document, err := encode(u)
	if err != nil {
		return err
	}
	at, expiries, err := changesAt(u.Factors(), row.LockExpiresAt)
	if err != nil {
		return err
	}
	next := state{document, expiries, at, millis(row.LockCreatedAt), millis(row.LockExpiresAt)}
	if row.was.same(&next) {
		return nil
	}
	isNew := row.Version == 0
	row.Version++
	row.Status, row.JSON, row.user, row.was = u.Status, document, u, next
	if isNew {
		err = insertUser(tx, env, row, u)
	} else {
		err = updateUser(tx, env, row, u)
	}
	if err != nil {
		return err
	}
	return writeIndexes(tx, env, was, u)
}

// writeIndexes changes the index tables by what differs. What goes is written
// first, so that a value can move from one factor to another.
func writeIndexes(tx *store.Tx, env *project.Environment, was, u *User) error {
	before, after := was.Factors(), u.Factors()
	old, now := factorsByID(before), factorsByID(after)
	for _, f := range before {
		if now[f.ID].Value != f.Value || now[f.ID].Kind != f.Kind {
			if err := deleteFactor(tx, env, f); err != nil {
				return err
			}
			delete(old, f.ID)
		}
	}
	for _, f := range after {
		var err error
		switch o, exists := old[f.ID]; {
		case !exists:
			err = insertFactor(tx, env, u.UserID, f)
		case o != f:
			err = updateFactor(tx, env, f)
		}
		if err != nil {
			return err
		}
	}
	gone, added := difference(termsOf(was), termsOf(u)), difference(termsOf(u), termsOf(was))
	if err := deleteTerms(tx, env, u.UserID, gone); err != nil {
		return err
	}
	return insertTerms(tx, env, u.UserID, added)
}

func (s *state) same(o *state) bool {
	return bytes.Equal(s.document, o.document) && equal(s.expiries, o.expiries) && equal(s.changesAt, o.changesAt) &&
		equal(s.lockCreatedAt, o.lockCreatedAt) && equal(s.lockExpiresAt, o.lockExpiresAt)
}

func equal[T comparable](a, b *T) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := store.Millis(t)
	return &ms
}
