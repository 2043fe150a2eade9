package app

import (
	"context"
	"errors"

	"gatehouse/internal/store"
)

// Setting returns what SetSetting wrote under a name, "" for nothing.
func (a *App) Setting(ctx context.Context, name string) (value string, err error) {
	err = a.DB.View(ctx, func(tx *store.Tx) error {
		value, err = readSetting(tx, name)
		return err
	})
	return value, err
}

// SetSetting remembers a text about the database as a whole.
func (a *App) SetSetting(ctx context.Context, name, value string) error {
	return a.DB.Update(ctx, func(tx *store.Tx) error { return writeSetting(tx, name, value) })
}

// readSetting returns what is remembered under a name, "" for nothing.
func readSetting(tx *store.Tx, name string) (string, error) {
	var value string
	err := tx.QueryRow(`SELECT value FROM settings WHERE name = $1`, name).Scan(&value)
	if errors.Is(err, store.ErrNoRows) {
		return "", nil
	}
	return value, err
}

func writeSetting(tx *store.Tx, name, value string) error {
	_, err := tx.Exec(`INSERT INTO settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}

// remember writes a setting unless there is one, and returns what is there.
func remember(tx *store.Tx, name, value string) (string, error) {
	if _, err := tx.Exec(`INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, value); err != nil {
		return "", err
	}
	return readSetting(tx, name)
}
