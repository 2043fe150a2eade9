package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"sync"
	"unicode/utf8"

	"gatehouse/internal/apierr"
)

const (
	// MaxBody is the largest request body in bytes.
	MaxBody = 1 << 20
	// maxDepth is how deep objects and lists may nest in a body.
	maxDepth = 64
	// maxDrain is how much of a body that is too large is read and dropped, so
	// that a client still busy sending gets to read the answer.
	maxDrain = 8 << 20
)

var (
	errBadRequest  = apierr.New(400, "bad_request", "The request is not valid.")
	errBodyTimeout = apierr.New(408, "request_timeout", "The request body did not arrive in time. Send the request again.")
)

// BadRequest is the error for a request whose form is wrong where no more
// precise error_type of the contract applies. The message is for the client
// and names the field.
func BadRequest(format string, a ...any) *apierr.Error {
	return errBadRequest.WithMessage(format, a...)
}

// bodies recycles the memory that request bodies are read into. Nothing bound
// from a body keeps a part of it: strings are copied.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled is the largest buffer worth keeping, in bytes.
const maxPooled = 64 << 10

func recycle(pool *sync.Pool, b *bytes.Buffer) {
	if b.Cap() <= maxPooled {
		b.Reset()
		pool.Put(b)
	}
}

// readBody reads the whole body into b and returns it, nil when there is none.
func readBody(ctx context.Context, r *http.Request, b *bytes.Buffer) ([]byte, error) {
	if r.Body == nil || r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength > MaxBody {
		drain(r)
		return nil, errTooLarge()
	}
	n, err := b.ReadFrom(io.LimitReader(r.Body, MaxBody+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err() // the client has gone: nobody reads a verdict
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errBodyTimeout.Because(err)
	case err != nil:
		return nil, BadRequest("The request body ended before it was complete.").Because(err)
	case n > MaxBody:
		drain(r)
		return nil, errTooLarge()
	}
	body := bytes.TrimLeft(b.Bytes(), " \t\r\n")
	if len(body) == 0 {
		return nil, nil
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, BadRequest("Compressed request bodies are not accepted: send the body without Content-Encoding.")
	}
	return body, nil
}

func errTooLarge() error {
	return BadRequest("The request body is too large: the limit is 1 MB (%d bytes).", MaxBody)
}

func drain(r *http.Request) {
	if r.Header["Expect"] == nil { // such a client waits for a word before it sends
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
	}
}

// checkAnnounced refuses what is announced as a form where JSON is expected. A
// missing or generic content type is no reason to refuse.
func checkAnnounced(h http.Header) error {
	contentType := h.Get("Content-Type")
	if contentType == "" || contentType == "application/json" {
		return nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err == nil && (media == formType || strings.HasPrefix(media, "multipart/")) {
		return BadRequest("The request body must be JSON, not a form: send it with the header Content-Type: application/json.")
	}
	return nil
}

// checkJSON reports what is wrong with a body that is not one JSON object.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) {
		at := 0
		for rest := body; ; {
			r, size := utf8.DecodeRune(rest)
			if r == utf8.RuneError && size <= 1 {
				break
			}
			at, rest = at+size, rest[size:]
		}
		return BadRequest("The request body is not valid UTF-8 at %s.", position(body, at))
	}
	if err := checkNesting(body); err != nil {
		return err
	}
	if !json.Valid(body) {
		var syntax *json.SyntaxError
		var ignored json.RawMessage
		if err := json.Unmarshal(body, &ignored); errors.As(err, &syntax) {
			return BadRequest("The request body is not valid JSON: %s, at %s.", syntax, position(body, int(syntax.Offset)-1))
		}
		return BadRequest("The request body is not valid JSON.")
	}
	if body[0] != '{' {
		return BadRequest("The request body must be a JSON object, but it is %s.", describeValue(body))
	}
	return nil
}

// checkNesting bounds the depth before anything recursive sees the body, and
// refuses the character U+0000, which PostgreSQL cannot store in a text.
func checkNesting(body []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			if bytes.HasPrefix(body[i+1:], []byte("u0000")) {
				return BadRequest("The request body contains the character U+0000, which is not accepted, at %s.", position(body, i))
			}
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return BadRequest("The request body is nested more than %d levels deep at %s.", maxDepth, position(body, i))
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// positionText says where in a body something is, in lines and bytes from 1.
func position(body []byte, at int) string {
	at = min(max(at, 0), len(body))
	line := 1 + bytes.Count(body[:at], []byte{'\n'})
	column := at - bytes.LastIndexByte(body[:at], '\n')
	return "line " + itoa(line) + ", column " + itoa(column)
}
