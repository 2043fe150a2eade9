package session

import (
	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/user"
)

var errUnauthorized = apierr.New(403, "consumer_session_authorization_error", "The user's roles do not allow this action on the resource.")

// authorizationCheck asks whether the user may do something (contract.json,
// AuthorizationCheck).
type authorizationCheck struct {
	ResourceID string `json:"resource_id" required:"true"`
	Action     string `json:"action" required:"true"`
}

type verdict struct {
	Authorized    bool     `json:"authorized"`
	GrantingRoles []string `json:"granting_roles"`
}

// check decides an authorization check; no check, no verdict.
func (c *Core) check(env *project.Environment, ask *authorizationCheck, row *user.Row) (*verdict, error) {
	if ask == nil {
		return nil, nil
	}
	u, err := row.User()
	if err != nil {
		return nil, err
	}
	granting := env.Policy().Granting(u.Roles, ask.ResourceID, ask.Action)
	if len(granting) == 0 {
		return nil, errUnauthorized
	}
	return &verdict{true, granting}, nil
}
