// Package outbox owns work that follows a fact: a job is written in the
// transaction of the fact itself and done after its commit, by one of the
// processes on the database, again until it succeeds or fails for good. It
// also owns work that comes back at an interval, done by one process at a
// time. It never knows what a job does, and never opens a connection.
//
// A job may be done more than once (a process can die between the doing and
// the note that it is done), so handlers are idempotent, or bear it. Payloads
// stand in the database as they are: what is secret in one is sealed.
package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// State is where a job stands.
type State string

// The states of a job. A job that is done is gone.
const (
	Pending State = "pending" // waits for its time or for a worker
	Running State = "running" // a worker has it, until its lease ends
	Dead    State = "dead"    // failed for good: kept to be seen, see Retry
)

// Job is one piece of work.
type Job struct {
	ID            string          `json:"job_id"`
	EnvironmentID string          `json:"project_id,omitempty"`
	Kind          string          `json:"kind"`
	State         State           `json:"state"`
	Attempts      int             `json:"attempts"`             // so far, the one under way included
	RunAt         time.Time       `json:"run_at"`               // when it is due, was taken over, or died
	LastError     string          `json:"last_error,omitempty"` // of the latest failed attempt
	CreatedAt     time.Time       `json:"created_at"`
	Payload       json.RawMessage `json:"-"`

	claims int64
}

// Option says more about a job to be enqueued.
type Option func(*Job)

// For names the environment that a job belongs to.
func For(environmentID string) Option {
	return func(j *Job) { j.EnvironmentID = environmentID }
}

// At makes a job due at an instant instead of at once.
func At(t time.Time) Option {
	return func(j *Job) { j.RunAt = t }
}

const wake = "outbox"

// Enqueue writes a job that is done after the transaction commits, and never
// if it does not. The payload is encoded as JSON.
func Enqueue(tx *store.Tx, kind string, payload any, options ...Option) error {
	b, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	j := Job{Kind: kind, State: Pending, Payload: b, RunAt: tx.Now, CreatedAt: tx.Now}
	for _, o := range options {
		o(&j)
	}
	_, env, ok := id.Split(j.EnvironmentID)
	if !ok {
		env = id.Live
	}
	j.ID = id.New(id.Job, env, tx.Now)
	tx.Signal(wake)
	return insert(tx, &j)
}

// DefaultWorkers is how many jobs a queue does at the same time. Most of them
// wait for somebody else's server.
const DefaultWorkers = 128

// Config is what a Queue needs.
type Config struct {
	DB     *store.DB
	Logger *slog.Logger // nil: no log
	// Died, if set, is called in the transaction in which a job fails for good.
	Died func(tx *store.Tx, job *Job) error
	// Workers is how many jobs are done at the same time; 0 means DefaultWorkers.
	Workers int
	// Requests counts what else this process has been asked to do so far, which
	// jobs make way for. It may be nil: then jobs are all there is to do.
	Requests func() int64
}

// Queue does the jobs of a database. Several processes may each have one.
type Queue struct {
	db      *store.DB
	logger  *slog.Logger
	died    func(tx *store.Tx, job *Job) error
	workers int
	wake    <-chan struct{}

	requests func() int64 // may be nil

	handlers map[string]*handler
	periodic []*periodic

	mu      sync.Mutex
	idle    *sync.Cond // told when busy falls to 0
	busy    int        // jobs of Run under way, and looks for more
	results chan *attempt

	periodicDone chan *periodic
}

// New returns a queue that can do nothing yet: see Handle and Every.
func New(c Config) *Queue {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Died == nil {
		c.Died = func(*store.Tx, *Job) error { return nil }
	}
	if c.Workers == 0 {
		c.Workers = DefaultWorkers
	}
	q := &Queue{
		db: c.DB, logger: c.Logger, died: c.Died, workers: c.Workers, requests: c.Requests, wake: c.DB.Signals(wake),
		handlers: map[string]*handler{}, results: make(chan *attempt, c.Workers),
		periodicDone: make(chan *periodic),
	}
	q.idle = sync.NewCond(&q.mu)
	return q
}

// handler does the jobs of one kind.
type handler struct {
	do       func(ctx context.Context, payload json.RawMessage) error
	attempts int
	first    time.Duration
	longest  time.Duration
	timeout  time.Duration
}

// HandlerOption changes how the jobs of a kind are done.
type HandlerOption func(*handler)

// Attempts sets how often a job is tried before it is dead; 12 without it.
func Attempts(n int) HandlerOption { return func(h *handler) { h.attempts = n } }

