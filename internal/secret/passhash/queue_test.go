package passhash

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/apierr"
)

// quiet is a rush that changes nothing.
func quiet() *rush { return &rush{switchTo: func(bool) {}} }

// occupy fills every slot until release is called.
func occupy(q *queue) (release func()) {
	for range cap(q.slots) {
		q.slots <- struct{}{}
	}
	return func() {
		for range cap(q.slots) {
			<-q.slots
		}
	}
}

func TestQueueServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(Limits{Concurrent: 1, Waiting: 8}.withDefaults(), quiet())
		release := occupy(q)
		var order []int
		for i := range 8 {
			go func() {
				if err := q.do(t.Context(), func() { order = append(order, i) }); err != nil {
					t.Errorf("caller %d: %v", i, err)
				}
			}()
			synctest.Wait()
		}
		release()
		synctest.Wait()
		if !slices.Equal(order, []int{0, 1, 2, 3, 4, 5, 6, 7}) {
			t.Errorf("served in order %v", order)
		}
	})
}

func TestQueueRunsSoManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(Limits{Concurrent: 3, Waiting: 100}.withDefaults(), quiet())
		running, finish := make(chan int, 100), make(chan struct{})
		for i := range 10 {
			go func() { _ = q.do(t.Context(), func() { running <- i; <-finish }) }()
		}
		synctest.Wait()
		if len(running) != 3 || q.waiting.Load() != 7 {
			t.Errorf("%d run and %d wait", len(running), q.waiting.Load())
		}
		close(finish)
		synctest.Wait()
		if len(running) != 10 || q.waiting.Load() != 0 || len(q.slots) != 0 {
			t.Errorf("%d ran, %d wait, %d slots are taken", len(running), q.waiting.Load(), len(q.slots))
		}
	})
}

func TestQueueRefusesBeyondWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(Limits{Concurrent: 1, Waiting: 2, Patience: 1500 * time.Millisecond}, quiet())
		release := occupy(q)
		for range 2 {
			go func() { _ = q.do(t.Context(), func() {}) }()
		}
		synctest.Wait()
		err := q.do(t.Context(), func() { t.Error("ran") })
		if e := apierr.From(err); e == nil || e.Status != 503 || e.Type != "server_unavailable" || e.RetryAfter != 1500*time.Millisecond {
			t.Errorf("the third in the queue got %v", err)
		}
		release()
		synctest.Wait()
		if err := q.do(t.Context(), func() {}); err != nil {
			t.Errorf("after the rush: %v", err)
		}
	})
}

func TestQueueEndsWithPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(Limits{Concurrent: 1, Waiting: 1, Patience: time.Second}, quiet())
		release := occupy(q)
		early, late := time.NewTimer(time.Second-1), time.NewTimer(time.Second+1)
		err := q.do(t.Context(), func() { t.Error("ran") })
		if !errors.Is(err, errBusy) || apierr.From(err).RetryAfter != time.Second {
			t.Errorf("after its patience a caller got %v", err)
		}
		if !fired(early) || fired(late) {
			t.Error("did not wait for a second")
		}
		release()
		if q.waiting.Load() != 0 || q.do(t.Context(), func() {}) != nil {
			t.Error("the place in the queue was not given back")
		}
	})
}

func fired(t *time.Timer) bool {
	select {
	case <-t.C:
		return true
	default:
		return false
	}
}

func TestQueueIsLeftByCancelledCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(Limits{Concurrent: 1, Waiting: 1}.withDefaults(), quiet())
		release := occupy(q)
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { left <- q.do(ctx, func() { t.Error("ran") }) }()
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled caller got %v", err)
		}
		next := make(chan error, 1)
		go func() { next <- q.do(t.Context(), func() {}) }()
		synctest.Wait()
		release()
		if err := <-next; err != nil {
			t.Errorf("the next in the queue got %v", err)
		}
	})
}

func TestQueueSurvivesAPanic(t *testing.T) {
	q := newQueue(Limits{Concurrent: 1}.withDefaults(), quiet())
	func() {
		defer func() { _ = recover() }()
		_ = q.do(t.Context(), func() { panic("no") })
	}()
	if err := q.do(t.Context(), func() {}); err != nil {
		t.Error(err)
	}
}

func TestDefaultLimitsFollowTheCores(t *testing.T) {
	l := Limits{}.withDefaults()
	if l.Concurrent != cores || l.Waiting != 64*cores || l.Patience != 5*time.Second {
		t.Errorf("the defaults are %+v with %d cores", l, cores)
	}
	set := Limits{Concurrent: 3, Waiting: 5, Patience: time.Minute}
	if got := set.withDefaults(); got != set {
		t.Errorf("%+v became %+v", set, got)
	}
}
