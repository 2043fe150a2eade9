package twilio

import (
	"regexp"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/outbound"
)

var errInvalid = apierr.New(400, "invalid_sender", "The settings of the sender are not valid. Check them and try again.")

// Config names an account and what it sends from. The auth token (or the
// secret of the API key) is not in it and is handed in apart.
type Config struct {
	AccountSID          string `json:"account_sid"`                     // "AC..."
	APIKeySID           string `json:"api_key_sid,omitempty"`           // "SK...": the secret is that of this key; "": the account's auth token
	From                string `json:"from,omitempty"`                  // a number in E.164, a short code or, for SMS, a name
	MessagingServiceSID string `json:"messaging_service_sid,omitempty"` // "MG...", in place of From
	ContentSID          string `json:"content_sid,omitempty"`           // "HX...": WhatsApp's template for codes, whose variable 1 is the code
	BaseURL             string `json:"base_url,omitempty"`              // of another region, such as https://api.dublin.ie1.twilio.com
}

const (
	defaultBaseURL = "https://api.twilio.com"
	whatsAppPrefix = "whatsapp:"
)

var (
	sid         = pattern{regexp.MustCompile(`^[A-Z]{2}[0-9a-fA-F]+$`), 34, 34}
	number      = pattern{regexp.MustCompile(`^\+[1-9][0-9]+$`), 8, 16}
	shortCode   = pattern{regexp.MustCompile(`^[0-9]+$`), 3, 8}
	senderName  = pattern{regexp.MustCompile(`^[A-Za-z0-9+_& -]*[A-Za-z][A-Za-z0-9+_& -]*$`), 1, 11}
	headerValue = pattern{regexp.MustCompile(`^[!-~]+$`), 1, 256}
)

// pattern is a form and the lengths it may have, in bytes: counted repetition
// is kept in memory once for each.
type pattern struct {
	*regexp.Regexp
	least, most int
}

// MatchString reports whether s has the form.
func (p pattern) MatchString(s string) bool {
	return len(s) >= p.least && len(s) <= p.most && p.Regexp.MatchString(s)
}

// Check returns invalid_sender with a message that names the first fault, or
// nil. It asks nobody.
func (c *Config) Check() error {
	for _, s := range []struct{ field, value, prefix, what string }{
		{"account_sid", c.AccountSID, "AC", "the account"},
		{"api_key_sid", c.APIKeySID, "SK", "the API key"},
		{"messaging_service_sid", c.MessagingServiceSID, "MG", "the messaging service"},
		{"content_sid", c.ContentSID, "HX", "the content template"},
	} {
		if s.value == "" && s.field != "account_sid" {
			continue
		}
		if !sid.MatchString(s.value) || !strings.HasPrefix(s.value, s.prefix) {
			return errInvalid.WithMessage(`%s is not the SID of %s: "%s" and 32 hexadecimal digits.`, s.field, s.what, s.prefix)
		}
	}
	if (c.From == "") == (c.MessagingServiceSID == "") {
		return errInvalid.WithMessage("Set either from or messaging_service_sid.")
	}
	if from := c.from(); c.From != "" && !number.MatchString(from) && !shortCode.MatchString(from) && !senderName.MatchString(from) {
		return errInvalid.WithMessage("from is neither a number such as +15551234567, nor a short code, nor a name of up to 11 letters and digits.")
	}
	if c.BaseURL == "" {
		return nil
	}
	u, err := outbound.ParseURL(c.BaseURL)
	if err != nil {
		return errInvalid.WithMessage("base_url is not valid. %s", apierr.From(err).Message)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return errInvalid.WithMessage("base_url has more than a host and a path. Write it as %s.", defaultBaseURL)
	}
	return nil
}

// from is the sender as an SMS names it.
func (c *Config) from() string { return strings.TrimPrefix(c.From, whatsAppPrefix) }

// user is the name that goes with the secret.
func (c *Config) user() string {
	if c.APIKeySID != "" {
		return c.APIKeySID
	}
	return c.AccountSID
}

// messages is where messages are made.
func (c *Config) messages() string {
	base := strings.TrimRight(c.BaseURL, "/")
	if base == "" {
		base = defaultBaseURL
	}
	return base + "/2010-04-01/Accounts/" + c.AccountSID + "/Messages.json"
}

func checkToken(token string) error {
	if !headerValue.MatchString(token) {
		return errInvalid.WithMessage("The auth token is missing, or has other than printable ASCII characters in it.")
	}
	return nil
}
