package smtp

import (
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/outbox"
)

// scripted is a mail server that answers each command by its first word, and
// notes what it is told.
type scripted struct {
	net.Listener
	answers map[string]string

	mu   sync.Mutex
	said []string
	most int // the most commands that had come when one was answered
}

func script(t *testing.T, answers map[string]string) (*scripted, Config) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s := &scripted{Listener: listener, answers: answers}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.talk(textproto.NewConn(conn))
		}
	}()
	return s, Config{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Security: None, From: "login@example.com"}
}

func (s *scripted) talk(c *textproto.Conn) {
	defer c.Close()
	err := c.PrintfLine("220 hello")
	for err == nil {
		var line string
		if line, err = c.ReadLine(); err != nil {
			return
		}
		rest, _ := c.R.Peek(c.R.Buffered())
		word, _, _ := strings.Cut(line, " ")
		s.mu.Lock()
		s.said = append(s.said, word)
		s.most = max(s.most, 1+strings.Count(string(rest), "\r\n"))
		answer := s.answers[word]
		s.mu.Unlock()
		if answer == "" {
			answer = "250 ok"
		}
		if err = c.PrintfLine("%s", answer); err == nil && strings.HasPrefix(answer, "354") {
			var body []byte
			body, err = c.ReadDotBytes()
			s.mu.Lock()
			s.said = append(s.said, "a message of "+map[bool]string{true: "nothing", false: "something"}[len(body) == 0])
			s.mu.Unlock()
			if err == nil {
				err = c.PrintfLine("250 taken")
			}
		}
	}
}

func (s *scripted) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.said, ", ")
}

func TestCommandsGoTogetherWhereTheServerAllowsIt(t *testing.T) {
	for _, c := range []struct {
		hello string
		most  int
	}{{"250 8BITMIME", 1}, {"250-8BITMIME\r\n250 PIPELINING", 3}} {
		server, config := script(t, map[string]string{"EHLO": c.hello, "DATA": "354 go"})
		mustSend(t, open(t, config), envelope())
		if got := server.heard(); got != "EHLO, MAIL, RCPT, DATA, a message of something" || server.most != c.most {
			t.Errorf("the server heard %s, %d at once; want %d", got, server.most, c.most)
		}
	}
}

// A server may want the message before it has told that it refuses the
// recipient. It gets none, and the connection serves the next one.
func TestARefusedRecipientGetsNoMessage(t *testing.T) {
	for data, want := range map[string]string{
		"354 go":          "EHLO, MAIL, RCPT, DATA, a message of nothing, RSET, MAIL, RCPT, DATA, a message of something",
		"503 no receiver": "EHLO, MAIL, RCPT, DATA, RSET, MAIL, RCPT, DATA, a message of something",
	} {
		server, config := script(t, map[string]string{"EHLO": "250-hello\r\n250 PIPELINING", "RCPT": "550 5.1.1 No such user", "DATA": data})
		s := open(t, config)
		if err := s.Send(t.Context(), envelope()); err == nil || !outbox.IsPermanent(err) || err.Error() != "smtp: the recipient: 550 5.1.1 No such user" {
			t.Errorf("sending gave %v", err)
		}
		server.mu.Lock()
		server.answers["RCPT"], server.answers["DATA"] = "", "354 go"
		server.mu.Unlock()
		mustSend(t, s, envelope())
		if got := server.heard(); got != want {
			t.Errorf("the server heard %s\nwant %s", got, want)
		}
	}
}

func TestQuotedPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		"plain = text\t.\n":             "plain =3D text\t.\r\n",
		"blank \ntab\t\r\nend ":         "blank=20\r\ntab=09\r\nend=20",
		"a\rb\r\n\nc":                   "a\r\nb\r\n\r\nc",
		"ü\x00\x7f":                     "=C3=BC=00=7F",
		strings.Repeat("x", 75):         strings.Repeat("x", 75),
		strings.Repeat("x", 76):         strings.Repeat("x", 75) + "=\r\nx",
		strings.Repeat("x", 73) + "=y":  strings.Repeat("x", 73) + "=\r\n=3Dy",
		strings.Repeat("x", 74) + " \n": strings.Repeat("x", 74) + "=\r\n=20\r\n",
		strings.Repeat(" ", 77) + "\n":  strings.Repeat(" ", 75) + "=\r\n =20\r\n",
	} {
		w := &writer{}
		if w.quoted(text); w.String() != want {
			t.Errorf("%q\n gave %q\n want %q", text, w.String(), want)
		}
	}
}

// A message is written in a small part of the time of a mail.
func BenchmarkWrite(b *testing.B) {
	s := open(b, Config{Host: "127.0.0.1", Security: None, From: "login@example.com", Now: func() time.Time { return start }})
	m := envelope()
	m.HTML = strings.Repeat(`<p class="gh-ink" style="margin:0 0 8px;color:#1c1d22">Some words.</p>`+"\n", 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.write(m); err != nil {
			b.Fatal(err)
		}
	}
}
