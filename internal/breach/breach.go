// Package breach owns the question whether a password is in a known breach. It
// asks the range API of Have I Been Pwned, or a mirror of it, or a bundle that
// was imported on this machine. Of a password no more than the first five
// hexadecimal digits of its SHA-1 leave the process. The package never decides
// what follows from its answer, and never keeps or logs a password or its hash.
package breach

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/outbound"
)

// Verdict is what is known about a password.
type Verdict int

const (
	// Unknown means that nobody could answer in time. What follows is for the
	// caller to decide. It is the zero Verdict.
	Unknown Verdict = iota
	// Clean means that the password is in no known breach, or that nobody looks
	// because the source is off.
	Clean
	// Breached means that others know the password.
	Breached
)

// String is the verdict in one word, for metrics and for people.
func (v Verdict) String() string {
	switch v {
	case Clean:
		return "clean"
	case Breached:
		return "breached"
	}
	return "unknown"
}

// The sources of answers.
const (
	SourceAPI     = "api"
	SourceOffline = "offline"
	SourceOff     = "off"
)

const (
	// defaultURL is the service of Have I Been Pwned.
	defaultURL = "https://api.pwnedpasswords.com"
	// defaultTimeout is how long a check may take when Config says nothing.
	defaultTimeout = 1500 * time.Millisecond
)

// Config is what a Checker is made from. The zero Config looks nowhere.
type Config struct {
	Source  string        // SourceAPI, SourceOffline or SourceOff; "" is off
	URL     string        // of the range API; "" is defaultURL
	Timeout time.Duration // of a check that asks the API, with everything in it; 0 is defaultTimeout
	Bundle  string        // path of the bundle
	Now     func() time.Time
	Logger  *slog.Logger // told when the source fails and when it is back; nil for nobody
	// Observe hears of every check that looked somewhere; nil for nobody.
	Observe func(source string, v Verdict)
}

// source answers for the SHA-1 of a password. An error means that it cannot,
// and names no password and no part of its hash.
type source interface {
	breached(ctx context.Context, sum [sha1.Size]byte) (bool, error)
	Close() error
}

// Checker answers whether a password is in a known breach. It may be shared.
type Checker struct {
	config Config
	source source // nil when off
	where  string
}

// New makes a Checker. It fails when the URL cannot be called or there is no
// sound bundle; it calls nobody.
func New(c Config) (*Checker, error) {
	if c.URL == "" {
		c.URL = defaultURL
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Observe == nil {
		c.Observe = func(string, Verdict) {}
	}
	checker := &Checker{config: c}
	var err error
	switch c.Source {
	case "", SourceOff:
		checker.config.Source, checker.where = SourceOff, "nowhere"
	case SourceAPI:
		var u *url.URL
		if u, err = parseURL(c.URL); err == nil {
			checker.source, checker.where = newService(c, u), u.Host
		}
	case SourceOffline:
		checker.where = c.Bundle
		checker.source, err = openOffline(c)
	default:
		err = fmt.Errorf("--breach-source is %q: choose %s, %s or %s", c.Source, SourceAPI, SourceOffline, SourceOff)
	}
	if err != nil {
		return nil, err
	}
	return checker, nil
}

// parseURL reads the URL of a range API.
func parseURL(raw string) (*url.URL, error) {
	u, err := outbound.ParseURL(raw)
	if err == nil && (u.RawQuery != "" || u.Fragment != "") {
		err = errors.New("leave out what begins with ? or #")
	}
	if verdict := apierr.From(err); verdict != nil {
		err = errors.New(verdict.Message) // for whoever runs the server, who needs the setting's name, too
	}
	if err != nil {
		return nil, fmt.Errorf("--breach-url is not a URL such as %s: %w", defaultURL, err)
	}
	return u, nil
}

// Check says whether a password, byte for byte as it is given, is in a known
// breach. It never fails: without an answer in time it is Unknown.
func (c *Checker) Check(ctx context.Context, password string) Verdict {
	v, _ := c.Lookup(ctx, password)
	return v
}

// Lookup is Check with the reason for an Unknown, in words for the operator.
// They say nothing about the password.
func (c *Checker) Lookup(ctx context.Context, password string) (Verdict, error) {
	if c.source == nil {
		return Clean, nil
	}
	found, err := c.source.breached(ctx, sha1.Sum([]byte(password)))
	v := Clean
	switch {
	case err != nil:
		v = Unknown
	case found:
		v = Breached
	}
	if ctx.Err() == nil { // a caller that has left says nothing about the source
		c.config.Observe(c.config.Source, v)
	}
	return v, err
}

// Source is where answers come from: SourceAPI, SourceOffline or SourceOff.
func (c *Checker) Source() string { return c.config.Source }

// Where names the service or the bundle that is asked, for people.
func (c *Checker) Where() string { return c.where }

// Close ends calls under way and closes the bundle. Checks after it are
// Unknown.
func (c *Checker) Close() error {
	if c.source == nil {
		return nil
	}
	return c.source.Close()
}
