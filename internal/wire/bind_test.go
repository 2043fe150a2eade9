package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/wire"
)

// optional tells null from absent.
type optional struct{ Set, Null bool }

func (o *optional) UnmarshalJSON(b []byte) error {
	o.Set, o.Null = true, string(b) == "null"
	if string(b) == `"bad"` {
		return errors.New("bad is not good")
	}
	if string(b) == `"rude"` {
		return errRude
	}
	return nil
}

type colour string

func (c *colour) UnmarshalText(b []byte) error {
	*c = colour(b)
	if len(b) > 5 {
		return errors.New("no such colour")
	}
	return nil
}

type part struct {
	Name   string `json:"name" required:"true"`
	Weight *int8  `json:"weight"`
	Hidden string `json:"hidden" door:"server"`
	Inner  *part  `json:"inner"`
}

type serverFields struct {
	UserID string         `json:"user_id" door:"server"`
	Claims map[string]any `json:"claims" door:"server"`
	Note   string         `json:"note"`
}

type everything struct {
	serverFields
	Text    string            `json:"text"`
	Flag    bool              `json:"flag"`
	MayFlag *bool             `json:"may_flag"`
	Number  int               `json:"number"`
	Small   int8              `json:"small"`
	Count   uint              `json:"count"`
	Ratio   float64           `json:"ratio"`
	When    time.Time         `json:"when"`
	Maybe   optional          `json:"maybe"`
	Colour  colour            `json:"colour"`
	Bytes   []byte            `json:"bytes"`
	List    []string          `json:"list"`
	Parts   []part            `json:"parts"`
	Part    part              `json:"part"`
	MayPart *part             `json:"may_part"`
	Words   map[string]string `json:"words"`
	Free    map[string]any    `json:"free"`
	Any     any               `json:"any"`
	Raw     json.RawMessage   `json:"raw"`
	Skipped string            `json:"-"`
	Plain   string
	//lint:ignore U1000 there to show that nothing binds to what is not exported
	secret string
}

// binder serves everything at both doors and keeps what was bound.
func binder() (*wire.Server, func() *everything) {
	var got *everything
	serve := func(_ context.Context, req *everything) (*idResponse, error) {
		got = req
		return &idResponse{}, nil
	}
	s := serverOf(wire.POST("/v1/bind", wire.Secret, serve), wire.POST("/sdk/v1/bind", wire.Public, serve))
	return s, func() *everything { g := got; got = nil; return g }
}

func TestBindReadsEveryKind(t *testing.T) {
	s, got := binder()
	body := `{"user_id":"u","claims":{"a":1},"note":"n","text":"h\u00e9\n\"x\"\ud83d\ude00","flag":true,"may_flag":false,"number":-7,"small":6e1,"count":3,"ratio":1.5,
	 "when":"2026-01-02T03:04:05.5Z","maybe":null,"colour":"red","bytes":"aGk=","list":["a","b"],
	 "parts":[{"name":"p","weight":3},{"name":"q","inner":{"name":"r"}}],"part":{"name":"s","hidden":"h"},"may_part":{"name":"t"},
	 "words":{"k":"v"},"free":{"deep":[1,{"x":null}]},"any":[true],"raw":{"a": 1},
	 "Skipped":"no","-":"no","Plain":"yes","secret":"no","unknown":{"a":[{"b":"]}\\\""}]},"":0}`
	if a := send(t, s, request("POST", "/v1/bind", body)); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Text)
	}
	no, three := false, int8(3)
	want := &everything{serverFields: serverFields{"u", map[string]any{"a": 1.0}, "n"}, Text: "hé\n\"x\"😀", Flag: true, MayFlag: &no, Number: -7, Small: 60, Count: 3, Ratio: 1.5,
		When: time.Date(2026, 1, 2, 3, 4, 5, 5e8, time.UTC), Maybe: optional{true, true}, Colour: "red", Bytes: []byte("hi"), List: []string{"a", "b"},
		Parts: []part{{Name: "p", Weight: &three}, {Name: "q", Inner: &part{Name: "r"}}}, Part: part{Name: "s", Hidden: "h"}, MayPart: &part{Name: "t"},
		Words: map[string]string{"k": "v"}, Free: map[string]any{"deep": []any{1.0, map[string]any{"x": nil}}}, Any: []any{true}, Raw: json.RawMessage(`{"a": 1}`), Plain: "yes"}
	if g := got(); !reflect.DeepEqual(g, want) {
		t.Errorf("got  %+v\nwant %+v", g, want)
	}
	for _, empty := range []string{"", "  \n", "{}", `{"text":null,"flag":null,"may_flag":null,"number":null,"when":null,"bytes":null,"list":null,"parts":null,"part":null,"may_part":null,"words":null,"free":null,"any":null}`} {
		if a := send(t, s, request("POST", "/v1/bind", empty)); a.Status != 200 || !reflect.DeepEqual(got(), &everything{}) {
			t.Errorf("%q: %d %s", empty, a.Status, a.Text)
		}
	}
}

