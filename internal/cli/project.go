package cli

import (
	"context"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

type projectCommands struct {
	Create projectCreate `cmd:"" help:"Create a project with its test and its live environment."`
	List   projectList   `cmd:"" help:"List the projects."`
}

type projectCreate struct {
	Name string `arg:"" help:"Name of the project, shown to people who sign in."`
	data
	output
}

// environmentView is an environment in a listing.
type environmentView struct {
	ProjectID   string    `json:"project_id"`
	ProjectName string    `json:"project_name"`
	Environment id.Env    `json:"environment"`
	Name        string    `json:"name"`
	PublicToken string    `json:"public_token"`
	CreatedAt   time.Time `json:"created_at"`
}

func viewEnvironment(env *project.Environment) environmentView {
	return environmentView{env.ID, env.ProjectName, env.Kind, env.Name, env.PublicTokens[0].Token, env.CreatedAt}
}

// Run creates a project.
func (c *projectCreate) Run(t *Terminal) error {
	return c.with(func(ctx context.Context, a *app.App) error {
		test, live, err := a.Projects.CreateProject(ctx, c.Name)
		if err != nil {
			return err
		}
		r := &rows{header: []string{"ENVIRONMENT", "PROJECT_ID", "PUBLIC TOKEN"}}
		views := []environmentView{}
		for _, env := range []*project.Environment{test, live} {
			views = append(views, viewEnvironment(env))
			r.add(string(env.Kind), env.ID, env.PublicTokens[0].Token)
		}
		if err := c.print(t, map[string]any{"project_name": c.Name, "environments": views}, r); err != nil || c.JSON {
			return err
		}
		t.line("")
		t.line("A server needs a secret:\n  %s", c.suggest("secret create %s", test.ID))
		t.line("Pages on the live environment need their origin:\n  %s", c.suggest("domain add %s https://app.example.com", live.ID))
		return nil
	})
}

type projectList struct {
	data
	output
}

// Run lists the projects.
func (c *projectList) Run(t *Terminal) error {
	return c.with(func(_ context.Context, a *app.App) error {
		r := &rows{header: []string{"PROJECT", "ENVIRONMENT", "PROJECT_ID", "CREATED"}, empty: c.noProjects()}
		type view struct {
			Name         string            `json:"project_name"`
			Environments []environmentView `json:"environments"`
		}
		var order []string
		byProject := map[string]*view{}
		for _, env := range a.Projects.Environments() {
			v := byProject[env.ProjectID]
			if v == nil {
				v = &view{Name: env.ProjectName}
				byProject[env.ProjectID] = v
				order = append(order, env.ProjectID)
			}
			v.Environments = append(v.Environments, viewEnvironment(env))
		}
		views := []*view{}
		for _, projectID := range order {
			v := byProject[projectID]
			views = append(views, v)
			for _, e := range v.Environments {
				r.add(v.Name, string(e.Environment), e.ProjectID, when(e.CreatedAt))
			}
		}
		return c.print(t, views, r)
	})
}

func (d *data) noProjects() string {
	return "No projects yet. Create one with: " + d.suggest("project create NAME")
}
