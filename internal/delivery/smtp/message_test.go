package smtp

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/smtp/smtptest"
	"gatehouse/internal/outbox"
)

// arrived sends an envelope and returns what the server got, as bytes and read.
func arrived(t *testing.T, m *delivery.Envelope, change func(*Config), options ...smtptest.Option) (smtptest.Message, *netmail.Message) {
	t.Helper()
	server := smtptest.Start(t, options...)
	c := config(server)
	if change != nil {
		change(&c)
	}
	mustSend(t, open(t, c), m)
	got := server.Messages()[0]
	for line := range strings.SplitSeq(string(got.Data), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("a line that no mail has: %.100q", line)
		}
	}
	read, err := netmail.ReadMessage(bytes.NewReader(got.Data))
	if err != nil {
		t.Fatalf("%v in\n%s", err, got.Data)
	}
	return got, read
}

// fields lists the names of the header's fields in their order.
func fields(data []byte) (names []string) {
	header, _, _ := strings.Cut(string(data), "\r\n\r\n")
	for line := range strings.SplitSeq(header, "\r\n") {
		if line[0] != ' ' && line[0] != '\t' {
			name, _, _ := strings.Cut(line, ":")
			names = append(names, name)
		}
	}
	return names
}

type part struct{ kind, text string }

// parts reads the parts of a multipart/alternative, decoded, with \n.
func readParts(t *testing.T, m *netmail.Message) (parts []part) {
	t.Helper()
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "multipart/alternative" {
		text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
		if err != nil || m.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Fatal(err, m.Header)
		}
		return []part{{m.Header.Get("Content-Type"), strings.ReplaceAll(string(text), "\r\n", "\n")}}
	}
	reader := multipart.NewReader(m.Body, parameters["boundary"])
	for {
		p, err := reader.NextPart() // undoes quoted-printable
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part{p.Header.Get("Content-Type"), strings.ReplaceAll(string(text), "\r\n", "\n")})
	}
}

func decoded(t *testing.T, s string) string {
	t.Helper()
	text, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestStructure(t *testing.T) {
	m := envelope()
	m.ReplyTo = delivery.Address{Name: "Help", LocalPart: "help", Domain: "example.net"}
	got, read := arrived(t, m, nil)
	order := []string{
		"Auto-Submitted", "Date", "MIME-Version", "Message-ID", "Subject", "X-Auto-Response-Suppress",
		"From", "To", "Reply-To", "Content-Type",
	}
	if names := fields(got.Data); !slices.Equal(names, order) {
		t.Errorf("the header is %v\nwant %v", names, order)
	}
	for name, want := range map[string]string{
		"Auto-Submitted": "auto-generated", "Date": "Wed, 04 Mar 2026 04:06:07 +0000", "Mime-Version": "1.0",
		"Message-Id": "<message-test-0190a1b2@example.com>", "Subject": "Sign in to Example", "X-Auto-Response-Suppress": "All",
		"From": `"Example" <login@example.com>`, "To": "<ada@example.org>", "Reply-To": `"Help" <help@example.net>`,
	} {
		if v := read.Header[name]; len(v) != 1 || v[0] != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	want := []part{{"text/plain; charset=UTF-8", m.Text}, {"text/html; charset=UTF-8", m.HTML}}
	if p := readParts(t, read); !slices.Equal(p, want) {
		t.Errorf("the parts are %q", p)
	}
}

func TestOnePart(t *testing.T) {
	m := envelope()
	m.HTML = ""
	_, read := arrived(t, m, nil)
	if p := readParts(t, read); !slices.Equal(p, []part{{"text/plain; charset=UTF-8", m.Text}}) {
		t.Errorf("text alone gave %q", p)
	}
	m.HTML, m.Text = "<p>Grüße</p>", ""
	_, read = arrived(t, m, nil)
	if p := readParts(t, read); !slices.Equal(p, []part{{"text/html; charset=UTF-8", m.HTML + "\n"}}) {
		t.Errorf("HTML alone gave %q", p)
	}
}

func TestBodiesArriveAsTheyAre(t *testing.T) {
	for name, text := range map[string]string{
		"8-bit":        "Grüße aus 東京 👋\n",
		"long lines":   strings.Repeat("a long line without an end ", 500) + "\n" + strings.Repeat("x", 5000) + "\n",
		"dots":         ".\n..\n.hidden\n\n.\nQUIT\n",
		"from":         "From here on\n",
		"equals":       "a=3D b= \nc\t\n",
		"boundary":     "--\n--x--\nContent-Type: text/html\n\n<b>\n",
		"no newline":   "end",
		"empty":        "",
		"only newline": "\n\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			m := envelope()
			m.Text, m.HTML = text, "<p>"+text+"</p>"
			_, read := arrived(t, m, nil)
			p := readParts(t, read)
			if text == "" {
				// Without a text there is one part, which ends as a message does.
				p, m.HTML = append([]part{{}}, p...), m.HTML+"\n"
			}
			if len(p) != 2 || p[0].text != text || p[1].text != m.HTML {
				t.Errorf("got %.300q\nwant %.300q", p, text)
			}
		})
	}
	m := envelope()
	m.Text = "CR alone:\rLF alone:\nboth:\r\nbroken: \xff\n"
	_, read := arrived(t, m, nil)
	if p := readParts(t, read); p[0].text != "CR alone:\nLF alone:\nboth:\nbroken: \uFFFD\n" {
		t.Errorf("line ends arrived as %q", p[0].text)
	}
}