func TestBindNamesWhatIsWrong(t *testing.T) {
	s, _ := binder()
	deep := strings.Repeat("[", 63) + strings.Repeat("]", 63)
	for body, says := range map[string]string{
		`{"text":1}`:                           `The field "text" must be a string, but it is a number.`,
		`{"flag":"true"}`:                      `The field "flag" must be true or false, but it is a string.`,
		`{"may_flag":1}`:                       `The field "may_flag" must be true or false, but it is a number.`,
		`{"number":"5"}`:                       `The field "number" must be an integer, but it is a string.`,
		`{"number":1.5}`:                       `The field "number" must be a whole number.`,
		`{"number":1e300}`:                     `The field "number" must be a whole number.`,
		`{"small":300}`:                        `The field "small" is out of range.`,
		`{"count":-1}`:                         `The field "count" must be an integer, but it is a number.`,
		`{"ratio":{}}`:                         `The field "ratio" must be a number, but it is an object.`,
		`{"when":"today"}`:                     `The field "when" must be a date and time like 2026-01-02T03:04:05Z (RFC 3339).`,
		`{"maybe":"bad"}`:                      `The field "maybe" is not valid: bad is not good.`,
		`{"colour":"ultramarine"}`:             `The field "colour" is not valid: no such colour.`,
		`{"bytes":"*"}`:                        `The field "bytes" must be a base64 string, but it is a string.`,
		`{"list":"a"}`:                         `The field "list" must be a list, but it is a string.`,
		`{"list":["a",2]}`:                     `The field "list[1]" must be a string, but it is a number.`,
		`{"list":[null]}`:                      `The field "list[0]" must be a string, but it is null.`,
		`{"parts":[{"name":"a"},{"name":[]}]}`: `The field "parts[1].name" must be a string, but it is a list.`,
		`{"parts":[[]]}`:                       `The field "parts[0]" must be an object, but it is a list.`,
		`{"part":[]}`:                          `The field "part" must be an object, but it is a list.`,
		`{"part":{"name":"a","inner":{"name":"b","weight":"x"}}}`: `The field "part.inner.weight" must be an integer, but it is a string.`,
		`{"part":{}}`:                         `The field "part.name" is required.`,
		`{"part":{"name":null},"parts":[{}]}`: `The fields "part.name", "parts[0].name" are required.`,
		`{"words":{"k":1}}`:                   `A value inside the field "words" must be a string, but it is a number.`,
		`{"words":[]}`:                        `The field "words" must be an object, but it is a list.`,
		`{"free":"x"}`:                        `The field "free" must be an object, but it is a string.`,
		`{"text":"a","text":"b"}`:             `The field "text" appears twice.`,
		`{"text":"a","te\u0078t":"b"}`:        `The field "text" appears twice.`,
		`{"part":{"name":"a","name":"b"}}`:    `The field "part.name" appears twice.`,
		`[]`:                                  `The request body must be a JSON object, but it is a list.`,
		`null`:                                `The request body must be a JSON object, but it is null.`,
		`"text"`:                              `The request body must be a JSON object, but it is a string.`,
		`7`:                                   `The request body must be a JSON object, but it is a number.`,
		`{"text":"a"} x`:                      `The request body is not valid JSON: invalid character 'x' after top-level value, at line 1, column 14.`,
		`{}{}`:                                `The request body is not valid JSON: invalid character '{' after top-level value, at line 1, column 3.`,
		`{"text":`:                            `The request body is not valid JSON: unexpected end of JSON input, at line 1, column 8.`,
		"{\n \"text\":'a'}":                   `The request body is not valid JSON: invalid character '\'' looking for beginning of value, at line 2, column 9.`,
		"{\"text\":\"a\xff\"}":                `The request body is not valid UTF-8 at line 1, column 11.`,
		"{\"unknown\":\"\xc3\"}":              `The request body is not valid UTF-8 at line 1, column 13.`,
		`{"free":{"x":` + deep + `}}`:         `The request body is nested more than 64 levels deep at line 1, column 76.`,
		strings.Repeat("[", 100000):           `The request body is nested more than 64 levels deep at line 1, column 65.`,
		`{"text":"a\u0000b"}`:                 `The request body contains the character U+0000, which is not accepted, at line 1, column 11.`,
		`{"free":{"\u0000":1}}`:               `The request body contains the character U+0000, which is not accepted, at line 1, column 11.`,
	} {
		if len(body) > 200 && body[0] == '[' {
			body = body[:200]
		}
		a := send(t, s, request("POST", "/v1/bind", body))
		if a.Status != 400 || a.Type != "bad_request" || a.Message != says {
			t.Errorf("%.60s\n got %d %s %q\nwant %q", body, a.Status, a.Type, a.Message, says)
		}
	}
	if a := send(t, s, request("POST", "/v1/bind", `{"maybe":"rude"}`)); a.Type != "rude_name" {
		t.Errorf("a field's own verdict was lost: %s", a.Text)
	}
	for _, fine := range []string{`{"text":"\\u0000"}`, `{"free":{"x":` + deep[1:len(deep)-1] + `}}`, `{"unknown":1,"unknown":2}`, `{"number":60.0}`} {
		if a := send(t, s, request("POST", "/v1/bind", fine)); a.Status != 200 {
			t.Errorf("%.60s: %d %s", fine, a.Status, a.Text)
		}
	}
}

