package outbound

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/apierr"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

// local is a policy under which the servers of a test can be called, under any
// name.
func local() Policy {
	return Policy{AllowPrivate: loopback, AllowHTTP: true, Resolve: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}}
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// named is the URL of a server with another host in it.
func named(t *testing.T, s *httptest.Server, host string) string {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = net.JoinHostPort(host, u.Port())
	return u.String()
}

func request(t *testing.T, method, u, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, u, strings.NewReader(body))
	if err != nil {
		t.Error(err)
	}
	return r
}

func get(t *testing.T, c *Client, u string) (*Response, error) {
	t.Helper()
	t.Cleanup(func() { _ = c.Close() })
	return c.Do(t.Context(), request(t, "GET", u, ""))
}

func TestACallSendsAndReads(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Method+" "+r.Host+r.URL.String()+" "+r.UserAgent()+" "+r.Header.Get("X-Key"))
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write(bytes.ToUpper(body))
	})
	c := New(local())
	r := request(t, "PUT", named(t, s, "service.example")+"/a?b=c", "hello")
	r.Header.Set("X-Key", "k")
	r.Host = "other.example" // what is called is what is named
	resp, err := c.Do(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	want := "PUT " + r.URL.Host + "/a?b=c gatehouse k"
	if resp.Status != 202 || resp.Header.Get("X-Seen") != want || string(resp.Body) != "HELLO" {
		t.Errorf("%d %q %q, want %q", resp.Status, resp.Header.Get("X-Seen"), resp.Body, want)
	}
}

// A name that answers with a public address when it is checked and with one of
// the inside when it is called.
func TestDNSRebindingGainsNothing(t *testing.T) {
	var hits, lookups atomic.Int32
	s := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	turn := func(answers ...string) func(context.Context, string) ([]netip.Addr, error) {
		lookups.Store(0)
		return func(context.Context, string) ([]netip.Addr, error) {
			n := int(lookups.Add(1))
			return []netip.Addr{netip.MustParseAddr(answers[min(n, len(answers))-1])}, nil
		}
	}
	u := named(t, s, "rebind.example")

	c := New(Policy{AllowHTTP: true, Resolve: turn("93.184.215.14", "127.0.0.1")})
	if err := c.Check(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	_, err := get(t, c, u)
	refused(t, "the second answer", err)
	if hits.Load() != 0 {
		t.Error("the inside was reached")
	}

	// One look-up serves both the judgement and the connection.
	p := local()
	p.Resolve = turn("127.0.0.1", "169.254.169.254")
	if _, err := get(t, New(p), u); err != nil || hits.Load() != 1 || lookups.Load() != 1 {
		t.Errorf("%v after %d look-ups and %d calls", err, lookups.Load(), hits.Load())
	}
}

func TestTheNextAddressIsTried(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	p := local()
	p.AllowPrivate = append(p.AllowPrivate, netip.MustParsePrefix("127.0.0.2/32"))
	p.Resolve = names(map[string]string{"two.example": "127.0.0.2 127.0.0.1", "none.example": "127.0.0.2"})
	if _, err := get(t, New(p), named(t, s, "two.example")); err != nil {
		t.Error(err) // the server listens on 127.0.0.1 alone
	}
	if resp, err := get(t, New(p), named(t, s, "none.example")); resp != nil || err == nil || apierr.From(err) != nil {
		t.Errorf("%v, %v", resp, err)
	}
}

func TestRedirectsAreNotFollowedUnlessAsked(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
	})
	resp, err := get(t, New(local()), s.URL)
	if err != nil || resp.Status != 302 || resp.Header.Get("Location") != "http://169.254.169.254/" {
		t.Errorf("%v, %v", resp, err)
	}
	p := local()
	p.Redirects = 5
	if resp, err := New(p).Do(t.Context(), request(t, "POST", s.URL, "body")); err != nil || resp.Status != 302 {
		t.Errorf("a POST: %v, %v", resp, err)
	}
}

