package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/swaggest/jsonschema-go"
)

// Info heads the OpenAPI document.
type Info struct {
	Title, Version, Description string
	ServerURL                   string // "" when unknown
}

// DescribedAs may be implemented by a type with its own JSON, such as a
// Prepared document or a timestamp: the OpenAPI document shows the schema of
// the value returned. Types may also implement the interfaces of
// swaggest/jsonschema-go.
type DescribedAs interface{ DescribedAs() any }

// object is a JSON object of the document. Its members are encoded in the
// order of their names, so the same endpoints give the same bytes.
type object map[string]any

const (
	schemaPrefix = "#/components/schemas/"
	errorSchema  = schemaPrefix + "Error"
	oauthSchema  = schemaPrefix + "OAuthError"
)

// OpenAPI writes the OpenAPI 3.1 document of the endpoints: of the typed ones
// all, of the raw ones those with a Summary.
func OpenAPI(info Info, endpoints []Endpoint) ([]byte, error) {
	d := newDocument()
	paths := object{}
	for _, e := range sortEndpoints(endpoints) {
		if e.IsRaw && (e.Summary == "" || strings.HasSuffix(e.Path, "*")) {
			continue
		}
		operation, err := d.operation(&e)
		if err != nil {
			return nil, fmt.Errorf("describe %s %s: %w", e.Method, e.Path, err)
		}
		path := openPath(e.Path)
		item, ok := paths[path].(object)
		if !ok {
			item = object{}
			paths[path] = item
		}
		item[strings.ToLower(e.Method)] = operation
	}
	failure, err := d.answers.schema(problem{})
	if err != nil {
		return nil, err
	}
	d.schemas["Error"] = failure
	if slices.ContainsFunc(endpoints, func(e Endpoint) bool { return e.OAuthErrors }) {
		if d.schemas["OAuthError"], err = d.answers.schema(oauthProblem{}); err != nil {
			return nil, err
		}
	}
	doc := object{
		"openapi": "3.1.0",
		"info":    object{"title": info.Title, "version": info.Version, "description": info.Description},
		"paths":   paths,
		"components": object{"schemas": d.schemas, "securitySchemes": object{
			Secret.String(): object{"type": "http", "scheme": "basic", "description": "User name: the project id. Password: one of its secrets. For servers only."},
			Public.String(): object{"type": "http", "scheme": "basic", "description": "User name: the public token. Password: the session token, or the public token again when there is none. For browsers and apps."},
		}},
	}
	if info.ServerURL != "" {
		doc["servers"] = []object{{"url": info.ServerURL}}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(doc)
	return out.Bytes(), err
}

// document collects the named schemas. What a type looks like depends on the
// side: an answer always has its fields, and a browser has fewer to send.
type document struct {
	schemas                       object
	answers, fromServer, fromPage *reflector
}

func newDocument() *document {
	d := &document{schemas: object{}}
	d.answers = &reflector{document: d}
	d.fromServer = &reflector{document: d, input: true}
	d.fromPage = &reflector{document: d, input: true, browser: true}
	return d
}

func (d *document) operation(e *Endpoint) (object, error) {
	op := object{"operationId": operationID(e), "tags": []string{group(e.Path)}, "security": []object{}}
	if e.Summary != "" {
		op["summary"] = e.Summary
	}
	if e.Auth != Open {
		op["security"] = []object{{e.Auth.String(): []string{}}}
	}
	if len(e.Needs) > 0 {
		op["description"] = "Needs the product switches: " + strings.Join(e.Needs, ", ") + "."
	}
	if e.IsRaw {
		op["responses"] = object{"default": object{"description": "See the summary: the answer is not in the JSON envelope."}}
		if params := rawParameters(e); len(params) > 0 {
			op["parameters"] = params
		}
		return op, nil
	}
	in := d.fromServer
	if e.Auth == Public {
		in = d.fromPage
	}
	params, err := in.parameters(e.op.req)
	if err != nil {
		return nil, err
	}
	if len(params) > 0 {
		op["parameters"] = params
	}
	if e.TakesBody {
		body, err := in.schema(reflect.New(e.op.req).Elem().Interface())
		if err != nil {
			return nil, err
		}
		if body["properties"] != nil {
			op["requestBody"] = object{"required": body["required"] != nil, "content": bodyContent(e, body)}
		}
	}
	answer, err := d.answer(e)
	if err != nil {
		return nil, err
	}
	refusal := errorSchema
	if e.OAuthErrors {
		refusal = oauthSchema
	}
	op["responses"] = object{
		"200":     object{"description": "Success.", "content": jsonContent(answer)},
		"default": object{"description": "The request was refused, or failed.", "content": jsonContent(object{"$ref": refusal})},
	}
	return op, nil
}

func jsonContent(schema object) object { return object{"application/json": object{"schema": schema}} }

// bodyContent shows a body in each form it may have.
func bodyContent(e *Endpoint, schema object) object {
	content := jsonContent(schema)
	if e.TakesForm {
		content[formType] = object{"schema": schema}
	}
	return content
}

func (d *document) answer(e *Endpoint) (object, error) {
	t := e.op.resp
	if shape := browserShape(e); shape != nil {
		t = shape
	}
	schema, err := d.answers.schema(reflect.New(t).Elem().Interface())
	if err != nil || e.Auth != Public {
		return schema, err
	}
	return object{"type": "object", "required": []string{"data"}, "properties": object{"data": schema}}, nil
}

func rawParameters(e *Endpoint) []object {
	var params []object
	for _, name := range pathParams(e.Path) {
		params = append(params, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	return params
}

// openPath is a chi pattern without its regular expressions.
func openPath(pattern string) string {
	var out strings.Builder
	for i, part := range strings.Split(pattern, "{") {
		if i > 0 {
			name, rest, _ := strings.Cut(part, "}")
			name, _, _ = strings.Cut(name, ":")
			part = "{" + name + "}" + rest
		}
		out.WriteString(part)
	}
	return out.String()
}

func operationID(e *Endpoint) string {
	words := strings.FieldsFunc(e.Path, func(r rune) bool { return strings.ContainsRune("/{}.-:", r) })
	return strings.ToLower(e.Method) + "_" + strings.Join(words, "_")
}

// group is the tag of a path: the first word after the door.
func group(path string) string {
	rest, browser := strings.CutPrefix(path, browserDoor+"/")
	if !browser {
		var ok bool
		if rest, ok = strings.CutPrefix(path, "/v1/"); !ok {
			return "server"
		}
	}
	word, _, _ := strings.Cut(rest, "/")
	if browser {
		return "browser " + word
	}
	return word
}

// reflector makes the schemas of one side.
type reflector struct {
	document       *document
	library        jsonschema.Reflector
	input, browser bool
}

// schema describes v's type. Named types inside it become components.
func (r *reflector) schema(v any) (object, error) {
	s, err := r.reflect(v)
	if err != nil {
		return nil, err
	}
	return simple(s)
}

func (r *reflector) reflect(v any) (jsonschema.Schema, error) {
	var failed error
	s, err := r.library.Reflect(v,
		jsonschema.DefinitionsPrefix(schemaPrefix), jsonschema.ProcessWithoutTags,
		jsonschema.InterceptDefName(r.name), jsonschema.InterceptProp(r.property),
		jsonschema.InterceptNullability(r.nullability),
		jsonschema.CollectDefinitions(func(name string, s jsonschema.Schema) {
			definition, err := simple(s)
			if err != nil {
				failed = err
			}
			r.document.schemas[name] = definition
		}))
	if err == nil {
		err = failed
	}
	return s, err
}

func simple(s jsonschema.Schema) (object, error) {
	s.Definitions = nil
	slices.Sort(s.Required)
	s.Required = slices.Compact(s.Required)
	return s.ToSchemaOrBool().ToSimpleMap()
}

// name keeps apart the components that one Go type has on different sides,
// and calls user.User a User and not a UserUser.
func (r *reflector) name(t reflect.Type, name string) string {
	if half := name[len(name)/2:]; half == name[:len(name)/2] {
		name = half
	}
	switch {
	case r.browser && hiddenDoor(t, map[reflect.Type]bool{}) != "":
		return name + "BrowserInput"
	case r.input:
		return name + "Input"
	}
	return name
}

// property is called before and after each field is described.
func (r *reflector) property(p jsonschema.InterceptPropParams) error {
	if p.Processed {
		limits(p.Field, p.PropertySchema)
		return nil
	}
	f := p.Field
	drop := func() error {
		p.ParentSchema.Required = slices.DeleteFunc(p.ParentSchema.Required, func(s string) bool { return s == p.Name })
		return jsonschema.ErrSkipProperty
	}
	if r.input {
		if fromBody(f) == "" || r.browser && serversOnly(f) {
			return drop()
		}
	} else if spliced(f) {
		return r.splice(p)
	} else if !hasOption(f, "omitempty") && !hasOption(f, "omitzero") && f.IsExported() {
		p.ParentSchema.Required = append(p.ParentSchema.Required, p.Name) // every answer has it
	}
	r.describe(f.Type)
	return nil
}

// describe tells the library which type to show in place of t's elements.
func (r *reflector) describe(t reflect.Type) {
	for !reflect.PointerTo(t).Implements(reflect.TypeFor[DescribedAs]()) {
		switch t.Kind() {
		case reflect.Slice, reflect.Pointer, reflect.Map, reflect.Array:
			t = t.Elem()
			continue
		}
		return
	}
	zero := reflect.New(t)
	r.library.AddTypeMapping(zero.Elem().Interface(), zero.Interface().(DescribedAs).DescribedAs())
}

// splice gives the parent the members of an inlined document.
func (r *reflector) splice(p jsonschema.InterceptPropParams) error {
	as, ok := reflect.New(p.Field.Type).Interface().(DescribedAs)
	if !ok {
		return fmt.Errorf("the inlined field %s does not implement DescribedAs", p.Field.Name)
	}
	s, err := r.reflect(as.DescribedAs())
	if err != nil {
		return err
	}
	if p.ParentSchema.Properties == nil {
		p.ParentSchema.Properties = map[string]jsonschema.SchemaOrBool{}
	}
	for name, property := range s.Properties {
		p.ParentSchema.Properties[name] = property
	}
	p.ParentSchema.Required = append(p.ParentSchema.Required, s.Required...)
	return jsonschema.ErrSkipProperty
}

// nullability: in an answer a pointer without omitempty may be null, and a
// list never is; an absent field is how a request says null.
func (r *reflector) nullability(p jsonschema.InterceptNullabilityParams) {
	ref := p.OrigSchema.Ref
	switch {
	case r.input || p.Type.Kind() == reflect.Slice:
		if ref == nil {
			p.Schema.RemoveType(jsonschema.Null)
		}
	case ref != nil && p.Type.Kind() == reflect.Pointer && !p.OmitEmpty:
		named := jsonschema.Schema{Ref: ref}
		p.Schema.Ref, p.Schema.Type = nil, nil
		p.Schema.AnyOf = []jsonschema.SchemaOrBool{named.ToSchemaOrBool(), jsonschema.Null.ToSchemaOrBool()}
	}
}

// limits reads the tags min and max, which mean what the type has of size.
func limits(f reflect.StructField, s *jsonschema.Schema) {
	set := func(tag string, number func(float64), length, items func(int64)) {
		text := f.Tag.Get(tag)
		var n float64
		if _, err := fmt.Sscan(text, &n); text == "" || err != nil {
			return
		}
		switch {
		case s.HasType(jsonschema.Integer) || s.HasType(jsonschema.Number):
			number(n)
		case s.HasType(jsonschema.String):
			length(int64(n))
		case s.HasType(jsonschema.Array):
			items(int64(n))
		}
	}
	set("min", func(n float64) { s.WithMinimum(n) }, func(n int64) { s.WithMinLength(n) }, func(n int64) { s.WithMinItems(n) })
	set("max", func(n float64) { s.WithMaximum(n) }, func(n int64) { s.WithMaxLength(n) }, func(n int64) { s.WithMaxItems(n) })
}

// parameters describes the fields read from the path and the query.
func (r *reflector) parameters(t reflect.Type) ([]object, error) {
	var params []object
	members, _ := flatten(t, nil)
	for _, in := range []string{"path", "query"} {
		for _, m := range members {
			name := m.field.Tag.Get(in)
			if name == "" || r.browser && serversOnly(m.field) {
				continue
			}
			// One field is described through a struct that has only it.
			one := reflect.StructOf([]reflect.StructField{{Name: m.field.Name, Type: m.field.Type, Tag: schemaTags(name, m.field.Tag)}})
			schema, err := r.reflect(reflect.New(one).Elem().Interface())
			if err != nil {
				return nil, err
			}
			property, err := schema.Properties[name].ToSimpleMap()
			if err != nil {
				return nil, err
			}
			p := object{"name": name, "in": in, "schema": property, "required": in == "path" || m.field.Tag.Get("required") == "true"}
			if text, ok := property["description"]; ok {
				p["description"] = text
				delete(property, "description")
			}
			params = append(params, p)
		}
	}
	return params, nil
}

// schemaTags is tag with another name and without what says where the field
// comes from.
func schemaTags(name string, tag reflect.StructTag) reflect.StructTag {
	kept := fmt.Sprintf("json:%q", name)
	for _, key := range []string{"description", "example", "enum", "default", "format", "pattern", "min", "max"} {
		if value, ok := tag.Lookup(key); ok {
			kept += fmt.Sprintf(" %s:%q", key, value)
		}
	}
	return reflect.StructTag(kept)
}
