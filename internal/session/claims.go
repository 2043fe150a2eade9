package session

import (
	"bytes"
	"encoding/json"
	"maps"

	"gatehouse/internal/apierr"
	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/project"
	"gatehouse/internal/user"
)

// Claims are a session's custom claims: a JSON object whose numbers are kept
// as they were written. As they are stored, a null stands where a claim of the
// environment's template was deleted from the session.
type Claims struct {
	object map[string]any
	text   json.RawMessage // in place of the object, where it is only shown
}

// maxClaims bounds the claims of a session, as JSON.
const maxClaims = 4096

var (
	errClaimsTooLarge = apierr.New(400, "custom_claims_too_large", "The session's custom claims are larger than 4 KB in total. Delete keys by setting them to null.")
	errStytchClaims   = apierr.New(400, "stytch_claims_in_custom_claims", "Custom claims cannot start with https://stytch.com/.")
)

// UnmarshalJSON accepts an object or null.
func (c *Claims) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	c.object = nil
	return dec.Decode(&c.object)
}

// MarshalJSON writes the object, or null when there are no claims.
func (c Claims) MarshalJSON() ([]byte, error) {
	if c.text != nil {
		return c.text, nil
	}
	if len(c.object) == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(c.object)
}

// IsEmpty reports whether there is nothing to merge or show.
func (c Claims) IsEmpty() bool { return len(c.object) == 0 }

// written are the claims as text alone, for showing them.
func (c Claims) written() (Claims, error) {
	text, err := c.MarshalJSON()
	return Claims{text: text}, err
}

// merged returns the claims after a change: objects are merged key by key at
// every depth, null deletes, anything else replaces.
func (c Claims) merged(change Claims) (Claims, error) { return c.mergedOver(nil, change) }

// mergedOver is merged where a template makes claims beneath these, or nil: a
// null for one of them stays, so that it is deleted from every JWT to come.
func (c Claims) mergedOver(template *jwttemplate.Template, change Claims) (Claims, error) {
	if change.IsEmpty() {
		return c, nil
	}
	for name := range change.object {
		if jwttemplate.Vendor(name) {
			return Claims{}, errStytchClaims
		}
	}
	next := mergeObjects(c.object, change.object, func(path []string) bool {
		return template != nil && template.Makes(path...)
	})
	maps.DeleteFunc(next, func(name string, _ any) bool { return jwttemplate.Reserved(name) })
	text, err := json.Marshal(next)
	if err != nil {
		return Claims{}, err
	}
	if len(text) > maxClaims {
		return Claims{}, errClaimsTooLarge
	}
	return Claims{object: next}, nil
}

// mergeObjects merges a change into a copy of an object. keep says for which
// paths a null stays; it may be nil.
func mergeObjects(old, change map[string]any, keep func(path []string) bool, path ...string) map[string]any {
	next := maps.Clone(old)
	if next == nil {
		next = map[string]any{}
	}
	for name, value := range change {
		at := append(path[:len(path):len(path)], name)
		switch v := value.(type) {
		case nil:
			delete(next, name)
			if keep != nil && keep(at) {
				next[name] = nil
			}
		case map[string]any:
			inner, _ := next[name].(map[string]any)
			next[name] = mergeObjects(inner, v, keep, at...)
		default:
			next[name] = v
		}
	}
	return next
}

// claims are the claims in force for a session: those that the environment's
// template makes, and over them the session's own. When they would be too large
// together, the session's own stand alone: somebody gets a JWT that says less,
// which applications refuse where they must, and is not locked out.
func (c *Core) claims(env *project.Environment, r *Record, u *user.User, roles []string) Claims {
	var own Claims
	if !r.Claims.IsEmpty() {
		own.object = mergeObjects(nil, r.Claims.object, nil)
	}
	template := env.JWTTemplate(jwttemplate.Session).Template()
	if template == nil {
		return own
	}
	made, err := template.Render(variables(env, r, u, roles))
	if err == nil && r.Claims.IsEmpty() {
		return Claims{object: made}
	}
	if err == nil {
		all := mergeObjects(made, r.Claims.object, nil)
		text, err := json.Marshal(all)
		if err == nil && len(text) <= maxClaims {
			return Claims{object: all}
		}
	}
	c.oversized(env, u.UserID)
	return own
}

// DescribedAs says how the claims look on the wire.
func (Claims) DescribedAs() any { return map[string]any{} }
