package user

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// operand is a filter as a request writes it, and what it means, said without
// any index.
type operand struct {
	name  string
	value string // JSON
	holds func(u *User) bool
}

func (o operand) json() string {
	return fmt.Sprintf(`{"filter_name":%q,"filter_value":%s}`, o.name, o.value)
}

func query(operator string, operands ...operand) string {
	var list []string
	for _, o := range operands {
		list = append(list, o.json())
	}
	return fmt.Sprintf(`{"operator":%q,"operands":[%s]}`, operator, strings.Join(list, ","))
}

var (
	firstNames = []string{"Ada", "Grace", "Alan", "Adalbert", "Zoë", "Mary Ann", "", "Ángel"}
	lastNames  = []string{"Lovelace", "Hopper", "Turing", "Adams", "O'Brien", "", "Ångström", "Love"}
	domains    = []string{"example.com", "mail.example.org", "exa.mple.net", "münchen.de"}
	chains     = []string{"ethereum", "solana"}
)

// populate creates users of all kinds, two in each millisecond.
func (f *fixture) populate(r *rand.Rand, n int) []*User {
	f.Helper()
	var all []*User
	for i := range n {
		if i%2 == 0 {
			f.clock.Advance(time.Millisecond)
		}
		f.must(func(tx *store.Tx) error {
			pick := func(list []string) string { return list[r.IntN(len(list))] }
			draft := NewUser{Email: fmt.Sprintf("%s%d@%s", strings.ToLower(pick([]string{"ada", "grace", "x"})), i, pick(domains))}
			if r.IntN(2) == 0 {
				draft.PhoneNumber = fmt.Sprintf("+1415555%04d", 2000+i)
			}
			if r.IntN(10) == 0 {
				draft.Status = Pending
			}
			draft.Fill = func(u *User) error {
				u.Name = Name{FirstName: pick(firstNames), MiddleName: "Q", LastName: pick(lastNames)}
				u.Emails[0].Verified = r.IntN(2) == 0
				if r.IntN(4) == 0 {
					e, err := u.AddEmail(f.env, fmt.Sprintf("other%d@%s", i, pick(domains)))
					if err != nil {
						return err
					}
					e.Verified = true
				}
				if r.IntN(3) == 0 {
					external := fmt.Sprintf("ext|%d", i)
					u.ExternalID = &external
				}
				addFactors(u, r, tx)
				return nil
			}
			row, err := f.users.Create(tx, f.env, draft)
			if err != nil {
				return err
			}
			u, err := row.User()
			all = append(all, u)
			return err
		})
	}
	slices.SortFunc(all, func(a, b *User) int { return strings.Compare(a.UserID, b.UserID) })
	return all
}

func addFactors(u *User, r *rand.Rand, tx *store.Tx) {
	if r.IntN(3) == 0 {
		u.WebAuthnRegistrations = append(u.WebAuthnRegistrations, WebAuthnRegistration{WebAuthnRegistrationID: id.New(id.WebAuthn, id.Test, tx.Now), Verified: r.IntN(4) > 0})
	}
	if r.IntN(3) == 0 {
		u.Providers = append(u.Providers, OAuthProvider{OAuthUserRegistrationID: id.New(id.OAuth, id.Test, tx.Now), ProviderType: []string{"Google", "GitHub"}[r.IntN(2)], ProviderSubject: u.UserID})
	}
	if r.IntN(4) == 0 {
		u.TOTPs = append(u.TOTPs, TOTP{TOTPID: id.New(id.TOTP, id.Test, tx.Now), Verified: r.IntN(2) == 0})
	}
	if r.IntN(4) == 0 {
		chain := chains[r.IntN(2)]
		u.CryptoWallets = append(u.CryptoWallets, CryptoWallet{CryptoWalletID: id.New(id.CryptoWallet, id.Test, tx.Now), CryptoWalletType: chain, CryptoWalletAddress: "0xAbC" + u.UserID, Verified: r.IntN(2) == 0})
	}
	if r.IntN(4) == 0 {
		u.BiometricRegistrations = append(u.BiometricRegistrations, BiometricRegistration{BiometricRegistrationID: id.New(id.Biometric, id.Test, tx.Now), Verified: r.IntN(2) == 0})
	}
	if r.IntN(2) == 0 {
		u.Password = &Password{PasswordID: id.New(id.Password, id.Test, tx.Now)}
	}
}

