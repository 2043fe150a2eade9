// Package id makes and recognises the identifiers of the wire contract:
// "<kind>-<environment>-<uuid>". It owns the one table of kinds and never
// touches storage.
package id

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Kind is what an identifier names; its text is the identifier's prefix.
type Kind string

// The kinds of the contract (behaviour.md, section 1).
const (
	User          Kind = "user"
	Session       Kind = "session"
	RequestID     Kind = "request-id"
	Email         Kind = "email"
	Phone         Kind = "phone-number"
	WebAuthn      Kind = "webauthn-registration"
	Biometric     Kind = "biometric-registration"
	TOTP          Kind = "totp"
	RecoveryCode  Kind = "totp-recovery-code"
	CryptoWallet  Kind = "crypto-wallet"
	Password      Kind = "password"
	OAuth         Kind = "oauth-user"
	Project       Kind = "project"
	Secret        Kind = "secret"
	PublicToken   Kind = "public-token"
	RedirectURL   Kind = "redirect-url"
	OAuthCallback Kind = "oauth-callback"
	JWK           Kind = "jwk"
	Event         Kind = "event-id"
	Job           Kind = "job"
	Message       Kind = "message"
	Sender        Kind = "sender"
	EmbeddedLink  Kind = "embedded-magic-link"
	M2MClient     Kind = "m2m-client"
	M2MToken      Kind = "m2m-token"
	TokenProfile  Kind = "trusted-token-profile"
	Impersonation Kind = "impersonation"
)

// Env is the environment part of an identifier.
type Env string

// The two kinds of environment a project can have.
const (
	Test Env = "test"
	Live Env = "live"
)

// Valid reports whether e is one of the two environments.
func (e Env) Valid() bool { return e == Test || e == Live }

const uuidLength = 36

// New returns an identifier with a version 7 UUID (RFC 9562, section 5.7) of
// the instant now: identifiers made later sort later, which keeps inserts at
// the end of an index.
func New(k Kind, e Env, now time.Time) string {
	var b [16]byte
	fill(b[6:])
	ms := uint64(now.UnixMilli())
	b[0], b[1], b[2] = byte(ms>>40), byte(ms>>32), byte(ms>>24)
	b[3], b[4], b[5] = byte(ms>>16), byte(ms>>8), byte(ms)
	b[6] = b[6]&0x0f | 0x70
	return format(k, e, b)
}

// Random returns an identifier with a version 4 UUID, for values whose making
// should say nothing about when.
func Random(k Kind, e Env) string {
	var b [16]byte
	fill(b[:])
	b[6] = b[6]&0x0f | 0x40
	return format(k, e, b)
}

// Made returns when an identifier that New made was made, to the millisecond.
func Made(s string) (time.Time, bool) {
	if _, _, ok := Split(s); !ok {
		return time.Time{}, false
	}
	uuid := s[len(s)-uuidLength:]
	ms, err := strconv.ParseInt(uuid[:8]+uuid[9:13], 16, 64)
	return time.UnixMilli(ms).UTC(), err == nil && uuid[14] == '7'
}

// Check reports whether s is an identifier of kind k in environment e.
func Check(k Kind, e Env, s string) bool {
	kind, env, ok := Split(s)
	return ok && kind == k && env == e
}

// Split takes an identifier apart. It is false for anything that does not
// have the exact shape; kinds are not looked up, so a new kind needs no entry.
func Split(s string) (Kind, Env, bool) {
	cut := len(s) - uuidLength - 1
	if cut < 0 || s[cut] != '-' || !isUUID(s[cut+1:]) {
		return "", "", false
	}
	head := s[:cut]
	for _, e := range []Env{Test, Live} {
		if kind, ok := strings.CutSuffix(head, "-"+string(e)); ok && kind != "" {
			return Kind(kind), e, true
		}
	}
	return "", "", false
}

func fill(b []byte) {
	// crypto/rand.Read never fails since Go 1.24: it crashes the process instead.
	_, _ = rand.Read(b)
}

func format(k Kind, e Env, b [16]byte) string {
	b[8] = b[8]&0x3f | 0x80
	out := make([]byte, 0, len(k)+len(e)+2+uuidLength)
	out = append(out, k...)
	out = append(out, '-')
	out = append(out, e...)
	out = append(out, '-')
	for i, cut := range [][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		if i > 0 {
			out = append(out, '-')
		}
		out = hex.AppendEncode(out, b[cut[0]:cut[1]])
	}
	return string(out)
}

func isUUID(s string) bool {
	if len(s) != uuidLength {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}
