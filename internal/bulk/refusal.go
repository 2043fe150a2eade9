package bulk

import (
	"errors"
	"fmt"

	"gatehouse/internal/apierr"
	"gatehouse/internal/store"
)

// Refusal says why a row was not imported, as a line of the report.
type Refusal struct {
	Row        int64  `json:"row"`                  // counted from 1; a CSV header does not count
	Identifier string `json:"identifier,omitempty"` // what the row is known by, as far as it could be read
	Type       string `json:"error_type"`
	Reason     string `json:"reason"`
}

// fault is a reason to refuse one row and go on. Reasons that the API has are
// its own errors; these are about files.
type fault struct{ kind, reason string }

func (f *fault) Error() string { return f.reason }

func faultf(kind, format string, a ...any) error { return &fault{kind, fmt.Sprintf(format, a...)} }

// ofRow returns the refusal that an error is, or false for an error that is not
// about the row: a full disk, a lost connection.
func ofRow(err error) (Refusal, bool) {
	var f *fault
	switch {
	case err == nil:
	case store.IsUnique(err): // found by its values, the user would be there already
		return Refusal{Type: "duplicate", Reason: "An id or a key of this row belongs to another user already."}, true
	case errors.Is(err, store.ErrText):
		return Refusal{Type: "invalid_text", Reason: "A text of this row contains a NUL character, which the database cannot hold."}, true
	case errors.As(err, &f):
		return Refusal{Type: f.kind, Reason: f.reason}, true
	case apierr.From(err) != nil:
		v := apierr.From(err)
		return Refusal{Type: v.Type, Reason: v.Message}, true
	}
	return Refusal{}, false
}

// spoils reports whether an error has ended the transaction it happened in, or
// may leave half a row behind in it.
func spoils(err error) bool {
	var h half
	return store.IsUnique(err) || errors.Is(err, store.ErrText) || errors.As(err, &h)
}
