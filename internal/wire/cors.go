package wire

import (
	"net/http"
	"strings"
)

// Header values that never change are shared slices: appending to one copies
// it, and net/http only reads them.
var (
	headerNoStore    = []string{noStore}
	headerNosniff    = []string{"nosniff"}
	headerJSON       = []string{"application/json"}
	headerTrue       = []string{"true"}
	headerOrigin     = []string{"Origin"}
	corsMethods      = []string{"GET, POST, PUT, DELETE, OPTIONS"}
	corsHeaders      = []string{"authorization, content-type, x-sdk-client, x-sdk-parent-host, x-stytch-oauth-type"}
	corsExposed      = []string{"x-request-id, retry-after"}
	corsMaxAge       = []string{"7200"} // two hours, the most Chromium keeps
	corsVaryOnFlight = []string{"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
)

// allowOrigin lets the page that sent the request read the answer. Any origin
// may read what its own credentials fetched; whether an origin may use the
// public token it presents is for the gate to say. Wildcards are not allowed
// together with credentials, hence the echo and the Vary.
func allowOrigin(h, request http.Header) {
	h["Vary"] = headerOrigin
	origin := request["Origin"]
	// "null" is every sandboxed frame and local file at once.
	if len(origin) != 1 || origin[0] == "" || strings.EqualFold(origin[0], "null") {
		return
	}
	h["Access-Control-Allow-Origin"] = []string{origin[0]}
	h["Access-Control-Allow-Credentials"] = headerTrue
	h["Access-Control-Expose-Headers"] = corsExposed
}

// preflight answers OPTIONS for every path behind the browser's door, known
// or not: browsers send it without credentials, so there is nothing to check,
// and the call that follows gets the real verdict.
func preflight(w http.ResponseWriter) {
	h := w.Header()
	if h["Access-Control-Allow-Origin"] != nil {
		delete(h, "Access-Control-Expose-Headers")
		h["Access-Control-Allow-Methods"] = corsMethods
		h["Access-Control-Allow-Headers"] = corsHeaders
		h["Access-Control-Max-Age"] = corsMaxAge
	}
	h["Vary"] = corsVaryOnFlight
	delete(h, "Cache-Control")
	w.WriteHeader(http.StatusNoContent)
}
