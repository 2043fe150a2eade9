package app_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"gatehouse/internal/app"
	"gatehouse/internal/authtest"
)

// tracesReceiver is an OTLP/HTTP receiver, as a collector is.
type tracesReceiver struct {
	URL  string
	mu   sync.Mutex
	raw  []byte // all bodies
	news chan []*trace.Span
}

func receiveTraces(t *testing.T) *tracesReceiver {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1") // send at once
	r := &tracesReceiver{news: make(chan []*trace.Span, 200_000)}
	web := httptest.NewServer(r)
	t.Cleanup(web.Close)
	r.URL = web.URL
	return r
}

func (r *tracesReceiver) options(o *app.Options) { o.Server.TraceEndpoint = r.URL }

// ServeHTTP implements http.Handler.
func (r *tracesReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var sent collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &sent)
	}
	if err != nil || req.URL.Path != "/v1/traces" {
		http.Error(w, fmt.Sprint(req.URL, err), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.raw = append(r.raw, body...)
	r.mu.Unlock() // whoever reads the text reads no news meanwhile
	for _, resource := range sent.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			r.news <- scope.Spans
		}
	}
}

func (r *tracesReceiver) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.raw)
}

// until collects spans up to and with one of the given name.
func (r *tracesReceiver) until(name string) map[string]*trace.Span {
	got := map[string]*trace.Span{}
	for got[name] == nil {
		for _, span := range <-r.news {
			got[span.Name] = span
		}
	}
	return got
}

func attribute(s *trace.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			if n, ok := a.Value.Value.(*common.AnyValue_IntValue); ok {
				return fmt.Sprint(n.IntValue)
			}
			return a.Value.GetStringValue()
		}
	}
	return ""
}

func TestTraces(t *testing.T) {
	const traceID, parentID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	sent := func(r *http.Request) { r.Header.Set("Traceparent", "00-"+traceID+"-"+parentID+"-01") }
	receiver := receiveTraces(t)
	s := authtest.New(t, receiver.options)
	answer := s.Request(http.MethodGet, "/v1/users/u-1", nil, func(r *http.Request) {
		r.SetBasicAuth(s.Env.ID, s.Secret())
		sent(r)
	})
	spans := receiver.until("GET /v1/users/{user_id}")
	span := spans["GET /v1/users/{user_id}"]
	for key, want := range map[string]string{
		"http.request.method": "GET", "http.route": "/v1/users/{user_id}", "http.response.status_code": "404",
		"error.type": "user_not_found", "gatehouse.request_id": answer.String("request_id"),
	} {
		if got := attribute(span, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if fmt.Sprintf("%x %x", span.TraceId, span.ParentSpanId) != traceID+" "+parentID {
		t.Errorf("the backend's trace does not go on: %x %x", span.TraceId, span.ParentSpanId)
	}
	if view := spans["database view"]; view == nil || string(view.ParentSpanId) != string(span.SpanId) {
		t.Errorf("the database is not part of the request: %v", spans)
	}
	if span.Status.GetCode() == trace.Status_STATUS_CODE_ERROR {
		t.Error("a refusal is not a fault of the server")
	}

	public := s.Env.PublicTokens[0].Token
	s.Request(http.MethodGet, "/sdk/v1/users/me", nil, func(r *http.Request) { r.SetBasicAuth(public, public); sent(r) })
	span = receiver.until("GET /sdk/v1/users/me")["GET /sdk/v1/users/me"]
	if strings.Contains(fmt.Sprintf("%x", span.TraceId), traceID) || len(span.ParentSpanId) != 0 {
		t.Errorf("a browser chose the trace: %x %x", span.TraceId, span.ParentSpanId)
	}
}

func TestATraceReceiverThatIsGoneStopsNothing(t *testing.T) {
	receiver := receiveTraces(t)
	s := authtest.New(t, receiver.options, func(o *app.Options) { o.Server.TraceEndpoint += "/elsewhere" })
	s.Request(http.MethodGet, "/healthz", nil, nil).OK()
}
