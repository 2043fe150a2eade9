package template

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	nethtml "golang.org/x/net/html"

	"gatehouse/internal/delivery"
	"gatehouse/internal/golden"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

var created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// phoneText words a code for a phone.
func phoneText(t *testing.T, live bool, locale string, change func(*delivery.Message)) string {
	t.Helper()
	env := &project.Environment{ProjectName: "Lighthouse", Kind: id.Test}
	if live {
		env.Kind = id.Live
	}
	m := &delivery.Message{
		Channel: delivery.SMS, Type: delivery.Passcode, To: "+12025550123", Locale: locale, Code: "012345",
		CreatedAt: created, ExpiresAt: created.Add(2 * time.Minute),
	}
	if change != nil {
		change(m)
	}
	e := envelope("project-test-1", m)
	renderPhone(env, m, e)
	return e.Text
}

func TestShortMessages(t *testing.T) {
	for _, c := range []struct {
		name   string
		live   bool
		locale string
		change func(*delivery.Message)
		want   string
	}{
		{"live", true, "en", nil, "Lighthouse code 012345. It works once and for 2 minutes. Share it with nobody."},
		{"test", false, "en", nil, "[Test] code 012345. It works once and for 2 minutes. Share it with nobody."},
		{"signup", true, "en", func(m *delivery.Message) { m.Type = delivery.PasscodeSignup }, "Lighthouse code 012345. It works once and for 2 minutes. Share it with nobody."},
		{"endless", true, "en", func(m *delivery.Message) { m.ExpiresAt = time.Time{} }, "Lighthouse code 012345. It works once. Share it with nobody."},
		{"unknown locale", true, "xx", nil, "Lighthouse code 012345. It works once and for 2 minutes. Share it with nobody."},
		{"spanish", true, "es", nil, "012345 es tu código de Lighthouse. Vale 2 minutos. No lo compartas."},
		{"persian", true, "fa", nil, "کد \u2068Lighthouse\u2069: \u2068012345\u2069. تا ۲ دقیقه معتبر است. آن را به کسی ندهید."},
		{"webotp", true, "en", func(m *delivery.Message) { m.AutofillDomain, m.AutofillHash = "example.com", "FA+9qCX9VSu" },
			"Lighthouse code 012345. It works once and for 2 minutes. Share it with nobody.\n\n@example.com #012345"},
		{"android", true, "en", func(m *delivery.Message) { m.AutofillHash = "FA+9qCX9VSu" },
			"Lighthouse code 012345. It works once and for 2 minutes. Share it with nobody.\n\nFA+9qCX9VSu"},
		{"whatsapp", true, "en", func(m *delivery.Message) { m.Channel, m.AutofillDomain = delivery.WhatsApp, "example.com" },
			"Lighthouse code 012345. It works once and for 2 minutes. Share it with nobody."},
		{"link", true, "en", func(m *delivery.Message) { m.Type, m.Code, m.Link = delivery.Login, "", "https://a.example/?b=c&d=e" },
			"Lighthouse: log in with this link: https://a.example/?b=c&d=e"},
		{"reset", true, "fa", func(m *delivery.Message) { m.Type, m.Code, m.Link = delivery.VerifyPassword, "", "https://a.example/" },
			"\u2068Lighthouse\u2069: با این پیوند گذرواژهٔ تازه\u200cای تعیین کنید:\nhttps://a.example/"},
	} {
		if got := phoneText(t, c.live, c.locale, c.change); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// rendered words an e-mail in our own words or a template's.
func rendered(t *testing.T, app string, tmpl *Template, m *delivery.Message) *delivery.Envelope {
	t.Helper()
	if err := complete(m); err != nil {
		t.Fatal(err)
	}
	e := envelope("project-test-1", m)
	if err := renderEmail(app, tmpl, m, e); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestGoldenMails keeps the English mails for review.
func TestGoldenMails(t *testing.T) {
	for _, typ := range []delivery.Type{delivery.Login, delivery.ResetPassword, delivery.Passcode, delivery.NoticeAdded} {
		e := rendered(t, "Acme", nil, sample(typ, "en", created))
		golden.Check(t, "internal/delivery/template/testdata/"+string(typ)+".html", []byte(e.HTML))
		golden.Check(t, "internal/delivery/template/testdata/"+string(typ)+".txt", []byte("Subject: "+e.Subject+"\n\n"+e.Text))
	}
}

var tags = regexp.MustCompile(`(?s)<!--.*?-->|<style.*?</style>|<title.*?</title>|<[^>]*>`)

// visible is what a reader sees of HTML.
func visible(source string) string { return html.UnescapeString(tags.ReplaceAllString(source, " ")) }

// What spam filters and people with plain mail programs look for.
func TestMailsAreWellFormed(t *testing.T) {
	for typ, about := range shapes {
		for _, locale := range EmailLocales {
			m := sample(typ, locale, created)
			e := rendered(t, "Acme & Söhne", nil, m)
			name := string(typ) + " " + locale
			if e.Subject == "" || len([]rune(e.Subject)) > 78 || strings.ContainsAny(e.Subject, "\r\n{}") {
				t.Errorf("%s: the subject is %q", name, e.Subject)
			}
			seen := visible(e.HTML)
			for _, part := range []string{e.Text, seen} {
				for _, want := range []string{m.Link, m.LoginLink, m.Code, m.To, "Acme & Söhne"} {
					if !strings.Contains(part, want) && !(part == seen && want == m.LoginLink) {
						t.Errorf("%s: nothing says %q:\n%s", name, want, part)
					}
				}
				if strings.ContainsAny(part, "{}") || strings.Contains(part, "<no value>") || strings.Contains(part, "ZgotmplZ") {
					t.Errorf("%s: left open:\n%s", name, part)
				}
			}
			wantLinks := map[shape]int{aboutLink: 2}[about]
			if m.LoginLink != "" {
				wantLinks++
			}
			if n := strings.Count(e.HTML, "<a "); n != wantLinks {
				t.Errorf("%s has %d links", name, n)
			}
			if !strings.Contains(e.HTML, `href="`+html.EscapeString(m.Link)+`"`) && about == aboutLink {
				t.Errorf("%s: no button leads to %s", name, m.Link)
			}
			// Text that is much shorter than the markup looks like spam.
			if ratio := float64(len(seen)) / float64(len(e.HTML)); ratio < 0.05 || len(e.HTML) > 20<<10 {
				t.Errorf("%s: %.2f of %d bytes is text", name, ratio, len(e.HTML))
			}
			if !strings.Contains(e.HTML, "<!--[if mso]>") {
				t.Errorf("%s: nothing for Outlook", name)
			}
			balanced(t, name, e.HTML)
		}
	}
}

// balanced checks that every tag is closed in its order.
func balanced(t *testing.T, name, source string) {
	t.Helper()
	var open []string
	z := nethtml.NewTokenizer(strings.NewReader(source))
	for kind := z.Next(); kind != nethtml.ErrorToken; kind = z.Next() {
		tag, _ := z.TagName()
		switch {
		case kind == nethtml.StartTagToken && !slices.Contains([]string{"meta", "img", "br"}, string(tag)):
			open = append(open, string(tag))
		case kind == nethtml.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != string(tag) {
				t.Fatalf("%s: </%s> closes %v", name, tag, open)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%s: %v stay open", name, open)
	}
}

func TestMailsSayHowLongTheyHold(t *testing.T) {
	m := sample(delivery.Login, "en", created)
	if e := rendered(t, "Acme", nil, m); !strings.Contains(e.Text, "This link works once and for 60 minutes.") {
		t.Errorf("a link of an hour:\n%s", e.Text)
	}
	m.ExpiresAt = time.Time{}
	if e := rendered(t, "Acme", nil, m); !strings.Contains(e.Text, "This link works once.\n") {
		t.Errorf("a link for ever:\n%s", e.Text)
	}
	m.Code = "654321"
	e := rendered(t, "Acme", nil, m)
	if !strings.Contains(e.Text, "Or enter this code:\n654321") || !strings.Contains(visible(e.HTML), "654321") {
		t.Errorf("a link with a code:\n%s", e.Text)
	}
	if e := rendered(t, "Acme", nil, sample(delivery.Passcode, "en", created)); strings.Contains(e.Subject, "123456") {
		t.Errorf("the subject %q holds the code, and servers log subjects", e.Subject)
	}
}

func TestStyles(t *testing.T) {
	square := 0.0
	style := &Style{
		ButtonBorderRadius: &square, ButtonColor: "#FFEE00", FontFamily: "TIMES_NEW_ROMAN", TextAlignment: "CENTER",
		LogoURL: `https://cdn.example.com/logo.png?a=1&b="2"`,
	}
	if err := style.check(); err != nil {
		t.Fatal(err)
	}
	sender := Sender{FromLocalPart: "hello", FromDomain: "example.com", FromName: "Acme Login", ReplyToLocalPart: "help", ReplyToName: "Help"}
	e := rendered(t, "Acme", &Template{Prebuilt: style, Sender: sender}, sample(delivery.Login, "en", created))
	for _, want := range []string{
		`bgcolor="#FFEE00"`, "border-radius:0px", "color:#000000", "font-family:'Times New Roman',Times,serif", `align="center"`,
		`src="https://cdn.example.com/logo.png?a=1&amp;b=%222%22"`, `alt="Acme"`,
	} {
		if !strings.Contains(html.UnescapeString(e.HTML), html.UnescapeString(want)) {
			t.Errorf("no %s in\n%s", want, e.HTML)
		}
	}
	if strings.Contains(e.HTML, `class="gh-button"`) {
		t.Error("dark mode would change the project's colours")
	}
	if e.From != (delivery.Address{Name: "Acme Login", LocalPart: "hello", Domain: "example.com"}) ||
		e.ReplyTo != (delivery.Address{Name: "Help", LocalPart: "help", Domain: "example.com"}) {
		t.Errorf("from %+v, replies to %+v", e.From, e.ReplyTo)
	}
	if e := rendered(t, "Acme", nil, sample(delivery.Login, "en", created)); e.From.Name != "Acme" || e.ReplyTo != (delivery.Address{}) {
		t.Errorf("from %+v, replies to %+v", e.From, e.ReplyTo)
	}
	for color, want := range map[string]string{"#ffffff": "#000000", "#000000": "#ffffff", "#2f4bd8": "#ffffff", "#f2a93b": "#000000"} {
		if got := readable(color); got != want {
			t.Errorf("text on %s is %s", color, got)
		}
	}
}

// Names, apps and devices are written by strangers.
func TestInjection(t *testing.T) {
	hostile := "x\r\nBcc: all@example.com\u202e<script>alert(1)</script>\"'>{{code}}{link}{{.Link}}"
	for typ := range shapes {
		m := sample(typ, "en", created)
		m.Name, m.Detail, m.To = hostile, hostile, `"><img src=x onerror=alert(1)>@example.com`
		for name, tmpl := range map[string]*Template{"own": nil, "custom": custom(t, typ)} {
			e := rendered(t, hostile, tmpl, m)
			for part, text := range map[string]string{"subject": e.Subject, "from": e.From.Name, "html": e.HTML, "text": e.Text} {
				if strings.ContainsAny(text, "\r\u202e") || strings.Contains(text, "\nBcc") {
					t.Errorf("%s %s %s: a line or a direction of its own:\n%q", typ, name, part, text)
				}
			}
			if strings.Contains(e.Subject, "\n") || strings.Contains(e.From.Name, "\n") {
				t.Errorf("%s %s: headers %q and %q", typ, name, e.Subject, e.From.Name)
			}
			for _, tag := range []string{"<script", "<img src=x", "<b>"} {
				if strings.Contains(e.HTML, tag) {
					t.Errorf("%s %s: %s in\n%s", typ, name, tag, e.HTML)
				}
			}
			balanced(t, string(typ)+" "+name, e.HTML)
		}
	}
	m := sample(delivery.Login, "en", created)
	for _, link := range []string{"javascript:alert(1)", " JaVa\tscript:alert(1)", "data:text/html,x", "vbscript:x"} {
		m.Link = link
		if complete(m) == nil {
			t.Errorf("%q was taken", link)
		}
	}
	m.Link = "acme-app://callback?token=1"
	if e := rendered(t, "Acme", nil, m); !strings.Contains(e.HTML, `href="acme-app://callback?token=1"`) {
		t.Error("a link into an app does not lead there")
	}
}

func TestNamesAndAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"Ada": "Ada", " Ada  Lovelace ": "Ada Lovelace", "O'Brien": "O'Brien", "J. R.": "J. R.", "Zoë-Marie": "Zoë-Marie", "سارا": "سارا",
		"": "", "evil.com": "", "Win at https://evil.com": "", "Call 555 1234": "", "a@b": "", "one two three four five": "",
		strings.Repeat("a", 41): "", "<b>": "", "Ada\r\nX": "Ada X", "Ada\u202e": "Ada",
	} {
		if got := personName(in); got != want {
			t.Errorf("the name %q is said as %q", in, got)
		}
	}
	if got := defuse("Visit https://evil.com now. Or not."); got != "Visit https:\u2060//evil.\u2060com now. Or not." {
		t.Errorf("%q", got)
	}
	m := sample(delivery.Login, "en", created)
	m.Name = "שרה"
	if e := rendered(t, "Acme", nil, m); !strings.HasPrefix(e.Text, "Hello \u2068שרה\u2069,") {
		t.Errorf("a name from right to left: %q", e.Text[:40])
	}
	if got := clean(strings.Repeat("x", 300), 10); got != "xxxxxxxxx…" {
		t.Errorf("%q", got)
	}
}

func TestIncompleteMessages(t *testing.T) {
	for name, change := range map[string]func(*delivery.Message){
		"no link":         func(m *delivery.Message) { m.Link = "" },
		"no code":         func(m *delivery.Message) { m.Type = delivery.Passcode },
		"unknown type":    func(m *delivery.Message) { m.Type = "HELLO" },
		"prebuilt":        func(m *delivery.Message) { m.Type = Prebuilt },
		"unknown channel": func(m *delivery.Message) { m.Channel = "fax" },
	} {
		m := sample(delivery.Login, "en", created)
		change(m)
		if complete(m) == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
