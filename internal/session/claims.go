package session

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"

	"gatehouse/internal/apierr"
)

// Claims are a session's custom claims: a JSON object whose numbers are kept
// as they were written.
type Claims struct{ object map[string]any }

// maxClaims bounds the claims of a session, as JSON.
const maxClaims = 4096

// reservedClaims belong to the token itself (RFC 7519, section 4.1); a caller
// who sends them is not refused, they are dropped.
var reservedClaims = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

const reservedPrefix = "https://stytch.com/"

var (
	errClaimsTooLarge = apierr.New(400, "custom_claims_too_large", "The session's custom claims are larger than 4 KB in total. Delete keys by setting them to null.")
	errStytchClaims   = apierr.New(400, "stytch_claims_in_custom_claims", "Custom claims cannot start with https://stytch.com/.")
)

// UnmarshalJSON accepts an object or null.
func (c *Claims) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	c.object = nil
	return dec.Decode(&c.object)
}

// MarshalJSON writes the object, or null when there are no claims.
func (c Claims) MarshalJSON() ([]byte, error) {
	if len(c.object) == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(c.object)
}

// IsEmpty reports whether there is nothing to merge or show.
func (c Claims) IsEmpty() bool { return len(c.object) == 0 }

// merged returns the claims after a change: objects are merged key by key at
// every depth, null deletes, anything else replaces.
func (c Claims) merged(change Claims) (Claims, error) {
	if change.IsEmpty() {
		return c, nil
	}
	for name := range change.object {
		if strings.HasPrefix(folded(name), reservedPrefix) {
			return Claims{}, errStytchClaims
		}
	}
	next := mergeObjects(c.object, change.object)
	maps.DeleteFunc(next, func(name string, _ any) bool { return slices.Contains(reservedClaims, folded(name)) })
	text, err := json.Marshal(next)
	if err != nil {
		return Claims{}, err
	}
	if len(text) > maxClaims {
		return Claims{}, errClaimsTooLarge
	}
	return Claims{next}, nil
}

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

func mergeObjects(old, change map[string]any) map[string]any {
	next := maps.Clone(old)
	if next == nil {
		next = map[string]any{}
	}
	for name, value := range change {
		switch v := value.(type) {
		case nil:
			delete(next, name)
		case map[string]any:
			inner, _ := next[name].(map[string]any)
			next[name] = mergeObjects(inner, v)
		default:
			next[name] = v
		}
	}
	return next
}

// DescribedAs says how the claims look on the wire.
func (Claims) DescribedAs() any { return map[string]any{} }
