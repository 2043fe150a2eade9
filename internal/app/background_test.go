package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/authtest"
	"gatehouse/internal/event"
	"gatehouse/internal/outbox"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/store"
)

func keepEvents(d time.Duration) func(*app.Options) {
	return func(o *app.Options) { o.Server.EventRetention = d }
}

func TestPurgeTakesWhatIsOverWithinItsBudget(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		for range 7 {
			p.Session()
		}
		rule := ratelimit.Rule{Name: "r", Limit: 1, Per: time.Hour}
		err := s.DB.Update(t.Context(), func(tx *store.Tx) error {
			_, _, err := ratelimit.Take(tx, rule, s.Env.ID, ratelimit.Of("a"))
			return errors.Join(err, outbox.Enqueue(tx, "hopeless", fields{}, outbox.For(s.Env.ID)))
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Outbox.Handle("hopeless", func(context.Context, json.RawMessage) error { return outbox.Permanent(errors.New("no")) })
		if err := s.Outbox.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Purge(t.Context(), 100); err != nil || got != (app.Purged{}) {
			t.Errorf("what is valid was taken: %+v, %v", got, err)
		}
		s.Clock.Advance(2 * time.Hour)
		live := p.Session().String("session_token")
		got, err := s.Purge(t.Context(), 5)
		if err != nil || got.Sessions != 5 || got.Limits != 1 || got.Challenges == 0 || got.Events != 0 || got.Jobs != 0 {
			t.Errorf("the first budget took %+v, %v", got, err)
		}
		if got, err := s.Purge(t.Context(), 100); err != nil || got.Sessions != 2 {
			t.Errorf("the second took %+v, %v", got, err)
		}
		s.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_token": live}).OK()
		s.Clock.Advance(23 * time.Hour)
		if got, err := s.Purge(t.Context(), 1000); err != nil || got.Events == 0 || got.Jobs != 1 {
			t.Errorf("after the retention: %+v, %v", got, err)
		}
	}, keepEvents(24*time.Hour))
}

func TestPurgeWithoutARetentionKeepsEvents(t *testing.T) {
	s := authtest.New(t)
	s.Person("a@example.com")
	s.Clock.Advance(10 * 365 * 24 * time.Hour)
	if got, err := s.Purge(t.Context(), 1000); err != nil || got.Events != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestADeadJobIsInTheAuditLog(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Outbox.Handle("mail", func(context.Context, json.RawMessage) error { return outbox.Permanent(errors.New("no such mailbox")) })
		err := s.DB.Update(t.Context(), func(tx *store.Tx) error {
			return outbox.Enqueue(tx, "mail", fields{}, outbox.For(s.Env.ID))
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Outbox.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		jobs, err := s.Outbox.List(t.Context(), outbox.Dead, 10)
		if err != nil || len(jobs) != 1 {
			t.Fatal(jobs, err)
		}
		list, err := event.List(t.Context(), s.DB, s.Env.ID, "", "job.dead", 10)
		if err != nil || len(list) != 1 || list[0].ObjectID != jobs[0].ID || list[0].Details["kind"] != "mail" {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// Two nodes share one database: the old key is replaced by one of them, once,
// and both sign with the new one when its time has come.
func TestOldSigningKeysAreReplacedByOneNode(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("session.key_rotation_days", "30")
		other := s.Node()
		p := s.Person("a@example.com")
		p.Session()
		keys := func() []string {
			t.Helper()
			list, err := s.Sessions.Keys(t.Context(), s.Env)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, k := range list {
				ids = append(ids, k.ID)
			}
			return ids
		}
		tick := func() {
			t.Helper()
			if err := errors.Join(s.Outbox.RunPeriodic(t.Context()), other.Outbox.RunPeriodic(t.Context()), s.Projects.Refresh(t.Context()), other.Projects.Refresh(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		tick()
		first := keys()
		s.Clock.Advance(30*24*time.Hour - time.Hour)
		tick()
		if now := keys(); !slices.Equal(now, first) {
			t.Fatalf("keys %v became %v before their time", first, now)
		}
		s.Clock.Advance(time.Hour)
		tick()
		tick()
		if now := keys(); len(now) != len(first)+1 {
			t.Fatalf("keys %v became %v", first, now)
		}
	})
}