func has(u *User, match func(f Factor) bool) bool { return slices.ContainsFunc(u.Factors(), match) }

func list(values ...string) string {
	text, _ := json.Marshal(values)
	return string(text)
}

// someOperands makes one operand of every filter, most of which match somebody.
func someOperands(r *rand.Rand, all []*User) []operand {
	any := func() *User { return all[r.IntN(len(all))] }
	a, b, c := any(), any(), any()
	var ops []operand
	add := func(name, value string, holds func(u *User) bool) { ops = append(ops, operand{name, value, holds}) }
	at := func(u *User) time.Time { return time.Time(u.CreatedAt) }
	stamp := func(t time.Time) string { return fmt.Sprintf("%q", t.Format(time.RFC3339Nano)) }
	from, to := at(a), at(b)
	add("created_at_greater_than", stamp(from), func(u *User) bool { return at(u).After(from) })
	add("created_at_less_than", stamp(to), func(u *User) bool { return at(u).Before(to) })
	soon := from.Add(1500 * time.Microsecond) // between two milliseconds
	add("created_at_between", fmt.Sprintf(`{"greater_than":%s,"less_than":%s}`, stamp(from), stamp(soon)), func(u *User) bool { return at(u).After(from) && at(u).Before(soon) })
	add("created_at_greater_than", stamp(soon), func(u *User) bool { return at(u).After(soon) })
	for _, status := range []string{Active, Pending} {
		add("status", fmt.Sprintf("%q", status), func(u *User) bool { return u.Status == status })
	}
	add("user_id", list(a.UserID, b.UserID, id.Random(id.User, id.Test), "user-test-x"), func(u *User) bool { return u.UserID == a.UserID || u.UserID == b.UserID })
	add("user_id", list("ext|1", "ext|2", "ext|3", "nobody", "not an id"), func(u *User) bool {
		return u.ExternalID != nil && slices.Contains([]string{"ext|1", "ext|2", "ext|3"}, *u.ExternalID)
	})
	for name, kind := range map[string]string{"phone_verified": KindPhone, "email_verified": KindEmail, "webauthn_registration_verified": KindWebAuthn, "crypto_wallet_verified": KindWallet, "totp_verified": KindTOTP, "biometric_verified": KindBiometric} {
		want := r.IntN(2) == 0
		add(name, fmt.Sprint(want), func(u *User) bool { return has(u, func(f Factor) bool { return f.Kind == kind && f.Verified == want }) })
	}
	for name, kind := range map[string]string{"phone_id": KindPhone, "email_id": KindEmail, "webauthn_registration_id": KindWebAuthn, "crypto_wallet_id": KindWallet, "totp_id": KindTOTP, "biometric_registration_id": KindBiometric} {
		var ids []string
		for _, u := range []*User{a, b, c} {
			for _, f := range u.Factors() {
				ids = append(ids, f.ID) // of all kinds: those of another kind match nobody
			}
		}
		add(name, list(ids...), func(u *User) bool {
			return has(u, func(f Factor) bool { return f.Kind == kind && slices.Contains(ids, f.ID) })
		})
	}
	for _, want := range []bool{true, false} {
		add("password_exists", fmt.Sprint(want), func(u *User) bool { return (u.Password != nil) == want })
	}
	add("oauth_provider", `["GOOGLE","apple"]`, func(u *User) bool {
		return slices.ContainsFunc(u.Providers, func(p OAuthProvider) bool { return p.ProviderType == "Google" })
	})
	add("email_address", list(strings.ToUpper(a.Emails[0].Email), " "+b.Emails[0].Email, "nobody@example.com", "nonsense"), func(u *User) bool { return u.UserID == a.UserID || u.UserID == b.UserID })
	add("email_domain", `["MÜNCHEN.de","nobody.example"]`, func(u *User) bool {
		return slices.ContainsFunc(u.Emails, func(e Email) bool { return strings.HasSuffix(e.Email, "@münchen.de") })
	})
	add("phone_number", `["+1 (415) 555-2003","+14155552004","nonsense"]`, func(u *User) bool {
		return slices.ContainsFunc(u.PhoneNumbers, func(p PhoneNumber) bool { return p.PhoneNumber == "+14155552003" || p.PhoneNumber == "+14155552004" })
	})
	add("crypto_wallet_address", list("0xabc"+a.UserID, "0xAbC"+b.UserID, "0xabc"+c.UserID), func(u *User) bool {
		return slices.ContainsFunc(u.CryptoWallets, func(w CryptoWallet) bool {
			return u.UserID == b.UserID || (u.UserID == a.UserID || u.UserID == c.UserID) && w.CryptoWalletType == "ethereum"
		})
	})
	return append(ops, fuzzyOperands(a, b)...)
}

