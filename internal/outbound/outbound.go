// Package outbound owns calls to addresses that a customer or a stranger can
// name: receivers of webhooks, providers of messages, documents of clients. It
// resolves a host, refuses every address that is not public, and dials exactly
// the address it has looked at, so that a name which answers otherwise the
// second time gains nothing. Size and time of an answer are bounded. It never
// uses a proxy, keeps no cookies, and never knows what a call is for.
package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/apierr"
)

// ErrTooLarge means that an answer is larger than Policy.MaxBody. The Response
// beside it holds as much as fits.
var ErrTooLarge = errors.New("the answer is too large")

var (
	errNowhere  = errors.New("the host has no address")
	errSwitched = errors.New("the answer changes the protocol")
)

// Policy says what a Client may call. The zero Policy is the strict one:
// public addresses, https, no redirects.
type Policy struct {
	// AllowPrivate are networks that may be called though they are not public,
	// such as 10.0.0.0/8 or 127.0.0.1/32. Link-local, multicast and metadata
	// addresses stay closed whatever it says.
	AllowPrivate []netip.Prefix
	AllowHTTP    bool          // http beside https
	Redirects    int           // how many hops a GET or HEAD follows, each checked; 0: a redirect is the answer
	Timeout      time.Duration // of a call with everything in it; 0 means 10 seconds
	MaxBody      int64         // bytes of an answer; 0 means 1 MB
	// Resolve looks a name up; nil is the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

const (
	maxHeader    = 64 << 10
	maxAddresses = 8 // of a name: dialled one after the other until one answers
)

// Client makes calls within its policy. It may be shared.
type Client struct {
	policy    Policy
	transport *http.Transport
	client    *http.Client
}

// New returns a client for a policy.
func New(p Policy) *Client {
	if p.Timeout <= 0 {
		p.Timeout = 10 * time.Second
	}
	if p.MaxBody <= 0 {
		p.MaxBody = 1 << 20
	}
	if p.Resolve == nil {
		p.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	c := &Client{policy: p}
	// Every connection, whichever call or redirect wants it, begins in dial. A
	// connection that is used again goes where it was allowed to go.
	c.transport = &http.Transport{
		DialContext:            c.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    p.Timeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true, // what is counted is what was sent
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    32, // many people come back from the same provider at once
		IdleConnTimeout:        30 * time.Second,
	}
	c.client = &http.Client{Transport: c.transport, CheckRedirect: c.redirect}
	return c
}

// Close ends the connections that no call is using.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// Check reports whether a call to a URL would be allowed now, without making
// it: for whoever is about to save the URL.
func (c *Client) Check(ctx context.Context, raw string) error {
	u, err := ParseURL(raw)
	if err != nil {
		return err
	}
	if err := c.check(u); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.policy.Timeout)
	defer cancel()
	if _, err = c.resolve(ctx, u.Hostname()); err != nil && apierr.From(err) == nil {
		return errUnknownHost.Because(err)
	}
	return err
}

// Response is an answer that has been read.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // at most Policy.MaxBody
}

// Do makes a call. What the policy refuses is an *apierr.Error; no other error
// is, and none repeats the path or the query of the URL. A Response together
// with an error means that the status and the header came and the body did
// not, or not all of it: see ErrTooLarge.
func (c *Client) Do(ctx context.Context, req *http.Request) (*Response, error) {
	if req.URL == nil {
		return nil, errURL
	}
	if err := c.check(req.URL); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.policy.Timeout)
	defer cancel()
	r := req.Clone(ctx)
	r.Host = "" // the host that was checked is the host that is named
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "gatehouse")
	}
	resp, err := c.send(r)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err
		}
		return nil, fmt.Errorf("calling %s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// Nobody asked for it, and what follows is the bare connection, which
		// no context ends.
		return nil, fmt.Errorf("calling %s: %w", req.URL.Host, errSwitched)
	}
	answer := &Response{Status: resp.StatusCode, Header: resp.Header}
	answer.Body, err = io.ReadAll(io.LimitReader(resp.Body, c.policy.MaxBody+1))
	switch {
	case err != nil:
		err = fmt.Errorf("reading the answer of %s: %w", resp.Request.URL.Host, err)
	case int64(len(answer.Body)) > c.policy.MaxBody:
		answer.Body, err = answer.Body[:c.policy.MaxBody], ErrTooLarge
	}
	return answer, err
}

// send follows redirects only for what has no body, which is never sent
// anywhere but where the caller said.
func (c *Client) send(r *http.Request) (*http.Response, error) {
	if c.policy.Redirects > 0 && (r.Method == "" || r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return c.client.Do(r)
	}
	return c.transport.RoundTrip(r)
}

// check judges what a URL says by itself. Where its host is, dial judges.
func (c *Client) check(u *url.URL) error {
	if err := checkURL(u); err != nil {
		return err
	}
	if u.Scheme != "https" && !c.policy.AllowHTTP {
		return errScheme
	}
	return nil
}

// redirect judges one hop. Another host gets no header that it has no need of.
func (c *Client) redirect(next *http.Request, via []*http.Request) error {
	first, last := via[0], via[len(via)-1]
	if len(via) > c.policy.Redirects {
		return errors.New("too many redirects")
	}
	if err := c.check(next.URL); err != nil {
		return err
	}
	if last.URL.Scheme == "https" && next.URL.Scheme != "https" {
		return errors.New("a redirect leads from https to http")
	}
	next.Header.Del("Referer") // it would name the path and query of the last hop
	if next.URL.Scheme != first.URL.Scheme || next.URL.Host != first.URL.Host {
		kept := http.Header{}
		for _, name := range []string{"Accept", "User-Agent"} {
			if v := next.Header.Get(name); v != "" {
				kept.Set(name, v)
			}
		}
		next.Header = kept
	}
	return nil
}

// resolve returns the addresses of a host, all of which may be called: a name
// that also leads inside is not half trusted.
func (c *Client) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	literal, err := netip.ParseAddr(host)
	found := []netip.Addr{literal}
	if err != nil {
		if found, err = c.policy.Resolve(ctx, host); err != nil {
			return nil, fmt.Errorf("resolving the host: %w", err)
		}
	}
	if len(found) == 0 {
		return nil, errNowhere
	}
	var addrs []netip.Addr
	for _, a := range found {
		a = a.Unmap()
		if !c.policy.permits(a) {
			return nil, errAddress.Because(fmt.Errorf("%s is at %s", host, a))
		}
		addrs = append(addrs, a)
	}
	return addrs[:min(len(addrs), maxAddresses)], nil
}

// dial resolves a host, judges its addresses and connects to one of those.
func (c *Client) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	// The transport may let a connection outlive the call that wanted it.
	ctx, cancel := context.WithTimeout(ctx, c.policy.Timeout)
	defer cancel()
	addrs, err := c.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	// Each address gets its share of the time, so that a silent one does not
	// use up that of the others.
	dialer := net.Dialer{Timeout: c.policy.Timeout / time.Duration(len(addrs))}
	var failures []string
	for _, a := range addrs {
		conn, err := dialer.DialContext(ctx, network, netip.AddrPortFrom(a, uint16(port)).String())
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err.Error())
	}
	return nil, errors.New(strings.Join(failures, "; "))
}
