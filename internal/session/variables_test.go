package session

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"gatehouse/internal/id"
	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/project"
	"gatehouse/internal/user"
)

// Security case 61: whatever a template may name, none of it is a secret, and
// what nobody has proven is not told.
func TestVariables(t *testing.T) {
	u := &user.User{
		UserID: "user-test-1", Status: user.Active, Name: user.Name{LastName: "Lovelace"},
		Emails:          []user.Email{{Email: "claimed@example.com"}, {Email: "ada@example.com", Verified: true}, {Email: "a@example.org", Verified: true}},
		PhoneNumbers:    []user.PhoneNumber{{PhoneNumber: "+12025550162"}},
		TrustedMetadata: user.Metadata{"a": json.RawMessage(`{"b": [1, 2]}`)},
		Password:        &user.Password{PasswordID: "password-test-1"},
	}
	env := &project.Environment{Kind: id.Test}
	r := &Record{ID: "session-test-1", tokenHash: []byte("secret hash"), tokenSealed: []byte("sealed token")}
	lookup := variables(env, r, u, []string{project.DefaultRole})
	for path, want := range map[string]string{
		"user.email": `"ada@example.com"`, "user.emails": `["ada@example.com","a@example.org"]`,
		"user.phone_number": `null`, "user.phone_numbers": `[]`, "user.external_id": `null`,
		"user.name": `{"last_name":"Lovelace"}`, "user.name.first_name": `null`, "user.name.last_name": `"Lovelace"`,
		"user.trusted_metadata.a.b.1": `2`, "user.trusted_metadata.x": `null`,
		"user.rbac.roles": `["stytch_user"]`, "user.rbac.documents.actions": `null`,
		"session.session_id": `"session-test-1"`, "session.attributes.user_agent": `""`,
	} {
		got, err := json.Marshal(lookup(strings.Split(path, ".")))
		if err != nil || string(got) != want {
			t.Errorf("%s = %s, want %s (%v)", path, got, want, err)
		}
	}
	for _, variable := range jwttemplate.Variables(jwttemplate.Session) {
		path := strings.Split(strings.NewReplacer(".*", "", "<resource>", "documents").Replace(variable), ".")
		got, err := json.Marshal(lookup(path))
		if err != nil || strings.Contains(string(got), "secret") || strings.Contains(string(got), "sealed") || strings.Contains(string(got), "password") {
			t.Errorf("%s = %s (%v)", variable, got, err)
		}
	}
	if !reflect.DeepEqual(lookup([]string{"user", "user_id"}), any("user-test-1")) {
		t.Error("user.user_id is not the user's id")
	}
}
