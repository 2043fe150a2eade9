package delivery_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/delivery"
	"gatehouse/internal/outbox"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

// A sender that fails again and again is left alone for a while. Then one
// message finds out whether it is well again.
func TestASenderThatFailsIsHeldBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.add(w.live, "first", false)
		w.office.fail("first", errBusy)
		for range 5 {
			if by := w.send(w.live, mail()); by != "first" {
				t.Fatalf("asked %q", by)
			}
		}
		w.clock.Advance(5 * time.Second) // the five are due again
		if by := w.send(w.live, mail()); by != "" || w.Held() != 1 {
			t.Errorf("asked %q, %d held back", by, w.Held())
		}
		waiting, err := w.queue.List(t.Context(), outbox.Pending, 10)
		w.must(err)
		if len(waiting) != 6 {
			t.Fatalf("%d wait", len(waiting))
		}
		for _, j := range waiting {
			if j.Attempts > 1 || j.LastError == "" {
				t.Errorf("a message that nobody was asked about has had %d attempts: %s", j.Attempts, j.LastError)
			}
		}
		w.office.observed()

		// The first probe fails, so the second comes after twice the time.
		w.clock.Advance(10 * time.Second)
		if by := w.drain(); by != "first" {
			t.Errorf("the probe asked %q", by)
		}
		w.clock.Advance(19 * time.Second)
		if by := w.drain(); by != "" {
			t.Errorf("before its time was over asked %q", by)
		}
		w.office.fail("first", nil)
		w.clock.Advance(20 * time.Second)
		w.drain()
		w.clock.Advance(time.Minute)
		w.drain()
		if w.stats() != (outbox.Stats{}) || w.Held() != 0 {
			t.Errorf("left %+v, %d held back", w.stats(), w.Held())
		}
	})
}

func TestTheNextSenderIsAskedAtOnceWhileTheFirstIsHeldBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.add(w.live, "first", false)
		w.add(w.live, "second", false)
		w.office.fail("first", errBusy)
		for range 5 {
			if by := w.send(w.live, mail()); by != "first second" {
				t.Fatalf("asked %q", by)
			}
		}
		w.office.observed()
		if by := w.send(w.live, mail()); by != "second" || w.stats() != (outbox.Stats{}) {
			t.Errorf("asked %q; %+v", by, w.stats())
		}
		if got := w.office.observed(); got != "email carrier held, email carrier sent" {
			t.Errorf("observed %s", got)
		}
		// A refused recipient says nothing against the sender.
		w.office.fail("first", errUnknown)
		w.clock.Advance(time.Minute)
		if by := w.send(w.live, mail()); by != "first" {
			t.Errorf("asked %q", by)
		}
		w.office.fail("first", nil)
		if by := w.send(w.live, mail()); by != "first" {
			t.Errorf("after an answer asked %q", by)
		}
	})
}

// A message that nobody could be asked about is given up in the end.
func TestAMessageWaitsForADayAtMost(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.add(w.live, "first", false)
		w.office.fail("first", errBusy)
		for range 5 {
			w.send(w.live, mail())
		}
		for range 40 * 60 { // in minutes
			w.clock.Advance(time.Minute)
			w.must(w.queue.Drain(t.Context()))
			if w.stats() == (outbox.Stats{Dead: 5}) {
				return
			}
		}
		t.Errorf("after 40 hours: %+v", w.stats())
	})
}

// stuck is a mail server that takes messages and never answers.
type stuck struct {
	began chan struct{}
	end   chan struct{}
}

func (s *stuck) Send(ctx context.Context, _ *delivery.Envelope) error {
	s.began <- struct{}{}
	select {
	case <-s.end:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// One environment's mail server that hangs does not hold up the others.
func TestASenderThatHangsHoldsAQuarterOfTheWorkers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		hanging := &stuck{began: make(chan struct{}, 1000), end: make(chan struct{})}
		well := &stuck{began: make(chan struct{}, 1), end: make(chan struct{})}
		close(well.end)
		service, queue := w.process()
		service.SetTurnWait(0)
		for env, sender := range map[*project.Environment]*stuck{w.live: hanging, w.test: well} {
			w.config.Kinds[env.ID] = delivery.Kind{
				Channels: []delivery.Channel{delivery.Email},
				Check:    func(delivery.Settings) (string, error) { return "", nil },
				Open:     func(delivery.Settings) (delivery.Sender, error) { return sender, nil },
			}
			_, err := service.AddSender(t.Context(), env, delivery.NewSender{Channel: delivery.Email, Kind: env.ID})
			w.must(err)
		}
		w.must(w.db.Update(t.Context(), func(tx *store.Tx) error {
			for range 2 * outbox.DefaultWorkers {
				if err := w.Enqueue(tx, w.live, mail()); err != nil {
					return err
				}
			}
			return nil
		}))
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { queue.Run(ctx, nil) })
		for range delivery.MostInHand {
			<-hanging.began
		}
		w.clock.Advance(time.Millisecond) // the others came first
		w.must(w.enqueue(w.test, mail()))
		<-well.began
		if n := len(hanging.began); n != 0 {
			t.Errorf("the sender that hangs has %d more messages", n)
		}
		close(hanging.end)
		stop()
		all.Wait()
		w.must(service.Close())
	})
}
