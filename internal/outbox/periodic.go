package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/store"
)

// periodicTimeout is how long periodic work may take; a process that dies over
// it is waited for a little longer than that.
const periodicTimeout = 10 * time.Minute

// periodic is work that comes back.
type periodic struct {
	name     string
	interval time.Duration
	do       func(ctx context.Context) error
}

// Periodic is how work that comes back stands.
type Periodic struct {
	Name        string     `json:"name"`
	NextRun     time.Time  `json:"next_run"` // while it runs: when another process takes it over
	SucceededAt *time.Time `json:"succeeded_at,omitempty"`
	LastError   string     `json:"last_error,omitempty"` // of the latest run, "" if it succeeded
}

// Every has f run at an interval, by one process at a time: at once where the
// database has not seen the name yet, and then the interval after each begin.
// A failed run is logged, and is not repeated before its time. f must end soon
// after its context does. Call Every before Run.
func (q *Queue) Every(name string, interval time.Duration, f func(ctx context.Context) error) {
	q.periodic = append(q.periodic, &periodic{name, interval, f})
}

// Periodic returns how the work that comes back stands, by name.
func (q *Queue) Periodic(ctx context.Context) (works []Periodic, err error) {
	err = q.db.View(ctx, func(tx *store.Tx) error {
		works, err = listPeriodic(tx)
		return err
	})
	return works, err
}

// RunPeriodic does the periodic work that is due, one after the other. It is
// for tests; the error joins what failed.
func (q *Queue) RunPeriodic(ctx context.Context) error {
	due, err := q.duePeriodic(ctx)
	for _, p := range due {
		s := q.span(ctx, periodicTimeout)
		err = errors.Join(err, q.runPeriodic(s, p))
	}
	return err
}

// tickPeriodic starts what is due and not under way.
func (r *runner) tickPeriodic() {
	if r.stopping() || len(r.q.periodic) == 0 {
		return
	}
	due, err := r.q.duePeriodic(r.ctx)
	if err != nil {
		r.q.logger.Error("looking for periodic work failed", "error", err)
	}
	for _, p := range due {
		if r.periodic[p] != nil {
			continue
		}
		s := r.q.span(r.ctx, periodicTimeout)
		r.periodic[p] = s
		go func() {
			if err := r.q.runPeriodic(s, p); err != nil && !s.stopped() {
				r.q.logger.Error("periodic work failed", "name", p.name, "error", err)
			}
			r.q.periodicDone <- p
		}()
	}
}

func (q *Queue) duePeriodic(ctx context.Context) ([]*periodic, error) {
	var next map[string]time.Time
	var now time.Time
	err := q.db.View(ctx, func(tx *store.Tx) (err error) {
		now = tx.Now
		next, err = nextRuns(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	var due []*periodic
	for _, p := range q.periodic {
		if at := next[p.name]; !now.Before(at) || at.After(now.Add(p.longest())) {
			due = append(due, p)
		}
	}
	return due, nil
}

// longest is more than any wait of this work explains.
func (p *periodic) longest() time.Duration { return 2*p.interval + periodicTimeout + leaseMargin }

// runPeriodic does one work unless another process is faster.
func (q *Queue) runPeriodic(s *span, p *periodic) error {
	defer s.cancel(nil)
	ctx := context.WithoutCancel(s.ctx)
	var number int64
	var began time.Time
	err := q.db.Update(ctx, func(tx *store.Tx) (err error) {
		began = tx.Now
		number, err = claimPeriodic(tx, p.name, periodicTimeout+leaseMargin, p.longest())
		return err
	})
	if err != nil || number == 0 {
		return err
	}
	failed := q.call(s, p.name, p.do)
	failure, next := "", began.Add(p.interval)
	if failed != nil {
		failure = shortened(failed.Error())
	}
	err = q.db.Update(ctx, func(tx *store.Tx) error {
		if failed != nil && s.stopped() {
			next = tx.Now // another process goes on where this one stopped
		}
		return settlePeriodic(tx, p.name, number, next, failure)
	})
	if failed != nil {
		failed = fmt.Errorf("%s: %w", p.name, failed)
	}
	return errors.Join(failed, err)
}