// Backoff sets the wait after the first failed attempt, which doubles with
// each further one up to longest; 2 seconds and an hour without it, which
// with 12 attempts gives a receiver an hour to come back. The real waits are
// spread between half and one and a half times these.
func Backoff(first, longest time.Duration) HandlerOption {
	return func(h *handler) { h.first, h.longest = first, longest }
}

// Timeout sets how long one attempt may take before its context ends; a
// minute without it.
func Timeout(d time.Duration) HandlerOption { return func(h *handler) { h.timeout = d } }

// A job is its worker's until a lease ends. That of Run is short, so that the
// jobs of a process that died are soon in other hands, and is renewed for as
// long as an attempt goes on.
const (
	runLease = 10 * time.Second
	renewal  = 3 * time.Second
)

// leaseMargin is how long after its timeout an attempt that nobody renews may
// still come back before another worker takes its job over.
const leaseMargin = 30 * time.Second

func (h *handler) lease() time.Duration { return h.timeout + leaseMargin }

// Handle says who does the jobs of a kind. Jobs of kinds without a handler
// stay where they are: a newer process may know them. Call it before Run. The
// error of a handler is stored and logged, so it names no secret.
func (q *Queue) Handle(kind string, do func(ctx context.Context, payload json.RawMessage) error, options ...HandlerOption) {
	h := &handler{do: do, attempts: 12, first: 2 * time.Second, longest: time.Hour, timeout: time.Minute}
	for _, o := range options {
		o(h)
	}
	q.handlers[kind] = h
}

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks the error of a handler that no further attempt can mend: the
// job is dead at once.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent reports whether no further attempt can mend the error.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

type later struct {
	error
	wait time.Duration
}

func (l later) Unwrap() error { return l.error }

// After marks the error of a handler that knows when to try again, as from a
// Retry-After header. The wait is at least what back-off alone would choose. It
// takes the place of any wait that err was marked with before.
func After(wait time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return later{err, wait}
}

// WaitOf is how long an error marked with After asks to wait; 0 for any other.
func WaitOf(err error) time.Duration {
	var l later
	if errors.As(err, &l) {
		return l.wait
	}
	return 0
}

type postponed struct {
	error
	wait time.Duration
}

func (p postponed) Unwrap() error { return p.error }

// Postpone marks the error of a handler that has not tried, because it is too
// early to: the job is due again after the wait, or somewhat later, with as many
// attempts before it as it had.
func Postpone(wait time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return postponed{err, wait}
}

// ErrNoJob means that there is no dead job of the id.
var ErrNoJob = errors.New("there is no dead job of that id")

// Retry makes a dead job due at once, with all its attempts before it.
func (q *Queue) Retry(ctx context.Context, jobID string) error {
	return q.db.Update(ctx, func(tx *store.Tx) error {
		n, err := revive(tx, jobID)
		if err == nil && n == 0 {
			err = ErrNoJob
		}
		tx.Signal(wake)
		return err
	})
}

// RetryAll is Retry for all dead jobs; it returns how many there were.
func (q *Queue) RetryAll(ctx context.Context) (n int64, err error) {
	err = q.db.Update(ctx, func(tx *store.Tx) error {
		n, err = revive(tx, "")
		tx.Signal(wake)
		return err
	})
	return n, err
}

// List returns jobs of a state, those due or dead longest first, at most limit
// of them.
func (q *Queue) List(ctx context.Context, state State, limit int) (jobs []*Job, err error) {
	err = q.db.View(ctx, func(tx *store.Tx) error {
		jobs, err = list(tx, state, limit)
		return err
	})
	return jobs, err
}

// Stats is the state of the queue at one instant.
type Stats struct {
	Waiting   int64         // pending, their time has not come
	Due       int64         // pending, or lost by a worker that died
	Running   int64         // in a worker's hands
	Dead      int64         // failed for good
	OldestDue time.Duration // how long the first of the due waits; 0 without any
}

// Stats counts the jobs of all processes on the database.
func (q *Queue) Stats(ctx context.Context) (s Stats, err error) {
	err = q.db.View(ctx, func(tx *store.Tx) error {
		s, err = count(tx)
		return err
	})
	return s, err
}

// Purge removes up to budget jobs that have been dead for longer than keep.
func Purge(tx *store.Tx, keep time.Duration, budget int) (int64, error) {
	return purge(tx, tx.Now.Add(-keep), budget)
}
