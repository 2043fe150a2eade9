// Package smtptest owns a mail server for tests: a real one, on a port of this
// machine, that keeps what it gets and does what it was told to at each point
// of the conversation. It never delivers anything and is never part of the
// product.
package smtptest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// Message is what the server got.
type Message struct {
	Hello string // how the client called itself
	User  string // who authenticated, "" for nobody
	TLS   bool   // whether the connection was protected
	UTF8  bool   // whether SMTPUTF8 was asked for
	From  string // of the envelope, without brackets
	To    []string
	Data  []byte // header and body, dot-stuffing undone
}

// Server is a running server.
type Server struct {
	Host  string         // 127.0.0.1
	Port  int            // a free one
	Roots *x509.CertPool // vouches for the server's certificate; nil without TLS

	username, password string
	mechanisms         []string

	changed *sync.Cond // told about each message; guards what follows
	replies map[Stage]Reply
	got     []Message
	open    map[*smtp.Conn]net.Conn
	all     int
	users   []string // everybody who tried to authenticate

	done chan struct{} // closed when the test ends
}

// Option changes how a server is.
type Option func(*Server, *smtp.Server)

// RequireAuth makes the server take mail from one user only, who proves it by
// one of the mechanisms, PLAIN and LOGIN.
func RequireAuth(username, password string, mechanisms ...string) Option {
	return func(s *Server, _ *smtp.Server) {
		s.username, s.password, s.mechanisms = username, password, mechanisms
	}
}

// SMTPUTF8 makes the server take addresses beyond ASCII.
func SMTPUTF8() Option {
	return func(_ *Server, server *smtp.Server) { server.EnableSMTPUTF8 = true }
}

// STARTTLS makes the server offer TLS, with a certificate for 127.0.0.1.
func STARTTLS(t testing.TB) Option {
	return func(s *Server, server *smtp.Server) { s.Roots, server.TLSConfig = certificate(t) }
}

// MaxTLS bounds the version of TLS; it follows STARTTLS.
func MaxTLS(version uint16) Option {
	return func(_ *Server, server *smtp.Server) {
		server.TLSConfig.MinVersion, server.TLSConfig.MaxVersion = tls.VersionTLS10, version
	}
}

// Start runs a server until the test ends. It accepts everything, unless an
// option or On says otherwise.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	return start(t, false, options)
}

// StartTLS is Start for a server that speaks TLS from the first byte.
func StartTLS(t testing.TB, options ...Option) *Server {
	t.Helper()
	return start(t, true, append([]Option{STARTTLS(t)}, options...))
}

func start(t testing.TB, secure bool, options []Option) *Server {
	t.Helper()
	s := &Server{
		changed: sync.NewCond(&sync.Mutex{}), replies: map[Stage]Reply{}, open: map[*smtp.Conn]net.Conn{},
		done: make(chan struct{}),
	}
	server := smtp.NewServer(smtp.BackendFunc(s.session))
	server.Domain = "mail.test"
	server.AllowInsecureAuth = true
	server.ErrorLog = log.New(io.Discard, "", 0) // clients that hang up are part of the tests
	for _, o := range options {
		o(s, server)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	s.Host, s.Port = address.IP.String(), address.Port
	listener = &counted{listener, s}
	if secure {
		listener = tls.NewListener(listener, server.TLSConfig)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		close(s.done)
		if err := server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("mail server: %v", err)
		}
		listener.Close() // Serve may not have come to know it yet
		<-served
	})
	return s
}

// counted is a listener that counts.
type counted struct {
	net.Listener
	server *Server
}

// Accept waits for the next connection.
func (c *counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.server.changed.L.Lock()
		c.server.all++
		c.server.changed.L.Unlock()
	}
	return conn, err
}

// Messages returns what has been accepted so far, oldest first.
func (s *Server) Messages() []Message {
	s.changed.L.Lock()
	defer s.changed.L.Unlock()
	return slices.Clone(s.got)
}

// Wait returns the messages once there are n of them, for what is sent in the
// background. The test fails when they have not come within ten seconds.
func (s *Server) Wait(t testing.TB, n int) []Message {
	t.Helper()
	late := false
	timer := time.AfterFunc(10*time.Second, func() {
		s.changed.L.Lock()
		late = true
		s.changed.L.Unlock()
		s.changed.Broadcast()
	})
	defer timer.Stop()
	s.changed.L.Lock()
	defer s.changed.L.Unlock()
	for len(s.got) < n && !late {
		s.changed.Wait()
	}
	if len(s.got) < n {
		t.Fatalf("%d messages arrived, want %d", len(s.got), n)
	}
	return slices.Clone(s.got)
}

// Connections counts the connections so far, those that are gone included.
func (s *Server) Connections() int {
	s.changed.L.Lock()
	defer s.changed.L.Unlock()
	return s.all
}

// Users lists who tried to authenticate so far, oldest attempt first.
func (s *Server) Users() []string {
	s.changed.L.Lock()
	defer s.changed.L.Unlock()
	return slices.Clone(s.users)
}

// HangUp ends all connections there are, as a server does with idle ones.
func (s *Server) HangUp() {
	s.changed.L.Lock()
	defer s.changed.L.Unlock()
	for _, conn := range s.open {
		conn.Close()
	}
}

// session is what the library calls when a client introduces itself.
func (s *Server) session(c *smtp.Conn) (smtp.Session, error) {
	if err := s.reply(c, Hello, c.Hostname()); err != nil {
		return nil, err
	}
	s.changed.L.Lock()
	s.open[c] = c.Conn()
	s.changed.L.Unlock()
	_, secure := c.TLSConnectionState()
	talk := &session{server: s, conn: c}
	talk.message.Hello, talk.message.TLS = c.Hostname(), secure
	if s.mechanisms != nil {
		return &authSession{talk}, nil
	}
	return talk, nil
}

// session is a conversation with a client.
type session struct {
	server  *Server
	conn    *smtp.Conn
	message Message
}

// Mail begins a message.
func (c *session) Mail(from string, options *smtp.MailOptions) error {
	if c.server.mechanisms != nil && c.message.User == "" {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	if err := c.server.reply(c.conn, From, from); err != nil {
		return err
	}
	c.message.From, c.message.UTF8 = from, options.UTF8
	return nil
}

// Rcpt names a recipient.
func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := c.server.reply(c.conn, Recipient, to); err != nil {
		return err
	}
	c.message.To = append(c.message.To, to)
	return nil
}

// Data takes the message itself.
func (c *session) Data(r io.Reader) error {
	// What is scripted happens when part of the message has come.
	first := make([]byte, 64)
	n, err := io.ReadFull(r, first)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if err := c.server.reply(c.conn, Data, ""); err != nil {
		return err
	}
	rest, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m := c.message
	m.To, m.Data = slices.Clone(m.To), bytes.Join([][]byte{first[:n], rest}, nil)
	s := c.server
	s.changed.L.Lock()
	s.got = append(s.got, m)
	s.changed.L.Unlock()
	s.changed.Broadcast()
	return nil
}

// Reset forgets a message that was begun.
func (c *session) Reset() { c.message.From, c.message.To, c.message.UTF8 = "", nil, false }

// Logout is the end of the conversation.
func (c *session) Logout() error {
	c.server.changed.L.Lock()
	delete(c.server.open, c.conn)
	c.server.changed.L.Unlock()
	return nil
}
