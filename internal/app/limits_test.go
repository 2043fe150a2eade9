package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/authtest"
)

const limit = 5

func limited(proxies ...string) func(*app.Options) {
	return func(o *app.Options) {
		o.Server.SDKRateLimit = limit
		o.Server.TrustedProxies = proxies
	}
}

// from sends a call of the browser's door as if it came from a TCP peer.
func from(t *testing.T, s *authtest.Server, peer, path, body string, edit func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.RemoteAddr = peer
	public := s.Env.PublicTokens[0].Token
	r.SetBasicAuth(public, public)
	r.Header.Set("Origin", "http://localhost:3000")
	if edit != nil {
		edit(r)
	}
	w := httptest.NewRecorder()
	s.App.ServeHTTP(w, r)
	if w.Code == http.StatusUnauthorized || w.Code >= 500 {
		t.Fatalf("%s from %s: %d %s", path, peer, w.Code, w.Body)
	}
	return w
}

const (
	door     = "/sdk/v1/webauthn/authenticate/start"
	starting = `{"domain":"localhost"}`
)

func forwarded(lines ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header["X-Forwarded-For"] = lines }
}

// passed counts the calls that were not refused.
func passed(calls int, call func(i int) *httptest.ResponseRecorder) int {
	n := 0
	for i := range calls {
		if call(i).Code != http.StatusTooManyRequests {
			n++
		}
	}
	return n
}

// TestClientIPSpoofing is security case 2: what an untrusted peer writes about
// itself does not move it into another bucket, and a trusted proxy is believed
// about the client it saw, not about what that client claimed.
func TestClientIPSpoofing(t *testing.T) {
	s := authtest.New(t, limited())
	n := passed(10*limit, func(i int) *httptest.ResponseRecorder {
		return from(t, s, fmt.Sprintf("203.0.113.7:%d", 1000+i), door, starting, func(r *http.Request) {
			claim := fmt.Sprintf("198.51.100.%d", i)
			for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Cf-Connecting-Ip", "True-Client-Ip", "X-Client-Ip"} {
				r.Header.Set(name, claim)
			}
			r.Header.Set("Forwarded", "for="+claim)
		})
	})
	if n != limit {
		t.Errorf("an untrusted peer that claims a new address each time made %d calls, the limit is %d", n, limit)
	}

	behind := authtest.New(t, limited("10.0.0.0/8"))
	n = passed(10*limit, func(i int) *httptest.ResponseRecorder {
		claim := fmt.Sprintf("198.51.100.%d", i)
		headers := [][]string{{claim + ", 203.0.113.7"}, {claim, "203.0.113.7"}, {claim + ",203.0.113.7:4711, 10.1.2.3"}, {claim + ", nonsense, 203.0.113.7"}}
		return from(t, behind, "10.0.0.1:1000", door, starting, forwarded(headers[i%len(headers)]...))
	})
	if n != limit {
		t.Errorf("a client that forges what stands left of its address made %d calls, the limit is %d", n, limit)
	}
	if w := from(t, behind, "10.0.0.1:1000", door, starting, forwarded("203.0.113.8")); w.Code != http.StatusOK {
		t.Error("another client behind the same proxy pays for it")
	}
}

// TestIPv6Rotation is security case 3: an address has one bucket however it is
// written, and all addresses of a /64 have one together.
func TestIPv6Rotation(t *testing.T) {
	s := authtest.New(t, limited("10.0.0.0/8"))
	n := passed(1000, func(i int) *httptest.ResponseRecorder {
		return from(t, s, fmt.Sprintf("[2001:db8:1:2:%x:%x::%x]:443", i*7, i, i), door, starting, nil)
	})
	if n != limit {
		t.Errorf("1000 addresses of one /64 made %d calls, the limit is %d", n, limit)
	}
	for name, spellings := range map[string][]string{
		"IPv4": {"192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:0201", "0:0:0:0:0:ffff:192.0.2.1", "[::ffff:192.0.2.1]", "192.0.2.1:80"},
		"IPv6": {"2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:0db8:0000:0000:0000:0000:0000:0001", "[2001:db8::1]:443", "2001:db8:0::0:1"},
	} {
		n := passed(4*len(spellings), func(i int) *httptest.ResponseRecorder {
			return from(t, s, "10.0.0.1:1000", door, starting, forwarded(spellings[i%len(spellings)]))
		})
		if n != limit {
			t.Errorf("%d spellings of one %s address made %d calls, the limit is %d", len(spellings), name, n, limit)
		}
	}
	if w := from(t, s, "[2001:db8:1:3::1]:443", door, starting, nil); w.Code != http.StatusOK {
		t.Error("the neighbouring /64 pays for it")
	}
}