func fuzzyOperands(a, b *User) []operand {
	var ops []operand
	for _, s := range []string{"ada", " GRA ", "lov", "love", "mary ann", "ann", "ada  lovelace", "lovelace ada", "o'b", "Ång", "a\u030angström", "zoe\u0308", "%da", "___"} {
		folded := foldName(s)
		ops = append(ops, operand{"full_name_fuzzy", fmt.Sprintf("%q", s), func(u *User) bool {
			n := u.Name
			return slices.ContainsFunc([]string{n.FirstName, n.LastName, n.FirstName + " " + n.LastName}, func(part string) bool {
				return strings.HasPrefix(foldName(part), folded)
			})
		}})
	}
	for _, s := range []string{"ada", "GRACE1", a.Emails[0].Email, "exa", "example.com", "@exa", "@mail.", "münchen.de", "xn--mnchen", "mple", "%@%"} {
		folded := strings.ReplaceAll(strings.ToLower(s), "münchen", "xn--mnchen-3ya")
		ops = append(ops, operand{"email_address_fuzzy", fmt.Sprintf("%q", s), func(u *User) bool {
			return slices.ContainsFunc(u.Emails, func(e Email) bool {
				value := emailValue(e.Email)
				domain := value[strings.IndexByte(value, '@')+1:]
				return strings.HasPrefix(value, folded) || strings.HasPrefix(domain, strings.TrimPrefix(folded, "@"))
			})
		}})
	}
	for _, s := range []string{"415", "2003", "+1415", "+415", "55 52-0", "(415) 555", "552_"} {
		digits := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(s)
		ops = append(ops, operand{"phone_number_fuzzy", fmt.Sprintf("%q", s), func(u *User) bool {
			return slices.ContainsFunc(u.PhoneNumbers, func(p PhoneNumber) bool { return strings.Contains(p.PhoneNumber, digits) })
		}})
	}
	return ops
}

// walk reads all pages of a query and checks what pages promise.
func (f *fixture) walk(q string, limit int) (ids []string, total string) {
	f.Helper()
	cursor, pages := "", 0
	for {
		a := f.ok("POST", "/v1/users/search", fmt.Sprintf(`{"query":%s,"limit":%d,"cursor":%q}`, q, limit, cursor))
		results := a.at("results").([]any)
		for _, u := range results {
			ids = append(ids, u.(map[string]any)["user_id"].(string))
		}
		if now := fmt.Sprint(a.at("results_metadata.total")); pages > 0 && now != total {
			f.Errorf("%s: total %s became %s", q, total, now)
		} else {
			total = now
		}
		next, more := a.at("results_metadata.next_cursor").(string)
		if more && len(results) != limit {
			f.Errorf("%s: a page of %d that is not the last", q, len(results))
		}
		if pages++; !more {
			return ids, total
		}
		if pages > 1000 || next == cursor {
			f.Fatalf("%s: the pages do not end", q)
		}
		cursor = next
	}
}

