package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestJobsMakeWayForRequests(t *testing.T) {
	came := int64(0)
	p := newPace(func() int64 { return came })
	p.began(1)
	if p.next == nil || p.left != share()-1 {
		t.Fatalf("after one job: %+v", p)
	}
	came += calmBelow
	p.turn()
	if p.left != share() {
		t.Errorf("beside requests %d jobs may begin in a beat, want %d", p.left, share())
	}
	p.began(share())
	if !p.spent() {
		t.Error("more may begin than a beat has")
	}
	came += calmBelow - 1
	p.turn()
	p.began(1000)
	if p.spent() {
		t.Error("jobs make way for nobody")
	}
	p.rest()
	if p.next != nil || p.left != share() {
		t.Errorf("at rest: %+v", p)
	}
}

// Whatever the pace, everything is done and noted without a tick.
func TestAPacedQueueDrains(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		var came atomic.Int64
		done := make(chan struct{}, 1000)
		q := New(Config{DB: db, Workers: 8, Requests: func() int64 { return came.Add(calmBelow) }})
		q.Handle("letter", func(context.Context, json.RawMessage) error { done <- struct{}{}; return nil })
		run(t, q)
		n := 2*share() + 5
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprint(i)
		}
		enqueue(t, db, "letter", names...)
		for range n {
			<-done
		}
		drain(t, q)
		if got := stats(t, q); got != (Stats{}) || len(done) != 0 {
			t.Errorf("left %+v, %d done twice", got, len(done))
		}
	})
}
