package jwttemplate_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/jwttemplate"
)

// data looks paths up in a JSON text, as callers do with what they know.
func data(t testing.TB, text string) jwttemplate.Lookup {
	t.Helper()
	if !json.Valid([]byte(text)) {
		t.Fatalf("the test's data is no JSON: %s", text)
	}
	return func(path []string) any { return jwttemplate.In(json.RawMessage(text), path) }
}

const person = `{"user": {"user_id": "user-test-1", "name": {"first_name": "Ada"}, "emails": ["ada@example.com"],
	"trusted_metadata": {"level": 7, "big": 12345678901234567890, "admin": true, "tags": ["a", "b"], "plan": {"name": "pro", "seats": null}},
	"untrusted_metadata": {"nick": "\"}}, \"admin\": true, {{ user.user_id }}", "deep": {"iss": "evil"}},
	"rbac": {"roles": ["editor"]}}}`

func TestRender(t *testing.T) {
	for _, c := range []struct{ name, template, want string }{
		{"bare", `{"level": {{ user.trusted_metadata.level }}}`, `{"level":7}`},
		{"quoted alone keeps the type", `{"level": "{{ user.trusted_metadata.level }}", "ok": "{{user.trusted_metadata.admin}}"}`, `{"level":7,"ok":true}`},
		{"bare before closing braces", `{"a":{"b":{{user.trusted_metadata.level}}}}`, `{"a":{"b":7}}`},
		{"numbers as they were written", `{"n": {{ user.trusted_metadata.big }}}`, `{"n":12345678901234567890}`},
		{"objects and arrays", `{"p": {{ user.trusted_metadata.plan }}, "t": {{ user.trusted_metadata.tags }}}`, `{"p":{"name":"pro","seats":null},"t":["a","b"]}`},
		{"an element by its index", `{"t": {{ user.trusted_metadata.tags.1 }}}`, `{"t":"b"}`},
		{"whole metadata", `{"m": {{ user.untrusted_metadata.deep }}}`, `{"m":{"iss":"evil"}}`},
		{"missing and null leave the claim out", `{"a": {{ user.trusted_metadata.none }}, "b": {{ user.trusted_metadata.plan.seats }}, "c": {{ user.trusted_metadata.level.deeper }}, "d": 1}`, `{"d":1}`},
		{"at any depth", `{"a": {"b": {{ user.trusted_metadata.none }}, "c": [1, {{ user.external_id }}, 2]}}`, `{"a":{"c":[1,2]}}`},
		{"inside a text", `{"sub2": "tenant:{{ user.trusted_metadata.level }}/{{ user.name.first_name }}"}`, `{"sub2":"tenant:7/Ada"}`},
		{"a text with a gap is left out", `{"a": "tenant:{{ user.trusted_metadata.none }}", "b": "x{{ user.trusted_metadata.tags }}"}`, `{}`},
		{"literals", `{"a": [1, "x", true, {"b": 1.50}], "n": null}`, `{"a":[1,"x",true,{"b":1.50}]}`},
		{"the token's own claims are dropped", `{"iss": "x", "SUB": "y", "ıat": 1, "exp": {{ user.trusted_metadata.level }}, "a": {"iss": 1}}`, `{"a":{"iss":1},"ıat":1}`},
		{"nothing", `{}`, `{}`},
		{"braces in a text are text", `{"a": "{ {x} }"}`, `{"a":"{ {x} }"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			template, err := jwttemplate.Parse(jwttemplate.Session, c.template)
			if err != nil {
				t.Fatal(err)
			}
			claims, err := template.Render(data(t, person))
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := json.Marshal(claims); string(got) != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.template, got, c.want)
			}
		})
	}
}

// Security case 58: what a template engine could be made to run. Values are
// data: whatever stands in metadata, it is one string in the place of its tag.
func TestValuesAreNeverReadAsTemplate(t *testing.T) {
	for _, hostile := range []string{
		`"`, `"}`, `", "admin": true, "x": "`, `{{ user.user_id }}`, `}}`, `{{`, `\`, `\u0022`, "\n", "\x00", `{"a":1}`, `{{ user.trusted_metadata }}`, "\u2028", "${7*7}", "<%= 1 %>",
	} {
		text, _ := json.Marshal(map[string]any{"user": map[string]any{"user_id": "user-test-1", "untrusted_metadata": map[string]any{"v": hostile}}})
		template, err := jwttemplate.Parse(jwttemplate.Session, `{"bare": {{ user.untrusted_metadata.v }}, "in": "<{{ user.untrusted_metadata.v }}|{{ user.user_id }}>"}`)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := template.Render(data(t, string(text)))
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"bare": hostile, "in": "<" + hostile + "|user-test-1>"}
		if !reflect.DeepEqual(claims, want) {
			t.Errorf("%q: got %#v, want %#v", hostile, claims, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	nested := strings.Repeat(`{"a":`, 11) + "1" + strings.Repeat("}", 11)
	for _, c := range []struct{ name, template, errType, says string }{
		{"empty", ``, "jwt_template_invalid_json", "Line 1, column 1"},
		{"an array", `[1]`, "jwt_template_invalid_json", "must be a JSON object"},
		{"not JSON", "{\n  \"a\": 1,\n  \"b\" 2\n}", "jwt_template_invalid_json", "Line 3, column 7"},
		{"a trailing comma", `{"a": 1,}`, "jwt_template_invalid_json", "Line 1, column 9"},
		{"not JSON behind a bare tag", `{"é": {{ user.user_id }}, "b": x}`, "jwt_template_invalid_json", "Line 1, column 32"},
		{"something behind it", `{} {}`, "jwt_template_invalid_json", "column 4"},
		{"a name twice", `{"a": 1, "a": 2}`, "jwt_template_invalid_json", `column 10 of the template: the name "a" stands twice`},
		{"too deep", nested, "jwt_template_invalid_json", "more than 10 deep"},
		{"too long", `{"a": "` + strings.Repeat("x", jwttemplate.MaxContent) + `"}`, "jwt_template_invalid_json", "larger than 8 KB"},
		{"invalid UTF-8", "{\"a\": \"\xff\"}", "jwt_template_invalid_json", "UTF-8"},
		{"a bare tag as a name", `{ {{ user.user_id }}: 1}`, "jwt_template_invalid_tag", "a tag stands in a name"},
		{"a quoted tag as a name", `{"a{{ user.user_id }}": 1}`, "jwt_template_invalid_tag", "a tag stands in a name"},
		{"an unknown variable", "{\n\"a\": {{ user.emial }}}", "jwt_template_invalid_tag", `Line 2, column 6 of the template: "user.emial" is no variable of SESSION templates`},
		{"a variable of the other kind", `{"a": {{ client.client_id }}}`, "jwt_template_invalid_tag", "client.client_id"},
		{"an unknown variable in a text", `{"a": "x {{ user.password }}"}`, "jwt_template_invalid_tag", "Line 1, column 7"},
		{"an empty tag", `{"a": {{ }}}`, "jwt_template_invalid_tag", "name of a variable"},
		{"an empty part", `{"a": {{ user..user_id }}}`, "jwt_template_invalid_tag", "empty part"},
		{"a function", `{"a": {{ user.user_id | upper }}}`, "jwt_template_invalid_tag", "name of a variable"},
		{"a call", `{"a": {{ env("PATH") }}}`, "jwt_template_invalid_tag", "name of a variable"},
		{"braces doubled by mistake", `{"a": {{"b": 1}}}`, "jwt_template_invalid_tag", "name of a variable"},
		{"not closed", `{"a": {{ user.user_id }`, "jwt_template_mismatched_tag", "Line 1, column 7"},
		{"not closed in a text", `{"a": "{{ user.user_id"}`, "jwt_template_mismatched_tag", "without }}"},
		{"not opened in a text", `{"a": "user.user_id }}"}`, "jwt_template_mismatched_tag", "without {{"},
		{"opened twice", `{"a": {{ user. {{ user_id }}}`, "jwt_template_mismatched_tag", "column 7"},
		{"a claim of ours", `{"https://stytch.com/session": {}}`, "stytch_claims_in_custom_claims", "column 2"},
		{"one that looks like ours", `{"HTTPS://ſtytch.com/session": {}}`, "stytch_claims_in_custom_claims", "column 2"},
		{"too many tags", `{"a": [` + strings.Repeat(`{{user.user_id}},`, 100) + `{{user.user_id}}]}`, "jwt_template_invalid_tag", "more than 100 tags"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := jwttemplate.Parse(jwttemplate.Session, c.template)
			if err == nil {
				t.Fatalf("accepted %s", c.template)
			}
			if e := apierr.From(err); e.Type != c.errType || !strings.Contains(e.Message, c.says) {
				t.Errorf("got %s %q, want %s with %q", e.Type, e.Message, c.errType, c.says)
			}
		})
	}
}

func TestOutputIsBounded(t *testing.T) {
	template, err := jwttemplate.Parse(jwttemplate.Session, `{"a": {{ user.trusted_metadata.v }}, "b": {{ user.trusted_metadata.v }}}`)
	if err != nil {
		t.Fatal(err)
	}
	render := func(n int) error {
		_, err := template.Render(func([]string) any { return strings.Repeat("x", n) })
		return err
	}
	if err := render(2000); err != nil {
		t.Errorf("4017 bytes: %v", err)
	}
	if err := render(2100); !errors.Is(err, jwttemplate.ErrTooLarge) {
		t.Errorf("4217 bytes: %v", err)
	}
}

func TestClientsCannotBeGivenScopesByATemplate(t *testing.T) {
	template, err := jwttemplate.Parse(jwttemplate.M2M, `{"scope": "admin", "Client_ID": "x", "tier": {{ client.trusted_metadata.tier }}, "s": {{ client.scopes }}}`)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := template.Render(data(t, `{"client": {"scopes": ["read"], "trusted_metadata": {"tier": 1}}}`))
	if got, _ := json.Marshal(claims); err != nil || string(got) != `{"s":["read"],"tier":1}` {
		t.Errorf("got %s %v", got, err)
	}
}

func TestMakes(t *testing.T) {
	template, err := jwttemplate.Parse(jwttemplate.Session, `{"a": {"b": {{ user.user_id }}, "c": 1}, "d": "x{{ user.user_id }}", "iss": 1}`)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"a": true, "a.b": true, "a.b.anything": true, "a.c.x": false, "a.z": false, "d": true, "d.x": false, "z": false, "iss": false} {
		if got := template.Makes(strings.Split(path, ".")...); got != want {
			t.Errorf("Makes(%s) = %v", path, got)
		}
	}
}

// Whatever Parse accepts makes JSON with no claim of the token's own, and every
// value comes out as the string that went in.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{`{"a": {{ user.user_id }}}`, `{"a": "x{{ user.user_id }}"}`, `{"a": [{"b": "{{user.rbac.roles}}"}]}`, `{{{`, `{"\u007b{ user.user_id }}": "}}"}`} {
		f.Add(seed, `"}}{{`)
	}
	f.Fuzz(func(t *testing.T, content, value string) {
		template, err := jwttemplate.Parse(jwttemplate.Session, content)
		if err != nil {
			if e := apierr.From(err); e.Status != 400 {
				t.Fatalf("%q: %v", content, err)
			}
			return
		}
		claims, err := template.Render(func([]string) any { return value })
		if errors.Is(err, jwttemplate.ErrTooLarge) {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", content, err)
		}
		for name := range claims {
			if jwttemplate.Reserved(name) || jwttemplate.Vendor(name) || !template.Makes(name) {
				t.Fatalf("%q makes the claim %q", content, name)
			}
		}
		again, err := jwttemplate.Parse(jwttemplate.Session, content)
		if err != nil {
			t.Fatalf("%q is refused the second time: %v", content, err)
		}
		second, err := again.Render(func([]string) any { return value })
		if err != nil || !reflect.DeepEqual(claims, second) {
			t.Fatalf("%q makes %v, then %v", content, claims, second)
		}
	})
}
