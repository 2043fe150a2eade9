package template

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// frame is mail.html as html/template executes it for one look and one set of
// parts, with holes for what a mail says. Executing it for each mail again took
// most of the time of wording one.
type frame struct {
	spans []span
	after string
}

// span is what stands before a hole, and what goes into it.
type span struct {
	before string
	hole   int  // of says
	href   bool // a URL goes there, and not text
}

// kind is what the frames of two mails differ in.
type kind struct {
	style  look
	parts  uint64 // a bit for each thing a mail says, of those that it does
	fields int    // how many there are
}

// maxFrames bounds how many are remembered at a time.
const maxFrames = 256

// frames are those made so far. They hold nothing that a mail says.
var frames = struct {
	sync.Mutex
	made map[kind]*frame
}{made: map[kind]*frame{}}

// says lists everything that a mail says, for frames in one order.
func (w *mail) says() []*string {
	list := []*string{
		&w.Language, &w.Subject, &w.Preheader, &w.App, &w.Title, &w.Greeting, &w.Intro, &w.Code, &w.Button, (*string)(&w.Link),
		&w.Login, (*string)(&w.LoginLink), &w.Valid, &w.Paste, &w.OrCode, &w.Otherwise, &w.Footer,
	}
	for i := range w.Details {
		list = append(list, &w.Details[i].Label, &w.Details[i].Value)
	}
	return list
}

// escape writes what html/template does between tags and in attributes.
var escape = strings.NewReplacer("\x00", "\uFFFD", `"`, "&#34;", "&", "&amp;", "'", "&#39;", "+", "&#43;", "<", "&lt;", ">", "&gt;")

func (w *mail) html() (string, error) {
	says := w.says()
	k := kind{style: w.Style, fields: len(says)}
	for i, s := range says {
		if *s != "" {
			k.parts |= 1 << i
		}
	}
	f, err := frameOf(k, w)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.Grow(8 << 10)
	for _, p := range f.spans {
		b.WriteString(p.before)
		value := *says[p.hole]
		if p.href {
			value = normalURL(value)
		}
		_, _ = escape.WriteString(&b, value) // a builder takes everything
	}
	b.WriteString(f.after)
	return b.String(), nil
}

func frameOf(k kind, w *mail) (*frame, error) {
	frames.Lock()
	defer frames.Unlock()
	if f := frames.made[k]; f != nil {
		return f, nil
	}
	f, err := newFrame(w)
	if err != nil {
		return nil, err
	}
	if len(frames.made) >= maxFrames {
		clear(frames.made)
	}
	frames.made[k] = f
	return f, nil
}

// A hole is marked by a word that html/template leaves as it is everywhere, and
// that nobody can have written into the address of a logo.
var (
	mark  = "hole" + rand.Text()
	holes = regexp.MustCompile(mark + `(\d+)x`)
)

func newFrame(like *mail) (*frame, error) {
	w := *like
	w.Details = slices.Clone(w.Details)
	for i, s := range w.says() {
		if *s != "" {
			*s = mark + strconv.Itoa(i) + "x"
		}
	}
	var b bytes.Buffer
	if err := mailTemplate().Execute(&b, &w); err != nil {
		return nil, fmt.Errorf("mail.html: %w", err)
	}
	f, text, from := &frame{}, b.String(), 0
	for _, at := range holes.FindAllStringSubmatchIndex(text, -1) {
		hole, err := strconv.Atoi(text[at[2]:at[3]])
		if err != nil {
			return nil, fmt.Errorf("mail.html: %w", err)
		}
		before := text[from:at[0]]
		f.spans = append(f.spans, span{before, hole, strings.HasSuffix(before, `href="`)})
		from = at[1]
	}
	f.after = text[from:]
	return f, nil
}

// normalURL percent-encodes what must not stand in a URL, as html/template does.
func normalURL(s string) string {
	const kept = "-._~!#$&*+,/:;=?@[]"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(kept, c) >= 0,
			c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
