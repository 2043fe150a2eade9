package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/app"
	"gatehouse/internal/project"
)

type rbacRoleCommands struct {
	Set    rbacRoleSet    `cmd:"" help:"Add a role, or change what the flags name of it."`
	Remove rbacRoleRemove `cmd:"" help:"Remove a role. Users who hold it keep it, and it grants nothing until it is back."`
}

type rbacResourceCommands struct {
	Set    rbacResourceSet    `cmd:"" help:"Add a resource, or change its actions or its description."`
	Remove rbacResourceRemove `cmd:"" help:"Remove a resource that no role and no scope has a permission for."`
}

type rbacScopeCommands struct {
	Set    rbacScopeSet    `cmd:"" help:"Add a scope, or change what the flags name of it."`
	Remove rbacScopeRemove `cmd:"" help:"Remove a scope."`
}

// grants are the changes that a command makes to a list of permissions.
type grants struct {
	Description *string  `placeholder:"TEXT" help:"What it is for. When left out it stays as it is."`
	Grant       []string `sep:"none" placeholder:"RESOURCE:ACTION" help:"Permit an action, or several with commas between; * stands for all. Give it once for each resource; what was permitted before stays."`
	Revoke      []string `sep:"none" placeholder:"RESOURCE:ACTION" help:"Take an action away, or several with commas between; a RESOURCE alone takes all of them. It comes before what --grant permits."`
}

type rbacRoleSet struct {
	target
	RoleID string `arg:"" help:"role_id, such as editor."`
	grants
}

// Run adds or changes a role.
func (c *rbacRoleSet) Run(t *Terminal) error {
	var now project.PolicyRole
	return c.edit(func(p *project.Policy) error {
		at := slices.IndexFunc(p.Roles, func(r project.PolicyRole) bool { return r.RoleID == c.RoleID })
		if at < 0 {
			at = len(p.Roles)
			p.Roles = append(p.Roles, project.PolicyRole{RoleID: c.RoleID})
		}
		role := &p.Roles[at]
		if err := c.apply(p, "role "+c.RoleID, &role.Description, &role.Permissions); err != nil {
			return err
		}
		now = *role
		return nil
	}, func(env *project.Environment) error {
		return c.say(t, now, "Set the role %s of %s: %s.", c.RoleID, title(env), permitted(now.Permissions))
	})
}

type rbacScopeSet struct {
	target
	Scope string `arg:"" help:"The scope, such as read:articles."`
	grants
}

// Run adds or changes a scope.
func (c *rbacScopeSet) Run(t *Terminal) error {
	var now project.PolicyScope
	return c.edit(func(p *project.Policy) error {
		at := slices.IndexFunc(p.Scopes, func(s project.PolicyScope) bool { return s.Scope == c.Scope })
		if at < 0 {
			at = len(p.Scopes)
			p.Scopes = append(p.Scopes, project.PolicyScope{Scope: c.Scope})
		}
		scope := &p.Scopes[at]
		if err := c.apply(p, "scope "+c.Scope, &scope.Description, &scope.Permissions); err != nil {
			return err
		}
		now = *scope
		return nil
	}, func(env *project.Environment) error {
		return c.say(t, now, "Set the scope %s of %s: %s.", c.Scope, title(env), permitted(now.Permissions))
	})
}

type rbacResourceSet struct {
	target
	ResourceID  string   `arg:"" help:"resource_id, such as articles."`
	Action      []string `arg:"" optional:"" help:"All of its actions, such as read write. When left out they stay as they are."`
	Description *string  `placeholder:"TEXT" help:"What it is. When left out it stays as it is."`
}

// Run adds or changes a resource.
func (c *rbacResourceSet) Run(t *Terminal) error {
	var now project.PolicyResource
	return c.edit(func(p *project.Policy) error {
		at := slices.IndexFunc(p.Resources, func(r project.PolicyResource) bool { return r.ResourceID == c.ResourceID })
		if at < 0 {
			at = len(p.Resources)
			p.Resources = append(p.Resources, project.PolicyResource{ResourceID: c.ResourceID})
		}
		resource := &p.Resources[at]
		if len(c.Action) > 0 {
			resource.Actions = c.Action
		}
		if c.Description != nil {
			resource.Description = *c.Description
		}
		now = *resource
		return nil
	}, func(env *project.Environment) error {
		return c.say(t, now, "Set the resource %s of %s: %s.", c.ResourceID, title(env), strings.Join(now.Actions, ", "))
	})
}

