package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/config"
	"gatehouse/internal/store"
)

type migrateCommand struct {
	data
	output
	DryRun bool `help:"Say what would be done, and do nothing."`
}

// Run migrates the database.
func (c *migrateCommand) Run(t *Terminal) error {
	if c.DryRun {
		if err := c.exists(); err != nil {
			return c.say(t, migration{}, "There is no database at %s yet: it would be made.", c.SQLitePath())
		}
	}
	return c.withDatabase(func(ctx context.Context, db *store.DB) error {
		from, to, err := db.Version(ctx)
		if err != nil {
			return err
		}
		m := migration{From: from, To: to, DryRun: c.DryRun}
		if from > to || !c.DryRun {
			if err := db.Migrate(ctx); err != nil {
				return err
			}
		}
		switch {
		case from == to:
			return c.say(t, m, "The database is up to date (version %d).", to)
		case c.DryRun:
			return c.say(t, m, "The database would be brought from version %d to %d. Take a backup first.", from, to)
		}
		return c.say(t, m, "Brought the database from version %d to %d.", from, to)
	})
}

// migration is what was done, or would be.
type migration struct {
	From   int64 `json:"from"`
	To     int64 `json:"to"`
	DryRun bool  `json:"dry_run"`
}

// withDatabase opens the database as it is and runs f.
func (d *data) withDatabase(f func(ctx context.Context, db *store.DB) error) error {
	ctx := context.Background()
	db, err := app.OpenDatabase(ctx, app.Options{Database: d.Database, Now: time.Now})
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, db), db.Close())
}

type backupCommand struct {
	File string `arg:"" help:"File to write. It must not exist."`
	data
	output
}

// Run copies the database.
func (c *backupCommand) Run(t *Terminal) error {
	if err := c.exists(); err != nil {
		return err
	}
	return c.withDatabase(func(ctx context.Context, db *store.DB) error {
		if err := db.Backup(ctx, c.File); err != nil {
			return err
		}
		info, err := os.Stat(c.File)
		if err != nil {
			return err
		}
		view := map[string]any{"file": c.File, "bytes": info.Size()}
		return c.say(t, view, "Copied the database to %s (%s). Keep the master key apart from it, and safe: neither is of use without the other.", c.File, size(info.Size()))
	})
}

type purgeCommand struct {
	data
	output
	Budget         int           `default:"100000" help:"Rows of each kind to remove at most."`
	EventRetention time.Duration `env:"GATEHOUSE_EVENT_RETENTION" default:"2160h" placeholder:"TIME" help:"How long audit events are kept."`
}

// Run removes expired rows.
func (c *purgeCommand) Run(t *Terminal) error {
	if c.Budget < 1 {
		return usagef("--budget must be 1 or more")
	}
	return c.withServer(config.Server{EventRetention: c.EventRetention}, func(ctx context.Context, a *app.App) error {
		p, err := a.Purge(ctx, c.Budget)
		if err != nil {
			return err
		}
		return c.say(t, p, "Removed %s, %s, %s, %s, %s, %s and %s; brought %s up to date.", plural(p.Sessions, "session", "sessions"),
			plural(p.Challenges, "challenge", "challenges"), plural(p.Events, "event", "events"), plural(p.Jobs, "job", "jobs"),
			plural(p.Limits, "rate limit", "rate limits"), plural(p.Messages, "kept message", "kept messages"),
			plural(p.Tokens, "provider token", "provider tokens"), plural(p.Users, "user", "users"))
	})
}

// checkMasterKey refuses a missing key before anything is opened.
func checkMasterKey(key string) error {
	if key == "" {
		return app.ErrNoMasterKey
	}
	return nil
}

func unwritable(folder string, err error) error {
	var why *os.PathError
	if errors.As(err, &why) {
		err = why.Err
	}
	return fmt.Errorf("cannot write in the folder %s (%w): give the user who runs gatehouse the right to, or name another folder", folder, err)
}