func TestEveryHopIsChecked(t *testing.T) {
	var to string
	var last http.Header
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch last = r.Header; {
		case r.URL.Path == "/end":
			_, _ = io.WriteString(w, "there")
		case r.URL.Path == "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		default:
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	})
	p := local()
	p.Redirects = 3
	p.Resolve = names(map[string]string{"a.example": "127.0.0.1", "b.example": "127.0.0.1", "inside.example": "10.0.0.1"})
	for _, to = range []string{
		"http://169.254.169.254/latest/meta-data/", "http://[::ffff:a9fe:a9fe]/", "//inside.example/", "http://2130706433/", "http://127.1/",
		"https://0x7f.1/", "http://user:pass@b.example/end", "file:///etc/passwd", "gopher://b.example/", "http://[::1]/", "http://localhost./",
	} {
		_, err := get(t, New(p), named(t, s, "a.example")+"/start")
		if apierr.From(err) == nil && to != "http://localhost./" {
			t.Errorf("%s: %v", to, err)
		} else if err == nil {
			t.Errorf("%s was followed", to)
		}
	}
	follow := func(path string) (*Response, error) {
		r := request(t, "GET", named(t, s, "a.example")+path+"?token=1", "")
		r.Header.Set("Authorization", "Bearer x")
		r.Header.Set("X-Api-Key", "y")
		r.Header.Set("Accept", "text/plain")
		return New(p).Do(t.Context(), r)
	}
	to = "/end"
	if resp, err := follow("/start"); err != nil || string(resp.Body) != "there" || last.Get("X-Api-Key") != "y" {
		t.Errorf("%v, %v, %v", resp, err, last)
	}
	to = named(t, s, "b.example") + "/end"
	if resp, err := follow("/start"); err != nil || string(resp.Body) != "there" {
		t.Errorf("%v, %v", resp, err)
	}
	if last.Get("Authorization")+last.Get("X-Api-Key")+last.Get("Referer") != "" || last.Get("Accept") != "text/plain" {
		t.Errorf("another host was sent %v", last)
	}
	if _, err := follow("/loop"); err == nil || !strings.Contains(err.Error(), "too many redirects") {
		t.Error(err)
	}
}

func TestRedirectsDoNotLeaveTLS(t *testing.T) {
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	s := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	t.Cleanup(s.Close)
	p := local()
	p.Redirects = 1
	c := New(p)
	trust(c, s)
	if _, err := get(t, c, named(t, s, "example.com")); err == nil || !strings.Contains(err.Error(), "from https to http") {
		t.Error(err)
	}
}

func trust(c *Client, s *httptest.Server) {
	c.transport.TLSClientConfig.RootCAs = x509.NewCertPool()
	c.transport.TLSClientConfig.RootCAs.AddCert(s.Certificate())
}

func TestCertificatesAreVerified(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes
	s.StartTLS()
	t.Cleanup(s.Close)
	strict := local()
	strict.AllowHTTP = false
	for _, host := range []string{"example.com", "127.0.0.1"} { // both are in the certificate
		c := New(strict)
		if _, err := get(t, c, named(t, s, host)); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s with the system's roots: %v", host, err)
		}
		c = New(strict)
		trust(c, s)
		if resp, err := get(t, c, named(t, s, host)); err != nil || resp.Status != 200 {
			t.Errorf("%s: %v", host, err)
		}
	}
	c := New(strict)
	trust(c, s)
	if _, err := get(t, c, named(t, s, "other.example")); err == nil {
		t.Error("a certificate of another name was believed")
	}
}

