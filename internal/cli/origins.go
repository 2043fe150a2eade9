package cli

import (
	"context"
	"fmt"
	"strings"

	"gatehouse/internal/app"
	"gatehouse/internal/project"
)

type redirectURLCommands struct {
	Add    redirectURLAdd    `cmd:"" help:"Allow a redirect URL. The first one of a type becomes its default."`
	List   redirectURLList   `cmd:"" help:"List the redirect URLs."`
	Remove redirectURLRemove `cmd:"" help:"Remove a redirect URL."`
}

type redirectURLAdd struct {
	target
	URL     string   `arg:"" help:"The URL, for example https://app.example.com/authenticate."`
	Type    []string `name:"type" placeholder:"TYPE" help:"What it is for: LOGIN, SIGNUP, INVITE, RESET_PASSWORD, separated by commas. All of them when left out."`
	Default bool     `help:"Make it the default of these types: the URL used when a call names none."`
}

// Run adds a redirect URL.
func (c *redirectURLAdd) Run(t *Terminal) error {
	types := project.RedirectTypes
	if len(c.Type) > 0 {
		types = nil
		for _, name := range c.Type {
			types = append(types, project.RedirectType(strings.ToUpper(name)))
		}
	}
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		r, err := a.Projects.AddRedirectURL(ctx, env.ID, c.URL, types, c.Default)
		if err != nil {
			return err
		}
		return c.say(t, r, "%s may be redirected to for %s.", r.URL, uses(r))
	})
}

// uses names the types of a redirect URL: "LOGIN (default), INVITE".
func uses(r *project.RedirectURL) string {
	var words []string
	for _, use := range r.Types {
		word := string(use.Type)
		if use.IsDefault {
			word += " (default)"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

type redirectURLList struct{ target }

// Run lists the redirect URLs.
func (c *redirectURLList) Run(t *Terminal) error {
	return c.on(func(_ context.Context, _ *app.App, env *project.Environment) error {
		r := &rows{header: []string{"URL", "TYPES"}, empty: "No redirect URLs yet. Add one with: " + c.suggest("redirect-url add %s URL", env.ID)}
		for i := range env.RedirectURLs {
			r.add(env.RedirectURLs[i].URL, uses(&env.RedirectURLs[i]))
		}
		return c.print(t, list(env.RedirectURLs), r)
	})
}

type redirectURLRemove struct {
	target
	URL string `arg:"" help:"The URL, or its redirect_url_id."`
	confirmation
}

// Run removes a redirect URL.
func (c *redirectURLRemove) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		question := fmt.Sprintf("Nobody will be redirected from %s to %s any more. Remove it?", title(env), c.URL)
		if err := c.ask(t, question); err != nil {
			return err
		}
		if err := a.Projects.RemoveRedirectURL(ctx, env.ID, c.URL); err != nil {
			return err
		}
		return c.say(t, map[string]any{"project_id": env.ID, "url": c.URL, "removed": true}, "Removed %s from %s.", c.URL, title(env))
	})
}

type domainCommands struct {
	Add    domainAdd    `cmd:"" help:"Authorise an origin."`
	List   domainList   `cmd:"" help:"List the authorised origins."`
	Remove domainRemove `cmd:"" help:"Take an authorised origin back."`
}

type domainAdd struct {
	target
	Domain string `arg:"" help:"The origin, for example https://app.example.com or https://*.example.com."`
}

// Run authorises a domain.
func (c *domainAdd) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		normal, err := a.Projects.AddDomain(ctx, env.ID, c.Domain)
		if err != nil {
			return err
		}
		if err := c.say(t, map[string]any{"project_id": env.ID, "domain": normal}, "Pages of %s may use %s.", normal, title(env)); err != nil {
			return err
		}
		if !c.JSON && !env.Config.SDK.Basic.Enabled {
			t.line("The browser's API of this environment is still off. Switch it on with:\n  %s", c.suggest("sdk-config set %s basic.enabled=true", env.ID))
		}
		return nil
	})
}

type domainList struct{ target }

// Run lists the domains.
func (c *domainList) Run(t *Terminal) error {
	return c.on(func(_ context.Context, _ *app.App, env *project.Environment) error {
		r := &rows{header: []string{"DOMAIN"}, empty: "No domains yet. Add one with: " + c.suggest("domain add %s https://app.example.com", env.ID)}
		for _, d := range env.Config.SDK.Basic.Domains {
			r.add(d)
		}
		return c.print(t, list(env.Config.SDK.Basic.Domains), r)
	})
}

type domainRemove struct {
	target
	Domain string `arg:"" help:"The origin, as gatehouse domain list shows it."`
	confirmation
}

// Run takes a domain back.
func (c *domainRemove) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		question := fmt.Sprintf("Pages of %s will not be able to use %s any more. Remove the domain?", c.Domain, title(env))
		if err := c.ask(t, question); err != nil {
			return err
		}
		if err := a.Projects.RemoveDomain(ctx, env.ID, c.Domain); err != nil {
			return err
		}
		return c.say(t, map[string]any{"project_id": env.ID, "domain": c.Domain, "removed": true}, "Removed %s from %s.", c.Domain, title(env))
	})
}