// Every filter, alone and combined at random, finds what a plain look at every
// user finds, whichever way the search is carried out.
func TestSearchAgainstModel(t *testing.T) {
	each(t, func(f *fixture) {
		r := rand.New(rand.NewPCG(1, 2))
		all := f.populate(r, 150)
		f.send(f.live, "POST", "/v1/users", `{"email":"ada1@example.com","name":{"first_name":"Ada"}}`)
		check := func(operator string, exact bool, operands ...operand) {
			f.Helper()
			var want []string
			for _, u := range all {
				match := operator == "AND" || len(operands) == 0
				for _, o := range operands {
					if operator == "AND" {
						match = match && o.holds(u)
					} else {
						match = match || o.holds(u)
					}
				}
				if match {
					want = append(want, u.UserID)
				}
			}
			q := query(operator, operands...)
			got, total := f.walk(q, []int{3, 7, 20, 50, 1000}[r.IntN(5)])
			if !slices.Equal(got, want) {
				f.Errorf("%s\nfound %d users, want %d", q, len(got), len(want))
			}
			if total != fmt.Sprint(len(want)) && (exact || total != "-1") {
				f.Errorf("%s: total %s, want %d", q, total, len(want))
			}
		}
		for _, few := range []int{maxCandidates, 20, 1} {
			f.users.candidates = few
			exact := few == maxCandidates
			check("AND", true)
			check("OR", true)
			ops := someOperands(r, all)
			for _, o := range ops {
				check("AND", exact && o.value != `"active"` && o.value != "false", o)
			}
			ranges := ops[:4] // created_at, which bounds the reading
			for _, o := range ops {
				check("AND", false, o, ranges[r.IntN(4)])
				check("AND", false, ranges[r.IntN(4)], o, ranges[1])
				check("OR", false, o, ranges[r.IntN(4)])
			}
			for range 100 {
				r.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
				check([]string{"AND", "OR"}[r.IntN(2)], false, ops[:2+r.IntN(3)]...)
			}
		}
	})
}

func TestSearchTotals(t *testing.T) {
	each(t, func(f *fixture) {
		for i := range 30 {
			f.create(fmt.Sprintf(`{"email":"user%d@example.com"}`, i))
		}
		f.users.candidates = 29
		domain := `{"operator":"AND","operands":[{"filter_name":"email_domain","filter_value":["example.com"]}]}`
		if _, total := f.walk(domain, 10); total != "-1" {
			f.Errorf("30 of at most 29 were counted: %s", total)
		}
		if _, total := f.walk(domain, 30); total != "30" { // a page that is the whole
			f.Errorf("total %s", total)
		}
		f.users.candidates = 30
		if _, total := f.walk(domain, 10); total != "30" {
			f.Errorf("total %s", total)
		}
		if _, total := f.walk(`{}`, 10); total != "30" {
			f.Errorf("total %s of all", total)
		}
	})
}

func TestSearchLimits(t *testing.T) {
	each(t, func(f *fixture) {
		for i := range 101 {
			f.create(fmt.Sprintf(`{"email":"user%d@example.com"}`, i))
		}
		for body, want := range map[string]int{`{}`: 100, ``: 100, `{"limit":null,"cursor":null,"query":null}`: 100, `{"limit":1}`: 1, `{"limit":1000}`: 101, `{"cursor":""}`: 100} {
			if got := len(f.ok("POST", "/v1/users/search", body).at("results").([]any)); got != want {
				f.Errorf("%s: %d results, want %d", body, got, want)
			}
		}
		for _, limit := range []int{0, -1, 1001} {
			f.refused("POST", "/v1/users/search", fmt.Sprintf(`{"limit":%d}`, limit), 400, "user_search_invalid_limit")
		}
		empty := f.send(f.live, "POST", "/v1/users/search", `{}`)
		if list, ok := empty.at("results").([]any); !ok || len(list) != 0 || fmt.Sprint(empty.at("results_metadata.total")) != "0" || empty.at("results_metadata.next_cursor") != nil {
			f.Errorf("nobody: %v", empty.body)
		}
	})
}

