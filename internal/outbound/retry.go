package outbound

import (
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds what a receiver may ask for: a message that waits for
// longer has missed its moment.
const maxRetryAfter = time.Hour

// RetryAfter is how long the answer asks to wait before the next attempt (RFC
// 9110, section 10.2.3), an hour at most; 0 when it asks for nothing. Dates are
// read by the clock of the answer where it has one, and else by now.
func (r *Response) RetryAfter(now time.Time) time.Duration {
	text := r.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
