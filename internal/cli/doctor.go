package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/store"
)

type doctorCommand struct {
	data
	output
	PublicURL    string `name:"public-url" env:"GATEHOUSE_PUBLIC_URL" placeholder:"URL" help:"The server's public URL, to check that too."`
	BreachSource string `name:"breach-source" env:"GATEHOUSE_BREACH_SOURCE" default:"api" enum:"api,offline,off" placeholder:"SOURCE" help:"As for the server: with offline the bundle is checked too."`
	BreachBundle string `name:"breach-bundle" env:"GATEHOUSE_BREACH_BUNDLE" placeholder:"FILE" help:"As for the server."`
	Integrity    bool   `help:"Read the whole database, and the bundle, and check that they are sound. Takes a while on a large one."`
}

// verdict is how one check ended.
type verdict string

const (
	healthy verdict = "OK"
	warning verdict = "WARN"
	failure verdict = "FAIL"
)

// finding is the result of one check.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Message string  `json:"message"`
	Advice  string  `json:"advice,omitempty"`
}

// examination goes through the checks and collects what they find.
type examination struct {
	*doctorCommand
	findings []finding
}

func (x *examination) ok(check, format string, a ...any) {
	x.findings = append(x.findings, finding{Check: check, Verdict: healthy, Message: fmt.Sprintf(format, a...)})
}

func (x *examination) warn(check, advice, format string, a ...any) {
	x.findings = append(x.findings, finding{check, warning, fmt.Sprintf(format, a...), advice})
}

func (x *examination) fail(check, advice, format string, a ...any) {
	x.findings = append(x.findings, finding{check, failure, fmt.Sprintf(format, a...), advice})
}

// Run examines the installation.
func (c *doctorCommand) Run(t *Terminal) error {
	x := &examination{doctorCommand: c}
	x.all(context.Background())
	if err := x.report(t); err != nil {
		return err
	}
	if slices.ContainsFunc(x.findings, func(f finding) bool { return f.Verdict == failure }) {
		return errSaid
	}
	return nil
}

func (x *examination) report(t *Terminal) error {
	if x.JSON {
		return t.json(x.findings)
	}
	count := map[verdict]int{}
	for _, f := range x.findings {
		count[f.Verdict]++
		t.line("%-4s  %-13s %s", f.Verdict, f.Check, oneLine(f.Message))
		if f.Advice != "" {
			t.line("%-4s  %-13s -> %s", "", "", f.Advice)
		}
	}
	t.line("")
	switch {
	case count[failure] > 0:
		t.line("%s to put right, %s.", plural(count[failure], "thing", "things"), plural(count[warning], "warning", "warnings"))
	case count[warning] > 0:
		t.line("It works, with %s.", plural(count[warning], "warning", "warnings"))
	default:
		t.line("All is well.")
	}
	return nil
}

// all runs the checks from the ground up. What a failed one carries is not
// looked at.
func (x *examination) all(ctx context.Context) {
	if path := x.SQLitePath(); path != "" {
		x.disk(path)
	}
	if err := x.exists(); err != nil {
		x.fail("database", "", "%v", err)
		return
	}
	db, err := app.OpenDatabase(ctx, app.Options{Database: x.Database, Now: time.Now})
	if err != nil {
		x.fail("database", "Check the address, the network and the rights of the user.", "%v", err)
		return
	}
	defer db.Close()
	if !x.database(ctx, db) {
		return
	}
	a, err := x.open(ctx)
	if err != nil {
		return
	}
	defer a.Close()
	x.signingKeys(ctx, a)
	x.jwtTemplates(a)
	x.outbox(ctx, a)
	x.periodicWork(ctx, a)
	x.environments(a)
	x.breaches()
	x.publicURL(a)
}

// open reports about the master key and opens the services.
func (x *examination) open(ctx context.Context) (*app.App, error) {
	const check = "master key"
	if err := x.ReadMasterKey(); err != nil {
		x.fail(check, "", "%v", err)
		return nil, err
	}
	if x.MasterKey == "" {
		x.fail(check, "Set GATEHOUSE_MASTER_KEY as for the server.", "No master key is given, so nothing sealed can be checked.")
		return nil, app.ErrNoMasterKey
	}
	a, err := app.OpenTools(ctx, app.Options{Database: x.Database, Now: time.Now})
	switch {
	case errors.Is(err, app.ErrMasterKey):
		x.fail(check, "Use the key the database was made with, or both, the new one first.", "The master key is another one than the database was sealed with.")
	case err != nil:
		x.fail(check, "", "%v", err)
	default:
		x.ok(check, "It fits this database.")
		x.sealed(ctx, a, check)
		x.private(check)
	}
	return a, err
}

