package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/secret"
)

// bench is one run.
type bench struct {
	options
	ctx   context.Context
	dir   string
	table table

	h        measured // 16 connections
	h64      measured // 64 connections
	base     string   // H's address
	baseline *process // H itself
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder
	b := &bench{options: o, ctx: ctx, dir: dir}
	defer func() {
		if b.baseline != nil {
			b.baseline.stop()
		}
	}()
	if b.binary == "" {
		b.binary = filepath.Join(dir, "gatehouse")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.binary, "./cmd/gatehouse")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	if err := pinSelf(); err != nil {
		return err
	}
	for _, step := range []func() error{b.yardsticks, b.size, b.sqlite, b.imports, b.growth, b.postgresql} {
		if err := step(); err != nil {
			return err
		}
	}
	b.table.print()
	if b.table.short > 0 {
		return fmt.Errorf("%d figures fall short of their target", b.table.short)
	}
	return nil
}

// wanted reports whether a row was asked for.
func (b *bench) wanted(name string) bool { return strings.Contains(name, b.only) }

// ping is the one request to H.
var ping = func() work {
	ready := request("POST", "/", "", `{"session_token":"WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY"}`)
	return expect(func(int, int) []byte { return ready })
}()

// yardsticks measures H and the primitives.
func (b *bench) yardsticks() error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if b.baseline, err = start(b.ctx, b.dir, "http://"+address+"/healthz", true, nil, self, baselineCommand, address); err != nil {
		return err
	}
	b.base = address
	if b.h, err = load(b.ctx, address, 16, b.duration, ping); err != nil {
		return err
	}
	if b.h64, err = load(b.ctx, address, 64, b.duration, ping); err != nil {
		return err
	}
	b.table.report("H: bare net/http JSON, 16 connections", rate(b.h), "1")
	b.table.report("H: the same, 64 connections", rate(b.h64)+", p99 "+b.h64.P99.Round(10*time.Microsecond).String(), "")
	return b.primitives()
}

// primitives measures what cannot be avoided: a signature per new JWT, the
// verification of an assertion.
func (b *bench) primitives() error {
	for _, p := range []struct{ primitive, title string }{
		{signRS256, "RSA-2048 signature"}, {signES256, "ES256 signature"}, {verifyAssertion, "assertion verified by the library"},
	} {
		m, err := b.primitive(p.primitive)(b.duration / 3)
		if err != nil {
			return err
		}
		b.table.report(p.title, time.Duration(float64(time.Second)/m.Rate).Round(100*time.Nanosecond).String(), "")
	}
	return nil
}

// measure runs one load and compares it with H at the same number of
// connections; target 0 only reports.
func (b *bench) measure(t *target, name string, connections int, w work, target float64) (measured, error) {
	if !b.wanted(name) {
		return measured{}, nil
	}
	m, h, err := b.beside(b.bare(connections), b.round(t, connections, w))
	if err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	if target > 0 {
		b.table.atLeast(name, rate(m), m.Rate/h.Rate, target, "H")
	} else {
		b.table.report(name, rate(m), fmt.Sprintf("%.3f H", m.Rate/h.Rate))
	}
	return m, nil
}

// rounds is how often load and yardstick take turns.
const rounds = 5

// yardstick measures for about d what a load is compared with.
type yardstick func(d time.Duration) (measured, error)

// beside has a load and its yardstick take turns, since a core of a shared
// machine may be half as fast a second later, and returns the round with the
// middle ratio.
func (b *bench) beside(y yardstick, f func(round int) (measured, error)) (m, of measured, err error) {
	type pair struct{ m, of measured }
	pairs := make([]pair, rounds)
	before, err := y(b.duration / rounds / 2)
	for i := 0; err == nil && i < rounds; i++ {
		var after measured
		if pairs[i].m, err = f(i); err != nil {
			break
		}
		after, err = y(b.duration / rounds / 2)
		pairs[i].of = measured{(before.Rate + after.Rate) / 2, (before.P99 + after.P99) / 2}
		before = after
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.m.Rate/a.of.Rate, b.m.Rate/b.of.Rate) })
	middle := pairs[rounds/2]
	return middle.m, middle.of, err
}

// bare is H at a number of connections.
func (b *bench) bare(connections int) yardstick {
	return func(d time.Duration) (measured, error) { return load(b.ctx, b.base, connections, d, ping) }
}

// round is a round of a load.
func (b *bench) round(t *target, connections int, w work) func(int) (measured, error) {
	return func(int) (measured, error) { return load(b.ctx, t.address, connections, b.duration/rounds, w) }
}

// part is what a round takes of all there is.
func part[T any](all []T, round int) []T {
	return all[len(all)*round/rounds : len(all)*(round+1)/rounds]
}

func rate(m measured) string { return fmt.Sprintf("%.0f/s", m.Rate) }

func (b *bench) sqlite() error {
	t, err := openTarget(b.ctx, b.dir, b.binary, "sqlite:"+filepath.Join(b.dir, "large.db"), b.users, b.busy)
	if err != nil {
		return err
	}
	b.table.report(fmt.Sprintf("seeding %d users", b.users), fmt.Sprintf("%.0f users/s", t.perSecond), "")
	if err := b.requests(t, "SQLite", true); err != nil {
		return err
	}
	if err := b.writes(t); err != nil {
		return err
	}
	if err := b.mails(t); err != nil {
		return err
	}
	if err := b.passwords(t); err != nil {
		return err
	}
	if err := b.factors(t); err != nil {
		return err
	}
	if err := b.tokens(t); err != nil {
		return err
	}
	if err := b.oauth(t); err != nil {
		return err
	}
	if rss, err := t.rss(); err == nil {
		b.table.report("SQLite: memory after the load", fmt.Sprintf("%.1f MB", float64(rss)/(1<<20)), "")
	}
	return t.close()
}

