package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/delivery"
	"gatehouse/internal/outbox"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

const (
	// sinkMails is how many mails are handed to the sink, busyMails while others
	// keep the server busy: more than leave in that time.
	sinkMails = 5000
	busyMails = 10_000
)

// mails measures what asking for a mail costs, and how fast mails leave. They
// go to a mail server on the load's core that says yes to everything.
func (b *bench) mails(t *target) error {
	const (
		drain  = "SQLite: outbox drains mails to a local SMTP sink"
		beside = "SQLite: sessions/authenticate while the outbox drains mails"
	)
	codes := fmt.Sprintf("SQLite: otps/authenticate with session and JWT, RS256, %d connections", signInCallers)
	asked := []struct {
		name, path string
		share      float64
	}{
		{"SQLite: otps/email/login_or_create, existing user, 16 callers", "/v1/otps/email/login_or_create", 0.06},
		{"SQLite: magic_links/email/login_or_create, the same", "/v1/magic_links/email/login_or_create", 0},
	}
	if !slices.ContainsFunc([]string{asked[0].name, asked[1].name, drain, beside, codes}, b.wanted) {
		return nil
	}
	to, err := b.mailTo(t)
	if err != nil {
		return err
	}
	defer func() { _ = to.Close() }() // the measurement is over
	for _, m := range asked {
		if _, err := b.measure(t, m.name, 16, t.askForMail(m.path), m.share); err != nil {
			return err
		}
		if err := b.outboxEmpty(t); err != nil {
			return err
		}
	}
	if b.wanted(drain) {
		perSecond, each, err := b.drain(t, to)
		if err != nil {
			return fmt.Errorf("%s: %w", drain, err)
		}
		b.table.atLeast(drain, fmt.Sprintf("%.0f mails/s, %v of a core each", perSecond, each), perSecond, 1000, "mails/s")
	}
	if err := b.whileDraining(t, to, beside); err != nil {
		return fmt.Errorf("%s: %w", beside, err)
	}
	if err := b.codes(t, to, codes); err != nil {
		return fmt.Errorf("%s: %w", codes, err)
	}
	return nil
}

// mailTo starts a sink and makes the environment send its mail there, as much
// as anybody asks for.
func (b *bench) mailTo(t *target) (*sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{Listener: listener, codes: map[string]string{}}
	go s.serve()
	values, err := json.Marshal(map[string]any{
		"host": "127.0.0.1", "port": listener.Addr().(*net.TCPAddr).Port, "security": "none", "from": "login@example.com",
	})
	if err == nil {
		_, err = t.admin.Messages.AddSender(b.ctx, t.env, delivery.NewSender{
			Channel: delivery.Email, Kind: "smtp", Settings: delivery.Settings{Values: values},
		})
	}
	if err == nil {
		_, err = t.admin.Projects.AddRedirectURL(b.ctx, t.env.ID, "http://localhost:3000/authenticate", project.RedirectTypes, false)
	}
	if err == nil {
		err = t.configure(b.ctx, map[string]string{"messages.email_per_hour": "0"})
	}
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return s, nil
}

var askedForMail atomic.Int64

// askForMail asks for mails to users who exist, each in turn: an address gets
// one link a second.
func (t *target) askForMail(path string) work {
	return expect(func(_, _ int) []byte {
		i := int(askedForMail.Add(1)) % t.filled
		return request("POST", path, t.basic, fmt.Sprintf(`{"email":%q}`, filledAddress(i)))
	})
}

// outboxEmpty waits until the server has done what a load left behind.
func (b *bench) outboxEmpty(t *target) error {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		s, err := t.admin.Outbox.Stats(b.ctx)
		if err != nil || s == (outbox.Stats{}) {
			return err
		}
	}
	return errors.New("the outbox did not drain")
}

// drain returns how many mails a second go from the outbox to the sink, and the
// server's processor time for each.
func (b *bench) drain(t *target, to *sink) (perSecond float64, each time.Duration, err error) {
	to.reset()
	before, err := t.cpu()
	if err != nil {
		return 0, 0, err
	}
	if err := b.enqueue(t, sinkMails); err != nil {
		return 0, 0, err
	}
	if err := b.outboxEmpty(t); err != nil {
		return 0, 0, err
	}
	after, err := t.cpu()
	return to.rate(), (after - before) / sinkMails, err
}

