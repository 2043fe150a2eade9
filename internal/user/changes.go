package user

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/wire"
)

// Changes are the attributes of a user that can be set directly. A field left
// out stays as it is.
type Changes struct {
	Name              *NameChange     `json:"name" description:"The parts given replace the user's; an empty part is cleared."`
	TrustedMetadata   json.RawMessage `json:"trusted_metadata" door:"server" description:"An object that only servers write. Its keys replace the user's, null deletes a key. At most 20 keys and 4 KB."`
	UntrustedMetadata json.RawMessage `json:"untrusted_metadata" description:"As trusted_metadata, but the user may change it in the browser. Never decide by it what somebody may do."`
	ExternalID        *string         `json:"external_id" door:"server" description:"Your own id of the user, usable wherever user_id is. Letters, digits, and . _ | -; at most 128 characters." example:"customer-4711"`
	Roles             *[]string       `json:"roles" door:"server" description:"Replaces the roles assigned to the user; an empty list takes them all away."`
}

// NameChange is Name with parts that may be left out.
type NameChange struct {
	FirstName  *string `json:"first_name"`
	MiddleName *string `json:"middle_name"`
	LastName   *string `json:"last_name"`
}

// Apply returns the function that checks the changes and makes them, for
// Service.Change.
func (c *Changes) Apply(env *project.Environment) func(u *User) error {
	return func(u *User) (err error) {
		if err := c.Name.apply(&u.Name); err != nil {
			return err
		}
		if u.TrustedMetadata, err = u.TrustedMetadata.Merge(c.TrustedMetadata); err != nil {
			return err
		}
		if u.UntrustedMetadata, err = u.UntrustedMetadata.Merge(c.UntrustedMetadata); err != nil {
			return err
		}
		if c.ExternalID != nil {
			if !isExternalID(*c.ExternalID) {
				return errExternalID
			}
			u.ExternalID = c.ExternalID
		}
		if c.Roles != nil {
			u.Roles, err = checkRoles(env, *c.Roles)
		}
		return err
	}
}

func (n *NameChange) apply(name *Name) (err error) {
	if n == nil {
		return nil
	}
	for _, part := range []struct {
		field string
		from  *string
		to    *string
	}{
		{"name.first_name", n.FirstName, &name.FirstName},
		{"name.middle_name", n.MiddleName, &name.MiddleName},
		{"name.last_name", n.LastName, &name.LastName},
	} {
		if part.from == nil {
			continue
		}
		if *part.to, err = CanonicalName(part.field, *part.from); err != nil {
			return err
		}
	}
	return nil
}

// maxName bounds each part of a name, in characters.
const maxName = 128

// CanonicalName trims a name that people see and refuses what no name contains:
// control characters, line breaks and marks that turn the reading direction
// around, all of which are used to make one text look like another.
func CanonicalName(field, s string) (string, error) {
	if hasZeroWidth(s) {
		return "", errZeroWidth
	}
	s = normal(strings.TrimSpace(s))
	if utf8.RuneCountInString(s) > maxName {
		return "", wire.BadRequest("The field %q is longer than %d characters.", field, maxName)
	}
	if strings.ContainsFunc(s, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError
	}) {
		return "", wire.BadRequest("The field %q contains a character that no name has, such as a line break.", field)
	}
	return s, nil
}

const maxExternalID = 128

var errExternalID = wire.BadRequest("The field \"external_id\" must be 1 to %d characters from A-Z, a-z, 0-9 and . _ | -, and must not look like one of our ids.", maxExternalID)

// CanBeExternalID reports whether s may name a user from outside.
func CanBeExternalID(s string) bool { return isExternalID(s) }

// isExternalID reports whether s may name a user from outside. What looks like
// an identifier of ours is refused, because user_id takes both.
func isExternalID(s string) bool {
	if s == "" || len(s) > maxExternalID || looksInternal(s) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '|' || c == '-') {
			return false
		}
	}
	return true
}

// looksInternal reports whether s reads as one of our identifiers. A damaged
// user id counts, so that it is called invalid and not taken for an external id.
func looksInternal(s string) bool {
	_, _, ok := id.Split(s)
	return ok || strings.HasPrefix(s, string(id.User)+"-"+string(id.Test)+"-") || strings.HasPrefix(s, string(id.User)+"-"+string(id.Live)+"-")
}

var (
	errImplicitRole = apierr.New(400, "cannot_assign_default_rbac_role_id", "Every user has the role stytch_user without being assigned it. Leave it out of roles.")
	errUnknownRole  = apierr.New(400, "invalid_rbac_role_assignment", "There is no such role to assign. Leave it out, or add it to the policy with `gatehouse rbac set`.")
	errTooManyRoles = apierr.New(400, "too_many_roles", "A user may have at most 20 roles.")
)

const maxRoles = 20

// checkRoles returns the roles without repetitions. The policy knows them all;
// the one everybody holds cannot be assigned.
func checkRoles(env *project.Environment, roles []string) ([]string, error) {
	unique := []string{}
	for _, role := range roles {
		if !slices.Contains(unique, role) {
			unique = append(unique, role)
		}
	}
	if len(unique) > maxRoles {
		return nil, errTooManyRoles
	}
	policy := env.Policy()
	for _, role := range unique {
		if role == project.DefaultRole {
			return nil, errImplicitRole
		}
		if !policy.HasRole(role) {
			return nil, errUnknownRole.WithMessage("There is no role %q to assign. Leave it out, or add it to the policy with `gatehouse rbac set`.", role)
		}
	}
	return unique, nil
}
