package app

import (
	"gatehouse/internal/bulk"
	"gatehouse/internal/user"
)

// Bulk returns what imports and exports users. Its users have all hooks but
// those that mail people: an import is nothing that happened to them.
func (a *App) Bulk() *bulk.Service {
	users := user.New(a.DB, a.Keyring, a.Sessions.Hooks(), a.WebAuthn.Hooks(), a.Links.Hooks(), a.Passcodes.Hooks(), a.Passwords.Hooks(),
		a.TOTPs.Hooks(), a.Biometrics.Hooks(), a.Wallets.Hooks())
	return bulk.New(bulk.Config{
		DB: a.DB, Users: users, Passwords: a.Passwords, Clients: a.M2M,
		Keepers: map[string]bulk.Keeper{user.KindWebAuthn: a.WebAuthn, user.KindWallet: a.Wallets, user.KindBiometric: a.Biometrics},
	})
}
