package template

import (
	"io"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/html"
)

// forbidden are the elements that a mail may not hold: what runs, what loads
// another page, what changes where links lead, and what ends the reading of
// HTML as HTML. Mail programs remove most of them and trust a mail less for it.
var forbidden = []string{
	"script", "iframe", "frame", "frameset", "object", "embed", "applet", "base", "svg", "math",
	"noscript", "noembed", "noframes", "plaintext", "xmp", "textarea",
}

// addressAttributes hold an address, so what stands in them is escaped as one.
var addressAttributes = []string{"href", "src", "action", "formaction", "background", "poster", "cite", "data", "xlink:href"}

// splitHTML takes HTML apart at its variables and refuses what a mail may not
// hold. The pieces add up to the same HTML.
func splitHTML(source string) ([]piece, error) {
	var pieces []piece
	z := html.NewTokenizer(strings.NewReader(source))
	z.SetMaxBuf(0)
	read, style := 0, false
	for {
		kind := z.Next()
		raw := string(z.Raw())
		read += len(raw)
		if kind == html.ErrorToken {
			if z.Err() != io.EOF {
				return nil, z.Err()
			}
			if raw != "" || read != len(source) {
				return nil, errContent.WithMessage("The HTML ends inside a tag.")
			}
			return pieces, nil
		}
		more, err := splitToken(kind, raw, style)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, more...)
		if kind != html.TextToken {
			name, _ := z.TagName()
			style = kind != html.EndTagToken && string(name) == "style"
		}
	}
}

func splitToken(kind html.TokenType, raw string, style bool) ([]piece, error) {
	switch kind {
	case html.TextToken:
		if !style {
			return splitBetweenTags(raw)
		}
		if runs(raw) {
			return nil, errContent.WithMessage("A <style> element holds a script.")
		}
	case html.CommentToken:
		if strings.HasPrefix(raw, "<!--") { // not "</{{" nor "<!{{", which HTML takes for comments too
			return split(raw, inComment)
		}
	case html.StartTagToken, html.SelfClosingTagToken:
		return splitTag(raw)
	}
	if strings.Contains(raw, "{{") {
		return nil, errContent.WithMessage("A variable cannot stand in %q: put it between tags or into the quoted value of an attribute.", shorten(raw))
	}
	return []piece{{literal: raw}}, nil
}

// splitBetweenTags refuses a "<" right before a variable: with a value that
// begins with a letter it would begin a tag.
func splitBetweenTags(raw string) ([]piece, error) {
	pieces, err := split(raw, inHTML)
	for _, p := range pieces {
		if p.variable != "" && strings.HasSuffix(p.literal, "<") {
			return nil, errContent.WithMessage("There is a < right before {{%s}}: write it as &lt;.", p.variable)
		}
	}
	return pieces, err
}

// splitTag reads a start tag as HTML has it (section 13.2.5 of the standard,
// "tokenization"): names end at spaces, "/", ">" and "=", values at their
// quote or, without one, at a space.
func splitTag(raw string) ([]piece, error) {
	at := 1 + strings.IndexFunc(raw[1:], endsName)
	element := strings.ToLower(raw[1:at])
	if slices.Contains(forbidden, element) {
		return nil, errContent.WithMessage("A mail cannot hold the element <%s>.", element)
	}
	var pieces []piece
	begin := 0 // of what is not in a piece yet
	for at < len(raw) {
		name, value, quoted, next := nextAttribute(raw, at)
		if name == "" {
			at = next
			continue
		}
		attribute := strings.ToLower(name)
		text := raw[value[0]:value[1]]
		if err := checkAttribute(element, attribute, html.UnescapeString(text)); err != nil {
			return nil, err
		}
		if strings.Contains(text, "{{") {
			if !quoted {
				return nil, errContent.WithMessage("The value of %s in <%s> holds a variable: put it into quotes.", attribute, element)
			}
			inside, err := splitValue(attribute, text)
			if err != nil {
				return nil, err
			}
			if strings.Contains(raw[begin:value[0]], "{{") {
				return nil, errInsideTag(element)
			}
			inside[0].literal = raw[begin:value[0]] + inside[0].literal
			pieces, begin = append(pieces, inside...), value[1]
		}
		at = next
	}
	rest, err := split(raw[begin:], inHTML)
	if err != nil {
		return nil, err
	}
	if len(rest) > 1 {
		return nil, errInsideTag(element)
	}
	return append(pieces, rest...), nil
}

