package template

import (
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
)

// Content is a message in a project's own words.
type Content struct {
	Type    delivery.Type `json:"template_type"` // one of Types, but not Prebuilt
	Subject string        `json:"subject"`
	HTML    string        `json:"html_content"`
	Text    string        `json:"plaintext_content"`
}

// The limits of a template's parts.
const (
	maxContent = 256 << 10 // bytes, each of HTML and text
	maxSubject = 250       // characters
)

// The variables of custom templates.
const (
	varLink      = "magic_link_url"
	varLoginLink = "login_url"
	varCode      = "code"
	varApp       = "app_name"
	varName      = "first_name"
	varEmail     = "email"
	varExpires   = "expires_in"
)

var variables = []string{varLink, varLoginLink, varCode, varApp, varName, varEmail, varExpires}

// place says where in a part a variable stands, and so how its value is
// written there.
type place int

const (
	inText     place = iota // of the plain part and the subject: as it is
	inHTML                  // between tags and in quoted attribute values
	inComment               // which only Outlook reads
	inURL                   // begins an address: only our links may
	inURLParam              // further on in an address
)

// piece is literal text, then a variable, which may be "".
type piece struct {
	literal, variable string
	place             place
}

// split takes a text apart at its variables. A name in a sentence and one in
// an attribute differ in their place only.
func split(text string, where place) ([]piece, error) {
	var pieces []piece
	for {
		literal, rest, found := strings.Cut(text, "{{")
		if !found {
			return append(pieces, piece{literal: literal}), nil
		}
		name, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return nil, errContent.WithMessage("There are braces that are never closed, before %q. A variable is written like {{%s}}.", shorten(rest), varApp)
		}
		name = strings.TrimSpace(name)
		if !slices.Contains(variables, name) {
			return nil, errContent.WithMessage("There is no variable {{%s}}. There are: %s.", shorten(name), strings.Join(variables, ", "))
		}
		pieces = append(pieces, piece{literal, name, where})
		text = after
	}
}

// shorten quotes the beginning of what a template says, for an error.
func shorten(s string) string { return clean(s, 40) }

// join puts the values in, each once: a value that looks like a variable stays
// what it is.
func join(pieces []piece, values map[string]string) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.literal)
		if p.variable == "" {
			continue
		}
		value := values[p.variable]
		switch p.place {
		case inText:
		case inURLParam:
			value = html.EscapeString(url.QueryEscape(value))
		case inComment: // which "-->" ends, and "--!>" too
			value = strings.ReplaceAll(html.EscapeString(value), "-", "&#45;")
		default:
			value = html.EscapeString(value)
		}
		b.WriteString(value)
	}
	return b.String()
}

// check says what is wrong with a custom template.
func (c *Content) check() error {
	about := shapes[c.Type]
	if about != aboutLink && about != aboutCode {
		return errParameters.WithMessage("template_type must be a type of messages with a link or a code, such as LOGIN or ONE_TIME_PASSCODE.")
	}
	parts := []struct {
		field, text string
		split       func(string) ([]piece, error)
	}{
		{"subject", c.Subject, splitText},
		{"html_content", c.HTML, splitHTML},
		{"plaintext_content", c.Text, splitText},
	}
	for _, part := range parts {
		switch {
		case strings.TrimSpace(part.text) == "":
			return errContent.WithMessage("%s is empty. A custom template has a subject, an HTML part and a plain part: many people and all spam filters read the plain one.", part.field)
		case len(part.text) > maxContent:
			return errContent.WithMessage("%s is larger than 256 KB.", part.field)
		case !utf8.ValidString(part.text) || strings.ContainsRune(part.text, 0):
			return errContent.WithMessage("%s is not text in UTF-8.", part.field)
		}
		pieces, err := part.split(part.text)
		if err != nil {
			return inField(part.field, err)
		}
		if part.field == "subject" {
			if err := c.checkSubject(pieces); err != nil {
				return err
			}
		} else if err := c.checkVariables(part.field, pieces); err != nil {
			return err
		}
	}
	return nil
}

func (c *Content) checkSubject(pieces []piece) error {
	if utf8.RuneCountInString(c.Subject) > maxSubject || strings.ContainsAny(c.Subject, "\r\n") {
		return errContent.WithMessage("subject must be one line of at most %d characters.", maxSubject)
	}
	for _, p := range pieces {
		if p.variable == varLink || p.variable == varLoginLink {
			return errContent.WithMessage("subject cannot hold {{%s}}: servers log subjects.", p.variable)
		}
	}
	return c.checkKnown("subject", pieces)
}

// checkVariables looks for what a part must have, where every reader can see it.
func (c *Content) checkVariables(field string, pieces []piece) error {
	needed := varLink
	if shapes[c.Type] == aboutCode {
		needed = varCode
	}
	if !slices.ContainsFunc(pieces, func(p piece) bool { return p.variable == needed && p.place != inComment }) {
		return errContent.WithMessage("%s has no {{%s}}, which messages of type %s are about.", field, needed, c.Type)
	}
	return c.checkKnown(field, pieces)
}

// checkKnown refuses variables that messages of the type never fill.
func (c *Content) checkKnown(field string, pieces []piece) error {
	for _, p := range pieces {
		unfilled := p.variable == varLink && shapes[c.Type] != aboutLink ||
			p.variable == varLoginLink && c.Type != delivery.ResetPassword && c.Type != delivery.VerifyPassword
		if unfilled {
			return errContent.WithMessage("%s holds {{%s}}, which messages of type %s do not have.", field, p.variable, c.Type)
		}
	}
	return nil
}

func splitText(text string) ([]piece, error) { return split(text, inText) }

// inField says in which part of a template something is wrong.
func inField(field string, err error) error {
	if verdict := apierr.From(err); verdict != nil {
		return verdict.WithMessage("%s: %s", field, verdict.Message)
	}
	return err
}

// render fills a custom template. A subject that comes out empty is ours.
func (c *Content) render(l *locale, app string, m *delivery.Message, e *delivery.Envelope) error {
	markup, err := splitHTML(c.HTML)
	if err != nil {
		return err
	}
	text, err := splitText(c.Text)
	if err != nil {
		return err
	}
	subject, err := splitText(c.Subject)
	if err != nil {
		return err
	}
	values := map[string]string{
		varLink: m.Link, varLoginLink: m.LoginLink, varCode: m.Code, varExpires: validity(l, m),
		varApp: clean(app, maxApp), varName: personName(m.Name), varEmail: clean(m.To, maxEmail),
	}
	if s := clean(join(subject, values), maxSubject); s != "" {
		e.Subject = s
	}
	e.HTML, e.Text = join(markup, values), join(text, values)
	return nil
}
