package template

import (
	"errors"
	"strings"
	"testing"

	nethtml "golang.org/x/net/html"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
)

// custom is a template with every variable a type has, in every place; nil for
// types that have none.
func custom(t *testing.T, typ delivery.Type) *Template {
	t.Helper()
	if shapes[typ] == aboutAccount {
		return nil
	}
	needed := "{{code}}"
	if shapes[typ] == aboutLink {
		needed = `<a href="{{magic_link_url}}">{{ magic_link_url }}</a>`
	}
	c := &Content{
		Type:    typ,
		Subject: "{{first_name}} {{app_name}} {{email}}",
		HTML: `<title>{{app_name}}</title><p title="{{app_name}}" class='{{email}}'>{{first_name}} {{app_name}} {{email}} {{expires_in}} {{code}}</p>` +
			`<!-- {{app_name}} --><img alt='{{app_name}}' src="https://example.com/?a={{app_name}}">` + needed,
		Text: "{{app_name}} {{first_name}} {{code}} {{expires_in}} {{email}}",
	}
	if shapes[typ] == aboutLink {
		c.Text += " {{magic_link_url}}"
	}
	tmpl := &Template{ID: "own", Custom: c}
	if err := tmpl.check(); err != nil {
		// An <img> is open by nature; anything else would be the template's fault.
		t.Fatalf("%s: %v", typ, err)
	}
	return tmpl
}

func TestCustomTemplates(t *testing.T) {
	c := &Content{
		Type: delivery.ResetPassword, Subject: "{{ app_name }}: {{first_name}}",
		HTML: `<a href="{{magic_link_url}}">{{first_name}}</a> <a href='{{login_url}}'>in</a> <a href="https://x.example/?e={{email}}">{{expires_in}}</a> {{code}}.`,
		Text: "{{magic_link_url}} {{login_url}} {{app_name}} {{expires_in}}",
	}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	m := sample(delivery.ResetPassword, "es", created)
	m.Link, m.LoginLink, m.To = "https://a.example/?x=1&y=2", "https://a.example/login", "a+b@example.com"
	e := rendered(t, "A&B {{code}}", &Template{ID: "own", Custom: c}, m)
	if e.Subject != "A&B {{code}}: Ada" {
		t.Errorf("the subject is %q", e.Subject)
	}
	if want := `<a href="https://a.example/?x=1&amp;y=2">Ada</a> <a href='https://a.example/login'>in</a> <a href="https://x.example/?e=a%2Bb%40example.com">60 minutos</a> .`; e.HTML != want {
		t.Errorf("the HTML is\n%s\nwant\n%s", e.HTML, want)
	}
	if e.Text != "https://a.example/?x=1&y=2 https://a.example/login A&B {{code}} 60 minutos" {
		t.Errorf("the text is %q", e.Text)
	}
	c.Subject = "{{first_name}}"
	m.Name = "https://evil.example"
	if e := rendered(t, "Acme", &Template{ID: "own", Custom: c}, m); e.Subject != "Crea una contraseña nueva para Acme" {
		t.Errorf("a subject that comes out empty is %q", e.Subject)
	}
}

