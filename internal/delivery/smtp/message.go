package smtp

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-msgauth/dkim"
	"golang.org/x/net/idna"

	"gatehouse/internal/delivery"
	"gatehouse/internal/outbox"
)

// letter is a message ready for the wire.
type letter struct {
	from, to mailbox
	utf8     bool     // an address needs SMTPUTF8
	data     []byte   // as it goes over the wire, the line that ends it included
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

func (m mailbox) named(name string) string {
	return (&netmail.Address{Name: headerText(name), Address: m.String()}).String()
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

// headerText is text for a header: one line, and nothing in it that reads as
// encoded already.
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
	name := m.From.Name
	if name == "" || m.DefaultName && s.fromName != "" {
		name = s.fromName
	}
	l := &letter{from: from, to: to, utf8: from.utf8() || to.utf8()}
	w := &writer{}
	w.Grow(len(m.Text) + len(m.HTML) + len(m.HTML)/8 + 2048)
	w.field("Auto-Submitted", "auto-generated") // RFC 3834: no vacation notices, please
	w.field("Date", m.CreatedAt.UTC().Format(time.RFC1123Z))
	w.field("MIME-Version", "1.0")
	w.field("Message-ID", "<"+messageID(m.ID)+"@"+from.domain+">")
	w.field("Subject", mime.QEncoding.Encode("UTF-8", headerText(m.Subject)))
	w.field("X-Auto-Response-Suppress", "All") // as the first, for Exchange
	w.field("From", from.named(name))
	w.field("To", to.named(""))
	if m.ReplyTo.LocalPart != "" || m.ReplyTo.Domain != "" {
		replyTo, ok := filled(m.ReplyTo, from)
		if !ok {
			return nil, errReplyTo
		}
		w.field("Reply-To", replyTo.named(m.ReplyTo.Name))
		l.utf8 = l.utf8 || replyTo.utf8()
	}
	w.body(m.Text, m.HTML)
	l.hidden = []string{m.To, to.String(), m.Subject, m.Link, m.Code, to.local}
	data, err := s.sign(w.Bytes())
	if err != nil {
		return nil, fmt.Errorf("smtp: signing the message: %s", printable(err.Error(), l.hidden))
	}
	l.data = ended(data)
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

// messageID is the left half of a Message-ID, always the same for the same id.
func messageID(id string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, id)
}

// sign puts a signature before the message, if there is to be one.
func (s *Sender) sign(message []byte) ([]byte, error) {
	if s.dkim == nil {
		return message, nil
	}
	var out bytes.Buffer
	err := dkim.Sign(&out, bytes.NewReader(message), s.dkim)
	return out.Bytes(), err
}
