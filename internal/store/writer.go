package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"gatehouse/internal/store/lite"
)

// writer is the one goroutine that writes to a SQLite file. The Updates that
// wait while it commits become the next group: each runs in a savepoint of its
// own, and one commit makes them all durable (group commit). Nobody is
// answered before that commit, and no request's context reaches SQLite.
type writer struct {
	db   *sqliteDB
	conn *liteConn

	mu      sync.Mutex
	queue   []*update
	closed  bool
	wake    chan struct{} // holds a token when the queue may not be empty
	stopped chan struct{}

	group   []*update // under way; the writer's own
	running *update   // whose function runs; the writer's own
}

// maxGroup bounds how many updates share a commit, and so how long the first
// of them waits for the last.
const maxGroup = 256

// update is one call of Update.
type update struct {
	ctx   context.Context
	fn    func(*Tx) error
	state atomic.Int32 // waiting, then taken by the writer or left by the caller
	alone bool         // must not share a commit
	done  chan struct{}

	// The answer.
	err      error
	panicked any
	exited   bool
}

const (
	waiting = iota
	taken
	left
)

func newWriter(db *sqliteDB, conn *liteConn) *writer {
	w := &writer{db: db, conn: conn, wake: make(chan struct{}, 1), stopped: make(chan struct{})}
	go w.loop()
	return w
}

// update queues fn and waits for its commit. A caller whose context ends while
// fn waits its turn leaves the queue.
func (w *writer) update(ctx context.Context, alone bool, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.db.brokenErr(); err != nil {
		return err
	}
	u := &update{ctx: ctx, fn: fn, alone: alone, done: make(chan struct{})}
	if !w.enqueue(u) {
		return ErrClosed
	}
	select {
	case <-u.done:
	case <-ctx.Done():
		if u.state.CompareAndSwap(waiting, left) {
			return ctx.Err()
		}
		<-u.done
	}
	switch {
	case u.exited:
		runtime.Goexit()
	case u.panicked != nil:
		panic(u.panicked) // of the caller's own making, where the caller can handle it
	}
	return u.err
}

func (w *writer) enqueue(u *update) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.queue = append(w.queue, u)
	w.nudge()
	return true
}

func (w *writer) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take removes up to n updates from the queue, of which only the first may be
// one that must be alone, and then only if it is to be the first of its group.
func (w *writer) take(n int, first bool) []*update {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*update
	for len(w.queue) > 0 && len(out) < n {
		u := w.queue[0]
		if u.alone && (!first || len(out) > 0) {
			break
		}
		w.queue = w.queue[1:]
		// Those that were taken before run again.
		if !u.state.CompareAndSwap(waiting, taken) && u.state.Load() == left {
			continue
		}
		out = append(out, u)
		if u.alone {
			break
		}
	}
	return out
}

// again puts updates that have to run again at the head of the queue.
func (w *writer) again(us []*update) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(append([]*update(nil), us...), w.queue...)
	w.nudge()
}

func (w *writer) loop() {
	defer w.exit()
	for {
		w.group = w.take(maxGroup, true)
		if len(w.group) > 0 {
			w.commitGroup()
			continue
		}
		w.mu.Lock()
		over := w.closed && len(w.queue) == 0
		w.mu.Unlock()
		if over {
			return
		}
		<-w.wake
	}
}

// exit ends the writer's goroutine, or replaces it when a function ended it
// with runtime.Goexit, as a test's FailNow does.
func (w *writer) exit() {
	u := w.running
	if u == nil {
		close(w.stopped)
		return
	}
	w.running = nil
	w.abandon(u)
	u.exited = true
	close(u.done)
	go w.loop()
}

// abandon ends the group's transaction without u; the others run again.
func (w *writer) abandon(u *update) {
	w.rollback()
	others := make([]*update, 0, len(w.group))
	for _, o := range w.group {
		if o != u {
			others = append(others, o)
		}
	}
	w.group = nil
	w.again(others)
}

func (w *writer) rollback() {
	if w.conn.InTransaction() {
		// A rollback that fails leaves the transaction open, and the next
		// BEGIN then says why.
		w.conn.control(&w.conn.rollback, "ROLLBACK")
	}
}

