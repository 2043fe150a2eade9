package demo

import (
	"net/http/httptest"
	"testing"
)

// TestReboundNamesAreRefused: a page elsewhere whose name was made to point at
// this machine gets nothing from the demo's backend.
func TestReboundNamesAreRefused(t *testing.T) {
	for _, c := range []struct {
		host, forwarded string
		status          int
	}{
		{"localhost:8080", "", 200},
		{"app.localhost:8080", "", 200},
		{"127.0.0.1:8080", "", 200},
		{"[::1]:8080", "", 200},
		{"evil.example", "", 403},
		{"evil.example:8080", "", 403},
		{"localhost.evil.example", "", 403},
		{"tunnel.example", "203.0.113.7", 200},
	} {
		d := New(Config{BaseURL: func() string { return "http://localhost:8080" }, ProjectID: "p", Secret: "s", PublicToken: "t"})
		r := httptest.NewRequest("GET", Prefix+"config", nil)
		r.Host = c.host
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s (forwarded for %q): %d, want %d", c.host, c.forwarded, w.Code, c.status)
		}
	}
}
