package smtp

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	client "github.com/wneessen/go-mail/smtp"
)

// link is a connection to the server.
type link struct {
	client *client.Client
	conn   *bounded
	used   int       // how many messages went over it
	since  time.Time // when it began to wait
}

// mostRead bounds what a server may say to one message, since its lines are
// read into memory whole.
const mostRead = 1 << 20

var errTooMuch = errors.New("the server says more than a mail server should")

// bounded is a connection of which only so much is read.
type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// until makes the connection fail when ctx ends. What it returns undoes that,
// and reports false when it is too late.
func (c *link) until(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		c.conn.SetDeadline(time.Unix(1, 0)) // the past: all reading and writing ends
	})
}

// quit says good-bye without waiting for the answer.
func (c *link) quit() {
	_ = c.client.Text.PrintfLine("QUIT") // the connection may be dead
	c.close()
}

func (c *link) close() {
	_ = c.client.Close() // nothing more is expected of it
}

// open greets, protects and authenticates. It returns how far it came.
func (s *Sender) open(c *link) (step, error) {
	var conn net.Conn = c.conn
	if s.security == TLS {
		secure := tls.Client(conn, s.tls)
		if err := secure.Handshake(); err != nil {
			return protecting, err
		}
		conn = secure
	}
	var err error
	if c.client, err = client.NewClient(conn, s.host); err != nil {
		return greeting, err
	}
	if err := c.client.Hello(s.hello); err != nil {
		return introducing, err
	}
	if s.security == StartTLS {
		if ok, _ := c.client.Extension("STARTTLS"); !ok {
			return protecting, errors.New(`the server does not offer STARTTLS; use its port for it, or security "tls"`)
		}
		if err := c.client.StartTLS(s.tls); err != nil {
			return protecting, err
		}
	}
	return authenticating, s.authenticate(c)
}

func (s *Sender) authenticate(c *link) error {
	if s.username == "" {
		return nil
	}
	// What protects the password has been settled: TLS is up, or the
	// configuration does without it.
	const evenInTheClear = true
	_, offered := c.client.Extension("AUTH")
	mechanisms := strings.Fields(strings.ToUpper(offered))
	switch {
	case slices.Contains(mechanisms, "PLAIN"):
		return c.client.Auth(client.PlainAuth("", s.username, s.password, s.host, evenInTheClear))
	case slices.Contains(mechanisms, "LOGIN"):
		return c.client.Auth(client.LoginAuth(s.username, s.password, s.host, evenInTheClear))
	case len(mechanisms) == 0:
		return errors.New("the server offers no authentication here; use another port, or no username")
	}
	return errors.New("the server offers neither PLAIN nor LOGIN to authenticate")
}

// secrets are what a server may repeat of an authentication.
func (s *Sender) secrets() []string {
	if s.username == "" {
		return nil
	}
	encode := base64.StdEncoding.EncodeToString
	return []string{
		s.password, s.username, encode([]byte(s.password)), encode([]byte(s.username)),
		encode([]byte("\x00" + s.username + "\x00" + s.password)),
	}
}

var errNoUTF8 = errors.New("smtp: the server takes no addresses beyond ASCII (SMTPUTF8)")

// send hands a letter over. It returns how far it came.
func (c *link) send(l *letter) (step, error) {
	if ok, _ := c.client.Extension("SMTPUTF8"); l.utf8 && !ok {
		return unable, errNoUTF8
	}
	c.client.SkipSMTPUTF8(!l.utf8)
	if err := c.client.Mail("<" + l.from.String() + ">"); err != nil {
		return mailing, err
	}
	if err := c.client.Rcpt("<" + l.to.String() + ">"); err != nil {
		return naming, err
	}
	w, err := c.client.Data()
	if err != nil {
		return handing, err
	}
	if _, err := w.Write(l.data); err != nil {
		return handing, err
	}
	return handing, w.Close()
}
