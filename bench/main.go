// Command bench measures how fast Gatehouse is against two yardsticks taken in
// the same run: a bare net/http JSON handler (H) and the cryptographic
// primitives themselves. It prints a table of ratios with their targets.
//
// The server runs on one core and the load on another, where the machine has
// two and taskset.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// options are the flags of a run.
type options struct {
	duration time.Duration
	users    int
	busy     int
	rows     int
	postgres string
	only     string
	binary   string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == baselineCommand {
		serveBaseline(os.Args[2])
		return
	}
	var o options
	flag.DurationVar(&o.duration, "duration", 3*time.Second, "how long each measurement takes")
	flag.IntVar(&o.users, "users", 100_000, "users and sessions in the database")
	flag.IntVar(&o.busy, "busy", 1000, "sessions that the load uses")
	flag.IntVar(&o.rows, "import", 100_000, "users in the file that is imported")
	flag.StringVar(&o.postgres, "postgres", os.Getenv("GATEHOUSE_TEST_POSTGRES"), "URL of a PostgreSQL superuser; without it only SQLite is measured")
	flag.StringVar(&o.only, "only", "", "measure only rows whose name contains this")
	flag.StringVar(&o.binary, "binary", "", "measure this gatehouse instead of building one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
