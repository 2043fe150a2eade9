package wire_test

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/wire"
)

func TestAResponseWithoutMetaDoesNotCompile(t *testing.T) {
	out, err := exec.Command("go", "build", "./testdata/nometa").CombinedOutput()
	if err == nil {
		t.Fatal("it compiled")
	}
	if !strings.Contains(string(out), "meta") {
		t.Fatalf("it failed for another reason: %s", out)
	}
}

type idRequest struct {
	ID string `path:"id"`
}

type idResponse struct {
	wire.Meta
	ID string `json:"id"`
}

func echoID(_ context.Context, req *idRequest) (*idResponse, error) {
	return &idResponse{ID: req.ID}, nil
}

type (
	bodyOnGet  struct{ Name string }
	wrongParam struct {
		Name string `path:"name"`
	}
	twiceNamed struct {
		A string `json:"B"`
		B string
	}
	pointerInside struct{ *greetRequest }
	textOption    struct {
		N int `json:"n,string"`
	}
	otherDoor struct {
		N int `json:"n" door:"sever"`
	}
	hiddenInMap struct {
		N map[string]specName `json:"n"`
	}
	ownJSON     struct{ N int }
	doorOnEmbed struct {
		serverFields `door:"server"`
	}
	doorOnPath struct {
		ID string `path:"id" door:"server"`
	}
	hiddenInOwn struct {
		N selfRead `json:"n"`
	}
	selfRead struct {
		N int `json:"n" door:"server"`
	}
)

func (*ownJSON) UnmarshalJSON([]byte) error  { return nil }
func (*selfRead) UnmarshalJSON([]byte) error { return nil }

type ownAnswer struct{ wire.Meta }

func (ownAnswer) MarshalJSON() ([]byte, error) { return nil, nil }

func taking[Req any](context.Context, *Req) (*idResponse, error) { return &idResponse{}, nil }

func TestMountRefusesWrongDeclarations(t *testing.T) {
	var none func(context.Context, *idRequest) (*idResponse, error)
	own := func(context.Context, *struct{}) (*ownAnswer, error) { return nil, nil }
	for name, c := range map[string]struct {
		endpoints []wire.Endpoint
		says      string
	}{
		"no auth kind":                     {[]wire.Endpoint{wire.GET("/v1/x/{id}", 0, echoID)}, "who may call"},
		"unknown auth kind":                {[]wire.Endpoint{wire.GET("/v1/x/{id}", 9, echoID)}, "who may call"},
		"raw without auth kind":            {[]wire.Endpoint{wire.Raw("GET", "/x", 0, http.NotFoundHandler())}, "who may call"},
		"no handler":                       {[]wire.Endpoint{wire.GET("/v1/x/{id}", wire.Open, none)}, "no handler"},
		"raw without handler":              {[]wire.Endpoint{wire.Raw("GET", "/x", wire.Open, nil)}, "no handler"},
		"twice":                            {[]wire.Endpoint{wire.GET("/v1/x/{id}", wire.Open, echoID), wire.GET("/v1/x/{id}", wire.Secret, echoID)}, "twice"},
		"twice by another name":            {[]wire.Endpoint{wire.GET("/v1/x/{id}", wire.Open, echoID), wire.Raw("GET", "/v1/x/{name}", wire.Open, http.NotFoundHandler())}, "twice"},
		"needs on secret":                  {[]wire.Endpoint{wire.GET("/v1/x/{id}", wire.Secret, echoID, wire.Needs("x"))}, "product switch"},
		"needs on open":                    {[]wire.Endpoint{wire.GET("/v1/x/{id}", wire.Open, echoID, wire.Needs("x"))}, "product switch"},
		"public elsewhere":                 {[]wire.Endpoint{wire.GET("/v1/x/{id}", wire.Public, echoID)}, "live under /sdk/v1"},
		"secret behind the browser's door": {[]wire.Endpoint{wire.GET("/sdk/v1/x/{id}", wire.Secret, echoID)}, "live under /sdk/v1"},
		"body on GET":                      {[]wire.Endpoint{wire.GET("/v1/x", wire.Open, taking[bodyOnGet])}, "from the body"},
		"unbound parameter":                {[]wire.Endpoint{wire.GET("/v1/x/{id}", wire.Open, taking[struct{}])}, "path parameters"},
		"other parameter":                  {[]wire.Endpoint{wire.GET("/v1/x/{id}", wire.Open, taking[wrongParam])}, "path parameters"},
		"one name twice":                   {[]wire.Endpoint{wire.POST("/v1/x", wire.Open, taking[twiceNamed])}, "two fields"},
		"embedded pointer":                 {[]wire.Endpoint{wire.POST("/v1/x", wire.Open, taking[pointerInside])}, "embeds a pointer"},
		"json string option":               {[]wire.Endpoint{wire.POST("/v1/x", wire.Open, taking[textOption])}, "not supported"},
		"misspelt door":                    {[]wire.Endpoint{wire.POST("/v1/x", wire.Open, taking[otherDoor])}, "means nothing"},
		"door out of reach":                {[]wire.Endpoint{wire.POST("/v1/x", wire.Open, taking[hiddenInMap])}, "servers only"},
		"door on an embedded":              {[]wire.Endpoint{wire.POST("/v1/x", wire.Open, taking[doorOnEmbed])}, "tag the fields inside"},
		"door on a path":                   {[]wire.Endpoint{wire.POST("/sdk/v1/x/{id}", wire.Public, taking[doorOnPath])}, "cannot be for servers only"},
		"door never seen":                  {[]wire.Endpoint{wire.POST("/v1/x", wire.Open, taking[hiddenInOwn])}, "servers only"},
		"request reads itself":             {[]wire.Endpoint{wire.POST("/v1/x", wire.Open, taking[ownJSON])}, "reads itself"},
		"answer writes itself":             {[]wire.Endpoint{wire.GET("/v1/x", wire.Open, own)}, "writes itself"},
		"not a struct":                     {[]wire.Endpoint{wire.POST("/v1/x", wire.Open, taking[string])}, "not a struct"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, c.says) {
					t.Errorf("panicked with %q, want something about %q", got, c.says)
				}
			}()
			serverOf(c.endpoints...)
		})
	}
	t.Run("no gate", func(t *testing.T) {
		defer func() {
			if got := fmt.Sprint(recover()); !strings.Contains(got, "no gate") {
				t.Errorf("panicked with %q", got)
			}
		}()
		wire.NewServer(wire.Config{Now: now}, wire.GET("/v1/x/{id}", wire.Secret, echoID))
	})
}

