package magiclink_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/project"
)

// Asking for a link takes about as long for a stranger, who becomes a user, as
// for somebody who is one: the few rows more are a fraction of a commit. Samples
// are taken in turn, so that what else the machine does slows both alike, and
// judged by their medians; a round that is off is repeated, since what leaks is
// off in every one.
func TestSecurity13TimingEnumeration(t *testing.T) {
	s := authtest.New(t)
	register(t, s, home, project.RedirectTypes...)
	s.Configure("messages.email_per_hour", "0")
	const rounds, samples = 5, 60
	n := 0
	for round := 1; ; round++ {
		var took [2][]time.Duration
		for range samples {
			n++
			s.Clock.Advance(time.Second)
			s.Call(http.MethodPost, "/v1/users", body{"email": fmt.Sprintf("known%d@example.com", n)}).OK()
			for i, name := range []string{"known", "unknown"} {
				to := fmt.Sprintf("%s%d@example.com", name, n)
				took[i] = append(took[i], authtest.Took(func() {
					s.Browser().Call(http.MethodPost, "/sdk/v1/magic_links/email/login_or_create", body{"email": to}).OK()
				}))
			}
		}
		slices.Sort(took[0])
		slices.Sort(took[1])
		known, unknown := took[0][samples/2], took[1][samples/2]
		if unknown < known*17/10 && known < unknown*17/10 {
			return
		}
		if round == rounds {
			t.Fatalf("%v for a user, %v for a stranger", known, unknown)
		}
	}
}
