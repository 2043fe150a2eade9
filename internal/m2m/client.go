package m2m

import (
	"bytes"
	"context"
	"encoding/json"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errNotFound  = apierr.New(404, "m2m_client_not_found", "There is no client with this client_id in the environment. `gatehouse m2m-client list` shows those there are.")
	errDuplicate = apierr.New(400, "duplicate_m2m_client_id", "There is a client with this client_id already. Choose another one, or leave it out.")
)

// NewClient is a client to be made. Without an id and a secret it gets both.
type NewClient struct {
	ClientID, ClientSecret        string
	ClientName, ClientDescription string
	Status                        string // Active when ""
	Scopes                        []string
	TrustedMetadata               json.RawMessage
}

// Create makes a client and returns it with its secret, which is not to be had
// a second time.
func (s *Service) Create(ctx context.Context, env *project.Environment, n NewClient) (c *Client, clientSecret string, err error) {
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		c, clientSecret, err = s.Add(tx, env, n)
		return err
	})
	return c, clientSecret, err
}

// Add is Create in the caller's transaction.
func (s *Service) Add(tx *store.Tx, env *project.Environment, n NewClient) (*Client, string, error) {
	c, err := n.client(env)
	if err != nil {
		return nil, "", err
	}
	value := n.ClientSecret
	if value == "" {
		value = secret.Token()
	} else if err := checkSecret(n.ClientID, n.ClientName, value); err != nil {
		return nil, "", err
	}
	if c.ClientID == "" {
		c.ClientID = id.New(id.M2MClient, env.Kind, tx.Now)
	}
	if c.sealed, err = sealSecret(s.Keyring, env.ID, c.ClientID, value); err != nil {
		return nil, "", err
	}
	c.ClientSecretLastFour = lastFour(value)
	// Looked for first: what a unique index refuses ends the transaction.
	switch _, err := read(tx, env.ID, c.ClientID, ""); {
	case err == nil:
		return nil, "", errDuplicate
	case !isNotFound(err):
		return nil, "", err
	}
	if err := insert(tx, env.ID, c); err != nil {
		return nil, "", err
	}
	return c, value, emit(tx, env, "create", c.ClientID, nil)
}

// Check says what is wrong with the client, as far as that needs no database.
func (n *NewClient) Check(env *project.Environment) error {
	if _, err := n.client(env); err != nil || n.ClientSecret == "" {
		return err
	}
	return checkSecret(n.ClientID, n.ClientName, n.ClientSecret)
}

// client checks what was asked for.
func (n *NewClient) client(env *project.Environment) (*Client, error) {
	c := &Client{ClientID: n.ClientID, ClientName: n.ClientName, ClientDescription: n.ClientDescription, Status: Active}
	if n.ClientID != "" {
		if err := checkClientID(env, n.ClientID); err != nil {
			return nil, err
		}
	}
	changes := Changes{ClientName: &n.ClientName, ClientDescription: &n.ClientDescription, Scopes: &n.Scopes, TrustedMetadata: n.TrustedMetadata}
	if n.Status != "" {
		changes.Status = &n.Status
	}
	return c, changes.apply(c)
}

// Changes is what can be changed about a client; nil leaves it as it is.
type Changes struct {
	ClientName        *string         `json:"client_name" max:"256"`
	ClientDescription *string         `json:"client_description" max:"2048"`
	Status            *string         `json:"status" enum:"active,inactive"`
	Scopes            *[]string       `json:"scopes" max:"100" description:"All that the client may ask for from now on; tokens that it has stay as they are."`
	TrustedMetadata   json.RawMessage `json:"trusted_metadata" description:"An object whose keys are set; null deletes a key."`
}

func (ch *Changes) apply(c *Client) (err error) {
	if ch.ClientName != nil {
		if err := checkName(*ch.ClientName); err != nil {
			return err
		}
		c.ClientName = *ch.ClientName
	}
	if ch.ClientDescription != nil {
		if err := checkDescription(*ch.ClientDescription); err != nil {
			return err
		}
		c.ClientDescription = *ch.ClientDescription
	}
	if ch.Status != nil {
		if *ch.Status != Active && *ch.Status != Inactive {
			return errStatus
		}
		c.Status = *ch.Status
	}
	if ch.Scopes != nil {
		if c.Scopes, err = cleanScopes(*ch.Scopes); err != nil {
			return err
		}
	}
	if c.TrustedMetadata, err = c.TrustedMetadata.Merge(ch.TrustedMetadata); c.TrustedMetadata == nil {
		c.TrustedMetadata = user.Metadata{}
	}
	return err
}

// Get returns a client.
func (s *Service) Get(ctx context.Context, env *project.Environment, clientID string) (c *Client, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		c, err = Find(tx, env, clientID)
		return err
	})
	return c, err
}

// Find is Get in the caller's transaction.
func Find(tx *store.Tx, env *project.Environment, clientID string) (*Client, error) {
	if !isClientID(clientID) {
		return nil, errNotFound
	}
	return read(tx, env.ID, clientID, "")
}

// Exists reports whether there is a client of that id.
func Exists(tx *store.Tx, env *project.Environment, clientID string) (bool, error) {
	_, err := Find(tx, env, clientID)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// Update changes a client.
func (s *Service) Update(ctx context.Context, env *project.Environment, clientID string, ch Changes) (*Client, error) {
	return s.change(ctx, env, clientID, "update", ch.apply)
}

// change changes a client in a transaction of its own and writes down what that
// was, unless it was nothing.
func (s *Service) change(ctx context.Context, env *project.Environment, clientID, what string, change func(*Client) error) (c *Client, err error) {
	if !isClientID(clientID) {
		return nil, errNotFound
	}
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		if c, err = read(tx, env.ID, clientID, tx.ForUpdate()); err != nil {
			return err
		}
		was := *c
		if err := change(c); err != nil {
			return err
		}
		changed, err := event.Changed(was, c)
		if err != nil || len(changed) == 0 && bytes.Equal(was.sealed, c.sealed) && bytes.Equal(was.nextSealed, c.nextSealed) {
			return err
		}
		if err := update(tx, env.ID, c, was.Scopes); err != nil {
			return err
		}
		return emit(tx, env, what, clientID, map[string]any{"changed": changed})
	})
	return c, err
}

// Delete removes a client. The tokens that it has stay valid until they expire.
func (s *Service) Delete(ctx context.Context, env *project.Environment, clientID string) error {
	if !isClientID(clientID) {
		return errNotFound
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		if err := remove(tx, env.ID, clientID); err != nil {
			return err
		}
		return emit(tx, env, "delete", clientID, nil)
	})
}
