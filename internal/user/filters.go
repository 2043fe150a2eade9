package user

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

// Query selects users. Its zero value, and one without operands, is everybody.
type Query struct {
	Operator string    `json:"operator" enum:"AND,OR" description:"AND (the default) or OR."`
	Operands []Operand `json:"operands" description:"Empty: every user."`
}

// Operand is one condition, e.g. {"filter_name": "email_address",
// "filter_value": ["ada@example.com"]}.
type Operand struct {
	FilterName  json.RawMessage `json:"filter_name" example:"\"email_address\""`
	FilterValue json.RawMessage `json:"filter_value" description:"A list of strings, a string, a boolean or an object, as the filter asks for."`
}

// Filter is an Operand made in Go. The value is what encoding/json makes the
// filter's value of.
func Filter(name string, value any) (Operand, error) {
	text, err := encode(name)
	if err != nil {
		return Operand{}, err
	}
	v, err := encode(value)
	return Operand{FilterName: text, FilterValue: v}, err
}

var (
	errOperator     = apierr.New(400, "user_search_invalid_operator", "The operator of the query must be AND or OR.")
	errNoFilterName = apierr.New(400, "user_search_missing_filter_name", "Every operand needs a filter_name.")
	errFilterName   = apierr.New(400, "user_search_filter_name_must_be_string", "The filter_name of every operand must be a string.")
	errFilter       = apierr.New(400, "user_search_filter_name_not_recognized", "There is no such filter.")
	errNoValue      = apierr.New(400, "user_search_missing_filter_value", "Every operand needs a filter_value.")
	errWantStrings  = apierr.New(400, "user_search_expected_array_of_string", "The filter_value must be a list of strings.")
	errWantString   = apierr.New(400, "user_search_expected_string", "The filter_value must be a string.")
	errWantBool     = apierr.New(400, "user_search_expected_bool", "The filter_value must be true or false.")
	errWantTime     = apierr.New(400, "user_search_expected_timestamp", "The filter_value must be a date and time like 2026-01-02T03:04:05Z (RFC 3339).")
	errWantObject   = apierr.New(400, "user_search_expected_object", "The filter_value must be an object with greater_than and less_than.")
	errTooManyParts = apierr.New(400, "user_search_maximum_filter_value_count_exceeded", "A query may have at most 1000 filter values and 50 operands.")
	errMixedIDs     = apierr.New(400, "user_search_cannot_mix_internal_and_external_user_ids", "The filter user_id takes ids of ours or external ids, not both at once.")
	errStatus       = apierr.New(400, "user_search_invalid_status_filter", "The status must be active or pending.")
	errProvider     = apierr.New(400, "user_search_invalid_oauth_provider_filter", "There is no such OAuth provider.")
	errShortName    = apierr.New(400, "user_search_full_name_fuzzy_too_short", "Give at least 3 characters of the name.")
	errShortEmail   = apierr.New(400, "user_search_email_address_fuzzy_too_short", "Give at least 3 characters of the email address or of its domain.")
	errShortPhone   = apierr.New(400, "user_search_phone_number_fuzzy_too_short", "Give at least 3 digits of the phone number.")
)