func TestAnswersAreBounded(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/exact":
			_, _ = io.WriteString(w, strings.Repeat("a", 1000))
		case "/large":
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, strings.Repeat("a", 1001))
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte("a"), 1<<16)); err != nil {
					return
				}
			}
		case "/zipped":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, r.Header.Get("Accept-Encoding"))
		case "/header":
			for range 1000 {
				w.Header().Add("X-Large", strings.Repeat("a", 100))
			}
		}
	})
	p := local()
	p.MaxBody = 1000
	c := New(p)
	if resp, err := get(t, c, s.URL+"/exact"); err != nil || len(resp.Body) != 1000 {
		t.Errorf("exact: %v", err)
	}
	for path, status := range map[string]int{"/large": 201, "/endless": 200} {
		if resp, err := get(t, c, s.URL+path); !errors.Is(err, ErrTooLarge) || resp == nil || resp.Status != status || len(resp.Body) != 1000 {
			t.Errorf("%s: %v, %v", path, resp, err)
		}
	}
	if resp, err := get(t, c, s.URL+"/zipped"); err != nil || string(resp.Body) != "" {
		t.Errorf("zipped: %v, %v", resp, err)
	}
	if resp, err := get(t, c, s.URL+"/header"); err == nil || resp != nil {
		t.Errorf("header: %v, %v", resp, err)
	}
}

// Receivers that hold a call: in the answer's header, in its body, by silence
// in the handshake, and by an answer that never was HTTP's to end.
func TestCallsEndInTime(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/body":
			w.WriteHeader(http.StatusAccepted)
			_ = http.NewResponseController(w).Flush()
		case "/switch":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			return
		}
		<-r.Context().Done()
	})
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	p := local()
	p.Timeout = time.Second
	c := New(p)
	var wait sync.WaitGroup
	wait.Go(func() {
		if resp, err := get(t, c, s.URL+"/header"); !errors.Is(err, context.DeadlineExceeded) || resp != nil {
			t.Errorf("header: %v, %v", resp, err)
		}
	})
	wait.Go(func() {
		if resp, err := get(t, c, s.URL+"/body"); !errors.Is(err, context.DeadlineExceeded) || resp == nil || resp.Status != 202 {
			t.Errorf("body: %v, %v", resp, err)
		}
	})
	wait.Go(func() {
		if _, err := get(t, c, "https://"+silent.Addr().String()); err == nil {
			t.Error("a handshake with nobody succeeded")
		}
	})
	wait.Wait()
	p.Timeout = time.Hour // nothing but the refusal ends it
	if resp, err := get(t, New(p), s.URL+"/switch"); !errors.Is(err, errSwitched) || resp != nil {
		t.Errorf("switch: %v, %v", resp, err)
	}
}

func TestNoProxyAndNoCookies(t *testing.T) {
	proxy := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("the proxy was asked for %s", r.URL) })
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if len(r.Cookies()) > 0 {
			t.Errorf("came with %v", r.Cookies())
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
	})
	c := New(local())
	for range 2 {
		if _, err := get(t, c, named(t, s, "service.example")); err != nil {
			t.Error(err)
		}
	}
}

// URLs hold keys; errors are stored and logged.
func TestErrorsRepeatNoURL(t *testing.T) {
	closed := serve(t, func(http.ResponseWriter, *http.Request) {})
	closed.Close()
	p := local()
	p.Redirects = 1
	for _, c := range []*Client{New(p), New(local())} {
		_, err := get(t, c, named(t, closed, "service.example")+"/hidden?token=hidden")
		if err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), "service.example") {
			t.Errorf("%v", err)
		}
	}
	if _, err := ParseURL("https://service.example:hidden/"); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("%v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		text, date string
		want       time.Duration
	}{
		{"", "", 0}, {"0", "", 0}, {"120", "", 2 * time.Minute}, {"-1", "", 0}, {"soon", "", 0}, {"1.5", "", 0},
		{"3601", "", time.Hour}, {"18446744073709551615", "", time.Hour}, {"99999999999999999999999", "", 0},
		{"Fri, 02 Jan 2026 03:05:05 GMT", "", time.Minute}, {"Fri, 02 Jan 2026 03:00:00 GMT", "", 0}, {"Fri, 02 Jan 2126 03:00:00 GMT", "", time.Hour},
		{"Fri, 02 Jan 2026 03:05:05 GMT", "Fri, 02 Jan 2026 03:05:00 GMT", 5 * time.Second},
	} {
		r := &Response{Header: http.Header{"Retry-After": {c.text}, "Date": {c.date}}}
		if got := r.RetryAfter(now); got != c.want {
			t.Errorf("%q at %q: %v, want %v", c.text, c.date, got, c.want)
		}
	}
}
