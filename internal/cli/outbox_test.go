package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gatehouse/internal/outbox"
	"gatehouse/internal/store"
)

// job puts a job into the outbox of a SQLite file: job FILE dead ERROR, a job
// that failed for good with those words, or job FILE pending. It prints the id.
func job(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) != map[string]int{"dead": 3, "pending": 2}[args[1]] {
		ts.Fatalf("usage: job file dead error, or job file pending")
	}
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{URL: "sqlite:" + ts.MkAbs(args[0]), Now: time.Now})
	ts.Check(err)
	defer db.Close()
	const kind = "errand"
	ts.Check(db.Update(ctx, func(tx *store.Tx) error { return outbox.Enqueue(tx, kind, "a secret") }))
	q, state := outbox.New(outbox.Config{DB: db}), outbox.Pending
	if args[1] == "dead" {
		state = outbox.Dead
		q.Handle(kind, func(context.Context, json.RawMessage) error { return outbox.Permanent(errors.New(args[2])) })
		ts.Check(q.Drain(ctx))
	}
	jobs, err := q.List(ctx, state, 1000)
	ts.Check(err)
	_, err = fmt.Fprintln(ts.Stdout(), "id", jobs[len(jobs)-1].ID)
	ts.Check(err)
}