// What a filter answers when its value is null or empty.
var (
	errNoGreater       = apierr.New(400, "user_search_missing_greater_than", "The filter created_at_between needs greater_than.")
	errNoLess          = apierr.New(400, "user_search_missing_less_than", "The filter created_at_between needs less_than.")
	errNoCreatedAfter  = apierr.New(400, "user_search_missing_created_at_greater_than", "The filter created_at_greater_than needs a value.")
	errNoCreatedBefore = apierr.New(400, "user_search_missing_created_at_less_than", "The filter created_at_less_than needs a value.")
	errNoStatus        = apierr.New(400, "user_search_missing_status", "The filter status needs a value.")
	errNoUserIDs       = apierr.New(400, "user_search_missing_user_ids", "The filter user_id needs at least one value.")
	errNoName          = apierr.New(400, "user_search_missing_full_name_fuzzy", "The filter full_name_fuzzy needs a value.")
	errNoProviders     = apierr.New(400, "user_search_missing_oauth_providers", "The filter oauth_provider needs at least one value.")
	errNoPhones        = apierr.New(400, "user_search_missing_phone_numbers", "The filter phone_number needs at least one value.")
	errNoPhoneIDs      = apierr.New(400, "user_search_missing_phone_ids", "The filter phone_id needs at least one value.")
	errNoPhoneVerified = apierr.New(400, "user_search_missing_phone_verified", "The filter phone_verified needs a value.")
	errNoPhoneFuzzy    = apierr.New(400, "user_search_missing_phone_number_fuzzy", "The filter phone_number_fuzzy needs a value.")
	errNoEmails        = apierr.New(400, "user_search_missing_email_addresses", "The filter email_address needs at least one value.")
	errNoEmailIDs      = apierr.New(400, "user_search_missing_email_ids", "The filter email_id needs at least one value.")
	errNoEmailVerified = apierr.New(400, "user_search_missing_email_verified", "The filter email_verified needs a value.")
	errNoEmailFuzzy    = apierr.New(400, "user_search_missing_email_address_fuzzy", "The filter email_address_fuzzy needs a value.")
	errNoEmailDomain   = apierr.New(400, "user_search_missing_email_domain", "The filter email_domain needs at least one value.")
	errNoWebAuthnIDs   = apierr.New(400, "user_search_missing_webauthn_registration_ids", "The filter webauthn_registration_id needs at least one value.")
	errNoWebAuthn      = apierr.New(400, "user_search_missing_webauthn_verified", "The filter webauthn_registration_verified needs a value.")
	errNoBiometricIDs  = apierr.New(400, "user_search_missing_biometric_registration_ids", "The filter biometric_registration_id needs at least one value.")
	errNoBiometric     = apierr.New(400, "user_search_missing_biometric_verified", "The filter biometric_verified needs a value.")
	errNoWalletIDs     = apierr.New(400, "user_search_missing_crypto_wallet_id", "The filter crypto_wallet_id needs at least one value.")
	errNoWallets       = apierr.New(400, "user_search_missing_crypto_wallet_address", "The filter crypto_wallet_address needs at least one value.")
	errNoWallet        = apierr.New(400, "user_search_missing_crypto_wallet_verified", "The filter crypto_wallet_verified needs a value.")
	errNoTOTPIDs       = apierr.New(400, "user_search_missing_totp_ids", "The filter totp_id needs at least one value.")
	errNoTOTP          = apierr.New(400, "user_search_missing_totp_verified", "The filter totp_verified needs a value.")
	errNoPassword      = apierr.New(400, "user_search_missing_password", "The filter password_exists needs a value.")
)

// The bounds of one query, which bound its cost and its parameters.
const (
	maxOperands = 50
	maxValues   = 1000
	maxFuzzy    = 256 // characters; nothing that can be found is longer
)

// filterRule is how one filter is read.
type filterRule struct {
	missing *apierr.Error
	compile func(env *project.Environment, value json.RawMessage) (filter, error)
}

