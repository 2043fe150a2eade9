package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/authtest"
	"gatehouse/internal/outbox"
	"gatehouse/internal/store"
)

const metricsToken = "a-token-for-the-metrics"

func withMetrics(o *app.Options) { o.Server.MetricsToken = metricsToken }

func scrape(s *authtest.Server) string {
	return s.Request(http.MethodGet, "/metrics", nil, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+metricsToken) }).OK().Text
}

func TestMetricsCountWhatHappens(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		p.Session()
		s.Call(http.MethodGet, "/v1/users/"+p.UserID, nil).OK()
		s.Call(http.MethodGet, "/v1/users/unknown", nil)
		s.Call(http.MethodPost, "/v1/webauthn/authenticate", fields{"public_key_credential": strings.Replace(p.Assertion(), `"signature":"`, `"signature":"AAAA`, 1)})
		err := s.DB.Update(t.Context(), func(tx *store.Tx) error {
			return outbox.Enqueue(tx, "unheard of", fields{})
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(90 * time.Second)
		text := scrape(s)
		for _, want := range []string{
			`gatehouse_http_requests_total{method="GET",route="/v1/users/{user_id}",status="200"} 1`,
			`gatehouse_http_request_duration_seconds_count{method="POST",route="/v1/webauthn/authenticate"} 2`,
			`gatehouse_logins_total{factor="webauthn",outcome="success"} 2`, // the registration proved it too
			`gatehouse_logins_total{factor="webauthn",outcome="invalid_public_key_credential_invalid_signature"} 1`,
			`gatehouse_outbox_jobs{state="due"} 1`,
			`gatehouse_outbox_jobs{state="dead"} 0`,
			`gatehouse_outbox_oldest_due_seconds 90`,
			fmt.Sprintf(`gatehouse_config_version %d`, s.Projects.Version()),
			`gatehouse_build_info{go_version="go`,
			`gatehouse_database_duration_seconds_count{op="update"} `,
			`gatehouse_database_duration_seconds_count{op="view"} `,
			`go_goroutines `,
		} {
			if !strings.Contains(text, "\n"+want) {
				t.Errorf("the metrics lack %s", want)
			}
		}
		if t.Failed() {
			t.Log(text)
		}
	}, withMetrics)
}

// The number of series is a matter of the program, not of its callers.
func TestMetricsDoNotGrowWithWhatClientsSend(t *testing.T) {
	s := authtest.New(t, withMetrics)
	send := func(i int) {
		method := []string{"GET", "POST", fmt.Sprintf("M%d", i)}[i%3]
		for _, path := range []string{"/v1/users/u%d", "/nowhere/%d", "/sdk/v1/%d", "/v1/sessions/jwks/project-%d"} {
			s.Request(method, fmt.Sprintf(path, i), nil, func(r *http.Request) {
				r.Header.Set("User-Agent", fmt.Sprint(i))
				r.SetBasicAuth(fmt.Sprint(i), fmt.Sprint(i))
			})
		}
	}
	series := func() int { return strings.Count(scrape(s), "\ngatehouse_") }
	for i := range 3 {
		send(i)
	}
	series() // from here on the route of the metrics counts too
	before := series()
	for i := range 150 {
		send(i)
	}
	if after := series(); after != before {
		t.Errorf("%d series became %d", before, after)
	}
}

func TestMetricsAreNotForEverybody(t *testing.T) {
	get := func(s *authtest.Server, authorization, host string) *authtest.Answer {
		return s.Request(http.MethodGet, "/metrics", nil, func(r *http.Request) {
			if authorization != "" {
				r.Header.Set("Authorization", authorization)
			}
			if host != "" {
				r.Host = host
			}
		})
	}
	closed := authtest.New(t)
	get(closed, "", "").Refused(404, "route_not_found")
	get(closed, "Bearer ", "").Refused(404, "route_not_found")
	token := authtest.New(t, withMetrics)
	for _, wrong := range []string{"", "Bearer", "Bearer ", "Bearer wrong", metricsToken, "Bearer " + metricsToken + "x", "Basic " + metricsToken} {
		get(token, wrong, "").Refused(401, "unauthorized_credentials")
	}
	get(token, "Bearer "+metricsToken, "").OK()
	dev := authtest.New(t, func(o *app.Options) { o.Development = true })
	get(dev, "", "").OK()
	get(dev, "", "127.0.0.1:8080").OK()
	get(dev, "", "rebound.example.com:8080").Refused(404, "route_not_found")
}

func TestMetricsOnAnAddressOfTheirOwn(t *testing.T) {
	s := authtest.New(t, func(o *app.Options) { o.Server.MetricsListen = "127.0.0.1:0" })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.App.Run(ctx, listener) }()
	client := &http.Client{}
	get := func(url string) int {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // only the status counts
		return resp.StatusCode
	}
	if status := get("http://" + listener.Addr().String() + "/metrics"); status != http.StatusNotFound {
		t.Errorf("on the main address: %d", status)
	}
	var address string
	for _, line := range strings.Split(s.Logs.String(), "\n") {
		var entry struct{ Msg, Address string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "metrics" {
			address = entry.Address
		}
	}
	if status := get("http://" + address + "/metrics"); status != http.StatusOK {
		t.Errorf("on its own address: %d", status)
	}
	if status := get("http://" + address + "/v1/users/x"); status != http.StatusNotFound {
		t.Errorf("the API on the address of the metrics: %d", status)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	client.CloseIdleConnections()

	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }() // nothing was accepted
	second := authtest.New(t, func(o *app.Options) { o.Server.MetricsListen = busy.Addr().String() })
	if err := second.App.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "--metrics-listen") {
		t.Errorf("a busy address: %v", err)
	}
}
