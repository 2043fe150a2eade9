package wire

import (
	"net/http"
	"strings"

	"gatehouse/internal/apierr"
)

// OAuthErrors makes an endpoint answer its errors in the form of OAuth (RFC
// 6749, section 5.2), as its clients expect them: the error_type is the error
// code there, and error_message the error_description.
func OAuthErrors() Option { return func(e *Endpoint) { e.OAuthErrors = true } }

// oauthProblem is the envelope of such an error. status_code and request_id are
// in it because the official clients ask for them.
type oauthProblem struct {
	StatusCode  int    `json:"status_code" required:"true" description:"Equals the HTTP status."`
	RequestID   string `json:"request_id" required:"true" description:"Names this call in logs."`
	Error       string `json:"error" required:"true" description:"Says which rule refused, for programs: a code of RFC 6749."`
	Description string `json:"error_description" required:"true" description:"Says what to do next, for people."`
	URI         string `json:"error_uri" required:"true" description:"Where the error is explained."`
}

func (s *state) oauthProblem(e *apierr.Error) *oauthProblem {
	return &oauthProblem{StatusCode: e.Status, RequestID: s.call.RequestID, Error: oauthCode(e.Type),
		Description: strings.Map(describable, e.Message), URI: s.server.config.ErrorURL(e.Status, e.Type)}
}

// oauthCode is what OAuth calls the errors that are wire's own; what a handler
// returns has the right name already.
func oauthCode(typ string) string {
	switch typ {
	case errBadRequest.Type, errBodyTimeout.Type:
		return "invalid_request"
	case errInternal.Type:
		return "server_error"
	}
	return typ
}

// describable keeps a description to the characters that RFC 6749 allows in it:
// printable ASCII without the double quote and the backslash.
func describable(r rune) rune {
	switch {
	case r == '"':
		return '\''
	case r < ' ' || r > '~' || r == '\\':
		return '?'
	}
	return r
}

// challenge tells a client whose credentials in the Authorization header were
// refused which scheme the header is for, as HTTP asks of a 401.
func (s *state) challenge(h http.Header, e *apierr.Error) {
	if e.Status == http.StatusUnauthorized && s.authorized {
		h["Www-Authenticate"] = headerChallenge
	}
}

var headerChallenge = []string{`Basic realm="oauth", charset="UTF-8"`}
