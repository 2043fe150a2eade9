package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"gatehouse/internal/app"
	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/m2m"
	"gatehouse/internal/project"
)

type jwtTemplateCommands struct {
	Show    jwtTemplateShow    `cmd:"" help:"Show a template as jwt-template set reads it."`
	Set     jwtTemplateSet     `cmd:"" help:"Create the template of a type, or replace it. JWTs that are signed from then on follow."`
	Remove  jwtTemplateRemove  `cmd:"" help:"Remove the template of a type, with its audience."`
	Preview jwtTemplatePreview `cmd:"" help:"Show the claims that a template makes of what is known of a user, or of an M2M client."`
}

// templateOfType is the template that a command is about.
type templateOfType struct {
	target
	Type string `arg:"" help:"SESSION for the JWTs of sessions, M2M for the access tokens of M2M clients."`
}

func (c *templateOfType) on(f func(ctx context.Context, a *app.App, env *project.Environment, kind jwttemplate.Kind) error) error {
	kind, err := project.ParseTemplateType(c.Type)
	if err != nil {
		return usagef("%s", describe(err))
	}
	return c.target.on(func(ctx context.Context, a *app.App, env *project.Environment) error { return f(ctx, a, env, kind) })
}

// stored is the template, or says how to make one.
func (c *templateOfType) stored(env *project.Environment, kind jwttemplate.Kind) (*project.JWTTemplate, error) {
	if t := env.JWTTemplate(kind); t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%s has no %s template (%s makes one)", title(env), kind, c.suggest("jwt-template set %s %s FILE", c.Environment, kind))
}

type jwtTemplateShow struct{ templateOfType }

// Run shows a template.
func (c *jwtTemplateShow) Run(t *Terminal) error {
	return c.on(func(_ context.Context, _ *app.App, env *project.Environment, kind jwttemplate.Kind) error {
		one, err := c.stored(env, kind)
		if err != nil {
			return err
		}
		if c.JSON {
			return t.json(one)
		}
		_, err = io.WriteString(t.Out, strings.TrimSuffix(one.Content, "\n")+"\n")
		return err
	})
}

type jwtTemplateSet struct {
	templateOfType
	File     string  `arg:"" help:"File that holds the template, a JSON object with tags such as {{ user.user_id }} for values; - reads it from the standard input."`
	Audience *string `name:"custom-audience" placeholder:"AUDIENCE" help:"A further audience, beside the project_id. When left out it stays as it is; empty: none."`
}

// Run saves a template.
func (c *jwtTemplateSet) Run(t *Terminal) error {
	text, err := readFile(t, c.File)
	if err != nil {
		return err
	}
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment, kind jwttemplate.Kind) error {
		next := project.JWTTemplate{Type: kind, Content: string(text)}
		if before := env.JWTTemplate(kind); before != nil {
			next.CustomAudience = before.CustomAudience
		}
		if c.Audience != nil {
			next.CustomAudience = *c.Audience
		}
		if err := a.Projects.SetJWTTemplate(ctx, env.ID, next); err != nil {
			return err
		}
		changed, err := a.Projects.Environment(ctx, env.ID)
		if err != nil {
			return err
		}
		return c.say(t, changed.JWTTemplate(kind), "Saved the %s template of %s. Audience: %s.", kind, title(env), strings.Join(changed.Audience(kind), ", "))
	})
}

type jwtTemplateRemove struct {
	templateOfType
	confirmation
}

// Run removes a template.
func (c *jwtTemplateRemove) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment, kind jwttemplate.Kind) error {
		if _, err := c.stored(env, kind); err != nil {
			return err
		}
		if err := c.ask(t, fmt.Sprintf("JWTs of %s will not have the claims of the %s template any more. Remove it?", title(env), kind)); err != nil {
			return err
		}
		if err := a.Projects.RemoveJWTTemplate(ctx, env.ID, kind); err != nil {
			return err
		}
		return c.say(t, map[string]any{"jwt_template_type": kind, "removed": true}, "Removed the %s template of %s.", kind, title(env))
	})
}

type jwtTemplatePreview struct {
	templateOfType
	User     string `placeholder:"ID" help:"SESSION: user_id, or your own external id."`
	ClientID string `name:"client-id" placeholder:"CLIENT_ID" help:"M2M: client_id, from gatehouse m2m-client list."`
	File     string `placeholder:"FILE" help:"Preview the template in this file, without saving it; - reads the standard input."`
}

// Run shows what a template makes.
func (c *jwtTemplatePreview) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment, kind jwttemplate.Kind) error {
		switch {
		case kind == jwttemplate.Session && (c.User == "" || c.ClientID != ""):
			return usagef("a SESSION template is previewed with --user, whose claims it makes")
		case kind == jwttemplate.M2M && (c.ClientID == "" || c.User != ""):
			return usagef("an M2M template is previewed with --client-id, whose claims it makes")
		}
		template, err := c.template(t, env, kind)
		if err != nil {
			return err
		}
		claims, err := c.claims(ctx, a, env, kind, template)
		if errors.Is(err, jwttemplate.ErrTooLarge) {
			return fmt.Errorf("the claims of this %s are larger than 4 KB: JWTs are signed without them", map[jwttemplate.Kind]string{jwttemplate.Session: "user", jwttemplate.M2M: "client"}[kind])
		}
		if err != nil {
			return err
		}
		return t.json(claims)
	})
}

// claims are those of the user or of the client that the command names.
func (c *jwtTemplatePreview) claims(ctx context.Context, a *app.App, env *project.Environment, kind jwttemplate.Kind, template *jwttemplate.Template) (map[string]any, error) {
	if kind == jwttemplate.M2M {
		client, err := a.M2M.Get(ctx, env, c.ClientID)
		if err != nil {
			return nil, err
		}
		return m2m.Preview(template, client)
	}
	row, err := a.Users.Get(ctx, env, c.User)
	if err != nil {
		return nil, err
	}
	u, err := row.User()
	if err != nil {
		return nil, err
	}
	return a.Sessions.Preview(env, template, u)
}

func (c *jwtTemplatePreview) template(t *Terminal, env *project.Environment, kind jwttemplate.Kind) (*jwttemplate.Template, error) {
	if c.File != "" {
		text, err := readFile(t, c.File)
		if err != nil {
			return nil, err
		}
		return jwttemplate.Parse(kind, string(text))
	}
	one, err := c.stored(env, kind)
	if err != nil {
		return nil, err
	}
	return one.Template(), one.Broken()
}

// jwtTemplates looks for templates that an older version of this program cannot
// read, and whose claims are therefore missing.
func (x *examination) jwtTemplates(a *app.App) {
	const check = "JWT templates"
	n, before := 0, len(x.findings)
	for _, env := range a.Projects.Environments() {
		for _, kind := range []jwttemplate.Kind{jwttemplate.Session, jwttemplate.M2M} {
			one := env.JWTTemplate(kind)
			if one == nil {
				continue
			}
			n++
			if one.Broken() != nil {
				x.warn(check, x.suggest("jwt-template set %s %s FILE", env.ID, kind), "JWTs of %s lack the claims of the %s template: %s", title(env), kind, describe(one.Broken()))
			}
		}
	}
	if len(x.findings) == before {
		x.ok(check, "%s, all of them good.", plural(n, "template", "templates"))
	}
}
