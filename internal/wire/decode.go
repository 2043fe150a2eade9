package wire

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/apierr"
)

func itoa(n int) string { return strconv.Itoa(n) }

// decoder sets dst, which is addressable, from raw: one JSON value that has
// been checked. path names the value in messages.
//
// Structs are decoded here and not by encoding/json because of what a trust
// boundary needs: names match exactly, a name given twice is refused, every
// missing field is named at once, a wrong type is named with its whole path,
// and a field that only a server may set does not exist behind the browser's
// door, whatever surrounds it. Values that are not structs or lists are left
// to encoding/json.
type decoder func(dst reflect.Value, raw []byte, path *path) error

// path is the way to a value: its innermost step, and what that is a part of.
type path struct {
	parent *path
	name   string // a member, or
	index  int    // an item of a list when name is ""
}

func (p *path) String() string {
	if p == nil {
		return ""
	}
	switch outer := p.parent.String(); {
	case p.name == "":
		return outer + "[" + itoa(p.index) + "]"
	case outer == "":
		return p.name
	default:
		return outer + "." + p.name
	}
}

var (
	typeUnmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	typeTextUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	typeTime            = reflect.TypeFor[time.Time]()
)

// decoders builds the decoders of one endpoint's request type, for one door.
type decoders struct {
	browser bool
	structs map[reflect.Type]*structPlan // also ends the recursion of a type that contains itself
}

func (d *decoders) build(t reflect.Type) decoder {
	if p := reflect.PointerTo(t); p.Implements(typeUnmarshaler) || p.Implements(typeTextUnmarshaler) {
		mustShow(t)
		return decodeByMethod
	}
	switch t.Kind() {
	case reflect.String:
		return decodeString
	case reflect.Bool:
		return decodeBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return decodeInt
	case reflect.Struct:
		plan := d.plan(t)
		return plan.decode
	case reflect.Pointer:
		return decodePointer(t.Elem(), d.build(t.Elem()))
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return decodeList(t, d.build(t.Elem()))
		}
	}
	mustShow(t)
	return decodeByLibrary
}

// mustShow refuses a field for servers only where its tag would not be seen.
func mustShow(t reflect.Type) {
	if field := hiddenDoor(t, map[reflect.Type]bool{}); field != "" {
		panic(fmt.Sprintf("wire: %s: field %s is for servers only, which cannot be kept up inside a map, an array or a type that reads itself", t, field))
	}
}

// decodeByMethod is for types that read themselves, null included.
func decodeByMethod(dst reflect.Value, raw []byte, path *path) error {
	err := json.Unmarshal(raw, dst.Addr().Interface())
	if err == nil || apierr.From(err) != nil {
		return err
	}
	if dst.Type() == typeTime {
		return BadRequest("The field %q must be a date and time like 2026-01-02T03:04:05Z (RFC 3339).", path)
	}
	return BadRequest("The field %q is not valid: %s.", path, strings.TrimSuffix(err.Error(), "."))
}

func decodeByLibrary(dst reflect.Value, raw []byte, path *path) error {
	err := json.Unmarshal(raw, dst.Addr().Interface())
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil || apierr.From(err) != nil:
		return err
	case errors.As(err, &wrong) && wrong.Type != dst.Type():
		return BadRequest("A value inside the field %q must be %s, but it is %s.", path, describeType(wrong.Type), article(wrong.Value))
	default:
		return wrongType(dst.Type(), raw, path)
	}
}

func decodeString(dst reflect.Value, raw []byte, path *path) error {
	if raw[0] != '"' {
		return wrongType(dst.Type(), raw, path)
	}
	dst.SetString(unquote(raw))
	return nil
}

func decodeBool(dst reflect.Value, raw []byte, path *path) error {
	if raw[0] != 't' && raw[0] != 'f' {
		return wrongType(dst.Type(), raw, path)
	}
	dst.SetBool(raw[0] == 't')
	return nil
}

// decodeInt takes 60 and also 60.0 and 6e1, which are the same number in JSON
// and what some languages write.
func decodeInt(dst reflect.Value, raw []byte, path *path) error {
	if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return wrongType(dst.Type(), raw, path)
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(string(raw), 64)
		if ferr != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return BadRequest("The field %q must be a whole number.", path)
		}
		n = int64(f)
	}
	if dst.OverflowInt(n) {
		return BadRequest("The field %q is out of range.", path)
	}
	dst.SetInt(n)
	return nil
}

func decodePointer(elem reflect.Type, decode decoder) decoder {
	return func(dst reflect.Value, raw []byte, path *path) error {
		v := reflect.New(elem)
		if err := decode(v.Elem(), raw, path); err != nil {
			return err
		}
		dst.Set(v)
		return nil
	}
}

func decodeList(list reflect.Type, decode decoder) decoder {
	elem := list.Elem()
	nullable := takesNull(elem)
	return func(dst reflect.Value, raw []byte, at *path) error {
		if raw[0] != '[' {
			return wrongType(list, raw, at)
		}
		out := reflect.MakeSlice(list, 0, 0)
		s := scanner{text: raw, at: 1}
		for i := 0; s.more(']'); i++ {
			value := s.value()
			item := path{parent: at, index: i}
			if string(value) == "null" && !nullable {
				return wrongType(elem, value, &item)
			}
			out = reflect.Append(out, reflect.Zero(elem))
			if err := decode(out.Index(i), value, &item); err != nil {
				return err
			}
		}
		dst.Set(out)
		return nil
	}
}

// takesNull reports whether null is a value of t rather than no value.
func takesNull(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(typeUnmarshaler) && t != typeTime || t.Kind() == reflect.Interface
}

func wrongType(want reflect.Type, raw []byte, path *path) error {
	return BadRequest("The field %q must be %s, but it is %s.", path, describeType(want), describeValue(raw))
}

func describeType(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		return describeType(t.Elem())
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "an integer"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "a base64 string"
		}
		return "a list"
	}
	return "an object"
}

func describeValue(raw []byte) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// article turns encoding/json's word for a value into a phrase, without the
// value that it may append.
func article(value string) string {
	word, _, _ := strings.Cut(value, " ")
	switch word {
	case "object":
		return "an object"
	case "array":
		return "a list"
	case "bool":
		return "a boolean"
	case "null":
		return "null"
	}
	return "a " + word
}
