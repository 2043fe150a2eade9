package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/project"
	"gatehouse/internal/user"
)

type userCommands struct {
	Get    userGet    `cmd:"" help:"Show a user."`
	Search userSearch `cmd:"" help:"Find users."`
	Unlock userUnlock `cmd:"" help:"End a user's lock and forget the failed attempts."`
	Delete userDelete `cmd:"" help:"Delete a user with all factors and sessions."`
}

// oneUser is a user of an environment.
type oneUser struct {
	target
	UserID string `arg:"" help:"user_id, or your own external id."`
}

type userGet struct{ oneUser }

// Run shows a user.
func (c *userGet) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		row, err := a.Users.Get(ctx, env, c.UserID)
		if err != nil {
			return err
		}
		if c.JSON {
			return t.json(row.JSON)
		}
		u, err := row.User()
		if err != nil {
			return err
		}
		return t.table(userFacts(u, row))
	})
}

func userFacts(u *user.User, row *user.Row) *rows {
	r := &rows{}
	r.add("user_id", u.UserID)
	if u.ExternalID != nil {
		r.add("external_id", *u.ExternalID)
	}
	if name := fullName(u); name != "" {
		r.add("name", name)
	}
	r.add("status", u.Status)
	r.add("created", when(time.Time(u.CreatedAt)))
	if u.LockExpiresAt != nil {
		r.add("locked until", when(time.Time(*u.LockExpiresAt)))
	}
	if row.FailedAttempts > 0 {
		r.add("failed attempts", fmt.Sprint(row.FailedAttempts))
	}
	for _, e := range u.Emails {
		r.add("email", e.Email+unverified(e.Verified))
	}
	for _, p := range u.PhoneNumbers {
		r.add("phone", p.PhoneNumber+unverified(p.Verified))
	}
	for _, w := range u.WebAuthnRegistrations {
		r.add("passkey", strings.TrimSpace(fmt.Sprintf("%s on %s%s", w.Name, w.Domain, unverified(w.Verified))))
	}
	for _, p := range u.Providers {
		r.add("provider", p.ProviderType)
	}
	for _, f := range []struct {
		name string
		n    int
	}{{"authenticator apps", len(u.TOTPs)}, {"crypto wallets", len(u.CryptoWallets)}, {"biometrics", len(u.BiometricRegistrations)}} {
		if f.n > 0 {
			r.add(f.name, fmt.Sprint(f.n))
		}
	}
	if u.Password != nil {
		r.add("password", "yes")
	}
	if len(u.Roles) > 0 {
		r.add("roles", strings.Join(u.Roles, ", "))
	}
	return r
}

func fullName(u *user.User) string {
	return strings.Join(strings.Fields(u.Name.FirstName+" "+u.Name.MiddleName+" "+u.Name.LastName), " ")
}

func unverified(verified bool) string {
	if verified {
		return ""
	}
	return " (not verified)"
}

type userSearch struct {
	target
	Email  string `placeholder:"TEXT" help:"Beginning of an e-mail address, or a whole one; 3 characters at least."`
	Name   string `placeholder:"TEXT" help:"Beginning of a name; 3 characters at least."`
	Phone  string `placeholder:"DIGITS" help:"Part of a phone number; 3 digits at least."`
	Status string `placeholder:"STATUS" help:"active or pending."`
	Query  string `placeholder:"JSON" help:"Any query of the API: {\"operator\": ..., \"operands\": [...]}."`
	Limit  int    `default:"100" help:"Users to show: 1 to 1000."`
	Cursor string `placeholder:"CURSOR" help:"Go on where the last page ended."`
}

func (c *userSearch) query() (user.Query, error) {
	var q user.Query
	if c.Query != "" {
		if err := json.Unmarshal([]byte(c.Query), &q); err != nil {
			return q, fmt.Errorf("--query is not a query in JSON: %w", err)
		}
	}
	for _, f := range []struct{ filter, value string }{
		{"email_address_fuzzy", c.Email}, {"full_name_fuzzy", c.Name}, {"phone_number_fuzzy", c.Phone}, {"status", c.Status},
	} {
		if f.value == "" {
			continue
		}
		if q.Operator == "OR" {
			return q, usagef("--query with the operator OR does not go with further filters: put them into the query")
		}
		operand, err := user.Filter(f.filter, f.value)
		if err != nil {
			return q, err
		}
		q.Operands = append(q.Operands, operand)
	}
	return q, nil
}

// Run finds users.
func (c *userSearch) Run(t *Terminal) error {
	query, err := c.query()
	if err != nil {
		return err
	}
	return c.onSealed(func(ctx context.Context, a *app.App, env *project.Environment) error {
		page, err := a.Users.Search(ctx, env, user.Search{Query: query, Cursor: c.Cursor, Limit: c.Limit})
		if err != nil {
			return err
		}
		if c.JSON {
			return t.json(map[string]any{"results": page.Results, "total": page.Total, "next_cursor": page.NextCursor})
		}
		return t.users(page)
	})
}

func (t *Terminal) users(page *user.Page) error {
	r := &rows{header: []string{"USER_ID", "NAME", "EMAIL", "PHONE", "STATUS", "CREATED"}, empty: "No users match."}
	for _, document := range page.Results {
		var u user.User
		if err := json.Unmarshal(document, &u); err != nil {
			return err
		}
		email, phone, status := "-", "-", u.Status
		if len(u.Emails) > 0 {
			email = u.Emails[0].Email
		}
		if len(u.PhoneNumbers) > 0 {
			phone = u.PhoneNumbers[0].PhoneNumber
		}
		if u.IsLocked {
			status = "locked"
		}
		name := fullName(&u)
		if name == "" {
			name = "-"
		}
		r.add(u.UserID, name, email, phone, status, when(time.Time(u.CreatedAt)))
	}
	if err := (&output{}).print(t, nil, r); err != nil {
		return err
	}
	if page.NextCursor != "" {
		t.line("")
		t.line("There are more: the same command with --cursor %s", page.NextCursor)
	}
	return nil
}

type userUnlock struct{ oneUser }

// Run unlocks a user.
func (c *userUnlock) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		row, err := a.Users.Unlock(ctx, env, c.UserID)
		if err != nil {
			return err
		}
		return c.say(t, row.JSON, "Unlocked %s.", row.UserID)
	})
}

type userDelete struct {
	oneUser
	confirmation
}

// Run deletes a user.
func (c *userDelete) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		row, err := a.Users.Get(ctx, env, c.UserID)
		if err != nil {
			return err
		}
		u, err := row.User()
		if err != nil {
			return err
		}
		who := u.UserID
		if len(u.Emails) > 0 {
			who += " (" + u.Emails[0].Email + ")"
		}
		if err := c.ask(t, fmt.Sprintf("The user %s of %s will be gone, with every factor and session. Delete the user?", who, title(env))); err != nil {
			return err
		}
		deleted, err := a.Users.Remove(ctx, env, u.UserID)
		if err != nil {
			return err
		}
		return c.say(t, map[string]any{"user_id": deleted, "deleted": true}, "Deleted %s.", deleted)
	})
}
