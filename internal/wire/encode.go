package wire

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Prepared is implemented by a value that is stored as the JSON it is
// answered with, such as a user's document. WireJSON returns valid, compact
// JSON, which is written as it is: encoding/json would read a MarshalJSON
// result again from end to end, which costs more than all the rest of an
// authenticate's answer. A Prepared also has MarshalJSON for everybody else.
type Prepared interface{ WireJSON() []byte }

// output is a buffer with the encoder that writes to it.
type output struct {
	buffer bytes.Buffer
	json   *json.Encoder
}

var outputs = sync.Pool{New: func() any {
	o := new(output)
	o.json = json.NewEncoder(&o.buffer)
	o.json.SetEscapeHTML(false) // answers are JSON and say so
	return o
}}

func (o *output) recycle() {
	if o.buffer.Cap() <= maxPooled {
		o.buffer.Reset()
		outputs.Put(o)
	}
}

// library leaves a value to encoding/json.
func (o *output) library(v any) error {
	if err := o.json.Encode(v); err != nil {
		return err
	}
	o.buffer.Truncate(o.buffer.Len() - 1) // Encode ends with a line break
	return nil
}

// encoder appends one addressable value. Structs are taken apart here, down
// to the prepared values in them. The result is what encoding/json would
// write, byte for byte, but for one rule of the contract: a list that is
// empty is [], never null.
type encoder func(o *output, v reflect.Value) error

var (
	typePrepared  = reflect.TypeFor[Prepared]()
	typeMarshaler = reflect.TypeFor[json.Marshaler]()
	typeText      = reflect.TypeFor[encoding.TextMarshaler]()
	typeIsZero    = reflect.TypeFor[interface{ IsZero() bool }]()
)

// encoders builds one response type's encoders.
type encoders map[reflect.Type]*structEncoder

func (es encoders) build(t reflect.Type) encoder {
	p := reflect.PointerTo(t)
	switch {
	case t.Kind() == reflect.Pointer:
		return encodePointer(es.build(t.Elem()))
	case t.Implements(typePrepared):
		return encodePrepared
	case t == typeTime:
		return encodeTime
	case p.Implements(typeMarshaler):
		return encodeByLibrary
	case p.Implements(typeText):
		return encodeText
	}
	switch t.Kind() {
	case reflect.String:
		return encodeString
	case reflect.Int, reflect.Int64, reflect.Int32:
		return encodeInt
	case reflect.Struct:
		if s := es.structOf(t); s != nil {
			return s.encode
		}
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 { // []byte is base64
			return encodeList(es.build(t.Elem()))
		}
	}
	return encodeByLibrary
}

func encodeByLibrary(o *output, v reflect.Value) error { return o.library(v.Addr().Interface()) }

func encodePrepared(o *output, v reflect.Value) error {
	text := v.Interface().(Prepared).WireJSON()
	if len(text) == 0 {
		text = []byte("null")
	}
	o.buffer.Write(text)
	return nil
}

func encodeString(o *output, v reflect.Value) error {
	return quote(o, v.String())
}

// quote writes plain text itself and leaves what needs care to encoding/json.
func quote(o *output, s string) error {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return o.library(s)
		}
	}
	o.buffer.WriteByte('"')
	o.buffer.WriteString(s)
	o.buffer.WriteByte('"')
	return nil
}

func encodeText(o *output, v reflect.Value) error {
	text, err := v.Addr().Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return err
	}
	return quote(o, string(text))
}

func encodeInt(o *output, v reflect.Value) error {
	o.buffer.Write(strconv.AppendInt(o.buffer.AvailableBuffer(), v.Int(), 10))
	return nil
}

// encodeTime writes what time.Time.MarshalJSON does for the times of the wire.
func encodeTime(o *output, v reflect.Value) error {
	t := v.Addr().Interface().(*time.Time)
	if y := t.Year(); t.Location() != time.UTC || y < 1 || y > 9999 {
		return encodeByLibrary(o, v)
	}
	b := append(o.buffer.AvailableBuffer(), '"')
	b = t.AppendFormat(b, time.RFC3339Nano)
	o.buffer.Write(append(b, '"'))
	return nil
}

