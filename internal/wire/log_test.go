package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/wire"
)

// witness records everything a server tells operators.
type witness struct {
	mu       sync.Mutex
	log      bytes.Buffer
	seen     []wire.Observation
	spans    []string
	observed chan struct{} // one token per request
}

func (w *witness) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

// lines returns the log's lines and forgets them.
func (w *witness) lines(t *testing.T) []map[string]any {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []map[string]any
	for dec := json.NewDecoder(&w.log); dec.More(); {
		var line map[string]any
		if err := dec.Decode(&line); err != nil {
			t.Fatal(err)
		}
		out = append(out, line)
	}
	return out
}

func (w *witness) config() wire.Config {
	clock := instant
	return wire.Config{
		Gates:  map[wire.Auth]wire.Gate{wire.Secret: letIn, wire.Public: letIn},
		Logger: slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			clock = clock.Add(5 * time.Millisecond)
			return clock
		},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Observe: func(o wire.Observation) {
			w.mu.Lock()
			w.seen = append(w.seen, o)
			w.mu.Unlock()
			if w.observed != nil {
				w.observed <- struct{}{}
			}
		},
		Trace: func(ctx context.Context, route string) (context.Context, func(int, error)) {
			return context.WithValue(ctx, spanKey{}, route), func(status int, err error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.spans = append(w.spans, fmt.Sprint(route, " ", status, " ", apierr.From(err) != nil))
			}
		},
	}
}

type spanKey struct{}

func TestOneLineOneObservationOneSpan(t *testing.T) {
	w := &witness{}
	errBusy := apierr.New(503, "busy", "Come back.")
	s := wire.NewServer(w.config(),
		wire.GET("/v1/x/{id}", wire.Secret, func(ctx context.Context, req *idRequest) (*idResponse, error) {
			if ctx.Value(spanKey{}) != "GET /v1/x/{id}" {
				t.Error("the handler does not run inside the span")
			}
			switch req.ID {
			case "rude":
				return nil, errRude.Because(errors.New("row 7"))
			case "busy":
				return nil, fmt.Errorf("read: %w", errBusy)
			case "broken":
				return nil, errors.New("disk full")
			}
			return &idResponse{}, nil
		}),
		wire.Raw("POST", "/page", wire.Open, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(302) })))

	for _, c := range []struct {
		method, path, route string
		status              int
		level, typ, cause   string
		spans               []string
	}{
		{"GET", "/v1/x/1", "/v1/x/{id}", 200, "DEBUG", "", "", []string{"GET /v1/x/{id} 200 false"}},
		{"GET", "/v1/x/rude", "/v1/x/{id}", 400, "INFO", "rude_name", "row 7", []string{"GET /v1/x/{id} 400 true"}},
		{"GET", "/v1/x/busy", "/v1/x/{id}", 503, "ERROR", "busy", "", []string{"GET /v1/x/{id} 503 true"}},
		{"GET", "/v1/x/broken", "/v1/x/{id}", 500, "ERROR", "internal_server_error", "disk full", []string{"GET /v1/x/{id} 500 true"}},
		{"POST", "/page", "/page", 302, "DEBUG", "", "", []string{"POST /page 302 false"}},
		{"GET", "/nothing/1", "unmatched", 404, "INFO", "route_not_found", "", nil},
		{"OPTIONS", "/sdk/v1/x", "preflight", 204, "DEBUG", "", "", nil},
		{"BREW", "/v1/x/1", "unmatched", 405, "INFO", "method_not_allowed", "", nil},
	} {
		w.seen, w.spans = nil, nil
		r := request(c.method, c.path, "")
		r.Header.Set("X-Forwarded-For", "198.51.100.7")
		a := send(t, s, r)
		method := c.method
		if method == "BREW" {
			method = "OTHER"
		}
		if want := []wire.Observation{{Method: method, Route: c.route, Status: c.status, ErrorType: c.typ, Duration: 5 * time.Millisecond}}; !reflect.DeepEqual(w.seen, want) {
			t.Errorf("%s: observed %+v", c.path, w.seen)
		}
		if !reflect.DeepEqual(w.spans, c.spans) {
			t.Errorf("%s: spans %q", c.path, w.spans)
		}
		lines := w.lines(t)
		if len(lines) != 1 {
			t.Fatalf("%s: %d lines", c.path, len(lines))
		}
		want := map[string]any{"level": c.level, "msg": "request", "method": method, "route": c.route, "status": float64(c.status),
			"duration": 5e6, "ip": "198.51.100.7", "request_id": a.Header.Get("X-Request-Id")}
		if c.typ != "" {
			want["error_type"] = c.typ
		}
		if c.cause != "" {
			want["cause"] = c.cause
		}
		delete(lines[0], "time")
		if c.route == "preflight" {
			want["request_id"] = lines[0]["request_id"]
		}
		if !reflect.DeepEqual(lines[0], want) {
			t.Errorf("%s:\ngot  %v\nwant %v", c.path, lines[0], want)
		}
	}
}

