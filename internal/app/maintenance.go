package app

import (
	"context"
	"time"

	"gatehouse/internal/event"
	"gatehouse/internal/factor/webauthn"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
)

const (
	// maintainEvery is how often a node tidies up. Nothing waits for it: the
	// clock alone decides what is valid.
	maintainEvery = 10 * time.Minute
	// purgeBudget bounds one round, which the nodes share out by chance.
	purgeBudget = 10_000
	// purgeBatch bounds one transaction, so that no login waits long behind it.
	purgeBatch = 500
)

// Purged counts what one purge took away.
type Purged struct {
	Sessions   int `json:"sessions"`   // expired sessions and retired signing keys
	Challenges int `json:"challenges"` // of ceremonies whose time is over
	Users      int `json:"users"`      // brought up to date: factors never proven, locks that ran out
	Events     int `json:"events"`     // older than the retention
}

// Purge removes rows that nobody can use any more, at most budget of each
// kind.
func (a *App) Purge(ctx context.Context, budget int) (Purged, error) {
	var p Purged
	for _, kind := range []struct {
		count *int
		take  func(tx *store.Tx, n int) (int, error)
	}{
		{&p.Sessions, count(session.Purge)},
		{&p.Challenges, webauthn.Purge},
		{&p.Events, count(func(tx *store.Tx, n int) (int64, error) {
			return event.Purge(tx, a.options.Server.EventRetention, n)
		})},
	} {
		err := inBatches(budget, kind.count, func(n int) (taken int, err error) {
			err = a.DB.Update(ctx, func(tx *store.Tx) error {
				taken, err = kind.take(tx, n)
				return err
			})
			return taken, err
		})
		if err != nil {
			return p, err
		}
	}
	for _, env := range a.Projects.Environments() {
		err := inBatches(budget-p.Users, &p.Users, func(n int) (int, error) { return a.Users.Settle(ctx, env, n) })
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// inBatches calls take until it has had the budget or there is no more, and
// adds what it took to total.
func inBatches(budget int, total *int, take func(n int) (int, error)) error {
	for budget > 0 {
		n := min(budget, purgeBatch)
		taken, err := take(n)
		if err != nil {
			return err
		}
		*total += taken
		if budget -= taken; taken < n {
			return nil
		}
	}
	return nil
}

func count(f func(*store.Tx, int) (int64, error)) func(*store.Tx, int) (int, error) {
	return func(tx *store.Tx, n int) (int, error) {
		taken, err := f(tx, n)
		return int(taken), err
	}
}

// maintain replaces signing keys that have grown old and removes expired rows.
func (a *App) maintain(ctx context.Context) {
	every(ctx, maintainEvery, func() {
		for _, env := range a.Projects.Environments() {
			if err := a.Sessions.RotateByAge(ctx, env); err != nil && ctx.Err() == nil {
				a.Logger.Error("replacing an old signing key failed", "project_id", env.ID, "error", err)
			}
		}
		if _, err := a.Purge(ctx, purgeBudget); err != nil && ctx.Err() == nil {
			a.Logger.Error("removing expired rows failed", "error", err)
		}
	})
}
