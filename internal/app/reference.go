package app

import (
	"net/http"
	"sync"

	"gatehouse/internal/ui"
	"gatehouse/internal/wire"
)

// reference are the routes that describe the API: the document made from the
// declarations, and the page that shows it.
func (a *App) reference() []wire.Endpoint {
	pages := ui.New()
	document := sync.OnceValues(func() ([]byte, error) {
		return wire.OpenAPI(wire.Info{
			Title: "Gatehouse", Version: a.options.Version,
			Description: "Consumer authentication: users, sessions, passkeys.",
			ServerURL:   a.PublicURL(),
		}, a.Server.Endpoints())
	})
	return []wire.Endpoint{
		wire.Raw(http.MethodGet, "/openapi.json", wire.Open, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := document()
			if err != nil {
				wire.Fail(w, r, err)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Cache-Control", "no-cache")
			_, _ = w.Write(body) // the reader has gone if this fails
		})),
		wire.Raw(http.MethodGet, "/reference", wire.Open, pages.Reference()),
		wire.Raw(http.MethodGet, ui.Prefix+"*", wire.Open, pages.Assets()),
	}
}
