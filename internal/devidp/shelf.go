package devidp

import (
	"sync"
	"time"

	"gatehouse/internal/secret"
)

// maxKept is how many things a shelf keeps: a person makes few, and a test that makes many wants the last ones.
const maxKept = 1000

// shelf keeps things under tokens until they expire. Its zero value is empty.
type shelf[T any] struct {
	mu   sync.Mutex
	kept map[string]kept[T]
}

type kept[T any] struct {
	thing T
	until time.Time
}

// put keeps a thing and returns the token to it. A full shelf lets go of what would expire first.
func (s *shelf[T]) put(thing T, now time.Time, lifetime time.Duration) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[string]kept[T]{}
	}
	for len(s.kept) >= maxKept {
		first := ""
		for token, k := range s.kept {
			if first == "" || k.until.Before(s.kept[first].until) {
				first = token
			}
		}
		delete(s.kept, first)
	}
	token := secret.Token()
	s.kept[token] = kept[T]{thing, now.Add(lifetime)}
	return token
}

// get returns what is under a token.
func (s *shelf[T]) get(token string, now time.Time) (T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.kept[token]
	return k.thing, ok && now.Before(k.until)
}

// take returns what is under a token, for the only time.
func (s *shelf[T]) take(token string, now time.Time) (T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.kept[token]
	delete(s.kept, token)
	return k.thing, ok && now.Before(k.until)
}
