package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"gatehouse/internal/app"
	"gatehouse/internal/m2m"
	"gatehouse/internal/project"
)

type m2mClientCommands struct {
	Create m2mCreate `cmd:"" help:"Create a client and show its secret, once."`
	List   m2mList   `cmd:"" help:"List the clients."`
	Show   m2mShow   `cmd:"" help:"Show a client."`
	Update m2mUpdate `cmd:"" help:"Change a client's name, description, status, scopes or metadata."`
	Rotate m2mRotate `cmd:"" help:"Change a client's secret in steps: start shows a second one, finish ends the first, cancel takes the second away."`
	Delete m2mDelete `cmd:"" help:"Delete a client. Tokens that it has stay valid for an hour at most."`
}

// m2mFacts are what create and update can say of a client.
type m2mFacts struct {
	Name        *string  `placeholder:"TEXT" help:"What people call the client."`
	Description *string  `placeholder:"TEXT" help:"What it is for."`
	Scope       []string `sep:"none" placeholder:"SCOPE" help:"What it may ask for, such as read:users; give it once for each scope."`
	Metadata    string   `placeholder:"JSON" help:"Keys to set in its trusted metadata; null deletes a key."`
}

func (f *m2mFacts) changes() (m2m.Changes, error) {
	ch := m2m.Changes{ClientName: f.Name, ClientDescription: f.Description}
	if f.Scope != nil {
		ch.Scopes = &f.Scope
	}
	if f.Metadata != "" {
		if ch.TrustedMetadata = json.RawMessage(f.Metadata); !json.Valid(ch.TrustedMetadata) {
			return ch, usagef("--metadata is not JSON")
		}
	}
	return ch, nil
}

type m2mCreate struct {
	target
	ID string `name:"id" placeholder:"CLIENT_ID" help:"A client_id of your own; one is made when left out."`
	m2mFacts
}

// Run creates a client.
func (c *m2mCreate) Run(t *Terminal) error {
	ch, err := c.changes()
	if err != nil {
		return err
	}
	return c.onSealed(func(ctx context.Context, a *app.App, env *project.Environment) error {
		n := m2m.NewClient{ClientID: c.ID, Scopes: c.Scope, TrustedMetadata: ch.TrustedMetadata}
		if c.Name != nil {
			n.ClientName = *c.Name
		}
		if c.Description != nil {
			n.ClientDescription = *c.Description
		}
		client, value, err := a.M2M.Create(ctx, env, n)
		if err != nil {
			return err
		}
		return c.showSecret(t, client, "client_secret", value)
	})
}

// showSecret shows a client with a secret that is shown this once.
func (o *output) showSecret(t *Terminal, client *m2m.Client, name, value string) error {
	if o.JSON {
		view := map[string]any{name: value}
		text, err := json.Marshal(client)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, &view); err != nil {
			return err
		}
		return t.json(view)
	}
	r := m2mRows(client)
	r.add(name, value)
	if err := t.table(r); err != nil {
		return err
	}
	t.line("")
	t.line("The secret cannot be shown again: keep it where the client reads its secrets.")
	return nil
}

func m2mRows(c *m2m.Client) *rows {
	r := &rows{}
	r.add("client_id", c.ClientID)
	if c.ClientName != "" {
		r.add("name", c.ClientName)
	}
	if c.ClientDescription != "" {
		r.add("description", c.ClientDescription)
	}
	r.add("status", c.Status)
	r.add("scopes", scopesOf(c))
	r.add("secret", "..."+c.ClientSecretLastFour)
	if c.NextClientSecretLastFour != nil {
		r.add("next secret", "..."+*c.NextClientSecretLastFour)
	}
	if len(c.TrustedMetadata) > 0 {
		if text, err := json.Marshal(c.TrustedMetadata); err == nil {
			r.add("metadata", string(text))
		}
	}
	return r
}

func scopesOf(c *m2m.Client) string {
	if len(c.Scopes) == 0 {
		return "-"
	}
	return strings.Join(c.Scopes, " ")
}

type m2mList struct {
	target
	Scope  []string `sep:"none" placeholder:"SCOPE" help:"Only clients that have this scope, or one of several."`
	Name   string   `placeholder:"TEXT" help:"Only clients of exactly this name."`
	Limit  int      `default:"100" help:"Clients to show: 1 to 1000."`
	Cursor string   `placeholder:"CURSOR" help:"Go on where the last page ended."`
}

