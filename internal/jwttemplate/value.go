package jwttemplate

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// In looks a path up inside a value: maps by name, arrays by index, and JSON
// text that it decodes on the way. It returns nil where the path leads nowhere.
func In(value any, path []string) any {
	value = decoded(value)
	for _, name := range path {
		switch v := value.(type) {
		case map[string]any:
			value = decoded(v[name])
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			value = decoded(v[i])
		default:
			return nil
		}
	}
	return value
}

// InJSON is In for an object whose values are JSON text, as metadata is kept.
func InJSON[M ~map[string]json.RawMessage](object M, path []string) any {
	if len(path) > 0 {
		return In(object[path[0]], path[1:])
	}
	if object == nil {
		return nil
	}
	whole := make(map[string]any, len(object))
	for name, text := range object {
		whole[name] = decoded(text)
	}
	return whole
}

// decoded turns JSON text into its value, with numbers as they were written.
func decoded(value any) any {
	text, ok := value.(json.RawMessage)
	if !ok {
		return value
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// registered are the claims that belong to the token itself (RFC 7519, section
// 4.1). Who sets them is not refused, they are dropped.
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// Reserved reports whether a claim is one that belongs to the token itself.
// Case is ignored, since there are decoders that ignore it.
func Reserved(claim string) bool { return slices.Contains(registered, folded(claim)) }

// Vendor reports whether a claim is spelled like those that SDKs read a session
// from. Nobody but the server may set one.
func Vendor(claim string) bool { return strings.HasPrefix(folded(claim), "https://stytch.com/") }

// folded spells a name the way decoders that ignore case compare it: a claim
// that only looks like one of the token's own must not pass for it anywhere.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return unicode.ToLower(least)
	}, name)
}
