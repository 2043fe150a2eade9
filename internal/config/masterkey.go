package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

var errBothKeys = errors.New("--master-key and --master-key-file are both given: keep one")

// ReadMasterKey puts the key that MasterKeyFile holds into MasterKey.
func (d *Database) ReadMasterKey() error {
	if d.MasterKeyFile == "" {
		return nil
	}
	if d.MasterKey != "" {
		return errBothKeys
	}
	text, err := os.ReadFile(d.MasterKeyFile)
	if err != nil {
		return fmt.Errorf("reading the master key: %w", err)
	}
	d.MasterKey = strings.Join(strings.Fields(string(text)), ",")
	return nil
}

// SQLitePath is the database's file, or "" when the database is not SQLite.
func (d *Database) SQLitePath() string {
	path, ok := strings.CutPrefix(d.DatabaseURL, "sqlite:")
	if !ok {
		return ""
	}
	return path
}
