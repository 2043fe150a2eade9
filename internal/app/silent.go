package app

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// silentGrace is how long a connection that nothing was ever sent on is waited
// for when the server stops.
const silentGrace = 250 * time.Millisecond

// silentConns are the connections that nothing was sent on so far. Browsers
// open some in advance; http.Server.Shutdown would wait five seconds for them.
type silentConns struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
}

// track is for http.Server.ConnState.
func (s *silentConns) track(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateNew {
		s.conns[c] = true
		return
	}
	delete(s.conns, c)
}

func (s *silentConns) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close() // nobody is there to tell
	}
}
