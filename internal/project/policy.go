package project

import "slices"

// Policy says which roles exist and what each may do: roles get actions on
// resources (contract.json, RBACPolicy). It is immutable once it is in force.
type Policy struct {
	Roles     []PolicyRole     `json:"roles" required:"true"`
	Resources []PolicyResource `json:"resources" required:"true"`
	Scopes    []PolicyScope    `json:"scopes" required:"true"`

	places map[string]int            // of the roles
	exact  map[permissionKey]roleSet // who has the permission by its name
	every  map[string]roleSet        // who has every permission for a resource
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

// EveryAction stands for all actions on a resource, those to come included.
const EveryAction = "*"

// roleSet holds roles by their places in the policy.
type roleSet map[string]int

type permissionKey struct{ resource, action string }

// builtIn is the policy of an environment that has set none: everybody holds
// the default role, and no role carries a permission.
var builtIn = (&Policy{}).completed()

// Policy returns the policy in force.
func (e *Environment) Policy() *Policy {
	if e.policy == nil {
		return builtIn
	}
	return e.policy
}

// completed is the policy as it can be in force: the role that everybody holds
// is in it, no list is nil, and what is asked on every request can be found fast.
func (p *Policy) completed() *Policy {
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
	next.index()
	return next
}

// index makes what Granting looks into.
func (p *Policy) index() {
	p.places, p.exact, p.every = make(map[string]int, len(p.Roles)), map[permissionKey]roleSet{}, map[string]roleSet{}
	for place := range p.Roles {
		r := &p.Roles[place]
		r.Permissions = permissions(r.Permissions)
		p.places[r.RoleID] = place
		for _, g := range r.Permissions {
			for _, action := range g.Actions {
				if action == EveryAction {
					add(p.every, g.ResourceID, r.RoleID, place)
				}
				add(p.exact, permissionKey{g.ResourceID, action}, r.RoleID, place)
			}
		}
	}
}

func add[K comparable](to map[K]roleSet, key K, roleID string, place int) {
	if to[key] == nil {
		to[key] = roleSet{}
	}
	to[key][roleID] = place
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
func (p *Policy) HasRole(roleID string) bool {
	_, known := p.places[roleID]
	return known
}

// RolesOf returns the roles of somebody to whom these are assigned: the one
// that everybody holds, and those that the policy knows. A role that was taken
// out of the policy stays assigned, but is nothing until it is back.
func (p *Policy) RolesOf(assigned []string) []string {
	roles := make([]string, 1, 1+len(assigned))
	roles[0] = DefaultRole
	for _, role := range assigned {
		if p.HasRole(role) && role != DefaultRole {
			roles = append(roles, role)
		}
	}
	return roles
}

// Granting returns those of somebody's roles that allow an action on a resource,
// in the order of the policy. The role that everybody holds counts whether or
// not it is named. SDKs decide by the same rule: the names are equal to the
// letter, or the permission is for every action.
func (p *Policy) Granting(assigned []string, resourceID, action string) []string {
	exact, every := p.exact[permissionKey{resourceID, action}], p.every[resourceID]
	if exact == nil && every == nil {
		return nil
	}
	var room [32]int
	places := room[:0]
	count := func(role string) {
		place, granted := exact[role]
		if !granted {
			place, granted = every[role]
		}
		if granted {
			places = append(places, place)
		}
	}
	count(DefaultRole)
	for _, role := range assigned {
		count(role)
	}
	if len(places) == 0 {
		return nil
	}
	slices.Sort(places)
	places = slices.Compact(places)
	granting := make([]string, len(places))
	for i, place := range places {
		granting[i] = p.Roles[place].RoleID
	}
	return granting
}

// Actions returns what somebody with these roles may do with a resource, in the
// order of the resource's own list: "*" is told as the actions there are. It is
// nil when that is nothing, or there is no such resource.
func (p *Policy) Actions(assigned []string, resourceID string) []string {
	var allowed []string
	for _, resource := range p.Resources {
		if resource.ResourceID != resourceID {
			continue
		}
		for _, action := range resource.Actions {
			if len(p.Granting(assigned, resourceID, action)) > 0 {
				allowed = append(allowed, action)
			}
		}
	}
	return allowed
}
