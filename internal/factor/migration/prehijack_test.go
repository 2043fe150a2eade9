package migration_test

import (
	"net/http"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Security case 14: an address that nobody has proven, beside a number that
// somebody has, finds nobody, however sure the other product is.
func TestSecurity14AnAddressBesideSomethingProvenMatchesNobody(t *testing.T) {
	each(t, func(w *world) {
		id := w.Call(http.MethodPost, "/v1/users", fields{"email": "victim@example.com", "phone_number": "+12025550123"}).OK().String("user_id")
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
		w.says(fields{"email": "victim@example.com", "email_verified": true})
		w.migrate("good").Refused(404, "migrate_from_external_email_does_not_exist")
	})
}
