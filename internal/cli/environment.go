package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/app"
	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

type environmentCommands struct {
	List   environmentList   `cmd:"" help:"List the environments of all projects."`
	Show   environmentShow   `cmd:"" help:"Show all there is about an environment."`
	Create environmentCreate `cmd:"" help:"Add a test environment to a project."`
	Get    environmentGet    `cmd:"" help:"Show settings with the values in force."`
	Set    environmentSet    `cmd:"" help:"Change settings. Servers follow within a second."`
}

type environmentList struct {
	data
	output
}

// Run lists the environments.
func (c *environmentList) Run(t *Terminal) error {
	return c.with(func(_ context.Context, a *app.App) error {
		r := &rows{header: []string{"PROJECT", "ENVIRONMENT", "NAME", "PROJECT_ID", "CREATED"}, empty: c.noProjects()}
		views := []environmentView{}
		for _, env := range a.Projects.Environments() {
			views = append(views, viewEnvironment(env))
			r.add(env.ProjectName, string(env.Kind), env.Name, env.ID, when(env.CreatedAt))
		}
		return c.print(t, views, r)
	})
}

type environmentShow struct{ target }

// Run shows an environment.
func (c *environmentShow) Run(t *Terminal) error {
	return c.on(func(_ context.Context, _ *app.App, env *project.Environment) error {
		settings, err := env.Config.Settings()
		if err != nil {
			return err
		}
		if c.JSON {
			return t.json(struct {
				environmentView
				OAuthCallbackID string                     `json:"oauth_callback_id"`
				Secrets         []project.Secret           `json:"secrets"`
				PublicTokens    []project.PublicToken      `json:"public_tokens"`
				RedirectURLs    []project.RedirectURL      `json:"redirect_urls"`
				Settings        map[string]json.RawMessage `json:"settings"`
			}{viewEnvironment(env), oauth.CallbackID(env), list(env.Secrets), env.PublicTokens, list(env.RedirectURLs), byPath(settings)})
		}
		return t.showEnvironment(env, settings)
	})
}

func (t *Terminal) showEnvironment(env *project.Environment, settings []project.Setting) error {
	facts := &rows{}
	facts.add("project", env.ProjectName)
	facts.add("environment", fmt.Sprintf("%s (%s)", env.Kind, env.Name))
	facts.add("project_id", env.ID)
	facts.add("oauth callback", oauth.CallbackID(env))
	facts.add("created", when(env.CreatedAt))
	for _, p := range env.PublicTokens {
		facts.add("public token", p.Token)
	}
	for _, k := range env.Secrets {
		facts.add("secret", fmt.Sprintf("...%s  %s", k.LastFour, k.ID))
	}
	for i := range env.RedirectURLs {
		facts.add("redirect url", env.RedirectURLs[i].URL+"  "+uses(&env.RedirectURLs[i]))
	}
	if err := t.table(facts); err != nil {
		return err
	}
	t.line("")
	return t.table(settingRows(settings))
}

type environmentCreate struct {
	Project string `arg:"" help:"project_id of any environment of the project; test or live where there is one project."`
	Name    string `arg:"" help:"Name of the new environment."`
	Kind    string `enum:"test,live" default:"test" help:"test or live. A project has one live environment."`
	data
	output
}

// Run adds an environment to a project.
func (c *environmentCreate) Run(t *Terminal) error {
	return c.with(func(ctx context.Context, a *app.App) error {
		sibling, err := findEnvironment(a, c.Project)
		if err != nil {
			return err
		}
		env, err := a.Projects.CreateEnvironment(ctx, sibling.ProjectID, id.Env(c.Kind), c.Name)
		if err != nil {
			return err
		}
		r := &rows{}
		r.add("project_id", env.ID)
		r.add("public token", env.PublicTokens[0].Token)
		return c.print(t, viewEnvironment(env), r)
	})
}

type environmentGet struct {
	target
	Path []string `arg:"" optional:"" help:"Settings, for example session.algorithm, or groups of them: session. All when left out."`
}

