package user

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

func TestMetadataMerge(t *testing.T) {
	var m Metadata
	for _, step := range []struct{ patch, want string }{
		{``, `{}`},
		{`null`, `{}`},
		{`{}`, `{}`},
		{`{"a":1,"b":{"x":1,"y":2}}`, `{"a":1,"b":{"x":1,"y":2}}`},
		{`{"b":{"z":3}}`, `{"a":1,"b":{"z":3}}`},             // nested objects are replaced whole
		{`{"a":null,"nobody":null}`, `{"b":{"z":3}}`},        // null deletes
		{`{"b":{"z":null}}`, `{"b":{"z":null}}`},             // but not further down
		{`{"b":[1,null]}`, `{"b":[1,null]}`},                 //
		{`{"b":9007199254740993}`, `{"b":9007199254740993}`}, // 2^53+1
		{`{"b":1.10}`, `{"b":1.10}`},
		{`{"b":1e400}`, `{"b":1e400}`},
		{`{"b":-0}`, `{"b":-0}`},
		{`{"b":123456789012345678901234567890}`, `{"b":123456789012345678901234567890}`},
		{`{"b":{"n":[{"deep":0.1000000000000000055511151231257827}]}}`, `{"b":{"n":[{"deep":0.1000000000000000055511151231257827}]}}`},
		{`{"b":"<&>\u2028é\u00e9"}`, `{"b":"<&>\u2028éé"}`},
		{` { "b" : true } `, `{"b":true}`},
		{`{"":false,"b":null}`, `{"":false}`},
	} {
		next, err := m.Merge(json.RawMessage(step.patch))
		if err != nil {
			t.Fatalf("%s: %v", step.patch, err)
		}
		if m = next; m == nil {
			m = Metadata{}
		}
		if text, err := encode(m); err != nil || string(text) != step.want {
			t.Errorf("after %s: %s, %v, want %s", step.patch, text, err, step.want)
		}
	}
}

