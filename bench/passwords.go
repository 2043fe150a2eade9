package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"gatehouse/internal/secret/passhash"
)

const (
	// passwordCallers is enough for one core to hash without a pause.
	passwordCallers = 8
	// queuedLogins is the burst beside which other requests are measured.
	queuedLogins = 64
	goodPassword = "mauve tractor sings 41"
)

// passwords measures what hashes: a login and a sign-up, against the hash alone,
// and what requests that hash nothing notice of a burst of logins.
func (b *bench) passwords(t *target) error {
	login := fmt.Sprintf("SQLite: passwords/authenticate, ES256, %d connections", passwordCallers)
	signup := fmt.Sprintf("SQLite: passwords (sign-up), ES256, %d connections", passwordCallers)
	beside := fmt.Sprintf("SQLite: sessions/authenticate beside %d queued password logins", queuedLogins)
	if !slices.ContainsFunc([]string{login, signup, beside}, b.wanted) {
		return nil
	}
	if err := t.configure(b.ctx, map[string]string{"session.algorithm": "ES256"}); err != nil {
		return err
	}
	owners := make([]string, queuedLogins)
	for i := range owners {
		owners[i] = fmt.Sprintf("owner%03d@example.com", i)
	}
	if _, err := times(b.ctx, t.address, passwordCallers, len(owners), func(c *connection, _, i int) error {
		return t.call(c, "/v1/passwords", map[string]any{"email": owners[i], "password": goodPassword}, &struct{}{})
	}); err != nil {
		return err
	}
	for _, m := range []struct {
		name  string
		w     work
		share float64
	}{{login, t.passwordLogin(owners), 0.95}, {signup, t.passwordSignUp(), 0.94}} {
		if err := b.againstHash(t, m.name, m.w, m.share); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	if err := b.besideLogins(t, beside, owners); err != nil {
		return fmt.Errorf("%s: %w", beside, err)
	}
	return nil
}

func (t *target) passwordLogin(owners []string, allowed ...int) work {
	return expect(func(worker, n int) []byte {
		return request("POST", "/v1/passwords/authenticate", t.basic,
			fmt.Sprintf(`{"email":%q,"password":%q,"session_duration_minutes":60}`, owners[(worker*7919+n)%len(owners)], goodPassword))
	}, allowed...)
}

var signedUp atomic.Int64

func (t *target) passwordSignUp() work {
	return expect(func(_, _ int) []byte {
		return request("POST", "/v1/passwords", t.basic,
			fmt.Sprintf(`{"email":"signup%09d@example.com","password":%q,"session_duration_minutes":60}`, signedUp.Add(1), goodPassword))
	})
}

// hashRounds is by how much rounds of hashes are longer than others: in 0.6 s
// a core makes two dozen, and one more or less would be 4 %.
const hashRounds = 4

// againstHash compares a load with the hash alone, measured before and after it.
func (b *bench) againstHash(t *target, name string, w work, share float64) error {
	if !b.wanted(name) {
		return nil
	}
	long := *b
	long.duration *= hashRounds
	m, of, err := long.beside(long.primitive(hashArgon2id), long.round(t, passwordCallers, w))
	if err != nil {
		return err
	}
	b.table.atLeast(name, rate(m), m.Rate/of.Rate, share, "of Argon2id")
	return nil
}

// besideLogins measures what a burst of logins does to everybody else, and to
// the server's memory.
func (b *bench) besideLogins(t *target, name string, owners []string) error {
	if !b.wanted(name) {
		return nil
	}
	if err := t.restart(); err != nil {
		return err
	}
	idle, err := load(b.ctx, t.address, 16, b.duration, t.authenticate())
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(b.ctx)
	ended := make(chan error, 1)
	go func() {
		// On a slow machine some wait for longer than anybody has to.
		_, err := load(ctx, t.address, queuedLogins, time.Hour, t.passwordLogin(owners, http.StatusServiceUnavailable))
		ended <- err
	}()
	time.Sleep(b.duration / 3) // until all of them wait
	busy, err := load(b.ctx, t.address, 16, b.duration, t.authenticate())
	memory, rssErr := t.rss()
	stop()
	if burst := <-ended; burst != nil && !errors.Is(burst, context.Canceled) {
		return burst
	}
	if err := errors.Join(err, rssErr); err != nil {
		return err
	}
	limit := max(10*idle.P99, 25*time.Millisecond)
	b.table.atMost(name+", p99 ("+idle.P99.Round(10*time.Microsecond).String()+" idle)", "p99 "+busy.P99.Round(10*time.Microsecond).String(),
		float64(busy.P99)/float64(time.Millisecond), float64(limit)/float64(time.Millisecond), "ms")
	const hashes = 1 // at once, on one core
	b.table.atMost("SQLite: memory meanwhile", fmt.Sprintf("%.1f MB", float64(memory)/(1<<20)),
		float64(memory)/(1<<20), float64(hashes*passhash.Default.MemoryKiB)/1024+64, "MB")
	return nil
}