// filters are the names of behaviour.md, section 2, and those that the error
// catalogue implies (email_domain, biometric_*).
var filters = map[string]filterRule{
	"created_at_greater_than":        {errNoCreatedAfter, createdAfter},
	"created_at_less_than":           {errNoCreatedBefore, createdBefore},
	"created_at_between":             {errNoValue, createdBetween},
	"status":                         {errNoStatus, statusIs},
	"user_id":                        {errNoUserIDs, userIDs},
	"full_name_fuzzy":                {errNoName, nameFuzzy},
	"oauth_provider":                 {errNoProviders, oauthProviders},
	"phone_number":                   {errNoPhones, factorValues(KindPhone, one(CanonicalPhone))},
	"phone_id":                       {errNoPhoneIDs, factorIDs(KindPhone)},
	"phone_verified":                 {errNoPhoneVerified, factorVerified(KindPhone)},
	"phone_number_fuzzy":             {errNoPhoneFuzzy, phoneFuzzy},
	"email_address":                  {errNoEmails, factorValues(KindEmail, one(ASCIIEmail))},
	"email_id":                       {errNoEmailIDs, factorIDs(KindEmail)},
	"email_verified":                 {errNoEmailVerified, factorVerified(KindEmail)},
	"email_address_fuzzy":            {errNoEmailFuzzy, emailFuzzy},
	"email_domain":                   {errNoEmailDomain, emailDomains},
	"webauthn_registration_id":       {errNoWebAuthnIDs, factorIDs(KindWebAuthn)},
	"webauthn_registration_verified": {errNoWebAuthn, factorVerified(KindWebAuthn)},
	"biometric_registration_id":      {errNoBiometricIDs, factorIDs(KindBiometric)},
	"biometric_verified":             {errNoBiometric, factorVerified(KindBiometric)},
	"crypto_wallet_id":               {errNoWalletIDs, factorIDs(KindWallet)},
	"crypto_wallet_address":          {errNoWallets, factorValues(KindWallet, anyChain)},
	"crypto_wallet_verified":         {errNoWallet, factorVerified(KindWallet)},
	"totp_id":                        {errNoTOTPIDs, factorIDs(KindTOTP)},
	"totp_verified":                  {errNoTOTP, factorVerified(KindTOTP)},
	"password_exists":                {errNoPassword, passwordExists},
}

// providers are those the contract's factors and providers name.
var providers = strings.Fields("amazon apple bitbucket coinbase discord facebook figma github gitlab google hubspot " +
	"instagram linkedin microsoft salesforce shopify slack snapchat spotify steam tiktok twitch twitter yahoo")

// compile reads the operands of a query. The filters come in the order in
// which they are worth trying, whatever order they were given in.
func compile(env *project.Environment, q *Query) ([]filter, error) {
	if q.Operator != "" && q.Operator != "AND" && q.Operator != "OR" {
		return nil, errOperator
	}
	if len(q.Operands) > maxOperands {
		return nil, errTooManyParts
	}
	list := make([]filter, 0, len(q.Operands))
	values := 0
	for _, o := range q.Operands {
		f, err := compileOperand(env, o)
		if err != nil {
			return nil, err
		}
		if values += f.values; values > maxValues {
			return nil, errTooManyParts
		}
		list = append(list, f)
	}
	slices.SortStableFunc(list, func(a, b filter) int {
		if a.tried != b.tried {
			return int(a.tried) - int(b.tried)
		}
		return strings.Compare(a.key, b.key)
	})
	return list, nil
}

func compileOperand(env *project.Environment, o Operand) (filter, error) {
	var name *string
	if len(o.FilterName) > 0 {
		if err := json.Unmarshal(o.FilterName, &name); err != nil {
			return filter{}, errFilterName
		}
	}
	if name == nil {
		return filter{}, errNoFilterName
	}
	rule, known := filters[*name]
	switch {
	case !known:
		return filter{}, errFilter.WithMessage("There is no filter %q.", *name)
	case len(o.FilterValue) == 0:
		return filter{}, errNoValue.WithMessage("The filter %s needs a filter_value.", *name)
	case string(o.FilterValue) == "null", string(o.FilterValue) == "[]":
		return filter{}, rule.missing
	}
	f, err := rule.compile(env, o.FilterValue)
	if e := apierr.From(err); e != nil && strings.HasPrefix(e.Type, "user_search_expected_") {
		return filter{}, e.WithMessage("The filter %s: %s", *name, e.Message)
	}
	f.key = *name + "\x00" + f.key
	return f, err
}

func stringList(value json.RawMessage) ([]string, error) {
	var list []*string
	if err := json.Unmarshal(value, &list); err != nil || slices.Contains(list, nil) {
		return nil, errWantStrings
	}
	if len(list) > maxValues {
		return nil, errTooManyParts
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = *s
	}
	return out, nil
}

