package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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
	sign     time.Duration
	rsa      time.Duration
	es       time.Duration

	signRSA func() error // once
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
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte("a token"))
	b.signRSA = func() error { _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]); return err }
	b.rsa = each(b.duration/3, b.signRSA)
	b.es = each(b.duration/3, func() error { _, err = ecdsa.SignASN1(rand.Reader, curve, sum[:]); return err })
	verify, err := assertion()
	if err != nil {
		return err
	}
	b.sign = each(b.duration/3, verify)
	b.table.report("RSA-2048 signature / ES256 signature", b.rsa.String()+" / "+b.es.String(), "")
	b.table.report("assertion verified by the library", b.sign.String(), "")
	return err
}

// each calls f for a while and returns what one call takes.
func each(d time.Duration, f func() error) time.Duration {
	n, begin := 0, time.Now()
	for ; time.Since(begin) < d; n++ {
		if err := f(); err != nil {
			return 0
		}
	}
	return time.Since(begin) / time.Duration(n)
}

// measure runs one load and compares it with H at the same number of
// connections; target 0 only reports.
func (b *bench) measure(t *target, name string, connections int, w work, target float64) (measured, error) {
	if !b.wanted(name) {
		return measured{}, nil
	}
	m, h, err := b.beside(t, connections, w)
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

// beside measures a load with H right before and right after it: what else the
// machine does then slows both alike.
func (b *bench) beside(t *target, connections int, w work) (m, h measured, err error) {
	before, err := load(b.ctx, b.base, connections, b.duration/2, ping)
	if err != nil {
		return m, h, err
	}
	if m, err = load(b.ctx, t.address, connections, b.duration, w); err != nil {
		return m, h, err
	}
	after, err := load(b.ctx, b.base, connections, b.duration/2, ping)
	return m, measured{(before.Rate + after.Rate) / 2, (before.P99 + after.P99) / 2}, err
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
	m, h, err := b.beside(t, 64, t.authenticate())
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
	best := 1 / (b.rsa + b.sign).Seconds()
	for _, algorithm := range []string{"RS256", "ES256"} {
		if err := t.configure(b.ctx, map[string]string{"session.algorithm": algorithm, "session.jwt_reuse_seconds": "0"}); err != nil {
			return err
		}
		if algorithm == "ES256" {
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
		m, h, err := b.beside(t, signInCallers, t.signIn())
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		case !targets:
			b.table.report(name, rate(m), fmt.Sprintf("%.3f H", m.Rate/h.Rate))
		case algorithm == "RS256":
			b.table.atLeast(name, rate(m), m.Rate/best, 0.6, "of primitives")
		default:
			b.table.atLeast(name, rate(m), m.Rate/h.Rate, 0.03, "H")
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
