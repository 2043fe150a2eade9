package project

import (
	_ "embed"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/apierr"
)

var (
	errCountriesEmpty   = apierr.New(400, "country_code_allowlist_empty", "The list of countries is empty. Name at least one, or bring the default back by leaving the setting out.")
	errCountriesInvalid = apierr.New(400, "country_code_allowlist_invalid_country_codes", "The list of countries holds one that messages cannot be sent to, or that does not exist.")
)

// MessagesConfig says where text messages may go and how many messages are
// sent, against toll fraud and mail bombing (factors.md, section 6.2). The
// windows are fixed: ten minutes begin at :00, :10 and so on, a day at midnight
// UTC. A budget of 0 is none.
type MessagesConfig struct {
	SMSCountries      []string `json:"sms_countries"`              // countries that SMS may be sent to, as ISO 3166-1 alpha-2 codes
	WhatsAppCountries []string `json:"whatsapp_countries"`         // countries that WhatsApp messages may be sent to
	NumberBudget      *int     `json:"number_per_ten_minutes"`     // texts to one number in ten minutes; 0: any number
	PrefixBudget      *int     `json:"prefix_per_hour"`            // texts to numbers that differ in their last four digits only, in an hour; 0: any number
	SMSBudget         *int     `json:"sms_per_day"`                // SMS of the environment in a day; 0: any number
	WhatsAppBudget    *int     `json:"whatsapp_per_day"`           // WhatsApp messages of the environment in a day; 0: any number
	EmailBudget       *int     `json:"email_per_hour"`             // e-mails that people can ask for to one address in an hour; 0: any number
	EmailDayBudget    *int     `json:"emails_per_day"`             // e-mails that people can ask for in a day, all together; 0 (the default): any number
	NetworkBudget     *int     `json:"texts_per_network_per_hour"` // texts that pages of one IP address (of IPv6, one /64) can ask for in an hour; 0: any number
	ConversionAfter   *int     `json:"conversion_after"`           // after this many texts to a country in an hour, enough of their codes must have been typed in; 0: never
	ConversionPercent *int     `json:"conversion_percent"`         // how many of a hundred are enough, 0..100; 0: none

	LinkSeconds      *int `json:"seconds_between_links"`             // one magic link to an address in so many seconds, 0..3600; 0: any number
	PasscodeSeconds  *int `json:"seconds_between_passcodes"`         // one passcode to an address or number in so many seconds, 0..3600; 0: any number
	PasscodeAttempts *int `json:"passcode_attempts_per_ten_minutes"` // guesses at the codes of one method_id in ten minutes, 1..100
}

// The countries that text messages may go to unless an environment says
// otherwise.
var defaultCountries = []string{"US", "CA"}

// SMSCountries are the countries that SMS may be sent to.
func (c *Config) SMSCountries() []string { return orCountries(c.Messages.SMSCountries) }

// WhatsAppCountries are the countries that WhatsApp messages may be sent to.
func (c *Config) WhatsAppCountries() []string { return orCountries(c.Messages.WhatsAppCountries) }

func orCountries(list []string) []string {
	if list == nil {
		return slices.Clone(defaultCountries)
	}
	return list
}

// TextsTo reports whether a list of countries lets a message go to a region, a
// code as user.PhoneRegion gives it. A blocked country is refused even where a
// list still holds it.
func TextsTo(list []string, region string) bool {
	return slices.Contains(list, region) && !slices.Contains(countries().Blocked, region)
}

// NumberBudget is how many texts one number gets in ten minutes; 0: any number.
func (c *Config) NumberBudget() int { return orNumber(c.Messages.NumberBudget, 5) }

// PrefixBudget is how many texts a block of 10,000 numbers gets in an hour.
func (c *Config) PrefixBudget() int { return orNumber(c.Messages.PrefixBudget, 50) }

// SMSBudget is how many SMS the environment sends in a day.
func (c *Config) SMSBudget() int { return orNumber(c.Messages.SMSBudget, 10_000) }

// WhatsAppBudget is how many WhatsApp messages the environment sends in a day.
func (c *Config) WhatsAppBudget() int { return orNumber(c.Messages.WhatsAppBudget, 10_000) }

// EmailBudget is how many e-mails one address gets in an hour.
func (c *Config) EmailBudget() int { return orNumber(c.Messages.EmailBudget, 20) }