// one and anyChain turn a value given into the values it may be indexed under;
// none when it can be nobody's.
func one(canonical func(string) (string, error)) func(string) []string {
	return func(s string) []string {
		if value, err := canonical(s); err == nil {
			return []string{value}
		}
		return nil
	}
}

func anyChain(address string) []string {
	if !findable(address) {
		return nil
	}
	return []string{walletValue("ethereum", address), walletValue("solana", address)}
}

// findable reports whether s is a text that a database can hold.
func findable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

func factorValues(kind string, canonical func(string) []string) func(*project.Environment, json.RawMessage) (filter, error) {
	return func(_ *project.Environment, value json.RawMessage) (filter, error) {
		list, err := stringList(value)
		if err != nil {
			return filter{}, err
		}
		var values []string
		for _, s := range list {
			values = append(values, canonical(s)...)
		}
		return factorIn(kind, "value", values, len(list)), nil
	}
}

func factorIDs(kind string) func(*project.Environment, json.RawMessage) (filter, error) {
	return func(env *project.Environment, value json.RawMessage) (filter, error) {
		list, err := stringList(value)
		if err != nil {
			return filter{}, err
		}
		given := len(list)
		list = slices.DeleteFunc(list, func(s string) bool { return !id.Check(kinds[kind].id, env.Kind, s) })
		return factorIn(kind, "id", list, given), nil
	}
}

func factorVerified(kind string) func(*project.Environment, json.RawMessage) (filter, error) {
	return func(_ *project.Environment, value json.RawMessage) (filter, error) {
		var want bool
		if err := json.Unmarshal(value, &want); err != nil {
			return filter{}, errWantBool
		}
		return verifiedIs(kind, want), nil
	}
}

func passwordExists(_ *project.Environment, value json.RawMessage) (filter, error) {
	var want bool
	if err := json.Unmarshal(value, &want); err != nil {
		return filter{}, errWantBool
	}
	if want {
		return verifiedIs(KindPassword, true), nil
	}
	return noFactor(KindPassword), nil
}

func userIDs(env *project.Environment, value json.RawMessage) (filter, error) {
	list, err := stringList(value)
	if err != nil {
		return filter{}, err
	}
	given, internal := len(list), 0
	for _, s := range list {
		if looksInternal(s) {
			internal++
		}
	}
	if internal > 0 && internal < given {
		return filter{}, errMixedIDs
	}
	if internal > 0 {
		list = slices.DeleteFunc(list, func(s string) bool { return !id.Check(id.User, env.Kind, s) })
		return userIn("id", list, given), nil
	}
	return userIn("external_id", slices.DeleteFunc(list, func(s string) bool { return !isExternalID(s) }), given), nil
}

func statusIs(_ *project.Environment, value json.RawMessage) (filter, error) {
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return filter{}, errWantString
	}
	if s != Active && s != Pending {
		return filter{}, errStatus
	}
	return hasStatus(s), nil
}

func oauthProviders(_ *project.Environment, value json.RawMessage) (filter, error) {
	list, err := stringList(value)
	if err != nil {
		return filter{}, err
	}
	for i, s := range list {
		list[i] = providerTerm(s)
		if !slices.Contains(providers, list[i]) {
			return filter{}, errProvider.WithMessage("There is no OAuth provider %q.", s)
		}
	}
	return termIn(termProvider, list, len(list)), nil
}

func emailDomains(_ *project.Environment, value json.RawMessage) (filter, error) {
	list, err := stringList(value)
	var single string
	if err != nil && json.Unmarshal(value, &single) == nil {
		list, err = []string{single}, nil
	}
	if err != nil {
		return filter{}, err
	}
	given := len(list)
	var domains []string
	for _, s := range list {
		if domain, err := asciiDomain(s); err == nil {
			domains = append(domains, domain)
		}
	}
	return termIn(termDomain, domains, given), nil
}

