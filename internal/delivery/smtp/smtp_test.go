package smtp

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/smtp/smtptest"
	"gatehouse/internal/outbox"
)

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("", 3600))

func envelope() *delivery.Envelope {
	return &delivery.Envelope{
		ID: "message-test-0190a1b2", Channel: delivery.Email, Type: delivery.Login, Locale: "en", To: "ada@example.org",
		Subject: "Sign in to Example", Text: "Hello\n\nhttps://example.com/x?token=s3cret\n", HTML: "<p>Hello</p>\n",
		Link: "https://example.com/x?token=s3cret", Code: "481516", CreatedAt: start,
	}
}

// config is for a server, without TLS.
func config(server *smtptest.Server) Config {
	return Config{
		Host: server.Host, Port: server.Port, Security: None, From: "login@example.com", FromName: "Example",
		TimeoutSeconds: 20, roots: server.Roots,
	}
}

func open(t testing.TB, c Config) *Sender {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustSend(t testing.TB, s *Sender, m *delivery.Envelope) {
	t.Helper()
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func TestMessagesShareAConnection(t *testing.T) {
	server := smtptest.Start(t)
	s := open(t, config(server))
	for range 3 {
		mustSend(t, s, envelope())
	}
	got := server.Messages()
	if len(got) != 3 || server.Connections() != 1 {
		t.Fatalf("%d messages over %d connections", len(got), server.Connections())
	}
	if m := got[2]; m.From != "login@example.com" || len(m.To) != 1 || m.To[0] != "ada@example.org" || m.Hello != "example.com" || m.UTF8 {
		t.Errorf("the server got %+v", m)
	}
}

func TestConnectionsEndAfterSomeMessages(t *testing.T) {
	server := smtptest.Start(t)
	s := open(t, config(server))
	for range mostUsed + 1 {
		mustSend(t, s, envelope())
	}
	if server.Connections() != 2 {
		t.Errorf("%d messages went over %d connections", mostUsed+1, server.Connections())
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	server := smtptest.Start(t)
	c := config(server)
	c.MaxConnections = 2
	s := open(t, c)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			if err := s.Send(t.Context(), envelope()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := server.Connections(); len(server.Messages()) != 40 || n > 2 {
		t.Errorf("%d messages over %d connections, want 40 over 2", len(server.Messages()), n)
	}
}

func TestOldConnectionsAreReplaced(t *testing.T) {
	server := smtptest.Start(t)
	c := config(server)
	now := start
	c.Now = func() time.Time { return now }
	s := open(t, c)
	for _, step := range []struct {
		wait        time.Duration
		connections int
	}{{0, 1}, {keptFor - 1, 1}, {keptFor, 2}, {-time.Second, 3}, {0, 3}} {
		now = now.Add(step.wait)
		mustSend(t, s, envelope())
		if n := server.Connections(); n != step.connections {
			t.Errorf("after %v there were %d connections, want %d", step.wait, n, step.connections)
		}
	}
}

func TestDeadConnectionIsReplacedOnce(t *testing.T) {
	server := smtptest.Start(t)
	s := open(t, config(server))
	mustSend(t, s, envelope())
	server.HangUp()
	mustSend(t, s, envelope())
	if n := server.Connections(); n != 2 || len(server.Messages()) != 2 {
		t.Errorf("%d messages over %d connections", len(server.Messages()), n)
	}

	// A server that has had enough says 421 before it takes notice.
	server.On(smtptest.From, smtptest.Once(smtptest.Refuse(421, [3]int{4, 7, 0}, "Too many messages")))
	mustSend(t, s, envelope())

	// On a fresh connection it is final.
	server.On(smtptest.From, smtptest.Drop())
	if err := s.Send(t.Context(), envelope()); err == nil || outbox.IsPermanent(err) {
		t.Errorf("sending to a server that hangs up is %v", err)
	}
	if n := server.Connections(); n != 4 {
		t.Errorf("there were %d connections, want one more attempt and no third", n)
	}
}

func TestDropInTheMiddleIsNotRetriedHere(t *testing.T) {
	server := smtptest.Start(t)
	s := open(t, config(server))
	mustSend(t, s, envelope())
	server.On(smtptest.Data, smtptest.Once(smtptest.Drop()))
	m := envelope()
	m.Text = strings.Repeat("A long message.\n", 100_000)
	err := s.Send(t.Context(), m)
	if err == nil || outbox.IsPermanent(err) || !strings.HasPrefix(err.Error(), "smtp: the message: ") {
		t.Errorf("a connection dropped in the middle gave %v", err)
	}
	if n := len(server.Messages()); n != 1 {
		t.Errorf("%d messages arrived: whether the server has taken one is for the queue to risk, not for us", n)
	}
	mustSend(t, s, m)
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		at        smtptest.Stage
		reply     smtptest.Reply
		permanent bool
		text      string
		keeps     bool // the connection, for the next message
	}{
		"recipient unknown":    {smtptest.Recipient, smtptest.Refuse(550, [3]int{5, 1, 1}, "No such user"), true, "smtp: the recipient: 550 5.1.1 No such user", true},
		"recipient for now":    {smtptest.Recipient, smtptest.Refuse(451, [3]int{4, 7, 1}, "Greylisted"), false, "smtp: the recipient: 451 4.7.1 Greylisted", true},
		"recipient's box full": {smtptest.Recipient, smtptest.Refuse(452, [3]int{4, 2, 2}, "Full"), false, "smtp: the recipient: 452 4.2.2 Full", true},
		"recipient and end":    {smtptest.Recipient, smtptest.Refuse(421, [3]int{4, 3, 2}, "Going down"), false, "smtp: the recipient: 421 4.3.2 Going down", false},
		"no relay":             {smtptest.Recipient, smtptest.Refuse(554, [3]int{5, 7, 1}, "Relay access denied"), false, "smtp: the recipient: 554 5.7.1 Relay access denied (this server relays for nobody it does not know: check username and password)", true},
		"recipient wants auth": {smtptest.Recipient, smtptest.Refuse(530, [3]int{5, 7, 0}, "Log in"), false, "smtp: the recipient: 530 5.7.0 Log in (check username and password)", true},
		"sender refused":       {smtptest.From, smtptest.Refuse(553, [3]int{5, 7, 1}, "Not yours"), false, "smtp: the sender's address: 553 5.7.1 Not yours (check from, and as whom this account may send)", false},
		"sender for now":       {smtptest.From, smtptest.Refuse(450, [3]int{4, 7, 1}, "Slow down"), false, "smtp: the sender's address: 450 4.7.1 Slow down", false},
		"policy":               {smtptest.Data, smtptest.Refuse(554, [3]int{5, 7, 1}, "Spam"), true, "smtp: the message: 554 5.7.1 Spam", true},
		"address, late":        {smtptest.Data, smtptest.Refuse(550, [3]int{5, 1, 1}, "No such user"), true, "smtp: the message: 550 5.1.1 No such user", true},
		"server's own fault":   {smtptest.Data, smtptest.Refuse(554, [3]int{5, 3, 0}, "Disk"), false, "smtp: the message: 554 5.3.0 Disk", true},
		"message for now":      {smtptest.Data, smtptest.Refuse(451, [3]int{4, 3, 0}, "Later"), false, "smtp: the message: 451 4.3.0 Later", true},
	} {
		t.Run(name, func(t *testing.T) {
			server := smtptest.Start(t)
			s := open(t, config(server))
			server.On(c.at, smtptest.Once(c.reply))
			err := s.Send(t.Context(), envelope())
			if err == nil || err.Error() != c.text || outbox.IsPermanent(err) != c.permanent {
				t.Errorf("permanent %v: %v\nwant %v: %s", outbox.IsPermanent(err), err, c.permanent, c.text)
			}
			mustSend(t, s, envelope())
			if kept := server.Connections() == 1; kept != c.keeps || len(server.Messages()) != 1 {
				t.Errorf("the connection was kept: %v; %d messages arrived", kept, len(server.Messages()))
			}
		})
	}
}

func TestErrorsRepeatNothing(t *testing.T) {
	m := envelope()
	m.Subject = "Sign in,  Ada"
	for name, c := range map[string]struct{ says, want string }{
		"the address":    {"<Ada@Example.org>: ada@example.org is unknown", "<[...]>: [...] is unknown"},
		"half of it":     {"user ada. unknown, adamant", "user [...] unknown, adamant"},
		"another's":      {"x <eve@example.net> says no", "x <[...]> says no"},
		"the subject":    {"'sign in, ada' looks bad", "'[...]' looks bad"},
		"the code":       {"found 481516 in it", "found [...] in it"},
		"the link":       {"bad " + m.Link + " here", "bad [...] here"},
		"some link":      {"see HTTP://example.com/a?b", "see [...]"},
		"control":        {"a\x1b[31mb\u0085c", "a [31mb c"},
		"too many words": {strings.Repeat("é", 300), strings.Repeat("é", 200-len("5.7.1 "))},
	} {
		t.Run(name, func(t *testing.T) {
			server := smtptest.Start(t)
			server.On(smtptest.Recipient, smtptest.Refuse(550, [3]int{5, 7, 1}, c.says))
			err := open(t, config(server)).Send(t.Context(), m)
			if want := "smtp: the recipient: 550 5.7.1 " + c.want; err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestDeadlines(t *testing.T) {
	for name, at := range map[string]smtptest.Stage{
		"hello": smtptest.Hello, "from": smtptest.From, "recipient": smtptest.Recipient, "data": smtptest.Data,
	} {
		t.Run(name, func(t *testing.T) {
			server := smtptest.Start(t)
			reached := make(chan struct{})
			hang := smtptest.Hang()
			server.On(at, smtptest.Once(func(value string) error { close(reached); return hang(value) }))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() { <-reached; cancel() }()
			s := open(t, config(server))
			err := s.Send(ctx, envelope())
			if !errors.Is(err, context.Canceled) || outbox.IsPermanent(err) {
				t.Errorf("sending to a server that hangs gave %v", err)
			}
			mustSend(t, s, envelope()) // not over the connection that hangs
		})
	}
	t.Run("of the sender itself", func(t *testing.T) {
		server := smtptest.Start(t)
		server.On(smtptest.Recipient, smtptest.Hang())
		c := config(server)
		c.TimeoutSeconds = 1
		if err := open(t, c).Send(t.Context(), envelope()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second later: %v", err)
		}
	})
	t.Run("while waiting for a connection", func(t *testing.T) {
		server := smtptest.Start(t)
		c := config(server)
		c.MaxConnections = 1
		s := open(t, c)
		s.slots <- struct{}{}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Send(ctx, envelope()); !errors.Is(err, context.Canceled) || server.Connections() != 0 {
			t.Errorf("waiting gave %v", err)
		}
	})
}

func TestAuthentication(t *testing.T) {
	for _, mechanisms := range [][]string{{"PLAIN"}, {"LOGIN"}, {"LOGIN", "PLAIN"}, {"X-OTHER", "LOGIN"}} {
		t.Run(strings.Join(mechanisms, " "), func(t *testing.T) {
			server := smtptest.Start(t, smtptest.STARTTLS(t), smtptest.RequireAuth("Gate", "höuse 1", mechanisms...))
			c := config(server)
			c.Security, c.Username, c.Password = StartTLS, "Gate", "höuse 1"
			s := open(t, c)
			if err := s.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			mustSend(t, s, envelope())
			if m := server.Messages()[0]; m.User != "Gate" || !m.TLS {
				t.Errorf("the server got %+v", m)
			}

			c.Password = "wrong"
			for what, err := range map[string]error{
				"send": open(t, c).Send(t.Context(), envelope()), "verify": open(t, c).Verify(t.Context()),
			} {
				const want = "smtp: authenticating: 535 5.7.8 Authentication failed (check username and password)"
				if err == nil || err.Error() != want || outbox.IsPermanent(err) {
					t.Errorf("%s with a wrong password gave %v", what, err)
				}
			}
		})
	}
	for name, c := range map[string]struct {
		options []smtptest.Option
		user    string
		want    string
	}{
		"none offered":    {nil, "gate", "smtp: authenticating: the server offers no authentication here; use another port, or no username"},
		"others offered":  {[]smtptest.Option{smtptest.RequireAuth("a", "b", "SCRAM-SHA-1")}, "gate", "smtp: authenticating: the server offers neither PLAIN nor LOGIN to authenticate"},
		"no username set": {[]smtptest.Option{smtptest.RequireAuth("a", "b", "PLAIN")}, "", "smtp: the sender's address: 530 5.7.0 Authentication required (check username and password)"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := config(smtptest.Start(t, c.options...))
			if conf.Username = c.user; c.user != "" {
				conf.Password = "house"
			}
			err := open(t, conf).Send(t.Context(), envelope())
			if err == nil || err.Error() != c.want || outbox.IsPermanent(err) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestPasswordsAreNotRepeated(t *testing.T) {
	server := smtptest.Start(t, smtptest.RequireAuth("gatekeeper", "house42", "PLAIN"))
	plain := base64.StdEncoding.EncodeToString([]byte("\x00gatekeeper\x00house42"))
	server.On(smtptest.Auth, smtptest.Refuse(500, [3]int{5, 5, 1}, "gatekeeper? house42? AUTH PLAIN "+plain))
	c := config(server)
	c.Username, c.Password = "gatekeeper", "house42"
	err := open(t, c).Verify(t.Context())
	if err == nil || err.Error() != "smtp: authenticating: 500 5.5.1 [...]? [...]? AUTH PLAIN [...] (check username and password)" {
		t.Errorf("got %v", err)
	}
}

func TestTLS(t *testing.T) {
	secure := func(server *smtptest.Server, security string) Config {
		c := config(server)
		c.Security, c.Username, c.Password = security, "gate", "house"
		return c
	}
	auth := smtptest.RequireAuth("gate", "house", "PLAIN")
	starttls := smtptest.Start(t, auth, smtptest.STARTTLS(t))
	implicit := smtptest.StartTLS(t, auth)
	for name, c := range map[string]Config{"starttls": secure(starttls, ""), "tls": secure(implicit, TLS)} {
		t.Run(name, func(t *testing.T) {
			s := open(t, c)
			mustSend(t, s, envelope())
			mustSend(t, s, envelope())
		})
	}
	if m := implicit.Messages(); len(m) != 2 || !m[0].TLS || implicit.Connections() != 1 {
		t.Errorf("over TLS arrived %+v", m)
	}

	plain, old := smtptest.Start(t, auth), smtptest.Start(t, auth, smtptest.STARTTLS(t), smtptest.MaxTLS(tls.VersionTLS11))
	unknown, unknownToo, named := secure(starttls, StartTLS), secure(implicit, TLS), secure(starttls, StartTLS)
	unknown.roots, unknownToo.roots = plain.Roots, plain.Roots
	named.Host = "localhost" // the certificate is for 127.0.0.1
	for name, c := range map[string]struct {
		config Config
		want   string
	}{
		"downgrade":             {secure(plain, StartTLS), "does not offer STARTTLS"},
		"unknown authority":     {unknown, "certificate"},
		"unknown authority tls": {unknownToo, "certificate"},
		"another's certificate": {named, "certificate"},
		"too old":               {secure(old, StartTLS), "protocol version"},
		"tls to a plain server": {secure(plain, TLS), "TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			err := open(t, c.config).Send(t.Context(), envelope())
			if err == nil || outbox.IsPermanent(err) || !strings.HasPrefix(err.Error(), "smtp: protecting the connection with TLS: ") ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if users := plain.Users(); len(users)+len(old.Users()) != 0 || len(starttls.Users())+len(implicit.Users()) != 2 {
		t.Error("a password left before the connection was safe")
	}
}

func TestPlaintextStaysOnThisMachine(t *testing.T) {
	s := open(t, Config{Host: "localhost", Security: None, From: "a@example.com"})
	if err := s.allowed("tcp", "192.0.2.1:25", nil); err == nil {
		t.Error("localhost may lead to another machine")
	}
	for _, address := range []string{"127.0.0.1:25", "127.8.8.8:25", "[::1]:25"} {
		if err := s.allowed("tcp", address, nil); err != nil {
			t.Error(err)
		}
	}
	s = open(t, Config{Host: "mail", Security: None, AllowPlaintext: true, From: "a@example.com"})
	if err := s.allowed("tcp", "192.0.2.1:25", nil); err != nil {
		t.Error(err)
	}
}

func TestNoServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Security: None, From: "a@example.com"}
	listener.Close()
	s := open(t, c)
	for _, err := range []error{s.Verify(t.Context()), s.Send(t.Context(), envelope())} {
		if err == nil || outbox.IsPermanent(err) || !strings.HasPrefix(err.Error(), "smtp: connecting to the server: dial tcp 127.0.0.1:") {
			t.Errorf("without a server: %v", err)
		}
	}
}

// A server that never stops talking must not fill the memory.
func TestEndlessReply(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		for err == nil {
			_, err = conn.Write([]byte(strings.Repeat("220-hello", 1000)))
		}
	}()
	c := Config{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Security: None, From: "a@example.com"}
	err = open(t, c).Verify(t.Context())
	if err == nil || !strings.Contains(err.Error(), errTooMuch.Error()) {
		t.Errorf("got %v", err)
	}
}

func TestClose(t *testing.T) {
	server := smtptest.Start(t)
	s := open(t, config(server))
	mustSend(t, s, envelope())
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), envelope()); !errors.Is(err, errClosed) || len(s.idle) != 0 {
		t.Errorf("after the end: %v, %d connections", err, len(s.idle))
	}
}
