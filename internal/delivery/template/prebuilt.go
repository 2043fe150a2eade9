package template

import (
	_ "embed" // mail.html
	"html/template"
	"strings"
	"sync"

	"gatehouse/internal/delivery"
)

// endless ends the names of sentences for what never expires.
const endless = ".endless"

// mail is what an e-mail of ours says, part by part. A part that is empty is
// left out.
type mail struct {
	Language  string
	Subject   string
	Preheader string // what lists of messages show beside the subject
	App       string
	Title     string
	Greeting  string
	Intro     string
	Code      string
	Button    string
	Link      template.URL
	Login     string
	LoginLink template.URL
	Valid     string
	Paste     string
	OrCode    string // before the code of a message that is about a link
	Details   []detail
	Otherwise string
	Footer    string

	Style look
}

type detail struct{ Label, Value string }

// values are what an e-mail can repeat, made safe.
func emailValues(l *locale, app string, m *delivery.Message) map[string]string {
	return map[string]string{
		"app":      isolate(clean(app, maxApp), l.RightToLeft),
		"name":     isolate(personName(m.Name), l.RightToLeft),
		"email":    isolate(clean(m.To, maxEmail), l.RightToLeft),
		"duration": validity(l, m),
	}
}

// validity is how long the message's link or code lives, "" for ever.
func validity(l *locale, m *delivery.Message) string {
	if m.ExpiresAt.IsZero() {
		return ""
	}
	return l.duration(m.ExpiresAt.Sub(m.CreatedAt))
}

// wordMail says a message in the words of a locale.
func wordMail(l *locale, app string, m *delivery.Message, style *Style) *mail {
	values := emailValues(l, app, m)
	say := func(key string) string { return fill(l.Email[key], values) }
	own := func(key string) string { return say(string(m.Type) + "." + key) }
	lasting := func(key string) string {
		if m.ExpiresAt.IsZero() {
			key += endless
		}
		return say(key)
	}
	w := &mail{
		Language: l.Language, Subject: own("subject"), App: values["app"], Title: own("title"), Greeting: say("greeting"),
		Intro: own("intro"), Otherwise: own("otherwise"), Footer: say("footer"), Code: m.Code, Style: style.look(),
	}
	if values["name"] != "" {
		w.Greeting = say("greeting_name")
	}
	w.Preheader = w.Intro
	switch shapes[m.Type] {
	case aboutLink:
		w.Button, w.Link, w.Paste, w.Valid = own("button"), template.URL(m.Link), say("paste"), lasting("link_valid")
		if m.LoginLink != "" {
			w.Login, w.LoginLink, w.Valid = own("login"), template.URL(m.LoginLink), lasting("links_valid")
		}
		if m.Code != "" {
			w.OrCode = say("or_code")
		}
	case aboutCode:
		w.Valid = lasting("code_valid")
		// In the body's first line and not in the subject, which servers log.
		w.Preheader = m.Code + " · " + w.Valid
	case aboutAccount:
		w.Details = details(l, m)
	}
	return w
}

// detailLabels name what the detail of a notice is.
var detailLabels = map[delivery.Type]string{
	delivery.NoticeAdded:     "added",
	delivery.NoticeRemoved:   "removed",
	delivery.NoticeRecovery:  "left",
	delivery.NoticeNewDevice: "device",
}

func details(l *locale, m *delivery.Message) []detail {
	var list []detail
	label, ok := detailLabels[m.Type]
	if what := defuse(clean(m.Detail, maxDetail)); ok && what != "" {
		list = append(list, detail{l.Email[label], isolate(l.detail(what), l.RightToLeft)})
	}
	if !m.CreatedAt.IsZero() {
		list = append(list, detail{l.Email["time"], m.CreatedAt.UTC().Format("2006-01-02 15:04")})
	}
	return list
}

// text is the plain part, paragraph by paragraph.
func (w *mail) text() string {
	var parts []string
	add := func(lines ...string) {
		var said []string
		for _, line := range lines {
			if line != "" {
				said = append(said, line)
			}
		}
		if len(said) > 0 {
			parts = append(parts, strings.Join(said, "\n"))
		}
	}
	add(w.Greeting)
	add(w.Intro)
	if w.Button != "" {
		add(w.Button, string(w.Link))
		add(w.Login, string(w.LoginLink))
		add(w.OrCode, w.Code)
	} else {
		add(w.Code)
	}
	add(w.Valid)
	for _, d := range w.Details {
		parts = append(parts, d.Label+" "+d.Value)
	}
	add(w.Otherwise)
	add("--", w.Footer)
	return strings.Join(parts, "\n\n") + "\n"
}

//go:embed mail.html
var mailSource string

var mailTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("mail").Funcs(template.FuncMap{
		// Outlook for Windows knows no max-width and reads what others take for
		// a comment; html/template would remove that as one.
		"outlook": func(s string) template.HTML { return template.HTML("<!--[if mso]>" + s + "<![endif]-->") },
	}).Parse(mailSource))
})
