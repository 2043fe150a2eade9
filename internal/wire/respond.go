package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
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

// output is a buffer with the encoder that writes to it.
type output struct {
	buffer bytes.Buffer
	json   *json.Encoder
}

var outputs = sync.Pool{New: func() any {
	e := new(output)
	e.json = json.NewEncoder(&e.buffer)
	e.json.SetEscapeHTML(false) // answers are JSON and say so
	return e
}}

// answer writes a success. Behind the browser's door it is wrapped in
// {"data": ...}, written around the one encoding.
func (s *state) answer(w http.ResponseWriter, resp any, meta *Meta) error {
	if meta.StatusCode == 0 {
		meta.StatusCode = http.StatusOK
	}
	meta.RequestID = s.call.RequestID
	status := meta.StatusCode
	if s.endpoint.Auth == Public {
		if b, ok := resp.(ForBrowser); ok {
			resp = b.ForBrowser()
			if c, ok := resp.(carrier); ok {
				*c.meta() = Meta{RequestID: s.call.RequestID, StatusCode: status}
			}
		}
	}
	e := outputs.Get().(*output)
	defer e.recycle()
	if s.endpoint.Auth == Public {
		e.buffer.WriteString(`{"data":`)
	}
	if err := e.json.Encode(resp); err != nil {
		return fmt.Errorf("encode the response: %w", err)
	}
	e.buffer.Truncate(e.buffer.Len() - 1) // Encode ends with a line break
	if s.endpoint.Auth == Public {
		e.buffer.WriteByte('}')
	}
	s.write(w, status, &e.buffer)
	return nil
}

func (e *output) recycle() {
	if e.buffer.Cap() <= 64<<10 {
		e.buffer.Reset()
		outputs.Put(e)
	}
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
	h := w.Header()
	h["Cache-Control"] = headerNoStore
	if e.RetryAfter > 0 {
		seconds := int64((e.RetryAfter + time.Second - 1) / time.Second)
		h["Retry-After"] = []string{strconv.FormatInt(seconds, 10)}
	}
	p := problem{StatusCode: e.Status, RequestID: s.call.RequestID, ErrorType: e.Type,
		ErrorMessage: e.Message, ErrorURL: s.server.config.ErrorURL(e.Status, e.Type), ErrorDetails: e.Details}
	enc := outputs.Get().(*output)
	defer enc.recycle()
	if encodeErr := enc.json.Encode(&p); encodeErr != nil {
		enc.buffer.Reset()
		p.ErrorDetails = nil
		s.verdict = e.Because(errors.Join(e.Unwrap(), encodeErr))
		_ = enc.json.Encode(&p) // strings and numbers always encode
	}
	enc.buffer.Truncate(enc.buffer.Len() - 1)
	s.write(w, e.Status, &enc.buffer)
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
