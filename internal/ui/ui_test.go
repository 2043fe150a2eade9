package ui

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func pagesOf(u *UI) map[string]http.Handler {
	return map[string]http.Handler{"/": u.Start(), "/demo": u.Demo(), "/mailbox": u.Mailbox(), "/reference": u.Reference()}
}

func TestEveryPageLoadsItsFilesByTheirHash(t *testing.T) {
	u := New()
	for path, page := range pagesOf(u) {
		w := get(t, page, path)
		if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("%s answered %d, %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		if w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s may be cached without asking: a new version would not be seen", path)
		}
		refs := regexp.MustCompile(`"(/ui/[^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1)
		if len(refs) < 3 {
			t.Fatalf("%s refers to %d files, want a style, a script and an icon", path, len(refs))
		}
		for _, ref := range refs {
			asset := get(t, u.Assets(), ref[1])
			if asset.Code != 200 || !strings.Contains(asset.Header().Get("Cache-Control"), "immutable") {
				t.Errorf("%s of %s answered %d, Cache-Control %q", ref[1], path, asset.Code, asset.Header().Get("Cache-Control"))
			}
		}
	}
}

func TestPagesCarryNothingThePolicyForbids(t *testing.T) {
	forbidden := regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`)
	for path, page := range pagesOf(New()) {
		w := get(t, page, path)
		if found := forbidden.FindString(w.Body.String()); found != "" {
			t.Errorf("%s holds %q, which its policy blocks", path, found)
		}
		csp := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy lacks %s", path, want)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") || strings.Contains(csp, "*") {
			t.Errorf("%s: the policy is loose: %s", path, csp)
		}
	}
}

func TestEveryAnswerIsHardened(t *testing.T) {
	u := New()
	handlers := pagesOf(u)
	handlers["/ui/demo.js"] = u.Assets()
	handlers["/ui/nothing.js"] = u.Assets()
	handlers["/dev/info.json"] = DevInfo(func() Info { return Info{} })
	for path, h := range handlers {
		header := get(t, h, path).Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options":       "nosniff",
			"X-Frame-Options":              "DENY",
			"Referrer-Policy":              "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cross-Origin-Opener-Policy":   "same-origin",
		} {
			if header.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", path, name, header.Get(name), want)
			}
		}
		if header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s has no content security policy", path)
		}
	}
}

// The product works without the network: a page that names another host would wait for it, and tell it who reads.
func TestNoFileNamesAnotherHost(t *testing.T) {
	u := New()
	address := regexp.MustCompile(`(?i)(?:https?:)?//[a-z0-9-]+\.[a-z0-9.-]+`)
	allowed := regexp.MustCompile(`^http://www\.w3\.org$`) // the SVG namespace, which nobody fetches
	for name, f := range u.files().assets {
		for _, found := range address.FindAllString(string(f.body), -1) {
			if !allowed.MatchString(found) {
				t.Errorf("%s names %s", name, found)
			}
		}
	}
	for name, f := range u.files().pages {
		if found := address.FindString(string(f.body)); found != "" {
			t.Errorf("%s names %s", name, found)
		}
	}
}

func TestAssetsAreCachedForGoodOnlyByTheirOwnHash(t *testing.T) {
	u := New()
	f := u.files().assets["demo.js"]
	for target, want := range map[string]string{
		"/ui/demo.js?v=" + f.hash:        "public, max-age=31536000, immutable",
		"/ui/demo.js":                    "no-cache",
		"/ui/demo.js?v=0123456789abcdef": "no-cache",
	} {
		w := get(t, u.Assets(), target)
		if w.Code != 200 || w.Header().Get("Cache-Control") != want || w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("%s: %d, %v", target, w.Code, w.Header())
		}
	}
	if w := get(t, u.Assets(), "/ui/demo.js", "If-None-Match", `"`+f.hash+`"`); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("the same version again answered %d with %d bytes", w.Code, w.Body.Len())
	}
	for _, target := range []string{"/ui/", "/ui/demo.html", "/ui/..%2fui.go", "/ui/dist/demo.js", "/ui/nothing.js"} {
		if w := get(t, u.Assets(), target); w.Code != 404 {
			t.Errorf("%s answered %d", target, w.Code)
		}
	}
}

func TestDevInfoGoesOnlyToThisServersPageOnThisMachine(t *testing.T) {
	info := Info{Version: "v1", BaseURL: "http://localhost:8080", Secret: "secret-test-1"}
	h := DevInfo(func() Info { return info })
	tests := []struct {
		name, host, remote string
		headers            map[string]string
		want               int
	}{
		{"the start page", "localhost:8080", "127.0.0.1:5000", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"typed into the address bar", "localhost:8080", "127.0.0.1:5000", map[string]string{"Sec-Fetch-Site": "none"}, 200},
		{"a tool on this machine", "127.0.0.1:8080", "127.0.0.1:5000", nil, 200},
		{"over IPv6", "[::1]:8080", "[::1]:5000", nil, 200},
		{"over IPv6 without a port", "[::1]", "[::1]:5000", nil, 200},
		{"over an IPv4 address inside IPv6", "localhost", "[::ffff:127.0.0.1]:5000", nil, 200},
		{"a name rebound to this machine", "evil.example:8080", "127.0.0.1:5000", map[string]string{"Sec-Fetch-Site": "same-origin"}, 403},
		{"a name that begins like this machine", "localhost.evil.example", "127.0.0.1:5000", nil, 403},
		{"no host", "", "127.0.0.1:5000", nil, 403},
		{"another app on this machine", "localhost:8080", "127.0.0.1:5000", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"another site", "localhost:8080", "127.0.0.1:5000", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"another origin, by its own word", "localhost:8080", "127.0.0.1:5000", map[string]string{"Origin": "http://localhost:3000"}, 403},
		{"another machine", "localhost:8080", "192.168.1.7:5000", nil, 403},
		{"through a tunnel that rewrites the host", "localhost:8080", "127.0.0.1:5000", map[string]string{"X-Forwarded-For": "203.0.113.9"}, 403},
		{"through a proxy", "localhost:8080", "127.0.0.1:5000", map[string]string{"Forwarded": "for=203.0.113.9"}, 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/dev/info.json", nil)
			r.Host, r.RemoteAddr = tt.host, tt.remote
			for name, value := range tt.headers {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Fatalf("answered %d, want %d", w.Code, tt.want)
			}
			if w.Code != 200 && strings.Contains(w.Body.String(), info.Secret) {
				t.Fatal("the refusal holds the secret")
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("headers %v", w.Header())
			}
			var got Info
			if w.Code == 200 && (json.Unmarshal(w.Body.Bytes(), &got) != nil || got != info) {
				t.Errorf("answered %s", w.Body)
			}
		})
	}
}

// Every page that is served is there: the files are read at the first request,
// so a missing one would not be noticed when the server starts.
func TestEveryPageIsBuilt(t *testing.T) {
	pages := New().files().pages
	for _, name := range []string{"start", "demo", "mailbox", "reference", "hop", "services"} {
		if len(pages[name].body) == 0 {
			t.Errorf("dist does not hold the page %s; run npm run build in web/", name)
		}
	}
}