func TestRoutesAndMethods(t *testing.T) {
	s := serverOf(
		wire.GET("/v1/users/{id}", wire.Secret, echoID),
		wire.DELETE("/v1/users/{id}", wire.Secret, echoID),
		wire.POST("/v1/users/search", wire.Secret, taking[struct{}]),
		wire.GET("/sdk/v1/users/{id}", wire.Public, echoID),
		wire.Raw("GET", "/page", wire.Open, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })),
	)
	for _, c := range []struct {
		method, path string
		status       int
		typ, allow   string
	}{
		{"GET", "/v1/users/u", 200, "", ""},
		{"HEAD", "/v1/users/u", 200, "", ""},
		{"HEAD", "/page", 200, "", ""},
		{"GET", "/v1/users/search", 200, "", ""}, // a user by that name, not the other route
		{"DELETE", "/v1/users/u", 200, "", ""},
		{"PUT", "/v1/users/u", 405, "method_not_allowed", "GET, HEAD, DELETE"},
		{"PUT", "/v1/users/search", 405, "method_not_allowed", "GET, HEAD, POST, DELETE"},
		{"OPTIONS", "/v1/users/u", 405, "method_not_allowed", "GET, HEAD, DELETE"},
		{"PROPFIND", "/v1/users/u", 405, "method_not_allowed", "GET, HEAD, DELETE"},
		{"PROPFIND", "/v1/nothing", 404, "route_not_found", ""},
		{"POST", "/page", 405, "method_not_allowed", "GET, HEAD"},
		{"GET", "/", 404, "route_not_found", ""},
		{"GET", "/v1/users/", 404, "route_not_found", ""},
		{"GET", "/v1/users/u/", 404, "route_not_found", ""},
		{"GET", "/v1//users/u", 404, "route_not_found", ""},
		{"GET", "/v1/%75sers/u", 404, "route_not_found", ""},
		{"GET", "/V1/users/u", 404, "route_not_found", ""},
		{"GET", "/sdk/v1/nothing", 404, "route_not_found", ""},
		{"POST", "/sdk/v1/users/u", 405, "method_not_allowed", "GET, HEAD"},
	} {
		a := send(t, s, request(c.method, c.path, ""))
		if a.Status != c.status || c.method != "HEAD" && a.Type != c.typ || a.Header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %q, Allow %q; want %d %q %q", c.method, c.path, a.Status, a.Type, a.Header.Get("Allow"), c.status, c.typ, c.allow)
		}
		if a.Status >= 400 && (a.Body["status_code"] != float64(a.Status) || a.Body["request_id"] != a.Header.Get("X-Request-Id") ||
			a.Body["error_url"] == "" || a.Message == "" || a.Header.Get("Cache-Control") != "no-store") {
			t.Errorf("%s %s: incomplete envelope %s", c.method, c.path, a.Text)
		}
		if a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s %s: headers %v", c.method, c.path, a.Header)
		}
	}
}