// A walk sees everybody who was there throughout, once, whoever comes and goes.
func TestCursorSurvivesChanges(t *testing.T) {
	each(t, func(f *fixture) {
		var ids []string
		for i := range 20 {
			f.clock.Advance(time.Millisecond)
			ids = append(ids, f.create(fmt.Sprintf(`{"email":"user%d@example.com"}`, i)))
		}
		for _, q := range []string{`{}`, `{"operator":"AND","operands":[{"filter_name":"email_address_fuzzy","filter_value":"user"}]}`} {
			a := f.ok("POST", "/v1/users/search", `{"limit":5,"query":`+q+`}`)
			cursor := a.text("results_metadata.next_cursor")
			f.ok("DELETE", "/v1/users/"+a.text("results.4.user_id"), "") // the one the cursor stands on
			gone := a.text("results.0.user_id")
			f.ok("DELETE", "/v1/users/"+gone, "")
			f.clock.Advance(time.Millisecond)
			late := f.create(fmt.Sprintf(`{"email":"user-late-%d@example.com"}`, f.clock.Now().UnixNano()))
			var rest []string
			for cursor != "" {
				b := f.ok("POST", "/v1/users/search", fmt.Sprintf(`{"limit":5,"query":%s,"cursor":%q}`, q, cursor))
				for _, u := range b.at("results").([]any) {
					rest = append(rest, u.(map[string]any)["user_id"].(string))
				}
				cursor = b.text("results_metadata.next_cursor")
			}
			start := slices.Index(ids, a.text("results.4.user_id")) + 1
			if want := append(slices.Clone(ids[start:]), late); !slices.Equal(rest, want) {
				f.Errorf("%s: found %v, want %v", q, rest, want)
			}
			ids = append(slices.DeleteFunc(ids, func(s string) bool { return s == gone || s == a.text("results.4.user_id") }), late)
		}
	})
}

// A cursor belongs to its query and environment, and to nobody who made it up
// (security cases 53 and 60).
func TestCursorsAreAuthentic(t *testing.T) {
	each(t, func(f *fixture) {
		for i := range 10 {
			f.create(fmt.Sprintf(`{"email":"user%d@example.com"}`, i))
			f.send(f.live, "POST", "/v1/users", fmt.Sprintf(`{"email":"user%d@example.com"}`, i))
		}
		and := `{"operator":"AND","operands":[{"filter_name":"email_verified","filter_value":false},{"filter_name":"email_domain","filter_value":["example.com"]}]}`
		cursor := f.ok("POST", "/v1/users/search", `{"limit":2,"query":`+and+`}`).text("results_metadata.next_cursor")
		with := func(q, cursor string) string { return fmt.Sprintf(`{"query":%s,"cursor":%q}`, q, cursor) }
		for _, same := range []string{
			and,
			`{"operands":[{"filter_name":"email_verified","filter_value":false},{"filter_name":"email_domain","filter_value":["example.com"]}]}`,
			`{"operator":"AND","operands":[{"filter_name":"email_domain","filter_value":"EXAMPLE.com"},{"filter_name":"email_verified","filter_value":false}]}`,
		} {
			f.ok("POST", "/v1/users/search", with(same, cursor))
		}
		for _, other := range []string{
			`{}`,
			strings.Replace(and, "AND", "OR", 1),
			strings.Replace(and, "false", "true", 1),
			strings.Replace(and, "example.com", "example.org", 1),
			strings.Replace(and, "email_verified", "phone_verified", 1),
			`{"operator":"AND","operands":[{"filter_name":"email_domain","filter_value":["example.com"]}]}`,
		} {
			f.refused("POST", "/v1/users/search", with(other, cursor), 400, "user_search_invalid_cursor")
		}
		if a := f.send(f.live, "POST", "/v1/users/search", with(and, cursor)); a.errorType() != "user_search_invalid_cursor" {
			f.Errorf("in another environment: %v", a.body)
		}
		for i := range len(cursor) {
			other := byte('A')
			if cursor[i] == other {
				other = 'B'
			}
			f.refused("POST", "/v1/users/search", with(and, cursor[:i]+string(other)+cursor[i+1:]), 400, "user_search_invalid_cursor")
			f.refused("POST", "/v1/users/search", with(and, cursor[:max(i, 1)]), 400, "user_search_invalid_cursor")
		}
		for _, made := range []string{cursor + "A", cursor + "=", "x", " " + cursor, cursor + "\n", "1000", "user-test-1", "' OR 1=1 --", strings.Repeat("A", 10000), "é"} {
			f.refused("POST", "/v1/users/search", with(and, made), 400, "user_search_invalid_cursor")
		}
		f.refused("POST", "/v1/users/search", `{"cursor":5}`, 400, "bad_request")
	})
}