func TestSecurity58CustomTemplatesAreData(t *testing.T) {
	const link = `<a href="{{magic_link_url}}">in</a>`
	for _, c := range []struct {
		name   string
		change func(*Content)
		says   string // "" when it is fine
	}{
		{"fine", func(*Content) {}, ""},
		{"code beside the link", func(c *Content) { c.HTML, c.Text = link+"{{code}}", "{{magic_link_url}} {{code}}" }, ""},
		{"conditional comment", func(c *Content) {
			c.HTML = `<!--[if mso]><v:roundrect href="{{magic_link_url}}"></v:roundrect><![endif]-->` + link
		}, ""},
		{"css braces", func(c *Content) { c.HTML = "<style>@media(x){a{color:red}}</style>" + link }, ""},
		{"image in data", func(c *Content) { c.HTML = `<img src="data:image/png;base64,AA=="/>` + link }, ""},
		{"unquoted attributes", func(c *Content) { c.HTML = "<table width=600 hidden><tr><td>" + link }, ""},
		{"upper case", func(c *Content) { c.HTML = `<A HREF='{{magic_link_url}}'>in</A>` }, ""},
		{"notice", func(c *Content) { c.Type = delivery.NoticeAdded }, "template_type must be"},
		{"prebuilt", func(c *Content) { c.Type = Prebuilt }, "template_type must be"},
		{"no subject", func(c *Content) { c.Subject = " " }, "subject is empty"},
		{"no html", func(c *Content) { c.HTML = "" }, "html_content is empty"},
		{"no text", func(c *Content) { c.Text = "\n" }, "plaintext_content is empty"},
		{"two lines of subject", func(c *Content) { c.Subject = "a\nb" }, "subject must be one line"},
		{"long subject", func(c *Content) { c.Subject = strings.Repeat("x", 251) }, "subject must be one line"},
		{"link in the subject", func(c *Content) { c.Subject = "{{magic_link_url}}" }, "subject cannot hold"},
		{"too large", func(c *Content) { c.HTML = link + strings.Repeat("x", maxContent) }, "html_content is larger than 256 KB"},
		{"no text at all", func(c *Content) { c.Text = "{{magic_link_url}}\x00" }, "plaintext_content is not text"},
		{"broken utf-8", func(c *Content) { c.HTML = link + "\xff" }, "html_content is not text"},
		{"unknown variable", func(c *Content) { c.HTML = link + "{{user_name}}" }, "html_content: There is no variable {{user_name}}. There are: magic_link_url"},
		{"unknown in text", func(c *Content) { c.Text = "{{magic_link_url}}{{}}" }, "plaintext_content: There is no variable {{}}"},
		{"unclosed", func(c *Content) { c.Text = "{{magic_link_url" }, "plaintext_content: There are braces that are never closed, before \"magic_link_url\""},
		{"unclosed in html", func(c *Content) { c.HTML = link + "{{ <b>code</b> }}" }, "html_content: There are braces that are never closed"},
		{"no link in html", func(c *Content) { c.HTML = "<p>hello</p>" }, "html_content has no {{magic_link_url}}, which messages of type LOGIN are about"},
		{"link for Outlook only", func(c *Content) { c.HTML = `<!--[if mso]>` + link + `<![endif]-->` }, "html_content has no {{magic_link_url}}"},
		{"no link in text", func(c *Content) { c.Text = "hello" }, "plaintext_content has no {{magic_link_url}}"},
		{"no code", func(c *Content) { c.Type, c.HTML = delivery.Passcode, "hello" }, "html_content has no {{code}}"},
		{"link of a code", func(c *Content) { c.Type, c.HTML = delivery.Passcode, link+"{{code}}" }, "html_content holds {{magic_link_url}}, which messages of type ONE_TIME_PASSCODE do not have"},
		{"login link of a login", func(c *Content) { c.Text = "{{magic_link_url}}{{login_url}}" }, "plaintext_content holds {{login_url}}"},
		{"script", func(c *Content) { c.HTML = link + "<ScRiPt>x</sCrIpT>" }, "A mail cannot hold the element <script>"},
		{"iframe", func(c *Content) { c.HTML = link + `<iframe src="https://x.example">` }, "element <iframe>"},
		{"svg", func(c *Content) { c.HTML = link + `<svg onload=alert(1)>` }, "element <svg>"},
		{"handler", func(c *Content) { c.HTML = link + `<img src="x"/onerror="alert(1)">` }, "<img> has the attribute onerror"},
		{"handler without value", func(c *Content) { c.HTML = link + `<p onclick>` }, "<p> has the attribute onclick"},
		{"javascript", func(c *Content) { c.HTML = link + `<a href=" java&#115;cript&colon;alert(1)">` }, "href of <a> runs one"},
		{"javascript with a tab", func(c *Content) { c.HTML = link + "<a href='java\tscript:alert(1)'>" }, "href of <a> runs one"},
		{"style that runs", func(c *Content) { c.HTML = link + `<p style="width:expression(alert(1))">` }, "style of <p> runs one"},
		{"sheet that runs", func(c *Content) { c.HTML = link + `<style>a{background:url(javascript:x)}</style>` }, "A <style> element holds a script"},
		{"refresh", func(c *Content) { c.HTML = link + `<meta http-equiv="Refresh" content="0;url=https://x.example">` }, "remove the <meta>"},
		{"variable as an address", func(c *Content) { c.HTML = link + `<a href="{{app_name}}">` }, "href cannot begin with {{app_name}}"},
		{"variable as an address, later", func(c *Content) { c.HTML = link + `<a href=" {{first_name}}{{magic_link_url}}">` }, "href cannot begin with {{first_name}}"},
		{"unquoted variable", func(c *Content) { c.HTML = `<a href={{magic_link_url}}>in</a>` }, "The value of href in <a> holds a variable: put it into quotes"},
		{"variable as attribute", func(c *Content) { c.HTML = link + `<p {{code}}>` }, "Inside the tag <p>"},
		{"variable before an attribute", func(c *Content) { c.HTML = link + `<p {{code}} class="{{code}}">` }, "Inside the tag <p>"},
		{"variable in a tag", func(c *Content) { c.HTML = link + `<p{{code}}>` }, "Inside the tag <p{{code}}>"},
		{"variable in an end tag", func(c *Content) { c.HTML = link + `</p {{code}}>` }, "A variable cannot stand in"},
		{"variable in a style", func(c *Content) { c.HTML = link + `<style>{{code}}</style>` }, "A variable cannot stand in"},
		{"tag of a variable", func(c *Content) { c.HTML = link + `<{{first_name}}>` }, "There is a < right before {{first_name}}"},
		{"end tag of a variable", func(c *Content) { c.HTML = link + `</{{first_name}}>` }, "A variable cannot stand in"},
		{"half a tag", func(c *Content) { c.HTML = link + `<p class="x` }, "The HTML ends inside a tag"},
	} {
		content := &Content{Type: delivery.Login, Subject: "Log in", HTML: link, Text: "{{magic_link_url}}"}
		c.change(content)
		err := content.check()
		if c.says == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		verdict := apierr.From(err)
		if verdict == nil || verdict.Status != 400 || !strings.Contains(verdict.Message, c.says) {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.says)
		}
	}
}

