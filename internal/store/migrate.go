package store

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var embeddedDir embed.FS

var embedded, _ = fs.Sub(embeddedDir, "migrations")

// migrator is a database/sql handle for goose.
type migrator struct{ db *sql.DB }

// versionTable is goose's record of what was applied.
const versionTable = "goose_db_version"

// Version returns the version of the database, 0 when it is empty, and the
// version this program brings.
func (db *DB) Version(ctx context.Context) (current, latest int64, err error) {
	if latest, err = latestMigration(db.migrations); err != nil {
		return 0, 0, err
	}
	find := `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1`
	if db.kind == Postgres {
		find = `SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = $1`
	}
	err = db.View(ctx, func(tx *Tx) error {
		var tables int
		if err := tx.QueryRow(find, versionTable).Scan(&tables); err != nil || tables == 0 {
			current = 0
			return err
		}
		return tx.QueryRow(`SELECT coalesce(max(version_id), 0) FROM ` + versionTable + ` WHERE is_applied`).Scan(&current)
	})
	return current, latest, err
}

// Migrate brings the database to this program's version. It only goes forward,
// and several processes may do it at once. A database from a newer version
// gives ErrNewer.
func (db *DB) Migrate(ctx context.Context) error {
	current, latest, err := db.Version(ctx)
	if err != nil {
		return fmt.Errorf("reading the database's version: %w", err)
	}
	if current > latest {
		return fmt.Errorf("%w (database version %d, this program knows %d): start it with the newer program, or restore a backup from before the upgrade", ErrNewer, current, latest)
	}
	if current == latest {
		return nil
	}
	m, err := db.backend.migrator()
	if err != nil {
		return err
	}
	defer m.db.Close()
	dialect := goose.DialectSQLite3
	if db.kind == Postgres {
		dialect = goose.DialectPostgres
	}
	p, err := goose.NewProvider(dialect, m.db, rewritten{db.migrations, db.kind}, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

func latestMigration(fsys fs.FS) (int64, error) {
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return 0, err
	}
	latest := int64(0)
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 1 {
			return 0, errors.New("migration " + name + ": the name must be NNNN_what.sql")
		}
		latest = max(latest, n)
	}
	return latest, nil
}

// rewritten is the folder of migrations in one engine's words.
type rewritten struct {
	fs.FS
	kind Engine
}

func (r rewritten) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return f, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	text, err := fs.ReadFile(r.FS, name)
	if err != nil {
		return nil, err
	}
	return &textFile{bytes.NewReader(migrationText(r.kind, text)), info}, nil
}

type textFile struct {
	*bytes.Reader
	info fs.FileInfo
}

func (f *textFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *textFile) Close() error               { return nil }