// fuzzy reads the value of a fuzzy filter.
func fuzzy(value json.RawMessage, fold func(string) string, short *apierr.Error) (string, error) {
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return "", errWantString
	}
	s = fold(s)
	if utf8.RuneCountInString(s) < minFuzzy {
		return "", short
	}
	return s, nil
}

func nameFuzzy(_ *project.Environment, value json.RawMessage) (filter, error) {
	s, err := fuzzy(value, foldName, errShortName)
	if err != nil {
		return filter{}, err
	}
	return startsWith(s, prefixOf{termName, s}), nil
}

func phoneFuzzy(_ *project.Environment, value json.RawMessage) (filter, error) {
	s, err := fuzzy(value, func(s string) string {
		return strings.NewReplacer(" ", "", "-", "", ".", "", "/", "", "(", "", ")", "").Replace(s)
	}, errShortPhone)
	if err != nil {
		return filter{}, err
	}
	return startsWith(s, prefixOf{termPhone, s}), nil
}

// emailFuzzy takes the beginning of an address or of a domain. A leading @
// asks for domains alone.
func emailFuzzy(_ *project.Environment, value json.RawMessage) (filter, error) {
	s, err := fuzzy(value, func(s string) string { return fold(strings.TrimSpace(s)) }, errShortEmail)
	if err != nil {
		return filter{}, err
	}
	domain, only := strings.CutPrefix(s, "@")
	if ascii, err := asciiDomain(domain); err == nil {
		domain = ascii
	}
	if only {
		return startsWith(s, prefixOf{termDomain, domain}), nil
	}
	address := s
	if ascii, err := ASCIIEmail(s); err == nil {
		address = ascii
	}
	return startsWith(s, prefixOf{termDomain, domain}, prefixOf{KindEmail, address}), nil
}

func readTime(value json.RawMessage) (time.Time, error) {
	var t Timestamp
	if len(value) == 0 || value[0] != '"' {
		return time.Time{}, errWantTime
	}
	if err := json.Unmarshal(value, &t); err != nil {
		return time.Time{}, errWantTime
	}
	return time.Time(t), nil
}

func createdAfter(env *project.Environment, value json.RawMessage) (filter, error) {
	t, err := readTime(value)
	return created(env, afterMillis(t), math.MaxInt64), err
}

func createdBefore(env *project.Environment, value json.RawMessage) (filter, error) {
	t, err := readTime(value)
	return created(env, 0, beforeMillis(t)), err
}

func createdBetween(env *project.Environment, value json.RawMessage) (filter, error) {
	var between struct {
		GreaterThan json.RawMessage `json:"greater_than"`
		LessThan    json.RawMessage `json:"less_than"`
	}
	if value[0] != '{' {
		return filter{}, errWantObject
	}
	if err := json.Unmarshal(value, &between); err != nil {
		return filter{}, errWantObject
	}
	if len(between.GreaterThan) == 0 || string(between.GreaterThan) == "null" {
		return filter{}, errNoGreater
	}
	if len(between.LessThan) == 0 || string(between.LessThan) == "null" {
		return filter{}, errNoLess
	}
	from, err := readTime(between.GreaterThan)
	if err != nil {
		return filter{}, err
	}
	to, err := readTime(between.LessThan)
	return created(env, afterMillis(from), beforeMillis(to)), err
}

// afterMillis is the first whole millisecond after t, beforeMillis the first
// that is not before t.
func afterMillis(t time.Time) int64 { return t.UnixMilli() + 1 }

func beforeMillis(t time.Time) int64 {
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		return t.UnixMilli() + 1
	}
	return t.UnixMilli()
}

// idAt is where the ids of users created at the instant begin: an id starts
// with the 48 bits of its creation time (UUIDv7), which is created_at.
func idAt(env *project.Environment, ms int64) string {
	ms = min(max(ms, 0), 1<<48-1)
	hex := fmt.Sprintf("%012x", ms)
	return fmt.Sprintf("%s-%s-%s-%s", id.User, env.Kind, hex[:8], hex[8:])
}
