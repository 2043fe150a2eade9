package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	// shards lets callers count at the same time.
	shards = 64
	// perShard bounds the memory: with every shard full of keys of clients
	// that were all seen in one window, a Local holds about 8 MB.
	perShard = 2048
	// tried is how many counters a new one looks at for room.
	tried = 8
)

// Local counts in this process's memory, of which it uses a bounded amount
// however many keys there are. Where it must forget, it forgets those who took
// least, so that who is refused stays refused. Each process counts for itself.
type Local struct {
	now    func() time.Time
	seed   maphash.Seed // makes collisions of keys unforeseeable
	shards [shards]shard
}

type shard struct {
	mu       sync.Mutex
	counters map[uint64]counter
}

type counter struct {
	ends  int64 // milliseconds since 1970
	taken int64
}

// NewLocal returns counters on the given clock.
func NewLocal(now func() time.Time) *Local {
	l := &Local{now: now, seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].counters = map[uint64]counter{}
	}
	return l
}

// Take counts one against a rule for a key, which may be of any comparable
// type; environment belongs in it where limits are per environment. When the
// limit is reached it counts nothing and says how long the window still lasts.
func (l *Local) Take(r Rule, key any) (ok bool, retryAfter time.Duration) {
	if r.Limit <= 0 {
		return true, 0
	}
	now := l.now()
	at, end := now.UnixMilli(), r.end(now).UnixMilli()
	slot := maphash.Comparable(l.seed, localKey{r.Name, key})
	s := &l.shards[slot%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	c, known := s.counters[slot]
	if c.ends <= at {
		c = counter{ends: end}
	}
	if c.taken >= int64(r.Limit) {
		return false, max(time.Duration(c.ends-at), 1) * time.Millisecond
	}
	if !known && len(s.counters) >= perShard {
		s.forget(at)
	}
	c.taken++
	s.counters[slot] = c
	return true, 0
}

type localKey struct {
	rule string
	key  any
}

// forget makes room for one counter: of a few chosen at random (the order in
// which Go walks a map) those whose window is over go, or else the one that
// was taken from least.
func (s *shard) forget(now int64) {
	var least uint64
	fewest, seen, gone := int64(1)<<62, 0, false
	for slot, c := range s.counters {
		switch {
		case c.ends <= now:
			delete(s.counters, slot)
			gone = true
		case c.taken < fewest:
			least, fewest = slot, c.taken
		}
		if seen++; seen == tried {
			break
		}
	}
	if !gone {
		delete(s.counters, least)
	}
}

// Left is Take that counts nothing: it says whether one could still be taken.
// It is for what counts only when it fails, which is known too late to refuse.
func (l *Local) Left(r Rule, key any) (ok bool, retryAfter time.Duration) {
	if r.Limit <= 0 {
		return true, 0
	}
	at := l.now().UnixMilli()
	slot := maphash.Comparable(l.seed, localKey{r.Name, key})
	s := &l.shards[slot%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counters[slot]
	if c.ends <= at || c.taken < int64(r.Limit) {
		return true, 0
	}
	return false, max(time.Duration(c.ends-at), 1) * time.Millisecond
}
