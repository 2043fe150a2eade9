package jwks

import (
	"encoding/json"
	"math"
	"strings"
	"time"
)

// Claims are what a token says. Numbers are json.Number, as they were written.
type Claims map[string]any

// String is a claim that is text; empty when it is missing or something else.
func (c Claims) String(name string) string {
	s, _ := c[name].(string)
	return s
}

// Strings is a claim that is a text or a list of texts, as aud is. A list with
// anything else in it is none.
func (c Claims) Strings(name string) []string { return Strings(c[name]) }

// Strings is a value of Path that is a text or a list of texts.
func Strings(v any) []string {
	if s, is := v.(string); is {
		return []string{s}
	}
	list, _ := v.([]any)
	var out []string
	for _, v := range list {
		s, is := v.(string)
		if !is {
			return nil
		}
		out = append(out, s)
	}
	return out
}

// Bool is a claim that is true, or "true", as Apple writes it. Whether the
// claim is missing is seen in the map.
func (c Claims) Bool(name string) bool { return True(c[name]) }

// True reports whether a value of Path is true or "true".
func True(v any) bool { return v == true || v == "true" }

// Time is a claim that is a NumericDate: seconds since 1970, which may have a
// fraction.
func (c Claims) Time(name string) (time.Time, bool) {
	n, is := c[name].(json.Number)
	if !is {
		return time.Time{}, false
	}
	if seconds, err := n.Int64(); err == nil && seconds >= 0 && seconds < maxSeconds {
		return time.Unix(seconds, 0).UTC(), true
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f >= maxSeconds {
		return time.Time{}, false
	}
	seconds, fraction := math.Modf(f)
	return time.Unix(int64(seconds), int64(fraction*1e9)).UTC(), true
}

const maxSeconds = 253402300800 // the year 10000

// Path is the value at "name" or "outer.inner", nil when there is none. A name
// that itself has dots in it, as namespaced claims have, goes before a path.
func (c Claims) Path(path string) any { return at(c, path) }

func at(m map[string]any, path string) any {
	if v, is := m[path]; is {
		return v
	}
	for i := range path {
		if path[i] != '.' {
			continue
		}
		if inner, is := m[path[:i]].(map[string]any); is {
			if v := at(inner, path[i+1:]); v != nil {
				return v
			}
		}
	}
	return nil
}

// Text is the value at a path as an identifier: text as it is, a whole number
// as it was written, anything else empty.
func (c Claims) Text(path string) string {
	switch v := c.Path(path).(type) {
	case string:
		return v
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			return v.String()
		}
	}
	return ""
}
