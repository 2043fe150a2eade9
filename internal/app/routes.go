package app

import (
	"slices"

	"gatehouse/internal/wire"
)

// routes lists every feature by name. A new one adds its line here.
func (a *App) routes() []wire.Endpoint {
	list := slices.Concat(
		a.Projects.Endpoints(),
		a.Users.Endpoints(),
		a.Sessions.Endpoints(),
		a.WebAuthn.Endpoints(),
		a.account().Endpoints(),
		a.operations(),
	)
	if a.options.Extra != nil {
		list = append(list, a.options.Extra(a)...)
	}
	return list
}
