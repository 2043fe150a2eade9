package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/store"
)

const (
	// maxError bounds what is stored of an attempt's error, in bytes.
	maxError = 1024
	// What is done is noted together, in one durable commit: as soon as so many
	// jobs are done, or none is under way, or at the latest after a moment.
	noteTogether = 32
	noteWithin   = 2 * time.Millisecond
	// grace is how long jobs under way may go on after a stop.
	grace = 5 * time.Second
)

var (
	errTimeout = errors.New("the attempt took too long")
	errStopped = errors.New("the process is stopping")
	errLost    = errors.New("another worker has the job")
)

// attempt is one job in the hands of a handler, and then how it went.
type attempt struct {
	*span
	job     *Job
	renewAt time.Time // when its lease wants to be renewed
	err     error
}

// span is the time that work may take. The work never looks at the deadline, which
// the runner moves.
type span struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	deadline time.Time
}

func (q *Queue) span(ctx context.Context, limit time.Duration) *span {
	s := &span{deadline: q.db.Now().Add(limit)}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	return s
}

// Run does jobs and periodic work until ctx ends. It looks for work when this
// process enqueues some, and at each tick: then it finds what other processes
// enqueued, what failed and is due again, what ran out of its time. Ticks go
// on while Run stops, which it does as soon as the jobs under way are done,
// cancelling them after a few seconds, and gives up after a few more. A queue
// has one Run.
func (q *Queue) Run(ctx context.Context, ticks <-chan time.Time) {
	r := &runner{q: q, asked: ctx, ctx: context.WithoutCancel(ctx), running: map[*attempt]bool{}, periodic: map[*periodic]*span{}}
	r.pace = newPace(q.requests)
	defer func() { q.track(-len(r.running) - len(r.settling)) }()
	var note <-chan time.Time // set while something is done and not noted
	r.round()
	for !r.stopped || len(r.running)+len(r.settling)+len(r.periodic) > 0 {
		stop := ctx.Done()
		if r.stopped {
			stop = nil
		}
		select {
		case <-stop:
			r.stopping()
		case <-q.wake:
			r.round()
		case a := <-q.results:
			r.collect(a)
			switch {
			case len(r.settling) >= noteTogether || len(r.running) == 0 && !r.pace.spent():
				r.round()
			case note == nil && !r.pace.spent(): // else the next beat is soon enough
				note = time.After(noteWithin)
			}
		case <-note:
			note = nil
			r.round()
		case <-r.pace.next:
			r.beat()
		case p := <-q.periodicDone:
			delete(r.periodic, p)
		case <-ticks:
			r.expire(q.db.Now())
			r.tickPeriodic()
			if r.look() {
				r.round()
			}
		}
		if r.stopped && (!q.db.Now().Before(r.abandonAt) || r.failed && len(r.running)+len(r.periodic) == 0) {
			q.logger.Error("stopping without having noted what was done: it will be done again",
				"jobs", len(r.running)+len(r.settling), "periodic", len(r.periodic))
			return
		}
	}
}

// runner is what one Run holds; its goroutine's own.
type runner struct {
	q         *Queue
	asked     context.Context // Run's: ends when it is asked to stop
	ctx       context.Context // of the work, which goes on
	running   map[*attempt]bool
	settling  []*attempt // done, not yet noted in the database
	periodic  map[*periodic]*span
	pace      pace
	more      bool // the latest round took as many jobs as it could
	stopped   bool
	abandonAt time.Time
	failed    bool // the latest turn, so that settling could not be noted
}

// stopping begins nothing more once Run is asked to stop, and lets the jobs
// under way end by themselves for a while.
func (r *runner) stopping() bool {
	if r.stopped || r.asked.Err() == nil {
		return r.stopped
	}
	until := r.q.db.Now().Add(grace)
	r.stopped, r.abandonAt = true, until.Add(grace)
	for a := range r.running {
		if a.deadline.After(until) {
			a.deadline = until
		}
	}
	for _, s := range r.periodic {
		s.cancel(errStopped)
	}
	return true
}

func (r *runner) expire(now time.Time) {
	cause := errTimeout
	if r.stopped {
		cause = errStopped
	}
	for a := range r.running {
		if !now.Before(a.deadline) {
			a.cancel(cause)
		}
	}
	for _, s := range r.periodic {
		if !now.Before(s.deadline) {
			s.cancel(cause)
		}
	}
}

// collect takes a result, and whatever else is there by now: they share a
// transaction.
func (r *runner) collect(a *attempt) {
	for {
		delete(r.running, a)
		r.settling = append(r.settling, a)
		select {
		case a = <-r.q.results:
		default:
			return
		}
	}
}

