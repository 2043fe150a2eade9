// Package template owns the words of every message: the texts of all locales,
// the look of our e-mails, and the templates that projects write themselves. It
// turns a delivery.Message into what a sender sends. It never sends anything,
// and never decides whether somebody may be written to.
package template

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/delivery"
	"gatehouse/internal/outbox"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

// shape is what a type of message is about.
type shape int

const (
	aboutLink    shape = iota + 1 // a link to click
	aboutCode                     // a code to type
	aboutAccount                  // something that has happened
)

var shapes = map[delivery.Type]shape{
	delivery.Login:           aboutLink,
	delivery.Signup:          aboutLink,
	delivery.Invite:          aboutLink,
	delivery.ResetPassword:   aboutLink,
	delivery.VerifyPassword:  aboutLink,
	delivery.Unlock:          aboutLink,
	delivery.Passcode:        aboutCode,
	delivery.PasscodeSignup:  aboutCode,
	delivery.NoticeAdded:     aboutAccount,
	delivery.NoticeRemoved:   aboutAccount,
	delivery.NoticeRecovery:  aboutAccount,
	delivery.NoticePassword:  aboutAccount,
	delivery.NoticeLocked:    aboutAccount,
	delivery.NoticeNewDevice: aboutAccount,
}

// Service words messages and keeps the templates of projects.
type Service struct {
	db       *store.DB
	projects *project.Service
	chosen   project.Memo[choice, *Template]
}

// choice is what the template of a message is chosen by.
type choice struct {
	projectID, templateID string
	typ                   delivery.Type
}

// New returns the service.
func New(db *store.DB, projects *project.Service) *Service {
	return &Service{db: db, projects: projects}
}

// Render words a message. It leaves the envelope's ID to whoever sends it. An
// error marked outbox.Permanent is one that no further attempt mends.
func (s *Service) Render(ctx context.Context, environmentID string, m *delivery.Message) (*delivery.Envelope, error) {
	env, err := s.projects.Environment(ctx, environmentID)
	if err != nil {
		return nil, err
	}
	if env == nil {
		return nil, outbox.Permanent(errors.New("the environment is gone"))
	}
	if err := complete(m); err != nil {
		return nil, outbox.Permanent(err)
	}
	e := envelope(env.ID, m)
	if m.Channel != delivery.Email {
		renderPhone(env, m, e)
		return e, nil
	}
	t, err := s.chosen.Get(s.projects, choice{env.ProjectID, m.TemplateID, m.Type}, func() (t *Template, err error) {
		err = s.db.View(ctx, func(tx *store.Tx) error {
			t, err = choose(tx, env.ProjectID, m)
			return err
		})
		return t, err
	})
	if err != nil {
		return nil, err
	}
	return e, renderEmail(env.ProjectName, t, m, e)
}

func envelope(environmentID string, m *delivery.Message) *delivery.Envelope {
	return &delivery.Envelope{
		EnvironmentID: environmentID, Channel: m.Channel, Type: m.Type, To: m.To,
		Link: m.Link, Code: m.Code, CreatedAt: m.CreatedAt,
	}
}

// complete refuses a message without what it is about: a mail whose button
// leads nowhere is worse than none, and a link is only ever one of the web or
// of an app, never a script.
func complete(m *delivery.Message) error {
	about, known := shapes[m.Type]
	switch {
	case !known || !slices.Contains(delivery.Channels, m.Channel):
		return fmt.Errorf("there is no %s message of type %q", m.Channel, m.Type)
	case about == aboutLink && m.Link == "":
		return fmt.Errorf("a message of type %s without a link", m.Type)
	case about == aboutCode && m.Code == "":
		return fmt.Errorf("a message of type %s without a code", m.Type)
	case dangerous(m.Link) || dangerous(m.LoginLink):
		return fmt.Errorf("a message of type %s with a link that runs a script", m.Type)
	}
	return nil
}

// choose finds the template of a message: the one it names, else the project's
// default for the type, else the project's look of our own wording, else nil.
// One that was deleted while the message waited is passed over.
func choose(tx *store.Tx, projectID string, m *delivery.Message) (*Template, error) {
	if m.TemplateID != "" {
		t, err := readTemplate(tx, projectID, m.TemplateID)
		if err != nil || t != nil && t.suits(m.Type) {
			return t, err
		}
	}
	return readDefault(tx, projectID, m.Type)
}

