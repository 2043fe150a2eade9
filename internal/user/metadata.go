package user

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"

	"gatehouse/internal/apierr"
)

var (
	errMetadataFormat  = apierr.New(400, "metadata_invalid_format", "Metadata must be a JSON object.")
	errMetadataKeys    = apierr.New(400, "metadata_too_many_keys", "Metadata may have at most 20 top-level keys. Set a key to null to delete it.")
	errMetadataTooLong = apierr.New(400, "metadata_too_large", "Metadata may be at most 4096 bytes of JSON.")
)

// The bounds of each of the two metadata objects (behaviour.md, section 2).
const (
	maxMetadataKeys  = 20
	maxMetadataBytes = 4096
)

// Metadata is an application's own JSON object about a user. The values are
// kept as JSON text, so that a number is never rounded.
type Metadata map[string]json.RawMessage

// Merge returns m changed by patch, which is JSON: its keys replace m's, a null
// deletes the key, nested objects are replaced whole. An empty patch or null
// changes nothing. The result is bounded; m is left alone.
func (m Metadata) Merge(patch json.RawMessage) (Metadata, error) {
	patch = bytes.TrimSpace(patch)
	if len(patch) == 0 || string(patch) == "null" {
		return m, nil
	}
	changes, err := decodeObject(patch)
	if err != nil {
		return nil, errMetadataFormat.Because(err)
	}
	merged := maps.Clone(m)
	if merged == nil {
		merged = Metadata{}
	}
	for key, value := range changes {
		if value == nil {
			delete(merged, key)
			continue
		}
		if merged[key], err = encode(value); err != nil {
			return nil, err
		}
	}
	if len(merged) > maxMetadataKeys {
		return nil, errMetadataKeys
	}
	whole, err := encode(merged)
	if err != nil {
		return nil, err
	}
	if len(whole) > maxMetadataBytes {
		return nil, errMetadataTooLong
	}
	return merged, nil
}

// decodeObject reads one JSON object, keeping numbers as they are written.
func decodeObject(b []byte) (map[string]any, error) {
	if b[0] != '{' {
		return nil, errors.New("not an object")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("data after the object")
	}
	return object, nil
}

// encode is compact JSON without the escapes that only HTML needs.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