// TestRateLimitKeyInjection is security case 4: nothing that a caller can vary
// freely, in the body or around it, is part of the key.
func TestRateLimitKeyInjection(t *testing.T) {
	s := authtest.New(t, limited())
	n := passed(12*limit, func(i int) *httptest.ResponseRecorder {
		path, body := door, starting
		switch i % 4 {
		case 0:
			body = fmt.Sprintf(`{"domain":"localhost","email":"a%d@example.com","ip":"198.51.100.%d","extra":{"n":%d}}`, i, i, i)
		case 1:
			body = fmt.Sprintf(`{"domain":"d%d.localhost","domain":"localhost","user_id":""}`, i)
		case 2:
			path += fmt.Sprintf("?ip=198.51.100.%d", i)
		case 3:
			path += []string{"/primary", "/secondary", ""}[i%3]
		}
		return from(t, s, "203.0.113.7:1000", path, body, func(r *http.Request) {
			r.Header.Set("User-Agent", fmt.Sprintf("Browser/%d", i))
			r.Header.Set("Origin", fmt.Sprintf("http://localhost:%d", 3000+i))
			r.Header.Set("X-Request-Id", fmt.Sprint(i))
			r.Host = fmt.Sprintf("h%d.example.com", i)
			r.SetBasicAuth(s.Env.PublicTokens[0].Token, fmt.Sprintf("%044d", i))
			r.AddCookie(&http.Cookie{Name: "n", Value: fmt.Sprint(i)})
		})
	})
	if n != limit {
		t.Errorf("a client that varies all it can made %d calls, the limit is %d", n, limit)
	}
}

func TestTheDoorsLimitSaysWhichAndHowLong(t *testing.T) {
	s := authtest.New(t, limited())
	for range limit {
		from(t, s, "203.0.113.7:1000", door, starting, nil)
	}
	w := from(t, s, "203.0.113.7:1000", door, starting, nil)
	var body struct {
		Type    string         `json:"error_type"`
		Message string         `json:"error_message"`
		Details map[string]any `json:"error_details"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	// The clock stands 5 seconds after the minute.
	if w.Header().Get("Retry-After") != "55" || body.Type != "too_many_requests" || body.Details["rule"] != "sdk webauthn/authenticate" ||
		body.Details["rate"] != "5 per minute" {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	if w.Header().Get("Access-Control-Allow-Origin") == "" {
		t.Error("the page cannot read that it must wait")
	}
	if !strings.Contains(s.Logs.String(), `"cause":"sdk webauthn/authenticate from 203.0.113.7/32"`) {
		t.Errorf("the log does not say what was counted: %s", s.Logs)
	}
	if w := from(t, s, "203.0.113.7:1000", "/sdk/v1/projects/bootstrap", "", func(r *http.Request) {
		r.Method, r.URL.Path = http.MethodGet, "/sdk/v1/projects/bootstrap/"+s.Env.PublicTokens[0].Token
	}); w.Code != http.StatusOK {
		t.Error("reading is limited")
	}
	other := s.Environment("Staging")
	if w := from(t, other, "203.0.113.7:1000", door, starting, nil); w.Code != http.StatusOK {
		t.Error("environments share a limit")
	}
	if a := s.Call(http.MethodPost, "/v1/webauthn/authenticate/start", fields{"domain": "localhost"}); a.Status != http.StatusOK {
		t.Error("the backend's door is limited")
	}
	s.Clock.Advance(55 * time.Second)
	if w := from(t, s, "203.0.113.7:1000", door, starting, nil); w.Code != http.StatusOK {
		t.Error("the window does not end")
	}
}

func TestAReachedLimitOnAPrivateAddressHintsAtAProxy(t *testing.T) {
	s := authtest.New(t, limited())
	for range 3 * limit {
		from(t, s, "192.168.1.2:1000", door, starting, nil)
	}
	if n := strings.Count(s.Logs.String(), "--trusted-proxies"); n != 1 {
		t.Errorf("the log names --trusted-proxies %d times, want once", n)
	}
}
