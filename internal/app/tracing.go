package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"gatehouse/internal/apierr"
	"gatehouse/internal/wire"
)

// tracing sends one span for each request, named by its route, and one for
// each database operation inside it, over OTLP/HTTP. Spans hold what the log
// holds: never a path with its values, a header or a body.
type tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	headers  propagation.TraceContext // W3C traceparent
	logger   *slog.Logger
}

// newTracing returns nil where no endpoint is set: then nothing of this costs
// a request anything. Sampling, batching and the name of the service follow
// the OTEL_* variables that OpenTelemetry defines.
func newTracing(ctx context.Context, endpoint string, headers []string, logger *slog.Logger) (*tracing, error) {
	if endpoint == "" {
		return nil, nil
	}
	exporter, err := newOTLPExporter(endpoint, headers)
	if err != nil {
		return nil, err
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "gatehouse"), attribute.String("service.version", Version)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	// The library knows one place for the errors of its background work.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("sending traces failed", "error", err) }))
	t := &tracing{provider: sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about)), logger: logger}
	t.tracer = t.provider.Tracer("gatehouse")
	return t, nil
}

// extract lets a backend's trace go on in the spans of its call. What a
// browser sends of traces is not taken over: it is anybody's. Nor is
// tracestate: it is free text, and spans hold nothing a client wrote.
func (t *tracing) extract(r *http.Request) *http.Request {
	parent := r.Header.Get("Traceparent")
	if !strings.HasPrefix(r.URL.Path, "/v1/") || parent == "" {
		return r
	}
	return r.WithContext(t.headers.Extract(r.Context(), propagation.MapCarrier{"traceparent": parent}))
}

// request begins the span of a request; route is its method and pattern.
func (t *tracing) request(ctx context.Context, route string) (context.Context, func(status int, err error)) {
	method, pattern, _ := strings.Cut(route, " ")
	call := wire.CallFrom(ctx)
	ctx, span := t.tracer.Start(ctx, route, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", method), attribute.String("http.route", pattern)))
	return ctx, func(status int, err error) {
		// The request id names its environment only now.
		span.SetAttributes(attribute.Int("http.response.status_code", status), attribute.String("gatehouse.request_id", call.RequestID))
		if refused := apierr.From(err); refused != nil {
			span.SetAttributes(attribute.String("error.type", refused.Type))
		}
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// database begins the span of a database operation inside a request; what the
// server does on its own has none.
func (t *tracing) database(ctx context.Context, op string) func(error) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return func(error) {}
	}
	_, span := t.tracer.Start(ctx, "database "+op, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("db.operation.name", op)))
	return func(err error) {
		if err != nil && apierr.From(err) == nil {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// close sends what is left, if the receiver takes it soon.
func (t *tracing) close() {
	if t == nil {
		return
	}
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.logger.Warn("sending the last traces failed", "error", err)
	}
}
