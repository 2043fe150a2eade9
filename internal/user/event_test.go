package user

import (
	"slices"
	"testing"

	"gatehouse/internal/event"
)

// What servers do to users is in the audit log, in order, with the request.
func TestEvents(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"ada@example.com","external_id":"ada"}`)
		f.ok("PUT", "/v1/users/ada", `{"name":{"first_name":"Ada"}}`)
		f.refused("PUT", "/v1/users/ada", `{"external_id":"not ok"}`, 400, "bad_request")
		f.ok("PUT", "/v1/users/ada/exchange_primary_factor", `{"phone_number":"+14155552671"}`)
		phoneID := f.user(userID).PhoneNumbers[0].PhoneID
		f.ok("DELETE", "/v1/users/phone_numbers/"+phoneID, "")
		f.env.Config.UserLock.Threshold = 1
		f.fail(userID)
		if _, err := f.users.Unlock(f.Context(), f.env, userID); err != nil {
			f.Fatal(err)
		}
		f.ok("DELETE", "/v1/users/ada", "")
		events, err := event.List(f.Context(), f.db, f.env.ID, userID, "", 100)
		if err != nil {
			f.Fatal(err)
		}
		var types []string
		for _, e := range events {
			types = append(types, e.Type)
			if e.Type == "user.factor.delete" && (e.ObjectID != phoneID || e.Factor != KindPhone) {
				f.Errorf("deleted factor: %+v", e)
			}
		}
		slices.Sort(types)
		want := []string{"user.create", "user.delete", "user.factor.delete", "user.factor.exchange", "user.unlock", "user.update"}
		if !slices.Equal(types, want) {
			f.Errorf("events %v, want %v", types, want)
		}
	})
}
