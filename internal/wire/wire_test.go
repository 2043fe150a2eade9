package wire_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/wire"
)

var instant = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func now() time.Time { return instant }

// letIn is a gate that lets everybody in.
func letIn(ctx context.Context, _ *wire.Incoming) (context.Context, error) { return ctx, nil }

func serverOf(endpoints ...wire.Endpoint) *wire.Server {
	return wire.NewServer(wire.Config{Now: now, Gates: map[wire.Auth]wire.Gate{wire.Secret: letIn, wire.Public: letIn}}, endpoints...)
}

type answer struct {
	Status  int
	Header  http.Header
	Text    string
	Body    map[string]any // the whole JSON object
	Data    map[string]any // its "data", where it has one
	Message string
	Type    string
}

func send(t testing.TB, h http.Handler, r *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := answer{Status: w.Code, Header: w.Result().Header, Text: w.Body.String()}
	if strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(w.Body.Bytes(), &a.Body); err != nil {
			t.Fatalf("%s %s answered something that is not JSON: %q", r.Method, r.URL, a.Text)
		}
		a.Data, _ = a.Body["data"].(map[string]any)
		a.Message, _ = a.Body["error_message"].(string)
		a.Type, _ = a.Body["error_type"].(string)
	}
	return a
}

func request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	return r
}

type greetRequest struct {
	Name  string `json:"name" required:"true"`
	Times int    `json:"times"`
}

type greetResponse struct {
	wire.Meta
	Greeting string `json:"greeting"`
}

var errRude = apierr.New(400, "rude_name", "Choose another name.")

func greet(_ context.Context, req *greetRequest) (*greetResponse, error) {
	if req.Name == "rude" {
		return nil, errRude
	}
	return &greetResponse{Greeting: "hello <" + req.Name + ">"}, nil
}

func TestTypedEndpointAnswersInTheEnvelope(t *testing.T) {
	s := serverOf(wire.POST("/v1/greet", wire.Secret, greet), wire.POST("/sdk/v1/greet", wire.Public, greet))

	a := send(t, s, request("POST", "/v1/greet", `{"name":"ada"}`))
	if a.Status != 200 || a.Body["greeting"] != "hello <ada>" || a.Body["status_code"] != 200.0 {
		t.Errorf("answer: %d %s", a.Status, a.Text)
	}
	if id := a.Header.Get("X-Request-Id"); id == "" || id != a.Body["request_id"] || !strings.HasPrefix(id, "request-id-test-") {
		t.Errorf("request id %q, body %v", id, a.Body["request_id"])
	}

	a = send(t, s, request("POST", "/sdk/v1/greet", `{"name":"ada"}`))
	if a.Status != 200 || a.Data["greeting"] != "hello <ada>" || a.Data["status_code"] != 200.0 || len(a.Body) != 1 {
		t.Errorf("browser's answer: %d %s", a.Status, a.Text)
	}

	a = send(t, s, request("POST", "/sdk/v1/greet", `{"name":"rude"}`))
	if a.Status != 400 || a.Type != "rude_name" || a.Body["error_url"] == "" || a.Data != nil {
		t.Errorf("browser's error: %d %s", a.Status, a.Text)
	}
	if a := send(t, s, request("GET", "/v1/nothing", "")); a.Status != 404 || a.Type != "route_not_found" {
		t.Errorf("unknown path: %d %s", a.Status, a.Text)
	}
	if a := send(t, s, request("GET", "/v1/greet", "")); a.Status != 405 || a.Type != "method_not_allowed" || a.Header.Get("Allow") != "POST" {
		t.Errorf("wrong method: %d %s %q", a.Status, a.Text, a.Header.Get("Allow"))
	}
	if a := send(t, s, request("POST", "/v1/greet", `{"times":"x"}`)); a.Status != 400 || !strings.Contains(a.Message, `"times"`) {
		t.Errorf("wrong type: %d %s", a.Status, a.Text)
	}
}
