package outbox

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/store"
)

func insert(tx *store.Tx, j *Job) error {
	_, err := tx.Exec(`INSERT INTO outbox (id, environment_id, kind, payload, state, attempts, claims, run_at, last_error, created_at)
		VALUES ($1, $2, $3, $4, $5, 0, 0, $6, '', $7)`,
		j.ID, j.EnvironmentID, j.Kind, j.Payload, string(j.State), store.Millis(j.RunAt), store.Millis(j.CreatedAt))
	return err
}

const columns = `id, environment_id, kind, payload, state, attempts, claims, run_at, last_error, created_at`

func scan(rows *store.Rows) ([]*Job, error) {
	defer rows.Close()
	var jobs []*Job
	for rows.Next() {
		j := &Job{}
		var payload string
		var runAt, created int64
		if err := rows.Scan(&j.ID, &j.EnvironmentID, &j.Kind, &payload, &j.State, &j.Attempts, &j.claims, &runAt, &j.LastError, &created); err != nil {
			return nil, err
		}
		j.Payload, j.RunAt, j.CreatedAt = []byte(payload), store.Time(runAt), store.Time(created)
		jobs = append(jobs, j)
	}
	return jobs, rows.Err()
}

// anyOf is a condition on the kind, whose values begin at placeholder from.
func anyOf(kinds []string, from int) (condition string, args []any) {
	marks := make([]string, len(kinds))
	for i, k := range kinds {
		marks[i] = "$" + strconv.Itoa(from+i)
		args = append(args, k)
	}
	return `kind IN (` + strings.Join(marks, ", ") + `)`, args
}