func TestHeadersAreEncoded(t *testing.T) {
	for name, subject := range map[string]string{
		"ascii":      "Sign in",
		"unicode":    "Anmeldung für 東京 👋",
		"very long":  strings.Repeat("Grüße ", 80) + "Ende",
		"long words": strings.Repeat("w", 480),
		"specials":   `"quoted" (comment) <a@b>, c: d; e\f`,
	} {
		t.Run(name, func(t *testing.T) {
			m := envelope()
			m.Subject = subject
			m.From.Name = subject
			_, read := arrived(t, m, nil)
			if got := decoded(t, read.Header.Get("Subject")); got != subject {
				t.Errorf("the subject arrived as %q", got)
			}
			from, err := read.Header.AddressList("From")
			if err != nil || len(from) != 1 || from[0].Name != subject || from[0].Address != "login@example.com" {
				t.Errorf("From arrived as %q, %v", read.Header.Get("From"), err)
			}
		})
	}
	m := envelope()
	m.Subject = "  a \t b\u2028c =?utf-8?q?d?= " + strings.Repeat("x ", 1000)
	_, read := arrived(t, m, nil)
	if got := read.Header.Get("Subject"); !strings.HasPrefix(got, "a b c = ?utf-8?q?d?= x x") || len(got) > mostHeader+1 {
		t.Errorf("the subject arrived as %q", got)
	}
}