// Security cases 21 and 22: what only a server may say is not heard from a
// browser, however it is spelt or wrapped.
func TestMassAssignmentBehindTheBrowsersDoor(t *testing.T) {
	s, got := binder()
	for _, body := range []string{
		`{"user_id":"victim","claims":{"admin":true},"text":"t"}`,
		`{"text":"t","USER_ID":"victim","Claims":{"admin":true},"userId":"victim","UserID":"victim"}`,
		`{"text":"t","user_id":"a","user_id":"victim"}`,
		`{"text":"t","user\u005fid":"victim","\u0075ser_id":"victim"}`,
		`{"text":"t","user_id":{"wrong":"type"},"claims":7}`,
		`{"text":"t","serverFields":{"user_id":"victim"},"ServerFields":{"UserID":"victim"}}`,
	} {
		a := send(t, s, request("POST", "/sdk/v1/bind", body))
		g := got()
		if a.Status != 200 || g == nil || g.UserID != "" || g.Claims != nil || g.Text != "t" {
			t.Errorf("%s: %d %s %+v", body, a.Status, a.Text, g)
		}
	}
	nested := `{"part":{"name":"a","hidden":"x","inner":{"name":"b","hidden":"x"}},"may_part":{"name":"c","hidden":"x"},"parts":[{"name":"d","hidden":"x","Hidden":"x"}]}`
	if a := send(t, s, request("POST", "/sdk/v1/bind", nested)); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Text)
	}
	if g := got(); g.Part.Hidden+g.Part.Inner.Hidden+g.MayPart.Hidden+g.Parts[0].Hidden != "" || g.Parts[0].Name != "d" {
		t.Errorf("nested: %+v", g)
	}
	send(t, s, request("POST", "/v1/bind", nested))
	if g := got(); g.Part.Hidden+g.Part.Inner.Hidden+g.MayPart.Hidden+g.Parts[0].Hidden != "xxxx" {
		t.Errorf("a server's word was lost: %+v", g)
	}
	// The names are exact at the server's door too.
	send(t, s, request("POST", "/v1/bind", `{"USER_ID":"u","Text":"t","TEXT":"t"}`))
	if g := got(); g.UserID != "" || g.Text != "" {
		t.Errorf("names in another case were bound: %+v", g)
	}
}

