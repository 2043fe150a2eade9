package app

import (
	"slices"

	"gatehouse/internal/wire"
)

// routes lists every feature by name. A new one adds its line here.
func (a *App) routes() []wire.Endpoint {
	return slices.Concat(
		a.Projects.Endpoints(),
		a.Users.Endpoints(),
		a.Sessions.Endpoints(),
		a.WebAuthn.Endpoints(),
		a.MagicLinks.Endpoints(),
		a.Passcodes.Endpoints(),
		a.Passwords.Endpoints(),
		a.TOTPs.Endpoints(),
		a.Biometrics.Endpoints(),
		a.Wallets.Endpoints(),
		a.TrustedTokens.Endpoints(),
		a.Migration.Endpoints(),
		a.OAuth.Endpoints(),
		a.oauthPages(),
		a.M2M.Endpoints(),
		a.Impersonation.Endpoints(),
		a.hop(),
		a.account().Endpoints(),
		a.Mailbox.Endpoints(),
		a.operations(),
		a.reference(),
	)
}
