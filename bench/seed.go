package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/config"
	"gatehouse/internal/factor/webauthn/virtualkey"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// target is a running server with its data, as the load sees it.
type target struct {
	*process
	serve     func() error // starts the server
	admin     *app.App
	env       *project.Environment
	basic     string // credentials of the backend API
	people    []*person
	filled    int     // users who are there to be in the way
	perSecond float64 // users written per second while seeding
}

// person is a user with a passkey and a session.
type person struct {
	userID, email, token string
	key                  *virtualkey.Authenticator
}

var page = virtualkey.Page{Origin: "http://localhost:3000"}

// openTarget makes a database with users, starts a server on it, and gives
// some of the users a passkey and a session through the API.
func openTarget(ctx context.Context, dir, binary, databaseURL string, users, busy int) (*target, error) {
	t := &target{}
	masterKey := secret.NewMasterKey()
	var err error
	t.admin, err = app.Open(ctx, app.Options{
		Database: config.Database{DatabaseURL: databaseURL, MasterKey: masterKey},
		Server:   config.Server{PublicURL: "http://localhost"},
	})
	if err != nil {
		return nil, err
	}
	if t.env, _, err = t.admin.Projects.CreateProject(ctx, "Bench"); err != nil {
		return nil, err
	}
	_, value, err := t.admin.Projects.CreateSecret(ctx, t.env.ID)
	if err != nil {
		return nil, err
	}
	t.basic = base64.StdEncoding.EncodeToString([]byte(t.env.ID + ":" + value))
	if err := t.fill(ctx, users-busy); err != nil {
		return nil, err
	}
	t.serve = func() error {
		address, err := freeAddress()
		if err != nil {
			return err
		}
		t.process, err = start(ctx, dir, "http://"+address+"/readyz", true,
			[]string{"GATEHOUSE_MASTER_KEY=" + masterKey, "GATEHOUSE_DATABASE_URL=" + databaseURL, "GATEHOUSE_PUBLIC_URL=http://localhost", "GATEHOUSE_LOG_LEVEL=warn", "GATEHOUSE_BREACH_SOURCE=off", "GATEHOUSE_OUTBOUND_ALLOW=127.0.0.1"},
			binary, "serve", "--listen", address)
		if err == nil {
			t.address = address
		}
		return err
	}
	if err := t.serve(); err != nil {
		return nil, err
	}
	return t, t.enroll(busy)
}

// restart gives the server a memory in which nothing has happened yet.
func (t *target) restart() error {
	t.stop()
	return t.serve()
}

func (t *target) close() error {
	t.stop()
	return t.admin.Close()
}

// fill writes users, each with an address, a name and a session. These rows
// are there to be in the way, so the sessions' tokens open nothing.
func (t *target) fill(ctx context.Context, users int) error {
	const batch = 1000
	t.filled = users
	begin := time.Now()
	for from := 0; from < users; from += batch {
		err := t.admin.DB.Update(ctx, func(tx *store.Tx) error {
			for i := from; i < min(from+batch, users); i++ {
				first, last := fmt.Sprintf("First%06d", i), fmt.Sprintf("Last%06d", i)
				row, err := t.admin.Users.Create(tx, t.env, user.NewUser{
					Email:   filledAddress(i),
					Changes: user.Changes{Name: &user.NameChange{FirstName: &first, LastName: &last}},
				})
				if err != nil {
					return err
				}
				if err := fillSession(tx, t.env.ID, row.UserID); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	t.perSecond = float64(users) / time.Since(begin).Seconds()
	return nil
}

// filledAddress is the address of the user that fill wrote as number i.
func filledAddress(i int) string { return fmt.Sprintf("person%06d@mail%03d.example.com", i, i%500) }

func fillSession(tx *store.Tx, envID, userID string) error {
	filler := make([]byte, 120)
	_, _ = rand.Read(filler) // never fails
	now := store.Millis(tx.Now)
	_, err := tx.Exec(`INSERT INTO sessions (environment_id, id, user_id, token_hash, token_sealed, version, factors, attributes, custom_claims, started_at, last_accessed_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, 1, '[]', '{}', 'null', $6, $6, $7)`,
		envID, id.New(id.Session, id.Test, tx.Now), userID, filler[:32], filler, now, now+int64(24*time.Hour/time.Millisecond))
	return err
}

// enroll gives people a passkey and a session.
func (t *target) enroll(n int) error {
	c, err := dial(t.address)
	if err != nil {
		return err
	}
	defer func() { _ = c.conn.Close() }() // everything has been answered
	for i := range n {
		p := &person{email: fmt.Sprintf("busy%06d@example.com", i), key: virtualkey.New()}
		var created struct {
			UserID string `json:"user_id"`
		}
		if err := t.call(c, "/v1/users", map[string]any{"email": p.email, "name": map[string]string{"first_name": "Busy", "last_name": "Person"}}, &created); err != nil {
			return err
		}
		p.userID = created.UserID
		var options struct {
			Text string `json:"public_key_credential_creation_options"`
		}
		if err := t.call(c, "/v1/webauthn/register/start", map[string]any{"user_id": p.userID, "domain": "localhost", "return_passkey_credential_options": true, "use_base64_url_encoding": true}, &options); err != nil {
			return err
		}
		credential, err := p.key.Create(page, options.Text)
		if err != nil {
			return err
		}
		var registered struct {
			Token string `json:"session_token"`
		}
		if err := t.call(c, "/v1/webauthn/register", map[string]any{"user_id": p.userID, "public_key_credential": credential.JSON(virtualkey.Base64URL), "session_duration_minutes": 1440}, &registered); err != nil {
			return err
		}
		p.token = registered.Token
		t.people = append(t.people, p)
	}
	return nil
}

func (t *target) call(c *connection, path string, body, out any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	status, answer, err := c.do(request("POST", path, t.basic, string(text)))
	if err != nil {
		return err
	}
	if status != 200 {
		return fmt.Errorf("%s answered %d: %s", path, status, answer)
	}
	return json.Unmarshal(answer, out)
}

// configure changes settings and waits until the server has seen them.
func (t *target) configure(ctx context.Context, settings map[string]string) error {
	err := t.admin.Projects.ChangeConfig(ctx, t.env.ID, func(_ id.Env, c *project.Config) error {
		for path, value := range settings {
			if err := c.Set(path, value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	// The server polls four times a second.
	time.Sleep(time.Second)
	return nil
}
