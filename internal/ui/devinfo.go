package ui

import (
	"encoding/json"
	"net/http"

	"gatehouse/internal/wire"
)

// Info is what the start page tells about the running server. It carries the project's secret, so it is shown
// only by DevInfo.
type Info struct {
	Version     string `json:"version"`      // "v0.1.0", or "devel" for a build without one
	Engine      string `json:"engine"`       // "SQLite" or "PostgreSQL"
	Data        string `json:"data"`         // the data folder as the developer named it: ".gatehouse"
	BaseURL     string `json:"base_url"`     // "http://localhost:8080", no slash at the end
	Environment string `json:"environment"`  // "test" or "live"
	ProjectName string `json:"project_name"` // "" when it has none
	ProjectID   string `json:"project_id"`
	Secret      string `json:"secret"`
	PublicToken string `json:"public_token"`
}

// DevInfo serves GET /dev/info.json, what the start page shows. Mount it in `gatehouse dev` only.
//
// The answer holds a secret, so it goes only to a page of this server on this machine:
//   - the connection comes from a loopback address and no proxy or tunnel stands in front;
//   - the Host is a loopback name, so a foreign name that was rebound to 127.0.0.1 reads nothing;
//   - the browser says the request is the same origin's (or the address was typed), and there is no CORS.
func DevInfo(info func() Info) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if guarded(w, r, "dev_info_is_local", "The credentials are shown only to the start page, opened as localhost on the machine that runs Gatehouse.") {
			writeJSON(w, info())
		}
	})
}

// guarded prepares a JSON answer that holds secrets, and refuses whoever may not read it.
func guarded(w http.ResponseWriter, r *http.Request, errorType, message string) bool {
	secureHeaders(w.Header())
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Add("Vary", "Sec-Fetch-Site")
	if wire.FromThisMachine(r) && fromThisOrigin(r) {
		return true
	}
	w.WriteHeader(http.StatusForbidden)
	writeJSON(w, map[string]any{"status_code": http.StatusForbidden, "error_type": errorType, "error_message": message})
	return false
}

// writeJSON cannot fail but by the client having gone, and then nobody is left to tell.
func writeJSON(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

// fromThisOrigin trusts the browser's own word on who asks. A client that says nothing is not a browser (or an
// old one, which cannot read a foreign answer without CORS).
func fromThisOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return r.Header.Get("Origin") == "" || r.Header.Get("Origin") == "http://"+r.Host || r.Header.Get("Origin") == "https://"+r.Host
	}
	return false
}
