package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/wire"
)

type stamp time.Time

func (s stamp) MarshalText() ([]byte, error) {
	return []byte(time.Time(s).UTC().Format("2006-01-02T15:04:05.000Z")), nil
}

type custom struct{ N int }

func (c custom) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]int{"custom": c.N}) }

type leaf struct {
	Name  string         `json:"name"`
	Next  *leaf          `json:"next,omitempty"`
	Extra map[string]any `json:"extra"`
}

type base struct {
	Shadowed string `json:"shadowed"`
	Low      string `json:"low"`
}

type variety struct {
	wire.Meta
	base
	Shadowed  int             `json:"shadowed"`
	Text      string          `json:"text"`
	Odd       string          `json:"odd<&>name"`
	Int       int             `json:"int"`
	Small     int8            `json:"small"`
	Big       uint64          `json:"big"`
	Float     float64         `json:"float"`
	Bool      bool            `json:"bool"`
	Time      time.Time       `json:"time"`
	Zoned     time.Time       `json:"zoned"`
	NoTime    time.Time       `json:"no_time,omitzero"`
	MayTime   *time.Time      `json:"may_time"`
	Stamp     stamp           `json:"stamp"`
	MayStamp  *stamp          `json:"may_stamp,omitempty"`
	Custom    custom          `json:"custom"`
	MayCustom *custom         `json:"may_custom"`
	Leaf      leaf            `json:"leaf"`
	MayLeaf   *leaf           `json:"may_leaf"`
	Leaves    []leaf          `json:"leaves"`
	Pointers  []*leaf         `json:"pointers"`
	Strings   []string        `json:"strings"`
	Ints      []int           `json:"ints"`
	Maps      []any           `json:"maps"`
	Bytes     []byte          `json:"bytes"`
	Array     [2]string       `json:"array"`
	Any       any             `json:"any"`
	Raw       json.RawMessage `json:"raw"`
	Document  document        `json:"document"`
	MayDoc    *document       `json:"may_document"`
	Documents []document      `json:"documents"`
	Empty     string          `json:"empty,omitempty"`
	EmptyInt  int             `json:"empty_int,omitempty"`
	EmptyList []string        `json:"empty_list,omitempty"`
	EmptyMap  map[string]int  `json:"empty_map,omitempty"`
	EmptyLeaf leaf            `json:"empty_leaf,omitempty"`
	Zero      leaf            `json:"zero,omitzero"`
	Hidden    string          `json:"-"`
	Plain     string
	private   string
}

func fullVariety(text string) *variety {
	at := time.Date(2026, 1, 2, 3, 4, 5, 60e6, time.UTC)
	st, doc := stamp(at), document(`{"a":1}`)
	return &variety{base: base{"no", text}, Shadowed: 1, Text: text, Odd: text, Int: -5, Small: 7, Big: math.MaxUint64, Float: 0.1, Bool: true,
		Time: at, Zoned: at.In(time.FixedZone("x", 3600)), MayTime: &at, Stamp: st, MayStamp: &st, Custom: custom{1}, MayCustom: &custom{2},
		Leaf: leaf{Name: text, Next: &leaf{Name: "n"}}, MayLeaf: &leaf{Extra: map[string]any{text: text}},
		Leaves: []leaf{{Name: text}, {}}, Pointers: []*leaf{nil, {Name: text}}, Strings: []string{text, ""}, Ints: []int{1, 2}, Maps: []any{nil, text, 1.5},
		Bytes: []byte(text), Array: [2]string{text}, Any: map[string]any{"k": []string{text}}, Raw: json.RawMessage(`[1]`),
		Document: doc, MayDoc: &doc, Documents: []document{doc, doc}, Hidden: text, Plain: text, private: text}
}

// emptyVariety has every list there, because an absent one is [] here.
func emptyVariety() *variety {
	return &variety{Leaves: []leaf{}, Pointers: []*leaf{}, Strings: []string{}, Ints: []int{}, Maps: []any{}, Documents: []document{},
		Document: document("null"), Raw: json.RawMessage("null")}
}

