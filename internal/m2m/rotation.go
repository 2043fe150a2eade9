package m2m

import (
	"context"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
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

// resealed is how many clients one transaction looks at.
const resealed = 500

// Reseal seals what an older master key has sealed under the first one, so that
// the older key can go. It needs no secret for that. It returns how many clients
// it has written.
func (s *Service) Reseal(ctx context.Context) (n int, err error) {
	for at := (place{}); ; {
		var older []credentials
		err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
			older, at, err = sealedAfter(tx, at, resealed, s.Keyring.SealedWithFirst)
			return err
		})
		if err != nil {
			return n, err
		}
		for i := range older {
			if err := s.reseal(ctx, &older[i]); err != nil {
				return n, err
			}
			n++
		}
		if at.clientID == "" {
			return n, nil
		}
	}
}

func (s *Service) reseal(ctx context.Context, old *credentials) error {
	fresh := *old
	for _, sealed := range []*[]byte{&fresh.sealed, &fresh.nextSealed} {
		if *sealed == nil || s.Keyring.SealedWithFirst(*sealed) {
			continue
		}
		hash, err := s.Keyring.Open(secretPurpose, old.environmentID, *sealed)
		if err != nil {
			return err
		}
		if *sealed, err = s.Keyring.Seal(secretPurpose, old.environmentID, hash); err != nil {
			return err
		}
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error { return replaceSealed(tx, old, &fresh) })
}
