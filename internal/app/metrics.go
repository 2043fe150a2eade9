package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gatehouse/internal/apierr"
	"gatehouse/internal/breach"
	"gatehouse/internal/delivery"
	"gatehouse/internal/outbox"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/wire"
)

var (
	errNoMetrics    = apierr.New(404, "route_not_found", "There is nothing here.")
	errMetricsToken = apierr.New(401, "unauthorized_credentials", "The metrics are behind a token. Send it as Authorization: Bearer TOKEN.")
)

// metrics counts what happens. Every label is a word from a small set: a route
// by its pattern, an outcome by its error_type, never what a client sent.
type metrics struct {
	registry *prometheus.Registry
	answered atomic.Int64 // requests so far, for those who make way for them
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	logins   *prometheus.CounterVec
	messages *prometheus.CounterVec
	breaches *prometheus.CounterVec
	database *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gatehouse_http_requests_total", Help: "Requests by route, method and status; 499 when the client left.",
		}, []string{"route", "method", "status"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gatehouse_http_request_duration_seconds", Help: "Time to answer by route and method.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route", "method"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gatehouse_logins_total", Help: `Attempts to log in by factor and outcome: "success", or the error_type that refused it.`,
		}, []string{"factor", "outcome"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gatehouse_messages_total", Help: `Attempts to send a message by channel, kind of sender and outcome: "sent", "refused" (for good), "failed" (tried again), "held" (not asked after failures), "busy" (not asked: it has as many as it may) or "expired".`,
		}, []string{"channel", "sender", "outcome"}),
		breaches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gatehouse_breach_checks_total", Help: `Passwords looked up in known breaches by source and verdict: "clean", "breached", or "unknown" when the source did not answer.`,
		}, []string{"source", "verdict"}),
		database: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "gatehouse_database_duration_seconds",
			Help:    "Database time by operation. On SQLite updates share commits: the ratio of the two counts is the size of a group.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}, []string{"op"}),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "gatehouse_build_info", Help: "Always 1; the labels say what is running.",
		ConstLabels: prometheus.Labels{"version": Version, "go_version": runtime.Version()},
	}, func() float64 { return 1 })
	m.registry.MustRegister(m.requests, m.latency, m.logins, m.messages, m.breaches, m.database, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) request(o wire.Observation) {
	m.answered.Add(1)
	m.requests.WithLabelValues(o.Route, o.Method, strconv.Itoa(o.Status)).Inc()
	m.latency.WithLabelValues(o.Route, o.Method).Observe(o.Duration.Seconds())
}

func (m *metrics) login(factor, outcome string) {
	if factor == "" {
		factor = "unknown" // refused before it was known
	}
	m.logins.WithLabelValues(factor, outcome).Inc()
}

func (m *metrics) message(channel delivery.Channel, sender, outcome string) {
	m.messages.WithLabelValues(string(channel), sender, outcome).Inc()
}

func (m *metrics) breachCheck(source string, v breach.Verdict) {
	m.breaches.WithLabelValues(source, v.String()).Inc()
}

func (m *metrics) databaseTime(op string, d time.Duration) {
	m.database.WithLabelValues(op).Observe(d.Seconds())
}

// watch adds what is asked for only when somebody reads the metrics.
func (m *metrics) watch(projects *project.Service, messages *delivery.Service, queue *outbox.Queue) {
	held := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "gatehouse_senders_held", Help: "Senders that this node does not ask for a while, because they failed several times in a row.",
	}, func() float64 { return float64(messages.Held()) })
	version := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "gatehouse_config_version", Help: "Version of the configuration in memory. Nodes that differ for longer than a second do not see each other's changes.",
	}, func() float64 { return float64(projects.Version()) })
	m.registry.MustRegister(version, held, &outboxCollector{
		queue:  queue,
		jobs:   prometheus.NewDesc("gatehouse_outbox_jobs", "Jobs in the outbox by state.", []string{"state"}, nil),
		oldest: prometheus.NewDesc("gatehouse_outbox_oldest_due_seconds", "How long the first of the due jobs has been waiting.", nil, nil),
	})
}

// outboxCollector asks the database at each reading.
type outboxCollector struct {
	queue        *outbox.Queue
	jobs, oldest *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *outboxCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.jobs
	out <- c.oldest
}

// Collect implements prometheus.Collector.
func (c *outboxCollector) Collect(out chan<- prometheus.Metric) {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := c.queue.Stats(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(c.jobs, err)
		return
	}
	for state, n := range map[string]int64{"waiting": s.Waiting, "due": s.Due, "running": s.Running, "dead": s.Dead} {
		out <- prometheus.MustNewConstMetric(c.jobs, prometheus.GaugeValue, float64(n), state)
	}
	out <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, s.OldestDue.Seconds())
}

func (a *App) metricsHandler() http.Handler {
	return promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(a.Logger.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError,
	})
}

// servedMetrics is /metrics on the main address: for who has the token and, in
// development, for the machine itself.
func (a *App) servedMetrics() http.Handler {
	page, token := a.metricsHandler(), a.options.Server.MetricsToken
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case token != "":
			given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok || !secret.Equal(given, token) {
				w.Header().Set("WWW-Authenticate", "Bearer")
				wire.Fail(w, r, errMetricsToken)
				return
			}
		case !a.options.Development || !fromThisMachine(r):
			wire.Fail(w, r, errNoMetrics)
			return
		}
		page.ServeHTTP(w, r)
	})
}

// fromThisMachine tells a request of the developer's own from one that a page
// of a stranger sent through the developer's browser: that page's host name
// may resolve to this machine, but it is not this machine's.
func fromThisMachine(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return wire.CallFrom(r.Context()).IP.IsLoopback() && project.IsLoopback(host)
}

// serveMetrics serves /metrics on an address of its own until stop is called;
// without such an address it does nothing.
func (a *App) serveMetrics() (stop func() error, err error) {
	address := a.options.Server.MetricsListen
	if address == "" {
		return func() error { return nil }, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--metrics-listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metricsHandler())
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		ErrorLog: slog.NewLogLogger(a.Logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	a.Logger.Info("metrics", "address", listener.Addr().String())
	return func() error {
		closed := server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			return errors.Join(err, closed)
		}
		return closed
	}, nil
}
