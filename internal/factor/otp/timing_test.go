package otp_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"gatehouse/internal/authtest"
)

// Asking for a code takes about as long for a stranger, who becomes a user, as
// for somebody who is one: the few rows more are a fraction of a commit.
func TestSecurity13TimingEnumeration(t *testing.T) {
	s := authtest.New(t)
	for setting, value := range map[string]string{
		"messages.email_per_hour": "0", "messages.texts_per_network_per_hour": "0", "messages.prefix_per_hour": "0", "messages.conversion_after": "0",
		"messages.sms_per_day": "0",
	} {
		s.Configure(setting, value)
	}
	for c, contacts := range map[channel][2]string{email: {"known%d@example.com", "unknown%d@example.com"}, sms: {"+141555%05d", "+141566%05d"}} {
		t.Run(c.name, func(t *testing.T) {
			ask := func(contact string) func(int) {
				return func(turn int) {
					s.Browser().Call(http.MethodPost, "/sdk/v1/otps/"+c.name+"/login_or_create", body{c.field: fmt.Sprintf(contact, turn)}).OK()
				}
			}
			authtest.SameTime(t, 1.6, func(turn int) {
				s.Clock.Advance(time.Second)
				s.Call(http.MethodPost, "/v1/users", body{c.field: fmt.Sprintf(contacts[0], turn)}).OK()
			}, ask(contacts[0]), ask(contacts[1]))
		})
	}
}