// requests measures the API; with targets only where the issue of speed is
// decided by us and not by a database over a socket.
func (b *bench) requests(t *target, engine string, targets bool) error {
	share := func(v float64) float64 {
		if targets {
			return v
		}
		return 0
	}
	name := func(s string) string { return engine + ": " + s }
	// Every session's JWT has to be signed and its use written down once: with
	// RS256 and 1,000 sessions that alone takes longer than a round.
	if _, err := load(b.ctx, t.address, 16, b.duration, t.authenticate()); err != nil {
		return err
	}
	if _, err := b.measure(t, name("sessions/authenticate, 16 connections"), 16, t.authenticate(), share(0.25)); err != nil {
		return err
	}
	if err := b.tail(t, name("sessions/authenticate, p99 at 64 connections"), targets); err != nil {
		return err
	}
	for _, m := range []struct {
		what  string
		w     work
		share float64
	}{
		{"GET users/{id}, 16 connections", t.getUser(), 0.25},
		{"passkey start, 16 connections", t.passkeyStart(), 0.2},
		{"POST users, 16 connections", t.createUser(), 0.06},
		{"search, page of 50 by cursor, 16 connections", t.pages(), 0.03},
	} {
		if _, err := b.measure(t, name(m.what), 16, m.w, share(m.share)); err != nil {
			return err
		}
	}
	return b.signatures(t, engine, targets)
}

func (b *bench) tail(t *target, name string, targets bool) error {
	if !b.wanted(name) {
		return nil
	}
	const connections = 64
	m, h, err := b.beside(b.bare(connections), b.round(t, connections, t.authenticate()))
	if err != nil {
		return err
	}
	text := "p99 " + m.P99.Round(10*time.Microsecond).String()
	ratio := float64(m.P99) / float64(h.P99)
	if targets {
		b.table.atMost(name, text, ratio, 4, "x H's p99")
	} else {
		b.table.report(name, text, fmt.Sprintf("%.2f x H's p99", ratio))
	}
	return nil
}

// signInCallers is enough for one core of the server to have something to do
// while others wait for the disk.
const signInCallers = 32

// signatures measures what signs on every request.
func (b *bench) signatures(t *target, engine string, targets bool) error {
	for _, algorithm := range []string{signRS256, signES256} {
		if err := t.configure(b.ctx, map[string]string{"session.algorithm": algorithm, "session.jwt_reuse_seconds": "0"}); err != nil {
			return err
		}
		if algorithm == signES256 {
			if err := t.admin.Sessions.Rotate(b.ctx, t.admin.Projects.Environments()[0], true, false); err != nil {
				return err
			}
			time.Sleep(time.Second) // the server polls four times a second
		}
		if _, err := b.measure(t, engine+": sessions/authenticate, every signature new, "+algorithm, 16, t.authenticate(), 0); err != nil {
			return err
		}
		name := fmt.Sprintf("%s: whole passkey sign-in, %s, %d connections", engine, algorithm, signInCallers)
		if !b.wanted(name) {
			continue
		}
		y, share, unit := b.bare(signInCallers), 0.03, "H"
		if algorithm == signRS256 && targets {
			y, share, unit = b.primitive(signIn), 0.6, "of primitives"
		}
		m, of, err := b.beside(y, b.round(t, signInCallers, t.signIn()))
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		case !targets:
			b.table.report(name, rate(m), fmt.Sprintf("%.3f H", m.Rate/of.Rate))
		default:
			b.table.atLeast(name, rate(m), m.Rate/of.Rate, share, unit)
		}
	}
	return t.configure(b.ctx, map[string]string{"session.jwt_reuse_seconds": "30"})
}

// writes measures group commit.
func (b *bench) writes(t *target) error {
	if !b.wanted("SQLite: durable writes") {
		return nil
	}
	var one measured
	for _, callers := range []int{1, 16, 64} {
		m, err := load(b.ctx, t.address, callers, b.duration, t.change())
		if err != nil {
			return err
		}
		name := fmt.Sprintf("SQLite: durable writes, %d callers", callers)
		switch callers {
		case 1:
			one = m
			b.table.report(name, rate(m), "1")
		case 16:
			b.table.atLeast(name, rate(m), m.Rate/one.Rate, 3, "x one caller")
		default:
			b.table.atLeast(name, rate(m), m.Rate/one.Rate, 2.5, "x one caller")
		}
	}
	return nil
}

func (b *bench) postgresql() error {
	if b.postgres == "" {
		b.table.report("PostgreSQL", "not measured: set GATEHOUSE_TEST_POSTGRES", "")
		return nil
	}
	admin, err := url.Parse(b.postgres)
	if err != nil {
		return err
	}
	name := "gatehouse_bench_" + strings.ToLower(secret.Token()[:8])
	name = strings.NewReplacer("-", "x", "_", "y").Replace(name)
	if err := psql(b.ctx, b.postgres, "CREATE DATABASE "+name); err != nil {
		return err
	}
	admin.Path = "/" + name
	t, err := openTarget(b.ctx, b.dir, b.binary, admin.String(), min(b.users, 20_000), b.busy)
	if err != nil {
		return err
	}
	if err := b.requests(t, "PostgreSQL", false); err != nil {
		return err
	}
	if err := t.close(); err != nil {
		return err
	}
	return psql(b.ctx, b.postgres, "DROP DATABASE "+name+" WITH (FORCE)")
}

func psql(ctx context.Context, url, statement string) error {
	out, err := exec.CommandContext(ctx, "psql", url, "-c", statement).CombinedOutput()
	if err != nil {
		return fmt.Errorf("psql: %w: %s", err, out)
	}
	return nil
}
