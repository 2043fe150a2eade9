package smtp

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"gatehouse/internal/outbox"
)

// step is a point of the conversation at which it can end.
type step int

const (
	waiting step = iota
	connecting
	greeting
	introducing
	protecting
	authenticating
	unable // the server lacks what the message needs
	mailing
	naming
	handing
)

// words say what failed, and to an operator what to do about it when the server
// says no for good.
var words = map[step]struct{ what, fix string }{
	waiting:        {"waiting for a connection", ""},
	connecting:     {"connecting to the server", ""},
	greeting:       {"the server's greeting", ""},
	introducing:    {"introducing ourselves", "check hello"},
	protecting:     {"protecting the connection with TLS", "check host, port and security"},
	authenticating: {"authenticating", "check username and password"},
	mailing:        {"the sender's address", "check from, and as whom this account may send"},
	naming:         {"the recipient", ""},
	handing:        {"the message", ""},
}

// closing is the code of a server that ends the connection (RFC 5321, 3.8).
const closing = 421

// reply returns what the server answered; code is 0 when it was not a server
// that caused err.
func reply(err error) (code int, text string) {
	var e *textproto.Error
	if errors.As(err, &e) {
		return e.Code, e.Msg
	}
	return 0, ""
}

// fault turns what ended the conversation at a step into an error of Send.
func (at step) fault(ctx context.Context, err error, hidden []string) error {
	what, fix := words[at].what, words[at].fix
	if ctx.Err() != nil {
		return fmt.Errorf("smtp: %s: %w", what, ctx.Err())
	}
	code, text := reply(err)
	if code == 0 {
		return fmt.Errorf("smtp: %s: %s", what, printable(err.Error(), hidden))
	}
	answer := fmt.Sprintf("smtp: %s: %d %s", what, code, printable(text, hidden))
	if slices.Contains(wantsAuth, code) {
		fix = words[authenticating].fix
	} else if at == naming && relay.MatchString(text) {
		fix = "this server relays for nobody it does not know: " + words[authenticating].fix
	} else if at.permanent(code, text) {
		return outbox.Permanent(errors.New(answer))
	}
	if code < 500 || fix == "" {
		return errors.New(answer)
	}
	return fmt.Errorf("%s (%s)", answer, fix)
}

var (
	// wantsAuth are the codes by which a server asks for authentication, or for
	// another one, at whatever point (RFC 4954, section 6).
	wantsAuth = []int{530, 534, 535, 538}
	// relay finds the refusal of a recipient that is none: the server does not
	// know whom it talks to.
	relay = regexp.MustCompile(`(?i)\brelay`)
	// refused finds the extended codes (RFC 3463) of an address or a policy.
	refused = regexp.MustCompile(`^5\.[17]\.`)
)

// permanent reports whether a refusal is one of the recipient or of the message
// itself, which no other attempt will change.
func (at step) permanent(code int, text string) bool {
	switch {
	case code < 500:
		return false
	case at == naming:
		return true
	}
	return at == handing && refused.MatchString(text)
}

var (
	anAddress = regexp.MustCompile(`[^\s<>]*@[^\s<>]+`)
	aLink     = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://\S+`)
	aWord     = regexp.MustCompile(`[^\s<>()\[\]{},;:"'|=]+`)
)

// printable is at most 200 characters of what somebody else wrote, without
// control characters, addresses, links and what must stay hidden: servers
// like to repeat what they refuse.
func printable(text string, hidden []string) string {
	text = line(text)
	// The longest first: what is hidden may contain what else is.
	hidden = slices.SortedFunc(slices.Values(hidden), func(a, b string) int { return len(b) - len(a) })
	for _, h := range hidden {
		if h = line(h); h == "" {
			continue
		}
		if len(h) < 4 {
			// Too short to be cut out of other words.
			text = aWord.ReplaceAllStringFunc(text, func(word string) string {
				if strings.EqualFold(strings.Trim(word, "."), h) {
					return "[...]"
				}
				return word
			})
			continue
		}
		text = regexp.MustCompile("(?i)"+regexp.QuoteMeta(h)).ReplaceAllLiteralString(text, "[...]")
	}
	text = aLink.ReplaceAllLiteralString(anAddress.ReplaceAllLiteralString(text, "[...]"), "[...]")
	if runes := []rune(text); len(runes) > 200 {
		text = string(runes[:200])
	}
	return text
}

// line makes one line of s: valid UTF-8 without control characters, each run
// of white space a single space.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.Fields(s), " ")
}
