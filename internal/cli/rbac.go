package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"gatehouse/internal/app"
	"gatehouse/internal/project"
)

type rbacCommands struct {
	Show  rbacShow  `cmd:"" help:"Show the policy. With --json it is what rbac set reads."`
	Set   rbacSet   `cmd:"" help:"Replace the policy. Servers follow within a second, SDKs within five minutes."`
	Check rbacCheck `cmd:"" help:"Say whether a user may take an action on a resource, and by which roles."`

	Role     rbacRoleCommands     `cmd:"" help:"One role of the policy: set, remove."`
	Resource rbacResourceCommands `cmd:"" help:"One resource of the policy: set, remove."`
	Scope    rbacScopeCommands    `cmd:"" help:"One scope of the policy: set, remove."`
}

type rbacShow struct{ target }

// Run shows the policy.
func (c *rbacShow) Run(t *Terminal) error {
	return c.on(func(_ context.Context, _ *app.App, env *project.Environment) error {
		p := env.Policy()
		r := &rows{header: []string{"", "NAME", "RESOURCE", "ACTIONS"}}
		for _, one := range p.Resources {
			r.add("resource", one.ResourceID, "", strings.Join(one.Actions, ", "))
		}
		for _, one := range p.Roles {
			r.addPermissions("role", one.RoleID, one.Permissions)
		}
		for _, one := range p.Scopes {
			r.addPermissions("scope", one.Scope, one.Permissions)
		}
		return c.print(t, p, r)
	})
}

// addPermissions adds a line for each permission, the name in the first alone.
func (r *rows) addPermissions(what, name string, list []project.PolicyPermission) {
	if len(list) == 0 {
		r.add(what, name, "-", "-")
	}
	for _, g := range list {
		r.add(what, name, g.ResourceID, strings.Join(g.Actions, ", "))
		what, name = "", ""
	}
}

type rbacSet struct {
	target
	File string `arg:"" help:"JSON file that holds the policy, as rbac show --json prints it; - reads it from the standard input."`
}

// Run replaces the policy.
func (c *rbacSet) Run(t *Terminal) error {
	text, err := readFile(t, c.File)
	if err != nil {
		return err
	}
	var p project.Policy
	if err := strictJSON(c.File, text, &p); err != nil {
		return err
	}
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if err := a.Projects.SetPolicy(ctx, env.ID, p); err != nil {
			return err
		}
		changed, err := a.Projects.Environment(ctx, env.ID)
		if err != nil {
			return err
		}
		now := changed.Policy()
		if err := c.say(t, now, "Set the policy of %s: %s, %s, %s.", title(env), plural(len(now.Roles), "role", "roles"),
			plural(len(now.Resources), "resource", "resources"), plural(len(now.Scopes), "scope", "scopes")); err != nil || c.JSON {
			return err
		}
		for _, role := range env.Policy().Roles {
			if !now.HasRole(role.RoleID) {
				t.line("The role %s is gone. Users who hold it keep it, and it grants nothing until it is back.", role.RoleID)
			}
		}
		return nil
	})
}

type rbacCheck struct {
	oneUser
	Resource string `arg:"" help:"resource_id."`
	Action   string `arg:"" help:"The action."`
}

// Run answers an authorization check, as sessions do.
func (c *rbacCheck) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		row, err := a.Users.Get(ctx, env, c.UserID)
		if err != nil {
			return err
		}
		u, err := row.User()
		if err != nil {
			return err
		}
		p := env.Policy()
		roles := p.RolesOf(u.Roles)
		granting := p.Granting(roles, c.Resource, c.Action)
		answer := map[string]any{"user_id": u.UserID, "authorized": len(granting) > 0, "granting_roles": list(granting), "roles": roles}
		r := &rows{}
		r.add("authorized", map[bool]string{true: "yes", false: "no"}[len(granting) > 0])
		r.add("granting roles", dash(strings.Join(granting, ", ")))
		r.add("roles in force", strings.Join(roles, ", "))
		for _, role := range u.Roles {
			if !p.HasRole(role) {
				r.add("not in the policy", role)
			}
		}
		if note := unknown(p, c.Resource, c.Action); note != "" {
			r.add("note", note)
		}
		if err := c.print(t, answer, r); err != nil || len(granting) > 0 {
			return err
		}
		return errSaid
	})
}

// unknown says what of a check the policy does not know, which often is the
// whole reason.
func unknown(p *project.Policy, resource, action string) string {
	at := slices.IndexFunc(p.Resources, func(r project.PolicyResource) bool { return r.ResourceID == resource })
	switch {
	case at < 0:
		return "the policy has no resource " + resource
	case !slices.Contains(p.Resources[at].Actions, action):
		return "the resource " + resource + " has no action " + action
	}
	return ""
}

// maxFile bounds what is read of a file that configures something, in bytes: far
// above the largest of them, a template of e-mails.
const maxFile = 4 << 20

// readFile reads a file that configures something; - is the standard input.
func readFile(t *Terminal, name string) ([]byte, error) {
	in := t.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err == nil && len(text) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d MB: is it the right file?", name, maxFile>>20)
	}
	return text, err
}

// strictJSON reads a file that is one JSON value. What it does not know it
// refuses: a name that is spelled wrong would be lost.
func strictJSON(name string, text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			return fmt.Errorf("%s holds more than one JSON value", name)
		}
		return nil
	}
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%s, line %d: %s", name, lineOf(text, syntax.Offset), syntax)
	case errors.As(err, &wrong):
		return fmt.Errorf("%s, line %d: %q cannot be a JSON %s", name, lineOf(text, wrong.Offset), wrong.Field, wrong.Value)
	}
	said := strings.TrimPrefix(err.Error(), "json: ")
	// The decoder does not say where: only a name that stands once tells it.
	if field, ok := strings.CutPrefix(said, "unknown field "); ok && bytes.Count(text, []byte(field)) == 1 {
		return fmt.Errorf("%s, line %d: %s", name, lineOf(text, int64(bytes.Index(text, []byte(field)))), said)
	}
	return fmt.Errorf("%s: %s", name, said)
}

func lineOf(text []byte, offset int64) int {
	return bytes.Count(text[:min(int(offset), len(text))], []byte("\n")) + 1
}
