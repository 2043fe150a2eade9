package bulk_test

import (
	"testing"

	"gatehouse/internal/authtest"
)

// Class: account pre-hijacking. Somebody signs up here with another's address
// and a password of their own; when the file says that the address was proven
// elsewhere, their way in must not become one into the owner's account.
func TestSecurityPreHijackingByAnAccountThatWaitsForTheImport(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Call("POST", "/v1/passwords/migrate", map[string]any{"email": "victim@example.com", "hash_type": "bcrypt", "hash": hash}).OK()
		o := plain
		o.Update = true
		r, refused := in(t, s, `{"email":"victim@example.com","email_verified":true,"external_id":"v-1","trusted_metadata":{"plan":"pro"}}`, o)
		want(t, r, "1: 0 created, 0 updated, 0 existed, 1 refused")
		if len(refused) != 1 || refused[0].Type != "user_not_verified" {
			t.Errorf("%+v", refused)
		}
		if a := login(s, "victim@example.com", password).OK(); a.Get("user", "emails", 0, "verified") != false || a.Get("user", "external_id") != nil {
			t.Errorf("the stranger's account became the victim's: %v", a.Get("user"))
		}
	})
}

// Class: account takeover by merging. Somebody signed up in the old product with
// another's address, which it never had proven; their password must not open the
// account that the owner of the address has here.
func TestSecurityTakeoverByAnUnprovenAddressOfTheFile(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		in(t, s, `{"email":"victim@example.com","email_verified":true}`, plain)
		o := plain
		o.Update = true
		r, refused := in(t, s, `{"email":"victim@example.com","password":{"hash_type":"bcrypt","hash":"`+hash+`"},"roles":[]}`, o)
		want(t, r, "1: 0 created, 0 updated, 0 existed, 1 refused")
		if len(refused) != 1 || refused[0].Type != "address_not_verified" {
			t.Errorf("%+v", refused)
		}
		login(s, "victim@example.com", password).Refused(400, "no_user_password")
	})
}
