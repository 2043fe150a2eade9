package wire

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"gatehouse/internal/id"
)

// Incoming is what a gate decides on: the credentials a request presents and
// where it says it comes from. Nothing in it has been verified except IP.
type Incoming struct {
	Endpoint  *Endpoint
	RequestID string
	// HasBasic is false when the Authorization header is absent, of another
	// scheme, or not well formed (RFC 7617).
	HasBasic                 bool
	BasicUser, BasicPassword string
	Origin                   string // the Origin header
	ParentHost               string // X-SDK-Parent-Host, an origin
	SDKClient                string // X-SDK-Client: what an official SDK says of itself
	IP                       netip.Addr
	UserAgent                string
	Host                     string                   // the Host header: never build a link from it
	Cookie                   func(name string) string // "" when absent
}

// Gate lets a caller in, and may add to the context what it learned, or
// refuses. It is called before anything of the body is read.
type Gate func(ctx context.Context, in *Incoming) (context.Context, error)

// Call is the HTTP side of one call, for the code that serves it.
type Call struct {
	RequestID string
	Method    string
	Route     string     // the pattern, never the path with its values
	IP        netip.Addr // the zero Addr when the peer has none (a Unix socket)
	UserAgent string
	Origin    string
	Host      string // the Host header: never build a link from it
	Public    bool   // through the browser's door

	cookies []Cookie
}

// Cookie is set on the answer, whether it is a success or an error. Path is
// always "/".
type Cookie struct {
	Name, Value string
	Domain      string    // "" for this host only
	Expires     time.Time // zero: when the browser closes
	Delete      bool      // ask the browser to forget it
	HTTPOnly    bool
	Secure      bool
	SameSite    SameSite
}

// SameSite is a cookie's SameSite attribute. The zero value is Lax.
type SameSite int

// The three values of the attribute.
const (
	SameSiteLax SameSite = iota
	SameSiteStrict
	SameSiteNone
)

type callKey struct{}

// CallFrom returns the call that ctx belongs to. Outside of a request it
// returns an empty call, so that domain code needs no special case.
func CallFrom(ctx context.Context) *Call {
	if c, ok := ctx.Value(callKey{}).(*Call); ok {
		return c
	}
	return &Call{}
}

// SetEnv names the environment that the call turned out to belong to, which
// the request id then carries. Gates call it; a word that is not an
// environment is ignored.
func (c *Call) SetEnv(env string) {
	const prefix = string(id.RequestID) + "-"
	if !id.Env(env).Valid() {
		return
	}
	_, rest, ok := strings.Cut(strings.TrimPrefix(c.RequestID, prefix), "-")
	if ok {
		c.RequestID = prefix + env + "-" + rest
	}
}

// Network is the part of the client's address to count by: an IPv6 client
// owns at least the 64 bits behind it and may use a new one for every call.
func (c *Call) Network() netip.Prefix {
	bits := 32
	if c.IP.Is6() {
		bits = 64
	}
	p, _ := c.IP.Prefix(bits) // the zero Prefix for the zero Addr
	return p
}

// SetCookie adds a cookie to the answer; the last one of a name wins.
func (c *Call) SetCookie(k Cookie) {
	for i := range c.cookies {
		if c.cookies[i].Name == k.Name && c.cookies[i].Domain == k.Domain {
			c.cookies[i] = k
			return
		}
	}
	c.cookies = append(c.cookies, k)
}

func (c *Call) writeCookies(w http.ResponseWriter) {
	for _, k := range c.cookies {
		h := http.Cookie{Name: k.Name, Value: k.Value, Domain: k.Domain, Path: "/",
			Expires: k.Expires, HttpOnly: k.HTTPOnly, Secure: k.Secure,
			SameSite: [...]http.SameSite{http.SameSiteLaxMode, http.SameSiteStrictMode, http.SameSiteNoneMode}[k.SameSite]}
		if k.Delete {
			h.Value, h.MaxAge = "", -1
		}
		http.SetCookie(w, &h)
	}
}
