package ui

import (
	"regexp"
	"strings"
	"testing"
)

// The frame of the browser SDK is the one page that others may embed, so
// nothing is in it that could be seen, pressed or read.
func TestServicesFrameGivesItsEmbedderNothing(t *testing.T) {
	u := New()
	w := get(t, u.Services(), ServicesPath)
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("answered %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
	for name, want := range map[string]string{
		"Content-Security-Policy":      "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "",
		"Cross-Origin-Resource-Policy": "cross-origin",
		"Referrer-Policy":              "same-origin",
		"Cache-Control":                "no-cache",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	body := w.Body.String()
	if !strings.Contains(body, "<body></body>") {
		t.Errorf("the page shows something: %s", body)
	}
	refs := regexp.MustCompile(`"(/ui/[^"]+)"`).FindAllStringSubmatch(body, -1)
	if len(refs) != 1 {
		t.Fatalf("the page loads %v, want its script alone", refs)
	}
	asset := get(t, u.Assets(), refs[0][1])
	if asset.Code != 200 || !strings.Contains(asset.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("%s answered %d, Cache-Control %q", refs[0][1], asset.Code, asset.Header().Get("Cache-Control"))
	}
	script := asset.Body.String()
	if found := regexp.MustCompile(`XMLHttpRequest|localStorage|sessionStorage|indexedDB|\.cookie\s*=[^=]|sendBeacon|https?://`).FindString(script); found != "" {
		t.Errorf("the script of a frame that asks this server alone and keeps nothing uses %s", found)
	}
	// Google One Tap is why it asks at all.
	if n := strings.Count(script, "fetch("); n != 1 || !strings.Contains(script, "../v1/") {
		t.Errorf("the script asks in %d places", n)
	}
}
