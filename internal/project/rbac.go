package project

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/store"
)

// The bounds of a policy. SDKs read the whole of it when they start.
const (
	maxPolicyBytes   = 64 << 10
	maxPolicyEntries = 100 // of roles, resources and scopes each; of a resource's actions; of a role's permissions
	maxPolicyName    = 128
	maxDescription   = 256
)

var (
	errPolicySize         = apierr.New(400, "rbac_policy_too_large", "A policy may have 100 roles, 100 resources and 100 scopes, and 64 KB of JSON in all.")
	errRoleID             = apierr.New(400, "invalid_rbac_role_id", "A role's id has 1 to 128 letters, digits and . _ - : /.")
	errResourceID         = apierr.New(400, "invalid_rbac_resource_id", "A resource's id has 1 to 128 letters, digits and . _ - : /.")
	errAction             = apierr.New(400, "invalid_rbac_action", "An action has 1 to 128 letters, digits and . _ - : /.")
	errScope              = apierr.New(400, "invalid_rbac_scope", "A scope has 1 to 128 letters, digits and . _ - : /.")
	errReservedScope      = apierr.New(400, "rbac_reserved_scope", "The scope has a meaning of its own already.")
	errWildcardAction     = apierr.New(400, "invalid_wildcard_action", "A resource cannot have \"*\" among its actions: in a permission it stands for all of them.")
	errWildcardOthers     = apierr.New(400, "cannot_specify_wildcard_with_other_actions", "\"*\" stands for every action, so it stands alone.")
	errRoleTwice          = apierr.New(400, "rbac_role_duplicate", "A role is in the policy twice.")
	errResourceTwice      = apierr.New(400, "rbac_resource_duplicate", "A resource is in the policy twice.")
	errActionTwice        = apierr.New(400, "rbac_action_duplicate", "An action is named twice.")
	errScopeTwice         = apierr.New(400, "rbac_scope_duplicate", "A scope is in the policy twice.")
	errDescription        = apierr.New(400, "rbac_description_too_long", "A description may have at most 256 characters.")
	errNoResourceActions  = apierr.New(400, "rbac_resource_missing_actions", "A resource needs an action at least.")
	errNoActions          = apierr.New(400, "rbac_permission_missing_actions", "A permission needs an action at least; \"*\" stands for all of them.")
	errNoScopePermissions = apierr.New(400, "rbac_scope_missing_permissions", "A scope needs a permission at least.")
	errUnknownResource    = apierr.New(400, "rbac_resource_not_found", "A permission is for a resource that the policy does not have.")
	errUnknownAction      = apierr.New(400, "rbac_action_not_found", "A permission is for an action that its resource does not have.")
	errVertical           = apierr.New(400, "invalid_role_for_vertical", "The roles stytch_member and stytch_admin are those of organizations. Here everybody holds stytch_user.")
)

// reservedScopes have a meaning in OAuth 2.0 and OpenID Connect already.
var reservedScopes = []string{"openid", "profile", "email", "phone", "address", "offline_access", "full_access"}

// SetPolicy checks a policy as a whole and replaces the environment's by it. The
// role that everybody holds is always there: a policy that leaves it out gives
// it no permission. Roles that users hold may go: see Policy.RolesOf.
func (s *Service) SetPolicy(ctx context.Context, envID string, p Policy) error {
	return s.ChangePolicy(ctx, envID, func(now *Policy) error {
		*now = p
		return nil
	})
}

// ChangePolicy changes an environment's policy as it stands in the transaction,
// so that of two who change it at once neither loses anything. The result is
// checked as a whole before it is written. What f gets is its own to change; it
// may run twice.
func (s *Service) ChangePolicy(ctx context.Context, envID string, f func(*Policy) error) error {
	return s.change(ctx, envID, func(tx *store.Tx, env *Environment) (*event.Event, error) {
		was, err := json.Marshal(env.Policy())
		if err != nil {
			return nil, err
		}
		p, err := storedPolicy(was)
		if err != nil {
			return nil, err
		}
		if err := f(p); err != nil {
			return nil, err
		}
		next, err := p.checked()
		if err != nil {
			return nil, err
		}
		document, err := json.Marshal(next)
		if err != nil {
			return nil, err
		}
		if len(document) > maxPolicyBytes {
			return nil, errPolicySize
		}
		if bytes.Equal(was, document) {
			return nil, nil
		}
		return policyEvent(env.Policy(), next), writePolicy(tx, envID, document)
	})
}

// checked returns the policy completed, or says what is wrong with it and where.
func (p *Policy) checked() (*Policy, error) {
	if len(p.Roles) > maxPolicyEntries || len(p.Resources) > maxPolicyEntries || len(p.Scopes) > maxPolicyEntries {
		return nil, errPolicySize
	}
	actions := map[string][]string{}
	for _, r := range p.Resources {
		if err := r.check(actions); err != nil {
			return nil, err
		}
		actions[r.ResourceID] = r.Actions
	}
	roles := map[string]bool{}
	for _, r := range p.Roles {
		if err := r.check(); err != nil {
			return nil, err
		}
		if roles[r.RoleID] {
			return nil, errRoleTwice.WithMessage("The role %q is in the policy twice.", r.RoleID)
		}
		roles[r.RoleID] = true
		if err := checkPermissions("role", r.RoleID, r.Permissions, actions); err != nil {
			return nil, err
		}
	}
	scopes := map[string]bool{}
	for _, s := range p.Scopes {
		if err := s.check(); err != nil {
			return nil, err
		}
		if scopes[s.Scope] {
			return nil, errScopeTwice.WithMessage("The scope %q is in the policy twice.", s.Scope)
		}
		scopes[s.Scope] = true
		if err := checkPermissions("scope", s.Scope, s.Permissions, actions); err != nil {
			return nil, err
		}
	}
	return p.completed(), nil
}

