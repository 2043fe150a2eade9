package user

import (
	"encoding/json"
	"reflect"
	"testing"
)

// The browser's document differs from the server's by one role and nothing
// else, whatever a person has written into it.
func TestForBrowser(t *testing.T) {
	for _, roles := range [][]string{{}, {"editor"}, {"editor", "owner"}} {
		u := &User{UserID: "user-test-1", Name: Name{FirstName: `"roles":["admin"]`}, Roles: roles, UntrustedMetadata: Metadata{"roles": json.RawMessage(`["admin"]`)}}
		u.empty()
		document, err := encode(u)
		if err != nil {
			t.Fatal(err)
		}
		before := string(document)
		var got User
		if err := json.Unmarshal(JSON(document).ForBrowser(), &got); err != nil {
			t.Fatal(err)
		}
		if want := append([]string{"stytch_user"}, roles...); !reflect.DeepEqual(got.Roles, want) {
			t.Errorf("roles = %v, want %v", got.Roles, want)
		}
		if got.Roles = roles; !reflect.DeepEqual(&got, u) || string(document) != before {
			t.Errorf("it became %+v", got)
		}
	}
}