func TestSearchRefusals(t *testing.T) {
	each(t, func(f *fixture) {
		f.create(`{"email":"ada@example.com"}`)
		refuse := func(errorType string, operands ...string) {
			f.Helper()
			f.refused("POST", "/v1/users/search", `{"query":{"operator":"AND","operands":[`+strings.Join(operands, ",")+`]}}`, 400, errorType)
		}
		for name, rule := range filters {
			typ := rule.missing.Type
			refuse(typ, `{"filter_name":"`+name+`","filter_value":null}`)
			refuse(typ, `{"filter_name":"`+name+`","filter_value":[]}`)
			refuse("user_search_missing_filter_value", `{"filter_name":"`+name+`"}`)
		}
		strs := []string{`"x"`, `1`, `true`, `{}`, `[1]`, `["x",null]`, `[["x"]]`, `{"x":"y"}`}
		words := []string{`1`, `true`, `{}`, `["x"]`}
		for errorType, c := range map[string]struct{ names, values []string }{
			"user_search_expected_array_of_string": {[]string{"user_id", "email_address", "email_id", "phone_number", "phone_id", "webauthn_registration_id", "crypto_wallet_id", "crypto_wallet_address", "totp_id", "oauth_provider", "biometric_registration_id"}, strs},
			"user_search_expected_bool":            {[]string{"phone_verified", "email_verified", "webauthn_registration_verified", "crypto_wallet_verified", "totp_verified", "password_exists", "biometric_verified"}, []string{`"true"`, `1`, `[true]`, `{}`}},
			"user_search_expected_string":          {[]string{"full_name_fuzzy", "phone_number_fuzzy", "email_address_fuzzy", "status"}, words},
			"user_search_expected_timestamp":       {[]string{"created_at_greater_than", "created_at_less_than"}, append(words, `"yesterday"`, `"2026-01-02"`, `"2026-01-02T03:04:05"`, `""`, `1767322801`)},
			"user_search_expected_object":          {[]string{"created_at_between"}, []string{`"x"`, `1`, `[1]`, `true`}},
		} {
			for _, name := range c.names {
				for _, value := range c.values {
					refuse(errorType, `{"filter_name":"`+name+`","filter_value":`+value+`}`)
				}
			}
		}
		refuse("user_search_missing_greater_than", `{"filter_name":"created_at_between","filter_value":{"less_than":"2026-01-02T03:04:05Z"}}`)
		refuse("user_search_missing_less_than", `{"filter_name":"created_at_between","filter_value":{"greater_than":"2026-01-02T03:04:05Z","less_than":null}}`)
		refuse("user_search_expected_timestamp", `{"filter_name":"created_at_between","filter_value":{"greater_than":"x","less_than":"2026-01-02T03:04:05Z"}}`)
		refuse("user_search_expected_timestamp", `{"filter_name":"created_at_between","filter_value":{"greater_than":"2026-01-02T03:04:05Z","less_than":7}}`)
		refuse("user_search_missing_filter_name", `{}`)
		refuse("user_search_missing_filter_name", `{"filter_name":null,"filter_value":1}`)
		refuse("user_search_filter_name_must_be_string", `{"filter_name":1,"filter_value":1}`)
		refuse("user_search_filter_name_must_be_string", `{"filter_name":["status"],"filter_value":1}`)
		refuse("user_search_filter_name_not_recognized", `{"filter_name":"Status","filter_value":"active"}`)
		refuse("user_search_filter_name_not_recognized", `{"filter_name":"","filter_value":"active"}`)
		refuse("user_search_invalid_status_filter", `{"filter_name":"status","filter_value":"deleted"}`)
		refuse("user_search_invalid_oauth_provider_filter", `{"filter_name":"oauth_provider","filter_value":["google","acme"]}`)
		refuse("user_search_cannot_mix_internal_and_external_user_ids", `{"filter_name":"user_id","filter_value":["`+id.Random(id.User, id.Test)+`","customer-1"]}`)
		refuse("bad_request", `"status"`)
		refuse("bad_request", `[]`)
		refuse("bad_request", `null`)
		for name, short := range map[string]string{"full_name_fuzzy": "ab", "email_address_fuzzy": "éé", "phone_number_fuzzy": "4-1"} {
			refuse("user_search_"+name+"_too_short", fmt.Sprintf(`{"filter_name":%q,"filter_value":%q}`, name, short))
			refuse("user_search_"+name+"_too_short", fmt.Sprintf(`{"filter_name":%q,"filter_value":"  "}`, name))
			f.ok("POST", "/v1/users/search", fmt.Sprintf(`{"query":{"operator":"AND","operands":[{"filter_name":%q,"filter_value":"415"}]}}`, name))
		}
		for body, errorType := range map[string]string{
			`{"query":{"operator":"NOT","operands":[]}}`: "user_search_invalid_operator",
			`{"query":{"operator":"and","operands":[]}}`: "user_search_invalid_operator",
			`{"query":{"operator":1,"operands":[]}}`:     "bad_request",
			`{"query":{"operator":"AND","operands":1}}`:  "bad_request",
			`{"query":[]}`:    "bad_request",
			`{"limit":"ten"}`: "bad_request",
		} {
			f.refused("POST", "/v1/users/search", body, 400, errorType)
		}
		for _, body := range []string{`{"query":{}}`, `{"query":{"operator":"OR"}}`, `{"query":{"operator":"AND","operands":null}}`, `{"query":{"operands":[]}}`} {
			if a := f.ok("POST", "/v1/users/search", body); a.at("results.0") == nil {
				f.Errorf("%s finds nobody", body)
			}
		}
	})
}