func TestRequiredFieldsAreNamedAllAtOnce(t *testing.T) {
	type ask struct {
		Cursor string `query:"cursor" required:"true"`
		UserID string `json:"user_id" required:"true"`
		Token  string `json:"token" required:"true" door:"server"`
		Code   string `json:"code" required:"true"`
	}
	s := serverOf(wire.POST("/v1/ask", wire.Secret, taking[ask]), wire.POST("/sdk/v1/ask", wire.Public, taking[ask]))
	for _, c := range []struct{ path, body, says string }{
		{"/v1/ask", ``, `The fields "cursor", "user_id", "token", "code" are required.`},
		{"/v1/ask?cursor=", `{"code":null,"token":"t"}`, `The fields "cursor", "user_id", "code" are required.`},
		{"/v1/ask?cursor=c", `{"user_id":"","token":"t"}`, `The field "code" is required.`},
		{"/sdk/v1/ask?cursor=c", `{"user_id":"u"}`, `The field "code" is required.`},
	} {
		if a := send(t, s, request("POST", c.path, c.body)); a.Status != 400 || a.Message != c.says {
			t.Errorf("%s %s: %d %q, want %q", c.path, c.body, a.Status, a.Message, c.says)
		}
	}
	if a := send(t, s, request("POST", "/sdk/v1/ask?cursor=c", `{"user_id":"u","code":"1"}`)); a.Status != 200 {
		t.Errorf("complete: %d %s", a.Status, a.Text)
	}
}

type checked struct {
	N int `json:"n"`
}

func (c *checked) Validate() error {
	switch c.N {
	case 1:
		return errRude
	case 2:
		return errors.New("an accident")
	}
	return nil
}

func TestValidateIsAsked(t *testing.T) {
	s := serverOf(wire.POST("/v1/x", wire.Secret, taking[checked]))
	for n, want := range map[int]string{0: "", 1: "rude_name", 2: "internal_server_error"} {
		if a := send(t, s, request("POST", "/v1/x", fmt.Sprintf(`{"n":%d}`, n))); a.Type != want {
			t.Errorf("%d: %s", n, a.Text)
		}
	}
}

type asked struct {
	UserID string   `query:"user_id"`
	Limit  *int     `query:"limit"`
	Full   bool     `query:"full"`
	Status []string `query:"status"`
	Colour colour   `query:"colour"`
	Hidden string   `query:"hidden" door:"server"`
}

func TestQueryParameters(t *testing.T) {
	var got *asked
	serve := func(_ context.Context, req *asked) (*idResponse, error) { got = req; return &idResponse{}, nil }
	s := serverOf(wire.GET("/v1/ask", wire.Secret, serve), wire.GET("/sdk/v1/ask", wire.Public, serve))
	ten := 10
	for query, want := range map[string]asked{
		"":                                     {},
		"user_id=auth0%7C1&limit=10":           {UserID: "auth0|1", Limit: &ten},
		"full=true&limit=&unknown=1&unknown=2": {Full: true},
		"status=a&status=b&colour=red":         {Status: []string{"a", "b"}, Colour: "red"},
		"user_id=a+b%2Bc":                      {UserID: "a b+c"},
		"hidden=h":                             {Hidden: "h"},
	} {
		if a := send(t, s, request("GET", "/v1/ask?"+query, "")); a.Status != 200 || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %d %s %+v", query, a.Status, a.Text, got)
		}
	}
	if send(t, s, request("GET", "/sdk/v1/ask?hidden=h", "")); got.Hidden != "" {
		t.Error("a browser set a field for servers")
	}
	// Security case 28: two readers of a repeated parameter may believe two things.
	for query, says := range map[string]string{
		"user_id=a&user_id=b": `The query parameter "user_id" appears more than once.`,
		"user_id=a&user_id=":  `The query parameter "user_id" appears more than once.`,
		"limit=ten":           `The query parameter "limit" must be an integer.`,
		"limit=1.0":           `The query parameter "limit" must be an integer.`,
		"full=yes":            `The query parameter "full" must be true or false.`,
		"colour=ultramarine":  `The query parameter "colour" must be valid.`,
		"user_id=%FF":         `The query parameter "user_id" must be a string.`,
		"user_id=a%00":        `The query parameter "user_id" must be a string.`,
		"user_id=%zz":         `The query string is not valid: check its escapes and separators.`,
		"user_id=a;limit=1":   `The query string is not valid: check its escapes and separators.`,
	} {
		r := request("GET", "/v1/ask", "")
		r.URL.RawQuery = query
		if a := send(t, s, r); a.Status != 400 || a.Message != says {
			t.Errorf("%s: %d %q, want %q", query, a.Status, a.Message, says)
		}
	}
}