// someDue reports whether a claim would find anything.
func someDue(tx *store.Tx, kinds []string) (bool, error) {
	if len(kinds) == 0 {
		return false, nil
	}
	condition, args := anyOf(kinds, 2)
	var one int
	err := tx.QueryRow(`SELECT 1 FROM outbox WHERE state <> 'dead' AND run_at <= $1 AND `+condition+` LIMIT 1`,
		append([]any{store.Millis(tx.Now)}, args...)...).Scan(&one)
	if errors.Is(err, store.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// claim takes up to limit due jobs, those due longest first, each until the
// end of a lease. The inner query is a common table expression because
// PostgreSQL may run a subquery twice, and would then take more than the limit.
// The limit is cast because SQLite plans by a bare one, and so prepares the
// statement again each time.
func claim(tx *store.Tx, kinds []string, limit int, lease func(kind string) time.Duration) ([]*Job, error) {
	if len(kinds) == 0 || limit <= 0 {
		return nil, nil
	}
	condition, names := anyOf(kinds, 3)
	args := append([]any{store.Millis(tx.Now), int64(limit)}, names...)
	until := `CASE kind`
	for i, k := range kinds {
		args = append(args, store.Millis(tx.Now.Add(lease(k))))
		until += ` WHEN $` + strconv.Itoa(3+i) + ` THEN CAST($` + strconv.Itoa(len(args)) + ` AS BIGINT)`
	}
	rows, err := tx.Query(`WITH due AS MATERIALIZED (
			SELECT id FROM outbox WHERE state <> 'dead' AND run_at <= $1 AND `+condition+`
			ORDER BY run_at, id LIMIT CAST($2 AS BIGINT)`+tx.SkipLocked()+`)
		UPDATE outbox SET state = 'running', attempts = attempts + 1, claims = claims + 1, run_at = `+until+` END
		WHERE id IN (SELECT id FROM due) RETURNING `+columns, args...)
	if err != nil {
		return nil, err
	}
	jobs, err := scan(rows)
	slices.SortFunc(jobs, func(a, b *Job) int { return strings.Compare(a.ID, b.ID) })
	return jobs, err
}

// held ends a condition that only the worker who still has the job meets.
const held = ` WHERE id = $1 AND claims = $2 AND state = 'running'`

func remove(tx *store.Tx, j *Job) error {
	_, err := tx.Exec(`DELETE FROM outbox`+held, j.ID, j.claims)
	return err
}

// renew puts off the end of a lease; false when another worker has the job.
func renew(tx *store.Tx, j *Job, lease time.Duration) (bool, error) {
	n, err := tx.Exec(`UPDATE outbox SET run_at = $3`+held, j.ID, j.claims, store.Millis(tx.Now.Add(lease)))
	return n > 0, err
}

// write stores what settling decided; false when another worker has the job.
func write(tx *store.Tx, j *Job) (bool, error) {
	n, err := tx.Exec(`UPDATE outbox SET state = $3, attempts = $4, run_at = $5, last_error = $6`+held,
		j.ID, j.claims, string(j.State), j.Attempts, store.Millis(j.RunAt), j.LastError)
	return n > 0, err
}

// revive makes one dead job pending, or all of them ("").
func revive(tx *store.Tx, jobID string) (int64, error) {
	return tx.Exec(`UPDATE outbox SET state = 'pending', attempts = 0, run_at = $1 WHERE state = 'dead' AND ($2 = '' OR id = $2)`,
		store.Millis(tx.Now), jobID)
}

func list(tx *store.Tx, state State, limit int) ([]*Job, error) {
	rows, err := tx.Query(`SELECT `+columns+` FROM outbox WHERE state = $1 ORDER BY run_at, id LIMIT $2`, string(state), int64(limit))
	if err != nil {
		return nil, err
	}
	return scan(rows)
}

func count(tx *store.Tx) (Stats, error) {
	var s Stats
	rows, err := tx.Query(`SELECT state, run_at <= $1 AS due, COUNT(*), MIN(run_at) FROM outbox GROUP BY 1, 2`, store.Millis(tx.Now))
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		var state State
		var due bool
		var n, first int64
		if err := rows.Scan(&state, &due, &n, &first); err != nil {
			return s, err
		}
		switch {
		case state == Dead:
			s.Dead += n
		case due:
			s.Due += n
			s.OldestDue = max(s.OldestDue, tx.Now.Sub(store.Time(first)))
		case state == Running:
			s.Running += n
		default:
			s.Waiting += n
		}
	}
	return s, rows.Err()
}

func purge(tx *store.Tx, before time.Time, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM outbox WHERE state = 'dead' AND id IN
		(SELECT id FROM outbox WHERE state = 'dead' AND run_at < $1 ORDER BY run_at, id LIMIT $2)`, store.Millis(before), int64(budget))
}

// nextRuns returns when each periodic work that has a row is next due.
func nextRuns(tx *store.Tx) (map[string]time.Time, error) {
	rows, err := tx.Query(`SELECT name, next_run FROM periodic_work`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	next := map[string]time.Time{}
	for rows.Next() {
		var name string
		var at int64
		if err := rows.Scan(&name, &at); err != nil {
			return nil, err
		}
		next[name] = store.Time(at)
	}
	return next, rows.Err()
}

// claimPeriodic takes periodic work until the end of a lease if it is due, or
// if its row was written by a clock that ran ahead of this one by more than
// any wait explains. It returns the number of the claim; 0 when not due.
func claimPeriodic(tx *store.Tx, name string, lease, longest time.Duration) (claim int64, err error) {
	err = tx.QueryRow(`INSERT INTO periodic_work (name, next_run, claims, last_error) VALUES ($1, $2, 1, '')
		ON CONFLICT (name) DO UPDATE SET next_run = $2, claims = periodic_work.claims + 1
		WHERE periodic_work.next_run <= $3 OR periodic_work.next_run > $4 RETURNING claims`,
		name, store.Millis(tx.Now.Add(lease)), store.Millis(tx.Now), store.Millis(tx.Now.Add(longest))).Scan(&claim)
	if errors.Is(err, store.ErrNoRows) {
		return 0, nil
	}
	return claim, err
}

// settlePeriodic notes how periodic work went, unless another process has
// taken it over meanwhile.
func settlePeriodic(tx *store.Tx, name string, claim int64, next time.Time, failure string) error {
	var err error
	if failure == "" {
		_, err = tx.Exec(`UPDATE periodic_work SET next_run = $3, succeeded_at = $4, last_error = '' WHERE name = $1 AND claims = $2`,
			name, claim, store.Millis(next), store.Millis(tx.Now))
	} else {
		_, err = tx.Exec(`UPDATE periodic_work SET next_run = $3, last_error = $4 WHERE name = $1 AND claims = $2`,
			name, claim, store.Millis(next), failure)
	}
	return err
}

func listPeriodic(tx *store.Tx) ([]Periodic, error) {
	rows, err := tx.Query(`SELECT name, next_run, succeeded_at, last_error FROM periodic_work ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Periodic
	for rows.Next() {
		var p Periodic
		var next int64
		var succeeded *int64
		if err := rows.Scan(&p.Name, &next, &succeeded, &p.LastError); err != nil {
			return nil, err
		}
		p.NextRun = store.Time(next)
		if succeeded != nil {
			at := store.Time(*succeeded)
			p.SucceededAt = &at
		}
		list = append(list, p)
	}
	return list, rows.Err()
}
