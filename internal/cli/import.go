package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"gatehouse/internal/app"
	"gatehouse/internal/bulk"
	"gatehouse/internal/project"
	"gatehouse/internal/secret/passhash"
)

type importCommands struct {
	Users      importUsers   `cmd:"" help:"Bring users in from a file, with their passwords' hashes. An import that was interrupted goes on where it stopped when the same command runs again. It may run beside a server: on SQLite it then takes turns with it, and is slower. The exit code is 3 when rows were refused."`
	M2MClients importClients `cmd:"" name:"m2m-clients" help:"Bring machine-to-machine clients in from a file, with their ids and secrets. Clients who are there already are passed over. The exit code is 3 when rows were refused."`
}

// inEnvironment is an environment that a command is about, named by a flag.
type inEnvironment struct {
	data
	output
	Environment string `required:"" placeholder:"ENVIRONMENT" help:"project_id of the environment; where there is one project, test or live is enough."`
}

// on opens the services, which open what is sealed, and finds the environment.
func (c *inEnvironment) on(f func(ctx context.Context, a *app.App, env *project.Environment) error) error {
	t := &target{data: c.data, Environment: c.Environment}
	return t.onSealed(f)
}

type importUsers struct {
	File string `arg:"" help:"The file, plain or gzip. - is the standard input, from which nothing is remembered."`
	inEnvironment
	From         string `default:"gatehouse" enum:"gatehouse,auth0,firebase,cognito,supabase,stytch" help:"What wrote the file: gatehouse, auth0, firebase, cognito, supabase or stytch."`
	Format       string `default:"auto" enum:"auto,jsonl,json,csv" help:"auto, jsonl (a user on each line), json (an array) or csv (with a header)."`
	Update       bool   `help:"Give users who exist already what they lack: a first password, addresses, attributes. Nothing is replaced."`
	NewIDs       bool   `name:"new-ids" help:"Give users and factors new ids, in place of those in the file."`
	WithDisabled bool   `help:"Import users whom the other product has blocked, too. Here they can sign in."`
	DryRun       bool   `help:"Check every row and write nothing. It keeps some 50 MB in memory for a million users."`
	Restart      bool   `help:"Begin at the beginning of a file whose import was interrupted."`
	Report       string `placeholder:"FILE" help:"Write each row that was refused into this file, as JSON Lines."`
	BatchSize    int    `default:"1000" help:"Rows in a transaction; at most 250 on PostgreSQL, and 50 beside a server on SQLite."`
	firebaseFlags
}

type firebaseFlags struct {
	SignerKey     string `name:"firebase-signer-key" env:"GATEHOUSE_FIREBASE_SIGNER_KEY" placeholder:"BASE64" help:"base64_signer_key of the project's password hash parameters."`
	SaltSeparator string `name:"firebase-salt-separator" env:"GATEHOUSE_FIREBASE_SALT_SEPARATOR" placeholder:"BASE64" default:"Bw==" help:"base64_salt_separator of the same."`
	Rounds        int    `name:"firebase-rounds" default:"8" help:"rounds of the same."`
	MemCost       int    `name:"firebase-mem-cost" default:"14" help:"mem_cost of the same."`
}

func (f *firebaseFlags) config() *passhash.FirebaseScryptConfig {
	if f.SignerKey == "" {
		return nil
	}
	return &passhash.FirebaseScryptConfig{SignerKey: f.SignerKey, SaltSeparator: f.SaltSeparator, Rounds: f.Rounds, MemCost: f.MemCost}
}

// The pace beside a server on SQLite: a step that it hardly notices, then as long
// a rest. On PostgreSQL only those wait who want one of the rows.
const (
	besideServer  = 50
	besideServers = 250
)

// Run imports users.
func (c *importUsers) Run(t *Terminal) error {
	if c.BatchSize < 1 || c.BatchSize > 10_000 {
		return usagef("--batch-size must lie between 1 and 10000")
	}
	source := bulk.Source{Name: c.File, From: t.In}
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.IsDir() {
			return fmt.Errorf("%s is a folder: name a file in it", c.File)
		}
		source.From, source.Size, source.Resumable = f, info.Size(), info.Mode().IsRegular()
	}
	return c.on(func(_ context.Context, a *app.App, env *project.Environment) error {
		ctx := interruptible()
		o := bulk.Options{
			From: c.From, Format: c.Format, Firebase: c.config(), Update: c.Update, NewIDs: c.NewIDs, WithDisabled: c.WithDisabled,
			DryRun: c.DryRun, Restart: c.Restart, Batch: c.BatchSize,
		}
		path := c.SQLitePath()
		if path == "" {
			o.Batch = min(o.Batch, besideServers)
		} else if !c.DryRun && served(path) {
			fmt.Fprintln(t.Err, "A server uses this database: the import takes turns with it. It is faster while no server runs.")
			o.Batch = min(o.Batch, besideServer)
			o.Pause = func(took time.Duration) { pause(ctx, took) }
		}
		if c.Report != "" {
			report, err := bulk.OpenReport(c.Report)
			if err != nil {
				return err
			}
			defer report.Close()
			o.Report = report
		}
		meter := newMeter(t, source.Size)
		o.Progress = func(p bulk.Progress) { meter.show(p.Rows, p.Resumed, p.Read, refusedSoFar(p.Refused)) }
		r, err := a.Bulk().Import(ctx, env, source, o)
		meter.end()
		said := c.summary(t, env, &r)
		if err != nil {
			return err
		}
		return said
	})
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func refusedSoFar(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %s refused", thousands(n))
}

