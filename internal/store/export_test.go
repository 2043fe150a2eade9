package store

import (
	"context"
	"io/fs"
)

// What the tests need to see of the inside.

// Numbered is the rewriting of placeholders.
var Numbered = numbered

// MigrationText is the rewriting of migrations.
var MigrationText = migrationText

// OpenWith is Open with other migrations.
func OpenWith(ctx context.Context, o Options, files fs.FS) (*DB, error) { return open(ctx, o, files) }

// Waiting is how many updates are in the SQLite writer's queue.
func Waiting(db *DB) int {
	w := db.backend.(*sqliteDB).writer
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}

// Reruns is how often a transaction is tried on PostgreSQL.
const Reruns = reruns