// byLibrary is what encoding/json makes of v.
func byLibrary(t testing.TB, v any) string {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

// difference shows where two texts part.
func difference(got, want string) string {
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	from := max(0, at-40)
	return fmt.Sprintf("at byte %d:\ngot  %.100q\nwant %.100q", at, got[from:], want[from:])
}

func varietyServer(make func() *variety) *wire.Server {
	return serverOf(wire.GET("/v1/x", wire.Secret, func(context.Context, *struct{}) (*variety, error) { return make(), nil }))
}

var texts = []string{"plain", "", `"quoted" \ back`, "line\nbreak\x01\x7f", "<b>&amp;</b>", "é漢😀", "\u2028\u2029", "bad\xff\xc3", strings.Repeat("long ", 1000)}

func TestEncodingIsThatOfTheLibrary(t *testing.T) {
	makers := []func() *variety{emptyVariety}
	for _, text := range texts {
		makers = append(makers, func() *variety { return fullVariety(text) })
	}
	for i, make := range makers {
		a := send(t, varietyServer(make), request("GET", "/v1/x", ""))
		want := make()
		want.RequestID, want.StatusCode = a.Header.Get("X-Request-Id"), 200
		if expected := byLibrary(t, want); a.Status != 200 || a.Text != expected {
			t.Errorf("%d: %d %s", i, a.Status, difference(a.Text, expected))
		}
		if !json.Valid([]byte(a.Text)) {
			t.Errorf("%d: not JSON", i)
		}
	}
}

func FuzzEncodingIsThatOfTheLibrary(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a := send(t, varietyServer(func() *variety { return fullVariety(text) }), request("GET", "/v1/x", ""))
		want := fullVariety(text)
		want.RequestID, want.StatusCode = a.Header.Get("X-Request-Id"), 200
		if expected := byLibrary(t, want); a.Text != expected {
			t.Error(difference(a.Text, expected))
		}
	})
}

func TestAbsentListsAreEmpty(t *testing.T) {
	a := send(t, varietyServer(func() *variety { return &variety{} }), request("GET", "/v1/x", ""))
	for _, name := range []string{"leaves", "pointers", "strings", "ints", "maps", "documents"} {
		if list, ok := a.Body[name].([]any); !ok || len(list) != 0 {
			t.Errorf("%s is %v", name, a.Body[name])
		}
	}
	if a.Body["document"] != nil || a.Body["may_document"] != nil || a.Body["may_leaf"] != nil {
		t.Errorf("absent objects: %s", a.Text)
	}
}

func TestInlinedDocument(t *testing.T) {
	for doc, want := range map[string]string{
		`{"user_id":"u","emails":[]}`: `,"user_id":"u","emails":[]}`,
		`{}`:                          `,"status_code":200}`,
		`[]`:                          "internal_server_error",
		``:                            "internal_server_error",
	} {
		s := serverOf(wire.GET("/v1/x", wire.Secret, func(context.Context, *struct{}) (*specFlat, error) {
			return &specFlat{User: specDocument(doc)}, nil
		}))
		if a := send(t, s, request("GET", "/v1/x", "")); !strings.Contains(a.Text, want) || a.Body["request_id"] == nil {
			t.Errorf("%q: %s", doc, a.Text)
		}
	}
}

func TestAnswerForBrowsers(t *testing.T) {
	s := serverOf(specEndpoints()...)
	a := send(t, s, request("POST", "/sdk/v1/users/u/x", `{"kind":"platform"}`))
	twin, _ := a.Data["__user"].(map[string]any)
	if a.Status != 200 || twin["user_id"] != "u" || a.Data["request_id"] != a.Header.Get("X-Request-Id") || a.Data["status_code"] != 200.0 {
		t.Errorf("browser: %d %s", a.Status, a.Text)
	}
	a = send(t, s, request("POST", "/v1/users/u/x", `{"kind":"platform"}`))
	if _, has := a.Body["__user"]; has || a.Status != 200 {
		t.Errorf("server: %d %s", a.Status, a.Text)
	}
}

