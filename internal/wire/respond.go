package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"gatehouse/internal/apierr"
)

var (
	errInternal = apierr.New(500, "internal_server_error",
		"Something went wrong on our side. Try again; if it happens again, tell us the request_id.")
	errNoRoute = apierr.New(404, "route_not_found",
		"There is nothing at this address. Check the path against the API reference.")
	errMethod = apierr.New(405, "method_not_allowed",
		"This address exists, but not for this HTTP method. The Allow header names those it has.")
)

// statusGone is what the log and the metrics say when the client left before
// the answer: nobody's error, and nobody read a status.
const statusGone = 499

// problem is the error envelope (contract/errors.json). It never has keys
// named body, params or query: the browser SDK takes those for a schema error.
type problem struct {
	StatusCode   int            `json:"status_code" required:"true" description:"Equals the HTTP status."`
	RequestID    string         `json:"request_id" required:"true" description:"Names this call in logs."`
	ErrorType    string         `json:"error_type" required:"true" description:"Says which rule refused, for programs."`
	ErrorMessage string         `json:"error_message" required:"true" description:"Says what to do next, for people."`
	ErrorURL     string         `json:"error_url" required:"true" description:"Where the error is explained."`
	ErrorDetails map[string]any `json:"error_details,omitempty" description:"More about this case, where there is more."`
}

// answer writes a success. Behind the browser's door it is wrapped in
// {"data": ...}, written around the one encoding.
func (s *state) answer(w http.ResponseWriter, resp any, meta *Meta) error {
	if meta.StatusCode == 0 {
		meta.StatusCode = http.StatusOK
	}
	meta.RequestID = s.call.RequestID
	status := meta.StatusCode
	if s.call.Public {
		if b, ok := resp.(ForBrowser); ok {
			resp = b.ForBrowser()
			if c, ok := resp.(carrier); ok {
				*c.meta() = Meta{RequestID: s.call.RequestID, StatusCode: status}
			}
		}
	}
	o := outputs.Get().(*output)
	defer o.recycle()
	if s.call.Public {
		o.buffer.WriteString(`{"data":`)
	}
	if err := s.server.encode(o, resp); err != nil {
		return fmt.Errorf("encode the response: %w", err)
	}
	if s.call.Public {
		o.buffer.WriteByte('}')
	}
	s.write(w, status, &o.buffer)
	return nil
}

// browserShape learns the type that a Public endpoint answers with in place
// of its response, nil when it does not.
func browserShape(e *Endpoint) (t reflect.Type) {
	b, ok := reflect.New(e.op.resp).Interface().(ForBrowser)
	if e.Auth != Public || !ok {
		return nil
	}
	if t = reflect.TypeOf(b.ForBrowser()); t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// encode appends v, a struct or a pointer to one.
func (s *Server) encode(o *output, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer {
		p = reflect.New(p.Type())
		p.Elem().Set(reflect.ValueOf(v))
	}
	return s.encoderOf(p.Type().Elem())(o, p.Elem())
}

// encoderOf returns the encoder of one type. They are built when the server
// is, except for a shape that ForBrowser chooses at run time.
func (s *Server) encoderOf(t reflect.Type) encoder {
	if e, ok := s.encoders.Load(t); ok {
		return e.(encoder)
	}
	e := encoders{}.build(t)
	s.encoders.Store(t, e)
	return e
}

// fail answers an error: the verdict when err is or wraps one, otherwise
// internal_server_error, and the cause goes to the log either way.
func (s *state) fail(ctx context.Context, w http.ResponseWriter, err error) {
	e := apierr.From(err)
	if e == nil {
		e = errInternal.Because(err)
		s.gone = errors.Is(ctx.Err(), context.Canceled)
	}
	s.verdict = e
	if _, named := e.Details["rule"]; (named || e.Status == http.StatusTooManyRequests) && s.server.config.Limited != nil {
		s.server.config.Limited(ctx, e)
	}
	h := w.Header()
	h["Cache-Control"] = headerNoStore
	if e.RetryAfter > 0 {
		seconds := int64((e.RetryAfter + time.Second - 1) / time.Second)
		h["Retry-After"] = []string{strconv.FormatInt(seconds, 10)}
	}
	o := outputs.Get().(*output)
	defer o.recycle()
	if s.endpoint != nil && s.endpoint.OAuthErrors {
		s.challenge(h, e)
		_ = o.library(s.oauthProblem(e)) // strings and a number always encode
		s.write(w, e.Status, &o.buffer)
		return
	}
	p := problem{StatusCode: e.Status, RequestID: s.call.RequestID, ErrorType: e.Type,
		ErrorMessage: e.Message, ErrorURL: s.server.config.ErrorURL(e.Status, e.Type), ErrorDetails: e.Details}
	if encodeErr := o.library(&p); encodeErr != nil {
		o.buffer.Reset()
		p.ErrorDetails = nil
		s.verdict = e.Because(errors.Join(e.Unwrap(), encodeErr))
		_ = o.library(&p) // strings and numbers always encode
	}
	s.write(w, e.Status, &o.buffer)
}

func (s *state) write(w http.ResponseWriter, status int, body *bytes.Buffer) {
	h := w.Header()
	h["Content-Type"] = headerJSON
	h["Content-Length"] = []string{strconv.Itoa(body.Len())}
	h["X-Request-Id"] = []string{s.call.RequestID}
	s.call.writeCookies(w)
	s.status = status
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // fails when the client has gone: nobody to tell
}

// Fail answers err in the error envelope from inside a Raw handler that has
// not written anything yet.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	s, ok := r.Context().Value(stateKey{}).(*state)
	if !ok {
		panic("wire: Fail is for handlers mounted with Raw")
	}
	s.fail(r.Context(), w, err)
}
