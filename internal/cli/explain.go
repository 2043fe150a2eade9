package cli

import (
	"context"
	"fmt"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/event"
	"gatehouse/internal/id"
)

type explainCommand struct {
	data
	output
	RequestID string `arg:"" help:"The request_id that the answer carried."`
}

// Run says what a request did, and which rule refused it.
func (c *explainCommand) Run(t *Terminal) error {
	kind, env, ok := id.Split(c.RequestID)
	if !ok || kind != id.RequestID {
		return usagef("%q is not a request_id: it looks like request-id-test-0190a1b2-...", c.RequestID)
	}
	return c.with(func(ctx context.Context, a *app.App) error {
		var found []event.Event
		for _, e := range a.Projects.Environments() {
			if e.Kind != env {
				continue
			}
			events, err := event.OfRequest(ctx, a.DB, e.ID, c.RequestID)
			if err != nil {
				return err
			}
			found = append(found, events...)
		}
		if c.JSON {
			return t.json(list(found))
		}
		if len(found) == 0 {
			t.line("The audit log knows nothing of this request: it changed nothing and no limit refused it, or its entries are gone already. The server's log has one line for every request, with its request_id.")
			return nil
		}
		for i := range found {
			t.line("%s", explained(&found[i], a.DB.Now()))
		}
		return nil
	})
}

// explained is one entry of the audit log as a sentence.
func explained(e *event.Event, now time.Time) string {
	who := ""
	if e.UserID != "" {
		who = ", about " + e.UserID
	}
	if e.Type != "request.limited" {
		line := fmt.Sprintf("%s  %s%s", when(e.CreatedAt), e.Type, who)
		if e.Outcome != "" {
			line += ": " + e.Outcome
		}
		return line
	}
	line := fmt.Sprintf("%s  %v %v was refused: %s", when(e.CreatedAt), e.Details["method"], e.Details["route"], e.Outcome)
	if country, ok := e.Details["country"]; ok {
		if country == "" {
			country = "the country of the number" // one that belongs to none, as of satellites
		}
		return line + fmt.Sprintf(", because the setting %v does not name %v.", e.Details["rule"], country)
	}
	if rule, ok := e.Details["rule"]; ok {
		line += fmt.Sprintf(", by the limit %q", rule)
	}
	if rate, ok := e.Details["rate"]; ok {
		line += fmt.Sprintf(" (%v)", rate)
	}
	seconds, _ := e.Details["retry_after_seconds"].(float64)
	switch until := e.CreatedAt.Add(time.Duration(seconds) * time.Second); {
	case seconds == 0:
		return line + "."
	case now.Before(until):
		return line + fmt.Sprintf(". The same is let through again at %s, in %s.", when(until), until.Sub(now).Round(time.Second))
	default:
		return line + fmt.Sprintf(". The same has been let through again since %s.", when(until))
	}
}
