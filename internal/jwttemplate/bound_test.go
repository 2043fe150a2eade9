package jwttemplate

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestSecurity55WhatPeopleWriteIsReadOnce: metadata that people fill themselves
// costs no more than it is large, however often a template asks for it.
func TestSecurity55WhatPeopleWriteIsReadOnce(t *testing.T) {
	metadata := map[string]json.RawMessage{"a": json.RawMessage(`[1` + strings.Repeat(",1", 1900) + `]`), "b": json.RawMessage(`{"c":{"d":"e"}}`)}
	for tag, want := range map[string]error{
		`{{user.untrusted_metadata}}`: ErrTooLarge, `{{user.untrusted_metadata.a}}`: ErrTooLarge, `{{user.untrusted_metadata.a.7}}`: nil,
		`"x {{user.untrusted_metadata}}"`: nil, `"x {{user.untrusted_metadata.a}}"`: nil, `{{user.untrusted_metadata.b.c.d}}`: nil,
	} {
		var parts []string
		for i := range maxTags {
			parts = append(parts, fmt.Sprintf(`"%d": %s`, i, tag))
		}
		template, err := Parse(Session, "{"+strings.Join(parts, ",")+"}")
		if err != nil {
			t.Fatal(err)
		}
		read := 0
		claims, err := template.Render(func(path []string) any {
			read++
			return InJSON(metadata, path[2:])
		})
		if read != 1 || !errors.Is(err, want) {
			t.Errorf("%s: read %d times, %v", tag, read, err)
		}
		if strings.HasSuffix(tag, "a.7}}") && (len(claims) != maxTags || claims["99"] != json.Number("1")) || strings.HasSuffix(tag, "d}}") && claims["99"] != "e" {
			t.Errorf("%s: %v", tag, claims)
		}
	}
}
