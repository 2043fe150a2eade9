package user

import "testing"

func TestCreate(t *testing.T) {
	each(t, func(f *fixture) {
		a := f.ok("POST", "/v1/users", `{"email":" Ada@Example.COM ","phone_number":"+1 (415) 555-2671","name":{"first_name":"Ada","last_name":"Lovelace"}}`)
		f.Log(a.body)
	})
}
