package smtp

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// writer builds a message as RFC 5322 and MIME have it.
type writer struct{ bytes.Buffer }

// widest is how long a line of the header gets where a space allows to fold it.
const widest = 76

// field writes a line of the header. The value is one line, and encoded.
func (w *writer) field(name, value string) {
	w.WriteString(name)
	w.WriteByte(':')
	width := len(name) + 1
	for word := range strings.SplitSeq(value, " ") {
		if width > len(name)+1 && width+1+len(word) > widest {
			w.WriteString("\r\n")
			width = 0
		}
		w.WriteByte(' ')
		w.WriteString(word)
		width += 1 + len(word)
	}
	w.WriteString("\r\n")
}

// boundary stands between parts. It has what quoted-printable never writes: an
// equals sign without hexadecimal digits or the end of the line behind it.
const boundary = "=_part"

// body ends the header and writes both parts where there are two, the plain one
// first. They go as quoted-printable, which any server and any line length can
// bear.
func (w *writer) body(text, html string) {
	text, html = valid(text), valid(html)
	switch {
	case html == "":
		w.part("text/plain", text)
	case text == "":
		w.part("text/html", html)
	default:
		w.field("Content-Type", `multipart/alternative; boundary="`+boundary+`"`)
		w.WriteString("\r\n--" + boundary + "\r\n")
		w.part("text/plain", text)
		w.WriteString("\r\n--" + boundary + "\r\n")
		w.part("text/html", html)
		w.WriteString("\r\n--" + boundary + "--\r\n")
		return
	}
	if !bytes.HasSuffix(w.Bytes(), []byte("\r\n")) {
		w.WriteString("\r\n")
	}
}

// valid is text in UTF-8. To look first is much faster than to mend at once.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func (w *writer) part(kind, text string) {
	w.field("Content-Type", kind+"; charset=UTF-8")
	w.field("Content-Transfer-Encoding", "quoted-printable")
	w.WriteString("\r\n")
	w.quoted(text)
}

// asIs are the bytes that quoted-printable leaves alone, blanks apart from those
// that end a line among them.
var asIs = func() (is [256]bool) {
	for b := ' '; b <= '~'; b++ {
		is[b] = b != '='
	}
	is['\t'] = true
	return is
}()

// quoted writes text as quoted-printable (RFC 2045, section 6.7). The library
// looks at each byte by itself, which takes half of the time of a message.
func (w *writer) quoted(text string) {
	const room = 75 // and an equals sign where a line goes on
	width := 0
	for text != "" {
		n := 0
		for n < len(text) && n < room-width && asIs[text[n]] {
			n++
		}
		ends := n == len(text) || text[n] == '\r' || text[n] == '\n'
		if ends && n > 0 && (text[n-1] == ' ' || text[n-1] == '\t') {
			n-- // nobody keeps blanks at the end of a line
		}
		w.WriteString(text[:n])
		width += n
		text = text[n:]
		switch {
		case text == "":
		case strings.HasPrefix(text, "\r\n"):
			w.WriteString("\r\n")
			width, text = 0, text[2:]
		case text[0] == '\r' || text[0] == '\n':
			w.WriteString("\r\n")
			width, text = 0, text[1:]
		case width+len("=XX") > room:
			w.WriteString("=\r\n")
			width = 0
		case ends || !asIs[text[0]]:
			const hex = "0123456789ABCDEF"
			w.Write([]byte{'=', hex[text[0]>>4], hex[text[0]&15]})
			width, text = width+len("=XX"), text[1:]
		}
	}
}

// ended is a message as it goes over the wire: a dot more before each line that
// begins with one, and a dot alone as the last line (RFC 5321, section 4.5.2).
func ended(message []byte) []byte {
	if bytes.Contains(message, []byte("\r\n.")) {
		message = bytes.ReplaceAll(message, []byte("\r\n."), []byte("\r\n.."))
	}
	return append(message, ".\r\n"...)
}
