package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/wire"
)

type grantRequest struct {
	Grant  string `json:"grant_type" required:"true"`
	Client string `json:"client_id" required:"true"`
	Scope  string `json:"scope"`
	Times  *int   `json:"times"`
	Basic  wire.Basic
}

type grantResponse struct {
	wire.Meta
	Grant  string `json:"grant_type"`
	Client string `json:"client_id"`
	Scope  string `json:"scope"`
	Times  *int   `json:"times"`
	Sent   bool   `json:"sent"`
	Sound  bool   `json:"sound"`
	User   string `json:"user"`
}

var (
	errStranger = apierr.New(401, "invalid_client", "Say \"who\" you are, \\ Zoë.")
	errSlow     = apierr.New(429, "too_many_requests", "Wait.")
)

func grant(_ context.Context, req *grantRequest) (*grantResponse, error) {
	switch req.Client {
	case "stranger":
		return nil, errStranger
	case "busy":
		return nil, errSlow.WithRetryAfter(3_000_000_000)
	case "accident":
		return nil, errors.New("the disk is on fire")
	}
	return &grantResponse{Grant: req.Grant, Client: req.Client, Scope: req.Scope, Times: req.Times,
		Sent: req.Basic.Sent, Sound: req.Basic.Sound, User: req.Basic.User}, nil
}

func grantServer() *wire.Server {
	return serverOf(wire.POST("/v1/token", wire.Open, grant, wire.Form(), wire.OAuthErrors(), wire.Summary("Get a token")),
		wire.POST("/v1/plain", wire.Secret, grant))
}

func form(path, body string) *http.Request {
	r := request("POST", path, body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	return r
}

func TestFormsSetTheFieldsThatJSONSets(t *testing.T) {
	s := grantServer()
	for what, r := range map[string]*http.Request{
		"form": form("/v1/token", "grant_type=a+b&client_id=c%26d&scope=&times=3&unknown=1"),
		"JSON": request("POST", "/v1/token", `{"grant_type":"a b","client_id":"c&d","scope":null,"times":3,"unknown":1}`),
	} {
		a := send(t, s, r)
		if a.Status != 200 || a.Body["grant_type"] != "a b" || a.Body["client_id"] != "c&d" || a.Body["scope"] != "" || a.Body["times"] != 3.0 {
			t.Errorf("%s: %d %s", what, a.Status, a.Text)
		}
	}
	a := send(t, s, form("/v1/plain", "grant_type=a&client_id=b"))
	if a.Status != 400 || a.Type != "bad_request" || !strings.Contains(a.Message, "JSON, not a form") {
		t.Errorf("a form where none is taken: %d %s", a.Status, a.Text)
	}
}

// TestParameterPollution is security case 28: of a parameter that is there
// twice nobody can say which one counts.
func TestParameterPollution(t *testing.T) {
	s := grantServer()
	for _, r := range []*http.Request{
		form("/v1/token", "grant_type=a&client_id=b&client_id=c"),
		form("/v1/token", "grant_type=a&client_id=b&client_id=b"),
		form("/v1/token", "grant_type=a&client_id=b&client_id="),
		form("/v1/token", "grant_type=a&client_id=b&redirect=1&redirect=2"),
		request("POST", "/v1/token", `{"grant_type":"a","client_id":"b","client_id":"c"}`),
	} {
		if a := send(t, s, r); a.Status != 400 || a.Body["error"] != "invalid_request" || !strings.Contains(a.Text, "more than once") && !strings.Contains(a.Text, "twice") {
			t.Errorf("%d %s", a.Status, a.Text)
		}
	}
	// What stands in the address is no part of the form, and sets nothing.
	if a := send(t, s, form("/v1/token?client_id=evil&scope=all", "grant_type=a&client_id=b")); a.Body["client_id"] != "b" || a.Body["scope"] != "" {
		t.Errorf("the query was read: %s", a.Text)
	}
}

func TestFormsThatAreNotSound(t *testing.T) {
	s := grantServer()
	for body, want := range map[string]string{
		"":                                       "'grant_type', 'client_id'",
		"scope=x":                                "'grant_type', 'client_id'",
		"grant_type=a":                           "'client_id'",
		"grant_type=&client_id=b":                "'grant_type'",
		"grant_type=%zz&client_id=b":             "escapes",
		"grant_type=a;client_id=b":               "escapes",
		"grant_type=%FF&client_id=b":             "'grant_type'",
		"grant_type=%00&client_id=b":             "'grant_type'",
		"grant_type=a&client_id=b&times=many":    "an integer",
		strings.Repeat("x", wire.MaxBody+1):      "too large",
		"{\"grant_type\":\"a\",\"client_id\":1}": "required",
	} {
		a := send(t, s, form("/v1/token", body))
		if a.Status != 400 || a.Body["error"] != "invalid_request" || !strings.Contains(a.Text, want) {
			t.Errorf("%.60q: %d %s", body, a.Status, a.Text)
		}
	}
}

func TestOAuthErrors(t *testing.T) {
	s := grantServer()
	a := send(t, s, form("/v1/token", "grant_type=a&client_id=stranger"))
	if a.Status != 401 || a.Body["error"] != "invalid_client" || a.Body["error_description"] != "Say 'who' you are, ? Zo?." ||
		a.Body["status_code"] != 401.0 || a.Body["request_id"] != a.Header.Get("X-Request-Id") || a.Body["error_uri"] == "" || len(a.Body) != 5 {
		t.Errorf("%d %s", a.Status, a.Text)
	}
	if a.Header.Get("WWW-Authenticate") != "" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", a.Header)
	}
	r := form("/v1/token", "grant_type=a&client_id=stranger")
	r.Header.Set("Authorization", "Bearer x")
	if a := send(t, s, r); a.Status != 401 || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("no challenge: %v", a.Header)
	}
	if a := send(t, s, form("/v1/token", "grant_type=a&client_id=busy")); a.Status != 429 || a.Header.Get("Retry-After") != "3" || a.Body["error"] != "too_many_requests" {
		t.Errorf("%d %s", a.Status, a.Text)
	}
	if a := send(t, s, form("/v1/token", "grant_type=a&client_id=accident")); a.Status != 500 || a.Body["error"] != "server_error" || strings.Contains(a.Text, "fire") {
		t.Errorf("%d %s", a.Status, a.Text)
	}
	if a := send(t, s, request("POST", "/v1/plain", `{"grant_type":"a","client_id":"stranger"}`)); a.Type != "invalid_client" || a.Body["error"] != nil {
		t.Errorf("another endpoint: %d %s", a.Status, a.Text)
	}
}

