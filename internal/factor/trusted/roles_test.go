package trusted_test

import (
	"fmt"
	"testing"

	"gatehouse/internal/project"
)

func TestRolesAreGivenToUsersWhoAreMade(t *testing.T) {
	each(t, func(w *world) {
		policy := project.Policy{Roles: []project.PolicyRole{{RoleID: "editor"}, {RoleID: "admin"}}}
		if err := w.Projects.SetPolicy(t.Context(), w.Env.ID, policy); err != nil {
			t.Fatal(err)
		}
		made := 0
		come := func(email string, roles any) fields {
			made++
			return w.attest(w.token(email, fields{"app": fields{"roles": roles}}), nil).Body
		}
		for _, c := range []struct {
			roles any
			want  string
		}{
			{[]string{"editor", "editor"}, "[editor]"}, {"admin", "[admin]"}, {nil, "[]"}, {[]string{}, "[]"},
			{[]string{"god"}, "jwt_invalid_claims"}, {"stytch_user", "jwt_invalid_claims"}, {fields{"a": 1}, "jwt_invalid_claims"}, {[]any{"editor", 1}, "jwt_invalid_claims"}, {7, "jwt_invalid_claims"},
		} {
			got := come(fmt.Sprintf("new%d@example.com", made), c.roles)
			said, _ := got["error_type"].(string)
			if u, ok := got["user"].(fields); ok {
				said = fmt.Sprint(u["roles"])
			}
			if said != c.want {
				t.Errorf("%v: %s, want %s", c.roles, said, c.want)
			}
		}
		// Who is known stays as they are.
		if u := come("new0@example.com", "admin")["user"].(fields); fmt.Sprint(u["roles"]) != "[editor]" {
			t.Errorf("%v", u["roles"])
		}
	}, provisions, maps("role_ids", "app.roles"))
}
