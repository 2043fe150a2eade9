// Package bulk owns bringing users and machine-to-machine clients in from files,
// and taking users out again: the documented format, what other products export,
// the steps in which a file of any size is imported, and how far each import has
// come (table imports). It never writes a user, a password, a key or a client but
// through the packages that own them, never verifies a hash, and never keeps more
// of a file than a step of it.
package bulk

import (
	"encoding/json"

	"gatehouse/internal/factor/password"
	"gatehouse/internal/m2m"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Config is what a Service needs.
type Config struct {
	DB *store.DB
	// Users without the hooks that tell people of changes: an import is not
	// something that happened to them.
	Users     *user.Service
	Passwords *password.Service
	// Keepers are the owners of public keys, by the kind of factor.
	Keepers map[string]Keeper
	Clients *m2m.Service
}

// Keeper is the owner of what a factor needs beside the user's document, such as
// the public key of a passkey.
type Keeper interface {
	// KeysOf returns what is kept for the factors of a user, by their ids.
	KeysOf(tx *store.Tx, env *project.Environment, userID string) (map[string]json.RawMessage, error)
	// RestoreKey keeps what KeysOf returned for a factor. The user's document has
	// to list the factor in the same transaction.
	RestoreKey(tx *store.Tx, env *project.Environment, userID, factorID string, key json.RawMessage) error
}

// Service imports and exports users.
type Service struct{ Config }

// New returns the service.
func New(c Config) *Service { return &Service{c} }
