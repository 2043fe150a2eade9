package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/url"
	"slices"
	"time"

	"gatehouse/internal/m2m"
)

// machines is how many clients take turns asking for tokens.
const machines = 500

// tokens measures the token endpoint, whose cost is a signature: what comes on
// top of that should hardly count.
func (b *bench) tokens(t *target) error {
	name := func(algorithm string) string {
		return fmt.Sprintf("SQLite: client_credentials, %s, %d connections", algorithm, signInCallers)
	}
	if !slices.ContainsFunc([]string{name("RS256"), name("ES256")}, b.wanted) {
		return nil
	}
	ask, err := t.tokens(b)
	if err != nil {
		return err
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte("a token"))
	sign := map[string]func() error{
		"RS256": b.signRSA,
		"ES256": func() error { _, err := ecdsa.SignASN1(rand.Reader, curve, sum[:]); return err },
	}
	for _, algorithm := range []string{"RS256", "ES256"} {
		if err := t.configure(b.ctx, map[string]string{"session.algorithm": algorithm}); err != nil {
			return err
		}
		if err := t.admin.Sessions.Rotate(b.ctx, t.admin.Projects.Environments()[0], true, false); err != nil {
			return err
		}
		time.Sleep(time.Second) // the server polls four times a second
		if !b.wanted(name(algorithm)) {
			continue
		}
		before := each(b.duration/4, sign[algorithm])
		m, h, err := b.beside(t, signInCallers, ask)
		if err != nil {
			return fmt.Errorf("%s: %w", name(algorithm), err)
		}
		signature := (before + each(b.duration/4, sign[algorithm])) / 2
		share := m.Rate * signature.Seconds()
		if algorithm == "RS256" {
			b.table.atLeast(name(algorithm), rate(m), share, 0.85, "of signatures")
			continue
		}
		b.table.atLeast(name(algorithm), rate(m), share, 0.25, "of signatures")
		b.table.atLeast(name(algorithm)+", beside H", rate(m), m.Rate/h.Rate, 0.15, "H")
	}
	return nil
}

// tokens makes clients, and returns the work of asking for their tokens.
func (t *target) tokens(b *bench) (work, error) {
	requests := make([][]byte, machines)
	for i := range requests {
		c, value, err := t.admin.M2M.Create(b.ctx, t.env, m2m.NewClient{ClientName: fmt.Sprint("Machine ", i), Scopes: []string{"read:users", "write:users"}})
		if err != nil {
			return nil, err
		}
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {value}}.Encode()
		requests[i] = fmt.Appendf(nil, "POST /v1/public/%s/oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
			t.env.ID, len(form), form)
	}
	return expect(func(worker, n int) []byte { return requests[(worker*7919+n)%len(requests)] }), nil
}