func encodePointer(elem encoder) encoder {
	return func(o *output, v reflect.Value) error {
		if v.IsNil() {
			o.buffer.WriteString("null")
			return nil
		}
		return elem(o, v.Elem())
	}
}

func encodeList(elem encoder) encoder {
	return func(o *output, v reflect.Value) error {
		o.buffer.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				o.buffer.WriteByte(',')
			}
			if err := elem(o, v.Index(i)); err != nil {
				return err
			}
		}
		o.buffer.WriteByte(']')
		return nil
	}
}

type structEncoder struct{ fields []fieldEncoder }

type fieldEncoder struct {
	prefix  string // `,"name":`
	index   []int
	absent  func(v reflect.Value) bool // nil: never
	encode  encoder
	spliced bool // a Prepared object whose members become the struct's own
}

// structOf returns nil for a struct that uses more of encoding/json's rules
// than are followed here.
func (es encoders) structOf(t reflect.Type) *structEncoder {
	if s, ok := es[t]; ok {
		return s
	}
	s := &structEncoder{}
	es[t] = s // a type may contain itself
	members, ok := membersOf(t, answerName)
	if !ok {
		es[t] = nil
		return nil
	}
	for _, m := range members {
		f := fieldEncoder{prefix: prefixOf(m.name), index: m.index,
			absent: absence(m.field), encode: es.build(m.field.Type), spliced: spliced(m.field)}
		if f.spliced && !m.field.Type.Implements(typePrepared) {
			panic(fmt.Sprintf("wire: %s.%s: only a Prepared value can be inlined", t, m.field.Name))
		}
		s.fields = append(s.fields, f)
	}
	return s
}

func prefixOf(name string) string {
	o := outputs.Get().(*output)
	defer o.recycle()
	_ = quote(o, name) // strings always encode
	return "," + o.buffer.String() + ":"
}

// answerName is the name of a response's field, "" when it is not encoded.
func answerName(f reflect.StructField) string {
	if f.Tag.Get("json") == "-" {
		return ""
	}
	if name := jsonName(f); name != "" {
		return name
	}
	return f.Name
}

// spliced reports json:",inline": the members of the field's object stand
// among those of the struct itself.
func spliced(f reflect.StructField) bool { return hasOption(f, "inline") }

func hasOption(f reflect.StructField, option string) bool {
	_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return slices.Contains(strings.Split(options, ","), option)
}

// absence says when a field is left out, by omitempty and omitzero.
func absence(f reflect.StructField) func(reflect.Value) bool {
	empty, zero := hasOption(f, "omitempty"), hasOption(f, "omitzero")
	switch k := f.Type.Kind(); {
	case zero && reflect.PointerTo(f.Type).Implements(typeIsZero):
		return func(v reflect.Value) bool { return v.Addr().Interface().(interface{ IsZero() bool }).IsZero() }
	case zero:
		return reflect.Value.IsZero
	case empty && (k == reflect.Slice || k == reflect.Map || k == reflect.Array):
		return func(v reflect.Value) bool { return v.Len() == 0 }
	case empty && k != reflect.Struct:
		return reflect.Value.IsZero
	}
	return nil
}

func (s *structEncoder) encode(o *output, v reflect.Value) error {
	first := o.buffer.Len()
	for i := range s.fields {
		f := &s.fields[i]
		value := v.FieldByIndex(f.index)
		if f.absent != nil && f.absent(value) {
			continue
		}
		if f.spliced {
			if err := splice(o, value.Interface().(Prepared).WireJSON()); err != nil {
				return err
			}
			continue
		}
		o.buffer.WriteString(f.prefix)
		if err := f.encode(o, value); err != nil {
			return err
		}
	}
	if o.buffer.Len() == first {
		o.buffer.WriteByte('{')
	} else {
		o.buffer.Bytes()[first] = '{' // over the first comma
	}
	o.buffer.WriteByte('}')
	return nil
}

func splice(o *output, object []byte) error {
	if len(object) < 2 || object[0] != '{' || object[len(object)-1] != '}' {
		return errors.New("an inlined value is not a JSON object")
	}
	if len(object) > 2 {
		o.buffer.WriteByte(',')
		o.buffer.Write(object[1 : len(object)-1])
	}
	return nil
}
