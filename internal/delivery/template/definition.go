package template

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/event"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

var (
	errTemplateID = apierr.New(400, "invalid_template_id", "A template_id has 1 to 128 letters, digits, underscores and hyphens.")
	errNotFound   = apierr.New(404, "email_template_not_found", "The e-mail template was not found. `gatehouse template list` shows those that exist.")
	errParameters = apierr.New(400, "invalid_email_template_parameters", "The e-mail template is not valid.")
	errContent    = apierr.New(400, "invalid_email_template_content", "The content of the e-mail template is not valid.")
	errIsDefault  = apierr.New(400, "cannot_delete_default_email_template", "The template is the default of a type. Make another one the default first.")
	errTooMany    = apierr.New(400, "too_many_email_templates", "The project has 200 e-mail templates already. Delete one first.")
	errProject    = apierr.New(404, "project_not_found", "The project was not found.")
)

const maxTemplates = 200

// Prebuilt is the type of templates that give our own wording another look.
// They suit messages of every type.
const Prebuilt delivery.Type = "PREBUILT"

// Types lists the types a template can have, as platform.md, section 16, has
// them. Notices are worded by us.
func Types() []delivery.Type {
	return []delivery.Type{
		delivery.Login, delivery.Signup, delivery.Invite, delivery.ResetPassword, delivery.VerifyPassword,
		delivery.Passcode, delivery.PasscodeSignup, delivery.Unlock, Prebuilt,
	}
}

// Template is how a project wants e-mails: our words in its own look, or words
// of its own. The JSON is that of the reference's management API.
type Template struct {
	ID        string          `json:"template_id"` // chosen by the project, never changed
	Name      string          `json:"name"`
	Sender    Sender          `json:"sender_information"`
	Prebuilt  *Style          `json:"prebuilt_customization,omitempty"`    // either this
	Custom    *Content        `json:"custom_html_customization,omitempty"` // or this
	Defaults  []delivery.Type `json:"default_for,omitempty"`               // the types it is the default of; not read when saved
	CreatedAt time.Time       `json:"created_at,omitzero"`                 // not read when saved
	UpdatedAt time.Time       `json:"updated_at,omitzero"`                 // not read when saved
}

// Sender is who a template's mails come from. What is empty is left to the
// environment's sender of e-mails.
type Sender struct {
	FromLocalPart    string `json:"from_local_part,omitempty"`
	FromDomain       string `json:"from_domain,omitempty"`
	FromName         string `json:"from_name,omitempty"`
	ReplyToLocalPart string `json:"reply_to_local_part,omitempty"` // at from_domain
	ReplyToName      string `json:"reply_to_name,omitempty"`
}

// Type is the type of messages the template is for; Prebuilt is for all.
func (t *Template) Type() delivery.Type {
	if t.Custom != nil {
		return t.Custom.Type
	}
	return Prebuilt
}

// suits reports whether a message of a type can be worded by the template. Who
// asks for a new password names one template, and the server decides whether
// the address must be proven on the way: both have the same two links.
func (t *Template) suits(typ delivery.Type) bool {
	return t.Custom == nil || t.Custom.Type == typ || typ == delivery.VerifyPassword && t.Custom.Type == delivery.ResetPassword
}

var (
	templateID = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	localPart  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")
)

func isTemplateID(s string) bool { return len(s) <= 128 && templateID.MatchString(s) }

// check says what is wrong with a template, in words for whoever wrote it.
func (t *Template) check() error {
	if !isTemplateID(t.ID) {
		return errTemplateID
	}
	if !isLabel(t.Name, 200) {
		return errParameters.WithMessage("name must have at most 200 characters, without control characters.")
	}
	if err := t.Sender.check(); err != nil {
		return err
	}
	switch {
	case (t.Prebuilt == nil) == (t.Custom == nil):
		return errParameters.WithMessage("A template has either prebuilt_customization or custom_html_customization.")
	case t.Prebuilt != nil:
		return t.Prebuilt.check()
	}
	return t.Custom.check()
}

func (s *Sender) check() error {
	parts := []struct{ field, value string }{{"from_local_part", s.FromLocalPart}, {"reply_to_local_part", s.ReplyToLocalPart}}
	for _, p := range parts {
		if p.value != "" && (len(p.value) > 64 || !localPart.MatchString(p.value)) {
			return errParameters.WithMessage("%s must be what stands before the @ of an e-mail address, in ASCII.", p.field)
		}
	}
	names := []struct{ field, value string }{{"from_name", s.FromName}, {"reply_to_name", s.ReplyToName}}
	for _, n := range names {
		if !isLabel(n.value, 100) {
			return errParameters.WithMessage("%s must have at most 100 characters, without control characters.", n.field)
		}
	}
	if s.FromDomain != "" && (!project.ValidHostname(s.FromDomain) || !strings.Contains(s.FromDomain, ".")) {
		return errParameters.WithMessage("from_domain must be a domain such as mail.example.com, in lower case and ASCII.")
	}
	return nil
}

func isLabel(s string, limit int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= limit && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
	})
}

func isHTTPS(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= 2048 && u.Scheme == "https" && u.Host != "" && u.User == nil
}