// whileDraining measures sessions/authenticate while mails leave, and without
// them right before and right after.
func (b *bench) whileDraining(t *target, to *sink, name string) error {
	if !b.wanted(name) {
		return nil
	}
	// All measurements find every JWT signed.
	if err := t.configure(b.ctx, map[string]string{"session.jwt_reuse_seconds": "240"}); err != nil {
		return err
	}
	w := t.authenticate()
	if _, err := load(b.ctx, t.address, 16, b.duration/2, w); err != nil {
		return err
	}
	before, err := load(b.ctx, t.address, 16, b.duration/2, w)
	if err != nil {
		return err
	}
	to.reset()
	if err := b.enqueue(t, busyMails); err != nil {
		return err
	}
	m, err := load(b.ctx, t.address, 16, b.duration, w)
	if err != nil {
		return err
	}
	left, err := t.admin.Outbox.Stats(b.ctx)
	if err != nil {
		return err
	}
	if left == (outbox.Stats{}) {
		return errors.New("the mails had left before the measurement was over")
	}
	mails := to.rate()
	if err := b.outboxEmpty(t); err != nil {
		return err
	}
	after, err := load(b.ctx, t.address, 16, b.duration/2, w)
	if err != nil {
		return err
	}
	b.table.atLeast(name, fmt.Sprintf("%s, and %.0f mails/s", rate(m), mails), 2*m.Rate/(before.Rate+after.Rate), 0.6, "of without")
	return t.configure(b.ctx, map[string]string{"session.jwt_reuse_seconds": "30"})
}

// enqueue commits n mails at once.
func (b *bench) enqueue(t *target, n int) error {
	return t.admin.DB.Update(b.ctx, func(tx *store.Tx) error {
		for i := range n {
			m := delivery.Message{
				Channel: delivery.Email, Type: delivery.Login, To: filledAddress(i), Name: "Ada",
				Link: "http://localhost/v1/magic_links/redirect?stytch_token_type=magic_links&token=WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY",
			}
			if err := t.admin.Messages.Enqueue(tx, t.env, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// sink is a mail server that says yes to everything and looks for codes only.
type sink struct {
	net.Listener

	mu          sync.Mutex
	n           int
	first, last time.Time
	codes       map[string]string // the newest by recipient
}

func (s *sink) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.codes = 0, map[string]string{}
}

// code is the newest code that was sent to an address, or "".
func (s *sink) code(address string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.codes[address]
}

func (s *sink) rate() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return float64(s.n-1) / s.last.Sub(s.first).Seconds()
}

func (s *sink) took(to string, mail []byte) {
	code := codeIn(mail)
	s.mu.Lock()
	defer s.mu.Unlock()
	if code != "" {
		s.codes[to] = code
	}
	s.last = time.Now()
	if s.n++; s.n == 1 {
		s.first = s.last
	}
}

// codeIn finds the code of a mail: a line of six digits, which only the plain
// part has. It comes first.
func codeIn(mail []byte) string {
	for line := range bytes.Lines(mail) {
		line = bytes.TrimSpace(line)
		if len(line) == 6 && len(bytes.Trim(line, "0123456789")) == 0 {
			return string(line)
		}
	}
	return ""
}

func (s *sink) serve() {
	for {
		conn, err := s.Accept()
		if err != nil {
			return
		}
		go s.talk(textproto.NewConn(conn))
	}
}

// talk speaks SMTP with one client. Like any mail server of today it lets
// commands come together, and then answers them together.
func (s *sink) talk(c *textproto.Conn) {
	defer func() { _ = c.Close() }() // the client has gone
	answer := func(text string) error {
		_, err := c.W.WriteString(text + "\r\n")
		if err != nil || c.R.Buffered() > 0 {
			return err
		}
		return c.W.Flush()
	}
	var to string
	var mail bytes.Buffer
	err := answer("220 sink")
	for err == nil {
		var command string
		if command, err = c.ReadLine(); err != nil {
			return
		}
		switch {
		case strings.HasPrefix(command, "EHLO"):
			err = answer("250-sink\r\n250-PIPELINING\r\n250 8BITMIME")
		case strings.HasPrefix(command, "RCPT TO:<"):
			to, _, _ = strings.Cut(strings.TrimPrefix(command, "RCPT TO:<"), ">")
			err = answer("250 ok")
		case command == "DATA":
			if err = answer("354 go"); err != nil {
				return
			}
			mail.Reset()
			if _, err = mail.ReadFrom(c.DotReader()); err != nil {
				return
			}
			s.took(to, mail.Bytes())
			err = answer("250 ok")
		default:
			err = answer("250 ok")
		}
	}
}
