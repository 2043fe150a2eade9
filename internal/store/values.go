package store

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// argument turns v into one of nil, bool, int64, float64, string and []byte,
// the same on both engines.
func argument(v any) (any, error) {
	switch x := v.(type) {
	case nil, bool, int64, float64:
		return v, nil
	case string:
		return v, checkText(x)
	case []byte:
		if x == nil {
			return nil, nil
		}
		return x, nil
	case int:
		return int64(x), nil
	case time.Time, *time.Time:
		return nil, fmt.Errorf("store: a time is stored as milliseconds; pass store.Millis(t)")
	case driver.Valuer:
		if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
			return nil, nil
		}
		inner, err := x.Value()
		if err != nil {
			return nil, err
		}
		if _, again := inner.(driver.Valuer); again {
			return nil, fmt.Errorf("store: %T gives another driver.Valuer", v)
		}
		return argument(inner)
	}
	return madeFrom(v)
}

// madeFrom is argument for pointers and for types made from the basic ones.
func madeFrom(v any) (any, error) {
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Pointer:
		if rv.IsNil() {
			return nil, nil
		}
		return argument(rv.Elem().Interface())
	case reflect.Bool:
		return rv.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return rv.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if rv.Uint() > 1<<63-1 {
			return nil, fmt.Errorf("store: %d does not fit into a BIGINT", rv.Uint())
		}
		return int64(rv.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return rv.Float(), nil
	case reflect.String:
		return rv.String(), checkText(rv.String())
	case reflect.Slice:
		if rv.Type().Elem().Kind() != reflect.Uint8 {
			break
		}
		if rv.IsNil() {
			return nil, nil
		}
		if _, text := v.(json.Marshaler); text {
			return string(rv.Bytes()), checkText(string(rv.Bytes()))
		}
		return rv.Bytes(), nil
	case reflect.Array:
		if rv.Type().Elem().Kind() == reflect.Uint8 {
			b := make([]byte, rv.Len())
			reflect.Copy(reflect.ValueOf(b), rv)
			return b, nil
		}
	}
	return nil, fmt.Errorf("store: cannot pass a %T to the database", v)
}

func checkText(s string) error {
	if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		return ErrText
	}
	return nil
}

// assign stores a value read from the database (nil, int64, float64, bool,
// string, []byte) where dest points.
func assign(dest, v any) error {
	switch d := dest.(type) {
	case *string:
		switch x := v.(type) {
		case string:
			*d = x
			return nil
		case []byte:
			*d = string(x)
			return nil
		}
	case *[]byte:
		switch x := v.(type) {
		case nil:
			*d = nil
			return nil
		case string:
			*d = []byte(x)
			return nil
		case []byte:
			*d = x
			return nil
		}
	case *int64:
		if x, ok := v.(int64); ok {
			*d = x
			return nil
		}
	case *bool:
		if x, ok := truth(v); ok {
			*d = x
			return nil
		}
	case *any:
		*d = v
		return nil
	case sql.Scanner:
		return d.Scan(v)
	}
	return assignMade(dest, v)
}

func truth(v any) (value, ok bool) {
	switch x := v.(type) {
	case bool:
		return x, true
	case int64:
		return x != 0, x == 0 || x == 1
	}
	return false, false
}

// assignMade is assign for pointers and for types made from the basic ones.
func assignMade(dest, v any) error {
	rv := reflect.ValueOf(dest)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return fmt.Errorf("store: Scan needs a pointer, not a %T", dest)
	}
	target := rv.Elem()
	if target.Kind() == reflect.Pointer {
		if v == nil {
			target.SetZero()
			return nil
		}
		fresh := reflect.New(target.Type().Elem())
		if err := assign(fresh.Interface(), v); err != nil {
			return err
		}
		target.Set(fresh)
		return nil
	}
	if set(target, v) {
		return nil
	}
	if v == nil {
		return fmt.Errorf("store: the column is NULL; scan it into a pointer, not a %T", dest)
	}
	return fmt.Errorf("store: cannot scan %s into a %T", describe(v), dest)
}

// set stores v in target when their kinds agree.
func set(target reflect.Value, v any) bool {
	switch target.Kind() {
	case reflect.Bool:
		x, ok := truth(v)
		if ok {
			target.SetBool(x)
		}
		return ok
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		x, ok := v.(int64)
		if ok = ok && !target.OverflowInt(x); ok {
			target.SetInt(x)
		}
		return ok
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		x, ok := v.(int64)
		if ok = ok && x >= 0 && !target.OverflowUint(uint64(x)); ok {
			target.SetUint(uint64(x))
		}
		return ok
	case reflect.Float32, reflect.Float64:
		switch x := v.(type) {
		case float64:
			target.SetFloat(x)
			return true
		case int64:
			target.SetFloat(float64(x))
			return true
		}
	case reflect.String:
		switch x := v.(type) {
		case string:
			target.SetString(x)
			return true
		case []byte:
			target.SetString(string(x))
			return true
		}
	case reflect.Slice:
		return setBytes(target, v)
	}
	return false
}

func setBytes(target reflect.Value, v any) bool {
	if target.Type().Elem().Kind() != reflect.Uint8 {
		return false
	}
	switch x := v.(type) {
	case nil:
		target.SetZero()
	case string:
		target.SetBytes([]byte(x))
	case []byte:
		target.SetBytes(x)
	default:
		return false
	}
	return true
}

func describe(v any) string {
	switch x := v.(type) {
	case int64:
		return "the integer " + strconv.FormatInt(x, 10)
	case string:
		return "a text"
	case []byte:
		return "a BYTEA"
	}
	return fmt.Sprintf("a %T", v)
}
