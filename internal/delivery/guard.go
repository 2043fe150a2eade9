package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gatehouse/internal/outbox"
)

const (
	// mostInHand is how many messages one sender may have at the same time: a
	// server that hangs leaves the other workers to other senders.
	mostInHand = outbox.DefaultWorkers / 4
	// turnWait is how long a worker waits for its turn with a sender that has as
	// many as it may, and busyWait when the message is tried again after that.
	turnWait = time.Second
	busyWait = 2 * time.Second
	// failuresInRow are so many that the sender is held back: first for
	// firstHold, then for twice as long after each probe that fails.
	failuresInRow = 5
	firstHold     = 10 * time.Second
	longestHold   = time.Minute
)

var errUnfinished = errors.New("the sender came to no end")

var errTurn = errors.New("the sender has as many messages as it may have at a time, and takes none of them")

// guard keeps a sender that hangs or fails from taking the time of all workers.
// Each process has its own, and a sender that is set up anew a new one. A nil
// guard lets everything through.
type guard struct {
	turns chan struct{} // one for each message in hand
	wait  time.Duration

	mu      sync.Mutex
	stuck   bool // somebody waited for a turn in vain, and none has come free since
	failed  int  // in a row
	hold    time.Duration
	until   time.Time
	probing bool
	last    error // why it is held back
}

func newGuard(wait time.Duration) *guard {
	return &guard{turns: make(chan struct{}, mostInHand), wait: wait}
}

// enter asks whether the sender may be asked now. If it may, leave is to be
// called with what it said; else err says why not, and wait for how long.
func (g *guard) enter(ctx context.Context, now time.Time) (leave func(err error, now time.Time), wait time.Duration, err error) {
	if g == nil {
		return func(error, time.Time) {}, 0, nil
	}
	probe, wait, err := g.allow(now)
	if err == nil {
		wait, err = g.turn(ctx)
	}
	if err != nil {
		g.forgo(probe)
		return nil, wait, err
	}
	return func(err error, now time.Time) {
		<-g.turns
		g.forgo(probe)
		// A process that stops learns nothing about the sender.
		if err == nil || outbox.IsPermanent(err) || ctx.Err() == nil {
			g.learn(err, now)
		}
	}, 0, nil
}

// allow refuses while the sender is held back. When that ends it lets one
// message through, to see, and the others when that one has arrived.
func (g *guard) allow(now time.Time) (probe bool, wait time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.failed < failuresInRow:
		return false, 0, nil
	case now.Before(g.until):
		wait = g.until.Sub(now)
	case g.probing:
		wait = g.hold
	default:
		g.probing = true
		return true, 0, nil
	}
	return false, wait, fmt.Errorf("held back after %d failures in a row, the latest: %w", g.failed, g.last)
}

func (g *guard) forgo(probe bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if probe {
		g.probing = false
	}
}

// turn waits until the sender may have one more message, but not for long, and
// not at all where somebody else has just waited in vain.
func (g *guard) turn(ctx context.Context) (time.Duration, error) {
	select {
	case g.turns <- struct{}{}:
		return 0, nil
	default:
	}
	g.mu.Lock()
	stuck := g.stuck
	g.mu.Unlock()
	if stuck {
		return busyWait, errTurn
	}
	timer := time.NewTimer(g.wait)
	defer timer.Stop()
	select {
	case g.turns <- struct{}{}:
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-timer.C:
		g.mu.Lock()
		defer g.mu.Unlock()
		g.stuck = true
		return busyWait, errTurn
	}
}

// learn notes what the sender said. A recipient who is refused is an answer like
// any other.
func (g *guard) learn(err error, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stuck = false
	if err == nil || outbox.IsPermanent(err) {
		g.failed, g.hold, g.last = 0, 0, nil
		return
	}
	g.failed++
	g.last = err
	// What fails while it is held back was begun before.
	if g.failed >= failuresInRow && !now.Before(g.until) {
		g.hold = min(max(2*g.hold, firstHold), longestHold)
		g.until = now.Add(g.hold)
	}
}

// isHeld reports whether the sender is held back.
func (g *guard) isHeld() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed >= failuresInRow
}