func TestAnswerHeaders(t *testing.T) {
	errLater := apierr.New(429, "too_many_requests", "Wait.")
	s := serverOf(
		wire.GET("/v1/x/{id}", wire.Secret, echoID),
		wire.GET("/v1/keys/{id}", wire.Open, func(_ context.Context, req *idRequest) (*idResponse, error) {
			if req.ID == "bad" {
				return nil, errLater.WithRetryAfter(1500 * time.Millisecond).WithDetails(map[string]any{"limit": 3})
			}
			return &idResponse{}, nil
		}, wire.Cache("public, max-age=300")),
		wire.GET("/v1/made/{id}", wire.Secret, func(_ context.Context, req *idRequest) (*idResponse, error) {
			return &idResponse{Meta: wire.Meta{StatusCode: 201, RequestID: "chosen"}}, nil
		}),
	)
	a := send(t, s, request("GET", "/v1/x/1", ""))
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := a.Header.Get("Content-Length"); got == "" || got == "0" {
		t.Errorf("Content-Length %q", got)
	}
	if a := send(t, s, request("GET", "/v1/keys/1", "")); a.Header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("cacheable: %v", a.Header)
	}
	a = send(t, s, request("GET", "/v1/keys/bad", ""))
	details, _ := a.Body["error_details"].(map[string]any)
	if a.Status != 429 || a.Header.Get("Retry-After") != "2" || a.Header.Get("Cache-Control") != "no-store" || details["limit"] != 3.0 {
		t.Errorf("refused: %d %s %v", a.Status, a.Text, a.Header)
	}
	if a := send(t, s, request("GET", "/v1/made/1", "")); a.Status != 201 || a.Body["status_code"] != 201.0 || a.Body["request_id"] == "chosen" {
		t.Errorf("created: %d %s", a.Status, a.Text)
	}
}

func TestAccidentsKeepTheirReasonsToThemselves(t *testing.T) {
	errVague := apierr.New(409, "vague", "Something is off.")
	for name, c := range map[string]struct {
		serve  func() (*variety, error)
		status int
	}{
		"error":             {func() (*variety, error) { return nil, errors.New("pq: password of db-7 is wrong") }, 500},
		"verdict and cause": {func() (*variety, error) { return nil, errVague.Because(errors.New("pq: db-7")) }, 409},
		"panic":             {func() (*variety, error) { panic("db-7 is nil") }, 500},
		"nothing":           {func() (*variety, error) { return nil, nil }, 500},
		"cannot be encoded": {func() (*variety, error) { return &variety{Float: math.NaN(), Text: "db-7"}, nil }, 500},
		"details cannot be": {func() (*variety, error) {
			return nil, errVague.WithDetails(map[string]any{"db-7": math.Inf(1)})
		}, 409},
	} {
		s := serverOf(wire.GET("/v1/x", wire.Secret, func(context.Context, *struct{}) (*variety, error) { return c.serve() }))
		a := send(t, s, request("GET", "/v1/x", ""))
		if a.Status != c.status || strings.Contains(a.Text, "db-7") || a.Body["request_id"] != a.Header.Get("X-Request-Id") || a.Type == "" {
			t.Errorf("%s: %d %s", name, a.Status, a.Text)
		}
		if c.status == 500 && a.Type != "internal_server_error" {
			t.Errorf("%s: %s", name, a.Type)
		}
	}
}

func TestErrorURL(t *testing.T) {
	gone := wire.GET("/v1/x", wire.Secret, func(context.Context, *struct{}) (*variety, error) { return nil, errRude })
	a := send(t, serverOf(gone), request("GET", "/v1/x", ""))
	if a.Body["error_url"] != "https://stytch.com/docs/api/errors/400#rude_name" {
		t.Errorf("default: %v", a.Body["error_url"])
	}
	s := wire.NewServer(wire.Config{Now: now, Gates: map[wire.Auth]wire.Gate{wire.Secret: letIn},
		ErrorURL: func(status int, typ string) string { return "/docs/" + typ }}, gone)
	if a := send(t, s, request("GET", "/v1/x", "")); a.Body["error_url"] != "/docs/rude_name" {
		t.Errorf("own: %v", a.Body["error_url"])
	}
}

func TestRawEndpoints(t *testing.T) {
	s := serverOf(
		wire.Raw("GET", "/page", wire.Open, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<p>hello"))
		}), wire.NoStore()),
		wire.Raw("GET", "/fails", wire.Open, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wire.Fail(w, r, errRude)
		})),
		wire.Raw("GET", "/panics", wire.Open, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") })),
		wire.Raw("GET", "/flush", wire.Open, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("cannot flush: %v", err)
			}
		})),
	)
	if a := send(t, s, request("GET", "/page", "")); a.Text != "<p>hello" || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Request-Id") == "" {
		t.Errorf("page: %s %v", a.Text, a.Header)
	}
	if a := send(t, s, request("GET", "/fails", "")); a.Status != 400 || a.Type != "rude_name" {
		t.Errorf("fails: %d %s", a.Status, a.Text)
	}
	if a := send(t, s, request("GET", "/panics", "")); a.Status != 500 || a.Type != "internal_server_error" {
		t.Errorf("panics: %d %s", a.Status, a.Text)
	}
	send(t, s, request("GET", "/flush", ""))
}
