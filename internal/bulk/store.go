package bulk

import (
	"encoding/json"
	"errors"
	"fmt"

	"gatehouse/internal/store"
)

// errElsewhere ends an import beside which another one of the same file runs.
var errElsewhere = errors.New("another import of this file is running: wait for it, or stop it")

// progressOf reads how far an import of a file has come that has not finished.
func progressOf(tx *store.Tx, envID, id string) (r Result, found bool, err error) {
	var counts string
	var rows int64
	err = tx.QueryRow(`SELECT rows_done, counts FROM imports WHERE environment_id = $1 AND id = $2 AND finished = FALSE`, envID, id).
		Scan(&rows, &counts)
	if errors.Is(err, store.ErrNoRows) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	if err := json.Unmarshal([]byte(counts), &r); err != nil {
		return r, false, fmt.Errorf("decoding what was imported so far: %w", err)
	}
	r.Rows = rows
	return r, true, nil
}

// begin starts the count of a file at its beginning.
func begin(tx *store.Tx, envID, id string) error {
	_, err := tx.Exec(`INSERT INTO imports (environment_id, id, rows_done, counts, finished, started_at, updated_at)
		VALUES ($1, $2, 0, '{}', FALSE, $3, $3)
		ON CONFLICT (environment_id, id) DO UPDATE SET rows_done = 0, counts = '{}', finished = FALSE,
			started_at = excluded.started_at, updated_at = excluded.updated_at`, envID, id, store.Millis(tx.Now))
	return err
}

// advance moves the count on. It fails when somebody else has moved it.
func advance(tx *store.Tx, envID, id string, from int64, r *Result, finished bool) error {
	counts, err := json.Marshal(r)
	if err != nil {
		return err
	}
	n, err := tx.Exec(`UPDATE imports SET rows_done = $4, counts = $5, finished = $6, updated_at = $7
		WHERE environment_id = $1 AND id = $2 AND rows_done = $3 AND finished = FALSE`,
		envID, id, from, r.Rows, string(counts), finished, store.Millis(tx.Now))
	if err == nil && n == 0 {
		return errElsewhere
	}
	return err
}
