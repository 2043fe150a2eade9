package main

import (
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
	if !slices.ContainsFunc([]string{name(signRS256), name(signES256)}, b.wanted) {
		return nil
	}
	ask, err := t.tokens(b)
	if err != nil {
		return err
	}
	for _, algorithm := range []string{signRS256, signES256} {
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
		m, of, err := b.beside(b.primitive(algorithm), b.round(t, signInCallers, ask))
		if err != nil {
			return fmt.Errorf("%s: %w", name(algorithm), err)
		}
		if algorithm == signRS256 {
			b.table.atLeast(name(algorithm), rate(m), m.Rate/of.Rate, 0.85, "of signatures")
			continue
		}
		b.table.atLeast(name(algorithm), rate(m), m.Rate/of.Rate, 0.25, "of signatures")
		if _, err := b.measure(t, name(algorithm)+", beside H", signInCallers, ask, 0.15); err != nil {
			return err
		}
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
