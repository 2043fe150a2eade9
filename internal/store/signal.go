package store

import (
	"slices"
	"sync"
)

// signals are the channels of those in this process who wait for commits.
type signals struct {
	mu      sync.Mutex
	waiting map[string][]chan struct{}
}

// Signal wakes whoever in this process waits for the name, once the
// transaction is committed. It carries nothing: what happened stands in the
// database, where other processes find it too.
func (tx *Tx) Signal(name string) {
	if !slices.Contains(tx.signals, name) {
		tx.signals = append(tx.signals, name)
	}
}

// Signals returns a channel that gets a value after commits that named the
// signal. Commits that come faster than they are noticed are noticed once, and
// now and then one comes without a commit.
func (db *DB) Signals(name string) <-chan struct{} {
	c := make(chan struct{}, 1)
	db.signals.mu.Lock()
	defer db.signals.mu.Unlock()
	if db.signals.waiting == nil {
		db.signals.waiting = map[string][]chan struct{}{}
	}
	db.signals.waiting[name] = append(db.signals.waiting[name], c)
	return c
}

func (s *signals) send(names []string) {
	if len(names) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		for _, c := range s.waiting[name] {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
}