// edit changes the policy as it is by then, whoever else changes it, and says so.
func (c *target) edit(f func(*project.Policy) error, say func(*project.Environment) error) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if err := a.Projects.ChangePolicy(ctx, env.ID, f); err != nil {
			return err
		}
		return say(env)
	})
}

// apply makes the changes to the permissions of a role or a scope. Several for
// one resource, which a file can hold, become one.
func (g *grants) apply(p *project.Policy, whose string, description *string, permissions *[]project.PolicyPermission) error {
	if g.Description != nil {
		*description = *g.Description
	}
	held := []project.PolicyPermission{}
	for _, one := range *permissions {
		held = granted(held, one)
	}
	for _, text := range g.Revoke {
		one, err := readPermission(text, held, true)
		if err != nil {
			return err
		}
		if held, err = revoked(whose, held, one); err != nil {
			return err
		}
	}
	var offered []project.PolicyPermission
	for _, r := range p.Resources {
		offered = append(offered, project.PolicyPermission{ResourceID: r.ResourceID, Actions: append([]string{project.EveryAction}, r.Actions...)})
	}
	for _, text := range g.Grant {
		one, err := readPermission(text, offered, false)
		if err != nil {
			return err
		}
		held = granted(held, one)
	}
	*permissions = held
	return nil
}

// granted is the list with a permission more.
func granted(held []project.PolicyPermission, one project.PolicyPermission) []project.PolicyPermission {
	at := ofResource(held, one.ResourceID)
	if at < 0 {
		return append(held, one)
	}
	switch now := held[at].Actions; {
	case slices.Equal(now, []string{project.EveryAction}):
	case slices.Equal(one.Actions, []string{project.EveryAction}):
		held[at].Actions = one.Actions
	default:
		for _, action := range one.Actions {
			if !slices.Contains(now, action) {
				now = append(now, action)
			}
		}
		held[at].Actions = now
	}
	return held
}

// revoked is the list without a permission. One that is not there is refused:
// taken for done, a misspelled name would leave what should be gone.
func revoked(whose string, held []project.PolicyPermission, one project.PolicyPermission) ([]project.PolicyPermission, error) {
	at := ofResource(held, one.ResourceID)
	if at < 0 {
		return nil, fmt.Errorf("the %s has no permission for the resource %s", whose, one.ResourceID)
	}
	left := slices.Clone(held[at].Actions)
	for _, action := range one.Actions {
		n := slices.Index(left, action)
		switch {
		case n >= 0:
			left = slices.Delete(left, n, n+1)
		case slices.Contains(left, project.EveryAction):
			return nil, fmt.Errorf("the %s has every action on the resource %s: take all of them with --revoke %s, and --grant what it keeps", whose, one.ResourceID, one.ResourceID)
		default:
			return nil, fmt.Errorf("the %s has no permission for the action %s on the resource %s", whose, action, one.ResourceID)
		}
	}
	if len(one.Actions) == 0 || len(left) == 0 {
		return slices.Delete(held, at, at+1), nil
	}
	held[at].Actions = left
	return held, nil
}

func ofResource(permissions []project.PolicyPermission, resourceID string) int {
	return slices.IndexFunc(permissions, func(g project.PolicyPermission) bool { return g.ResourceID == resourceID })
}

// readPermission reads RESOURCE:ACTION,ACTION and, where it may be, a RESOURCE
// alone. Names can have colons in them: what is known tells where one ends.
func readPermission(text string, known []project.PolicyPermission, alone bool) (project.PolicyPermission, error) {
	var readings []project.PolicyPermission
	for at, r := range text {
		if r == ':' && at > 0 && at < len(text)-1 {
			readings = append(readings, project.PolicyPermission{ResourceID: text[:at], Actions: strings.Split(text[at+1:], ",")})
		}
	}
	if alone && (len(readings) == 0 || ofResource(known, text) >= 0) {
		readings = append(readings, project.PolicyPermission{ResourceID: text})
	}
	if len(readings) == 0 {
		return project.PolicyPermission{}, usagef("%q is no permission: write RESOURCE:ACTION, or several actions with commas between", text)
	}
	// The best reading is of a resource and actions that are known, the next
	// best of a resource that is.
	fits := func(g project.PolicyPermission) int {
		at := ofResource(known, g.ResourceID)
		switch {
		case at < 0:
			return 0
		case slices.ContainsFunc(g.Actions, func(action string) bool { return !slices.Contains(known[at].Actions, action) }):
			return 1
		}
		return 2
	}
	best, ties := readings[0], 0
	for _, one := range readings {
		switch {
		case fits(one) > fits(best):
			best, ties = one, 1
		case fits(one) == fits(best):
			ties++
		}
	}
	if fits(best) == 2 && ties > 1 {
		return project.PolicyPermission{}, usagef("%q can be read as permissions for different resources: change the policy as a whole, with gatehouse rbac show --json and rbac set", text)
	}
	return best, nil
}

