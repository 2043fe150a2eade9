package jwttemplate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/apierr"
)

var (
	errJSON       = apierr.New(400, "jwt_template_invalid_json", "The template is not a JSON object.")
	errTag        = apierr.New(400, "jwt_template_invalid_tag", "The template has a tag that names no variable.")
	errMismatched = apierr.New(400, "jwt_template_mismatched_tag", "The template has a tag that is not closed, or not opened.")
	errVendor     = apierr.New(400, "stytch_claims_in_custom_claims", "Custom claims cannot start with https://stytch.com/.")
)

const (
	opening = "{{"
	closing = "}}"
)

// Parse reads a template. An error says what is wrong and where, by line and
// column. Claims that belong to the token itself are dropped (Reserved), and
// from a template for M2M clients also those that say what the client may do.
func Parse(kind Kind, content string) (*Template, error) {
	if len(content) > MaxContent {
		return nil, errJSON.WithMessage("The template is larger than %d KB.", MaxContent>>10)
	}
	if !utf8.ValidString(content) {
		return nil, errJSON.WithMessage("The template is not valid UTF-8.")
	}
	p := &parser{kind: kind, content: content}
	if err := p.quote(); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(p.quoted, new(any)); err != nil {
		var syntax *json.SyntaxError
		if !errors.As(err, &syntax) {
			return nil, errJSON.Because(err)
		}
		return nil, p.at(errJSON, max(syntax.Offset-1, 0), "this is not JSON: %s", syntax).Because(err)
	}
	p.dec = json.NewDecoder(bytes.NewReader(p.quoted))
	p.dec.UseNumber()
	root, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if root.kind != anObject {
		return nil, errJSON.WithMessage("The template must be a JSON object: it begins with { and ends with }.")
	}
	return &Template{root}, nil
}

// parser reads a template: first it puts the tags that stand bare into quotes,
// which makes the whole JSON, then it reads that.
type parser struct {
	kind    Kind
	content string
	quoted  []byte
	added   []int // where in quoted a quote was put, in order
	dec     *json.Decoder
	tags    int
}

// quote puts tags that stand outside of strings into quotes. Outside of a
// string no JSON has "{{", so there is no doubt what begins there.
func (p *parser) quote() error {
	inString := false
	for i := 0; i < len(p.content); i++ {
		switch c := p.content[i]; {
		case inString && c == '\\' && i+1 < len(p.content):
			p.quoted = append(p.quoted, c, p.content[i+1])
			i++
			continue
		case c == '"':
			inString = !inString
		case !inString && strings.HasPrefix(p.content[i:], opening):
			inner, _, closed := strings.Cut(p.content[i+len(opening):], closing)
			if !closed || strings.Contains(inner, opening) {
				return p.where(errMismatched, i, "the tag that begins here is not closed by }}")
			}
			if _, err := p.path(inner, i); err != nil {
				return err
			}
			p.added = append(p.added, len(p.quoted))
			p.quoted = append(p.quoted, `"`+opening+inner+closing+`"`...)
			p.added = append(p.added, len(p.quoted)-1)
			i += len(opening) + len(inner) + len(closing) - 1
			continue
		}
		p.quoted = append(p.quoted, p.content[i])
	}
	return nil
}

// value reads the next value of the JSON.
func (p *parser) value(depth int) (*node, error) {
	token, offset, err := p.token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		if depth >= maxDepth {
			return nil, p.at(errJSON, offset, "objects and arrays stand more than %d deep in one another", maxDepth)
		}
		if v == '{' {
			return p.object(depth)
		}
		return p.array(depth)
	case string:
		return p.text(v, offset)
	}
	return &node{kind: aLiteral, value: token}, nil
}

// token reads the next token and says where it begins.
func (p *parser) token() (json.Token, int64, error) {
	begins := p.dec.InputOffset()
	for begins < int64(len(p.quoted)) && strings.IndexByte(" \t\r\n,:", p.quoted[begins]) >= 0 {
		begins++
	}
	token, err := p.dec.Token()
	if err != nil { // of what was just found to be JSON: a number no decoder takes
		return nil, 0, p.at(errJSON, begins, "this is not JSON").Because(err)
	}
	return token, begins, nil
}