func (r *PolicyResource) check(others map[string][]string) error {
	if err := checkPolicyName(errResourceID, "resource", r.ResourceID); err != nil {
		return err
	}
	if _, twice := others[r.ResourceID]; twice {
		return errResourceTwice.WithMessage("The resource %q is in the policy twice.", r.ResourceID)
	}
	if len(r.Actions) == 0 {
		return errNoResourceActions.WithMessage("The resource %q needs an action at least.", r.ResourceID)
	}
	if len(r.Actions) > maxPolicyEntries {
		return errPolicySize.WithMessage("The resource %q has more than %d actions.", r.ResourceID, maxPolicyEntries)
	}
	for i, action := range r.Actions {
		switch {
		case action == EveryAction:
			return errWildcardAction.WithMessage("The resource %q cannot have \"*\" among its actions: in a permission it stands for all of them.", r.ResourceID)
		case !isPolicyName(action):
			return errAction.WithMessage("The resource %q has the action %q. An action has 1 to %d letters, digits and . _ - : /.", r.ResourceID, shortened(action), maxPolicyName)
		case slices.Contains(r.Actions[:i], action):
			return errActionTwice.WithMessage("The resource %q has the action %q twice.", r.ResourceID, action)
		}
	}
	return checkDescription("resource", r.ResourceID, r.Description)
}

func (r *PolicyRole) check() error {
	switch r.RoleID {
	case DefaultRole:
		return checkDescription("role", r.RoleID, r.Description)
	case "stytch_member", "stytch_admin":
		return errVertical
	}
	if err := checkPolicyName(errRoleID, "role", r.RoleID); err != nil {
		return err
	}
	return checkDescription("role", r.RoleID, r.Description)
}

func (s *PolicyScope) check() error {
	if slices.Contains(reservedScopes, strings.ToLower(s.Scope)) {
		return errReservedScope.WithMessage("The scope %q has a meaning of its own already: choose another name.", s.Scope)
	}
	if err := checkPolicyName(errScope, "scope", s.Scope); err != nil {
		return err
	}
	if len(s.Permissions) == 0 {
		return errNoScopePermissions.WithMessage("The scope %q needs a permission at least.", s.Scope)
	}
	return checkDescription("scope", s.Scope, s.Description)
}

// checkPermissions checks the permissions of a role or a scope against the
// actions of the resources. A role may have none: its name alone can tell an
// application something.
func checkPermissions(what, name string, list []PolicyPermission, actions map[string][]string) error {
	if len(list) > maxPolicyEntries {
		return errPolicySize.WithMessage("The %s %q has more than %d permissions.", what, name, maxPolicyEntries)
	}
	for _, g := range list {
		known, ok := actions[g.ResourceID]
		switch {
		case !ok:
			return errUnknownResource.WithMessage("The %s %q has a permission for the resource %q, which is not among the resources of the policy. Add the resource, or take the permission away.", what, name, shortened(g.ResourceID))
		case len(g.Actions) == 0:
			return errNoActions.WithMessage("The %s %q has a permission for the resource %q without an action. \"*\" stands for all of them.", what, name, g.ResourceID)
		}
		for i, action := range g.Actions {
			switch {
			case action == EveryAction && len(g.Actions) > 1:
				return errWildcardOthers.WithMessage("The %s %q has a permission for the resource %q with \"*\" and other actions. \"*\" stands for every action, so it stands alone.", what, name, g.ResourceID)
			case action == EveryAction:
			case !slices.Contains(known, action):
				return errUnknownAction.WithMessage("The %s %q has a permission for the action %q, which the resource %q does not have. Add the action to the resource, or take it from the permission.", what, name, shortened(action), g.ResourceID)
			case slices.Contains(g.Actions[:i], action):
				return errActionTwice.WithMessage("The %s %q has the action %q on the resource %q twice.", what, name, action, g.ResourceID)
			}
		}
	}
	return nil
}

// checkPolicyName checks the name of a resource, a role or a scope. Names that
// begin with stytch are not for policies to give: SDKs know some of them, and
// those in browsers keep roles by name where __proto__ has a meaning.
func checkPolicyName(err *apierr.Error, what, name string) error {
	if !isPolicyName(name) {
		return err.WithMessage("The %s %q: the name has 1 to %d letters, digits and . _ - : /.", what, shortened(name), maxPolicyName)
	}
	if strings.HasPrefix(strings.ToLower(name), "stytch") || strings.HasPrefix(name, "__") {
		return err.WithMessage("The %s %q: names that begin with stytch or __ are reserved.", what, name)
	}
	return nil
}

func isPolicyName(name string) bool {
	return name != "" && len(name) <= maxPolicyName && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("._-:/", r)
	})
}

func checkDescription(what, name, description string) error {
	if utf8.RuneCountInString(description) > maxDescription {
		return errDescription.WithMessage("The description of the %s %q has more than %d characters.", what, name, maxDescription)
	}
	return nil
}

// shortened is a name in a message, which may be of any length.
func shortened(name string) string {
	if utf8.RuneCountInString(name) <= maxPolicyName {
		return name
	}
	return string([]rune(name)[:maxPolicyName]) + "..."
}
