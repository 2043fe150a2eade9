package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/mailbox"
	"gatehouse/internal/emaillink"
	"gatehouse/internal/event"
	"gatehouse/internal/factor/biometric"
	"gatehouse/internal/factor/impersonation"
	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/factor/otp"
	"gatehouse/internal/factor/totp"
	"gatehouse/internal/factor/trusted"
	"gatehouse/internal/factor/wallet"
	"gatehouse/internal/factor/webauthn"
	"gatehouse/internal/id"
	"gatehouse/internal/notice"
	"gatehouse/internal/outbox"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
)

const (
	// Nothing waits for what is purged: the clock alone decides what is valid.
	purgeEvery  = time.Minute
	rotateEvery = time.Hour
	// outboxPoll is how often a node looks for jobs that others enqueued or
	// that are due again. Its own it sees at once.
	outboxPoll = time.Second
	// purgeBudget bounds one round. It lies above what a minute of logins can
	// leave behind, or the tables would grow for as long as a server is busy.
	purgeBudget = 250_000
	// purgeBatch bounds one transaction, so that no login waits long behind it.
	purgeBatch = 500
)

// Purged counts what one purge took away.
type Purged struct {
	Sessions   int `json:"sessions"`   // expired sessions and retired signing keys
	Tokens     int `json:"tokens"`     // of identity providers, where an environment keeps none any more or has removed the provider
	Challenges int `json:"challenges"` // of ceremonies whose time is over, and sign-ins with providers
	Users      int `json:"users"`      // brought up to date: factors never proven, locks that ran out
	Events     int `json:"events"`     // older than the retention
	Jobs       int `json:"jobs"`       // failed for good, and for longer than that
	Limits     int `json:"limits"`     // counters of rate limits whose window is over, and numbers that are tried again
	Links      int `json:"links"`      // one-time links that have been over for a week, and those of impersonations
	Passcodes  int `json:"passcodes"`  // codes that have been over for a day, counts of texts, and tokens of other issuers that were used
	TOTPs      int `json:"totps"`      // authenticator apps that nobody confirmed, over for a day
	Devices    int `json:"devices"`    // that nobody has signed in from for a year
	Messages   int `json:"messages"`   // kept in mailboxes for long enough, or crowded out by newer ones
}

// Purge removes rows that nobody can use any more, at most budget of each
// kind. Without a retention, events and dead jobs stay.
func (a *App) Purge(ctx context.Context, budget int) (Purged, error) {
	var p Purged
	kinds := []purge{
		{&p.Sessions, count(session.Purge)},
		{&p.Challenges, webauthn.Purge},
		{&p.Challenges, count(biometric.Purge)},
		{&p.Challenges, count(wallet.Purge)},
		{&p.Challenges, count(oauth.Purge)},
		{&p.Tokens, count(a.OAuth.PurgeTokens)},
		{&p.Limits, count(ratelimit.Purge)},
		{&p.Links, count(emaillink.Purge)},
		{&p.Links, count(impersonation.Purge)},
		{&p.Passcodes, count(otp.Purge)},
		{&p.Passcodes, count(trusted.Purge)},
		{&p.TOTPs, count(totp.Purge)},
		{&p.Devices, count(notice.Purge)},
		{&p.Messages, mailbox.Purge},
		{&p.Limits, count(delivery.Purge)},
	}
	if keep := a.options.Server.EventRetention; keep > 0 {
		kinds = append(kinds,
			purge{&p.Events, count(func(tx *store.Tx, n int) (int64, error) { return event.Purge(tx, keep, n) })},
			purge{&p.Jobs, count(func(tx *store.Tx, n int) (int64, error) { return outbox.Purge(tx, keep, n) })})
	}
	for _, kind := range kinds {
		err := inBatches(budget, kind.total, func(n int) (taken int, err error) {
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

// purge takes up to n rows of one kind and adds them up.
type purge struct {
	total *int
	take  func(tx *store.Tx, n int) (int, error)
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

// newQueue is the outbox with everything that is done beside requests. What a
// feature enqueues is handled here, by a line for each kind.
func (a *App) newQueue() *outbox.Queue {
	q := outbox.New(outbox.Config{DB: a.DB, Logger: a.Logger, Died: jobDied, Requests: a.metrics.answered.Load})
	a.Messages.Handle(q)
	q.Every("purge", purgeEvery, func(ctx context.Context) error {
		_, err := a.Purge(ctx, purgeBudget)
		return err
	})
	q.Every("rotate signing keys", rotateEvery, a.rotateKeys)
	q.Every("seal secrets anew", rotateEvery, func(ctx context.Context) error {
		_, err := a.Reseal.Run(ctx)
		return err
	})
	return q
}

// jobDied tells the operator of an environment, through its audit log, that
// something will not be done. What went wrong stays with the job: a receiver's
// words may name people.
func jobDied(tx *store.Tx, j *outbox.Job) error {
	_, kind, ok := id.Split(j.EnvironmentID)
	if !ok {
		return nil
	}
	return event.Emit(tx, kind, event.Event{
		EnvironmentID: j.EnvironmentID, Type: "job.dead", ObjectID: j.ID, Details: map[string]any{"kind": j.Kind, "attempts": j.Attempts},
	})
}

// rotateKeys replaces the signing keys that have grown old.
func (a *App) rotateKeys(ctx context.Context) (err error) {
	for _, env := range a.Projects.Environments() {
		if failed := a.Sessions.RotateByAge(ctx, env); failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", env.ID, failed))
		}
	}
	return err
}

// work does the jobs of the outbox and the periodic work until ctx ends.
func (a *App) work(ctx context.Context) {
	ticker := time.NewTicker(outboxPoll)
	defer ticker.Stop()
	a.Outbox.Run(ctx, ticker.C)
}
