package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"gatehouse/internal/app"
	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/template"
	"gatehouse/internal/project"
)

type templateCommands struct {
	List    templateList    `cmd:"" help:"List the templates of a project."`
	Show    templateShow    `cmd:"" help:"Show a template. With --json it is what template set reads."`
	Set     templateSet     `cmd:"" help:"Create a template, or replace the one that has its template_id."`
	Delete  templateDelete  `cmd:"" help:"Delete a template."`
	Default templateDefault `cmd:"" help:"Choose the template of messages that name none."`
	Preview templatePreview `cmd:"" help:"Show an e-mail as it would be sent, with the data of nobody."`
}

// templateTarget is the project whose templates a command is about.
type templateTarget struct {
	data
	output
	Project string `arg:"" help:"project_id of any environment of the project; test or live where there is one project."`
}

func (c *templateTarget) on(f func(ctx context.Context, a *app.App, env *project.Environment) error) error {
	return c.with(func(ctx context.Context, a *app.App) error {
		env, err := findEnvironment(a, c.Project)
		if err != nil {
			return err
		}
		return f(ctx, a, env)
	})
}

type templateList struct{ templateTarget }

// Run lists the templates.
func (c *templateList) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		templates, err := a.Templates.List(ctx, env.ProjectID)
		if err != nil {
			return err
		}
		r := &rows{header: []string{"TEMPLATE_ID", "TYPE", "DEFAULT", "NAME"}, empty: "No templates yet: messages have the words and the look of Gatehouse. Add one with: " +
			c.suggest("template set %s FILE", c.Project)}
		for _, one := range templates {
			isDefault := "-"
			if len(one.Defaults) > 0 {
				isDefault = "default"
			}
			r.add(one.ID, string(one.Type()), isDefault, dash(one.Name))
		}
		return c.print(t, list(templates), r)
	})
}

type templateShow struct {
	templateTarget
	ID string `arg:"" name:"template_id" help:"The template."`
}

// Run shows a template.
func (c *templateShow) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		one, err := a.Templates.Get(ctx, env.ProjectID, c.ID)
		if err != nil {
			return err
		}
		r := &rows{}
		r.add("template_id", one.ID)
		r.add("name", dash(one.Name))
		r.add("type", string(one.Type()))
		for _, typ := range one.Defaults {
			r.add("default of", string(typ))
		}
		addFields(r, one.Sender)
		addFields(r, one.Prebuilt)
		if one.Custom != nil {
			r.add("subject", one.Custom.Subject)
			r.add("html_content", size(int64(len(one.Custom.HTML))))
			r.add("plaintext_content", size(int64(len(one.Custom.Text))))
		}
		r.add("updated", when(one.UpdatedAt))
		return c.print(t, one, r)
	})
}

// addFields adds a line for each field of v that is set, by its name in JSON.
func addFields(r *rows, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		return // strings and numbers always encode
	}
	d := json.NewDecoder(bytes.NewReader(text))
	var name string
	for {
		token, err := d.Token()
		if err != nil {
			return
		}
		if _, mark := token.(json.Delim); mark || token == nil {
			continue
		}
		if name == "" {
			name = fmt.Sprint(token)
			continue
		}
		r.add(name, fmt.Sprint(token))
		name = ""
	}
}

type templateSet struct {
	templateTarget
	File string `arg:"" help:"JSON file that holds the template; - reads it from the standard input."`
}

// Run saves a template.
func (c *templateSet) Run(t *Terminal) error {
	text, err := readFile(t, c.File)
	if err != nil {
		return err
	}
	var one template.Template
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&one); err != nil {
		return fmt.Errorf("%s is not a template: %s", c.File, strings.TrimPrefix(err.Error(), "json: "))
	}
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if err := a.Templates.Save(ctx, env.ProjectID, one); err != nil {
			return err
		}
		saved, err := a.Templates.Get(ctx, env.ProjectID, one.ID)
		if err != nil {
			return err
		}
		return c.say(t, saved, "Saved %s (%s) for %s. Look at it with:\n  %s", saved.ID, saved.Type(), env.ProjectName,
			c.suggest("template preview %s %s --html preview.html", c.Project, saved.ID))
	})
}