// commitGroup runs the group, and whoever arrives meanwhile, and commits.
func (w *writer) commitGroup() {
	if err := w.db.brokenErr(); err != nil {
		w.answerAll(err)
		return
	}
	if err := w.conn.control(&w.conn.begin, "BEGIN IMMEDIATE"); err != nil {
		w.rollback()
		w.answerAll(w.explain("starting a transaction", err))
		return
	}
	for i := 0; i < len(w.group); i++ {
		u := w.group[i]
		if !w.attempt(u) {
			w.abandon(u)
			close(u.done)
			return
		}
		if i == len(w.group)-1 && !u.alone {
			w.group = append(w.group, w.take(maxGroup-len(w.group), false)...)
		}
	}
	start := w.db.o.Now()
	err := w.conn.control(&w.conn.commit, "COMMIT")
	w.db.o.Observe("commit", w.db.o.Now().Sub(start))
	if err != nil {
		w.commitFailed(err)
		return
	}
	for _, u := range w.group {
		close(u.done)
	}
	w.group = nil
	w.db.log.committed(w.conn)
	// Those just answered often come back at once: let them join the next group
	// instead of the one after.
	runtime.Gosched()
}

// attempt runs u in a savepoint. It reports false when the group's transaction
// did not survive, which some errors cause.
func (w *writer) attempt(u *update) bool {
	if u.alone {
		return w.attemptAlone(u)
	}
	if err := w.conn.control(&w.conn.save, "SAVEPOINT u"); err != nil {
		u.err = w.explain("starting a transaction", err)
		return false
	}
	w.running = u
	commit := w.call(u)
	w.running = nil
	if !w.conn.InTransaction() {
		if commit {
			u.err = errors.New("store: the transaction ended before its function did")
		}
		return false
	}
	if !commit {
		if err := w.conn.control(&w.conn.undo, "ROLLBACK TO u"); err != nil {
			return false
		}
	}
	if err := w.conn.control(&w.conn.release, "RELEASE u"); err != nil {
		u.err = w.explain("ending a transaction", err)
		return false
	}
	return true
}

// attemptAlone runs u in the transaction itself, which is taken back when u
// fails: nobody else is in it.
func (w *writer) attemptAlone(u *update) bool {
	w.running = u
	commit := w.call(u)
	w.running = nil
	if commit && !w.conn.InTransaction() {
		u.err = errors.New("store: the transaction ended before its function did")
		return false
	}
	return commit
}

// call runs the function of u, notes its answer and says whether to commit.
func (w *writer) call(u *update) (commit bool) {
	u.err, u.panicked = nil, nil // of an earlier run
	tx := &Tx{Now: instant(w.db.o.Now()), ctx: u.ctx, kind: SQLite, run: w.conn}
	defer tx.end()
	defer func() {
		if v := recover(); v != nil {
			commit = false
			u.panicked = &Panic{Value: v, Stack: debug.Stack()}
		}
	}()
	commit, u.err = tx.verdict(u.fn(tx))
	u.err = w.explain("", u.err)
	return commit
}

// Panic is what Update panics with when its function panicked on the writer's
// goroutine, whose stack the caller's cannot show.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("%v\n\nin a transaction:\n%s", p.Value, p.Stack) }

// Unwrap gives the value, if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// commitFailed answers a group whose commit failed.
func (w *writer) commitFailed(err error) {
	w.rollback()
	switch {
	case lite.IsIO(err):
		// What is on disk is unknown: the failed sync may or may not have
		// written, and a second one that succeeds would prove nothing.
		w.answerAll(w.db.fail(err))
	case lite.IsFull(err):
		w.answerAll(w.explain("committing", err))
		// The log takes room of its own, and often most of what it holds has a
		// place in the file already.
		w.db.log.truncate(w.conn)
	case lite.IsBusy(err) || len(w.group) == 1:
		w.answerAll(w.explain("committing", err))
	default:
		// A constraint that is checked at the commit: one of them broke it,
		// and the others should not pay for it.
		for _, u := range w.group {
			u.alone = true
		}
		w.again(w.group)
		w.group = nil
	}
}

func (w *writer) answerAll(err error) {
	for _, u := range w.group {
		u.err, u.panicked = err, nil
		close(u.done)
	}
	w.group = nil
}

// explain gives an error its name in this package and says what failed.
func (w *writer) explain(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case lite.IsFull(err) && !errors.Is(err, ErrDiskFull):
		return fmt.Errorf("%w: %s: %w", ErrDiskFull, w.db.path, err)
	case what == "":
		return err
	case lite.IsBusy(err):
		return fmt.Errorf("%s: another process holds the database %s: %w", what, w.db.path, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// close waits for everyone in the queue. It reports false when it was called
// before.
func (w *writer) close() bool {
	w.mu.Lock()
	first := !w.closed
	w.closed = true
	w.nudge()
	w.mu.Unlock()
	<-w.stopped
	return first
}
