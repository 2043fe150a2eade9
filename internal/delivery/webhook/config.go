package webhook

import (
	"crypto/rand"
	"encoding/base64"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/outbound"
)

var errInvalid = apierr.New(400, "invalid_sender", "The settings of the sender are not valid. Check them and try again.")

// Config says where messages are sent. The secret that signs them is not in it
// and is handed in apart.
type Config struct {
	URL     string            `json:"url"`               // https://..., what the policy of the outbound client allows
	Headers map[string]string `json:"headers,omitempty"` // sent with every message, for example a key of the receiver's
}

const (
	maxHeaders     = 20
	maxHeaderValue = 4096
)

// Check returns invalid_sender with a message that names the first fault, or
// nil. It asks nobody: whether the URL may be called, outbound.Client.Check says.
func (c *Config) Check() error {
	if c.URL == "" {
		return errInvalid.WithMessage("url is missing. Name where messages are to be sent, such as https://example.com/messages.")
	}
	if _, err := outbound.ParseURL(c.URL); err != nil {
		return errInvalid.WithMessage("url is not valid. %s", apierr.From(err).Message)
	}
	if len(c.Headers) > maxHeaders {
		return errInvalid.WithMessage("headers has more than %d entries.", maxHeaders)
	}
	for name, value := range c.Headers {
		if name == "" || strings.Trim(name, tokenCharacters) != "" {
			return errInvalid.WithMessage("headers has a name that is none: %.100q.", name)
		}
		if reserved(strings.ToLower(name)) {
			return errInvalid.WithMessage("headers has %s, which is set for every message. Leave it out.", name)
		}
		if len(value) > maxHeaderValue || strings.TrimSpace(value) != value || strings.ContainsFunc(value, notPrintable) {
			return errInvalid.WithMessage("headers has a value for %s that is too long, or has other than printable ASCII characters in it.", name)
		}
	}
	return nil
}

// tokenCharacters may stand in the name of a header (RFC 9110, section 5.6.2).
const tokenCharacters = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// reserved reports whether a header is ours to set, or says how the connection
// is used.
func reserved(name string) bool {
	switch name {
	case "host", "content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect":
		return true
	}
	return strings.HasPrefix(name, "webhook-") || strings.HasPrefix(name, "proxy-")
}

func notPrintable(r rune) bool { return r < ' ' || r > '~' }

const (
	secretPrefix = "whsec_"
	secretBytes  = 32
)

// NewSecret returns a new secret, as Standard Webhooks spells one: "whsec_" and
// the base64 of the key.
func NewSecret() string {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return secretPrefix + base64.StdEncoding.EncodeToString(b)
}

// parseSecret returns the key of a secret, which may have been made elsewhere:
// Standard Webhooks allows 24 to 64 bytes.
func parseSecret(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errInvalid.WithMessage(`The secret is not "whsec_" and the base64 of 24 to 64 bytes. Leave it out to have one made.`)
	}
	return key, nil
}
