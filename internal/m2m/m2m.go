// Package m2m owns the clients that are machines: their table (m2m_clients),
// their secrets and how these are changed while callers use them, and the token
// endpoint at which a client gets an access token for its secret (RFC 6749,
// section 4.4). It never keeps a secret, only a sealed hash; it never signs a
// token itself, which the session core does; and it never touches users or
// sessions.
package m2m

import (
	"context"
	"time"

	"gatehouse/internal/event"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Config is what a Service needs.
type Config struct {
	DB       *store.DB
	Keyring  *secret.Keyring
	Projects *project.Service
	// Sign makes a JWT of an environment; the claims lack only iss.
	Sign func(ctx context.Context, env *project.Environment, claims map[string]any) (string, error)
	Now  func() time.Time
	// Oversized is told of a token that was signed without the claims of the
	// template, because they are too large for its client.
	Oversized func(env *project.Environment, clientID string)
}

// Service looks after clients and gives them tokens.
type Service struct {
	Config
	guesses *ratelimit.Local
	nobody  []byte // a sealed hash that no secret has, for clients who do not exist
}

// New returns the service. Without a keyring, which commands beside a server may
// lack, it does what needs none: it gets and deletes clients, and lists them as
// far as one page goes, since the cursor to the next is stamped.
func New(c Config) (*Service, error) {
	if c.Keyring == nil {
		return &Service{Config: c}, nil
	}
	nobody, err := sealSecret(c.Keyring, "", "", secret.Token())
	if err != nil {
		return nil, err
	}
	return &Service{Config: c, guesses: ratelimit.NewLocal(c.Now), nobody: nobody}, nil
}

// The statuses of a client.
const (
	Active   = "active"
	Inactive = "inactive"
)

// Client is a machine that may ask for access tokens, as the contract shows it.
type Client struct {
	ClientID                 string        `json:"client_id" required:"true" example:"m2m-client-test-d731954d-dab3-4a2b-bdee-07f3ad1be885"`
	ClientName               string        `json:"client_name" required:"true" example:"Billing"`
	ClientDescription        string        `json:"client_description" required:"true"`
	Status                   string        `json:"status" required:"true" enum:"active,inactive" description:"An inactive client gets no tokens."`
	Scopes                   []string      `json:"scopes" required:"true" description:"What the client may ask for." example:"[\"read:users\"]"`
	ClientSecretLastFour     string        `json:"client_secret_last_four" required:"true" description:"The end of the secret, to tell it from others."`
	TrustedMetadata          user.Metadata `json:"trusted_metadata" required:"true"`
	NextClientSecretLastFour *string       `json:"next_client_secret_last_four" description:"The end of the secret that will take its place; null when none will."`

	sealed, nextSealed []byte
}

// rotating reports whether a second secret is there to take the first one's place.
func (c *Client) rotating() bool { return c.nextSealed != nil }

// emit writes an event about a client. Who caused it is the caller of the
// transaction; commands have none.
func emit(tx *store.Tx, env *project.Environment, what, clientID string, details map[string]any) error {
	e := event.Event{EnvironmentID: env.ID, Type: "m2m_client." + what, ObjectID: clientID, Details: details}
	if caller := project.CallerFrom(tx.Context()); caller != nil {
		e.UserAgent, e.RequestID = caller.UserAgent, caller.RequestID
	}
	return event.Emit(tx, env.Kind, e)
}
