package m2m

import (
	"crypto/sha256"
	"crypto/subtle"

	"gatehouse/internal/secret"
)

const secretPurpose = "m2m client secret"

// hashSecret is the hash of a client's secret. The client is in it, so that a
// row of the table cannot lend its secret to another one.
func hashSecret(clientID, value string) []byte { return secret.Hash(clientID + "\x00" + value) }

// sealSecret makes what is kept of a secret: the hash, sealed under the master
// key. A copy of the database alone is nothing to guess at, however weak a
// secret is that somebody brought along.
func sealSecret(k *secret.Keyring, envID, clientID, value string) ([]byte, error) {
	return k.Seal(secretPurpose, envID, hashSecret(clientID, value))
}

// kept is what is kept of a secret, and for which environment it was sealed.
type kept struct {
	environmentID string
	sealed        []byte
}

// matches compares a hash with what is kept, in constant time. A hash whose
// master key is gone is an error and no answer.
func (s *Service) matches(k kept, hash []byte) (bool, error) {
	opened, err := s.Keyring.Open(secretPurpose, k.environmentID, k.sealed)
	if err != nil {
		return false, err
	}
	return len(opened) == sha256.Size && subtle.ConstantTimeCompare(opened, hash) == 1, nil
}

// holds reports whether value is a secret of a client, whose row may be nil: one
// that does not exist costs as much as one whose secret is another.
func (s *Service) holds(c *credentials, clientID, value string) (bool, error) {
	hash := hashSecret(clientID, value)
	nobody := kept{"", s.nobody}
	list := [2]kept{nobody, nobody}
	if c != nil {
		list[0] = kept{c.environmentID, c.sealed}
		if c.nextSealed != nil {
			list[1] = kept{c.environmentID, c.nextSealed}
		}
	}
	for _, k := range list {
		if ok, err := s.matches(k, hash); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
