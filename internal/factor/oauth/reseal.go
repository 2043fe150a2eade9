package oauth

import (
	"context"
	"errors"

	"gatehouse/internal/store"
)

// sealedCredentials are the credentials of a provider as they are kept, and
// whose they are.
type sealedCredentials struct {
	environmentID, provider string
	sealed                  []byte
}

// ResealCredentials seals the credentials of providers that an older master key
// has sealed under the first one: nothing else writes them for years, and they
// would go with the older key. It returns how many it has written. One that
// cannot be opened keeps no other from being sealed.
func (s *Service) ResealCredentials(ctx context.Context) (n int, err error) {
	var list []*sealedCredentials
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = allCredentials(tx)
		return err
	})
	if err != nil {
		return 0, err
	}
	var failed []error
	for _, c := range list {
		if s.Keyring.SealedWithFirst(c.sealed) {
			continue
		}
		if err := s.resealCredentials(ctx, c); err != nil {
			failed = append(failed, err)
			continue
		}
		n++
	}
	return n, errors.Join(failed...)
}

func (s *Service) resealCredentials(ctx context.Context, c *sealedCredentials) error {
	text, err := s.Keyring.Open(credentialsPurpose, c.environmentID, c.sealed)
	if err != nil {
		return err
	}
	fresh, err := s.Keyring.Seal(credentialsPurpose, c.environmentID, text)
	if err != nil {
		return err
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error { return replaceCredentials(tx, c, fresh) })
}
