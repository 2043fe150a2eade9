package project

import (
	"context"
	"strings"
	"time"
	"unicode"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/store"
)

// JWTTemplate says how the claims of one type of JWT are made.
type JWTTemplate struct {
	Type           jwttemplate.Kind `json:"jwt_template_type"`
	Content        string           `json:"template_content"`
	CustomAudience string           `json:"custom_audience"` // beside the project_id, which always is one; empty: none
	UpdatedAt      time.Time        `json:"updated_at"`

	parsed *jwttemplate.Template
	broken error // why parsed is nil
}

var (
	errTemplateType     = apierr.New(400, "invalid_jwt_template_type", "The type of a JWT template is SESSION or M2M.")
	errTemplateNotFound = apierr.New(404, "jwt_template_not_found", "There is no JWT template of this type. Make one with `gatehouse jwt-template set`.")
	errAudience         = apierr.New(400, "invalid_custom_audience", "The custom audience must have at most 256 characters, without spaces, and cannot be a project_id: that of the environment is in every JWT anyway.")
)

const maxAudience = 256

// JWTTemplate returns the environment's template of a type, nil when it has
// none.
func (e *Environment) JWTTemplate(kind jwttemplate.Kind) *JWTTemplate { return e.jwtTemplates[kind] }

// Template is the template as it was read, nil when it cannot be: templates are
// checked before they are saved, so that only an older version of this program
// may meet one. It then makes no claims, rather than no JWTs. It is safe on nil.
func (t *JWTTemplate) Template() *jwttemplate.Template {
	if t == nil {
		return nil
	}
	return t.parsed
}

// Broken says why the template cannot be read, nil when it can.
func (t *JWTTemplate) Broken() error { return t.broken }

// Audience is who the JWTs of a type are for: the environment, by its
// project_id, and the custom audience where there is one.
func (e *Environment) Audience(kind jwttemplate.Kind) []string {
	if t := e.jwtTemplates[kind]; t != nil && t.CustomAudience != "" {
		return []string{e.ID, t.CustomAudience}
	}
	return []string{e.ID}
}

// SetJWTTemplate creates the template of a type or replaces it. The JWTs that
// are signed from then on are made by it.
func (s *Service) SetJWTTemplate(ctx context.Context, envID string, t JWTTemplate) error {
	kind, err := ParseTemplateType(string(t.Type))
	if err != nil {
		return err
	}
	t.Type = kind
	if _, err := jwttemplate.Parse(t.Type, t.Content); err != nil {
		return err
	}
	if len(t.CustomAudience) > maxAudience || strings.ContainsFunc(t.CustomAudience, notInAudience) || strings.HasPrefix(t.CustomAudience, "project-") {
		return errAudience
	}
	return s.change(ctx, envID, func(tx *store.Tx, env *Environment) (*event.Event, error) {
		old, was := env.JWTTemplate(kind), JWTTemplate{Type: kind}
		if old != nil {
			was, t.UpdatedAt = *old, old.UpdatedAt
		}
		changed, err := event.Changed(was, t)
		if err != nil || old != nil && len(changed) == 0 {
			return nil, err
		}
		details := map[string]any{"changed": changed}
		return &event.Event{Type: "jwt_template.set", ObjectID: string(kind), Details: details}, writeJWTTemplate(tx, envID, &t)
	})
}

func notInAudience(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

// RemoveJWTTemplate removes the template of a type, and its audience with it.
func (s *Service) RemoveJWTTemplate(ctx context.Context, envID string, kind jwttemplate.Kind) error {
	return s.change(ctx, envID, func(tx *store.Tx, _ *Environment) (*event.Event, error) {
		return &event.Event{Type: "jwt_template.remove", ObjectID: string(kind)}, found(errTemplateNotFound)(deleteJWTTemplate(tx, envID, kind))
	})
}

// ParseTemplateType reads the name of a type, in either case.
func ParseTemplateType(name string) (jwttemplate.Kind, error) {
	switch kind := jwttemplate.Kind(strings.ToUpper(name)); kind {
	case jwttemplate.Session, jwttemplate.M2M:
		return kind, nil
	}
	return "", errTemplateType
}
