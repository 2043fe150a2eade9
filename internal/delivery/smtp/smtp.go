// Package smtp owns the way to a mail server: the settings of such a sender,
// the MIME message an envelope becomes, its DKIM signature, and a few
// connections that are kept for the next message. It tells the faults of a
// recipient from those of the sender and from those that pass. It never decides
// what a message says or who gets it, keeps no message, and lets no address,
// subject or content into its errors.
package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"gatehouse/internal/delivery"
	"gatehouse/internal/outbox"
)

// Sender hands messages to one mail server. Its methods may be called by
// several goroutines at the same time.
type Sender struct {
	host, hello        string
	port               int
	security           string
	onlyLoopback       bool // no TLS, so only to this machine
	username, password string
	from               mailbox
	fromName           string
	dkim               *dkim.SignOptions // nil: does not sign
	tls                *tls.Config
	timeout            time.Duration
	now                func() time.Time // nil: connections have no age

	slots chan struct{} // one for each connection in use

	mu     sync.Mutex
	idle   []*link // the one used last is the last
	closed bool
}

var _ delivery.Sender = (*Sender)(nil)

// New returns a sender, or invalid_sender. It connects to nothing yet.
func New(c Config) (*Sender, error) {
	s := &Sender{now: c.Now}
	for _, check := range []func(*Config) error{s.checkServer, s.checkIdentity, s.checkBounds, s.checkDKIM} {
		if err := check(&c); err != nil {
			return nil, err
		}
	}
	s.tls = &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12, RootCAs: c.roots}
	return s, nil
}

var errClosed = errors.New("smtp: the sender is closed")

// Send hands a message over. It returns when the server has taken or refused
// it, or when the time is over. Errors say whose fault it is: outbox.Permanent
// the recipient's or the message's, anything else the sender's or the moment's.
func (s *Sender) Send(ctx context.Context, m *delivery.Envelope) error {
	l, err := s.write(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return waiting.fault(ctx, ctx.Err(), nil)
	}
	kept, err := s.take()
	if err != nil {
		return err
	}
	if kept != nil {
		dead, err := s.deliver(ctx, kept, l)
		if !dead {
			return err
		}
	}
	fresh, err := s.connect(ctx)
	if err != nil {
		return err
	}
	_, err = s.deliver(ctx, fresh, l)
	return err
}

// Verify connects, authenticates and leaves again. Its error says what an
// operator should mend.
func (s *Sender) Verify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	stop := c.until(ctx)
	defer stop()
	if c.client.Quit() != nil {
		c.close() // it has let us in, which is all that was asked
	}
	return nil
}

// Close ends the connections that wait, and the others when their message is
// through. The sender takes no more messages.
func (s *Sender) Close() error {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.closed = nil, true
	s.mu.Unlock()
	for _, l := range idle {
		l.quit()
	}
	return nil
}

// deliver hands a letter over on a connection and then keeps the connection or
// ends it. It reports a connection that was dead before the server took notice
// of the letter: then it is safe to try another one.
func (s *Sender) deliver(ctx context.Context, c *link, l *letter) (dead bool, err error) {
	c.conn.left = mostRead
	c.used++
	stop := c.until(ctx)
	at, err := c.send(l)
	code, _ := reply(err)
	// After a refusal the conversation can go on, unless nothing has begun: then
	// the connection itself may be what the server is tired of.
	well := err == nil || at == unable || at != mailing && code != 0 && code != closing && c.client.Reset() == nil
	if stop() && well {
		s.keep(c)
	} else {
		c.quit()
	}
	switch {
	case err == nil:
		return false, nil
	case at == unable:
		return false, outbox.Permanent(err)
	}
	dead = at == mailing && (code == 0 || code == closing) && ctx.Err() == nil
	return dead, at.fault(ctx, err, l.hidden)
}

// connect opens a connection up to the point where it takes messages.
func (s *Sender) connect(ctx context.Context) (*link, error) {
	dialer := net.Dialer{Control: s.allowed}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(s.host, strconv.Itoa(s.port)))
	if err != nil {
		return nil, connecting.fault(ctx, err, nil)
	}
	c := &link{conn: &bounded{Conn: conn, left: mostRead}}
	stop := c.until(ctx)
	at, err := s.open(c)
	if inTime := stop(); err == nil && !inTime {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, at.fault(ctx, err, s.secrets())
	}
	return c, nil
}

// allowed looks at the address a name led to, before anything is sent there.
func (s *Sender) allowed(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if s.onlyLoopback && !loopback(host) {
		return fmt.Errorf("%s is not on this machine, and security is %q", s.host, None)
	}
	return nil
}

// keptFor is how long a connection may wait for its next message; servers hang
// up after a minute at the earliest. mostUsed is how many messages go over one:
// some servers take no more, and several of them behind one name share the load.
const (
	keptFor  = 30 * time.Second
	mostUsed = 100
)

// take returns the connection that was used last, or nil, and ends those that
// have waited too long.
func (s *Sender) take() (*link, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, errClosed
	}
	old := 0
	if s.now != nil {
		now := s.now()
		for old < len(s.idle) {
			if age := now.Sub(s.idle[old].since); age >= 0 && age < keptFor {
				break
			}
			old++
		}
	}
	gone := slices.Clone(s.idle[:old])
	s.idle = slices.Delete(s.idle, 0, old)
	var c *link
	if n := len(s.idle); n > 0 {
		c, s.idle = s.idle[n-1], s.idle[:n-1]
	}
	s.mu.Unlock()
	for _, l := range gone {
		l.quit()
	}
	return c, nil
}

func (s *Sender) keep(c *link) {
	s.mu.Lock()
	full := s.closed || c.used >= mostUsed
	if !full {
		if s.now != nil {
			c.since = s.now()
		}
		s.idle = append(s.idle, c)
	}
	s.mu.Unlock()
	if full {
		c.quit()
	}
}