func errInsideTag(element string) error {
	return errContent.WithMessage("Inside the tag <%s> a variable can only stand in the quoted value of an attribute.", shorten(element))
}

func endsName(r rune) bool { return strings.ContainsRune(" \t\n\f\r/>=", r) }

// nextAttribute finds the attribute at or after a place in a tag: its name, ""
// when there is none, where its value stands, and where to go on.
func nextAttribute(raw string, at int) (name string, value [2]int, quoted bool, next int) {
	start := at
	for start < len(raw) && endsName(rune(raw[start])) && raw[start] != '=' {
		start++
	}
	end := start
	for end < len(raw) && (end == start || !endsName(rune(raw[end]))) { // a name may begin with "="
		end++
	}
	name = raw[start:end]
	at = skipSpace(raw, end)
	if name == "" || at >= len(raw) || raw[at] != '=' {
		return name, [2]int{end, end}, false, end
	}
	at = skipSpace(raw, at+1)
	if at < len(raw) && (raw[at] == '"' || raw[at] == '\'') {
		if n := strings.IndexByte(raw[at+1:], raw[at]); n >= 0 {
			return name, [2]int{at + 1, at + 1 + n}, true, at + 1 + n + 1
		}
	}
	end = at
	for end < len(raw) && !strings.ContainsRune(" \t\n\f\r>", rune(raw[end])) {
		end++
	}
	return name, [2]int{at, end}, false, end
}

func skipSpace(s string, at int) int {
	for at < len(s) && strings.ContainsRune(" \t\n\f\r", rune(s[at])) {
		at++
	}
	return at
}

// splitValue takes the value of an attribute apart. In an address only our own
// links can be its beginning, so that nobody's name becomes "javascript:".
func splitValue(attribute, text string) ([]piece, error) {
	pieces, err := split(text, inHTML)
	if err != nil || !slices.Contains(addressAttributes, attribute) {
		return pieces, err
	}
	for i := range pieces {
		p := &pieces[i]
		switch {
		case p.variable == "":
		case i > 0 || strings.TrimSpace(p.literal) != "":
			p.place = inURLParam
		case p.variable == varLink || p.variable == varLoginLink:
			p.place = inURL
		default:
			return nil, errContent.WithMessage("%s cannot begin with {{%s}}: an address begins with {{%s}} or with https://.", attribute, p.variable, varLink)
		}
	}
	return pieces, nil
}

func checkAttribute(element, name, value string) error {
	switch {
	case strings.HasPrefix(name, "on"):
		return errContent.WithMessage("A mail cannot hold scripts: <%s> has the attribute %s.", element, shorten(name))
	case runs(value):
		return errContent.WithMessage("A mail cannot hold scripts: %s of <%s> runs one.", shorten(name), element)
	case element == "meta" && name == "http-equiv" && strings.EqualFold(strings.TrimSpace(value), "refresh"):
		return errContent.WithMessage("A mail cannot lead to another page by itself: remove the <meta> element that does.")
	}
	return nil
}

// runs reports whether an address or a style runs a script. Browsers pass over
// spaces and controls inside the name of a scheme.
func runs(value string) bool {
	value = squeeze(value)
	return dangerous(value) || strings.Contains(value, "javascript:") || strings.Contains(value, "expression(")
}

// dangerous reports whether a link is of a scheme that runs what it holds.
func dangerous(link string) bool {
	link = squeeze(link)
	for _, scheme := range []string{"javascript:", "vbscript:", "data:"} {
		if strings.HasPrefix(link, scheme) && !strings.HasPrefix(link, "data:image/") {
			return true
		}
	}
	return false
}

func squeeze(s string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			return -1
		}
		return r
	}, s))
}
