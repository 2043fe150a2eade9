// Package breachtest is a range API on this machine, for tests. It owns what
// that answers and keeps what it was asked; it never calls anybody.
package breachtest

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Server answers as https://api.pwnedpasswords.com does. Its URL is what
// config.Breach.BreachURL takes.
type Server struct {
	*httptest.Server

	mu       sync.Mutex
	breached []string // hashes, 40 digits
	requests []string // whole, as they came
	answer   http.HandlerFunc
}

// New starts a server that knows some breached passwords. It ends with the
// test.
func New(t testing.TB, passwords ...string) *Server {
	s := &Server{}
	s.Add(passwords...)
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// Add makes passwords breached.
func (s *Server) Add(passwords ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range passwords {
		s.breached = append(s.breached, Hash(p))
	}
}

// Answer lets a handler answer in the place of the list; nil brings that back.
func (s *Server) Answer(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = h
}

// Requests are the requests so far, each whole as it came.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ServeHTTP answers a range, padded with rows that count nothing.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	whole, err := httputil.DumpRequest(r, true)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.requests = append(s.requests, string(whole))
	answer, breached := s.answer, slices.Clone(s.breached)
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	prefix := strings.ToUpper(strings.TrimPrefix(r.URL.Path, "/range/"))
	if _, err := hex.DecodeString(prefix + "0"); err != nil || len(prefix) != 5 {
		http.Error(w, "The hash format was not in a valid format", http.StatusBadRequest)
		return
	}
	var rows []string
	for _, hash := range breached {
		if suffix, ok := strings.CutPrefix(hash, prefix); ok {
			rows = append(rows, suffix+":42")
		}
	}
	for i := range 20 {
		rows = append(rows, Hash(fmt.Sprint(prefix, i))[5:]+":0")
	}
	slices.Sort(rows)
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write([]byte(strings.Join(rows, "\r\n")))
}

// Hash is the SHA-1 of a password in 40 upper-case digits.
func Hash(password string) string {
	sum := sha1.Sum([]byte(password))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}