func (p *parser) object(depth int) (*node, error) {
	n := &node{kind: anObject}
	for p.dec.More() {
		token, offset, err := p.token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string) // the decoder accepts nothing else here
		switch {
		case strings.Contains(name, opening), strings.Contains(name, closing):
			return nil, p.at(errTag, offset, "a tag stands in a name; tags stand for values only")
		case slices.Contains(n.names, name):
			return nil, p.at(errJSON, offset, "the name %q stands twice in one object", name)
		case depth == 0 && Vendor(name):
			return nil, p.at(errVendor, offset, "claims cannot start with https://stytch.com/")
		}
		inner, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if depth == 0 && (Reserved(name) || p.kind == M2M && slices.Contains(ofClients, folded(name))) {
			continue
		}
		n.names, n.nodes = append(n.names, name), append(n.nodes, inner)
	}
	_, _, err := p.token()
	return n, err
}

func (p *parser) array(depth int) (*node, error) {
	n := &node{kind: anArray}
	for p.dec.More() {
		inner, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.nodes = append(n.nodes, inner)
	}
	_, _, err := p.token()
	return n, err
}

// text reads a string that begins at an offset: a tag alone, a text with tags
// in it, or neither.
func (p *parser) text(s string, offset int64) (*node, error) {
	n := &node{kind: aText}
	rest := s
	for {
		before, after, found := strings.Cut(rest, opening)
		if strings.Contains(before, closing) {
			return nil, p.at(errMismatched, offset, "the text has }} without {{ before it")
		}
		if before != "" {
			n.nodes = append(n.nodes, &node{kind: aLiteral, value: before})
		}
		if !found {
			break
		}
		inner, behind, closed := strings.Cut(after, closing)
		if !closed || strings.Contains(inner, opening) {
			return nil, p.at(errMismatched, offset, "the text has {{ without }} after it")
		}
		path, err := p.path(inner, p.original(offset))
		if err != nil {
			return nil, err
		}
		if p.tags++; p.tags > maxTags {
			return nil, p.at(errTag, offset, "there are more than %d tags", maxTags)
		}
		n.nodes = append(n.nodes, &node{kind: aTag, path: path})
		rest = behind
	}
	switch {
	case len(n.nodes) == 1:
		return n.nodes[0], nil // a tag alone keeps the type of its value
	case len(n.nodes) == 0:
		return &node{kind: aLiteral, value: ""}, nil
	}
	return n, nil
}

// path reads what stands between the braces of a tag at an offset of the
// content.
func (p *parser) path(inner string, offset int) ([]string, error) {
	name := strings.TrimSpace(inner)
	if strings.ContainsFunc(name, notInPath) || name == "" || len(name) > maxPath {
		return nil, p.where(errTag, offset, "between {{ and }} stands the name of a variable, such as user.user_id")
	}
	path := strings.Split(name, ".")
	if slices.Contains(path, "") {
		return nil, p.where(errTag, offset, "%q has an empty part", name)
	}
	if !known(p.kind, path) {
		return nil, p.where(errTag, offset, "%q is no variable of %s templates; these are: %s", name, p.kind, strings.Join(Variables(p.kind), ", "))
	}
	return path, nil
}

const maxPath = 500

// notInPath finds what separates things in a template, so that a tag someone
// forgot to close does not swallow what follows.
func notInPath(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`{}[]"\,`, r)
}

// original is the offset in the content of one in the quoted text.
func (p *parser) original(offset int64) int {
	added, _ := slices.BinarySearch(p.added, int(offset))
	return min(int(offset)-added, len(p.content))
}

func (p *parser) at(err *apierr.Error, offset int64, format string, a ...any) *apierr.Error {
	return p.where(err, p.original(offset), format, a...)
}

// where is an error with the place of an offset of the content in its message.
func (p *parser) where(err *apierr.Error, offset int, format string, a ...any) *apierr.Error {
	before := p.content[:offset]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return err.WithMessage("Line %d, column %d of the template: %s.", line, column, fmt.Sprintf(format, a...))
}
