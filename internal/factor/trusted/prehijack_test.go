package trusted_test

import (
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/factor/trusted"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Security case 14: somebody signs up with another's address and with a number
// of their own, and proves the number. Nothing of theirs is without proof then,
// so no first proof would take it away: the owner must not come to share it.
func TestSecurity14AnAddressBesideSomethingProvenMatchesNobody(t *testing.T) {
	for _, provision := range []bool{false, true} {
		each(t, func(w *world) {
			id := w.user(fields{"email": "victim@example.com", "phone_number": "+12025550123"}).String("user_id")
			err := w.DB.Update(t.Context(), func(tx *store.Tx) error {
				_, err := w.Users.Change(tx, w.Env, id, func(u *user.User) error {
					u.PhoneNumbers[0].Verified = true
					return nil
				})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			a := w.attest(w.token("victim@example.com", nil), nil)
			waits := w.Call(http.MethodGet, "/v1/users/"+id, nil).OK()
			if !provision {
				a.Refused(404, "email_not_found")
				if waits.Get("emails", 0, "verified") != false {
					t.Errorf("the address is theirs now: %s", waits.Text)
				}
				return
			}
			if a.OK().String("user_id") == id || a.Get("user", "emails", 0, "verified") != true {
				t.Errorf("the owner was signed in as %s", a.Text)
			}
			if strings.Contains(waits.Text, "victim") || len(waits.Get("phone_numbers").([]any)) != 1 {
				t.Errorf("who waits has %s", waits.Text)
			}
			if again := w.attest(w.token("victim@example.com", nil), nil).OK(); again.String("user_id") != a.String("user_id") {
				t.Error("the owner is another user the second time")
			}
		}, func(p *trusted.Profile) { p.CanJITProvision = provision })
	}
}