func TestMetadataLimits(t *testing.T) {
	keys := func(from, n int) json.RawMessage {
		m := map[string]int{}
		for i := range n {
			m[fmt.Sprintf("key%02d", from+i)] = i
		}
		text, _ := json.Marshal(m)
		return text
	}
	for n, want := range map[int]string{19: "", 20: "", 21: "metadata_too_many_keys"} {
		if _, err := (Metadata{}).Merge(keys(0, n)); typeOf(t, err) != want {
			t.Errorf("%d keys: %v", n, err)
		}
	}
	full, err := (Metadata{}).Merge(keys(0, 20))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := full.Merge(keys(5, 20)); typeOf(t, err) != "metadata_too_many_keys" {
		t.Errorf("the merged object is not bounded: %v", err)
	}
	if _, err := full.Merge(json.RawMessage(`{"key00":null,"other":1}`)); err != nil {
		t.Errorf("one out, one in: %v", err)
	}
	for size, want := range map[int]string{4095: "", 4096: "", 4097: "metadata_too_large"} {
		patch := `{"k":"` + strings.Repeat("x", size-len(`{"k":""}`)) + `"}`
		if _, err := (Metadata{}).Merge(json.RawMessage(patch)); typeOf(t, err) != want {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	// White space in the request does not count, characters count as UTF-8.
	if _, err := (Metadata{}).Merge(json.RawMessage(strings.Repeat(" ", 9000) + `{"k":1}`)); err != nil {
		t.Errorf("white space: %v", err)
	}
	if _, err := (Metadata{}).Merge(json.RawMessage(`{"k":"` + strings.Repeat("é", 2045) + `"}`)); typeOf(t, err) != "metadata_too_large" {
		t.Errorf("4098 bytes in 2045 letters: %v", err)
	}
	for _, patch := range []string{`[]`, `"x"`, `1`, `true`, `[{"a":1}]`} {
		if _, err := (Metadata{}).Merge(json.RawMessage(patch)); typeOf(t, err) != "metadata_invalid_format" {
			t.Errorf("%s: %v", patch, err)
		}
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		" Ada ": "Ada", "": "", "Zo\u0065\u0308": "Zoë", "O'Brien-Smith": "O'Brien-Smith", "علی\u200cرضا": "علی\u200cرضا", "李": "李", "👩\u200d💻": "👩\u200d💻",
		strings.Repeat("é", 128): strings.Repeat("é", 128),
	} {
		if got, err := CanonicalName("name", in); err != nil || got != want {
			t.Errorf("%q = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{strings.Repeat("é", 129), "a\nb", "a\x00", "a\x1b[0m", "a\u2028b", "evil\u202egnp.exe", "a\u2066b", "a\u0085b"} {
		if got, err := CanonicalName("name", in); typeOf(t, err) != "bad_request" {
			t.Errorf("%q = %q, %v", in, got, err)
		}
	}
}

func TestExternalIDs(t *testing.T) {
	for s, want := range map[string]bool{
		"a": true, "customer|47.11_x-Y": true, strings.Repeat("a", 128): true, "4711": true, "auth0|5f7c": true, "USER-test-1": true,
		"user": true, "user-1": true, "user-testing": true,
		"": false, strings.Repeat("a", 129): false, "a b": false, "a/b": false, "ä": false, "a\n": false, "a%2Fb": false, "a@b": false, "a+b": false,
		"user-test-1": false, "user-live-": false, id.Random(id.User, id.Test): false, id.Random(id.User, id.Live): false, id.Random(id.Session, id.Test): false,
	} {
		if isExternalID(s) != want {
			t.Errorf("isExternalID(%q) = %v", s, !want)
		}
	}
}

func TestRoles(t *testing.T) {
	env := &project.Environment{Kind: id.Test}
	many := func(n int) (roles []string) {
		for i := range n {
			roles = append(roles, fmt.Sprintf("role%d", i))
		}
		return roles
	}
	for _, c := range []struct {
		roles []string
		want  string
	}{
		{[]string{}, ""},
		{[]string{"stytch_user"}, "cannot_assign_default_rbac_role_id"},
		{[]string{"nobody"}, "invalid_rbac_role_assignment"},
		{[]string{""}, "invalid_rbac_role_assignment"},
		{many(20), "invalid_rbac_role_assignment"},
		{many(21), "too_many_roles"},
	} {
		if _, err := checkRoles(env, c.roles); typeOf(t, err) != c.want {
			t.Errorf("%v: %v", c.roles, err)
		}
	}
}

func TestCanRemove(t *testing.T) {
	email := Email{EmailID: "e1"}
	phone := PhoneNumber{PhoneID: "p1"}
	account := OAuthProvider{OAuthUserRegistrationID: "o1"}
	passkey := WebAuthnRegistration{WebAuthnRegistrationID: "w1"}
	for _, c := range []struct {
		what     string
		u        User
		kind, id string
		want     string
	}{
		{"the only e-mail", User{Emails: []Email{email}}, KindEmail, "e1", "cannot_delete_last_primary_factor"},
		{"the only phone", User{PhoneNumbers: []PhoneNumber{phone}}, KindPhone, "p1", "cannot_delete_last_primary_factor"},
		{"the only account", User{Providers: []OAuthProvider{account}}, KindOAuth, "o1", "cannot_delete_last_primary_factor"},
		{"an e-mail beside a passkey", User{Emails: []Email{email}, WebAuthnRegistrations: []WebAuthnRegistration{passkey}}, KindEmail, "e1", "cannot_delete_last_primary_factor"},
		{"a passkey", User{Emails: []Email{email}, WebAuthnRegistrations: []WebAuthnRegistration{passkey}}, KindWebAuthn, "w1", ""},
		{"the only passkey of nobody", User{WebAuthnRegistrations: []WebAuthnRegistration{passkey}}, KindWebAuthn, "w1", ""},
		{"one of two e-mails", User{Emails: []Email{email, {EmailID: "e2"}}}, KindEmail, "e1", ""},
		{"an e-mail beside a phone", User{Emails: []Email{email}, PhoneNumbers: []PhoneNumber{phone}}, KindEmail, "e1", ""},
		{"an e-mail beside an account", User{Emails: []Email{email}, Providers: []OAuthProvider{account}}, KindEmail, "e1", ""},
		{"what is not there", User{Emails: []Email{email}}, KindEmail, "e2", ""},
	} {
		if err := CanRemove(&c.u, c.kind, c.id); typeOf(t, err) != c.want {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}