func TestPathValuesAreUnescapedOnce(t *testing.T) {
	raw := ""
	s := serverOf(
		wire.GET("/v1/users/{id}", wire.Secret, echoID),
		wire.Raw("GET", "/raw/{id}", wire.Open, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { raw = r.PathValue("id") })),
	)
	for escaped, want := range map[string]string{
		"user-test-1":      "user-test-1",
		"a%3Ab":            "a:b",
		"a:b":              "a:b",
		"auth0%7C12":       "auth0|12",
		"auth0|12":         "auth0|12",
		"a%2Fb":            "a/b",
		"a%252Fb":          "a%2Fb",
		"%25":              "%",
		"a%20b":            "a b",
		"a+b":              "a+b",
		"%C3%A9":           "é",
		"..%2F..%2Fsecret": "../../secret",
	} {
		if a := send(t, s, request("GET", "/v1/users/"+escaped, "")); a.Status != 200 || a.Body["id"] != want {
			t.Errorf("%s: %d %v, want %q", escaped, a.Status, a.Body["id"], want)
		}
		if a := send(t, s, request("GET", "/raw/"+escaped, "")); a.Status != 200 || raw != want {
			t.Errorf("raw %s: %d %q, want %q", escaped, a.Status, raw, want)
		}
	}
	for _, escaped := range []string{"a%00b", "a%FFb", "%C0%AF"} {
		for _, path := range []string{"/v1/users/", "/raw/"} {
			if a := send(t, s, request("GET", path+escaped, "")); a.Status != 400 || !strings.Contains(a.Message, `"id"`) {
				t.Errorf("%s%s: %d %s", path, escaped, a.Status, a.Text)
			}
		}
	}
}

