package totp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // RFC 6238's default, the one that every app has; HMAC does not need a hash without collisions
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode"

	"gatehouse/internal/apierr"
)

var (
	errCode           = apierr.New(400, "invalid_totp_code", "The code is not valid. It has six digits: read it from the authenticator app.")
	errRecoveryCode   = apierr.New(400, "invalid_recovery_code", "The recovery code is not valid. It looks like a1b2-c3d4-e5f6.")
	errRecoveryAsTOTP = apierr.New(400, "recovery_code_used_as_totp_code", "This is a recovery code. Enter the six digits from the authenticator app, or use the recovery code where one is asked for.")
	errTOTPAsRecovery = apierr.New(400, "totp_code_used_as_recovery_code", "This is a code from the authenticator app. Enter one of the recovery codes, or use the six digits where they are asked for.")
)

const (
	digits = 6
	modulo = 1_000_000
	// step is how long a code is shown, and skew how many steps a device's clock
	// may be off, in either direction.
	step = 30 * time.Second
	skew = 1
	// secretSize is that of SHA-1's output, as RFC 4226 recommends: 32 characters
	// in base32.
	secretSize = 20
	// recoveryCodes is how many codes come with an authenticator app.
	recoveryCodes = 10
	// recoverySize is the length of a recovery code without its dashes: 60 bits.
	recoverySize = 12
	// maxTyped bounds what is looked at of what somebody typed.
	maxTyped = 64
)

// alphabet is what recovery codes are made of: 32 characters of which no two
// look alike.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// stepAt is the step that an instant is in.
func stepAt(t time.Time) int64 { return t.Unix() / int64(step/time.Second) }

// codeAt is the code of a step (RFC 4226, section 5.3, with RFC 6238's counter).
func codeAt(secret []byte, at int64) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(at))
	mac := hmac.New(sha1.New, secret)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0x0f
	return fmt.Sprintf("%0*d", digits, (binary.BigEndian.Uint32(sum[offset:])&0x7fff_ffff)%modulo)
}

// matching returns the last of the steps around now that code belongs to, and
// false when there is none. It compares with all of them whatever it finds.
func matching(secret []byte, code string, now time.Time) (at int64, ok bool) {
	for d := int64(-skew); d <= skew; d++ {
		candidate := stepAt(now) + d
		if subtle.ConstantTimeCompare([]byte(codeAt(secret, candidate)), []byte(code)) == 1 {
			at, ok = candidate, true
		}
	}
	return at, ok
}

// parseCode reads the code that somebody typed: six digits, perhaps in groups
// as apps show them.
func parseCode(typed string) (string, error) {
	text := strip(typed)
	if isCode(text) {
		return text, nil
	}
	if _, ok := recoveryForm(text); ok {
		return "", errRecoveryAsTOTP
	}
	return "", errCode
}

// parseRecoveryCode reads the recovery code that somebody typed, perhaps from
// paper, and returns its one spelling.
func parseRecoveryCode(typed string) (string, error) {
	text := strip(typed)
	if code, ok := recoveryForm(text); ok {
		return code, nil
	}
	if isCode(text) {
		return "", errTOTPAsRecovery
	}
	return "", errRecoveryCode
}

// strip takes out what people put between the characters of a code.
func strip(typed string) string {
	if len(typed) > maxTyped {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r == '-' || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, typed)
}

func isCode(text string) bool { return len(text) == digits && strings.Trim(text, "0123456789") == "" }

// recoveryForm is the one spelling of a recovery code: in lower case, with its
// dashes, and with the letters that recovery codes lack read as the digits they
// look like. It is false for what is no such code.
func recoveryForm(text string) (string, bool) {
	if len(text) != recoverySize {
		return "", false
	}
	code := []byte(text)
	for i, c := range code {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z':
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		default:
			return "", false
		}
		switch c {
		case 'o':
			c = '0'
		case 'i', 'l':
			c = '1'
		}
		code[i] = c
	}
	return dashed(code), true
}

func dashed(code []byte) string {
	return string(code[:4]) + "-" + string(code[4:8]) + "-" + string(code[8:])
}

// newRecoveryCode returns a random recovery code. The alphabet has 32
// characters, so five bits choose each of them alike.
func newRecoveryCode() string {
	var code [recoverySize]byte
	_, _ = rand.Read(code[:]) // never fails since Go 1.24
	for i, b := range code {
		code[i] = alphabet[b%byte(len(alphabet))]
	}
	return dashed(code[:])
}

func newSecret() []byte {
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // never fails since Go 1.24
	return secret
}