// EmailDayBudget is how many e-mails people can ask for in a day.
func (c *Config) EmailDayBudget() int { return orNumber(c.Messages.EmailDayBudget, 0) }

// NetworkBudget is how many texts the pages of one network get in an hour.
func (c *Config) NetworkBudget() int { return orNumber(c.Messages.NetworkBudget, 20) }

// LinkPause is the time in which an address gets one magic link; 0: any number.
func (c *Config) LinkPause() time.Duration {
	return time.Duration(orNumber(c.Messages.LinkSeconds, 1)) * time.Second
}

// PasscodePause is the time in which an address or number gets one passcode; 0:
// any number.
func (c *Config) PasscodePause() time.Duration {
	return time.Duration(orNumber(c.Messages.PasscodeSeconds, 1)) * time.Second
}

// PasscodeAttempts is how often the codes of one method_id may be guessed at in
// ten minutes.
func (c *Config) PasscodeAttempts() int { return orNumber(c.Messages.PasscodeAttempts, 20) }

// Conversion is the rule that texts to a country must be followed by logins:
// after so many in an hour, at least percent of their codes. It is off when one
// of them is 0.
func (c *Config) Conversion() (after, percent int) {
	return orNumber(c.Messages.ConversionAfter, 50), orNumber(c.Messages.ConversionPercent, 10)
}

func orNumber(n *int, fallback int) int {
	if n == nil {
		return fallback
	}
	return *n
}

// inForce is the configuration with its defaults filled in.
func (m MessagesConfig) inForce(c *Config) MessagesConfig {
	m.SMSCountries, m.WhatsAppCountries = c.SMSCountries(), c.WhatsAppCountries()
	after, percent := c.Conversion()
	m.ConversionAfter, m.ConversionPercent = &after, &percent
	for to, value := range map[**int]int{
		&m.LinkSeconds: int(c.LinkPause() / time.Second), &m.PasscodeSeconds: int(c.PasscodePause() / time.Second),
		&m.PasscodeAttempts: c.PasscodeAttempts(),
		&m.NumberBudget:     c.NumberBudget(), &m.PrefixBudget: c.PrefixBudget(), &m.SMSBudget: c.SMSBudget(),
		&m.WhatsAppBudget: c.WhatsAppBudget(), &m.EmailBudget: c.EmailBudget(),
		&m.EmailDayBudget: c.EmailDayBudget(), &m.NetworkBudget: c.NetworkBudget(),
	} {
		*to = &value
	}
	return m
}

// maxBudget is far above any use and far below what a counter holds.
const maxBudget = 1_000_000_000

// maxPause is an hour, in seconds.
const maxPause = 3600

func (c *Config) checkMessages() error {
	m := &c.Messages
	var err error
	if m.SMSCountries, err = checkCountries(m.SMSCountries); err != nil {
		return err
	}
	if m.WhatsAppCountries, err = checkCountries(m.WhatsAppCountries); err != nil {
		return err
	}
	for _, rule := range []struct {
		path     string
		value    *int
		min, max int
	}{
		{"messages.number_per_ten_minutes", m.NumberBudget, 0, maxBudget},
		{"messages.prefix_per_hour", m.PrefixBudget, 0, maxBudget},
		{"messages.sms_per_day", m.SMSBudget, 0, maxBudget},
		{"messages.whatsapp_per_day", m.WhatsAppBudget, 0, maxBudget},
		{"messages.email_per_hour", m.EmailBudget, 0, maxBudget},
		{"messages.emails_per_day", m.EmailDayBudget, 0, maxBudget},
		{"messages.texts_per_network_per_hour", m.NetworkBudget, 0, maxBudget},
		{"messages.conversion_after", m.ConversionAfter, 0, maxBudget},
		{"messages.conversion_percent", m.ConversionPercent, 0, 100},
		{"messages.seconds_between_links", m.LinkSeconds, 0, maxPause},
		{"messages.seconds_between_passcodes", m.PasscodeSeconds, 0, maxPause},
		// Never switched off, and never so many that a code can be guessed.
		{"messages.passcode_attempts_per_ten_minutes", m.PasscodeAttempts, 1, 100},
	} {
		if rule.value != nil && (*rule.value < rule.min || *rule.value > rule.max) {
			return errSetting.WithMessage("%s must lie between %d and %d.", rule.path, rule.min, rule.max)
		}
	}
	return checkAutofill(c.SDK.OTPs.SMSAutofill)
}