func TestSearchValueBounds(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"user0@example.com"}`)
		emails := func(n int) operand {
			values := make([]string, n)
			for i := range values {
				values[i] = fmt.Sprintf("user%d@example.com", i)
			}
			return operand{name: "email_address", value: list(values...)}
		}
		few := operand{name: "email_id", value: list(f.user(userID).Emails[0].EmailID)}
		for _, c := range []struct {
			operands  []operand
			errorType string
		}{
			{[]operand{emails(1000)}, ""},
			{[]operand{emails(1001)}, "user_search_maximum_filter_value_count_exceeded"},
			{[]operand{emails(999), few}, ""},
			{[]operand{emails(1000), few}, "user_search_maximum_filter_value_count_exceeded"},
			{slices.Repeat([]operand{few}, 50), ""},
			{slices.Repeat([]operand{few}, 51), "user_search_maximum_filter_value_count_exceeded"},
		} {
			for _, operator := range []string{"AND", "OR"} {
				body := `{"query":` + query(operator, c.operands...) + `}`
				if c.errorType != "" {
					f.refused("POST", "/v1/users/search", body, 400, c.errorType)
				} else if a := f.ok("POST", "/v1/users/search", body); a.text("results.0.user_id") != userID {
					f.Errorf("not found by %d operands", len(c.operands))
				}
			}
		}
	})
}

// Security case 60: what a caller writes is only ever a value.
func TestSearchInjection(t *testing.T) {
	each(t, func(f *fixture) {
		f.create(`{"email":"ada@example.com","phone_number":"+14155552671","name":{"first_name":"Ada"}}`)
		for _, s := range []string{
			"' OR '1'='1", "'; DROP TABLE users; --", `" OR ""="`, `\' OR 1=1 --`, "ada%", "%%%", "___", "*ada", "ada*", "$1$2$3", "?1?2", ":env", "ada\u0001b",
			"1) OR (1=1", "ada\uffff", "\U0010ffff\U0010ffff\U0010ffff", "'||(SELECT document FROM users)||'", strings.Repeat("%", 2000), strings.Repeat("a", 5000),
		} {
			for name := range filters {
				for _, value := range []any{s, []string{s}} {
					operand, err := Filter(name, value)
					if err != nil {
						f.Fatal(err)
					}
					for _, operator := range []string{"AND", "OR"} {
						page, err := f.users.Search(f.Context(), f.env, Search{Query: Query{Operator: operator, Operands: []Operand{operand, operand}}, Limit: 10})
						if err == nil && len(page.Results) > 0 {
							f.Errorf("%s %q found %d users", name, s, len(page.Results))
						}
						if err != nil && apierr.From(err) == nil {
							f.Fatalf("%s %q: %v", name, s, err)
						}
					}
				}
			}
		}
	})
}

