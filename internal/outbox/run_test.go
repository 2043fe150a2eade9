package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// running is a Run under a test's control.
type running struct {
	ticks chan time.Time
	stop  context.CancelFunc
	done  chan struct{}
}

func run(t *testing.T, q *Queue) *running {
	ctx, stop := context.WithCancel(t.Context())
	r := &running{ticks: make(chan time.Time), stop: stop, done: make(chan struct{})}
	go func() {
		q.Run(ctx, r.ticks)
		close(r.done)
	}()
	t.Cleanup(func() {
		stop()
		for {
			select {
			case <-r.done:
				return
			case r.ticks <- time.Time{}:
			}
		}
	})
	return r
}

// tick returns when the tick has been taken in hand.
func (r *running) tick() { r.ticks <- time.Time{} }

// ended waits for the end of Run, ticking as the clock of a process does.
func (r *running) ended() {
	for {
		select {
		case <-r.done:
			return
		case r.ticks <- time.Time{}:
		}
	}
}

// gate is a handler that says when it begins and ends when told, or cancelled.
type gate struct {
	began chan string
	end   chan error
}

func newGate() *gate { return &gate{make(chan string), make(chan error)} }

func (g *gate) do(ctx context.Context, payload json.RawMessage) error {
	select {
	case g.began <- string(payload):
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-g.end:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestRunWakesWhenThisProcessEnqueues(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		g := newGate()
		q := New(Config{DB: db})
		q.Handle("letter", g.do)
		run(t, q)
		for _, name := range []string{"a", "b"} { // without a tick
			enqueue(t, db, "letter", name)
			if got := <-g.began; !strings.Contains(got, name) {
				t.Errorf("began %s", got)
			}
			g.end <- nil
		}
		drain(t, q) // waits for the notes
		if got := stats(t, q); got != (Stats{}) {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestRunFindsAtATickWhatOthersEnqueued(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		g := newGate()
		q := New(Config{DB: db})
		q.Handle("letter", g.do)
		r := run(t, q)
		err := db.Update(t.Context(), func(tx *store.Tx) error { // as another process would: no signal reaches this one
			return insert(tx, &Job{ID: "job-test-1", Kind: "letter", Payload: []byte(`{}`), State: Pending, RunAt: tx.Now, CreatedAt: tx.Now})
		})
		if err != nil {
			t.Fatal(err)
		}
		r.tick()
		<-g.began
		g.end <- errors.New("not now")
		drain(t, q)
		clock.Advance(3 * time.Second) // back-off is over
		r.tick()
		<-g.began
		g.end <- nil
		drain(t, q)
		if got := stats(t, q); got != (Stats{}) {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestASlowJobHoldsUpNoOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		slow, s := newGate(), &sink{}
		q := New(Config{DB: db, Workers: 2})
		q.Handle("slow", slow.do)
		done := make(chan struct{})
		q.Handle("letter", s.do)
		q.Handle("last", func(context.Context, json.RawMessage) error { close(done); return nil })
		run(t, q)
		enqueue(t, db, "slow", "")
		<-slow.began
		enqueue(t, db, "letter", "a", "b", "c", "d", "e")
		clock.Advance(time.Millisecond)
		enqueue(t, db, "last", "")
		<-done
		if len(s.got) != 5 {
			t.Errorf("did %q", s.all())
		}
		slow.end <- nil
	})
}

func TestAnAttemptThatTakesTooLongIsCancelled(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		g := newGate()
		q := New(Config{DB: db})
		q.Handle("letter", g.do, Timeout(time.Minute))
		r := run(t, q)
		enqueue(t, db, "letter", "a")
		<-g.began
		clock.Advance(time.Minute - time.Millisecond)
		r.tick()
		r.tick() // the first has been worked off
		if got := stats(t, q); got != (Stats{Running: 1}) {
			t.Fatalf("stats %+v", got)
		}
		clock.Advance(time.Millisecond)
		r.tick()
		drain(t, q)
		jobs, err := q.List(t.Context(), Pending, 1)
		if err != nil || len(jobs) != 1 || jobs[0].Attempts != 1 || !strings.HasPrefix(jobs[0].LastError, errTimeout.Error()) {
			t.Errorf("%+v, %v", jobs, err)
		}
	})
}

// A process that lives keeps its jobs for as long as they take; those of one
// that died are soon in other hands.
func TestLeasesAreShortAndRenewed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		g, s := newGate(), &sink{}
		alive := New(Config{DB: db})
		alive.Handle("letter", g.do, Timeout(time.Hour))
		r := run(t, alive)
		other := New(Config{DB: db})
		other.Handle("letter", s.do)
		enqueue(t, db, "letter", "a")
		<-g.began
		for range 10 {
			clock.Advance(runLease - time.Second)
			r.tick()
			r.tick() // the first has been worked off
			drain(t, other)
		}
		if got := s.all(); got != "" {
			t.Fatalf("another process did %q, which was under way", got)
		}
		clock.Advance(runLease) // without a tick, as in a process that hangs
		drain(t, other)
		if got := s.all(); got != "a" {
			t.Errorf("another process did %q", got)
		}
		r.tick() // it comes back, learns that the job is another's, and stops
		drain(t, alive)
		if got := stats(t, alive); got != (Stats{}) {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestStoppingLetsJobsEndAndGivesBackTheOthers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		quick, stuck := newGate(), newGate()
		q := New(Config{DB: db})
		q.Handle("quick", quick.do)
		q.Handle("stuck", stuck.do)
		r := run(t, q)
		enqueue(t, db, "quick", "")
		enqueue(t, db, "stuck", "")
		<-quick.began
		<-stuck.began
		r.stop()
		r.tick()
		quick.end <- nil // was not cancelled
		enqueue(t, db, "quick", "too late")
		r.tick()
		clock.Advance(grace)
		r.ended()
		jobs, err := q.List(t.Context(), Pending, 10)
		if err != nil || len(jobs) != 2 {
			t.Fatalf("%+v, %v", jobs, err)
		}
		for _, j := range jobs {
			if j.Attempts != 0 || j.LastError != "" || j.RunAt.After(clock.Now()) {
				t.Errorf("given back as %+v", j)
			}
		}
	})
}

