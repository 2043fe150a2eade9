package wire

import (
	"bytes"
	"context"
	"encoding"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
)

// binding is how one endpoint's request is read, worked out when the server
// is made. Fields with door:"server" are no part of it behind the browser's
// door: they keep their zero values whatever a browser sends.
type binding struct {
	body      *structPlan // nil when the method has no body or the type no body fields
	paths     []textField
	queries   []textField
	form      []textField // what the body can set when it is a form; nil when it cannot be one
	basic     []int       // index of the field of type Basic, nil when there is none
	validates bool        // *Req has Validate
}

// textField is a field read from the path, the query or a form.
type textField struct {
	name     string
	index    []int
	required bool
	list     bool // a query parameter that may be repeated
	set      func(dst reflect.Value, text string) bool
	want     string // what set accepts, for messages
}

type validator interface{ Validate() error }

// plan works out e's binding, and panics where the type and the route
// disagree.
func plan(e *Endpoint) *binding {
	t := e.op.req
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("wire: %s %s: the request type %s is not a struct", e.Method, e.Path, t))
	}
	if reflect.PointerTo(t).Implements(typeUnmarshaler) {
		panic(fmt.Sprintf("wire: %s %s: %s reads itself: only its fields may", e.Method, e.Path, t))
	}
	b := &binding{validates: reflect.PointerTo(t).Implements(reflect.TypeFor[validator]())}
	browser := e.Auth == Public
	var inPath []string
	members, _ := flatten(t, nil)
	for _, m := range members {
		f := m.field
		checkTags(t, f)
		text := textField{index: m.index, required: f.Tag.Get("required") == "true"}
		switch {
		case f.Type == typeBasic:
			b.basic = m.index
		case f.Tag.Get("path") != "":
			text.name = f.Tag.Get("path")
			if browser && serversOnly(f) {
				panic(fmt.Sprintf("wire: %s %s: a path cannot be for servers only behind the browser's door", e.Method, e.Path))
			}
			inPath = append(inPath, text.name)
			text.build(t, f, false)
			b.paths = append(b.paths, text)
		case f.Tag.Get("query") != "":
			text.name = f.Tag.Get("query")
			text.build(t, f, true)
			if !browser || !serversOnly(f) {
				b.queries = append(b.queries, text)
			}
		case fromBody(f) != "" && !e.TakesBody:
			panic(fmt.Sprintf("wire: %s %s: field %s.%s would come from the body, which %s does not have: tag it path or query",
				e.Method, e.Path, t, f.Name, e.Method))
		}
	}
	if want := pathParams(e.Path); !sameSet(want, inPath) {
		panic(fmt.Sprintf("wire: %s %s: %s binds the path parameters %q", e.Method, e.Path, t, inPath))
	}
	if e.TakesBody {
		d := decoders{browser: browser, structs: map[reflect.Type]*structPlan{}}
		b.body = d.plan(t)
	}
	if e.TakesForm {
		b.planForm(t, browser)
	}
	return b
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func (f *textField) build(owner reflect.Type, field reflect.StructField, query bool) {
	t := field.Type
	if query && t.Kind() == reflect.Slice {
		f.list, t = true, t.Elem()
	}
	pointer := t.Kind() == reflect.Pointer
	if pointer {
		t = t.Elem()
	}
	set, want := textSetter(t)
	if set == nil {
		panic(fmt.Sprintf("wire: %s.%s: a %s cannot be read from a path, a query or a form", owner, field.Name, t))
	}
	f.set, f.want = set, want
	if pointer {
		f.set = func(dst reflect.Value, text string) bool {
			v := reflect.New(t)
			ok := set(v.Elem(), text)
			dst.Set(v)
			return ok
		}
	}
}

func textSetter(t reflect.Type) (func(reflect.Value, string) bool, string) {
	if reflect.PointerTo(t).Implements(typeTextUnmarshaler) {
		return func(dst reflect.Value, text string) bool {
			return dst.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)) == nil
		}, "valid"
	}
	switch t.Kind() {
	case reflect.String:
		return func(dst reflect.Value, text string) bool { dst.SetString(text); return true }, "a string"
	case reflect.Bool:
		return func(dst reflect.Value, text string) bool {
			dst.SetBool(text == "true")
			return text == "true" || text == "false"
		}, "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(dst reflect.Value, text string) bool {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || dst.OverflowInt(n) {
				return false
			}
			dst.SetInt(n)
			return true
		}, "an integer"
	}
	return nil, ""
}

