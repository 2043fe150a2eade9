package session

import (
	"encoding/json"
	"strings"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/project"
	"gatehouse/internal/user"
)

// variables answers what the tags of a template name: jwttemplate.Variables
// lists them. It looks up what is asked for and nothing else, since most
// templates ask for little.
func variables(env *project.Environment, r *Record, u *user.User, roles []string) jwttemplate.Lookup {
	return func(path []string) any {
		if path[0] == "session" {
			return sessionVariable(r, roles, path[1:])
		}
		return userVariable(env, u, roles, path[1:])
	}
}

// Preview makes the claims that a template gives a user in a session that begins
// now, without a factor. The only error is jwttemplate.ErrTooLarge.
func (c *Core) Preview(env *project.Environment, template *jwttemplate.Template, u *user.User) (map[string]any, error) {
	now := c.db.Now()
	r := &Record{ID: id.New(id.Session, env.Kind, now), UserID: u.UserID, StartedAt: now, LastAccessedAt: now, ExpiresAt: now.Add(time.Hour)}
	return template.Render(variables(env, r, u, env.Policy().RolesOf(u.Roles)))
}

func userVariable(env *project.Environment, u *user.User, roles []string, path []string) any {
	switch path[0] {
	case "user_id":
		return u.UserID
	case "external_id":
		if u.ExternalID == nil {
			return nil
		}
		return *u.ExternalID
	case "status":
		return u.Status
	case "created_at":
		return asJSON(u.CreatedAt)
	case "name":
		return jwttemplate.In(nameParts(u), path[1:])
	case "email":
		return first(verifiedEmails(u))
	case "emails":
		return verifiedEmails(u)
	case "phone_number":
		return first(verifiedPhones(u))
	case "phone_numbers":
		return verifiedPhones(u)
	case "trusted_metadata":
		return jwttemplate.InJSON(u.TrustedMetadata, path[1:])
	case "untrusted_metadata":
		return jwttemplate.InJSON(u.UntrustedMetadata, path[1:])
	}
	return rbacVariable(env.Policy(), roles, path[1:])
}

// rbacVariable answers roles, or a resource and then actions. The policy may
// have lost the resource since the template was saved.
func rbacVariable(policy *project.Policy, roles, path []string) any {
	if len(path) == 1 {
		return list(roles)
	}
	actions := policy.Actions(roles, strings.Join(path[:len(path)-1], "."))
	if actions == nil {
		return nil
	}
	return list(actions)
}

func sessionVariable(r *Record, roles []string, path []string) any {
	switch path[0] {
	case "session_id":
		return r.ID
	case "started_at":
		return asJSON(Timestamp(r.StartedAt))
	case "expires_at":
		return asJSON(Timestamp(r.ExpiresAt))
	case "roles":
		return list(roles)
	case "attributes":
		return jwttemplate.In(asJSON(r.Attributes), path[1:])
	}
	return jwttemplate.In(asJSON(r.Factors), path[1:])
}

// nameParts are the parts of a name that are not empty; nil when all are.
func nameParts(u *user.User) any {
	parts := map[string]any{}
	for name, part := range map[string]string{"first_name": u.Name.FirstName, "middle_name": u.Name.MiddleName, "last_name": u.Name.LastName} {
		if part != "" {
			parts[name] = part
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return parts
}

// verifiedEmails are the addresses whose mail the user was seen to read: an
// application takes what stands in a JWT for proven.
func verifiedEmails(u *user.User) []any {
	found := []any{}
	for _, e := range u.Emails {
		if e.Verified {
			found = append(found, e.Email)
		}
	}
	return found
}

func verifiedPhones(u *user.User) []any {
	found := []any{}
	for _, p := range u.PhoneNumbers {
		if p.Verified {
			found = append(found, p.PhoneNumber)
		}
	}
	return found
}

func first(values []any) any {
	if len(values) == 0 {
		return nil
	}
	return values[0]
}

func list(names []string) []any {
	values := make([]any, len(names))
	for i, name := range names {
		values[i] = name
	}
	return values
}

// asJSON is a value of ours as it looks on the wire; nil for one that cannot be
// written, which none of them is.
func asJSON(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return json.RawMessage(text)
}