func TestPanicsAreLoggedWithTheirStack(t *testing.T) {
	w := &witness{}
	s := wire.NewServer(w.config(), wire.GET("/v1/x/{id}", wire.Secret, func(context.Context, *idRequest) (*idResponse, error) {
		var none map[string]int
		//lint:ignore SA5000 the panic is what the test is about
		none["x"] = 1
		return nil, nil
	}))
	a := send(t, s, request("GET", "/v1/x/1", ""))
	lines := w.lines(t)
	if a.Status != 500 || len(lines) != 2 || lines[0]["msg"] != "panic" || lines[0]["request_id"] != a.Body["request_id"] ||
		!strings.Contains(fmt.Sprint(lines[0]["stack"]), "log_test.go") || !strings.Contains(fmt.Sprint(lines[1]["cause"]), "nil map") {
		t.Errorf("%d %s, log %v", a.Status, a.Text, lines)
	}
}

// Security case 65: nothing that a client sends is logged, counted or traced
// but its address, whatever happens to the request.
func TestCanarySecretsStayOutOfLogs(t *testing.T) {
	const canary = "CANARY"
	w := &witness{}
	refuse := func(ctx context.Context, in *wire.Incoming) (context.Context, error) {
		if in.BasicUser == canary+"-refused" {
			return nil, errRude.Because(errors.New("no such secret"))
		}
		return ctx, nil
	}
	c := w.config()
	c.Gates = map[wire.Auth]wire.Gate{wire.Secret: letIn, wire.Public: refuse}
	type secretive struct {
		everything
		ID    string `path:"id"`
		Limit int    `query:"limit"`
		Word  string `query:"word"`
	}
	serve := func(_ context.Context, req *secretive) (*idResponse, error) {
		switch req.Number {
		case 1:
			return nil, wire.BadRequest("The field %q is wrong.", req.Text)
		case 2:
			return nil, errors.New("disk full")
		case 3:
			panic("out of range")
		}
		return &idResponse{ID: req.Text}, nil
	}
	s := wire.NewServer(c,
		wire.POST("/v1/x/{id}", wire.Secret, serve), wire.POST("/sdk/v1/x/{id}", wire.Public, serve),
		wire.Raw("GET", "/raw/{id}", wire.Open, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { wire.Fail(w, r, errRude) })))

	bodies := []string{
		`{"text":"CANARY","number":0}`, `{"text":"CANARY","number":1}`, `{"text":"CANARY","number":2}`, `{"text":"CANARY","number":3}`,
		`{"CANARY":`, `CANARY`, `{"text":CANARY}`, `{"number":"CANARY"}`, `{"when":"CANARY"}`, `{"colour":"CANARY"}`, `{"words":{"CANARY":1}}`,
		`{"free":{"CANARY":"CANARY"}}`, `{"CANARY":1,"CANARY":2}`, "{\"CANARY\xff\":1}", `{"part":{"CANARY":1}}`, `{"list":["CANARY",1]}`, `["CANARY"]`, ``,
	}
	for _, method := range []string{"POST", "GET", canary} {
		for _, path := range []string{"/v1/x/CANARY", "/v1/x/CANARY%00", "/sdk/v1/x/CANARY", "/sdk/v1/CANARY", "/CANARY", "/raw/CANARY", "/raw/%FFCANARY"} {
			for _, query := range []string{"", "word=CANARY", "limit=CANARY", "word=CANARY&word=CANARY", "CANARY=%zz"} {
				for i, body := range bodies {
					r := httptest.NewRequest(method, path, strings.NewReader(body))
					r.URL.RawQuery, r.Host = query, canary+".example.com"
					for _, name := range []string{"User-Agent", "Origin", "Referer", "Cookie", "X-Sdk-Client", "X-Sdk-Parent-Host", "X-Request-Id", "Traceparent", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "Accept", "X-CANARY"} {
						r.Header.Set(name, canary)
					}
					switch i % 3 {
					case 0:
						r.SetBasicAuth(canary, canary)
					case 1:
						r.SetBasicAuth(canary+"-refused", canary)
					case 2:
						r.Header.Set("Authorization", "Bearer "+canary)
						r.Header.Set("Content-Type", "CANARY/CANARY; CANARY=CANARY")
					}
					send(t, s, r)
				}
			}
		}
	}
	if told := w.log.String() + fmt.Sprint(w.seen, w.spans); strings.Contains(told, canary) {
		at := strings.Index(told, canary)
		t.Errorf("a secret got out: ...%s...", told[max(0, at-300):min(len(told), at+100)])
	}
	if len(w.seen) < 1000 || w.log.Len() == 0 {
		t.Errorf("only %d requests were seen", len(w.seen))
	}
}