func TestStoppingDoesNotWaitForEver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		began, end := make(chan struct{}), make(chan struct{})
		q := New(Config{DB: db})
		q.Handle("deaf", func(context.Context, json.RawMessage) error {
			close(began)
			<-end
			return nil
		})
		r := run(t, q)
		enqueue(t, db, "deaf", "")
		<-began
		r.stop()
		r.tick()
		r.tick() // the one before it is done with
		// The lease is renewed by the tick before the end, or it ends with it.
		clock.Advance(2*grace - time.Millisecond)
		r.tick()
		clock.Advance(time.Millisecond)
		r.ended()
		close(end)
		if got := stats(t, q); got != (Stats{Running: 1}) {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestPeriodicWorkRunsOnOneProcess(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		runs := map[string]int{}
		var failure error
		queue := func() *Queue {
			q := New(Config{DB: db})
			q.Every("minutely", time.Minute, func(context.Context) error { runs["minutely"]++; return failure })
			q.Every("hourly", time.Hour, func(context.Context) error { runs["hourly"]++; return nil })
			return q
		}
		one, two := queue(), queue()
		both := func(wantErr error) {
			t.Helper()
			if err := errors.Join(one.RunPeriodic(t.Context()), two.RunPeriodic(t.Context())); !errors.Is(err, wantErr) {
				t.Error(err)
			}
		}
		both(nil)
		both(nil)
		if runs["minutely"] != 1 || runs["hourly"] != 1 {
			t.Fatalf("at the start: %v", runs)
		}
		clock.Advance(time.Minute - time.Millisecond)
		both(nil)
		clock.Advance(time.Millisecond)
		failure = errors.New("no")
		both(failure)
		both(nil)
		if runs["minutely"] != 2 || runs["hourly"] != 1 {
			t.Fatalf("after a minute: %v", runs)
		}
		works, err := one.Periodic(t.Context())
		if err != nil || len(works) != 2 {
			t.Fatal(works, err)
		}
		w := works[1]
		if w.Name != "minutely" || w.LastError != "no" || !w.SucceededAt.Equal(storetest.NewClock().Now()) || !w.NextRun.Equal(clock.Now().Add(time.Minute)) {
			t.Errorf("%+v", w)
		}
		failure = nil
		clock.Advance(time.Hour)
		both(nil)
		if runs["minutely"] != 3 || runs["hourly"] != 2 {
			t.Errorf("after an hour: %v", runs)
		}
		// A clock that was far ahead and is right again stops nothing.
		clock.Advance(10000 * time.Hour)
		both(nil)
		clock.Advance(-10000 * time.Hour)
		both(nil)
		if runs["minutely"] != 5 || runs["hourly"] != 4 {
			t.Errorf("after the clock went back: %v", runs)
		}
	})
}

