package magiclink_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/project"
)

// Asking for a link takes about as long for a stranger, who becomes a user, as
// for somebody who is one: the few rows more are a fraction of a commit.
func TestSecurity13TimingEnumeration(t *testing.T) {
	s := authtest.New(t)
	register(t, s, home, project.RedirectTypes...)
	s.Configure("messages.email_per_hour", "0")
	ask := func(address string) func(int) {
		return func(turn int) {
			s.Browser().Call(http.MethodPost, "/sdk/v1/magic_links/email/login_or_create", body{"email": fmt.Sprintf(address, turn)}).OK()
		}
	}
	authtest.SameTime(t, 1.6, func(turn int) {
		s.Clock.Advance(time.Second)
		s.Call(http.MethodPost, "/v1/users", body{"email": fmt.Sprintf("known%d@example.com", turn)}).OK()
	}, ask("known%d@example.com"), ask("unknown%d@example.com"))
}
