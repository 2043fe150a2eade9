package cli

import (
	"context"
	"fmt"
	"os"

	"gatehouse/internal/app"
	"gatehouse/internal/bulk"
	"gatehouse/internal/event"
	"gatehouse/internal/project"
)

type importClients struct {
	File string `arg:"" help:"The file, plain or gzip. - is the standard input."`
	inEnvironment
	From     string `default:"gatehouse" enum:"gatehouse,auth0" help:"What wrote the file: gatehouse (a client on each line) or auth0 (what its GET /api/v2/clients gives)."`
	Grants   string `placeholder:"FILE" help:"Of Auth0: what its GET /api/v2/client-grants gives. A client's scopes are those of its grants."`
	Audience string `placeholder:"API" help:"Of Auth0: take only grants for this API, by its audience."`
	DryRun   bool   `help:"Check every row and write nothing."`
	Report   string `placeholder:"FILE" help:"Write each row that was refused into this file, as JSON Lines."`
}

// Run imports clients.
func (c *importClients) Run(t *Terminal) error {
	if c.From != "auth0" && (c.Grants != "" || c.Audience != "") {
		return usagef("--grants and --audience are for --from auth0")
	}
	source := bulk.Source{Name: c.File, From: t.In}
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		source.From = f
	}
	o := bulk.ClientOptions{From: c.From, Audience: c.Audience, DryRun: c.DryRun}
	if c.Grants != "" {
		f, err := os.Open(c.Grants)
		if err != nil {
			return err
		}
		defer f.Close()
		o.Grants = &bulk.Source{Name: c.Grants, From: f}
	}
	return c.on(func(_ context.Context, a *app.App, env *project.Environment) error {
		if c.Report != "" {
			report, err := bulk.OpenReport(c.Report)
			if err != nil {
				return err
			}
			defer report.Close()
			o.Report = report
		}
		r, err := a.Bulk().ImportClients(event.WithOperator(interruptible(), operator()), env, source, o)
		said := c.summary(t, env, &r)
		if err != nil {
			return err
		}
		return said
	})
}

// summary says what an import has done, and ends the command with the exit code
// that says whether rows were refused.
func (c *importClients) summary(t *Terminal, env *project.Environment, r *bulk.ClientResult) error {
	if c.JSON {
		if err := t.json(r); err != nil {
			return err
		}
	} else {
		verb := "Imported"
		if c.DryRun {
			verb = "Checked, and wrote nothing of,"
		}
		t.line("%s %s of %s into %s: %s created, %s existed, %s passed over, %s refused.", verb, plural(int(r.Rows), "row", "rows"), c.File, title(env),
			thousands(r.Created), thousands(r.Existing), thousands(r.Passed), thousands(r.Refused))
		for _, reason := range byCount(r.Reasons) {
			t.line("  %s refused: %s", thousands(r.Reasons[reason]), reason)
		}
		if r.Refused > 0 && c.Report != "" {
			t.line("Which rows, and why: %s", c.Report)
		}
	}
	switch {
	case r.Stopped:
		return fmt.Errorf("stopped after row %d: run the command again, and clients who are there already are passed over", r.Rows)
	case r.Refused > 0 && c.Report == "" && !c.JSON:
		fmt.Fprintln(t.Err, "Run it again with --report FILE to see which rows and why; clients who are there already are passed over.")
	}
	if r.Refused > 0 {
		return errRefused
	}
	return nil
}