// The fault: CWE-93, a line end in a value begins a header or a command of the
// attacker's.
func TestNothingInjectsHeadersOrCommands(t *testing.T) {
	plain, _ := arrived(t, envelope(), nil)
	for _, evil := range []string{"\r\nBcc: eve@example.net", "\nBcc: eve@example.net", "\r\n\r\n<b>Body</b>", "\rBcc: eve", "\x00", "\u0085Bcc: eve", "\u2028Bcc: eve"} {
		for name, set := range map[string]func(*delivery.Envelope, string){
			"subject":       func(m *delivery.Envelope, s string) { m.Subject += s },
			"from name":     func(m *delivery.Envelope, s string) { m.From.Name = "x" + s },
			"id":            func(m *delivery.Envelope, s string) { m.ID += s },
			"locale":        func(m *delivery.Envelope, s string) { m.Locale += s },
			"type":          func(m *delivery.Envelope, s string) { m.Type += delivery.Type(s) },
			"environment":   func(m *delivery.Envelope, s string) { m.EnvironmentID += s },
			"link":          func(m *delivery.Envelope, s string) { m.Link += s },
			"code":          func(m *delivery.Envelope, s string) { m.Code += s },
			"text":          func(m *delivery.Envelope, s string) { m.Text += s },
			"html":          func(m *delivery.Envelope, s string) { m.HTML += s },
			"name of reply": func(m *delivery.Envelope, s string) { m.ReplyTo.Name = s },
		} {
			m := envelope()
			set(m, evil)
			got, _ := arrived(t, m, func(c *Config) { c.FromName = "y" + evil })
			if names := fields(got.Data); !slices.Equal(names, fields(plain.Data)) || len(got.To) != 1 {
				t.Errorf("%q in the %s made the header %v for %v", evil, name, names, got.To)
			}
		}
		for name, set := range map[string]func(*delivery.Envelope, string){
			"to":             func(m *delivery.Envelope, s string) { m.To = "ada" + s + "@example.org" },
			"to's domain":    func(m *delivery.Envelope, s string) { m.To += s },
			"from":           func(m *delivery.Envelope, s string) { m.From.LocalPart = "x" + s },
			"from's domain":  func(m *delivery.Envelope, s string) { m.From.Domain = "example.com" + s },
			"reply":          func(m *delivery.Envelope, s string) { m.ReplyTo.LocalPart = "x" + s },
			"reply's domain": func(m *delivery.Envelope, s string) { m.ReplyTo.Domain = "example.com" + s },
		} {
			server := smtptest.Start(t)
			m := envelope()
			set(m, evil)
			err := open(t, config(server)).Send(t.Context(), m)
			if err == nil || outbox.IsPermanent(err) != strings.HasPrefix(name, "to") || server.Connections() != 0 {
				t.Errorf("%q in %s gave %v", evil, name, err)
			}
		}
	}
}

func TestFromIsFilledByTheSender(t *testing.T) {
	for want, from := range map[string]delivery.Address{
		`"Example" <login@example.com>`: {},
		`"Shop" <login@example.com>`:    {Name: "Shop"},
		`"Shop" <hello@example.com>`:    {Name: "Shop", LocalPart: "hello"},
		`"Example" <login@example.net>`: {Domain: "example.net"},
		`"Example" <a@xn--p1ai>`:        {LocalPart: "a", Domain: "РФ"},
	} {
		m := envelope()
		m.From = from
		got, read := arrived(t, m, nil)
		_, address, _ := strings.Cut(strings.TrimSuffix(want, ">"), "<")
		_, domain, _ := strings.Cut(address, "@")
		if read.Header.Get("From") != want || got.From != address || read.Header.Get("Message-Id") != "<message-test-0190a1b2@"+domain+">" {
			t.Errorf("%+v made %s, %s from %s", from, read.Header.Get("From"), read.Header.Get("Message-Id"), got.From)
		}
	}
	m := envelope()
	m.ReplyTo.LocalPart = "help"
	if _, read := arrived(t, m, nil); read.Header.Get("Reply-To") != "<help@example.com>" {
		t.Errorf("half an address to reply to made %s", read.Header.Get("Reply-To"))
	}
}

func TestInternationalAddresses(t *testing.T) {
	m := envelope()
	m.To = "ada@bücher.example"
	got, read := arrived(t, m, nil, smtptest.SMTPUTF8())
	if got.UTF8 || got.To[0] != "ada@xn--bcher-kva.example" || read.Header.Get("To") != "<ada@xn--bcher-kva.example>" {
		t.Errorf("a domain in Unicode went to %v, UTF8 %v", got.To, got.UTF8)
	}
	m.To = "jürgen@bücher.example"
	got, read = arrived(t, m, nil, smtptest.SMTPUTF8())
	if !got.UTF8 || got.To[0] != "jürgen@xn--bcher-kva.example" || read.Header.Get("To") != "<jürgen@xn--bcher-kva.example>" {
		t.Errorf("a name in Unicode went to %v as %s, UTF8 %v", got.To, read.Header.Get("To"), got.UTF8)
	}

	server := smtptest.Start(t)
	s := open(t, config(server))
	if err := s.Send(t.Context(), m); !outbox.IsPermanent(err) || err.Error() != errNoUTF8.Error() {
		t.Errorf("without SMTPUTF8: %v", err)
	}
	mustSend(t, s, envelope())
	if len(server.Messages()) != 1 || server.Connections() != 1 {
		t.Error("the connection was not kept, or too much was sent")
	}
}

