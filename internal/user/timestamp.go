package user

import (
	"fmt"
	"time"
)

// Timestamp is an instant as the wire shows it: RFC 3339, UTC, milliseconds.
type Timestamp time.Time

const timestampLayout = "2006-01-02T15:04:05.000Z"

// MarshalText writes 2026-01-02T03:04:05.678Z.
func (t Timestamp) MarshalText() ([]byte, error) {
	at := time.Time(t).UTC()
	layout := timestampLayout
	if at.Nanosecond()%int(time.Millisecond) != 0 {
		layout = time.RFC3339Nano // only values that no database has kept
	}
	return at.AppendFormat(make([]byte, 0, len(layout)), layout), nil
}

// DescribedAs says that a Timestamp is a date and time.
func (t Timestamp) DescribedAs() any { return time.Time{} }

// UnmarshalText reads any RFC 3339 instant.
func (t *Timestamp) UnmarshalText(b []byte) error {
	v, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("%q is not a date and time like 2026-01-02T03:04:05Z (RFC 3339)", b)
	}
	*t = Timestamp(v.UTC())
	return nil
}

func timestamp(t time.Time) *Timestamp {
	if t.IsZero() {
		return nil
	}
	v := Timestamp(t)
	return &v
}
