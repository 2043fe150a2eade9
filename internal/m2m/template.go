package m2m

import (
	"errors"

	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/project"
)

// customClaims are what the environment's template for M2M clients makes of a
// client. When they would be too large for a client there are none: a service
// that lacks a claim refuses one call, one without tokens refuses them all.
func (s *Service) customClaims(env *project.Environment, c *Client) (map[string]any, error) {
	template := env.JWTTemplate(jwttemplate.M2M).Template()
	if template == nil {
		return map[string]any{}, nil
	}
	claims, err := Preview(template, c)
	if errors.Is(err, jwttemplate.ErrTooLarge) {
		s.Oversized(env, c.ClientID)
		claims, err = nil, nil
	}
	if err == nil && claims == nil {
		claims = map[string]any{}
	}
	return claims, err
}

// Preview makes the claims that a template gives a client. The only error is
// jwttemplate.ErrTooLarge.
func Preview(template *jwttemplate.Template, c *Client) (map[string]any, error) {
	return template.Render(func(path []string) any { return variable(c, path[1:]) })
}

// variable is what a template's tag names, without its first word, client.
func variable(c *Client, path []string) any {
	switch path[0] {
	case "client_id":
		return c.ClientID
	case "client_name":
		return c.ClientName
	case "scopes":
		scopes := make([]any, len(c.Scopes))
		for i, scope := range c.Scopes {
			scopes[i] = scope
		}
		return scopes
	case "trusted_metadata":
		return jwttemplate.InJSON(c.TrustedMetadata, path[1:])
	}
	return nil
}