// endless is a body that never ends, and counts how much of it was read.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	e.read += len(b)
	return len(b), nil
}

// Security case 55: size is bounded before anything is parsed.
func TestBodySize(t *testing.T) {
	s, got := binder()
	fits := `{"text":"` + strings.Repeat("x", wire.MaxBody-len(`{"text":""}`)) + `"}`
	if a := send(t, s, request("POST", "/v1/bind", fits)); a.Status != 200 || len(got().Text) != wire.MaxBody-11 {
		t.Errorf("1 MB: %d", a.Status)
	}
	tooMuch := func(name string, r *http.Request) {
		a := send(t, s, r)
		if a.Status != 400 || a.Type != "bad_request" || !strings.Contains(a.Message, "1 MB (1048576 bytes)") {
			t.Errorf("%s: %d %s", name, a.Status, a.Text)
		}
	}
	tooMuch("one byte more", request("POST", "/v1/bind", fits+" "))
	flow := &endless{}
	r := request("POST", "/v1/bind", "")
	r.Body, r.ContentLength = io.NopCloser(flow), -1
	tooMuch("endless", r)
	if flow.read > 16<<20 {
		t.Errorf("read %d bytes of an endless body", flow.read)
	}
	flow = &endless{}
	r = request("POST", "/v1/bind", "")
	r.Body, r.ContentLength = io.NopCloser(flow), 1<<40
	r.Header.Set("Expect", "100-continue")
	tooMuch("announced and waiting", r)
	if flow.read > 0 {
		t.Errorf("invited a client to send %d bytes for nothing", flow.read)
	}
}

// broken fails where a connection would.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func TestBodyThatDoesNotArrive(t *testing.T) {
	s, _ := binder()
	for err, want := range map[error]string{
		io.ErrUnexpectedEOF: "bad_request",
		fmt.Errorf("read tcp: %w", os.ErrDeadlineExceeded): "request_timeout",
	} {
		r := request("POST", "/v1/bind", "")
		r.Body, r.ContentLength = io.NopCloser(broken{err}), 10
		if a := send(t, s, r); a.Type != want {
			t.Errorf("%v: %d %s", err, a.Status, a.Text)
		}
	}
}

func TestContentTypes(t *testing.T) {
	s, got := binder()
	const body = `{"text":"t"}`
	for _, contentType := range []string{"", "application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "text/plain;charset=UTF-8", "application/vnd.api+json", "rubbish;;"} {
		r := request("POST", "/v1/bind", body)
		r.Header["Content-Type"] = []string{contentType}
		if a := send(t, s, r); a.Status != 200 || got().Text != "t" {
			t.Errorf("%q: %d %s", contentType, a.Status, a.Text)
		}
	}
	for _, contentType := range []string{"application/x-www-form-urlencoded", "application/X-WWW-form-urlencoded; charset=x", "multipart/form-data; boundary=x"} {
		r := request("POST", "/v1/bind", body)
		r.Header.Set("Content-Type", contentType)
		if a := send(t, s, r); a.Status != 400 || !strings.Contains(a.Message, "must be JSON, not a form") {
			t.Errorf("%q: %d %s", contentType, a.Status, a.Text)
		}
	}
	r := request("POST", "/v1/bind", "")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a := send(t, s, r); a.Status != 200 {
		t.Errorf("no body at all, announced as a form: %d %s", a.Status, a.Text)
	}
	r = request("POST", "/v1/bind", body)
	r.Header.Set("Content-Encoding", "gzip")
	if a := send(t, s, r); a.Status != 400 || !strings.Contains(a.Message, "Content-Encoding") {
		t.Errorf("gzip: %d %s", a.Status, a.Text)
	}
}
