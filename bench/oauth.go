package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/project"
)

const (
	// oauthSignIns is how many people come back from the provider in one
	// measurement.
	oauthSignIns = 5000
	// oauthCallers is more than elsewhere, because people here also wait for the
	// provider.
	oauthCallers = 64
)

// arrival is a browser that is back from the provider.
type arrival struct{ callback []byte }

// oauth measures the server's part of signing in with a provider: the callback,
// in which it asks the provider for tokens and for the account, and authenticate
// with session and JWT. That are three durable transactions and two calls. The
// provider is a handler on the load's core that answers two fixed shapes, so what
// it costs is the server's client and the connection. People are known by their
// account: they have signed up in a round before, which warms up the rest.
func (b *bench) oauth(t *target) (err error) {
	name := fmt.Sprintf("SQLite: oauth callback and authenticate, RS256, %d connections", oauthCallers)
	if !b.wanted(name) {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
	}()
	if err := t.configure(b.ctx, map[string]string{"session.algorithm": "RS256"}); err != nil {
		return err
	}
	stop, err := t.standInFor(b.ctx, "discord")
	if err != nil {
		return err
	}
	defer stop()
	var m, of measured
	for range 2 {
		back, err := t.arrivals(b.ctx, "discord", oauthSignIns)
		if err != nil {
			return err
		}
		m, of, err = b.beside(b.primitive(signRS256), func(round int) (measured, error) {
			some := part(back, round)
			return times(b.ctx, t.address, oauthCallers, len(some), t.arrive(some))
		})
		if err != nil {
			return err
		}
	}
	b.table.atLeast(name, rate(m), m.Rate/of.Rate, 0.5, "of signatures")
	return nil
}

// standInFor runs a provider whose accounts are the codes that it is shown, and
// has the environment sign people in there.
func (t *target) standInFor(ctx context.Context, name string) (stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer := map[string]any{"access_token": r.PostFormValue("code"), "token_type": "Bearer", "expires_in": 604800, "scope": "identify email"}
		if r.Method == http.MethodGet {
			id := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			answer = map[string]any{"id": id, "username": "bench", "email": "account" + id + "@example.com", "verified": true}
		}
		_ = json.NewEncoder(w).Encode(answer) // the server that asked is under load
	})}
	go func() { _ = server.Serve(listener) }() // it ends when it is closed
	at := "http://" + listener.Addr().String()
	err = t.admin.OAuth.Set(ctx, t.env, name, &provider.Credentials{
		ClientID: "1", ClientSecret: "secret", Endpoints: provider.Endpoints{Authorization: at, Token: at, UserInfo: at},
	})
	if err == nil {
		_, err = t.admin.Projects.AddRedirectURL(ctx, t.env.ID, "http://localhost:3000/oauth", []project.RedirectType{project.RedirectLogin, project.RedirectSignup}, true)
	}
	if err != nil {
		_ = server.Close() // what was wrong before counts
		return nil, err
	}
	return func() { _ = server.Close() }, nil // nobody calls it any more
}

// arrivals has browsers set out, and makes the requests with which they are back.
func (t *target) arrivals(ctx context.Context, name string, n int) ([]arrival, error) {
	known, _ := provider.Find(name)
	list := make([]arrival, n)
	for i := range list {
		d, err := t.admin.OAuth.Start(ctx, oauth.Start{
			Provider: name, Query: "public_token=" + t.env.PublicTokens[0].Token,
		})
		if err != nil {
			return nil, err
		}
		to, err := url.Parse(d.URL)
		if err != nil {
			return nil, err
		}
		// The provider takes the code for the number of an account.
		path := fmt.Sprintf("%s?code=%d&state=%s", oauth.CallbackPath(t.env, known), 1000+i, to.Query().Get("state"))
		list[i].callback = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: localhost\r\nCookie: %s=%s\r\n\r\n", path, d.Mark.Name, d.Mark.Value)
	}
	return list, nil
}

// arrive comes back, and finishes with the token that the browser is given.
func (t *target) arrive(back []arrival) work {
	return func(c *connection, _, i int) error {
		status, body, err := c.do(back[i].callback)
		if err != nil || status != http.StatusFound {
			return fmt.Errorf("the callback answered %d: %.300s, %w", status, body, err)
		}
		to, err := url.Parse(c.location)
		if err != nil || to.Query().Get("token") == "" {
			return fmt.Errorf("the browser is sent to %q, %w", c.location, err)
		}
		status, body, err = c.do(request("POST", "/v1/oauth/authenticate", t.basic,
			fmt.Sprintf(`{"token":%q,"session_duration_minutes":60}`, to.Query().Get("token"))))
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("authenticate answered %d: %.300s", status, body)
		}
		if err != nil || i > 0 {
			return err
		}
		return signedRS256(body)
	}
}
