package app

import (
	"context"
	"errors"

	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

// ErrNotMigrated means that the database lacks tables this version needs.
var ErrNotMigrated = errors.New("the database is not up to date. Run `gatehouse migrate`, or start the server, which does the same")

// OpenTools opens the database for a command that works beside a server: it
// migrates nothing and serves no route. Without a master key
// the Keyring is nil, and what is sealed stays closed.
func OpenTools(ctx context.Context, o Options) (*App, error) {
	var keyring *secret.Keyring
	if o.Database.MasterKey != "" {
		var err error
		if keyring, err = parseKeyring(o.Database.MasterKey); err != nil {
			return nil, err
		}
	}
	a, err := open(ctx, o, keyring)
	if err != nil {
		return nil, err
	}
	if err := a.prepareTools(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) prepareTools(ctx context.Context) error {
	current, latest, err := a.DB.Version(ctx)
	switch {
	case err != nil:
		return err
	case current > latest:
		return a.DB.Migrate(ctx) // says what is wrong, and does nothing
	case current < latest:
		return ErrNotMigrated
	}
	if a.Keyring != nil {
		if err := a.CheckMasterKey(ctx); err != nil {
			return err
		}
	}
	if err := a.build(); err != nil {
		return err
	}
	return a.Projects.Load(ctx)
}

// OpenDatabase opens the database alone, as it is: for migrations and for
// looking after it. It makes a SQLite file that is missing.
func OpenDatabase(ctx context.Context, o Options) (*store.DB, error) {
	a, err := open(ctx, o, nil)
	if err != nil {
		return nil, err
	}
	return a.DB, nil
}
