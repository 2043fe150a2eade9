package session_test

import (
	"testing"

	"gatehouse/internal/authtest"
)

// BenchmarkAuthenticate is a whole request: with the JWT of moments ago, and
// with a new one each time.
func BenchmarkAuthenticate(b *testing.B) {
	for _, c := range []struct{ name, reuse string }{{"remembered", "30"}, {"signed", "0"}} {
		b.Run(c.name, func(b *testing.B) {
			s := authtest.New(b)
			s.Configure("session.jwt_reuse_seconds", c.reuse)
			body := fields{"session_token": s.Person("a@example.com").Session().String("session_token")}
			for b.Loop() {
				s.Call(post, "/v1/sessions/authenticate", body).OK()
			}
		})
	}
}