func TestDescribeAndEndpoints(t *testing.T) {
	s := serverOf(
		wire.POST("/v1/users", wire.Secret, greet, wire.Summary("Make a user")),
		wire.GET("/v1/users/{id}", wire.Secret, echoID),
		wire.POST("/sdk/v1/greet", wire.Public, greet, wire.Needs("webauthn", "webauthn.create")),
		wire.Raw("GET", "/healthz", wire.Open, http.NotFoundHandler()),
	)
	var out strings.Builder
	if err := wire.Describe(&out, s.Endpoints()); err != nil {
		t.Fatal(err)
	}
	const want = `GET     /healthz       open
POST    /sdk/v1/greet  public webauthn webauthn.create
POST    /v1/users      secret
GET     /v1/users/{id} secret
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	list := s.Endpoints()
	if list[0].IsRaw != true || list[2].TakesBody != true || list[3].TakesBody || list[2].Summary != "Make a user" {
		t.Errorf("endpoints: %+v", list)
	}
	list[0].Path = "/changed"
	if slices.ContainsFunc(s.Endpoints(), func(e wire.Endpoint) bool { return e.Path == "/changed" }) {
		t.Error("the list is shared with the server")
	}
}

func TestGateComesFirstAndKnowsTheEndpoint(t *testing.T) {
	errStop := apierr.New(401, "stopped", "Go away.")
	var seen wire.Incoming
	type key struct{}
	gate := func(ctx context.Context, in *wire.Incoming) (context.Context, error) {
		seen = *in
		if in.BasicUser == "" {
			return nil, errStop
		}
		wire.CallFrom(ctx).SetEnv("live")
		return context.WithValue(ctx, key{}, "from the gate"), nil
	}
	served := 0
	serve := func(ctx context.Context, req *greetRequest) (*greetResponse, error) {
		served++
		return &greetResponse{Greeting: ctx.Value(key{}).(string)}, nil
	}
	s := wire.NewServer(wire.Config{Now: now, Gates: map[wire.Auth]wire.Gate{wire.Public: gate}},
		wire.POST("/sdk/v1/greet", wire.Public, serve, wire.Needs("greetings")),
		wire.Raw("GET", "/sdk/v1/raw", wire.Public, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ })))

	// Not even a broken body is looked at before the gate has spoken.
	if a := send(t, s, request("POST", "/sdk/v1/greet", `{"name":`)); a.Status != 401 || a.Type != "stopped" {
		t.Errorf("refused: %d %s", a.Status, a.Text)
	}
	if a := send(t, s, request("GET", "/sdk/v1/raw", "")); a.Status != 401 || served != 0 {
		t.Errorf("raw refused: %d %s, served %d", a.Status, a.Text, served)
	}
	r := request("POST", "/sdk/v1/greet", `{"name":"x"}`)
	r.SetBasicAuth("public-token-live-1", "session")
	r.Header.Set("Origin", "https://app.example.com")
	r.Header.Set("X-SDK-Parent-Host", "https://parent.example.com")
	r.Header.Set("X-SDK-Client", "e30=")
	r.Header.Set("User-Agent", "Browser/1")
	r.AddCookie(&http.Cookie{Name: "stytch_session", Value: "cookie"})
	a := send(t, s, r)
	if a.Status != 200 || a.Data["greeting"] != "from the gate" || !strings.HasPrefix(a.Header.Get("X-Request-Id"), "request-id-live-") ||
		a.Data["request_id"] != a.Header.Get("X-Request-Id") {
		t.Errorf("let in: %d %s %v", a.Status, a.Text, a.Header)
	}
	if !seen.HasBasic || seen.BasicUser != "public-token-live-1" || seen.BasicPassword != "session" || seen.Origin != "https://app.example.com" ||
		seen.ParentHost != "https://parent.example.com" || seen.UserAgent != "Browser/1" || seen.SDKClient != "e30=" || seen.Host != "example.com" ||
		seen.Cookie("stytch_session") != "cookie" || seen.Cookie("other") != "" || seen.IP.String() != "192.0.2.1" ||
		!slices.Equal(seen.Endpoint.Needs, []string{"greetings"}) {
		t.Errorf("incoming: %+v", seen)
	}
}

func TestCallAndCookies(t *testing.T) {
	serve := func(ctx context.Context, req *greetRequest) (*greetResponse, error) {
		call := wire.CallFrom(ctx)
		call.SetEnv("nonsense")
		if call.Method != "POST" || call.Public || call.UserAgent != "cli" || !call.IP.IsValid() || call.Route != "/v1/greet" {
			t.Errorf("call: %+v", call)
		}
		call.SetCookie(wire.Cookie{Name: "a", Value: "1", HTTPOnly: true, Secure: true, Expires: instant.Add(time.Hour)})
		call.SetCookie(wire.Cookie{Name: "b", Value: "2", SameSite: wire.SameSiteNone})
		call.SetCookie(wire.Cookie{Name: "a", Value: "3", Delete: true, Domain: "example.com"})
		call.SetCookie(wire.Cookie{Name: "b", Value: "4", SameSite: wire.SameSiteStrict})
		if req.Name == "rude" {
			return nil, errRude
		}
		return &greetResponse{}, nil
	}
	s := serverOf(wire.POST("/v1/greet", wire.Secret, serve))
	for _, name := range []string{"ada", "rude"} {
		r := request("POST", "/v1/greet", `{"name":"`+name+`"}`)
		r.Header.Set("User-Agent", "cli")
		got := send(t, s, r).Header["Set-Cookie"]
		want := []string{
			"a=1; Path=/; Expires=Fri, 02 Jan 2026 04:04:05 GMT; HttpOnly; Secure; SameSite=Lax",
			"b=4; Path=/; SameSite=Strict",
			"a=; Path=/; Domain=example.com; Max-Age=0; SameSite=Lax",
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: cookies %q", name, got)
		}
	}
	if c := wire.CallFrom(context.Background()); c == nil || c.RequestID != "" {
		t.Errorf("outside of a request: %+v", c)
	}
}
