package m2m

import (
	"context"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
)

var (
	errRotating    = apierr.New(400, "m2m_client_already_rotating_secret", "The client has a next secret already. Finish the rotation, or cancel it, before starting another one.")
	errNotRotating = apierr.New(400, "m2m_client_not_rotating_secret", "The client has no next secret. Start a rotation first.")
)

// StartRotation gives a client a second secret, and returns it this once. From
// now on both are good.
func (s *Service) StartRotation(ctx context.Context, env *project.Environment, clientID string) (*Client, string, error) {
	next := secret.Token()
	c, err := s.change(ctx, env, clientID, "rotate_start", func(c *Client) (err error) {
		if c.rotating() {
			return errRotating
		}
		ends := lastFour(next)
		c.NextClientSecretLastFour = &ends
		c.nextSealed, err = sealSecret(s.Keyring, env.ID, c.ClientID, next)
		return err
	})
	return c, next, err
}

// CancelRotation takes the second secret away. The first one stays good.
func (s *Service) CancelRotation(ctx context.Context, env *project.Environment, clientID string) (*Client, error) {
	return s.change(ctx, env, clientID, "rotate_cancel", func(c *Client) error {
		if !c.rotating() {
			return errNotRotating
		}
		c.nextSealed, c.NextClientSecretLastFour = nil, nil
		return nil
	})
}

// Rotate puts the second secret in place of the first one, which is good no
// more.
func (s *Service) Rotate(ctx context.Context, env *project.Environment, clientID string) (*Client, error) {
	return s.change(ctx, env, clientID, "rotate", func(c *Client) error {
		if !c.rotating() {
			return errNotRotating
		}
		c.sealed, c.ClientSecretLastFour = c.nextSealed, *c.NextClientSecretLastFour
		c.nextSealed, c.NextClientSecretLastFour = nil, nil
		return nil
	})
}
