// Package apierr owns the one error type whose text clients may read. An
// *Error carries the contract's status, error_type and message; everything
// that is not an *Error is an accident, and its text stays in the log. The
// package imports nothing of the project and never touches the network.
package apierr

import (
	"errors"
	"fmt"
	"maps"
	"time"
)

// Error is a verdict of the contract (contract/errors.json). Declare it once,
// in a package-level variable beside the rule it guards, and return it, or a
// copy made by one of the methods: a declared Error is shared and never
// changed.
type Error struct {
	Status     int            // HTTP status, 400..599
	Type       string         // error_type, in snake_case
	Message    string         // error_message, read by end users: it says what to do next
	Details    map[string]any // error_details, absent when empty
	RetryAfter time.Duration  // sent as Retry-After in whole seconds, rounded up; 0 sends none

	cause error
}

// New declares an error. Status and typ are literals at every call: the table
// of errors is read from the source code, and one typ has one status.
func New(status int, typ, message string) *Error {
	return &Error{Status: status, Type: typ, Message: message}
}

// Because returns a copy that carries its cause, which the log gets and the
// client never does.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// WithMessage returns a copy with a more precise message, for example one
// that names the field. The message is for the client: no secrets, no causes.
func (e *Error) WithMessage(format string, a ...any) *Error {
	c := *e
	c.Message = fmt.Sprintf(format, a...)
	return &c
}

// WithDetails returns a copy with error_details, which is encoded as JSON.
func (e *Error) WithDetails(details map[string]any) *Error {
	c := *e
	c.Details = maps.Clone(details)
	return &c
}

// WithRetryAfter returns a copy that tells the client when to come back.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Error describes e for operators. It includes the cause: never send it to a
// client.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Type + ": " + e.Message
	}
	return e.Type + ": " + e.Message + ": " + e.cause.Error()
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is an *Error of the same type, so that a copy
// matches the variable it was made from: errors.Is(err, errUserNotFound).
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Type == e.Type
}

// From returns the outermost *Error in err's chain, or nil when err is an
// accident.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