// summary says what an import has done, and ends the command with the exit code
// that says whether rows were refused.
func (c *importUsers) summary(t *Terminal, env *project.Environment, r *bulk.Result) error {
	if c.JSON {
		if err := t.json(r); err != nil {
			return err
		}
		return c.verdict(t, r)
	}
	verb := "Imported"
	if c.DryRun {
		verb = "Checked, and wrote nothing of,"
	}
	rows := "rows"
	if r.Rows == 1 {
		rows = "row"
	}
	t.line("%s %s %s of %s into %s: %s created, %s updated, %s existed, %s refused.", verb, thousands(r.Rows), rows, c.File, title(env),
		thousands(r.Created), thousands(r.Updated), thousands(r.Existing), thousands(r.Refused))
	if r.Resumed > 0 {
		t.line("An earlier run had done %s of them.", thousands(r.Resumed))
	}
	for _, reason := range byCount(r.Reasons) {
		t.line("  %s refused: %s", thousands(r.Reasons[reason]), reason)
	}
	for _, field := range byCount(r.LeftOut) {
		t.line("  %s without their %s, for the file has no keys or hashes for them", thousands(r.LeftOut[field]), field)
	}
	if r.Refused > 0 && c.Report != "" {
		t.line("Which rows, and why: %s", c.Report)
	}
	return c.verdict(t, r)
}

func (c *importUsers) verdict(t *Terminal, r *bulk.Result) error {
	switch {
	case r.Stopped && r.Resumable:
		return fmt.Errorf("stopped after row %d: the same command goes on from there", r.Rows)
	case r.Stopped:
		return fmt.Errorf("stopped after row %d: run the command again, and users who are there already are passed over", r.Rows)
	case r.Refused > 0:
		if c.Report == "" && !c.JSON {
			fmt.Fprintln(t.Err, "Run it again with --report FILE to see which rows and why; users who are there already are passed over.")
		}
		return errRefused
	}
	return nil
}

// byCount lists the keys of counts, the largest first.
func byCount(counts map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return int(counts[b] - counts[a])
		}
		return strings.Compare(a, b)
	})
}

// thousands writes a number with commas.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// meter says how far something long is: on a terminal in one line that moves,
// elsewhere in a line now and then.
type meter struct {
	to     io.Writer
	moving bool
	size   int64 // bytes to read; 0 when nobody knows
	began  time.Time
	said   time.Time
	first  bool
	from   int64 // bytes that were read before the first step
}

func newMeter(t *Terminal, size int64) *meter {
	f, ok := t.Err.(*os.File)
	now := time.Now()
	return &meter{to: t.Err, moving: ok && term.IsTerminal(int(f.Fd())), size: size, began: now, said: now, first: true, from: -1}
}

func (m *meter) show(rows, before, read int64, more string) {
	every := 10 * time.Second
	if m.moving {
		every = 200 * time.Millisecond
	}
	if m.from < 0 {
		m.from = read
	}
	if !m.first && time.Since(m.said) < every {
		return
	}
	m.first, m.said = false, time.Now()
	took := time.Since(m.began).Seconds()
	line := fmt.Sprintf("%s rows, %s/s", thousands(rows), thousands(int64(float64(rows-before)/max(took, 0.001))))
	if m.size > 0 {
		share := min(1, float64(read)/float64(m.size))
		line = fmt.Sprintf("%3.0f %%, %s", 100*share, line)
		if done := read - m.from; done > 0 && share < 1 {
			left := time.Duration(took * float64(m.size-read) / float64(done) * float64(time.Second))
			line += ", " + left.Round(time.Second).String() + " left"
		}
		if m.moving {
			const width = 24
			full := int(share * width)
			line = "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "] " + line
		}
	}
	line += more
	if m.moving {
		fmt.Fprintf(m.to, "\r%s\x1b[K", line)
		return
	}
	fmt.Fprintln(m.to, line)
}

// end leaves the line that moves.
func (m *meter) end() {
	if m.moving && !m.first {
		fmt.Fprintln(m.to)
	}
}