type templateDelete struct {
	templateTarget
	ID string `arg:"" name:"template_id" help:"The template."`
	confirmation
}

// Run deletes a template.
func (c *templateDelete) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		question := fmt.Sprintf("Calls of %s that name the template %s will be refused. Delete it?", env.ProjectName, c.ID)
		if err := c.ask(t, question); err != nil {
			return err
		}
		if err := a.Templates.Delete(ctx, env.ProjectID, c.ID); err != nil {
			return err
		}
		return c.say(t, map[string]any{"template_id": c.ID, "deleted": true}, "Deleted %s.", c.ID)
	})
}

type templateDefault struct {
	templateTarget
	Type string `arg:"" help:"Type of messages, for example LOGIN; PREBUILT is the look of all that have no template of their type."`
	ID   string `arg:"" optional:"" name:"template_id" help:"The template. When left out, the type has the words of Gatehouse again."`
}

// Run chooses the default of a type, or takes it back.
func (c *templateDefault) Run(t *Terminal) error {
	typ := delivery.Type(strings.ToUpper(c.Type))
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		answer := map[string]any{"template_type": typ, "template_id": c.ID}
		if c.ID == "" {
			if err := a.Templates.UnsetDefault(ctx, env.ProjectID, typ); err != nil {
				return err
			}
			return c.say(t, answer, "Messages of type %s have no template of their own any more.", typ)
		}
		if err := a.Templates.SetDefault(ctx, env.ProjectID, typ, c.ID); err != nil {
			return err
		}
		return c.say(t, answer, "%s is the default of %s.", c.ID, typ)
	})
}

type templatePreview struct {
	templateTarget
	ID     string `arg:"" optional:"" name:"template_id" help:"The template. When left out: what a message gets that names none."`
	Type   string `placeholder:"TYPE" help:"Type of message, for example ONE_TIME_PASSCODE; else that of the template, or LOGIN."`
	Locale string `placeholder:"LOCALE" help:"Language of our own words: en, es, pt-br or fr; of texts some more."`

	Channel string `enum:"email,sms,whatsapp" default:"email" help:"email; or sms or whatsapp, whose words are ours, for a code unless --type says otherwise."`

	HTML string `name:"html" placeholder:"FILE" help:"Write the HTML part to this file."`
	Text string `placeholder:"FILE" help:"Write the plain part to this file."`
}

// Run renders an e-mail or a text. Without files it prints the plain part.
func (c *templatePreview) Run(t *Terminal) error {
	if c.Channel != string(delivery.Email) {
		return c.text(t)
	}
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		e, err := a.Templates.Preview(ctx, env.ProjectID, c.ID, delivery.Type(strings.ToUpper(c.Type)), c.Locale)
		if err != nil {
			return err
		}
		for _, part := range []struct{ file, text string }{{c.HTML, e.HTML}, {c.Text, e.Text}} {
			if part.file == "" {
				continue
			}
			if err := os.WriteFile(part.file, []byte(part.text), 0o644); err != nil {
				return err
			}
		}
		if c.JSON {
			return t.json(e)
		}
		t.line("Subject: %s", printable(e.Subject))
		if c.HTML == "" && c.Text == "" {
			t.line("")
			_, err = io.WriteString(t.Out, e.Text)
		}
		return err
	})
}

func (c *templatePreview) text(t *Terminal) error {
	if c.ID != "" || c.HTML != "" {
		return usagef("templates and HTML are for e-mails; texts have words of ours alone")
	}
	return c.on(func(_ context.Context, a *app.App, env *project.Environment) error {
		e, err := a.Templates.PreviewText(env, delivery.Channel(c.Channel), delivery.Type(strings.ToUpper(c.Type)), c.Locale)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return t.json(e)
		case c.Text != "":
			return os.WriteFile(c.Text, []byte(e.Text), 0o644)
		}
		t.line("%s", e.Text)
		return nil
	})
}
