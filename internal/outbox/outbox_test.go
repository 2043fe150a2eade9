package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

type letter struct {
	To string `json:"to"`
}

// enqueue commits one job for each name.
func enqueue(t *testing.T, db *store.DB, kind string, names ...string) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		for _, n := range names {
			if err := Enqueue(tx, kind, letter{n}, For("project-test-0192f1aa-0000-7000-8000-000000000001")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sink is a handler that remembers what it was given, and fails as told.
type sink struct {
	mu   sync.Mutex
	got  []string
	fail func(to string, n int) error // n counts the calls for this name
}

func (s *sink) do(_ context.Context, payload json.RawMessage) error {
	var l letter
	if err := json.Unmarshal(payload, &l); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, l.To)
	n := 0
	for _, g := range s.got {
		if g == l.To {
			n++
		}
	}
	if s.fail == nil {
		return nil
	}
	return s.fail(l.To, n)
}

// all is what was done so far, sorted: jobs of one instant have no order.
func (s *sink) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(slices.Sorted(slices.Values(s.got)), " ")
}

func drain(t *testing.T, q *Queue) {
	t.Helper()
	if err := q.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func stats(t *testing.T, q *Queue) Stats {
	t.Helper()
	s, err := q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestJobsFollowTheirFact(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		s := &sink{}
		q := New(Config{DB: db})
		q.Handle("letter", s.do)
		refused := errors.New("refused")
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := Enqueue(tx, "letter", letter{"never"}); err != nil {
				return err
			}
			return refused
		})
		if !errors.Is(err, refused) {
			t.Fatal(err)
		}
		err = db.Update(t.Context(), func(tx *store.Tx) error {
			if err := Enqueue(tx, "letter", letter{"kept"}); err != nil {
				return err
			}
			return store.Keep(refused)
		})
		if !errors.Is(err, refused) {
			t.Fatal(err)
		}
		enqueue(t, db, "letter", "a", "b")
		drain(t, q)
		if got := s.all(); got != "a b kept" {
			t.Errorf("did %q", got)
		}
		if got := stats(t, q); got != (Stats{}) {
			t.Errorf("left %+v", got)
		}
	})
}

func TestJobsWaitForTheirInstant(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		s := &sink{}
		q := New(Config{DB: db})
		q.Handle("letter", s.do)
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			return Enqueue(tx, "letter", letter{"later"}, At(tx.Now.Add(time.Minute)))
		})
		if err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Minute - time.Millisecond)
		drain(t, q)
		if got := stats(t, q); s.all() != "" || got != (Stats{Waiting: 1}) {
			t.Fatalf("did %q, stats %+v", s.all(), got)
		}
		clock.Advance(time.Millisecond)
		drain(t, q)
		if s.all() != "later" {
			t.Errorf("did %q", s.all())
		}
	})
}