func renderEmail(app string, t *Template, m *delivery.Message, e *delivery.Envelope) error {
	l := localeOf(m.Locale, EmailLocales)
	e.Locale = l.Name
	var style *Style
	if t != nil {
		style = t.Prebuilt
		e.From = delivery.Address{Name: t.Sender.FromName, LocalPart: t.Sender.FromLocalPart, Domain: t.Sender.FromDomain}
		if t.Sender.ReplyToLocalPart != "" {
			e.ReplyTo = delivery.Address{Name: t.Sender.ReplyToName, LocalPart: t.Sender.ReplyToLocalPart, Domain: t.Sender.FromDomain}
		}
	}
	if e.From.Name == "" {
		e.From.Name, e.DefaultName = clean(app, maxApp), true
	}
	w := wordMail(l, app, m, style)
	e.Subject, e.Text = w.Subject, w.text()
	if t != nil && t.Custom != nil {
		return t.Custom.render(l, app, m, e)
	}
	var err error
	e.HTML, err = w.html()
	return err
}

// sample is the message of a preview.
func sample(typ delivery.Type, locale string, now time.Time) *delivery.Message {
	m := &delivery.Message{
		Channel: delivery.Email, Type: typ, To: "ada@example.com", Locale: locale, Name: "Ada", CreatedAt: now,
	}
	const base = "https://auth.example.com/v1/magic_links/redirect?public_token=public-token-test-00000000-0000-4000-8000-000000000000"
	switch shapes[typ] {
	case aboutLink:
		m.Link = base + "&stytch_token_type=magic_links&token=3Gb5Vw0yVqkT1r0d2Qm8hN7cJxLsPzAeUiOwYtRfKgM"
		m.ExpiresAt = now.Add(time.Hour)
		if typ == delivery.ResetPassword || typ == delivery.VerifyPassword {
			m.LoginLink = base + "&stytch_token_type=login&token=9Xc2Zs6uTqWm4b7n1Vd5kR8jHyGfEaLpOiUxYcBvNwQ"
		}
	case aboutCode:
		m.Code, m.ExpiresAt = "123456", now.Add(2*time.Minute)
	case aboutAccount:
		m.Detail = "a passkey"
		if typ == delivery.NoticeNewDevice {
			m.Detail = "Firefox, Windows"
		}
	}
	return m
}

// Preview renders a template with the data of nobody. An empty templateID is
// what a message that names none would get; an empty type is that of the
// template, or LOGIN.
func (s *Service) Preview(ctx context.Context, projectID, templateID string, typ delivery.Type, locale string) (*delivery.Envelope, error) {
	locale, err := EmailLocale(locale)
	if err != nil {
		return nil, err
	}
	app, ok := s.projectName(projectID)
	if !ok {
		return nil, errProject
	}
	var t *Template
	var e *delivery.Envelope
	var m *delivery.Message
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		if templateID != "" && typ == "" {
			if t, err = readTemplate(tx, projectID, templateID); err != nil {
				return err
			}
			if t != nil && t.Custom != nil {
				typ = t.Custom.Type
			}
		}
		if typ == "" {
			typ = delivery.Login
		}
		if shapes[typ] == 0 {
			return errParameters.WithMessage("There is no message of type %s.", typ)
		}
		if err := s.Check(tx, projectID, typ, templateID); err != nil {
			return err
		}
		m = sample(typ, locale, tx.Now)
		m.TemplateID = templateID
		t, err = choose(tx, projectID, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	e = envelope("", m)
	return e, renderEmail(app, t, m, e)
}

// PreviewText words a text with the data of nobody, as the environment would send
// it. An empty type is a passcode.
func (s *Service) PreviewText(env *project.Environment, c delivery.Channel, typ delivery.Type, locale string) (*delivery.Envelope, error) {
	locale, err := PhoneLocale(locale)
	if err != nil {
		return nil, err
	}
	if typ == "" {
		typ = delivery.Passcode
	}
	if shapes[typ] == 0 {
		return nil, errParameters.WithMessage("There is no message of type %s.", typ)
	}
	m := sample(typ, locale, s.db.Now())
	m.Channel, m.To = c, "+12025550123"
	for _, a := range env.Config.SDK.OTPs.SMSAutofill {
		if a.MetadataType == project.AutofillDomain && m.AutofillDomain == "" {
			m.AutofillDomain = a.MetadataValue
		}
	}
	e := envelope(env.ID, m)
	renderPhone(env, m, e)
	return e, nil
}

func (s *Service) projectName(projectID string) (string, bool) {
	for _, env := range s.projects.Environments() {
		if env.ProjectID == projectID {
			return env.ProjectName, true
		}
	}
	return "", false
}