func TestTemplatesAreChecked(t *testing.T) {
	big := 101.0
	for name, c := range map[string]struct {
		tmpl Template
		want error
	}{
		"id":        {Template{ID: "a b", Prebuilt: &Style{}}, errTemplateID},
		"no id":     {Template{Prebuilt: &Style{}}, errTemplateID},
		"long id":   {Template{ID: strings.Repeat("a", 129), Prebuilt: &Style{}}, errTemplateID},
		"neither":   {Template{ID: "a"}, errParameters},
		"both":      {Template{ID: "a", Prebuilt: &Style{}, Custom: &Content{}}, errParameters},
		"name":      {Template{ID: "a", Name: "a\nb", Prebuilt: &Style{}}, errParameters},
		"from":      {Template{ID: "a", Sender: Sender{FromLocalPart: "a@b"}, Prebuilt: &Style{}}, errParameters},
		"from name": {Template{ID: "a", Sender: Sender{FromName: "a\r\nBcc: b"}, Prebuilt: &Style{}}, errParameters},
		"domain":    {Template{ID: "a", Sender: Sender{FromDomain: "Example.com"}, Prebuilt: &Style{}}, errParameters},
		"radius":    {Template{ID: "a", Prebuilt: &Style{ButtonBorderRadius: &big}}, errParameters},
		"color":     {Template{ID: "a", Prebuilt: &Style{ButtonColor: "red;x:y"}}, errParameters},
		"ink":       {Template{ID: "a", Prebuilt: &Style{ButtonTextColor: "#12"}}, errParameters},
		"font":      {Template{ID: "a", Prebuilt: &Style{FontFamily: "COMIC_SANS"}}, errParameters},
		"align":     {Template{ID: "a", Prebuilt: &Style{TextAlignment: "RIGHT"}}, errParameters},
		"logo":      {Template{ID: "a", Prebuilt: &Style{LogoURL: "http://example.com/a.png"}}, errParameters},
	} {
		if err := c.tmpl.check(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever a template holds: what was checked can be rendered, stays the HTML
// that was checked, and hostile values add no tag to it.
func FuzzCustomHTML(f *testing.F) {
	for _, seed := range []string{
		`<a href="{{magic_link_url}}">{{ first_name }}</a>`, `<p title='{{code}}' x=y/>`, `<style>a{}</style><!-- {{code}} -->`,
		`<a {{code}}>`, `<a href={{code}}>`, `<a ="{{code}}">`, `<a b"c="{{code}}">`, `<title>{{code}}</title>`, `<style/>{{code}}`,
		`<!doctype html><![if !mso]>{{code}}<![endif]>`, `</a {{code}}>`, `<a href="x{{email}}y{{code}}">`, "<a\x0ctitle={{", `<a =>`,
	} {
		for _, value := range []string{`"'></title></style><!-- --><script onload=a>{{code}}`, "a", "-", "--", "!", ""} {
			f.Add(seed, value)
		}
	}
	f.Fuzz(func(t *testing.T, source, value string) {
		pieces, err := splitHTML(source)
		if err != nil {
			return
		}
		shape := func(s string) (list []string) {
			z := nethtml.NewTokenizer(strings.NewReader(s))
			for kind := z.Next(); kind != nethtml.ErrorToken; kind = z.Next() {
				token := z.Token()
				if kind == nethtml.TextToken {
					continue
				}
				if kind == nethtml.CommentToken {
					token.Data = ""
				}
				line := kind.String() + token.Data
				for _, a := range token.Attr {
					line += " " + a.Key
				}
				list = append(list, line)
			}
			return list
		}
		fill := func(value string) string {
			values := map[string]string{}
			for _, name := range variables {
				values[name] = value
			}
			return join(pieces, values)
		}
		tame, hostile := fill("x"), fill(value)
		if a, b := strings.Join(shape(tame), "\n"), strings.Join(shape(hostile), "\n"); a != b {
			t.Errorf("%q changed the markup of %q:\n%s\nto\n%s", value, source, a, b)
		}
		var literal strings.Builder
		for _, p := range pieces {
			literal.WriteString(p.literal)
		}
		if !strings.Contains(source, "{{") && literal.String() != source {
			t.Errorf("%q became %q", source, literal.String())
		}
	})
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "{{code}}", "a{{ code }}b{{email}}", "{{", "}}", "{{{code}}}", "{{code}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		pieces, err := splitText(source)
		if err != nil {
			if apierr.From(err) == nil {
				t.Errorf("%q: %v", source, err)
			}
			return
		}
		got := join(pieces, map[string]string{"code": "{{email}}"})
		if strings.Count(got, "{{email}}") != strings.Count(strings.Join(strings.Fields(source), ""), "{{code}}") && !strings.Contains(source, "email") {
			t.Errorf("%q became %q", source, got)
		}
	})
}
