package otp_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/authtest"
)

// Asking for a code takes about as long for a stranger, who becomes a user, as
// for somebody who is one: the few rows more are a fraction of a commit. Samples
// are taken in turn, so that what else the machine does slows both alike, and
// judged by their medians; a round that is off is repeated, since what leaks is
// off in every one.
func TestSecurity13TimingEnumeration(t *testing.T) {
	s := authtest.New(t)
	for setting, value := range map[string]string{
		"messages.email_per_hour": "0", "messages.texts_per_network_per_hour": "0", "messages.prefix_per_hour": "0", "messages.conversion_after": "0",
		"messages.sms_per_day": "0",
	} {
		s.Configure(setting, value)
	}
	const rounds, samples = 5, 60
	for c, contact := range map[channel]string{email: "%s%d@example.com", sms: "+1415%s%05d"} {
		names := [2]string{"known", "unknown"}
		if c == sms {
			names = [2]string{"55", "66"}
		}
		n := 0
		for round := 1; ; round++ {
			var took [2][]time.Duration
			for range samples {
				n++
				s.Clock.Advance(time.Second)
				known := fmt.Sprintf(contact, names[0], n)
				s.Call(http.MethodPost, "/v1/users", body{c.field: known}).OK()
				for i, name := range names {
					to := fmt.Sprintf(contact, name, n)
					took[i] = append(took[i], authtest.Took(func() {
						s.Browser().Call(http.MethodPost, "/sdk/v1/otps/"+c.name+"/login_or_create", body{c.field: to}).OK()
					}))
				}
			}
			slices.Sort(took[0])
			slices.Sort(took[1])
			known, unknown := took[0][samples/2], took[1][samples/2]
			if unknown < known*17/10 && known < unknown*17/10 {
				break
			}
			if round == rounds {
				t.Fatalf("%s: %v for a user, %v for a stranger", c.name, known, unknown)
			}
		}
	}
}
