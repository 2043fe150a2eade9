package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"gatehouse/internal/store/lite"
)

// backup copies one snapshot with VACUUM INTO, which neither stops writers nor
// is stopped by them, into a file beside path that gets its name when it is
// complete and on disk.
func (db *sqliteDB) backup(ctx context.Context, path string) (err error) {
	if err := absent(path); err != nil {
		return err
	}
	// The copy holds what the database holds, so only its owner may read it.
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		return fmt.Errorf("the backup: %w", err)
	}
	defer func() {
		part.Close()
		if err != nil {
			os.Remove(part.Name())
			err = fmt.Errorf("the backup: %w", err)
		}
	}()
	if err := db.copyInto(ctx, part.Name()); err != nil {
		return err
	}
	if err := part.Sync(); err != nil {
		return err
	}
	if err := absent(path); err != nil {
		return err
	}
	if err := os.Rename(part.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func absent(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already and is not overwritten", path)
	}
	return nil
}

func (db *sqliteDB) copyInto(ctx context.Context, path string) error {
	c, err := lite.Open(db.path)
	if err != nil {
		return openError(db.path, err)
	}
	defer c.Close()
	c.BusyTimeout(busyMillis)
	s, err := c.Prepare("VACUUM INTO ?1")
	if err != nil {
		return err
	}
	defer s.Close()
	s.Bind()
	if err := s.BindText(1, path); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, c.Interrupt)
	_, err = s.Exec()
	if !stop() && ctx.Err() != nil {
		return ctx.Err()
	}
	if lite.IsFull(err) {
		return fmt.Errorf("no room left for %s: %w", path, err)
	}
	return err
}

// syncFolder makes a renamed file's new name durable.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be synced there, and need not be
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
