package passhash

import (
	"context"
	"sync/atomic"
	"time"

	"gatehouse/internal/apierr"
)

var errBusy = apierr.New(503, "server_unavailable", "Too many people are signing in right now. Wait a moment and try again.")

// Limits bounds the work of a Hasher. A zero is the default.
type Limits struct {
	// Concurrent is how many hashes run at once: the number of cores. More
	// would finish no earlier, and each holds its memory.
	Concurrent int
	// Waiting is how many calls may wait for their turn: 64 for each that runs.
	// At 50 ms a hash the last of them waits 3 seconds.
	Waiting int
	// Patience is how long one call waits for its turn: 5 seconds. Whoever
	// waits longer has given up, or tries again and doubles the load.
	Patience time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.Concurrent <= 0 {
		l.Concurrent = cores
	}
	if l.Waiting <= 0 {
		l.Waiting = 64 * l.Concurrent
	}
	if l.Patience <= 0 {
		l.Patience = 5 * time.Second
	}
	return l
}

// queue lets a few calls run at once and some more wait for their turn.
type queue struct {
	limits  Limits
	rush    *rush
	slots   chan struct{} // one element for each call that runs; the runtime wakes senders in order
	waiting atomic.Int64
}

func newQueue(l Limits, r *rush) *queue {
	return &queue{limits: l, rush: r, slots: make(chan struct{}, l.Concurrent)}
}

// do runs f when it is this call's turn. What runs cannot be interrupted: the
// context and the patience hold for the wait.
func (q *queue) do(ctx context.Context, f func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := q.enter(ctx); err != nil {
		return err
	}
	defer func() { <-q.slots }()
	q.rush.run(f)
	return nil
}

func (q *queue) enter(ctx context.Context) error {
	select {
	case q.slots <- struct{}{}:
		return nil
	default:
	}
	if q.waiting.Add(1) > int64(q.limits.Waiting) {
		q.waiting.Add(-1)
		return errBusy.WithRetryAfter(q.limits.Patience)
	}
	defer q.waiting.Add(-1)
	timer := time.NewTimer(q.limits.Patience)
	defer timer.Stop()
	select {
	case q.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return errBusy.WithRetryAfter(q.limits.Patience)
	}
}
