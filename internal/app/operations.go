package app

import (
	"io"
	"net/http"

	"gatehouse/internal/wire"
)

// operations are the routes for those who run the server.
func (a *App) operations() []wire.Endpoint {
	return []wire.Endpoint{
		wire.Raw(http.MethodGet, "/healthz", wire.Open, http.HandlerFunc(a.healthz)),
		wire.Raw(http.MethodGet, "/readyz", wire.Open, http.HandlerFunc(a.readyz)),
		wire.Raw(http.MethodGet, "/metrics", wire.Open, a.servedMetrics()),
		wire.Raw(http.MethodPost, "/sdk/v1/events", wire.Open, http.HandlerFunc(a.sdkEvents)),
	}
}

func (a *App) healthz(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") }

func (a *App) readyz(w http.ResponseWriter, r *http.Request) {
	if a.leaving.Load() {
		plain(w, http.StatusServiceUnavailable, "stopping\n")
		return
	}
	if err := a.DB.Ping(r.Context()); err != nil {
		a.Logger.Error("not ready", "error", err)
		plain(w, http.StatusServiceUnavailable, "the database does not answer\n")
		return
	}
	plain(w, http.StatusOK, "ready\n")
}

// sdkEvents takes the telemetry that client SDKs send about themselves. It is
// read and dropped: nothing here depends on it, and its sender is nobody in
// particular.
func (a *App) sdkEvents(w http.ResponseWriter, r *http.Request) {
	const limit = 1 << 20
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, limit)); err != nil {
		plain(w, http.StatusRequestEntityTooLarge, "too many events at once\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"data":{}}`) // the sender has gone if this fails
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the reader has gone if this fails
}
