package app

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestSendingTracesAgainWhenThatHelps(t *testing.T) {
	status, retryAfter, seen := 0, "", http.Header{}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		w.Header().Set("Retry-After", retryAfter)
		w.WriteHeader(status)
	}))
	e, err := newOTLPExporter(web.URL+"/otlp/", []string{"Api-Key=a%20key", " X-Tenant = one"})
	if err != nil {
		t.Fatal(err)
	}
	if e.url != web.URL+"/otlp/v1/traces" {
		t.Error(e.url)
	}
	for _, c := range []struct {
		status     int
		retryAfter string
		again      time.Duration
		fails      bool
	}{
		{200, "", 0, false}, {202, "", 0, false},
		{429, "7", 7 * time.Second, true}, {503, "", 0, true}, {502, "soon", 0, true}, {504, "", 0, true},
		{400, "", -1, true}, {401, "", -1, true}, {404, "", -1, true}, {500, "", -1, true},
	} {
		status, retryAfter = c.status, c.retryAfter
		if again, err := e.send(t.Context(), nil); again != c.again || (err != nil) != c.fails {
			t.Errorf("%d: again in %v, %v", c.status, again, err)
		}
	}
	if seen.Get("Api-Key") != "a key" || seen.Get("X-Tenant") != "one" || seen.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("headers: %v", seen)
	}
	web.Close()
	if again, err := e.send(t.Context(), nil); again != 0 || err == nil {
		t.Errorf("nobody there: again in %v, %v", again, err)
	}
}

func TestTraceSettingsThatCannotWork(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	for endpoint, header := range map[string]string{
		"localhost:4318": "", "ftp://localhost": "", "http://": "", "http://localhost:4318": "no value", "https://localhost": "a=%zz",
	} {
		var headers []string
		if header != "" {
			headers = append(headers, header)
		}
		if _, err := newTracing(context.Background(), endpoint, headers, logger); err == nil || !strings.Contains(err.Error(), "--trace-") {
			t.Errorf("%s %s: %v", endpoint, header, err)
		}
	}
	if tr, err := newTracing(context.Background(), "", nil, logger); tr != nil || err != nil {
		t.Error("traces without an endpoint", err)
	}
}
