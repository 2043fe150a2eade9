package smtp

import (
	"bytes"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/wneessen/go-mail"
	"golang.org/x/net/idna"

	"gatehouse/internal/delivery"
	"gatehouse/internal/outbox"
)

// letter is a message ready for the wire.
type letter struct {
	from, to mailbox
	utf8     bool // an address needs SMTPUTF8
	data     []byte
	hidden   []string // what no error may repeat
}

// mailbox is an address that is safe to write into a command or a header.
type mailbox struct {
	local  string // a dot-atom, letters beyond ASCII included
	domain string // in ASCII
}

func (m mailbox) String() string { return m.local + "@" + m.domain }

func (m mailbox) utf8() bool {
	return strings.ContainsFunc(m.local, func(r rune) bool { return r >= utf8.RuneSelf })
}

func (m mailbox) named(name string) *netmail.Address {
	return &netmail.Address{Name: headerText(name), Address: m.String()}
}

func parseMailbox(address string) (mailbox, bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return mailbox{}, false
	}
	return newMailbox(address[:at], address[at+1:])
}

func newMailbox(local, domain string) (mailbox, bool) {
	m := mailbox{local, asciiDomain(domain)}
	return m, m.domain != "" && isLocalPart(local) && len(local)+1+len(m.domain) <= 254
}

// isLocalPart reports whether s can stand before the @ without quotes, which
// nobody's address needs and many servers refuse.
func isLocalPart(s string) bool {
	if s == "" || len(s) > 64 || !utf8.ValidString(s) || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for _, r := range s {
		if !unicode.IsGraphic(r) || unicode.IsSpace(r) || strings.ContainsRune(`()<>[]:;@\,"`, r) {
			return false
		}
	}
	return true
}

// The mapping by which addresses are made canonical where they come in, so
// that both name the same server.
var lookup = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckHyphens(false),
	idna.StrictDomainName(true), idna.VerifyDNSLength(true), idna.Transitional(false))

// asciiDomain is a domain as the DNS is asked for it, or "".
func asciiDomain(s string) string {
	domain, err := lookup.ToASCII(s)
	if err != nil || strings.HasSuffix(domain, ".") {
		return ""
	}
	return domain
}

// mostHeader keeps the longest word of a header within the 998 characters that
// a line may have.
const mostHeader = 500

// headerText is text for a header: one line that the library encodes where it
// must, and nothing in it that reads as encoded already.
func headerText(s string) string {
	s = line(s)
	if runes := []rune(s); len(runes) > mostHeader {
		s = string(runes[:mostHeader])
	}
	return strings.ReplaceAll(s, "=?", "= ?")
}

var (
	errChannel   = errors.New("smtp: only e-mail can be sent this way")
	errID        = errors.New("smtp: the message has no id")
	errRecipient = errors.New("smtp: the recipient's address cannot be written to")
	errSender    = errors.New("smtp: the sender's address is not valid (check the from of the template and of the sender)")
	errReplyTo   = errors.New("smtp: the address to reply to is not valid (check the template)")
)

// write turns an envelope into a letter.
func (s *Sender) write(m *delivery.Envelope) (*letter, error) {
	if m.Channel != delivery.Email {
		return nil, errChannel
	}
	if m.ID == "" {
		return nil, errID
	}
	to, ok := parseMailbox(m.To)
	if !ok {
		return nil, outbox.Permanent(errRecipient)
	}
	from, ok := filled(m.From, s.from)
	if !ok {
		return nil, errSender
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	name := m.From.Name
	if name == "" || m.DefaultName && s.fromName != "" {
		name = s.fromName
	}
	msg.FromMailAddress(from.named(name))
	msg.ToMailAddress(to.named(""))
	l := &letter{from: from, to: to, utf8: from.utf8() || to.utf8()}
	if m.ReplyTo.LocalPart != "" || m.ReplyTo.Domain != "" {
		replyTo, ok := filled(m.ReplyTo, from)
		if !ok {
			return nil, errReplyTo
		}
		msg.ReplyToMailAddress(replyTo.named(m.ReplyTo.Name))
		l.utf8 = l.utf8 || replyTo.utf8()
	}
	msg.Subject(headerText(m.Subject))
	msg.SetDateWithValue(m.CreatedAt.UTC())
	msg.SetMessageIDWithValue(messageID(m.ID) + "@" + from.domain)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")      // RFC 3834: no vacation notices, please
	msg.SetGenHeader(mail.HeaderXAutoResponseSuppress, "All") // the same for Exchange
	parts(msg, m)
	l.hidden = []string{m.To, to.String(), m.Subject, m.Link, m.Code, to.local}
	var err error
	if l.data, err = s.render(msg); err != nil {
		return nil, fmt.Errorf("smtp: writing the message: %s", printable(err.Error(), l.hidden))
	}
	return l, nil
}

// filled is an address whose empty halves come from another one.
func filled(a delivery.Address, other mailbox) (mailbox, bool) {
	if a.LocalPart == "" {
		a.LocalPart = other.local
	}
	if a.Domain == "" {
		a.Domain = other.domain
	}
	return newMailbox(a.LocalPart, a.Domain)
}

// parts sets the body: both parts where there are two, the plain one first. They
// go as quoted-printable, which any server and any line length can bear.
func parts(msg *mail.Msg, m *delivery.Envelope) {
	text, html := strings.ToValidUTF8(m.Text, "\uFFFD"), strings.ToValidUTF8(m.HTML, "\uFFFD")
	if html == "" || text != "" {
		msg.SetBodyString(mail.TypeTextPlain, text)
	} else {
		msg.SetBodyString(mail.TypeTextHTML, html)
		return
	}
	if html != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, html)
	}
}

// messageID is the left half of a Message-ID, always the same for the same id.
func messageID(id string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, id)
}

// render writes the message out and signs it.
func (s *Sender) render(msg *mail.Msg) ([]byte, error) {
	var plain bytes.Buffer
	if _, err := msg.WriteTo(&plain); err != nil {
		return nil, err
	}
	if s.dkim == nil {
		return plain.Bytes(), nil
	}
	var out bytes.Buffer
	if err := dkim.Sign(&out, &plain, s.dkim); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
