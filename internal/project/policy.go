package project

import (
	"cmp"
	"slices"
)

// Policy says which roles exist and what each may do: roles get actions on
// resources (contract.json, RBACPolicy). It is immutable once it is in force.
type Policy struct {
	Roles     []PolicyRole     `json:"roles" required:"true"`
	Resources []PolicyResource `json:"resources" required:"true"`
	Scopes    []PolicyScope    `json:"scopes" required:"true"`

	byRole map[string]*rolePermissions
}

// PolicyRole is a named set of permissions.
type PolicyRole struct {
	RoleID      string             `json:"role_id" required:"true"`
	Description string             `json:"description" required:"true"`
	Permissions []PolicyPermission `json:"permissions" required:"true"`
}

// PolicyPermission allows actions on one resource; "*" stands for all.
type PolicyPermission struct {
	ResourceID string   `json:"resource_id" required:"true"`
	Actions    []string `json:"actions" required:"true"`
}

// PolicyResource is something actions can be taken on.
type PolicyResource struct {
	ResourceID  string   `json:"resource_id" required:"true"`
	Description string   `json:"description" required:"true"`
	Actions     []string `json:"actions" required:"true"`
}

// PolicyScope is what another app can be granted.
type PolicyScope struct {
	Scope       string             `json:"scope" required:"true"`
	Description string             `json:"description" required:"true"`
	Permissions []PolicyPermission `json:"permissions" required:"true"`
}

// DefaultRole is held by every user without being assigned.
const DefaultRole = "stytch_user"

// everyAction stands for all actions on a resource, those to come included.
const everyAction = "*"

// rolePermissions are the permissions of a role, to be found fast.
type rolePermissions struct {
	place   int                 // among the policy's roles
	every   map[string]struct{} // resources with every action
	actions map[permissionKey]struct{}
}

type permissionKey struct{ resource, action string }

// builtIn is the policy of an environment that has set none: everybody holds
// the default role, and no role carries a permission.
var builtIn = (&Policy{}).inForce()

// Policy returns the policy in force.
func (e *Environment) Policy() *Policy {
	if e.policy == nil {
		return builtIn
	}
	return e.policy
}

// inForce completes a policy: the role that everybody holds is in it, no list
// is nil, and what is asked on every request can be found fast.
func (p *Policy) inForce() *Policy {
	next := &Policy{Roles: slices.Clone(p.Roles), Resources: notNil(slices.Clone(p.Resources)), Scopes: notNil(slices.Clone(p.Scopes))}
	if !slices.ContainsFunc(next.Roles, func(r PolicyRole) bool { return r.RoleID == DefaultRole }) {
		next.Roles = append([]PolicyRole{{RoleID: DefaultRole, Description: "Held by every user."}}, next.Roles...)
	}
	for i := range next.Resources {
		next.Resources[i].Actions = notNil(next.Resources[i].Actions)
	}
	for i := range next.Scopes {
		next.Scopes[i].Permissions = permissions(next.Scopes[i].Permissions)
	}
	next.byRole = make(map[string]*rolePermissions, len(next.Roles))
	for i := range next.Roles {
		r := &next.Roles[i]
		r.Permissions = permissions(r.Permissions)
		found := &rolePermissions{place: i, every: map[string]struct{}{}, actions: map[permissionKey]struct{}{}}
		for _, g := range r.Permissions {
			for _, action := range g.Actions {
				if action == everyAction {
					found.every[g.ResourceID] = struct{}{}
				}
				found.actions[permissionKey{g.ResourceID, action}] = struct{}{}
			}
		}
		next.byRole[r.RoleID] = found
	}
	return next
}

func permissions(list []PolicyPermission) []PolicyPermission {
	list = notNil(slices.Clone(list))
	for i := range list {
		list[i].Actions = notNil(list[i].Actions)
	}
	return list
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// HasRole reports whether the policy knows a role.
func (p *Policy) HasRole(roleID string) bool { return p.byRole[roleID] != nil }

// InForce returns the roles of somebody to whom these are assigned: the one
// that everybody holds, and those that the policy knows. A role that was taken
// out of the policy stays assigned, but is nothing until it is back.
func (p *Policy) InForce(assigned []string) []string {
	roles := make([]string, 1, 1+len(assigned))
	roles[0] = DefaultRole
	for _, role := range assigned {
		if p.HasRole(role) && role != DefaultRole {
			roles = append(roles, role)
		}
	}
	return roles
}

// Granting returns those of the roles that allow an action on a resource, in
// the order of the policy. SDKs decide by the same rule: the names are equal to
// the letter, or the permission is for every action.
func (p *Policy) Granting(roles []string, resourceID, action string) []string {
	var granting []string
	for _, role := range roles {
		r := p.byRole[role]
		if r == nil || slices.Contains(granting, role) {
			continue
		}
		_, granted := r.actions[permissionKey{resourceID, action}]
		if !granted {
			_, granted = r.every[resourceID]
		}
		if granted {
			granting = append(granting, role)
		}
	}
	slices.SortFunc(granting, func(a, b string) int { return cmp.Compare(p.byRole[a].place, p.byRole[b].place) })
	return granting
}

// Actions returns what the roles may do with a resource, in the order of the
// resource's own list: "*" is told as the actions there are. It is nil when
// they may do nothing, or there is no such resource.
func (p *Policy) Actions(roles []string, resourceID string) []string {
	var allowed []string
	for _, resource := range p.Resources {
		if resource.ResourceID != resourceID {
			continue
		}
		for _, action := range resource.Actions {
			if len(p.Granting(roles, resourceID, action)) > 0 {
				allowed = append(allowed, action)
			}
		}
	}
	return allowed
}
