package trusted_test

import (
	"net/http"
	"testing"

	"gatehouse/internal/authtest"
)

// Security case 36: the same token at two nodes, at once and later. One login
// comes of it, wherever it gets to.
func TestSecurity36AssertionReplayAcrossNodes(t *testing.T) {
	each(t, func(w *world) {
		w.Person("ada@example.com")
		nodes := []*authtest.Server{w.Server, w.Node()}
		bring := func(node int, token string) *authtest.Answer {
			return nodes[node].Call(http.MethodPost, attest, fields{"profile_id": w.profile.ID, "token": token, "session_duration_minutes": 60})
		}
		for range 5 {
			token := w.token("ada@example.com", nil)
			seen := authtest.Together(10, func(i int) *authtest.Answer { return bring(i%2, token) })
			if seen[""] != 1 || seen["invalid_trusted_auth_token"] != 9 {
				t.Errorf("ten at two nodes: %v", seen)
			}
		}
		for first := range nodes {
			token := w.token("ada@example.com", nil)
			bring(first, token).OK()
			bring(1-first, token).Refused(400, "invalid_trusted_auth_token")
			bring(first, token).Refused(400, "invalid_trusted_auth_token")
		}
	})
}
