package ui

import "net/http"

// ServicesPath is where the official browser SDK looks for its frame below the
// address it is given.
const ServicesPath = "/clientside-services/index.html"

// servicesPolicy is that of a page without looks that calls this server and
// nobody else, Google least of all. Any page may embed it.
const servicesPolicy = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// Services serves GET /clientside-services/index.html, the unseen frame in
// which the official SDK has phone numbers read and signs in with Google One
// Tap. It may be embedded anywhere, since there is nothing to see, to press or
// to learn: it reads numbers that the page around it hands over, and hands what
// Google has given that page on to the server, with the page's origin.
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
