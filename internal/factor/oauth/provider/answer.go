package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"

	"gatehouse/internal/jwks"
)

const (
	maxCode   = 4 << 10   // of an authorization code; Microsoft's are the longest with about 1,500
	maxAnswer = 256 << 10 // of JSON: tokens, claims, lists of addresses
	maxToken  = 16 << 10
)

// ReadAnswer reads what a provider sent a browser back with: a code, or the
// verdict that there is none. The caller adds what it remembers of the flow.
func ReadAnswer(form url.Values) (Answer, error) {
	for _, name := range []string{"code", "error", "iss", "state"} {
		if len(form[name]) > 1 {
			return Answer{}, errBadCallback.Because(errors.New("a parameter stands twice"))
		}
	}
	if code := form.Get("error"); code != "" {
		cause := errors.New("the provider answered " + plainCode(code))
		if code == "invalid_scope" {
			return Answer{}, errScope.Because(cause)
		}
		return Answer{}, errAuthCode.Because(cause)
	}
	code := form.Get("code")
	if code == "" || len(code) > maxCode || !visible(code) {
		return Answer{}, errBadCallback.Because(errors.New("there is no usable code"))
	}
	return Answer{Code: code, Issuer: form.Get("iss"), Form: form}, nil
}

// plainCode is an error code as it may stand in a log. Whoever opens the
// callback writes it, so everything that is not in the shape of one is left out.
func plainCode(code string) string {
	if code == "" || len(code) > 60 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != "" {
		return "an unusual error"
	}
	return code
}

// visible reports whether a text has characters of VSCHAR only (RFC 6749,
// appendix A), of which codes and tokens are made.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

var errNoJSON = errors.New("the answer is no JSON object")

// readObject reads a JSON object. Numbers stay as they were written.
func readObject(body []byte) (jwks.Claims, error) {
	if len(body) > maxAnswer {
		return nil, errNoJSON
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var c jwks.Claims
	if err := d.Decode(&c); err != nil || c == nil {
		return nil, errNoJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNoJSON
	}
	return c, nil
}

// readList reads the objects of a JSON list, and nothing where it is none.
func readList(v any) (list []jwks.Claims) {
	all, _ := v.([]any)
	for _, one := range all {
		if m, is := one.(map[string]any); is {
			list = append(list, m)
		}
	}
	return list
}

// isTrue reads what Microsoft writes for yes: true, "true", 1 or "1".
func isTrue(v any) bool {
	if n, is := v.(json.Number); is {
		return n.String() == "1"
	}
	return jwks.True(v) || v == "1"
}
