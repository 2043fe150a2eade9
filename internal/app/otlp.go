package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// otlpExporter sends spans over OTLP/HTTP in its binary form
// (https://opentelemetry.io/docs/specs/otlp/). OpenTelemetry's own exporter
// would link the whole of gRPC and its gateway into the program: 3 MB, most
// of them resident, for a protocol that is not spoken here.
type otlpExporter struct {
	url     string
	headers http.Header
	client  *http.Client
}

// newOTLPExporter takes an endpoint as OTEL_EXPORTER_OTLP_ENDPOINT has it, to
// which the path of traces is added, and headers as OTEL_EXPORTER_OTLP_HEADERS
// has them: name=value, the value escaped as in a URL.
func newOTLPExporter(endpoint string, headers []string) (*otlpExporter, error) {
	u, err := url.Parse(strings.TrimRight(endpoint, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("--trace-endpoint must be a URL such as http://localhost:4318")
	}
	const path = "/v1/traces"
	if !strings.HasSuffix(u.Path, path) {
		u.Path += path
	}
	e := &otlpExporter{url: u.String(), headers: http.Header{}, client: &http.Client{Timeout: 10 * time.Second}}
	for _, header := range headers {
		name, value, ok := strings.Cut(header, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil {
			return nil, errors.New("--trace-headers must be NAME=VALUE, several separated by commas")
		}
		e.headers.Set(strings.TrimSpace(name), value)
	}
	e.headers.Set("Content-Type", "application/x-protobuf")
	return e, nil
}

// ExportSpans implements sdktrace.SpanExporter. It tries again what the
// receiver says is worth it, until ctx ends.
func (e *otlpExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	body := encodeSpans(spans)
	for wait := time.Second; ; wait *= 2 {
		again, err := e.send(ctx, body)
		if err == nil || again < 0 {
			return err
		}
		timer := time.NewTimer(max(again, wait))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// send posts one body. When that failed it says how long to wait before the
// next attempt, or -1 if there should be none.
func (e *otlpExporter) send(ctx context.Context, body []byte) (again time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	r.Header = e.headers
	resp, err := e.client.Do(r)
	if err != nil {
		return 0, err
	}
	const enough = 64 << 10
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, enough))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return 0, err
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted:
		return 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // 0 when it says nothing or a date
		return time.Duration(seconds) * time.Second, fmt.Errorf("the receiver of traces answered %s", resp.Status)
	}
	return -1, fmt.Errorf("the receiver of traces answered %s", resp.Status)
}

// Shutdown implements sdktrace.SpanExporter.
func (e *otlpExporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

// encodeSpans writes an ExportTraceServiceRequest (opentelemetry-proto,
// collector/trace/v1): one resource, one scope, the spans.
func encodeSpans(spans []sdktrace.ReadOnlySpan) []byte {
	scope := message(nil, 1, text(nil, 1, spans[0].InstrumentationScope().Name))
	for _, s := range spans {
		scope = message(scope, 2, encodeSpan(s))
	}
	resource := message(nil, 1, attributes(nil, 1, spans[0].Resource().Attributes()))
	return message(nil, 1, message(resource, 2, scope))
}

func encodeSpan(s sdktrace.ReadOnlySpan) []byte {
	traceID, spanID := s.SpanContext().TraceID(), s.SpanContext().SpanID()
	b := message(nil, 1, traceID[:])
	b = message(b, 2, spanID[:])
	if s.Parent().HasSpanID() {
		parent := s.Parent().SpanID()
		b = message(b, 4, parent[:])
	}
	b = text(b, 5, s.Name())
	b = number(b, 6, uint64(s.SpanKind())) // the numbers agree
	b = protowire.AppendFixed64(protowire.AppendTag(b, 7, protowire.Fixed64Type), uint64(s.StartTime().UnixNano()))
	b = protowire.AppendFixed64(protowire.AppendTag(b, 8, protowire.Fixed64Type), uint64(s.EndTime().UnixNano()))
	b = attributes(b, 9, s.Attributes())
	if s.Status().Code == codes.Error {
		const statusError = 2
		b = message(b, 15, number(nil, 3, statusError))
	}
	return b
}

func attributes(b []byte, field protowire.Number, list []attribute.KeyValue) []byte {
	for _, a := range list {
		value := text(nil, 1, a.Value.String())
		if a.Value.Type() == attribute.INT64 {
			value = number(nil, 3, uint64(a.Value.AsInt64()))
		}
		b = message(b, field, message(text(nil, 1, string(a.Key)), 2, value))
	}
	return b
}

func message(b []byte, field protowire.Number, inner []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), inner)
}

func text(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func number(b []byte, field protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}
