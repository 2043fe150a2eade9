package bulk

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/secret/passhash"
	"gatehouse/internal/user"
)

// The formats of files.
const (
	FormatAuto  = "auto"
	FormatJSONL = "jsonl" // a user on each line
	FormatJSON  = "json"  // an array, or an object with one
	FormatCSV   = "csv"
)

// product is where a file comes from.
type product struct {
	title   string
	wrapper string // the key of the array that its JSON has the users in
	json    func(o *Options, raw []byte) (*Record, error)
	csv     func(o *Options, c cells) (*Record, error) // nil when there is none
	columns []string                                   // of its CSV; nil takes any
}

var products = map[string]product{
	"gatehouse": {"Gatehouse", "", readRecord, flatRecord, flatColumns},
	"auth0":     {"Auth0", "", auth0Record, nil, nil},
	"firebase":  {"Firebase", "users", firebaseRecord, nil, nil},
	"cognito":   {"Cognito", "Users", cognitoRecord, cognitoRow, nil},
	"supabase":  {"Supabase", "", supabaseRecord, supabaseRow, nil},
	"stytch":    {"Stytch", "results", stytchRecord, nil, nil},
}

// machines are files with clients in them and no users: see ImportClients.
var machines = map[string]product{
	"gatehouse clients": {title: "Gatehouse"},
	"auth0 clients":     {title: "Auth0", wrapper: "clients"},
	"auth0 grants":      {title: "Auth0", wrapper: "client_grants"},
}

// record reads a row by the rules of the product it comes from.
func (o *Options) record(t text) (*Record, error) {
	p := products[o.From]
	if t.json != nil {
		return p.json(o, t.json)
	}
	return p.csv(o, t.cells)
}

// flatColumns are the columns of our own CSV.
var flatColumns = []string{
	"user_id", "external_id", "email", "email_verified", "phone_number", "phone_number_verified",
	"first_name", "middle_name", "last_name", "status", "created_at", "roles", "trusted_metadata", "untrusted_metadata",
	"hash_type", "hash", "requires_reset", "prepend_salt", "append_salt", "salt", "salt_separator", "signer_key",
	"iteration_amount", "memory", "threads", "key_length", "n_parameter", "r_parameter", "p_parameter", "algorithm", "rounds", "mem_cost",
}

// flatRecord reads a row of our own CSV.
func flatRecord(_ *Options, c cells) (*Record, error) {
	r := &Record{
		UserID: c.get("user_id"), ExternalID: c.get("external_id"), Status: c.get("status"),
		Email: c.get("email"), PhoneNumber: c.get("phone_number"),
	}
	var err error
	if r.EmailVerified, err = c.flag("email_verified"); err != nil {
		return nil, err
	}
	if r.PhoneNumberVerified, err = c.flag("phone_number_verified"); err != nil {
		return nil, err
	}
	if n := (user.Name{FirstName: c.get("first_name"), MiddleName: c.get("middle_name"), LastName: c.get("last_name")}); n != (user.Name{}) {
		r.Name = &n
	}
	if r.CreatedAt, err = timeOf("created_at", c.get("created_at")); err != nil {
		return nil, err
	}
	for role := range strings.SplitSeq(c.get("roles"), "|") {
		if role = strings.TrimSpace(role); role != "" {
			r.Roles = append(r.Roles, role)
		}
	}
	r.TrustedMetadata, r.UntrustedMetadata = json.RawMessage(c.get("trusted_metadata")), json.RawMessage(c.get("untrusted_metadata"))
	r.Password, err = flatPassword(c)
	return r, err
}

// flatPassword reads a hash, of which each type takes the settings it has.
func flatPassword(c cells) (*Password, error) {
	p := &Password{HashType: c.get("hash_type"), Hash: c.get("hash")}
	if p.Hash == "" {
		return nil, nil
	}
	n := map[string]int{}
	for _, column := range []string{"iteration_amount", "memory", "threads", "key_length", "n_parameter", "r_parameter", "p_parameter", "rounds", "mem_cost"} {
		var err error
		if n[column], err = c.number(column); err != nil {
			return nil, err
		}
	}
	var err error
	if p.RequiresReset, err = c.flag("requires_reset"); err != nil {
		return nil, err
	}
	salts := &passhash.SaltConfig{PrependSalt: c.get("prepend_salt"), AppendSalt: c.get("append_salt")}
	p.Configs = passhash.Configs{
		MD5: salts, SHA1: salts, SHA256: salts, SHA512: salts,
		Argon2: &passhash.Argon2Config{Salt: c.get("salt"), IterationAmount: n["iteration_amount"], Memory: n["memory"], Threads: n["threads"], KeyLength: n["key_length"]},
		Scrypt: &passhash.ScryptConfig{Salt: c.get("salt"), NParameter: n["n_parameter"], RParameter: n["r_parameter"], PParameter: n["p_parameter"], KeyLength: n["key_length"]},
		PBKDF2: &passhash.PBKDF2Config{Salt: c.get("salt"), IterationAmount: n["iteration_amount"], KeyLength: n["key_length"], Algorithm: c.get("algorithm")},
		FirebaseScrypt: &passhash.FirebaseScryptConfig{
			Salt: c.get("salt"), SaltSeparator: c.get("salt_separator"), SignerKey: c.get("signer_key"), Rounds: n["rounds"], MemCost: n["mem_cost"],
		},
	}
	return p, nil
}

// timeLayouts are how the products write an instant.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999-07", "2006-01-02 15:04:05.999999999 MST",
	"2006-01-02T15:04:05.999999999-0700",
}

// timeOf reads an instant; "" is none.
func timeOf(field, s string) (*user.Timestamp, error) {
	if s == "" {
		return nil, nil
	}
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, s); err == nil {
			t := user.Timestamp(at.UTC().Truncate(time.Millisecond))
			return &t, nil
		}
	}
	return nil, faultf("invalid_field", "The field %q is not a date and time like 2026-01-02T03:04:05Z (RFC 3339).", field)
}

// providerTypes are the identity providers by the names that other products
// have for them.
var providerTypes = map[string]string{
	"amazon": "Amazon", "apple": "Apple", "apple.com": "Apple", "bitbucket": "Bitbucket", "discord": "Discord", "facebook": "Facebook",
	"facebook.com": "Facebook", "figma": "Figma", "github": "GitHub", "github.com": "GitHub", "gitlab": "GitLab", "google": "Google",
	"google-oauth2": "Google", "google.com": "Google", "linkedin": "LinkedIn", "microsoft.com": "Microsoft", "azure": "Microsoft",
	"salesforce": "Salesforce", "slack": "Slack", "twitch": "Twitch", "twitter": "Twitter", "twitter.com": "Twitter",
	"windowslive": "Microsoft", "yahoo": "Yahoo", "yahoo.com": "Yahoo",
}

// account adds an account at an identity provider, or says that it stays behind
// when Gatehouse does not know the provider.
func (r *Record) account(provider, subject, picture string) {
	kind, known := providerTypes[provider]
	if !known || subject == "" {
		r.leave("providers")
		return
	}
	r.Providers = append(r.Providers, user.OAuthProvider{ProviderType: kind, ProviderSubject: subject, ProfilePictureURL: picture})
}

// leave notes, once, that something of the row cannot be brought along.
func (r *Record) leave(field string) {
	if !slices.Contains(r.leftOut, field) {
		r.leftOut = append(r.leftOut, field)
	}
}