func TestWhatCannotBeSent(t *testing.T) {
	for want, change := range map[error]func(*delivery.Envelope){
		errChannel:   func(m *delivery.Envelope) { m.Channel = delivery.SMS },
		errID:        func(m *delivery.Envelope) { m.ID = "" },
		errRecipient: func(m *delivery.Envelope) { m.To = "+15551234567" },
		errSender:    func(m *delivery.Envelope) { m.From.Domain = "a b" },
		errReplyTo:   func(m *delivery.Envelope) { m.ReplyTo.LocalPart = "a b" },
	} {
		m := envelope()
		change(m)
		err := open(t, Config{Host: "::1", From: "a@example.com"}).Send(t.Context(), m)
		if !errors.Is(err, want) || outbox.IsPermanent(err) != (want == errRecipient) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	for _, to := range []string{"", "@example.org", "ada@", "a..b@example.org", ".a@example.org", `"a b"@example.org`, "a@[192.0.2.1]", "a@b@example.org", "a<b@example.org", strings.Repeat("a", 65) + "@example.org"} {
		if m, ok := parseMailbox(to); ok {
			t.Errorf("%q passed as %v", to, m)
		}
	}
}

func TestDKIM(t *testing.T) {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"ed25519": edwards, "rsa": rsaKey} {
		t.Run(name, func(t *testing.T) {
			public, _ := key.Public().(ed25519.PublicKey)
			if public == nil {
				if public, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
					t.Fatal(err)
				}
			}
			lookup := func(domain string) ([]string, error) {
				if domain != "mail._domainkey.example.com" {
					return nil, errors.New("no such name: " + domain)
				}
				return []string{"v=DKIM1; k=" + name + "; p=" + base64.StdEncoding.EncodeToString(public)}, nil
			}
			m := envelope()
			m.Subject, m.Text = strings.Repeat("Grüße ", 30), "..\n.\n  two  spaces \n\n\n"
			got, _ := arrived(t, m, func(c *Config) { c.DKIM = &DKIM{"example.com", "mail", pemOf(t, key)} })
			verify := func(data string) error {
				found, err := dkim.VerifyWithOptions(strings.NewReader(data), &dkim.VerifyOptions{LookupTXT: lookup})
				if err != nil || len(found) != 1 {
					return errors.Join(err, errors.New("not one signature"))
				}
				return found[0].Err
			}
			data := string(got.Data)
			if err := verify(data); err != nil {
				t.Fatalf("%v in\n%s", err, data)
			}
			if !strings.HasPrefix(data, "DKIM-Signature: ") || !strings.Contains(data, "c=relaxed/relaxed") {
				t.Errorf("the signature is not the first, or another one:\n%s", data)
			}
			for what, changed := range map[string]string{
				"body":          strings.Replace(data, "spaces", "spades", 1),
				"subject":       strings.Replace(data, "Subject:", "Subject: x", 1),
				"a second From": strings.Replace(data, "From: ", "From: eve@example.net\r\nFrom: ", 1),
				"a Reply-To":    strings.Replace(data, "From: ", "Reply-To: eve@example.net\r\nFrom: ", 1),
			} {
				if changed == data || verify(changed) == nil {
					t.Errorf("a change of %s is not noticed", what)
				}
			}
			if err := verify(strings.Replace(data, "From: ", "Received: by x\r\nFROM:  ", 1)); err != nil {
				t.Errorf("what relays do breaks the signature: %v", err)
			}
		})
	}
}

// The same message has the same id with every attempt.
func TestMessageIDIsStable(t *testing.T) {
	server := smtptest.Start(t)
	c := config(server)
	now := start
	c.Now = func() time.Time { return now }
	s := open(t, c)
	mustSend(t, s, envelope())
	now = now.Add(time.Hour)
	mustSend(t, s, envelope())
	var ids []string
	for _, m := range server.Wait(t, 2) {
		read, err := netmail.ReadMessage(bytes.NewReader(m.Data))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, read.Header.Get("Message-Id")+read.Header.Get("Date"))
	}
	if ids[0] != ids[1] {
		t.Errorf("two attempts had %v", ids)
	}
}
