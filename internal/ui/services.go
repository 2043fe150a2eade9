package ui

import "net/http"

// ServicesPath is where the official browser SDK looks for its frame below the
// address it is given.
const ServicesPath = "/clientside-services/index.html"

// servicesPolicy is that of a page without looks that calls nobody. Any page
// may embed it.
const servicesPolicy = "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// Services serves GET /clientside-services/index.html, the unseen frame in
// which the official SDK's pre-built login has phone numbers read. It may be
// embedded anywhere, since there is nothing to see, to press or to learn: it
// reads numbers that the page around it hands over, without asking the server,
// and stores nothing.
func (u *UI) Services() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		secureHeaders(h)
		h.Set("Content-Security-Policy", servicesPolicy)
		h.Del("X-Frame-Options")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Cache-Control", "no-cache")
		u.files().pages["services"].serve(w, r)
	})
}