// database checks that the database is of this version, is written to and is
// durable. It reports whether there is any use in going on.
func (x *examination) database(ctx context.Context, db *store.DB) bool {
	const check = "database"
	current, latest, err := db.Version(ctx)
	switch {
	case err != nil:
		x.fail(check, "", "Reading its version failed: %v", err)
		return false
	case current > latest:
		x.fail(check, "Use that program, or restore a backup from before the upgrade.", "It was written by a newer version of Gatehouse (%d, this program knows %d).", current, latest)
		return false
	case current < latest:
		x.fail(check, "Take a backup, then run gatehouse migrate or start the server.", "It is at version %d, this program needs %d.", current, latest)
		return false
	}
	facts, err := app.Facts(ctx, db)
	if err != nil {
		x.fail(check, "", "Asking it failed: %v", err)
		return false
	}
	x.ok(check, "%s answers, at version %d.", facts.Engine, current)
	x.durability(facts)
	x.clock(facts)
	x.integrity(ctx, db)
	return x.writing(ctx, db)
}

func (x *examination) durability(facts app.DatabaseFacts) {
	const check = "durability"
	var wrong, right []string
	for _, s := range facts.Settings {
		text := s.Name + "=" + s.Value
		switch {
		case s.Value == s.Want, s.Name == "synchronous_commit" && s.Value != "off" && s.Value != "local":
			right = append(right, text)
		default:
			wrong = append(wrong, text)
		}
	}
	if len(wrong) > 0 {
		x.warn(check, "Put these settings of the database back to their defaults.", "A crash can lose writes that were acknowledged: %s.", strings.Join(wrong, ", "))
		return
	}
	x.ok(check, "A commit is on disk before it is acknowledged (%s).", strings.Join(right, ", "))
}

// slowWrite is what a durable write takes on a disk that is overloaded or far
// away.
const slowWrite = 200 * time.Millisecond

func (x *examination) writing(ctx context.Context, db *store.DB) bool {
	const check = "writing"
	start := time.Now()
	err := app.TryWrite(ctx, db)
	took := time.Since(start).Round(100 * time.Microsecond)
	switch {
	case errors.Is(err, store.ErrDiskFull):
		x.fail(check, "Make room.", "The disk is full.")
		return false
	case err != nil:
		x.fail(check, "Check the rights of the user and of the file system.", "A write failed: %v", err)
		return false
	case took > slowWrite:
		x.warn(check, "Look at the load of the disk or of the database server.", "A durable write took %s.", took)
	default:
		x.ok(check, "A durable write took %s.", took)
	}
	return true
}

func (x *examination) integrity(ctx context.Context, db *store.DB) {
	const check = "integrity"
	if !x.Integrity || db.Engine() != store.SQLite {
		return
	}
	switch broken, err := app.CheckIntegrity(ctx, db); {
	case err != nil:
		x.fail(check, "Restore a backup.", "Reading the database failed: %v", err)
	case broken != "":
		x.fail(check, "Stop the server, keep a copy of the file, and restore a backup.", "The file is damaged: %s", broken)
	default:
		x.ok(check, "The whole file was read and is sound.")
	}
}

// clockTolerance is how far the clocks of two machines may be apart before
// tokens of one are refused by the other.
const clockTolerance = 5 * time.Second

func (x *examination) clock(facts app.DatabaseFacts) {
	const check = "clock"
	now, other, whose := time.Now(), facts.Clock, "the database server's"
	if other.IsZero() {
		written, err := fileClock(x.SQLitePath())
		if err != nil {
			return // the disk check has said why nothing can be written
		}
		other, whose = written, "the file system's"
	}
	apart := now.Sub(other).Abs().Round(time.Millisecond)
	if apart > clockTolerance {
		x.fail(check, "Let NTP set the clocks of all machines.", "This machine's clock and %s are %s apart.", whose, apart)
		return
	}
	x.ok(check, "This machine's clock and %s agree (%s apart).", whose, apart)
}
