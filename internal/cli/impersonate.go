package cli

import (
	"context"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/factor/impersonation"
	"gatehouse/internal/project"
)

type impersonateCommand struct {
	oneUser
	Reason   string `placeholder:"TEXT" help:"Why, in 1 to 500 characters; required. The audit log keeps it."`
	As       string `placeholder:"NAME/EMAIL" help:"Who acts as the user: a name, an e-mail address, or both. The app and the audit log see it. By default your name on this machine."`
	LoginURL string `name:"login-url" placeholder:"URL" help:"Where the link leads: a redirect URL of the type LOGIN. By default the default one."`
}

// Run makes the link.
func (c *impersonateCommand) Run(t *Terminal) error {
	if c.As == "" {
		me, err := systemUser()
		if err != nil {
			return usagef("say who acts as the user with --as: this machine has no name for you (%s)", err)
		}
		c.As = me
	}
	as, err := impersonation.ParseImpersonator(c.As)
	if err != nil {
		return usagef("--as %q: %s", c.As, err)
	}
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		made, err := a.Impersonation.Create(ctx, env, &impersonation.Request{UserID: c.UserID, Reason: c.Reason, As: as, LoginURL: c.LoginURL})
		if err != nil {
			return err
		}
		r := &rows{}
		r.add("user_id", made.UserID)
		r.add("acting", as.ImpersonatorID)
		r.add("token", made.Token)
		r.add("url", made.URL)
		r.add("until", when(made.ExpiresAt))
		if err := c.print(t, made, r); err != nil || c.JSON {
			return err
		}
		t.line("")
		t.line("Open the address within %d minutes, in a browser where nobody is signed in. It works once.", int(impersonation.Lifetime/time.Minute))
		return nil
	})
}