// Save creates a template, or replaces the one that has its ID. A template
// keeps its type: what is the default of a type stays fit for it.
func (s *Service) Save(ctx context.Context, projectID string, t Template) error {
	if err := t.check(); err != nil {
		return err
	}
	if _, ok := s.projectName(projectID); !ok {
		return errProject
	}
	t.Defaults, t.CreatedAt, t.UpdatedAt = nil, time.Time{}, time.Time{}
	document, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return s.projects.Configure(ctx, func(tx *store.Tx) error {
		old, err := lockTemplate(tx, projectID, t.ID)
		switch {
		case err != nil:
			return err
		case old == "":
			n, err := countTemplates(tx, projectID)
			if err != nil {
				return err
			}
			if n >= maxTemplates {
				return errTooMany
			}
		case old != t.Type():
			return errParameters.WithMessage("The template %s is of type %s, which cannot change. Save this one under another template_id.", t.ID, old)
		}
		changed, err := changes(tx, projectID, &t)
		if err != nil || old != "" && len(changed) == 0 {
			return err
		}
		if err := upsertTemplate(tx, projectID, t.ID, t.Type(), string(document)); err != nil {
			return err
		}
		return s.emit(tx, projectID, "set", t.ID, map[string]any{"template_type": t.Type(), "changed": changed})
	})
}

// changes lists the fields in which a template differs from the one that has its
// ID, or from none.
func changes(tx *store.Tx, projectID string, t *Template) ([]string, error) {
	was, err := readTemplate(tx, projectID, t.ID)
	if err != nil {
		return nil, err
	}
	if was == nil {
		was = &Template{ID: t.ID}
	}
	was.Defaults, was.CreatedAt, was.UpdatedAt = nil, time.Time{}, time.Time{}
	return event.Changed(was, t)
}

// emit writes an event about a template into the log of each environment of the
// project, all of which send messages by it.
func (s *Service) emit(tx *store.Tx, projectID, what, templateID string, details map[string]any) error {
	for _, env := range s.projects.Environments() {
		if env.ProjectID != projectID {
			continue
		}
		e := event.Event{EnvironmentID: env.ID, Type: "message_template." + what, ObjectID: templateID, Details: details}
		if err := event.Emit(tx, env.Kind, e); err != nil {
			return err
		}
	}
	return nil
}

// Get returns a template.
func (s *Service) Get(ctx context.Context, projectID, templateID string) (t *Template, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		if t, err = readTemplate(tx, projectID, templateID); err == nil && t == nil {
			err = errNotFound
		}
		return err
	})
	return t, err
}

// List returns the templates of a project by their IDs.
func (s *Service) List(ctx context.Context, projectID string) (list []*Template, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		list, err = readTemplates(tx, projectID)
		return err
	})
	return list, err
}

// Delete removes a template that is the default of no type.
func (s *Service) Delete(ctx context.Context, projectID, templateID string) error {
	return s.projects.Configure(ctx, func(tx *store.Tx) error {
		typ, err := lockTemplate(tx, projectID, templateID)
		if err != nil {
			return err
		}
		if typ == "" {
			return errNotFound
		}
		defaults, err := defaultsOf(tx, projectID, templateID)
		if err != nil {
			return err
		}
		if len(defaults) > 0 {
			return errIsDefault.WithMessage("The template is the default of %s. Make another one the default first.", defaults[0])
		}
		if err := deleteTemplate(tx, projectID, templateID); err != nil {
			return err
		}
		return s.emit(tx, projectID, "delete", templateID, map[string]any{"template_type": typ})
	})
}

// SetDefault makes a template the one that messages of its type take when they
// name none; of the type PREBUILT, the look of those that have no such default.
func (s *Service) SetDefault(ctx context.Context, projectID string, typ delivery.Type, templateID string) error {
	if !slices.Contains(Types(), typ) {
		return unknownType(typ)
	}
	return s.projects.Configure(ctx, func(tx *store.Tx) error {
		have, err := lockTemplate(tx, projectID, templateID)
		switch {
		case err != nil:
			return err
		case have == "":
			return errNotFound
		case have != typ:
			return errTemplateID.WithMessage("The template %s is of type %s, not %s.", templateID, have, typ)
		}
		if defaults, err := defaultsOf(tx, projectID, templateID); err != nil || slices.Contains(defaults, typ) {
			return err
		}
		if err := upsertDefault(tx, projectID, typ, templateID); err != nil {
			return err
		}
		return s.emit(tx, projectID, "set_default", templateID, map[string]any{"template_type": typ})
	})
}

// UnsetDefault brings our own wording of a type back. The look of our wording
// is not unset but replaced, as the reference has it.
func (s *Service) UnsetDefault(ctx context.Context, projectID string, typ delivery.Type) error {
	switch {
	case !slices.Contains(Types(), typ):
		return unknownType(typ)
	case typ == Prebuilt:
		return errParameters.WithMessage("The default of PREBUILT cannot be unset. Make another template the default.")
	}
	return s.projects.Configure(ctx, func(tx *store.Tx) error {
		n, err := deleteDefault(tx, projectID, typ)
		if err != nil || n == 0 {
			return err
		}
		return s.emit(tx, projectID, "unset_default", "", map[string]any{"template_type": typ})
	})
}

func unknownType(typ delivery.Type) error {
	var names []string
	for _, t := range Types() {
		names = append(names, string(t))
	}
	return errParameters.WithMessage("%q is not a type of templates. There are: %s.", string(typ), strings.Join(names, ", "))
}

// Check refuses a template_id that a call gives for messages of a type, when
// there is no such template or it is for another type. "" is always right.
func (s *Service) Check(tx *store.Tx, projectID string, typ delivery.Type, id string) error {
	if id == "" {
		return nil
	}
	if !isTemplateID(id) {
		return errTemplateID
	}
	t, err := readTemplate(tx, projectID, id)
	switch {
	case err != nil:
		return err
	case t == nil:
		return errNotFound
	case !t.suits(typ):
		return errTemplateID.WithMessage("The template %s is of type %s, and this message is of type %s.", id, t.Type(), typ)
	}
	return nil
}
