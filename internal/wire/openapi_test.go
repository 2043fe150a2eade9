package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/wire"
)

type specName struct {
	First  string `json:"first_name" min:"1" max:"60"`
	Secret string `json:"internal" door:"server"`
}

type specFields struct {
	SessionToken string `json:"session_token" door:"server"`
	Minutes      *int   `json:"session_duration_minutes" min:"5" max:"527040" example:"60"`
}

type specRequest struct {
	specFields
	UserID string    `path:"user_id" description:"Whose."`
	Limit  *int      `query:"limit" min:"1" max:"1000"`
	Status []string  `query:"status"`
	Kind   string    `json:"kind" required:"true" enum:"platform,cross-platform"`
	Name   *specName `json:"name"`
}

type specUser struct {
	UserID    string     `json:"user_id"`
	Emails    []string   `json:"emails"`
	Locked    *specStamp `json:"lock_expires_at"`
	CreatedAt specStamp  `json:"created_at"`
	Note      string     `json:"note,omitempty"`
}

// specStamp has its own JSON.
type specStamp struct{ time.Time }

func (specStamp) DescribedAs() any { return time.Time{} }

// specDocument is a stored, wire-ready user.
type specDocument []byte

func (d specDocument) MarshalJSON() ([]byte, error) { return d, nil }
func (d specDocument) WireJSON() []byte             { return d }
func (specDocument) DescribedAs() any               { return specUser{} }

type specResponse struct {
	wire.Meta
	User  specDocument   `json:"user"`
	Users []specDocument `json:"users"`
	Name  *specName      `json:"name"`
}

type specFlat struct {
	wire.Meta
	User specDocument `json:",inline"`
}

type specGet struct {
	UserID string `path:"user_id"`
}

type specShape struct {
	specResponse
	Twin specDocument `json:"__user"`
}

type specForBrowser struct{ specResponse }

func (r *specForBrowser) ForBrowser() any {
	return &specShape{specResponse: r.specResponse, Twin: r.User}
}

func specEndpoints() []wire.Endpoint {
	serve := func(context.Context, *specRequest) (*specResponse, error) {
		return &specResponse{User: specDocument(`{"user_id":"u"}`)}, nil
	}
	page := func(context.Context, *specRequest) (*specForBrowser, error) {
		return &specForBrowser{specResponse{User: specDocument(`{"user_id":"u"}`)}}, nil
	}
	get := func(context.Context, *specGet) (*specFlat, error) {
		return &specFlat{User: specDocument(`{"user_id":"u","emails":[]}`)}, nil
	}
	none := func(context.Context, *struct{}) (*specFlat, error) { return &specFlat{}, nil }
	return []wire.Endpoint{
		wire.POST("/v1/users/{user_id}/x", wire.Secret, serve, wire.Summary("Do x to a user")),
		wire.POST("/sdk/v1/users/{user_id}/x", wire.Public, page, wire.Needs("x", "x.create")),
		wire.GET("/v1/users/{user_id}", wire.Secret, get),
		wire.POST("/v1/ping", wire.Open, none),
		wire.Raw("GET", "/healthz", wire.Open, http.NotFoundHandler(), wire.Summary("Is it alive")),
		wire.Raw("GET", "/assets/*", wire.Open, http.NotFoundHandler()),
	}
}

// dig walks into the document.
func dig(t *testing.T, doc any, steps ...string) any {
	t.Helper()
	for i, step := range steps {
		m, _ := doc.(map[string]any)
		if doc = m[step]; doc == nil {
			t.Fatalf("the document has nothing at %s", strings.Join(steps[:i+1], " > "))
		}
	}
	return doc
}

