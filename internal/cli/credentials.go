package cli

import (
	"context"
	"fmt"

	"gatehouse/internal/app"
	"gatehouse/internal/project"
)

type secretCommands struct {
	Create secretCreate `cmd:"" help:"Create a secret and show it, once."`
	List   secretList   `cmd:"" help:"List the secrets by their last four characters."`
	Revoke secretRevoke `cmd:"" help:"Revoke a secret: calls with it are refused from now on."`
}

type secretCreate struct{ target }

// Run creates a secret.
func (c *secretCreate) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		k, value, err := a.Projects.CreateSecret(ctx, env.ID)
		if err != nil {
			return err
		}
		view := struct {
			ProjectID string `json:"project_id"`
			project.Secret
			Value string `json:"secret"`
		}{env.ID, k, value}
		r := &rows{}
		r.add("project_id", env.ID)
		r.add("secret_id", k.ID)
		r.add("secret", value)
		if err := c.print(t, view, r); err != nil || c.JSON {
			return err
		}
		t.line("")
		t.line("The secret cannot be shown again: keep it where your server reads its secrets.")
		return nil
	})
}

type secretList struct{ target }

// Run lists the secrets.
func (c *secretList) Run(t *Terminal) error {
	return c.on(func(_ context.Context, _ *app.App, env *project.Environment) error {
		r := &rows{header: []string{"SECRET_ID", "SECRET", "CREATED"}, empty: "No secrets yet. Create one with: " + c.suggest("secret create %s", env.ID)}
		for _, k := range env.Secrets {
			r.add(k.ID, "..."+k.LastFour, when(k.CreatedAt))
		}
		return c.print(t, list(env.Secrets), r)
	})
}

type secretRevoke struct {
	target
	SecretID string `arg:"" help:"secret_id, from gatehouse secret list."`
	confirmation
}

// Run revokes a secret.
func (c *secretRevoke) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		question := fmt.Sprintf("Servers that call %s with the secret %s will be refused at once. Revoke it?", title(env), c.SecretID)
		if err := c.ask(t, question); err != nil {
			return err
		}
		if err := a.Projects.RevokeSecret(ctx, env.ID, c.SecretID); err != nil {
			return err
		}
		return c.say(t, map[string]any{"project_id": env.ID, "secret_id": c.SecretID, "revoked": true}, "Revoked %s of %s.", c.SecretID, title(env))
	})
}

type publicTokenCommands struct {
	Create publicTokenCreate `cmd:"" help:"Create a public token."`
	List   publicTokenList   `cmd:"" help:"List the public tokens."`
	Revoke publicTokenRevoke `cmd:"" help:"Revoke a public token: pages with it stop working."`
}

type publicTokenCreate struct{ target }

// Run creates a public token.
func (c *publicTokenCreate) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		p, err := a.Projects.CreatePublicToken(ctx, env.ID)
		if err != nil {
			return err
		}
		return c.say(t, p, "%s", p.Token)
	})
}

type publicTokenList struct{ target }

// Run lists the public tokens.
func (c *publicTokenList) Run(t *Terminal) error {
	return c.on(func(_ context.Context, _ *app.App, env *project.Environment) error {
		r := &rows{header: []string{"PUBLIC TOKEN", "CREATED"}}
		for _, p := range env.PublicTokens {
			r.add(p.Token, when(p.CreatedAt))
		}
		return c.print(t, list(env.PublicTokens), r)
	})
}

type publicTokenRevoke struct {
	target
	Token string `arg:"" name:"public-token" help:"The public token."`
	confirmation
}

// Run revokes a public token.
func (c *publicTokenRevoke) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		question := fmt.Sprintf("Pages and apps of %s with the public token %s will stop working at once. Revoke it?", title(env), c.Token)
		if err := c.ask(t, question); err != nil {
			return err
		}
		if err := a.Projects.RevokePublicToken(ctx, env.ID, c.Token); err != nil {
			return err
		}
		return c.say(t, map[string]any{"project_id": env.ID, "public_token": c.Token, "revoked": true}, "Revoked %s of %s.", c.Token, title(env))
	})
}
