package project

import "slices"

// Policy says which roles exist and what each may do: roles get actions on
// resources (contract.json, RBACPolicy).
type Policy struct {
	Roles     []PolicyRole     `json:"roles"`
	Resources []PolicyResource `json:"resources"`
	Scopes    []PolicyScope    `json:"scopes"`
}

// PolicyRole is a named set of permissions.
type PolicyRole struct {
	RoleID      string             `json:"role_id"`
	Description string             `json:"description"`
	Permissions []PolicyPermission `json:"permissions"`
}

// PolicyPermission allows actions on one resource; "*" stands for all.
type PolicyPermission struct {
	ResourceID string   `json:"resource_id"`
	Actions    []string `json:"actions"`
}

// PolicyResource is something actions can be taken on.
type PolicyResource struct {
	ResourceID  string   `json:"resource_id"`
	Description string   `json:"description"`
	Actions     []string `json:"actions"`
}

// PolicyScope is what another app can be granted.
type PolicyScope struct {
	Scope       string             `json:"scope"`
	Description string             `json:"description"`
	Permissions []PolicyPermission `json:"permissions"`
}

// DefaultRole is held by every user without being assigned.
const DefaultRole = "stytch_user"

// Policy returns the policy in force: the built-in one, in which everybody
// holds the default role and no role carries a permission.
func (e *Environment) Policy() *Policy {
	return &Policy{
		Roles:     []PolicyRole{{RoleID: DefaultRole, Description: "Held by every user.", Permissions: []PolicyPermission{}}},
		Resources: []PolicyResource{},
		Scopes:    []PolicyScope{},
	}
}

// HasRole reports whether the policy knows a role.
func (p *Policy) HasRole(roleID string) bool {
	return slices.ContainsFunc(p.Roles, func(r PolicyRole) bool { return r.RoleID == roleID })
}

// Granting returns those of the roles that allow an action on a resource.
func (p *Policy) Granting(roles []string, resourceID, action string) []string {
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
