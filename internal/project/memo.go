package project

import "sync"

// Memo remembers what a package has read of the configuration it keeps, until
// the configuration changes (Configure). The zero Memo is empty. What it hands
// out is shared, and never to be changed.
type Memo[K comparable, V any] struct {
	mu      sync.Mutex
	version int64
	values  map[K]V
}

// Get returns what is remembered of a key, or else what read returns. An error
// is not remembered.
func (m *Memo[K, V]) Get(s *Service, key K, read func() (V, error)) (V, error) {
	version := s.Version() // from before the reading, which may see more but never less
	if v, ok := m.remembered(version, key); ok {
		return v, nil
	}
	v, err := read()
	if err != nil {
		return v, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil || m.version < version {
		m.version, m.values = version, map[K]V{}
	}
	if m.version == version {
		m.values[key] = v
	}
	return v, nil
}

func (m *Memo[K, V]) remembered(version int64, key K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.values[key]
	return v, ok && m.version == version
}