// No operand, however odd, gets past as anything but a verdict or a page.
func FuzzSearchOperands(f *testing.F) {
	for _, s := range []string{
		`[]`, `[{"filter_name":"status","filter_value":"active"}]`, `[{"filter_name":"created_at_between","filter_value":{"greater_than":"0000-01-01T00:00:00Z","less_than":"9999-12-31T23:59:59.999Z"}}]`,
		`[{"filter_name":"user_id","filter_value":["a","b"]},{"filter_name":"full_name_fuzzy","filter_value":"\u0000ab"}]`,
		`[{"filter_name":"email_address_fuzzy","filter_value":"@\ud800xn--"},{"filter_name":"password_exists","filter_value":false}]`,
		`[{"filter_name":"phone_number_fuzzy","filter_value":"+++"}]`, `[{"filter_name":"created_at_less_than","filter_value":"9999-12-31T23:59:59-23:59"}]`,
	} {
		f.Add("AND", s)
		f.Add("OR", s)
	}
	fixtureFor := shared(f)
	f.Fuzz(func(t *testing.T, operator, operands string) {
		x := fixtureFor(t)
		var q Query
		if json.Unmarshal([]byte(operands), &q.Operands) != nil {
			return
		}
		q.Operator = operator
		_, err := x.users.Search(t.Context(), x.env, Search{Query: q, Limit: 3})
		if err != nil && apierr.From(err) == nil {
			t.Errorf("%s %s: %v", operator, operands, err)
		}
	})
}

// No cursor but a sealed one opens.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{"", "A", strings.Repeat("A", 75), strings.Repeat("_", 75)} {
		f.Add(s)
	}
	fixtureFor := shared(f)
	f.Fuzz(func(t *testing.T, cursor string) {
		x := fixtureFor(t)
		at, err := x.users.openCursor(x.env, []byte("query"), cursor)
		if !errors.Is(err, errCursor) {
			t.Errorf("%q opened as %+v, %v", cursor, at, err)
		}
		if len(cursor) > 0 && x.send(x.env, http.MethodPost, "/v1/users/search", fmt.Sprintf(`{"cursor":%q}`, strings.ToValidUTF8(cursor, ""))).status == http.StatusInternalServerError {
			t.Errorf("%q: a failure of ours", cursor)
		}
	})
}