// The credentials of the header are what the header says, never what a body says.
func TestBasicComesFromTheHeaderAlone(t *testing.T) {
	s := grantServer()
	r := request("POST", "/v1/token", `{"grant_type":"a","client_id":"b","Basic":{"Sent":true,"User":"evil","Sound":true},"User":"evil"}`)
	if a := send(t, s, r); a.Body["sent"] != false || a.Body["user"] != "" {
		t.Errorf("the body spoke for the header: %s", a.Text)
	}
	r = form("/v1/token", "grant_type=a&client_id=b&Basic=evil&User=evil")
	r.SetBasicAuth("client", "secret")
	if a := send(t, s, r); a.Body["sent"] != true || a.Body["sound"] != true || a.Body["user"] != "client" {
		t.Errorf("the header was not read: %s", a.Text)
	}
	r.Header.Set("Authorization", "Basic !")
	if a := send(t, s, form("/v1/token", "grant_type=a&client_id=b")); a.Body["sent"] != false {
		t.Errorf("%s", a.Text)
	}
}

func TestOpenAPIShowsFormsAndOAuthErrors(t *testing.T) {
	s := grantServer()
	text, err := wire.OpenAPI(wire.Info{Title: "x"}, s.Endpoints())
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct {
					Schema struct {
						Properties map[string]any `json:"properties"`
					} `json:"schema"`
				} `json:"content"`
			} `json:"requestBody"`
			Responses map[string]struct {
				Content map[string]struct {
					Schema map[string]any `json:"schema"`
				} `json:"content"`
			} `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	token, plain := doc.Paths["/v1/token"]["post"], doc.Paths["/v1/plain"]["post"]
	asForm := token.RequestBody.Content["application/x-www-form-urlencoded"].Schema.Properties
	if len(asForm) != 4 || asForm["client_id"] == nil || len(token.RequestBody.Content) != 2 || len(plain.RequestBody.Content) != 1 {
		t.Errorf("bodies: %v and %v", token.RequestBody, plain.RequestBody)
	}
	if ref := token.Responses["default"].Content["application/json"].Schema["$ref"]; ref != "#/components/schemas/OAuthError" || doc.Components.Schemas["OAuthError"] == nil {
		t.Errorf("errors are described by %v", ref)
	}
	if ref := plain.Responses["default"].Content["application/json"].Schema["$ref"]; ref != "#/components/schemas/Error" {
		t.Errorf("errors of another endpoint are described by %v", ref)
	}
}

// FuzzForm: whatever the form, the answer is a success with what it says, or a
// clean refusal.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{"", "grant_type=a&client_id=b", "grant_type=a&grant_type=b", "a=%zz", "a;b", "grant_type=%00&client_id=%FF", "&&&=", "times=1e9&client_id=+", strings.Repeat("a&", 1000)} {
		f.Add(seed)
	}
	s := grantServer()
	f.Fuzz(func(t *testing.T, body string) {
		a := send(t, s, form("/v1/token", body))
		values, err := url.ParseQuery(body)
		switch {
		case a.Status == 200:
			if err != nil || values.Get("grant_type") != a.Body["grant_type"] || values.Get("client_id") != a.Body["client_id"] || len(values["client_id"]) != 1 {
				t.Errorf("%q was read as %s", body, a.Text)
			}
		case a.Status == 400:
			description, _ := a.Body["error_description"].(string)
			if a.Body["error"] != "invalid_request" || description == "" || !utf8.ValidString(description) || strings.ContainsAny(description, "\"\\\n") {
				t.Errorf("%q: %s", body, a.Text)
			}
		case a.Status == 401 || a.Status == 429 || a.Status == 500: // what grant says to some
		default:
			t.Errorf("%q: %d %s", body, a.Status, a.Text)
		}
	})
}
