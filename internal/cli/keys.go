package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/event"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
)

type keysCommands struct {
	List   keysList   `cmd:"" help:"List an environment's signing keys."`
	Rotate keysRotate `cmd:"" help:"Make a new signing key. It is published at once and signs after five minutes, so that verifiers can learn it; the old ones stay published for a month."`
}

type keysList struct{ target }

// Run lists the keys.
func (c *keysList) Run(t *Terminal) error {
	return c.onSealed(func(ctx context.Context, a *app.App, env *project.Environment) error {
		return c.keys(ctx, t, a, env)
	})
}

func (c *target) keys(ctx context.Context, t *Terminal, a *app.App, env *project.Environment) error {
	keys, err := a.Sessions.Keys(ctx, env)
	if err != nil {
		return err
	}
	r := &rows{header: []string{"KEY_ID", "ALGORITHM", "CREATED", "STATE"}, empty: "No keys yet: a server makes the first one when it starts."}
	signing := session.Signing(env, keys, a.DB.Now())
	for _, k := range keys {
		r.add(k.ID, k.Algorithm, when(k.CreatedAt), keyState(k, k == signing, a.DB.Now()))
	}
	return c.print(t, list(keys), r)
}

func keyState(k *session.Key, signs bool, now time.Time) string {
	switch {
	case k.RetiresAt != nil && !now.Before(*k.RetiresAt):
		return "retired " + when(*k.RetiresAt)
	case now.Before(k.SignsAt):
		return "published, signs from " + when(k.SignsAt)
	case signs:
		return "signs"
	case k.RetiresAt != nil:
		return "published until " + when(*k.RetiresAt)
	}
	return "published"
}

type keysRotate struct {
	target
	Now    bool `help:"Sign with the new key at once. Verifiers that cached the old key set may refuse tokens until they fetch it again."`
	Revoke bool `help:"Withdraw the old keys, for a key that has leaked: every token they signed is refused. People stay signed in, and get new tokens with the next call that names their session token."`
	confirmation
}

// Run rotates the keys.
func (c *keysRotate) Run(t *Terminal) error {
	return c.onSealed(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if c.Revoke {
			if err := c.ask(t, fmt.Sprintf("Every session JWT that %s has issued will be refused at once. Revoke the old keys?", title(env))); err != nil {
				return err
			}
		}
		if err := a.Sessions.Rotate(ctx, env, c.Now, c.Revoke); err != nil {
			return err
		}
		return c.keys(ctx, t, a, env)
	})
}

type eventCommands struct {
	List eventList `cmd:"" help:"List the newest events."`
}

type eventList struct {
	target
	User  string `placeholder:"USER_ID" help:"Only events about this user."`
	Type  string `placeholder:"TYPE" help:"Only events of this type, for example login."`
	Limit int    `default:"50" help:"Events to show."`
}

// Run lists events.
func (c *eventList) Run(t *Terminal) error {
	if c.Limit < 1 || c.Limit > 10_000 {
		return usagef("--limit must lie between 1 and 10000")
	}
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		events, err := event.List(ctx, a.DB, env.ID, c.User, c.Type, c.Limit)
		if err != nil {
			return err
		}
		r := &rows{header: []string{"TIME", "TYPE", "OUTCOME", "FACTOR", "ABOUT", "IP", "BY", "DETAILS"}, empty: "No events."}
		for i := range events {
			e := &events[i]
			r.add(when(e.CreatedAt), e.Type, dash(e.Outcome), dash(e.Factor), dash(cmp.Or(e.UserID, e.ObjectID)), dash(e.IP), dash(e.Operator()), details(e))
		}
		return c.print(t, list(events), r)
	})
}

// details shows in one line what else an event says.
func details(e *event.Event) string {
	rest := maps.Clone(e.Details)
	maps.DeleteFunc(rest, func(name string, _ any) bool { return name == "by" || name == "operator" })
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if len(rest) == 0 || enc.Encode(rest) != nil {
		return "-"
	}
	return strings.TrimSpace(b.String())
}

// dash stands for what is not there, so that columns stay columns.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