// expiring reports whether some lease wants to be renewed.
func (r *runner) expiring() bool {
	now := r.q.db.Now()
	for a := range r.running {
		if !now.Before(a.renewAt) {
			return true
		}
	}
	return false
}

// held are the attempts under way, in the one order in which all processes lock
// their jobs.
func (r *runner) held() []*attempt {
	return slices.SortedFunc(maps.Keys(r.running), func(a, b *attempt) int { return strings.Compare(a.job.ID, b.job.ID) })
}

// look asks whether a round has anything to do, without writing.
func (r *runner) look() bool {
	if len(r.settling) > 0 || r.expiring() {
		return true
	}
	if r.stopping() || len(r.running) >= r.q.workers || r.pace.spent() {
		return false
	}
	var due bool
	err := r.q.db.View(r.ctx, func(tx *store.Tx) (err error) {
		due, err = someDue(tx, r.q.kinds())
		return err
	})
	if err != nil {
		r.q.logger.Error("looking for jobs failed", "error", err)
	}
	return due
}

// round notes what is done, renews the leases that need it, takes what is due
// for the free workers and starts it, in one transaction. It goes on while
// there is more than it could take.
func (r *runner) round() {
	r.q.track(1)
	defer r.q.track(-1)
	for {
		free := min(r.q.workers-len(r.running), r.pace.left)
		if r.stopping() {
			free = 0
		}
		if free <= 0 && len(r.settling) == 0 && !r.expiring() {
			return
		}
		jobs, err := r.q.exchange(r.ctx, r.settling, r.held(), free, func(string) time.Duration { return runLease })
		if r.failed = err != nil; r.failed {
			// What is done stays in settling, and is noted at a later tick.
			r.pace.rest()
			r.q.logger.Error("taking jobs failed", "error", err)
			return
		}
		r.q.track(len(jobs) - len(r.settling))
		r.settling, r.more = nil, len(jobs) > 0 && len(jobs) == free
		r.pace.began(len(jobs))
		for _, j := range jobs {
			r.start(j)
		}
		if len(jobs) == 0 || len(jobs) < free {
			return
		}
	}
}

// beat begins what the pace allows by now, and lets it rest when nothing is left
// to be done.
func (r *runner) beat() {
	r.pace.turn()
	r.round()
	if len(r.running)+len(r.settling) == 0 && !r.more {
		r.pace.rest()
	}
}

func (r *runner) start(j *Job) {
	a := r.q.begin(r.ctx, j)
	r.running[a] = true
	go func() {
		r.q.do(a)
		r.q.results <- a // has room for all workers
	}()
}

// turn is exchange for a worker that renews no lease.
func (q *Queue) turn(ctx context.Context, done []*attempt, limit int) ([]*Job, error) {
	return q.exchange(ctx, done, nil, limit, func(kind string) time.Duration { return q.handlers[kind].lease() })
}

