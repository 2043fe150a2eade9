package project

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func policyOf(t testing.TB, text string) Policy {
	t.Helper()
	var p Policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

const newspaper = `{
	"roles": [
		{"role_id": "stytch_user", "permissions": [{"resource_id": "articles", "actions": ["read"]}]},
		{"role_id": "editor", "permissions": [{"resource_id": "articles", "actions": ["read", "write"]}, {"resource_id": "my.archive", "actions": ["*"]}]},
		{"role_id": "owner", "permissions": [{"resource_id": "articles", "actions": ["*"]}]},
		{"role_id": "nothing"}
	],
	"resources": [{"resource_id": "articles", "actions": ["read", "write", "delete"]}, {"resource_id": "my.archive", "actions": ["search"]}],
	"scopes": [{"scope": "read:articles", "permissions": [{"resource_id": "articles", "actions": ["read"]}]}]
}`

func TestPolicyRules(t *testing.T) {
	resource := `"resources": [{"resource_id": "r", "actions": ["a", "b"]}]`
	role := func(permission string) string {
		return `{` + resource + `, "roles": [{"role_id": "x", "permissions": [` + permission + `]}]}`
	}
	long := strings.Repeat("x", 129)
	many := strings.TrimSuffix(strings.Repeat(`{"role_id": "x"},`, 101), ",")
	for _, c := range []struct{ name, policy, want, says string }{
		{"a whole one", newspaper, "", ""},
		{"an empty one", `{}`, "", ""},
		{"* alone", role(`{"resource_id": "r", "actions": ["*"]}`), "", ""},
		{"* with others", role(`{"resource_id": "r", "actions": ["a", "*"]}`), "cannot_specify_wildcard_with_other_actions", `role "x"`},
		{"* of a resource", `{"resources": [{"resource_id": "r", "actions": ["*"]}]}`, "invalid_wildcard_action", `resource "r"`},
		{"a permission for nothing", role(`{"resource_id": "s", "actions": ["a"]}`), "rbac_resource_not_found", `resource "s"`},
		{"a permission for an unknown action", role(`{"resource_id": "r", "actions": ["c"]}`), "rbac_action_not_found", `action "c"`},
		{"a permission without actions", role(`{"resource_id": "r", "actions": []}`), "rbac_permission_missing_actions", `role "x"`},
		{"an action twice in a permission", role(`{"resource_id": "r", "actions": ["a", "a"]}`), "rbac_action_duplicate", `"a"`},
		{"a resource without actions", `{"resources": [{"resource_id": "r", "actions": []}]}`, "rbac_resource_missing_actions", `"r"`},
		{"an action twice", `{"resources": [{"resource_id": "r", "actions": ["a", "a"]}]}`, "rbac_action_duplicate", `"a"`},
		{"an action with a space", `{"resources": [{"resource_id": "r", "actions": ["a b"]}]}`, "invalid_rbac_action", `"a b"`},
		{"a resource twice", `{"resources": [{"resource_id": "r", "actions": ["a"]}, {"resource_id": "r", "actions": ["a"]}]}`, "rbac_resource_duplicate", `"r"`},
		{"a resource of ours", `{"resources": [{"resource_id": "stytch.session", "actions": ["a"]}]}`, "invalid_rbac_resource_id", "reserved"},
		{"one that looks like ours", `{"resources": [{"resource_id": "Stytch", "actions": ["a"]}]}`, "invalid_rbac_resource_id", "reserved"},
		{"a role twice", `{"roles": [{"role_id": "x"}, {"role_id": "x"}]}`, "rbac_role_duplicate", `"x"`},
		{"a role of ours", `{"roles": [{"role_id": "stytch_superuser"}]}`, "invalid_rbac_role_id", "reserved"},
		{"a role of organizations", `{"roles": [{"role_id": "stytch_member"}]}`, "invalid_role_for_vertical", "stytch_user"},
		{"a role without a name", `{"roles": [{"role_id": ""}]}`, "invalid_rbac_role_id", `""`},
		{"a role with a long name", `{"roles": [{"role_id": "` + long + `"}]}`, "invalid_rbac_role_id", "128"},
		{"a role with braces", `{"roles": [{"role_id": "{{x}}"}]}`, "invalid_rbac_role_id", "letters"},
		{"too many roles", `{"roles": [` + many + `]}`, "rbac_policy_too_large", ""},
		{"a long description", `{"roles": [{"role_id": "x", "description": "` + strings.Repeat("é", 257) + `"}]}`, "rbac_description_too_long", `"x"`},
		{"a reserved scope", `{` + resource + `, "scopes": [{"scope": "OpenID", "permissions": [{"resource_id": "r", "actions": ["a"]}]}]}`, "rbac_reserved_scope", "OpenID"},
		{"a scope without permissions", `{"scopes": [{"scope": "s"}]}`, "rbac_scope_missing_permissions", `"s"`},
		{"a scope twice", `{` + resource + `, "scopes": [{"scope": "s", "permissions": [{"resource_id": "r", "actions": ["a"]}]}, {"scope": "s", "permissions": [{"resource_id": "r", "actions": ["a"]}]}]}`, "rbac_scope_duplicate", `"s"`},
		{"a scope with a space", `{"scopes": [{"scope": "a b"}]}`, "invalid_rbac_scope", `"a b"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := policyOf(t, c.policy)
			got, err := p.checked()
			if c.want == "" {
				if err != nil || !got.HasRole(DefaultRole) {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if e := apierr.From(err); e == nil || e.Type != c.want || !strings.Contains(e.Message, c.says) {
				t.Errorf("got %v, want %s with %q", err, c.want, c.says)
			}
		})
	}
}

// grantingSlowly is the rule as SDKs have it, read from the policy every time.
func grantingSlowly(p *Policy, roles []string, resourceID, action string) []string {
	var granting []string
	for _, r := range p.Roles {
		if slices.Contains(roles, r.RoleID) && slices.ContainsFunc(r.Permissions, func(g PolicyPermission) bool {
			return g.ResourceID == resourceID && (slices.Contains(g.Actions, action) || slices.Contains(g.Actions, "*"))
		}) {
			granting = append(granting, r.RoleID)
		}
	}
	return granting
}

// large is a policy of 50 roles.
func large() *Policy {
	p := &Policy{}
	for i := range 20 {
		p.Resources = append(p.Resources, PolicyResource{ResourceID: fmt.Sprintf("resource-%d", i), Actions: []string{"read", "write", "delete", "share"}})
	}
	for i := range 50 {
		role := PolicyRole{RoleID: fmt.Sprintf("role-%d", i)}
		for j := range 20 {
			switch (i*7 + j*3) % 5 {
			case 0:
				role.Permissions = append(role.Permissions, PolicyPermission{ResourceID: p.Resources[j].ResourceID, Actions: []string{"*"}})
			case 1, 2:
				role.Permissions = append(role.Permissions, PolicyPermission{ResourceID: p.Resources[j].ResourceID, Actions: []string{"read", "share"}})
			}
		}
		p.Roles = append(p.Roles, role)
	}
	return p.completed()
}

func TestTheIndexDecidesAsThePolicyReads(t *testing.T) {
	p := large()
	for i := range 50 {
		roles := []string{DefaultRole, fmt.Sprintf("role-%d", i), fmt.Sprintf("role-%d", (i*13)%50), "unknown"}
		for j := range 21 {
			for _, action := range []string{"read", "delete", "*", "unknown"} {
				resource := fmt.Sprintf("resource-%d", j)
				if got, want := p.Granting(roles, resource, action), grantingSlowly(p, roles, resource, action); !slices.Equal(got, want) {
					t.Fatalf("%v on %s for %v: %v, want %v", action, resource, roles, got, want)
				}
			}
		}
	}
}

func TestActionsTellWhatAStarMeans(t *testing.T) {
	p := policyOf(t, newspaper)
	policy := p.completed()
	for _, c := range []struct {
		roles    []string
		resource string
		want     []string
	}{
		{policy.RolesOf(nil), "articles", []string{"read"}},
		{policy.RolesOf([]string{"owner"}), "articles", []string{"read", "write", "delete"}},
		{policy.RolesOf([]string{"gone", "editor"}), "my.archive", []string{"search"}},
		{policy.RolesOf(nil), "my.archive", nil},
		{policy.RolesOf([]string{"owner"}), "unknown", nil},
	} {
		if got := policy.Actions(c.roles, c.resource); !slices.Equal(got, c.want) {
			t.Errorf("%v may %v on %s, want %v", c.roles, got, c.resource, c.want)
		}
	}
	if got := policy.RolesOf([]string{"gone", "editor", DefaultRole}); !slices.Equal(got, []string{DefaultRole, "editor"}) {
		t.Errorf("in force are %v", got)
	}
}

func TestPolicyLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		ctx := context.Background()
		s, env := created(t, db)
		other := New(db)
		if err := other.Load(ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.SetPolicy(ctx, env.ID, policyOf(t, newspaper)); err != nil {
			t.Fatal(err)
		}
		if err := other.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		for name, node := range map[string]*Service{"this node": s, "the other": other} {
			p := node.Environments()[0].Policy()
			if got := p.Granting([]string{DefaultRole, "editor"}, "articles", "read"); !slices.Equal(got, []string{DefaultRole, "editor"}) {
				t.Errorf("%s: %v", name, got)
			}
			if live := node.Environments()[1].Policy(); len(live.Roles) != 1 {
				t.Errorf("%s: the live environment has %v", name, live.Roles)
			}
		}
		before, _ := json.Marshal(s.Environments()[0].Policy())
		err := s.SetPolicy(ctx, env.ID, policyOf(t, `{"roles": [{"role_id": "a b"}]}`))
		if after, _ := json.Marshal(s.Environments()[0].Policy()); !errors.Is(err, errRoleID) || string(after) != string(before) {
			t.Errorf("a refused policy gave %v and left %s", err, after)
		}
		if err := s.SetPolicy(ctx, env.ID, Policy{}); err != nil || !s.Environments()[0].Policy().HasRole(DefaultRole) {
			t.Errorf("the role that everybody holds went: %v", err)
		}
		if err := s.SetPolicy(ctx, "project-test-unknown", Policy{}); !errors.Is(err, errEnvironmentNotFound) {
			t.Errorf("an unknown environment gave %v", err)
		}
		if len(builtIn.Roles) != 1 || builtIn.Roles[0].Permissions == nil {
			t.Errorf("the built-in policy became %+v", builtIn)
		}
	})
}

// Many who change a policy at once, on two nodes, each find what the others did.
func TestPolicyChangesLoseNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		ctx := context.Background()
		s, env := created(t, db)
		other := New(db)
		if err := other.Load(ctx); err != nil {
			t.Fatal(err)
		}
		const each = 10
		var group sync.WaitGroup
		for n, node := range []*Service{s, other} {
			for i := range each {
				group.Go(func() {
					err := node.ChangePolicy(ctx, env.ID, func(p *Policy) error {
						p.Roles = append(p.Roles, PolicyRole{RoleID: fmt.Sprintf("role-%d-%d", n, i)})
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
		}
		group.Wait()
		if err := s.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		if p := s.Environments()[0].Policy(); len(p.Roles) != 1+2*each {
			t.Errorf("%d roles are left", len(p.Roles))
		}
		refused := errors.New("refused")
		if err := s.ChangePolicy(ctx, env.ID, func(p *Policy) error { p.Roles = nil; return refused }); !errors.Is(err, refused) {
			t.Errorf("a change that refuses gave %v", err)
		}
		err := s.ChangePolicy(ctx, env.ID, func(p *Policy) error {
			p.Roles[1].Permissions = []PolicyPermission{{ResourceID: "nothing", Actions: []string{"read"}}}
			return nil
		})
		if !errors.Is(err, errUnknownResource) {
			t.Errorf("a wrong policy gave %v", err)
		}
		if p := s.Environments()[0].Policy(); len(p.Roles) != 1+2*each || len(builtIn.Roles) != 1 {
			t.Errorf("refused changes left %d roles, and %d built in", len(p.Roles), len(builtIn.Roles))
		}
	})
}

func TestJWTTemplateLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		ctx := context.Background()
		s, env := created(t, db)
		set := func(kind, content, audience string) error {
			return s.SetJWTTemplate(ctx, env.ID, JWTTemplate{Type: jwttemplate.Kind(kind), Content: content, CustomAudience: audience})
		}
		if err := set("session", `{"a": {{ user.user_id }}}`, "https://api.example.com"); err != nil {
			t.Fatal(err)
		}
		now := s.Environments()[0]
		if got := now.JWTTemplate(jwttemplate.Session); got.Template() == nil || got.Type != jwttemplate.Session || !reflect.DeepEqual(now.Audience(jwttemplate.Session), []string{env.ID, "https://api.example.com"}) {
			t.Errorf("the template became %+v", got)
		}
		if !reflect.DeepEqual(now.Audience(jwttemplate.M2M), []string{env.ID}) || now.JWTTemplate(jwttemplate.M2M).Template() != nil {
			t.Error("the other type has one too")
		}
		for _, c := range []struct{ kind, content, audience, want string }{
			{"IDP", `{}`, "", "invalid_jwt_template_type"},
			{"SESSION", `{`, "", "jwt_template_invalid_json"},
			{"M2M", `{"a": {{ user.user_id }}}`, "", "jwt_template_invalid_tag"},
			{"SESSION", `{"a": "{{"}`, "", "jwt_template_mismatched_tag"},
			{"SESSION", `{}`, "a b", "invalid_custom_audience"},
			{"SESSION", `{}`, env.ID, "invalid_custom_audience"},
			{"SESSION", `{}`, strings.Repeat("x", 257), "invalid_custom_audience"},
		} {
			if err := set(c.kind, c.content, c.audience); apierr.From(err) == nil || apierr.From(err).Type != c.want {
				t.Errorf("%+v gave %v", c, err)
			}
		}
		if got := s.Environments()[0].JWTTemplate(jwttemplate.Session).Content; got != `{"a": {{ user.user_id }}}` {
			t.Errorf("refused changes left %s", got)
		}
		if err := s.RemoveJWTTemplate(ctx, env.ID, jwttemplate.Session); err != nil || s.Environments()[0].JWTTemplate(jwttemplate.Session) != nil {
			t.Errorf("removing it: %v", err)
		}
		if err := s.RemoveJWTTemplate(ctx, env.ID, jwttemplate.Session); !errors.Is(err, errTemplateNotFound) {
			t.Errorf("removing it again: %v", err)
		}
	})
}

// A template that this version cannot read makes no claims. It must not keep
// the server from starting, nor anybody from signing in.
func TestATemplateThatCannotBeReadStopsNobody(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		ctx := context.Background()
		s, env := created(t, db)
		err := db.Update(ctx, func(tx *store.Tx) error {
			return writeJWTTemplate(tx, env.ID, &JWTTemplate{Type: jwttemplate.Session, Content: `{"a": {{ user.from_the_future }}}`})
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Load(ctx); err != nil {
			t.Fatal(err)
		}
		got := s.Environments()[0].JWTTemplate(jwttemplate.Session)
		if got.Template() != nil || got.Broken() == nil {
			t.Errorf("got %+v", got)
		}
	})
}

func BenchmarkGranting(b *testing.B) {
	p := large()
	for _, n := range []int{2, 20} {
		roles := []string{DefaultRole}
		for i := range n {
			roles = append(roles, fmt.Sprintf("role-%d", i*2))
		}
		b.Run(fmt.Sprintf("%d_roles", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if len(p.Granting(roles[1:], "resource-7", "read")) == 0 {
					b.Fatal("nothing grants it")
				}
			}
		})
	}
}
