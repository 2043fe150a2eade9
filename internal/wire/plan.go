package wire

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gatehouse/internal/apierr"
)

// structPlan is how one struct type is read from a JSON object.
type structPlan struct {
	goType reflect.Type
	fields []fieldPlan
	byName map[string]int
	some   bool // some field is required
}

type fieldPlan struct {
	name     string
	index    []int
	decode   decoder
	required bool
	nullable bool // null is a value of its type, see takesNull
}

// maxFields bounds the fields of one struct, so that marking the seen ones
// costs no allocation.
const maxFields = 64

// member is one field of a struct after embedded structs are opened up.
type member struct {
	name  string
	field reflect.StructField
	index []int
}

// membersOf lists the fields of t that name gives a name, with those of
// embedded structs in their place. Of two with one name the outer one counts,
// as in Go and in encoding/json; two at one depth are a mistake. It is false
// when t embeds a pointer, whose fields may not be there.
func membersOf(t reflect.Type, name func(reflect.StructField) string) ([]member, bool) {
	all, ok := flatten(t, nil)
	depth := map[string]int{}
	for i := range all {
		m := &all[i]
		if m.name = name(m.field); m.name == "" {
			continue
		}
		if best, taken := depth[m.name]; taken && best == len(m.index) {
			panic(fmt.Sprintf("wire: two fields of %s are called %q", t, m.name))
		} else if !taken || len(m.index) < best {
			depth[m.name] = len(m.index)
		}
	}
	return slices.DeleteFunc(all, func(m member) bool { return m.name == "" || len(m.index) != depth[m.name] }), ok
}

func flatten(t reflect.Type, prefix []int) ([]member, bool) {
	var out []member
	whole := true
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(prefix[:len(prefix):len(prefix)], i)
		if f.Anonymous && f.Tag.Get("json") == "" {
			if f.Type.Kind() == reflect.Struct {
				if f.Tag.Get("door") != "" {
					panic(fmt.Sprintf("wire: %s embeds %s with a door: tag the fields inside", t, f.Type))
				}
				inner, ok := flatten(f.Type, index)
				out, whole = append(out, inner...), whole && ok
				continue
			}
			whole = whole && f.Type.Kind() != reflect.Pointer
		}
		if f.IsExported() {
			out = append(out, member{field: f, index: index})
		}
	}
	return out, whole
}

// jsonName is the name in the field's json tag, "" when it has none.
func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// fromBody returns the member that f is read from, "" when there is none.
func fromBody(f reflect.StructField) string {
	name := jsonName(f)
	switch {
	case name == "-" || f.Type == typeBasic || f.Tag.Get("path") != "" || f.Tag.Get("query") != "":
		return ""
	case name == "":
		return f.Name
	}
	return name
}

func serversOnly(f reflect.StructField) bool { return f.Tag.Get("door") == "server" }

// checkTags refuses tags that look as if they did something.
func checkTags(t reflect.Type, f reflect.StructField) {
	if _, options, _ := strings.Cut(f.Tag.Get("json"), ","); strings.Contains(options, "string") {
		panic(fmt.Sprintf("wire: %s.%s: the json option \"string\" is not supported", t, f.Name))
	}
	if door := f.Tag.Get("door"); door != "" && door != "server" {
		panic(fmt.Sprintf("wire: %s.%s: door:%q means nothing, only door:\"server\" does", t, f.Name, door))
	}
	if r := f.Tag.Get("required"); r != "" && r != "true" && r != "false" {
		panic(fmt.Sprintf("wire: %s.%s: required:%q means nothing", t, f.Name, r))
	}
}

func (d *decoders) plan(t reflect.Type) *structPlan {
	if p := d.structs[t]; p != nil {
		return p
	}
	p := &structPlan{goType: t, byName: map[string]int{}}
	d.structs[t] = p
	members, ok := membersOf(t, fromBody)
	if !ok {
		panic(fmt.Sprintf("wire: %s embeds a pointer: embed the struct", t))
	}
	for _, m := range members {
		checkTags(t, m.field)
		if d.browser && serversOnly(m.field) {
			continue
		}
		required := m.field.Tag.Get("required") == "true"
		p.byName[m.name] = len(p.fields)
		p.fields = append(p.fields, fieldPlan{name: m.name, index: m.index, decode: d.build(m.field.Type),
			required: required, nullable: takesNull(m.field.Type)})
		p.some = p.some || required
	}
	if len(p.fields) > maxFields {
		panic(fmt.Sprintf("wire: %s has more than %d fields", t, maxFields))
	}
	return p
}

// missing collects the names of required fields across a whole request, so
// that one answer names them all. It travels as an error.
type missing []string

func (m missing) Error() string { return strings.Join(m, ", ") }

func (m missing) refusal() *apierr.Error {
	if len(m) == 1 {
		return BadRequest("The field %q is required.", m[0])
	}
	return BadRequest("The fields %s are required.", `"`+strings.Join(m, `", "`)+`"`)
}

func (p *structPlan) decode(dst reflect.Value, raw []byte, at *path) error {
	if raw[0] != '{' {
		return wrongType(p.goType, raw, at)
	}
	var seen [maxFields]bool
	var lacking missing
	s := scanner{text: raw, at: 1}
	for s.more('}') {
		name := s.name()
		i, known := p.byName[string(name)]
		value := s.value()
		if !known {
			continue
		}
		f := &p.fields[i]
		step := path{parent: at, name: f.name}
		if seen[i] {
			return BadRequest("The field %q appears twice.", &step)
		}
		seen[i] = true
		if value[0] == 'n' && !f.nullable {
			seen[i] = !f.required // null is no value: as if the field were absent
			continue
		}
		if err := f.decode(dst.FieldByIndex(f.index), value, &step); err != nil {
			inner, ok := err.(missing)
			if !ok {
				return err
			}
			lacking = append(lacking, inner...)
		}
	}
	return p.lacking(lacking, &seen, at)
}

func (p *structPlan) lacking(lacking missing, seen *[maxFields]bool, at *path) error {
	if p.some {
		for i := range p.fields {
			if f := &p.fields[i]; f.required && !seen[i] {
				lacking = append(lacking, (&path{parent: at, name: f.name}).String())
			}
		}
	}
	if len(lacking) > 0 {
		return lacking
	}
	return nil
}

// hiddenDoor finds a field for servers only somewhere below t.
func hiddenDoor(t reflect.Type, visited map[reflect.Type]bool) string {
	if visited[t] {
		return ""
	}
	visited[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return hiddenDoor(t.Elem(), visited)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if serversOnly(f) {
				return t.Name() + "." + f.Name
			}
			if found := hiddenDoor(f.Type, visited); found != "" {
				return found
			}
		}
	}
	return ""
}