// bind reads the request into req, a pointer to the request type.
func (b *binding) bind(ctx context.Context, r *http.Request, params *chi.RouteParams, req any) error {
	v := reflect.ValueOf(req).Elem()
	if err := b.bindPath(v, params); err != nil {
		return err
	}
	if b.basic != nil {
		v.FieldByIndex(b.basic).Set(reflect.ValueOf(presentedBasic(r.Header)))
	}
	var lacking missing
	if len(b.queries) > 0 {
		var err error
		if lacking, err = b.bindQuery(v, r.URL.RawQuery); err != nil {
			return err
		}
	}
	if b.body != nil {
		if err := b.bindBody(ctx, r, v, &lacking); err != nil {
			return err
		}
	}
	if len(lacking) > 0 {
		return lacking.refusal()
	}
	if b.validates {
		return req.(validator).Validate()
	}
	return nil
}

func (b *binding) bindBody(ctx context.Context, r *http.Request, v reflect.Value, lacking *missing) error {
	buffer := bodies.Get().(*bytes.Buffer)
	defer recycle(&bodies, buffer)
	body, err := readBody(ctx, r, buffer)
	if err != nil {
		return err
	}
	switch {
	case body == nil:
		body = []byte("{}")
	case b.form != nil && isForm(r.Header):
		return b.bindForm(v, body, lacking)
	default:
		if err := checkAnnounced(r.Header); err != nil {
			return err
		}
		if err := checkJSON(body); err != nil {
			return err
		}
	}
	if err = b.body.decode(v, body, nil); err != nil {
		more, ok := err.(missing)
		if !ok {
			return err
		}
		*lacking = append(*lacking, more...)
	}
	return nil
}

func (b *binding) bindPath(v reflect.Value, params *chi.RouteParams) error {
	for i := range b.paths {
		f := &b.paths[i]
		text, ok := pathValue(params, f.name)
		if !ok || !f.set(v.FieldByIndex(f.index), text) {
			return BadRequest("The path parameter %q is not valid.", f.name)
		}
	}
	return nil
}

// pathValue returns a parameter unescaped, once. The router matches on the
// escaped path, so that an escaped slash stays inside its segment.
func pathValue(params *chi.RouteParams, name string) (string, bool) {
	for i := len(params.Keys) - 1; i >= 0; i-- {
		if params.Keys[i] != name {
			continue
		}
		text := params.Values[i]
		if strings.IndexByte(text, '%') >= 0 {
			plain, err := url.PathUnescape(text)
			if err != nil {
				return "", false
			}
			text = plain
		}
		return text, cleanText(text)
	}
	return "", false
}

func cleanText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// bindQuery refuses a repeated parameter, of which two readers might each
// believe another one, and takes an empty one as absent.
func (b *binding) bindQuery(v reflect.Value, raw string) (missing, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, BadRequest("The query string is not valid: check its escapes and separators.")
	}
	var lacking missing
	for i := range b.queries {
		f := &b.queries[i]
		texts := slices.DeleteFunc(values[f.name], func(s string) bool { return s == "" })
		if len(texts) == 0 {
			if f.required {
				lacking = append(lacking, f.name)
			}
			continue
		}
		if len(values[f.name]) > 1 && !f.list {
			return nil, BadRequest("The query parameter %q appears more than once.", f.name)
		}
		dst := v.FieldByIndex(f.index)
		for _, text := range texts {
			item := dst
			if f.list {
				item = reflect.New(dst.Type().Elem()).Elem()
			}
			if !cleanText(text) || !f.set(item, text) {
				return nil, BadRequest("The query parameter %q must be %s.", f.name, f.want)
			}
			if f.list {
				dst.Set(reflect.Append(dst, item))
			}
		}
	}
	return lacking, nil
}
