package m2m_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/internal/authtest"
)

// BenchmarkToken is a whole token request without the network, and beside it the
// signature alone: what the rest costs is the difference.
func BenchmarkToken(b *testing.B) {
	for _, algorithm := range []string{"ES256", "RS256"} {
		s := authtest.New(b)
		s.Configure("session.algorithm", algorithm)
		c := newClient(s, "read:users", "write:users")
		form, path := c.form(c.secret).Encode(), c.tokenPath()
		b.Run(algorithm+"/request", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				w := httptest.NewRecorder()
				s.App.Server.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Body.String())
				}
			}
		})
		b.Run(algorithm+"/signature", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Sessions.Sign(b.Context(), s.Env, map[string]any{"sub": c.id, "scope": "read:users write:users"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
