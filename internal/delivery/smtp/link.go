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
	from := "MAIL FROM:<" + l.from.String() + ">"
	if l.utf8 {
		from += " BODY=8BITMIME SMTPUTF8" // the first is offered where the second is (RFC 6531)
	}
	at, err := c.say([]command{
		{mailing, from, 250},
		{naming, "RCPT TO:<" + l.to.String() + ">", 25},
		{handing, "DATA", 354},
	})
	if err != nil {
		return at, err
	}
	text := c.client.Text
	if _, err = text.W.Write(l.data); err == nil {
		err = text.W.Flush()
	}
	if err == nil {
		_, _, err = text.ReadResponse(250)
	}
	return handing, err
}

// command is a line of ours and the reply that lets the next one follow: its
// code, or the digits that it begins with.
type command struct {
	at   step
	text string
	want int
}

// say sends commands until one is refused. Where the server allows it they go
// together (RFC 2920), which takes one journey instead of one for each.
func (c *link) say(commands []command) (step, error) {
	together, _ := c.client.Extension("PIPELINING")
	text := c.client.Text
	if together {
		for _, one := range commands {
			_, _ = text.W.WriteString(one.text + "\r\n") // Flush says what went wrong
		}
		if err := text.W.Flush(); err != nil {
			return commands[0].at, err
		}
	}
	for i, one := range commands {
		if !together {
			if err := text.PrintfLine("%s", one.text); err != nil {
				return one.at, err
			}
		}
		if _, _, err := text.ReadResponse(one.want); err != nil {
			if together && i > 0 { // what ends at the first is not gone on with
				c.hear(commands[i+1:])
			}
			return one.at, err
		}
	}
	return handing, nil
}

// hear takes the replies to what was sent behind a refused command, so that the
// conversation can go on. A server that wants the message all the same gets none
// (RFC 2920, section 3.1). What fails here fails the next command too.
func (c *link) hear(commands []command) {
	for _, one := range commands {
		_, _, err := c.client.Text.ReadResponse(one.want)
		if err == nil && one.want == 354 {
			_ = c.client.Text.PrintfLine(".")
			_, _, err = c.client.Text.ReadResponse(0)
		}
		if code, _ := reply(err); err != nil && code == 0 {
			return
		}
	}
}
