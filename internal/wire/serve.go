package wire

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"gatehouse/internal/apierr"
)

// state is everything one request needs. It is itself the request's context,
// which makes one allocation of many: the router finds its parameters in it,
// handlers their Call.
type state struct {
	context.Context
	server   *Server
	endpoint *Endpoint // nil when no route matched
	call     Call
	incoming Incoming
	router   chi.Context
	start    time.Time
	end      func(status int, err error) // of the trace, may be nil

	status  int           // as written, 0 before
	verdict *apierr.Error // what was refused, and why, for the log
	gone    bool          // the client left before the answer
	// authorized says that the request has an Authorization header.
	authorized bool
}

type stateKey struct{}

// Value implements context.Context.
func (s *state) Value(key any) any {
	switch key {
	case chi.RouteCtxKey:
		return &s.router
	case callKey{}:
		return &s.call
	case stateKey{}:
		return s
	}
	return s.Context.Value(key)
}

func stateOf(ctx context.Context) *state { return ctx.Value(stateKey{}).(*state) }

// serve runs one matched request: the gate first, before anything of the body
// is read, then the handler.
func (s *state) serve(w http.ResponseWriter, r *http.Request, gate Gate, b *binding, trace string) {
	var ctx context.Context = s
	if s.server.config.Trace != nil {
		ctx, s.end = s.server.config.Trace(ctx, trace)
	}
	s.authorized = s.endpoint.OAuthErrors && len(r.Header["Authorization"]) > 0
	if gate != nil {
		s.present(r)
		entered, err := gate(ctx, &s.incoming)
		if err != nil {
			s.fail(ctx, w, err)
			return
		}
		ctx = entered
	}
	if s.endpoint.cache != nil {
		w.Header()["Cache-Control"] = s.endpoint.cache
	}
	if s.endpoint.IsRaw {
		s.serveRaw(ctx, w, r)
		return
	}
	resp, meta, err := s.endpoint.op.run(ctx, func(req any) error {
		return b.bind(ctx, r, &s.router.URLParams, req)
	})
	if err == nil {
		err = s.answer(w, resp, meta)
	}
	if err != nil {
		s.fail(ctx, w, err)
	}
}

// present fills in what the gate looks at.
func (s *state) present(r *http.Request) {
	in := &s.incoming
	in.Endpoint, in.RequestID = s.endpoint, s.call.RequestID
	in.BasicUser, in.BasicPassword, in.HasBasic = basicAuth(r.Header)
	in.Origin, in.ParentHost, in.SDKClient = s.call.Origin, r.Header.Get("X-Sdk-Parent-Host"), r.Header.Get("X-Sdk-Client")
	in.IP, in.UserAgent, in.Host = s.call.IP, s.call.UserAgent, r.Host
	in.Cookie = func(name string) string {
		c, err := r.Cookie(name)
		if err != nil {
			return ""
		}
		return c.Value
	}
}

func (s *state) serveRaw(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(ctx)
	for _, name := range s.router.URLParams.Keys {
		value, ok := pathValue(&s.router.URLParams, name)
		if !ok {
			s.fail(ctx, w, BadRequest("The path parameter %q is not valid.", name))
			return
		}
		r.SetPathValue(name, value)
	}
	w.Header()["X-Request-Id"] = []string{s.call.RequestID}
	rec := &recorder{ResponseWriter: w, state: s}
	s.endpoint.raw.ServeHTTP(rec, r)
	if s.status == 0 {
		s.status = http.StatusOK // net/http will say so
	}
}

// recorder learns the status that a Raw handler writes.
type recorder struct {
	http.ResponseWriter
	state *state
}

func (r *recorder) WriteHeader(status int) {
	if status >= 200 { // 1xx is not the answer yet
		r.state.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.state.status == 0 {
		r.state.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// finish is deferred around every request: it turns a panic into an answer
// and tells metrics, the trace and the log how it went.
func (s *state) finish(w http.ResponseWriter) {
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler {
			s.gone = true
			defer panic(p) // net/http's way to drop a connection
		} else {
			if !s.recovered(w, p) {
				// The answer has begun: the client can only be shown that it is not whole.
				defer panic(http.ErrAbortHandler)
			}
		}
	}
	if s.gone {
		s.status = statusGone
	}
	c := &s.server.config
	o := Observation{Method: s.call.Method, Route: s.call.Route, Status: s.status, Duration: c.Now().Sub(s.start)}
	if !slices.Contains(methods, o.Method) {
		o.Method = "OTHER"
	}
	if s.verdict != nil && !s.gone {
		o.ErrorType = s.verdict.Type
	}
	if s.end != nil {
		var err error
		if s.verdict != nil {
			err = s.verdict
		}
		s.end(s.status, err)
	}
	s.log(o)
	if c.Observe != nil { // last, so that who waits for it finds all the rest
		c.Observe(o)
	}
}

// recovered logs a panic and answers 500. It reports false when there was an
// answer on its way already.
func (s *state) recovered(w http.ResponseWriter, p any) bool {
	s.server.config.Logger.LogAttrs(s, slog.LevelError, "panic",
		slog.String("request_id", s.call.RequestID), slog.String("route", s.call.Route),
		slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	err := fmt.Errorf("panic: %v", p)
	if s.status == 0 {
		s.fail(s, w, err)
		return true
	}
	s.verdict = errInternal.Because(err)
	return false
}

// log writes one line per request: failures of ours as errors, refusals as
// information, the rest for debugging. It names the route's pattern and
// nothing that a client sent but its address.
func (s *state) log(o Observation) {
	level := slog.LevelDebug
	switch {
	case o.Status >= 500:
		level = slog.LevelError
	case o.Status >= 400:
		level = slog.LevelInfo
	}
	logger := s.server.config.Logger
	if !logger.Enabled(s, level) {
		return
	}
	attrs := [8]slog.Attr{
		slog.String("request_id", s.call.RequestID), slog.String("method", o.Method),
		slog.String("route", o.Route), slog.Int("status", o.Status),
		slog.Duration("duration", o.Duration), slog.Any("ip", s.call.IP),
	}
	list := attrs[:6]
	if s.verdict != nil {
		list = append(list, slog.String("error_type", s.verdict.Type))
		if cause := s.verdict.Unwrap(); cause != nil {
			list = append(list, slog.String("cause", cause.Error()))
		}
	}
	logger.LogAttrs(s, level, "request", list...)
}