func TestFailedJobsComeBackWithBackOffUntilTheyAreDead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		s := &sink{fail: func(string, int) error { return errors.New("the server said no \x00\xff") }}
		var died []*Job
		q := New(Config{DB: db, Died: func(_ *store.Tx, j *Job) error { died = append(died, j); return nil }})
		q.Handle("letter", s.do, Attempts(5), Backoff(10*time.Second, 30*time.Second))
		enqueue(t, db, "letter", "a")
		for attempt, wait := range []time.Duration{10 * time.Second, 20 * time.Second, 30 * time.Second, 30 * time.Second} {
			drain(t, q)
			jobs, err := q.List(t.Context(), Pending, 10)
			if err != nil || len(jobs) != 1 {
				t.Fatalf("after attempt %d: %v, %v", attempt+1, jobs, err)
			}
			j := jobs[0]
			if d := j.RunAt.Sub(clock.Now()); d < wait/2 || d > wait*3/2 {
				t.Errorf("after attempt %d the next comes in %v, want about %v", attempt+1, d, wait)
			}
			if j.Attempts != attempt+1 || !strings.HasPrefix(j.LastError, "the server said no") || len(died) != 0 {
				t.Errorf("after attempt %d: %+v, %d died", attempt+1, j, len(died))
			}
			clock.Set(j.RunAt)
		}
		drain(t, q)
		if got := stats(t, q); got != (Stats{Dead: 1}) {
			t.Fatalf("stats %+v", got)
		}
		if len(died) != 1 || died[0].Attempts != 5 || died[0].EnvironmentID == "" || died[0].State != Dead {
			t.Fatalf("died: %+v", died)
		}
		clock.Advance(24 * time.Hour)
		drain(t, q)
		if n := strings.Count(s.all(), "a"); n != 5 {
			t.Errorf("%d attempts", n)
		}

		s.fail = nil
		if err := q.Retry(t.Context(), died[0].ID); err != nil {
			t.Fatal(err)
		}
		drain(t, q)
		if got := stats(t, q); got != (Stats{}) {
			t.Errorf("after the retry: %+v", got)
		}
		if err := q.Retry(t.Context(), died[0].ID); !errors.Is(err, ErrNoJob) {
			t.Errorf("retrying what is done: %v", err)
		}
	})
}

func TestPermanentErrorsAndAskedWaits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		s := &sink{fail: func(to string, n int) error {
			switch to {
			case "gone":
				return fmt.Errorf("sending: %w", Permanent(errors.New("no such mailbox")))
			case "busy":
				return fmt.Errorf("sending: %w", After(10*time.Minute, errors.New("come back later")))
			case "panics":
				if n == 1 {
					panic("a fault of ours")
				}
			}
			return nil
		}}
		q := New(Config{DB: db})
		q.Handle("letter", s.do)
		enqueue(t, db, "letter", "gone", "busy", "panics", "fine")
		drain(t, q)
		if got := stats(t, q); got != (Stats{Waiting: 2, Dead: 1}) {
			t.Fatalf("stats %+v", got)
		}
		waiting, err := q.List(t.Context(), Pending, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range waiting {
			busy := strings.Contains(string(j.Payload), "busy")
			if d := j.RunAt.Sub(clock.Now()); busy && d != 10*time.Minute || !busy && d > 3*time.Second {
				t.Errorf("%s comes back in %v", j.Payload, d)
			}
			if !busy && j.LastError != "panic: a fault of ours" {
				t.Errorf("last error %q", j.LastError)
			}
		}
		if n, err := q.RetryAll(t.Context()); n != 1 || err != nil {
			t.Errorf("RetryAll: %d, %v", n, err)
		}
		clock.Advance(3 * time.Second)
		drain(t, q)
		if got := s.all(); got != "busy fine gone gone panics panics" {
			t.Errorf("did %q", got)
		}
		if Permanent(nil) != nil || After(time.Second, nil) != nil {
			t.Error("marking no error makes one")
		}
	})
}

func TestDeadJobsArePurgedByAge(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		s := &sink{fail: func(string, int) error { return Permanent(errors.New("no")) }}
		q := New(Config{DB: db})
		q.Handle("letter", s.do)
		enqueue(t, db, "letter", "a", "b", "c")
		drain(t, q)
		clock.Advance(time.Hour)
		enqueue(t, db, "letter", "young")
		drain(t, q)
		for _, want := range []int64{2, 1, 0} {
			var n int64
			err := db.Update(t.Context(), func(tx *store.Tx) (err error) {
				n, err = Purge(tx, time.Minute, 2)
				return err
			})
			if n != want || err != nil {
				t.Errorf("purged %d, %v; want %d", n, err, want)
			}
		}
		if got := stats(t, q); got != (Stats{Dead: 1}) {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestUnknownKindsAreLeftForNewerProcesses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		old, s := New(Config{DB: db}), &sink{}
		old.Handle("letter", s.do)
		enqueue(t, db, "postcard", "a")
		clock.Advance(time.Minute)
		drain(t, old)
		if got := stats(t, old); got != (Stats{Due: 1, OldestDue: time.Minute}) {
			t.Fatalf("stats %+v", got)
		}
		newer := New(Config{DB: db})
		newer.Handle("letter", s.do)
		newer.Handle("postcard", s.do)
		drain(t, newer)
		if s.all() != "a" {
			t.Errorf("did %q", s.all())
		}
	})
}

