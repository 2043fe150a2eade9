package app

import (
	"context"
	"net/netip"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/store"
	"gatehouse/internal/wire"
)

// refusals are requests refused for now (429), or by a rule of the environment
// such as the countries that texts may go to, on their way into the audit log,
// where `gatehouse explain` finds them. They are written beside the
// requests and in bounded number: refusing a flood must not cost what the
// flood wanted.
type refusals struct {
	waiting chan refusal
	local   *ratelimit.Local
}

type refusal struct {
	env   *project.Environment
	event event.Event
}

// client is what a flood is told by: where it comes from, and what refuses it.
type client struct {
	environmentID string
	network       netip.Prefix
	rule          any
}

const (
	waitingRefusals = 256
	// refusalBatch bounds one transaction.
	refusalBatch = 64
)

// What one environment can have written, and of that one client, so that a
// flood neither fills the disk nor keeps the refusals of others out.
var (
	refusalsLogged = ratelimit.Rule{Name: "refusals in the log", Limit: 50, Per: time.Second}
	refusalsOfOne  = ratelimit.Rule{Name: "refusals of a client in the log", Limit: 10, Per: time.Minute}
)

func newRefusals(now func() time.Time) *refusals {
	return &refusals{waiting: make(chan refusal, waitingRefusals), local: ratelimit.NewLocal(now)}
}

// limited remembers that a caller was refused by a rule. What there is no room
// for is not remembered; the metrics count it all the same.
func (r *refusals) limited(ctx context.Context, e *apierr.Error) {
	caller := project.CallerFrom(ctx)
	if caller == nil {
		return // no environment whose log it could be in
	}
	if ok, _ := r.local.Take(refusalsOfOne, client{caller.Env.ID, ratelimit.Network(caller.IP), e.Details["rule"]}); !ok {
		return
	}
	if ok, _ := r.local.Take(refusalsLogged, caller.Env.ID); !ok {
		return
	}
	call := wire.CallFrom(ctx)
	entry := event.Event{
		EnvironmentID: caller.Env.ID, Type: "request.limited", Outcome: e.Type, UserAgent: caller.UserAgent, RequestID: call.RequestID,
		Details: map[string]any{"route": call.Route, "method": call.Method, "retry_after_seconds": int64((e.RetryAfter + time.Second - 1) / time.Second)},
	}
	for name, value := range e.Details {
		entry.Details[name] = value
	}
	if caller.Browser && caller.IP.IsValid() {
		entry.IP = caller.IP.String()
	}
	select {
	case r.waiting <- refusal{caller.Env, entry}:
	default:
	}
}

// logRefusals writes refusals until ctx ends, and then what is left.
func (a *App) logRefusals(ctx context.Context) {
	for {
		select {
		case first := <-a.refusals.waiting:
			a.logRefusal(context.WithoutCancel(ctx), &first)
		case <-ctx.Done():
			a.logRefusal(context.WithoutCancel(ctx), nil)
			return
		}
	}
}

// FlushRefusals writes the refusals that wait, for tests that look at them.
func (a *App) FlushRefusals(ctx context.Context) { a.logRefusal(ctx, nil) }

// logRefusal writes one refusal and those that wait behind it.
func (a *App) logRefusal(ctx context.Context, first *refusal) {
	var batch []refusal
	if first != nil {
		batch = append(batch, *first)
	}
	for more := true; more && len(batch) < refusalBatch; {
		select {
		case next := <-a.refusals.waiting:
			batch = append(batch, next)
		default:
			more = false
		}
	}
	if len(batch) == 0 {
		return
	}
	err := a.DB.Update(ctx, func(tx *store.Tx) error {
		for _, r := range batch {
			if err := event.Emit(tx, r.env.Kind, r.event); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		a.Logger.Error("writing refusals into the audit log failed", "refusals", len(batch), "error", err)
	}
}
