package wire

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
)

// Config is what a server needs from the composition root. Now is required;
// a gate is required for every kind of caller that an endpoint names, except
// Open, where it is optional.
type Config struct {
	Gates  map[Auth]Gate
	Logger *slog.Logger // nil: no log
	// TrustedProxies may say who the client is, see clientIP.
	TrustedProxies []netip.Prefix
	Now            func() time.Time
	// Observe is called once per request, for metrics.
	Observe func(Observation)
	// Limited is called when a request is refused for now (429), or by a rule that
	// the error's details name. ctx is the handler's; of a refusal by the gate it
	// is the one before the gate.
	Limited func(ctx context.Context, e *apierr.Error)
	// Trace is called when a route is known; the context it returns is the
	// handler's, and the function is called with the outcome.
	Trace func(ctx context.Context, route string) (context.Context, func(status int, err error))
	// ErrorURL makes error_url. nil: the form of the contract.
	ErrorURL func(status int, typ string) string
}

// Observation is what metrics may know about a request: words from a small
// set, nothing that a client chose.
type Observation struct {
	Method    string // a known HTTP method, else "OTHER"
	Route     string // the pattern; "unmatched" or "preflight" where there is none
	Status    int    // 499 when the client left before the answer
	ErrorType string // "" on success
	Duration  time.Duration
}

// Server serves a list of endpoints. It has no background work and no global
// state; stopping it is net/http's business.
type Server struct {
	config    Config
	endpoints []Endpoint
	mux       *chi.Mux
	encoders  sync.Map // reflect.Type to encoder
}

// NewServer mounts the endpoints. It panics when a declaration is wrong: no
// auth kind, a route declared twice, a product switch on a route that is not
// public, a request type that does not fit its route, a gate that is missing.
func NewServer(c Config, endpoints ...Endpoint) *Server {
	if c.Now == nil {
		panic("wire: Config.Now is missing")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.ErrorURL == nil {
		c.ErrorURL = func(status int, typ string) string {
			return "https://stytch.com/docs/api/errors/" + strconv.Itoa(status) + "#" + typ
		}
	}
	s := &Server{config: c, endpoints: sortEndpoints(endpoints), mux: chi.NewMux()}
	mounted := map[string]bool{}
	for i := range s.endpoints {
		e := &s.endpoints[i]
		if wrong := e.check(); wrong != "" {
			panic(fmt.Sprintf("wire: %s %s %s", e.Method, e.Path, wrong))
		}
		if e.Auth != Open && c.Gates[e.Auth] == nil {
			panic(fmt.Sprintf("wire: %s %s is for %s callers, but there is no gate for them", e.Method, e.Path, e.Auth))
		}
		key := e.Method + " " + shape(e.Path)
		if mounted[key] {
			panic(fmt.Sprintf("wire: %s %s is declared twice", e.Method, e.Path))
		}
		mounted[key] = true
		s.mount(e)
	}
	s.mux.NotFound(s.noRoute)
	s.mux.MethodNotAllowed(s.wrongMethod)
	return s
}

func (s *Server) mount(e *Endpoint) {
	var b *binding
	if e.op != nil {
		b = plan(e)
		if reflect.PointerTo(e.op.resp).Implements(typeMarshaler) {
			panic(fmt.Sprintf("wire: %s %s: %s writes itself, and would lose its envelope: only its fields may", e.Method, e.Path, e.op.resp))
		}
		s.encoderOf(e.op.resp)
		if t := browserShape(e); t != nil {
			s.encoderOf(t)
		}
	}
	gate, trace := s.config.Gates[e.Auth], e.Method+" "+e.Path
	serve := func(w http.ResponseWriter, r *http.Request) {
		st := stateOf(r.Context())
		st.endpoint, st.call.Route, st.call.Public = e, e.Path, e.Auth == Public
		st.serve(w, r, gate, b, trace)
	}
	s.mux.MethodFunc(e.Method, e.Path, serve)
	ownHead := func(o Endpoint) bool { return o.Method == http.MethodHead && shape(o.Path) == shape(e.Path) }
	if e.Method == http.MethodGet && !slices.ContainsFunc(s.endpoints, ownHead) {
		s.mux.MethodFunc(http.MethodHead, e.Path, serve) // net/http drops the body
	}
}

// Endpoints returns what is mounted, sorted by path and method.
func (s *Server) Endpoints() []Endpoint { return slices.Clone(s.endpoints) }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := s.config.Now()
	st := &state{Context: r.Context(), server: s, start: now, call: Call{
		RequestID: id.New(id.RequestID, id.Test, now),
		Method:    r.Method,
		Route:     "unmatched",
		IP:        clientIP(r, s.config.TrustedProxies),
		UserAgent: r.UserAgent(),
		Origin:    r.Header.Get("Origin"),
		Host:      r.Host,
	}}
	defer st.finish(w)
	h := w.Header()
	h["X-Content-Type-Options"] = headerNosniff
	if behindBrowserDoor(r.URL.Path) {
		allowOrigin(h, r.Header)
		if r.Method == http.MethodOptions {
			st.call.Route, st.status = "preflight", http.StatusNoContent
			preflight(w)
			return
		}
	}
	// The router matches what was sent, escapes and all: decoding comes after,
	// so that an escaped slash cannot make another route.
	st.router.Routes, st.router.RoutePath = s.mux, r.URL.EscapedPath()
	s.mux.ServeHTTP(w, r.WithContext(st))
}

func (s *Server) noRoute(w http.ResponseWriter, r *http.Request) {
	stateOf(r.Context()).fail(r.Context(), w, errNoRoute)
}

// wrongMethod answers 405 where the path exists for another method. The
// router also comes here with methods it has never heard of, whatever the path.
func (s *Server) wrongMethod(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, m := range methods {
		if s.mux.Match(chi.NewRouteContext(), m, r.URL.EscapedPath()) {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		s.noRoute(w, r)
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	stateOf(r.Context()).fail(r.Context(), w, errMethod)
}

// methods are those that routes and metrics know.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut,
	http.MethodPatch, http.MethodDelete, http.MethodOptions}