func TestQuietLevelsCostNothing(t *testing.T) {
	w := &witness{}
	c := w.config()
	c.Logger = slog.New(slog.NewJSONHandler(w, nil)) // information and worse
	s := wire.NewServer(c, wire.GET("/v1/x/{id}", wire.Secret, echoID))
	send(t, s, request("GET", "/v1/x/1", ""))
	if lines := w.lines(t); len(lines) != 0 {
		t.Errorf("log: %v", lines)
	}
}

// overNetwork serves s on a real connection.
func overNetwork(t *testing.T, s http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // net/http's word on aborted handlers
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

func TestClientGoneIsNobodysError(t *testing.T) {
	w := &witness{observed: make(chan struct{}, 1)}
	entered := make(chan struct{})
	s := wire.NewServer(w.config(), wire.GET("/v1/x/{id}", wire.Secret, func(ctx context.Context, _ *idRequest) (*idResponse, error) {
		close(entered)
		<-ctx.Done()
		return nil, fmt.Errorf("query: %w", ctx.Err())
	}))
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", overNetwork(t, s)+"/v1/x/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			err = resp.Body.Close()
		}
		done <- err
	}()
	<-entered
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("client: %v", err)
	}
	<-w.observed
	lines := w.lines(t)
	if len(w.seen) != 1 || w.seen[0].Status != 499 || w.seen[0].ErrorType != "" || len(lines) != 1 || lines[0]["level"] != "INFO" || lines[0]["status"] != 499.0 {
		t.Errorf("observed %+v, log %v", w.seen, lines)
	}
}

func TestAnswerCutShortByAPanicDoesNotLookWhole(t *testing.T) {
	w := &witness{observed: make(chan struct{}, 2)}
	s := wire.NewServer(w.config(),
		wire.Raw("GET", "/half", wire.Open, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(bytes.Repeat([]byte("x"), 10000))
			panic("in the middle")
		})),
		wire.Raw("GET", "/abort", wire.Open, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })))
	base := overNetwork(t, s)
	for _, path := range []string{"/half", "/abort"} {
		r, _ := http.NewRequest("GET", base+path, nil)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the client thinks that it has the whole answer", path)
		}
		<-w.observed
	}
	if len(w.seen) != 2 || w.seen[0].ErrorType != "internal_server_error" || w.seen[1].Status != 499 {
		t.Errorf("observed %+v", w.seen)
	}
}

func TestTooLargeBodyOverTheNetworkGetsItsAnswer(t *testing.T) {
	s, _ := binder()
	base := overNetwork(t, s)
	r, _ := http.NewRequest("POST", base+"/v1/bind", strings.NewReader(strings.Repeat(" ", 4<<20)))
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatalf("the client never learnt why: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 400 || !strings.Contains(string(body), "1 MB") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestHeadOverTheNetworkHasNoBody(t *testing.T) {
	base := overNetwork(t, serverOf(wire.GET("/v1/x/{id}", wire.Secret, echoID)))
	r, _ := http.NewRequest("HEAD", base+"/v1/x/auth0%7C1", nil)
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || len(body) != 0 || resp.ContentLength < 50 {
		t.Errorf("%d, %d bytes, length %d", resp.StatusCode, len(body), resp.ContentLength)
	}
}
