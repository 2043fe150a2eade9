package bulk

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/user"
)

// cognitoUser is an element of what `aws cognito-idp list-users` prints.
type cognitoUser struct {
	Username   string
	Attributes []struct{ Name, Value string }
	Created    json.RawMessage `json:"UserCreateDate"` // a text, or seconds since 1970
	Enabled    *bool
	UserStatus string
}

func cognitoRecord(_ *Options, raw []byte) (*Record, error) {
	var c cognitoUser
	if err := decode(raw, &c); err != nil {
		return nil, err
	}
	attributes := make(map[string]string, len(c.Attributes))
	for _, a := range c.Attributes {
		attributes[a.Name] = a.Value
	}
	r, err := cognitoAttributes(c.Username, attributes)
	if err != nil {
		return nil, err
	}
	if r.CreatedAt, err = cognitoTime(c.Created); err != nil {
		return nil, err
	}
	if c.Enabled != nil && !*c.Enabled {
		r.disabled = "disabled"
	}
	return r, nil
}

// cognitoTime reads an instant as the command line prints it, or as the API
// answers it.
func cognitoTime(raw json.RawMessage) (*user.Timestamp, error) {
	text := unquoted(raw)
	if text == "" || text == "null" {
		return nil, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < 1e11 {
		at := user.Timestamp(time.UnixMilli(int64(math.Round(seconds * 1000))).UTC())
		return &at, nil
	}
	return timeOf("UserCreateDate", text)
}

// cognitoRow reads a row of the CSV that Cognito has a template for.
func cognitoRow(_ *Options, c cells) (*Record, error) {
	attributes := make(map[string]string, len(c.columns))
	for name := range c.columns {
		if value := c.get(name); value != "" {
			attributes[name] = value
		}
	}
	username := attributes["cognito:username"]
	delete(attributes, "cognito:username")
	delete(attributes, "cognito:mfa_enabled")
	delete(attributes, "updated_at")
	return cognitoAttributes(username, attributes)
}

// cognitoAttributes makes a user of the attributes of a user pool. Those that
// an app has made itself go to the metadata that only servers write, the
// standard ones without a place here to the other.
func cognitoAttributes(username string, a map[string]string) (*Record, error) {
	r := &Record{
		Email: a["email"], EmailVerified: strings.EqualFold(a["email_verified"], "true"),
		PhoneNumber: a["phone_number"], PhoneNumberVerified: strings.EqualFold(a["phone_number_verified"], "true"),
	}
	switch n := (user.Name{FirstName: a["given_name"], MiddleName: a["middle_name"], LastName: a["family_name"]}); n {
	case user.Name{}:
		r.Name = splitName(a["name"])
	default:
		r.Name = &n
	}
	for _, name := range slices.Sorted(maps.Keys(a)) {
		to := &r.UntrustedMetadata
		switch {
		case slices.Contains(cognitoKnown, name):
			continue
		case name == "identities":
			if err := r.cognitoIdentities(a[name]); err != nil {
				return nil, err
			}
			continue
		case strings.HasPrefix(name, "custom:"), strings.HasPrefix(name, "dev:"):
			to = &r.TrustedMetadata
		}
		if err := addMetadata(to, name, a[name]); err != nil {
			return nil, err
		}
	}
	id := a["sub"]
	if id == "" {
		id = username
	}
	return r, r.foreignID("cognito", id)
}

// cognitoKnown are the attributes that became fields of the user.
var cognitoKnown = []string{
	"sub", "email", "email_verified", "phone_number", "phone_number_verified", "name", "given_name", "middle_name", "family_name",
	"cognito:user_status", "cognito:mfa_enabled",
}

// cognitoIdentities reads the accounts at identity providers, which are JSON in
// a text.
func (r *Record) cognitoIdentities(text string) error {
	var list []struct {
		UserID       string `json:"userId"`
		ProviderType string `json:"providerType"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return faultf("invalid_field", "The attribute \"identities\" is not a list in JSON.")
	}
	for _, i := range list {
		kind := strings.ToLower(i.ProviderType)
		if kind == "signinwithapple" {
			kind = "apple"
		}
		if kind == "loginwithamazon" {
			kind = "amazon"
		}
		r.account(kind, i.UserID, "")
	}
	return nil
}