func TestPeriodicWorkOfADeadProcessIsTakenOver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		lease := periodicTimeout + leaseMargin
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := claimPeriodic(tx, "purge", lease, time.Hour)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		runs := 0
		q := New(Config{DB: db})
		q.Every("purge", time.Second, func(context.Context) error { runs++; return nil })
		for _, step := range []struct {
			d    time.Duration
			want int
		}{{lease - time.Millisecond, 0}, {time.Millisecond, 1}} {
			clock.Advance(step.d)
			if err := q.RunPeriodic(t.Context()); err != nil || runs != step.want {
				t.Errorf("%d runs, %v; want %d", runs, err, step.want)
			}
		}
		// What the dead process says, should it come back, counts no more.
		err = db.Update(t.Context(), func(tx *store.Tx) error {
			return settlePeriodic(tx, "purge", 1, tx.Now.Add(-time.Hour), "too late")
		})
		works, lerr := q.Periodic(t.Context())
		if err != nil || lerr != nil || works[0].LastError != "" {
			t.Error(works, err, lerr)
		}
	})
}

func TestRunDoesPeriodicWorkBesideJobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		began, s := make(chan struct{}), &sink{}
		q := New(Config{DB: db})
		q.Every("purge", time.Minute, func(ctx context.Context) error {
			close(began)
			<-ctx.Done()
			return context.Cause(ctx)
		})
		q.Handle("letter", s.do)
		r := run(t, q)
		r.tick()
		<-began
		r.tick() // does not begin it twice
		enqueue(t, db, "letter", "a")
		drain(t, q)
		if s.all() != "a" {
			t.Errorf("did %q", s.all())
		}
		r.stop()
		r.ended()
		works, err := q.Periodic(t.Context())
		if err != nil || len(works) != 1 || works[0].NextRun.After(clock.Now()) {
			t.Errorf("interrupted work is due at once: %+v, %v", works, err)
		}
	})
}

// BenchmarkRun enqueues and does jobs that cost nothing, in this many
// transactions as SQLite and PostgreSQL take for them.
func BenchmarkRun(b *testing.B) {
	for _, engine := range storetest.Engines() {
		b.Run(string(engine), func(b *testing.B) {
			db, _ := storetest.Open(b, engine)
			done, n := make(chan struct{}), make(chan struct{}, b.N)
			q := New(Config{DB: db})
			q.Handle("letter", func(context.Context, json.RawMessage) error { n <- struct{}{}; return nil })
			err := db.Update(b.Context(), func(tx *store.Tx) error {
				for range b.N {
					if err := Enqueue(tx, "letter", letter{"someone"}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(b.Context())
			b.ResetTimer()
			go func() { q.Run(ctx, nil); close(done) }()
			for range b.N {
				<-n
			}
			stop()
			<-done
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}
