package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"gatehouse/internal/app"
	"gatehouse/internal/outbox"
)

type outboxCommands struct {
	List  outboxList  `cmd:"" help:"List jobs. What they are to do is not shown: it may be secret."`
	Retry outboxRetry `cmd:"" help:"Have dead jobs done again, with all their attempts before them. A running server does them within a second."`
}

type outboxList struct {
	data
	output
	State string `default:"all" enum:"all,dead,running,pending" placeholder:"STATE" help:"Only jobs that are dead (given up), running or pending."`
	Limit int    `default:"50" help:"Jobs to show."`
}

// Run lists jobs, those that need somebody first.
func (c *outboxList) Run(t *Terminal) error {
	if c.Limit < 1 || c.Limit > 10_000 {
		return usagef("--limit must lie between 1 and 10000")
	}
	states, empty := []outbox.State{outbox.Dead, outbox.Running, outbox.Pending}, "The outbox is empty."
	if c.State != "all" {
		states, empty = []outbox.State{outbox.State(c.State)}, fmt.Sprintf("No job is %s.", c.State)
	}
	return c.with(func(ctx context.Context, a *app.App) error {
		var jobs []*outbox.Job
		for _, state := range states {
			some, err := a.Outbox.List(ctx, state, c.Limit-len(jobs))
			if err != nil {
				return err
			}
			jobs = append(jobs, some...)
		}
		r := &rows{header: []string{"JOB_ID", "KIND", "STATE", "ATTEMPTS", "LAST_ERROR"}, empty: empty}
		for _, j := range jobs {
			r.add(j.ID, j.Kind, jobState(j), strconv.Itoa(j.Attempts), dash(j.LastError))
		}
		return c.print(t, list(jobs), r)
	})
}

func jobState(j *outbox.Job) string {
	switch j.State {
	case outbox.Dead:
		return "dead since " + when(j.RunAt)
	case outbox.Running:
		return "running, until " + when(j.RunAt) + " at most"
	}
	return "pending, due " + when(j.RunAt)
}

type outboxRetry struct {
	data
	output
	Job string `arg:"" optional:"" name:"job_id" help:"The job, as outbox list shows it."`
	All bool   `help:"All dead jobs."`
}

// Run makes dead jobs due.
func (c *outboxRetry) Run(t *Terminal) error {
	if (c.Job == "") != c.All {
		return usagef("name one job, or all with --all")
	}
	return c.with(func(ctx context.Context, a *app.App) error {
		n := int64(1)
		var err error
		if c.All {
			n, err = a.Outbox.RetryAll(ctx)
		} else if err = a.Outbox.Retry(ctx, c.Job); errors.Is(err, outbox.ErrNoJob) {
			err = fmt.Errorf("%w (%s shows those there are)", err, c.suggest("outbox list --state dead"))
		}
		if err != nil {
			return err
		}
		view := map[string]int64{"jobs": n}
		if n == 0 {
			return c.say(t, view, "No job is dead, so there is nothing to do again.")
		}
		return c.say(t, view, "%s will be done again.", plural(int(n), "job", "jobs"))
	})
}
