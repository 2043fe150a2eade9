package app

import (
	"bytes"
	"net/http"
	"sync"
	"time"

	"gatehouse/internal/ui"
	"gatehouse/internal/wire"
)

// reference are the routes by which the API describes itself, without the
// network: the OpenAPI document and the page that shows it. The frame of the
// browser SDK comes from the same files.
func (a *App) reference() []wire.Endpoint {
	describe := sync.OnceValues(func() ([]byte, error) {
		return wire.OpenAPI(wire.Info{
			Title: "Gatehouse", Version: Version, Description: "Self-hosted consumer authentication, passkeys first.",
		}, a.Server.Endpoints())
	})
	return []wire.Endpoint{
		wire.Raw(http.MethodGet, "/openapi.json", wire.Open, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			doc, err := describe()
			if err != nil {
				wire.Fail(w, r, err)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-cache")
			http.ServeContent(w, r, "openapi.json", time.Time{}, bytes.NewReader(doc))
		})),
		wire.Raw(http.MethodGet, "/reference", wire.Open, a.Pages.Reference()),
		wire.Raw(http.MethodGet, ui.ServicesPath, wire.Open, a.Pages.Services()),
		wire.Raw(http.MethodGet, ui.Prefix+"*", wire.Open, a.Pages.Assets()),
	}
}
