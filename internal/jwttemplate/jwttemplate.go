// Package jwttemplate owns the templates by which the claims of JWTs are made
// from what is known of a user, a session or a client: reading one, saying what
// is wrong with it and where, and filling it in. A template binds data and
// nothing else: there are no conditions, no loops and no functions, and what is
// filled in is never read as a template again. It never touches storage, and it
// does not know where the data comes from.
package jwttemplate

import (
	"encoding/json"
	"errors"
	"strings"
)

// Kind says what a template is for.
type Kind string

// The kinds of templates: of the JWTs of sessions, and of the access tokens of
// M2M clients.
const (
	Session Kind = "SESSION"
	M2M     Kind = "M2M"
)

// The bounds of a template and of what it makes.
const (
	MaxContent = 8 << 10 // bytes of a template
	MaxOutput  = 4 << 10 // bytes of JSON that the claims may have
	maxDepth   = 10      // objects and arrays within one another
	maxTags    = 100
)

// ErrTooLarge is the verdict on claims that are larger than MaxOutput for the
// data at hand. It says nothing about the template.
var ErrTooLarge = errors.New("the claims that the template makes are larger than 4 KB")

// Template is a template that was read and found good. It is never changed, so
// any number of calls may use one at the same time.
type Template struct {
	content string
	root    *node
}

// Content is the template as it was written.
func (t *Template) Content() string { return t.content }

// Lookup answers what stands at a path such as user, trusted_metadata, level:
// any value that encoding/json can write, nil where nothing is known. The
// values are only read. In helps to look into maps and JSON text.
type Lookup func(path []string) any

// Render makes the claims: every tag is replaced by the value it names, of
// whatever type. A claim whose tag names nothing is left out, at any depth, and
// so is an element of an array. The claims belong to the caller, but values
// inside them may be shared with the data. The only error is ErrTooLarge.
func (t *Template) Render(lookup Lookup) (map[string]any, error) {
	claims, _ := t.root.render(lookup).(map[string]any)
	text, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	if len(text) > MaxOutput {
		return nil, ErrTooLarge
	}
	return claims, nil
}

// Makes reports whether the template may make a claim at a path of names, or
// one around it whose inside comes from the data.
func (t *Template) Makes(path ...string) bool {
	n := t.root
	for _, name := range path {
		switch n.kind {
		case anObject:
			if n = n.field(name); n == nil {
				return false
			}
		case aTag:
			return true
		default:
			return false
		}
	}
	return true
}

// node is a part of a template.
type node struct {
	kind  kind
	value any      // aLiteral
	path  []string // aTag
	names []string // anObject: the names of nodes
	nodes []*node  // anObject, anArray, and the parts of aText
}

type kind int

const (
	aLiteral kind = iota
	aTag
	aText // a string with tags in it
	anObject
	anArray
)

func (n *node) field(name string) *node {
	for i := range n.names {
		if n.names[i] == name {
			return n.nodes[i]
		}
	}
	return nil
}

// render returns the value of a node, nil for one that is left out.
func (n *node) render(lookup Lookup) any {
	switch n.kind {
	case aTag:
		return decoded(lookup(n.path))
	case aText:
		return n.text(lookup)
	case anObject:
		object := make(map[string]any, len(n.nodes))
		for i, inner := range n.nodes {
			if value := inner.render(lookup); value != nil {
				object[n.names[i]] = value
			}
		}
		return object
	case anArray:
		list := make([]any, 0, len(n.nodes))
		for _, inner := range n.nodes {
			if value := inner.render(lookup); value != nil {
				list = append(list, value)
			}
		}
		return list
	}
	return n.value
}

// text fills in a longer string. One with a gap in it could say something else
// than its author meant ("tenant:" for every tenant), so a missing value, or
// one that is no text, leaves out the whole.
func (n *node) text(lookup Lookup) any {
	var whole strings.Builder
	for _, part := range n.nodes {
		switch v := part.render(lookup).(type) {
		case string:
			whole.WriteString(v)
		case json.Number:
			whole.WriteString(v.String())
		case bool, int, int64, float64:
			text, err := json.Marshal(v)
			if err != nil {
				return nil
			}
			whole.Write(text)
		default:
			return nil
		}
	}
	return whole.String()
}
