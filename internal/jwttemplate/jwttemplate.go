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
type Template struct{ root *node }

// Lookup answers what stands at a path such as user, trusted_metadata, level:
// any value that encoding/json can write, nil where nothing is known. The
// values are only read. In helps to look into maps and JSON text.
type Lookup func(path []string) any

// Render makes the claims: every tag is replaced by the value it names, of
// whatever type. A claim whose tag names nothing is left out, at any depth, and
// so is an element of an array. The claims belong to the caller, but values
// inside them may be shared with the data. The only error is ErrTooLarge.
func (t *Template) Render(lookup Lookup) (map[string]any, error) {
	r := &rendering{lookup: lookup, stems: map[string]any{}}
	claims, _ := t.root.render(r).(map[string]any)
	if r.err != nil {
		return nil, r.err
	}
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

// rendering is one filling in. People fill a part of the data themselves, so what
// it costs is bounded, however often a template asks for the same: JSON text is
// read once, and nothing more is looked up when the claims are too large already.
type rendering struct {
	lookup Lookup
	stems  map[string]any // the values that paths begin at
	size   int            // of the tags so far, as JSON
	err    error
}

// stem is how many names of a path lead to a value that is read as a whole: a key
// of metadata, for example.
const stem = 3

func (r *rendering) value(path []string) any {
	if r.err != nil {
		return nil
	}
	if !within(path) {
		return decoded(r.lookup(path))
	}
	cut := min(stem, len(path))
	name := strings.Join(path[:cut], ".")
	at, known := r.stems[name]
	if !known {
		at = decoded(r.lookup(path[:cut]))
		r.stems[name] = at
	}
	return In(at, path[cut:])
}

// counted is the value of a tag that stands alone, nil when there is no room for
// it any more.
func (r *rendering) counted(value any) any {
	if value == nil {
		return nil
	}
	text, err := json.Marshal(value)
	if r.size += len(text); err == nil && r.size > MaxOutput {
		err = ErrTooLarge
	}
	if r.err = err; err != nil {
		return nil
	}
	return value
}

// render returns the value of a node, nil for one that is left out.
func (n *node) render(r *rendering) any {
	switch n.kind {
	case aTag:
		return r.counted(r.value(n.path))
	case aText:
		return n.text(r)
	case anObject:
		object := make(map[string]any, len(n.nodes))
		for i, inner := range n.nodes {
			if value := inner.render(r); value != nil {
				object[n.names[i]] = value
			}
		}
		return object
	case anArray:
		list := make([]any, 0, len(n.nodes))
		for _, inner := range n.nodes {
			if value := inner.render(r); value != nil {
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
func (n *node) text(r *rendering) any {
	var whole strings.Builder
	for _, part := range n.nodes {
		value := part.value
		if part.kind == aTag {
			value = r.value(part.path)
		}
		switch v := value.(type) {
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