func specDoc(t *testing.T) map[string]any {
	t.Helper()
	raw, err := wire.OpenAPI(wire.Info{Title: "Gatehouse", Version: "1"}, specEndpoints())
	if err != nil {
		t.Fatal(err)
	}
	again, err := wire.OpenAPI(wire.Info{Title: "Gatehouse", Version: "1"}, specEndpoints())
	if err != nil || !bytes.Equal(raw, again) {
		t.Fatalf("two runs differ (%v)", err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if testing.Verbose() {
		t.Logf("%s", raw)
	}
	return doc
}

func TestOpenAPIDescribesBothDoors(t *testing.T) {
	doc := specDoc(t)
	const body = "application/json"
	server := dig(t, doc, "paths", "/v1/users/{user_id}/x", "post")
	page := dig(t, doc, "paths", "/sdk/v1/users/{user_id}/x", "post")

	for door, op := range map[string]any{"secret": server, "public": page} {
		if got := fmt.Sprint(dig(t, op, "security")); got != fmt.Sprintf("[map[%s:[]]]", door) {
			t.Errorf("%s: security is %s", door, got)
		}
		in := dig(t, op, "requestBody", "content", body, "schema").(map[string]any)
		properties := in["properties"].(map[string]any)
		if _, has := properties["session_token"]; has != (door == "secret") {
			t.Errorf("%s: session_token in the body: %v", door, has)
		}
		if got := fmt.Sprint(in["required"]); got != "[kind]" {
			t.Errorf("%s: required is %s", door, got)
		}
		if got := dig(t, properties, "session_duration_minutes", "maximum"); got != 527040.0 {
			t.Errorf("%s: maximum is %v", door, got)
		}
		if got := fmt.Sprint(dig(t, properties, "kind", "enum")); got != "[platform cross-platform]" {
			t.Errorf("%s: enum is %s", door, got)
		}
		var names []string
		for _, p := range dig(t, op, "parameters").([]any) {
			names = append(names, fmt.Sprint(dig(t, p, "in"), ":", dig(t, p, "name")))
		}
		if !slices.Equal(names, []string{"path:user_id", "query:limit", "query:status"}) {
			t.Errorf("%s: parameters are %v", door, names)
		}
		if got := dig(t, op, "responses", "default", "content", body, "schema", "$ref"); got != "#/components/schemas/Error" {
			t.Errorf("%s: errors are %v", door, got)
		}
	}
	shape := dig(t, page, "responses", "200", "content", body, "schema", "properties", "data", "properties")
	dig(t, shape, "__user")
	dig(t, shape, "request_id")
	dig(t, server, "responses", "200", "content", body, "schema", "properties", "users", "items", "$ref")

	flat := dig(t, doc, "paths", "/v1/users/{user_id}", "get", "responses", "200", "content", body, "schema").(map[string]any)
	dig(t, flat, "properties", "emails")
	if got := fmt.Sprint(flat["required"]); got != "[created_at emails lock_expires_at request_id status_code user_id]" {
		t.Errorf("required in a flattened answer: %s", got)
	}
	if ping := dig(t, doc, "paths", "/v1/ping", "post").(map[string]any); ping["requestBody"] != nil {
		t.Error("an endpoint without body fields has a body")
	}
	if _, has := doc["paths"].(map[string]any)["/assets/*"]; has {
		t.Error("a raw route without a summary is in the document")
	}
}

func TestOpenAPIReferencesResolveAndHideNothing(t *testing.T) {
	doc := specDoc(t)
	schemas := dig(t, doc, "components", "schemas").(map[string]any)
	used := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				name := strings.TrimPrefix(ref, "#/components/schemas/")
				used[name] = true
				if schemas[name] == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(doc)
	for name, schema := range schemas {
		if !used[name] {
			t.Errorf("the component %s is used by nothing", name)
		}
		if _, has := dig(t, schema, "properties").(map[string]any)["internal"]; has && strings.Contains(name, "Browser") {
			t.Errorf("%s shows a field that only servers may set", name)
		}
	}
	if got := dig(t, schemas, "WireTestSpecUser", "properties", "created_at", "format"); got != "date-time" {
		t.Errorf("a timestamp's format is %v", got)
	}
}
