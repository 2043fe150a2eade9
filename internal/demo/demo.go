// Package demo owns the backend of the demo app: a customer's app in miniature, served by `gatehouse dev` under
// /demo/api/. It does what a customer's backend does and nothing more: it calls /v1 over HTTP with the project's
// secret, and checks session JWTs against the published keys. It never imports a domain package, never opens
// the database, and keeps no state but a signed cookie in the browser. The page in front of it is package ui's.
package demo

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Prefix is where the Demo must be mounted, with everything below it.
const Prefix = "/demo/api/"

// Config says which project the demo is a customer of.
type Config struct {
	BaseURL     func() string // of the API, no slash at the end; asked on every call, since the port may be chosen late
	ProjectID   string
	Secret      string
	PublicToken string
	Now         func() time.Time
	Client      *http.Client // calls BaseURL; nil means one with a timeout of ten seconds
}

// Demo is the backend, an http.Handler for everything under Prefix:
//
//	GET  /demo/api/config           what the page needs to know: the public token and the passkeys' domain
//	POST /demo/api/register/start   {email} -> {options}: a new user, and the options to create their passkey
//	POST /demo/api/register/finish  {credential} -> {session_token, session_jwt, session, user}
//	GET  /demo/api/session          checks the session in the cookies -> {jwt, session, user, verified_at}
//	GET  /demo/api/passkeys         the passkeys the signed-in person may still use -> {rp_id, user_id, passkeys}
//
// Errors are {status_code, error_type, error_message}, as on the API. Every answer also holds "calls": the calls
// to the API it took, for the page to show.
type Demo struct {
	config  Config
	key     []byte // signs the sign-up cookie
	jwks    keyCache
	handler http.Handler
}

// New makes the demo's backend.
func New(c Config) *Demo {
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 10 * time.Second}
	}
	d := &Demo{config: c, key: signUpKey(c.Secret)}
	mux := http.NewServeMux()
	mux.Handle("GET "+Prefix+"config", d.endpoint(d.page))
	mux.Handle("POST "+Prefix+"register/start", d.endpoint(d.startRegistration))
	mux.Handle("POST "+Prefix+"register/finish", d.endpoint(d.finishRegistration))
	mux.Handle("GET "+Prefix+"session", d.endpoint(d.checkSession))
	mux.Handle("GET "+Prefix+"passkeys", d.endpoint(d.listPasskeys))
	mux.Handle(Prefix, d.endpoint(func(*request) (map[string]any, error) {
		return nil, failure{404, "route_not_found", "The demo's backend has no such address."}
	}))
	// A page elsewhere must not make this browser start a registration or take over a sign-up.
	d.handler = http.NewCrossOriginProtection().Handler(mux)
	return d
}

// ServeHTTP serves the routes listed at Demo.
func (d *Demo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rebound(r) {
		http.Error(w, "The demo is opened as localhost, or through a proxy.", http.StatusForbidden)
		return
	}
	d.handler.ServeHTTP(w, r)
}

// rebound tells a request that a browser was tricked into: sent to this machine directly, yet under a name that
// somebody else's DNS made point here. Tunnels have names of their own too, but say that they pass a request on.
func rebound(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	_, err := netip.ParseAddr(host)
	own := err == nil || host == "localhost" || strings.HasSuffix(host, ".localhost")
	return !own && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == ""
}

// request is one call of the page, and what answering it needs.
type request struct {
	*http.Request
	api     *api
	cookies []*http.Cookie // to set with the answer
}

// read decodes the JSON body into v.
func (r *request) read(v any) error {
	if err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(v); err != nil {
		return failure{400, "bad_request", "The request could not be read."}
	}
	return nil
}

// domain is the page's own host name, which its passkeys belong to. "" when passkeys cannot work there.
func (r *request) domain() string {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return ""
	}
	return host
}

// failure is an error the page may show.
type failure struct {
	Status  int    `json:"status_code"`
	Type    string `json:"error_type"`
	Message string `json:"error_message"`
}

func (f failure) Error() string { return f.Type + ": " + f.Message }

// endpoint turns a function from request to answer into a handler.
func (d *Demo) endpoint(f func(*request) (map[string]any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := &request{Request: r, api: &api{config: &d.config, ctx: r.Context()}}
		status := http.StatusOK
		answer, err := f(req)
		if err != nil {
			fail := failure{502, "api_unreachable", "The demo's backend could not reach the API. Check that the server is running, then try again."}
			errors.As(err, &fail)
			status = fail.Status
			answer = map[string]any{"status_code": fail.Status, "error_type": fail.Type, "error_message": fail.Message}
		}
		answer["calls"] = req.api.calls
		for _, c := range req.cookies {
			http.SetCookie(w, c)
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer) // fails only when the page has gone
	})
}

// page tells what the page needs before anything else. Nothing here is secret: a public token is made to be
// in pages.
func (d *Demo) page(r *request) (map[string]any, error) {
	return map[string]any{
		"project_id":   d.config.ProjectID,
		"public_token": d.config.PublicToken,
		"base_url":     d.config.BaseURL(),
		"domain":       r.domain(),
	}, nil
}