// checkCountries brings a list into its one form: upper case, sorted, each code
// once. A list that is not there is the default.
func checkCountries(list []string) ([]string, error) {
	if list == nil {
		return nil, nil
	}
	if len(list) == 0 {
		return nil, errCountriesEmpty
	}
	normal := make([]string, 0, len(list))
	for _, code := range list {
		code = strings.ToUpper(strings.TrimSpace(code))
		switch {
		case slices.Contains(countries().Blocked, code):
			return nil, errCountriesInvalid.WithMessage("Messages cannot be sent to %s: too many numbers there earn money for whoever has them called.", code)
		case !slices.Contains(countries().Supported, code):
			return nil, errCountriesInvalid.WithMessage("%s is not a country that messages can be sent to. Use codes of two letters such as US.", quoted(code))
		}
		normal = append(normal, code)
	}
	slices.Sort(normal)
	return slices.Compact(normal), nil
}

// countriesJSON lists the countries that can be put on an allow-list, and those
// that cannot (factors.md, section 6.3).
//
//go:embed countries.json
var countriesJSON []byte

type countryLists struct {
	Supported []string `json:"supported"`
	Blocked   []string `json:"blocked"`
}

var countries = sync.OnceValue(func() countryLists {
	var lists countryLists
	if err := json.Unmarshal(countriesJSON, &lists); err != nil {
		panic("project: countries.json: " + err.Error())
	}
	return lists
})

// SDKOTPs switches one-time passcodes on for browsers, each channel and flow on
// its own.
type SDKOTPs struct {
	SMSLoginOrCreate      bool               `json:"sms_login_or_create_enabled"`      // anybody may ask for a code by SMS, and becomes a user
	SMSSend               bool               `json:"sms_send_enabled"`                 // users may ask for a code by SMS, and add numbers
	WhatsAppLoginOrCreate bool               `json:"whatsapp_login_or_create_enabled"` // anybody may ask for a code by WhatsApp, and becomes a user
	WhatsAppSend          bool               `json:"whatsapp_send_enabled"`            // users may ask for a code by WhatsApp, and add numbers
	EmailLoginOrCreate    bool               `json:"email_login_or_create_enabled"`    // anybody may ask for a code by e-mail, and becomes a user
	EmailSend             bool               `json:"email_send_enabled"`               // users may ask for a code by e-mail, and add addresses
	SMSAutofill           []AutofillMetadata `json:"sms_autofill_metadata"`            // whose phones may offer the code of an SMS by themselves
}

// Any reports whether a browser may ask for any code, and so use one.
func (o *SDKOTPs) Any() bool {
	return o.SMSLoginOrCreate || o.SMSSend || o.WhatsAppLoginOrCreate || o.WhatsAppSend || o.EmailLoginOrCreate || o.EmailSend
}

// AutofillMetadata lets a phone recognise an SMS as meant for one page or app.
type AutofillMetadata struct {
	MetadataType  string `json:"metadata_type"`  // AutofillDomain or AutofillHash
	MetadataValue string `json:"metadata_value"` // a host name; or the hash of an Android app's signing key
	BundleID      string `json:"bundle_id"`      // the app that a hash belongs to
}

// The types of AutofillMetadata.
const (
	AutofillDomain = "domain" // WebOTP and iOS: "@example.com #123456"
	AutofillHash   = "hash"   // Android's SMS Retriever: eleven characters
)

// appHash is the form of the hash that Android's SMS Retriever looks for.
var appHash = regexp.MustCompile(`^[A-Za-z0-9+/]{11}$`)

func checkAutofill(list []AutofillMetadata) error {
	for i, m := range list {
		switch {
		case m.MetadataType == AutofillDomain && ValidHostname(strings.ToLower(m.MetadataValue)):
			list[i].MetadataValue = strings.ToLower(m.MetadataValue)
		case m.MetadataType == AutofillHash && appHash.MatchString(m.MetadataValue) && m.BundleID != "":
		case m.MetadataType == AutofillHash:
			return errSetting.WithMessage("sdk.otps.sms_autofill_metadata needs for a hash the eleven characters that Android's SMS Retriever looks for, and the bundle_id of the app.")
		default:
			return errSetting.WithMessage("sdk.otps.sms_autofill_metadata needs for each entry the metadata_type domain, with a host name, or hash.")
		}
	}
	return nil
}
