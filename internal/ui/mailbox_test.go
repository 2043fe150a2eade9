package ui

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/wire"
)

// mails is a mailbox of one message for each recipient, which a test looks into.
type mails struct {
	list    []MailboxMessage
	html    map[string]string
	cleared []string
	reads   int
	broken  bool
}

func (m *mails) mailbox() Mailbox {
	return Mailbox{
		Version: func(context.Context) (string, error) { return time.Duration(len(m.list)).String(), m.err() },
		List: func(context.Context) ([]MailboxMessage, error) {
			m.reads++
			return m.list, m.err()
		},
		HTML: func(_ context.Context, id string) (string, error) { return m.html[id], m.err() },
		Clear: func(_ context.Context, to string) (int, error) {
			m.cleared = append(m.cleared, to)
			return 2, m.err()
		},
	}
}

func (m *mails) err() error {
	if m.broken {
		return errors.New("the disk is full of token=abc")
	}
	return nil
}

func (m *mails) server() http.Handler {
	return wire.NewServer(wire.Config{Now: func() time.Time { return time.Time{} }},
		wire.Raw(http.MethodGet, "/dev/mailbox.json", wire.Open, DevMailbox(m.mailbox())),
		wire.Raw(http.MethodDelete, "/dev/mailbox.json", wire.Open, DevMailbox(m.mailbox())),
		wire.Raw(http.MethodGet, "/dev/mailbox/{message_id}/html", wire.Open, DevMailboxHTML(m.mailbox())))
}