func TestHandlersMayEnqueue(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		q, s := New(Config{DB: db}), &sink{}
		q.Handle("letter", s.do)
		q.Handle("circular", func(ctx context.Context, _ json.RawMessage) error {
			return db.Update(ctx, func(tx *store.Tx) error {
				return errors.Join(Enqueue(tx, "letter", letter{"a"}), Enqueue(tx, "letter", letter{"b"}))
			})
		})
		enqueue(t, db, "circular", "")
		drain(t, q)
		if s.all() != "a b" {
			t.Errorf("did %q", s.all())
		}
	})
}

// A worker that dies keeps its job until the lease ends; one that only seemed
// dead no longer decides about it.
func TestTheJobOfADeadWorkerIsTakenAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		s := &sink{}
		q := New(Config{DB: db})
		q.Handle("letter", s.do, Timeout(time.Minute))
		enqueue(t, db, "letter", "a")
		lost, err := q.turn(t.Context(), nil, 1)
		if err != nil || len(lost) != 1 {
			t.Fatal(lost, err)
		}
		drain(t, q)
		if got := stats(t, q); s.all() != "" || got != (Stats{Running: 1}) {
			t.Fatalf("did %q, stats %+v", s.all(), got)
		}
		clock.Advance(time.Minute + leaseMargin)
		if got := stats(t, q); got != (Stats{Due: 1}) {
			t.Errorf("stats %+v", got)
		}
		again, err := q.turn(t.Context(), nil, 1)
		if err != nil || len(again) != 1 || again[0].Attempts != 2 {
			t.Fatal(again, err)
		}
		// The first worker comes back, with either verdict.
		for _, verdict := range []error{nil, Permanent(errors.New("no"))} {
			a := q.begin(t.Context(), lost[0])
			a.err = verdict
			if _, err := q.turn(t.Context(), []*attempt{a}, 0); err != nil {
				t.Fatal(err)
			}
			if got := stats(t, q); got != (Stats{Running: 1}) {
				t.Errorf("a worker without the job left %+v", got)
			}
		}
		if _, err := q.turn(t.Context(), []*attempt{q.begin(t.Context(), again[0])}, 0); err != nil {
			t.Fatal(err)
		}
		if got := stats(t, q); got != (Stats{}) {
			t.Errorf("stats %+v", got)
		}
	})
}

// A job that takes its process down with it counts its attempts all the same.
func TestAPoisonousJobDies(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		s := &sink{fail: func(string, int) error { return errors.New("no") }}
		q := New(Config{DB: db})
		q.Handle("letter", s.do, Attempts(3))
		enqueue(t, db, "letter", "a")
		for range 2 {
			if jobs, err := q.turn(t.Context(), nil, 1); err != nil || len(jobs) != 1 {
				t.Fatal(jobs, err)
			}
			clock.Advance(time.Hour)
		}
		drain(t, q)
		if got := stats(t, q); got != (Stats{Dead: 1}) {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestManyQueuesDoEachJobOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		const queues, jobs = 4, 200
		var names []string
		for i := range jobs {
			names = append(names, fmt.Sprintf("%03d", i))
		}
		s := &sink{}
		enqueue(t, db, "letter", names...)
		var wait sync.WaitGroup
		for range queues {
			q := New(Config{DB: db})
			q.Handle("letter", s.do)
			wait.Go(func() {
				if err := q.Drain(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if len(s.got) != jobs {
			t.Errorf("%d jobs were done %d times", jobs, len(s.got))
		}
	})
}
