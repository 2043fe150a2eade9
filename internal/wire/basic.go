package wire

import (
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"
)

// maxAuthorization bounds the header before it is decoded: a project id and a
// secret, or a public token and a session JWT, are far shorter.
const maxAuthorization = 16 << 10

// basicAuth reads HTTP Basic credentials (RFC 7617). They are all or nothing:
// a header that is repeated, not base64, without a colon, or with control
// characters or broken UTF-8 in it counts as none.
func basicAuth(h http.Header) (user, password string, ok bool) {
	lines := h["Authorization"]
	if len(lines) != 1 || len(lines[0]) > maxAuthorization {
		return "", "", false
	}
	scheme, encoded, _ := strings.Cut(lines[0], " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	encoded = strings.TrimRight(strings.Trim(encoded, " \t"), "=")
	raw, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil || !utf8.Valid(raw) {
		return "", "", false
	}
	for _, c := range raw {
		if c < ' ' || c == 0x7f {
			return "", "", false
		}
	}
	user, password, ok = strings.Cut(string(raw), ":")
	if !ok {
		return "", "", false
	}
	return user, password, true
}
