package event

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// Changed lists the fields of JSON in which two values of a type differ, which
// is what an event may say of values that it must not hold.
func Changed(before, after any) ([]string, error) {
	was, err := fields(before)
	if err != nil {
		return nil, err
	}
	is, err := fields(after)
	if err != nil {
		return nil, err
	}
	names := maps.Clone(was)
	maps.Copy(names, is)
	maps.DeleteFunc(names, func(name string, _ json.RawMessage) bool { return bytes.Equal(was[name], is[name]) })
	return slices.Sorted(maps.Keys(names)), nil
}

func fields(v any) (map[string]json.RawMessage, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	return all, json.Unmarshal(text, &all)
}