// permitted shows permissions in a line.
func permitted(permissions []project.PolicyPermission) string {
	if len(permissions) == 0 {
		return "no permissions"
	}
	var parts []string
	for _, g := range permissions {
		parts = append(parts, g.ResourceID+" ("+strings.Join(g.Actions, ", ")+")")
	}
	return strings.Join(parts, ", ")
}

type rbacRoleRemove struct {
	target
	RoleID string `arg:"" help:"role_id, from gatehouse rbac show."`
	confirmation
}

// Run removes a role.
func (c *rbacRoleRemove) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if c.RoleID == project.DefaultRole {
			return fmt.Errorf("everybody holds %s, so it stays: take its permissions away with %s", c.RoleID, c.suggest("rbac role set %s %s --revoke RESOURCE", c.Environment, c.RoleID))
		}
		if err := c.ask(t, fmt.Sprintf("Users of %s who hold the role %s may not do any more what it permits. Remove it?", title(env), c.RoleID)); err != nil {
			return err
		}
		err := a.Projects.ChangePolicy(ctx, env.ID, func(p *project.Policy) (err error) {
			p.Roles, err = without(p.Roles, func(r project.PolicyRole) bool { return r.RoleID == c.RoleID }, "role", c.RoleID)
			return err
		})
		if err != nil {
			return err
		}
		return c.say(t, map[string]any{"role_id": c.RoleID, "removed": true}, "Removed the role %s of %s. Users who hold it keep it, and it grants nothing until it is back.", c.RoleID, title(env))
	})
}

type rbacResourceRemove struct {
	target
	ResourceID string `arg:"" help:"resource_id, from gatehouse rbac show."`
	confirmation
}

// Run removes a resource. Roles and scopes with a permission for it stand in the way.
func (c *rbacResourceRemove) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if err := c.ask(t, fmt.Sprintf("Nobody may take an action on the resource %s of %s any more. Remove it?", c.ResourceID, title(env))); err != nil {
			return err
		}
		err := a.Projects.ChangePolicy(ctx, env.ID, func(p *project.Policy) (err error) {
			p.Resources, err = without(p.Resources, func(r project.PolicyResource) bool { return r.ResourceID == c.ResourceID }, "resource", c.ResourceID)
			return err
		})
		if err != nil {
			return err
		}
		return c.say(t, map[string]any{"resource_id": c.ResourceID, "removed": true}, "Removed the resource %s of %s.", c.ResourceID, title(env))
	})
}

type rbacScopeRemove struct {
	target
	Scope string `arg:"" help:"The scope, from gatehouse rbac show."`
	confirmation
}

// Run removes a scope.
func (c *rbacScopeRemove) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if err := c.ask(t, fmt.Sprintf("The scope %s of %s will be gone. Remove it?", c.Scope, title(env))); err != nil {
			return err
		}
		err := a.Projects.ChangePolicy(ctx, env.ID, func(p *project.Policy) (err error) {
			p.Scopes, err = without(p.Scopes, func(s project.PolicyScope) bool { return s.Scope == c.Scope }, "scope", c.Scope)
			return err
		})
		if err != nil {
			return err
		}
		return c.say(t, map[string]any{"scope": c.Scope, "removed": true}, "Removed the scope %s of %s.", c.Scope, title(env))
	})
}

// without is a list of the policy without one of its entries.
func without[T any](entries []T, is func(T) bool, what, name string) ([]T, error) {
	at := slices.IndexFunc(entries, is)
	if at < 0 {
		return nil, fmt.Errorf("the policy has no %s %s", what, name)
	}
	return slices.Delete(entries, at, at+1), nil
}