// exchange settles attempts, renews the leases of those under way that need it
// and claims up to limit jobs, in one transaction and by its instant: a worker
// that was held up would otherwise take its own jobs as lost by another.
func (q *Queue) exchange(ctx context.Context, done, held []*attempt, limit int, lease func(kind string) time.Duration) (jobs []*Job, err error) {
	settled := make([]*Job, len(done))
	var renewed, lost []*attempt
	var now time.Time
	err = q.db.Update(ctx, func(tx *store.Tx) error {
		renewed, lost, now = nil, nil, tx.Now
		for i, a := range done {
			if settled[i], err = q.settle(tx, a); err != nil {
				return err
			}
		}
		for _, a := range held {
			if now.Before(a.renewAt) {
				continue
			}
			ok, err := renew(tx, a.job, lease(a.job.Kind))
			if err != nil {
				return err
			}
			if renewed = append(renewed, a); !ok {
				lost = append(lost, a)
			}
		}
		jobs, err = claim(tx, q.kinds(), limit, lease)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, a := range renewed {
		a.renewAt = now.Add(renewal)
	}
	for _, a := range lost {
		a.cancel(errLost) // another worker does it, and once is enough
	}
	for i, a := range done {
		q.report(ctx, a, settled[i])
	}
	return jobs, nil
}

// settle notes how an attempt went, unless its lease has ended and the job is
// another worker's; then it returns nil, as it does for a job that is done.
func (q *Queue) settle(tx *store.Tx, a *attempt) (*Job, error) {
	if a.err == nil {
		return nil, remove(tx, a.job)
	}
	j := *a.job
	h := q.handlers[j.Kind]
	var early postponed
	switch {
	case errors.As(a.err, &early):
		// Spread, so that what was put off together does not come back together.
		j.State, j.RunAt, j.LastError = Pending, tx.Now.Add(early.wait+rand.N(early.wait/2+1)), shortened(a.err.Error())
		j.Attempts--
	case a.stopped():
		// Not the job's fault: another process goes on where this one stopped.
		j.State, j.RunAt = Pending, tx.Now
		j.Attempts--
	case IsPermanent(a.err) || j.Attempts >= h.attempts:
		j.State, j.RunAt, j.LastError = Dead, tx.Now, shortened(a.err.Error())
	default:
		j.State, j.RunAt, j.LastError = Pending, tx.Now.Add(h.wait(j.Attempts, a.err)), shortened(a.err.Error())
	}
	ours, err := write(tx, &j)
	if err != nil || !ours {
		return nil, err
	}
	if j.State == Dead {
		err = q.died(tx, &j)
	}
	return &j, err
}

func (q *Queue) report(ctx context.Context, a *attempt, settled *Job) {
	if settled == nil || settled.State == Pending && settled.Attempts < a.job.Attempts {
		return // done, or not tried
	}
	level, message := slog.LevelWarn, "a job failed and will be tried again"
	if settled.State == Dead {
		level, message = slog.LevelError, "a job failed for good"
	}
	q.logger.Log(ctx, level, message, "job_id", settled.ID, "kind", settled.Kind, "project_id", settled.EnvironmentID,
		"attempt", a.job.Attempts, "run_at", settled.RunAt, "error", settled.LastError)
}

// wait is the time before the next attempt: doubling, spread so that jobs that
// failed together do not come back together, and no less than asked for.
func (h *handler) wait(attempts int, err error) time.Duration {
	d := h.first
	for range attempts - 1 {
		if d *= 2; d >= h.longest {
			break
		}
	}
	d = min(d, h.longest)
	return max(d/2+rand.N(max(d, 1)), WaitOf(err))
}

// shortened is a text as PostgreSQL takes it, of bounded length.
func shortened(s string) string {
	if len(s) > maxError {
		s = s[:maxError]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func (q *Queue) kinds() []string { return slices.Sorted(maps.Keys(q.handlers)) }

func (q *Queue) begin(ctx context.Context, j *Job) *attempt {
	return &attempt{span: q.span(ctx, q.handlers[j.Kind].timeout), job: j, renewAt: q.db.Now().Add(renewal)}
}

// do calls the handler; a panic fails the attempt, not the process.
func (q *Queue) do(a *attempt) {
	a.err = q.call(a.span, a.job.Kind, func(ctx context.Context) error {
		return q.handlers[a.job.Kind].do(ctx, a.job.Payload)
	})
}

// call runs f in its span and says why it was cut short, if it was.
func (q *Queue) call(s *span, what string, f func(context.Context) error) (err error) {
	defer s.cancel(nil)
	defer func() {
		if v := recover(); v != nil {
			q.logger.Error("panic in a job", "kind", what, "panic", v, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	err = f(s.ctx)
	if cause := context.Cause(s.ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// stopped reports whether the work of s was ended because the process is.
func (s *span) stopped() bool { return errors.Is(context.Cause(s.ctx), errStopped) }

// Drain does every job that is due, one after the other, and those that these
// enqueue, until none is due; it also waits for what a Run of this queue has
// under way. It is for tests, and for commands that must not leave work behind.
// The error is the database's: how a job went is to be read from the queue.
func (q *Queue) Drain(ctx context.Context) error {
	var done []*attempt
	for {
		limit := 1
		if ctx.Err() != nil {
			limit = 0
		}
		jobs, err := q.turn(context.WithoutCancel(ctx), done, limit)
		if err != nil {
			return err
		}
		done = nil
		for _, j := range jobs {
			a := q.begin(ctx, j)
			q.do(a)
			done = append(done, a)
		}
		if len(done) == 0 && q.quiet(ctx) {
			return ctx.Err()
		}
	}
}

// track counts what Run has under way.
func (q *Queue) track(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy += n; q.busy == 0 {
		q.idle.Broadcast()
	}
}

// quiet reports whether Run has nothing under way. If it has, quiet waits and
// reports false: there may be new work now.
func (q *Queue) quiet(ctx context.Context) bool {
	defer context.AfterFunc(ctx, func() { q.track(0) })()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy == 0 {
		return true
	}
	for q.busy > 0 && ctx.Err() == nil {
		q.idle.Wait()
	}
	return ctx.Err() != nil
}