// Run shows settings.
func (c *environmentGet) Run(t *Terminal) error {
	return c.on(func(_ context.Context, _ *app.App, env *project.Environment) error {
		return c.get(t, env, "", c.Path)
	})
}

// get prints the settings below prefix that the paths name; all for none.
func (c *target) get(t *Terminal, env *project.Environment, prefix string, paths []string) error {
	all, err := env.Config.Settings()
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		paths = []string{""}
	}
	var picked []project.Setting
	for _, path := range paths {
		path = prefix + strings.TrimPrefix(path, prefix)
		before := len(picked)
		for _, s := range all {
			if s.Path == path || path == "" || strings.HasPrefix(s.Path, strings.TrimSuffix(path, ".")+".") {
				picked = append(picked, s)
			}
		}
		if len(picked) == before {
			return fmt.Errorf("there is no setting %q (%s shows those there are)", path, c.suggest("environment get %s", c.Environment))
		}
	}
	if c.JSON {
		return t.json(byPath(picked))
	}
	return t.table(settingRows(picked))
}

func settingRows(settings []project.Setting) *rows {
	r := &rows{header: []string{"SETTING", "VALUE"}}
	for _, s := range settings {
		value := dash(plain(s.Value))
		if s.IsDefault {
			value += " (default)"
		}
		r.add(s.Path, value)
	}
	return r
}

// plain shows a JSON value without the marks that only JSON needs.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var items []string
	if json.Unmarshal(value, &items) == nil {
		return strings.Join(items, ", ")
	}
	return string(value)
}

func byPath(settings []project.Setting) map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	for _, s := range settings {
		m[s.Path] = s.Value
	}
	return m
}

type environmentSet struct {
	target
	Settings []string `arg:"" name:"setting=value" help:"For example session.algorithm=ES256. A list is JSON; an empty value brings the default back."`
}

// Run changes settings.
func (c *environmentSet) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		return c.set(ctx, t, a, env, "", c.Settings)
	})
}

// set changes all of the settings, or none when one of them is wrong, and
// prints what is in force now.
func (c *target) set(ctx context.Context, t *Terminal, a *app.App, env *project.Environment, prefix string, settings []string) error {
	var paths []string
	err := a.Projects.ChangeConfig(ctx, env.ID, func(_ id.Env, config *project.Config) error {
		paths = paths[:0]
		for _, setting := range settings {
			path, value, ok := strings.Cut(setting, "=")
			if !ok {
				return usagef("%q is not a setting and its value: write %s=VALUE", setting, setting)
			}
			path = prefix + strings.TrimPrefix(path, prefix)
			change := func() error { return config.Set(path, value) }
			if value == "" {
				change = func() error { return config.Reset(path) }
			}
			if err := change(); err != nil {
				return err
			}
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	changed, err := a.Projects.Environment(ctx, env.ID)
	if err != nil {
		return err
	}
	slices.Sort(paths)
	return c.get(t, changed, prefix, slices.Compact(paths))
}

type sdkConfigCommands struct {
	Get sdkConfigGet `cmd:"" help:"Show the switches."`
	Set sdkConfigSet `cmd:"" help:"Change switches. Servers follow within a second."`
}

// sdkPrefix is where the switches stand among an environment's settings.
const sdkPrefix = "sdk."

type sdkConfigGet struct {
	target
	Path []string `arg:"" optional:"" help:"Switches, for example webauthn.enabled, or groups of them: webauthn. All when left out."`
}

// Run shows switches.
func (c *sdkConfigGet) Run(t *Terminal) error {
	return c.on(func(_ context.Context, _ *app.App, env *project.Environment) error {
		paths := c.Path
		if len(paths) == 0 {
			paths = []string{sdkPrefix}
		}
		return c.get(t, env, sdkPrefix, paths)
	})
}

type sdkConfigSet struct {
	target
	Settings []string `arg:"" name:"switch=value" help:"For example webauthn.enabled=true."`
}

// Run changes switches.
func (c *sdkConfigSet) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		return c.set(ctx, t, a, env, sdkPrefix, c.Settings)
	})
}
