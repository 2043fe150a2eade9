package project

import (
	"context"
	"net/netip"
)

// Caller is who sent a request and through which door.
type Caller struct {
	Env     *Environment
	Browser bool // came through /sdk/v1 with a public token
	// SessionToken is what a browser presented: the opaque token, or a session
	// JWT, or "". Always "" behind the secret door, where the body names it.
	SessionToken string
	Origin       string // authorised origin of a browser, "" for apps and servers
	BundleID     string // what an app calls itself, "" for browsers and servers
	IP           netip.Addr
	UserAgent    string
	RequestID    string
	// BrowserID is what the cookie BrowserCookie says, "" without one or where
	// no page's origin came along.
	BrowserID string
}

// MaySandbox reports whether the sandbox's values mean something to the call:
// in a test environment, from a server that holds the secret.
func (c *Caller) MaySandbox() bool { return !c.Browser && !c.Env.Live() }

type callerKey struct{}

// WithCaller returns a context that carries c.
func WithCaller(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller that a gate put into the context. It is nil
// only on routes that anyone may call.
func CallerFrom(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}