// ask sends a request as the page does; headers come in pairs.
func ask(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host, r.RemoteAddr = "localhost:8080", "127.0.0.1:5000"
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const mail = "<!DOCTYPE html>\n<html lang=\"en\"><head><title>Sign in</title></head><body><a href=\"https://acme.example/?token=abc\">Sign in</a></body></html>"

func oneMail() *mails {
	return &mails{
		list: []MailboxMessage{{MessageID: "message-1", Channel: "email", To: "ada@example.com", Link: "https://acme.example/?token=abc", HasHTML: true}},
		html: map[string]string{"message-1": mail},
	}
}

func TestTheMailboxIsReadOnlyWhenThereIsNews(t *testing.T) {
	m := oneMail()
	s := m.server()
	var first struct {
		Version  string           `json:"version"`
		Messages []MailboxMessage `json:"messages"`
	}
	w := ask(s, http.MethodGet, "/dev/mailbox.json?version=")
	if err := json.Unmarshal(w.Body.Bytes(), &first); err != nil || len(first.Messages) != 1 || first.Messages[0] != m.list[0] {
		t.Fatalf("answered %d %s", w.Code, w.Body)
	}
	if w := ask(s, http.MethodGet, "/dev/mailbox.json?version="+first.Version); w.Code != 200 || strings.Contains(w.Body.String(), "messages") || m.reads != 1 {
		t.Errorf("the same version again answered %d %s, after %d reads", w.Code, w.Body, m.reads)
	}
	m.list = append(m.list, MailboxMessage{MessageID: "message-2"})
	if w := ask(s, http.MethodGet, "/dev/mailbox.json?version="+first.Version); !strings.Contains(w.Body.String(), "message-2") {
		t.Errorf("news answered %d %s", w.Code, w.Body)
	}
}

func TestClearingNamesWhose(t *testing.T) {
	m := oneMail()
	s := m.server()
	for _, target := range []string{"/dev/mailbox.json?to=%2B14155552671", "/dev/mailbox.json"} {
		if w := ask(s, http.MethodDelete, target); w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"deleted":2}` {
			t.Errorf("%s answered %d %s", target, w.Code, w.Body)
		}
	}
	if len(m.cleared) != 2 || m.cleared[0] != "+14155552671" || m.cleared[1] != "" {
		t.Errorf("cleared %q", m.cleared)
	}
}

// A mail is written by templates that an operator may change, about data that strangers may choose: it may do nothing
// to the page around it, and its links must still work.
func TestAMailIsSandboxed(t *testing.T) {
	w := ask(oneMail().server(), http.MethodGet, "/dev/mailbox/message-1/html", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Mode", "navigate")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("answered %d %v", w.Code, w.Header())
	}
	csp := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{
		"sandbox allow-popups allow-popups-to-escape-sandbox;", "default-src 'none'", "img-src https: data:", "style-src 'unsafe-inline'",
		"form-action 'none'", "base-uri 'none'", "frame-ancestors 'self'",
	} {
		if !strings.Contains(csp, want) {
			t.Errorf("the policy lacks %s: %s", want, csp)
		}
	}
	for name, want := range map[string]string{
		"X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Cross-Origin-Opener-Policy": "", "Access-Control-Allow-Origin": "",
	} {
		if w.Header().Get(name) != want {
			t.Errorf("%s is %q, want %q", name, w.Header().Get(name), want)
		}
	}
	if !strings.HasPrefix(w.Body.String(), "<!DOCTYPE html>\n<html lang=\"en\"><head><base target=\"_blank\"><title>") {
		t.Errorf("its links do not open beside it: %s", w.Body)
	}
}

func TestLinksOpenBesideWhateverAMailBeginsWith(t *testing.T) {
	const base = `<base target="_blank">`
	for mail, want := range map[string]string{
		"":                                   base,
		"Hello":                              base + "Hello",
		"<p>Hello</p>":                       base + "<p>Hello</p>",
		"<header>x</header>":                 base + "<header>x</header>",
		"<!doctype html><p>x":                "<!doctype html>" + base + "<p>x",
		"<html><body>x":                      "<html>" + base + "<body>x",
		" <!doctype html>\n<html><head >x":   " <!doctype html>\n<html><head >" + base + "x",
		"<!-- a --><html><head\nid=h>x":      "<!-- a --><html><head\nid=h>" + base + "x",
		"<html><head><base target=_self>":    "<html><head>" + base + "<base target=_self>",
		"<!doctype html><!-- a\nb --><head>": "<!doctype html><!-- a\nb --><head>" + base,
	} {
		if got := openingBeside(mail); got != want {
			t.Errorf("%q became %q, want %q", mail, got, want)
		}
	}
}

func TestTheMailboxGoesOnlyToItsPageOnThisMachine(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(r *http.Request)
	}{
		{"another site", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }},
		{"another app on this machine", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }},
		{"another origin, by its own word", func(r *http.Request) { r.Header.Set("Origin", "http://localhost:3000") }},
		{"another machine", func(r *http.Request) { r.RemoteAddr = "192.168.1.7:5000" }},
		{"a name rebound to this machine", func(r *http.Request) { r.Host = "evil.example:8080" }},
		{"a proxy", func(r *http.Request) { r.Header.Set("X-Forwarded-For", "203.0.113.9") }},
	} {
		m := oneMail()
		s := m.server()
		for _, call := range [][2]string{{http.MethodGet, "/dev/mailbox.json"}, {http.MethodDelete, "/dev/mailbox.json"}, {http.MethodGet, "/dev/mailbox/message-1/html"}} {
			r := httptest.NewRequest(call[0], call[1], nil)
			r.Host, r.RemoteAddr = "localhost:8080", "127.0.0.1:5000"
			c.edit(r)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != 403 || !strings.Contains(w.Body.String(), "dev_mailbox_is_local") || strings.Contains(w.Body.String(), "token=abc") {
				t.Errorf("%s: %v answered %d %s", c.name, call, w.Code, w.Body)
			}
			if w.Header().Get("X-Frame-Options") != "DENY" || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %v answered with %v", c.name, call, w.Header())
			}
		}
		if m.cleared != nil || m.reads != 0 {
			t.Errorf("%s got through: %+v", c.name, m)
		}
	}
}

func TestTheMailboxSaysWhatIsWrongAndNoMore(t *testing.T) {
	m := oneMail()
	s := m.server()
	if w := ask(s, http.MethodGet, "/dev/mailbox/message-2/html"); w.Code != 404 || !strings.Contains(w.Body.String(), "mailbox_message_has_no_html") {
		t.Errorf("a message without HTML answered %d %s", w.Code, w.Body)
	}
	m.broken = true
	for _, call := range [][2]string{{http.MethodGet, "/dev/mailbox.json"}, {http.MethodDelete, "/dev/mailbox.json"}, {http.MethodGet, "/dev/mailbox/message-1/html"}} {
		if w := ask(s, call[0], call[1]); w.Code != 500 || strings.Contains(w.Body.String(), "token=abc") {
			t.Errorf("%v answered %d %s", call, w.Code, w.Body)
		}
	}
}

// Only the mailbox has a frame, and only one of its own server's.
func TestOnlyTheMailboxHasFrames(t *testing.T) {
	for path, page := range pagesOf(New()) {
		csp := get(t, page, path).Header().Get("Content-Security-Policy")
		if framed := strings.Contains(csp, "frame-src 'self'"); framed != (path == "/mailbox") {
			t.Errorf("%s: %s", path, csp)
		}
	}
}
