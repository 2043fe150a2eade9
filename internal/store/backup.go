package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

func (db *sqliteDB) backup(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already; a backup does not overwrite", path)
	}
	c, err := openLite(ctx, db.dsn)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	temp := path + ".part"
	os.Remove(temp)
	if _, err := c.exec("VACUUM INTO $1", []any{temp}); err != nil {
		os.Remove(temp)
		return err
	}
	return os.Rename(temp, path)
}
