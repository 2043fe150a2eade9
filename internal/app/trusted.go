package app

import (
	"time"

	"gatehouse/internal/factor/migration"
	"gatehouse/internal/factor/trusted"
	"gatehouse/internal/jwks"
	"gatehouse/internal/outbound"
)

// newTrusted makes the ways to sign in by what another product says: its
// tokens, and its sessions. A redirect is no answer to either question.
func (a *App) newTrusted() error {
	private, err := a.options.Server.Outbound()
	if err != nil {
		return err
	}
	client := outbound.New(outbound.Policy{AllowPrivate: private, AllowHTTP: len(private) > 0, Timeout: 5 * time.Second, MaxBody: 256 << 10})
	a.TrustedTokens = trusted.New(a.DB, a.Users, a.Sessions, jwks.New(client, a.options.Now))
	a.Migration = migration.New(a.Sessions, client)
	return nil
}