func (c *m2mList) query() (q m2m.Query, err error) {
	for _, f := range []struct {
		name   string
		values []string
	}{{"scopes", c.Scope}, {"client_name", nonEmpty(c.Name)}} {
		if len(f.values) == 0 {
			continue
		}
		operand, err := m2m.Filter(f.name, f.values)
		if err != nil {
			return q, err
		}
		q.Operands = append(q.Operands, operand)
	}
	return q, nil
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// Run lists clients.
func (c *m2mList) Run(t *Terminal) error {
	query, err := c.query()
	if err != nil {
		return err
	}
	return c.onSealed(func(ctx context.Context, a *app.App, env *project.Environment) error {
		page, err := a.M2M.Search(ctx, env, m2m.Search{Query: query, Cursor: c.Cursor, Limit: c.Limit})
		if err != nil {
			return err
		}
		if c.JSON {
			return t.json(map[string]any{"m2m_clients": page.Clients, "total": page.Total, "next_cursor": page.NextCursor})
		}
		r := &rows{header: []string{"CLIENT_ID", "NAME", "STATUS", "SECRET", "SCOPES"}, empty: "No clients match."}
		for _, client := range page.Clients {
			name, ends := client.ClientName, "..."+client.ClientSecretLastFour
			if name == "" {
				name = "-"
			}
			if client.NextClientSecretLastFour != nil {
				ends += ", then ..." + *client.NextClientSecretLastFour
			}
			r.add(client.ClientID, name, client.Status, ends, scopesOf(client))
		}
		if err := c.print(t, nil, r); err != nil || page.NextCursor == "" {
			return err
		}
		t.line("")
		t.line("There are more: the same command with --cursor %s", page.NextCursor)
		return nil
	})
}

// oneClient is a client of an environment.
type oneClient struct {
	target
	ClientID string `arg:"" help:"client_id, from gatehouse m2m-client list."`
}

type m2mShow struct{ oneClient }

// Run shows a client.
func (c *m2mShow) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		client, err := a.M2M.Get(ctx, env, c.ClientID)
		if err != nil {
			return err
		}
		return c.print(t, client, m2mRows(client))
	})
}

type m2mUpdate struct {
	oneClient
	m2mFacts
	NoScopes bool    `help:"Take all scopes away."`
	Status   *string `placeholder:"STATUS" help:"active, or inactive: it then gets no tokens."`
}

// Run changes a client.
func (c *m2mUpdate) Run(t *Terminal) error {
	ch, err := c.changes()
	if err != nil {
		return err
	}
	ch.Status = c.Status
	if c.NoScopes {
		if ch.Scopes != nil {
			return usagef("--no-scopes does not go with --scope")
		}
		ch.Scopes = &[]string{}
	}
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		client, err := a.M2M.Update(ctx, env, c.ClientID, ch)
		if err != nil {
			return err
		}
		return c.say(t, client, "Changed %s.", client.ClientID)
	})
}

type m2mRotate struct {
	oneClient
	Step string `arg:"" enum:"start,finish,cancel" help:"start, finish or cancel."`
}

// Run changes a client's secret by one step.
func (c *m2mRotate) Run(t *Terminal) error {
	return c.onSealed(func(ctx context.Context, a *app.App, env *project.Environment) error {
		switch c.Step {
		case "finish":
			client, err := a.M2M.Rotate(ctx, env, c.ClientID)
			if err != nil {
				return err
			}
			return c.say(t, client, "The secret of %s is ...%s now; the one before is good no more.", client.ClientID, client.ClientSecretLastFour)
		case "cancel":
			client, err := a.M2M.CancelRotation(ctx, env, c.ClientID)
			if err != nil {
				return err
			}
			return c.say(t, client, "The secret of %s stays ...%s.", client.ClientID, client.ClientSecretLastFour)
		}
		client, value, err := a.M2M.StartRotation(ctx, env, c.ClientID)
		if err != nil {
			return err
		}
		return c.showSecret(t, client, "next_client_secret", value)
	})
}

type m2mDelete struct {
	oneClient
	confirmation
}

// Run deletes a client.
func (c *m2mDelete) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		client, err := a.M2M.Get(ctx, env, c.ClientID)
		if err != nil {
			return err
		}
		who := client.ClientID
		if client.ClientName != "" {
			who += " (" + client.ClientName + ")"
		}
		if err := c.ask(t, fmt.Sprintf("The client %s of %s will be gone and get no tokens any more. Delete it?", who, title(env))); err != nil {
			return err
		}
		if err := a.M2M.Delete(ctx, env, c.ClientID); err != nil {
			return err
		}
		return c.say(t, map[string]any{"client_id": c.ClientID, "deleted": true}, "Deleted %s.", c.ClientID)
	})
}
