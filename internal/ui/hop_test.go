package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/wire"
)

const (
	hopPath = "/v1/magic_links/redirect"
	hopLink = hopPath + "?public_token=public-1&stytch_token_type=magic_links&token=secret-token"
	hopGoal = "https://app.example.com/authenticate?stytch_token_type=magic_links&token=secret-token"
)

var errHopToken = apierr.New(401, "unknown_public_token", "This link belongs to no project here. Ask for a new one.")

// hopDoor is the page as it is mounted, with a record of visits.
type hopDoor struct {
	*wire.Server
	passage Passage
	err     error
	visits  []Link
	log     bytes.Buffer
}

func newHopDoor(p Passage) *hopDoor {
	d := &hopDoor{passage: p}
	page := New().Hop(func(_ *http.Request, l Link) (Passage, error) {
		d.visits = append(d.visits, l)
		return d.passage, d.err
	})
	d.Server = wire.NewServer(wire.Config{
		Now:    func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
		Logger: slog.New(slog.NewTextHandler(&d.log, nil)),
	},
		wire.Raw(http.MethodGet, hopPath, wire.Open, page, wire.NoStore()),
		wire.Raw(http.MethodPost, hopPath, wire.Open, page, wire.NoStore()))
	return d
}

// acme is where a link leads in these tests.
func acme() Passage { return Passage{Destination: hopGoal, AppName: "Acme", Answer: "47"} }

func (d *hopDoor) call(t *testing.T, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	checkHopHeaders(t, method+" "+target, w.Header())
	return w
}

func checkHopHeaders(t *testing.T, what string, h http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"Cache-Control":                "no-store",
		"Referrer-Policy":              "no-referrer",
		"X-Robots-Tag":                 "noindex",
		"X-Frame-Options":              "DENY",
		"X-Content-Type-Options":       "nosniff",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Content-Security-Policy":      hopPolicy,
	} {
		if h.Get(name) != want {
			t.Errorf("%s: %s is %q, want %q", what, name, h.Get(name), want)
		}
	}
}

func wantPage(t *testing.T, w *httptest.ResponseRecorder, status int, texts ...string) {
	t.Helper()
	if w.Code != status || w.Header().Get("Location") != "" || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("answered %d, Location %q, %s; want a page with %d", w.Code, w.Header().Get("Location"), w.Header().Get("Content-Type"), status)
	}
	for _, text := range texts {
		if !strings.Contains(w.Body.String(), text) {
			t.Errorf("the page lacks %q:\n%s", text, w.Body)
		}
	}
	for name, values := range w.Header() {
		if strings.Contains(strings.Join(values, " "), "secret-token") || strings.Contains(strings.Join(values, " "), "app.example.com") {
			t.Errorf("the header %s tells where the link leads", name)
		}
	}
	if strings.Contains(w.Body.String(), "secret-token") || strings.Contains(w.Body.String(), "app.example.com") {
		t.Error("the page tells where the link leads")
	}
}

func wantForward(t *testing.T, w *httptest.ResponseRecorder, to string) {
	t.Helper()
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != to || w.Body.Len() != 0 {
		t.Fatalf("answered %d, Location %q, %d bytes; want 303 to %s", w.Code, w.Header().Get("Location"), w.Body.Len(), to)
	}
}

func TestALinkShowsOneButton(t *testing.T) {
	d := newHopDoor(acme())
	w := d.call(t, "GET", hopLink, "")
	wantPage(t, w, 200, "<h1>Continue to Acme</h1>", "To go on, type the number 47", `name="answer"`, `inputmode="numeric"`, `<form id="hop" method="post"`)
	if n := strings.Count(w.Body.String(), "<button"); n != 1 {
		t.Errorf("%d buttons", n)
	}
	if strings.Contains(w.Body.String(), "gesture") || strings.Contains(w.Body.String(), "aria-invalid") {
		t.Error("the page offers a gesture to send, or begins with an error")
	}
	if want := (Link{"public-1", "magic_links", "secret-token"}); len(d.visits) != 1 || d.visits[0] != want {
		t.Errorf("visited %+v", d.visits)
	}
	refs := regexp.MustCompile(`"(/ui/[^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1)
	if len(refs) != 3 {
		t.Errorf("the page refers to %d files, want a style, a script and an icon", len(refs))
	}
	for _, ref := range refs {
		if asset := get(t, New().Assets(), ref[1]); !strings.Contains(asset.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s is not served by its hash", ref[1])
		}
	}
	if found := regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`).FindString(w.Body.String()); found != "" {
		t.Errorf("the page holds %q, which its policy blocks", found)
	}
}

func TestPolicyOfTheHopIsStrict(t *testing.T) {
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "trusted-types 'none'"} {
		if !strings.Contains(hopPolicy, want) {
			t.Errorf("the policy lacks %s", want)
		}
	}
	if strings.Contains(hopPolicy, "unsafe") || strings.Contains(hopPolicy, "http") || strings.Contains(hopPolicy, "*") {
		t.Errorf("the policy is loose: %s", hopPolicy)
	}
}

func TestHeadSaysWhatGetSaysWithoutForwarding(t *testing.T) {
	for name, p := range map[string]Passage{"open": acme(), "expired": {AppName: "Acme"}} {
		d := newHopDoor(p)
		page, head := d.call(t, "GET", hopLink, ""), d.call(t, "HEAD", hopLink, "")
		if head.Code != page.Code || head.Body.Len() != 0 || head.Header().Get("Content-Length") != page.Header().Get("Content-Length") {
			t.Errorf("%s: HEAD answered %d with %d bytes, GET %d; lengths %q and %q", name, head.Code, head.Body.Len(), page.Code,
				head.Header().Get("Content-Length"), page.Header().Get("Content-Length"))
		}
	}
	same := acme()
	same.SameBrowser = true
	wantPage(t, newHopDoor(same).call(t, "HEAD", hopLink, ""), 200)
}

// Whoever asks, however often: the person's own press works after it.
func TestScannersNeverGetThrough(t *testing.T) {
	agents := []string{"", "MSOffice 16", "Mozilla/5.0 (compatible; Barracuda)", "proofpoint"}
	if raw, err := os.ReadFile("../../../shared/vectors/email-link-scanners.json"); err != nil {
		t.Log("without the list of scanners: ", err)
	} else {
		var vectors struct {
			Agents []string `json:"user_agent_samples"`
		}
		if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors.Agents) == 0 {
			t.Fatal("the list of scanners cannot be read: ", err)
		}
		agents = vectors.Agents
	}
	d := newHopDoor(acme())
	for _, agent := range agents {
		for range 10 {
			wantPage(t, d.call(t, "HEAD", hopLink, "", "User-Agent", agent), 200)
			wantPage(t, d.call(t, "GET", hopLink, "", "User-Agent", agent), 200)
		}
		wantPage(t, d.call(t, "POST", hopLink, "", "User-Agent", agent), 422)
	}
	wantForward(t, d.call(t, "POST", hopLink, "gesture=mouse", "Sec-Fetch-Site", "same-origin", "Origin", "null"), hopGoal)
}

func TestTheSameBrowserGoesOnAtOnce(t *testing.T) {
	same := acme()
	same.SameBrowser = true
	tests := []struct {
		name    string
		headers []string
		forward bool
	}{
		{"opened in a tab", []string{"Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site"}, true},
		{"opened by a browser that says nothing", nil, true},
		{"prefetched", []string{"Sec-Purpose", "prefetch"}, false},
		{"prerendered", []string{"Sec-Purpose", "prefetch;prerender"}, false},
		{"prefetched, by the older header", []string{"Purpose", "prefetch"}, false},
		{"previewed", []string{"X-Purpose", "preview"}, false},
		{"prefetched by an old Firefox", []string{"X-Moz", "prefetch"}, false},
		{"fetched by a script", []string{"Sec-Fetch-Dest", "empty"}, false},
		{"as an image", []string{"Sec-Fetch-Dest", "image"}, false},
		{"in a frame", []string{"Sec-Fetch-Dest", "iframe"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newHopDoor(same).call(t, "GET", hopLink, "", tt.headers...)
			if tt.forward {
				wantForward(t, w, hopGoal)
			} else {
				wantPage(t, w, 200, "Continue to Acme")
			}
		})
	}
}

func TestAPersonsPressGoesOn(t *testing.T) {
	for _, body := range []string{"gesture=mouse", "gesture=touch", "gesture=pen", "gesture=keyboard", "answer=47", "answer=+47+", "gesture=keyboard&answer=", "gesture=&answer=47"} {
		wantForward(t, newHopDoor(acme()).call(t, "POST", hopLink, body, "Sec-Fetch-Site", "same-origin", "Origin", "null"), hopGoal)
	}
	app := acme()
	app.Destination = "slack://auth/callback?token=secret-token"
	wantForward(t, newHopDoor(app).call(t, "POST", hopLink, "answer=47"), app.Destination)
}

func TestHostilePosts(t *testing.T) {
	tests := []struct {
		name, target, body string
		headers            []string
		status             int
		text               string
	}{
		{"empty", hopLink, "", nil, 422, "Type the number to go on."},
		{"an empty answer", hopLink, "answer=", nil, 422, "Type the number to go on."},
		{"a wrong answer", hopLink, "answer=48", nil, 422, "That is not the number. Type 47 to go on."},
		{"an answer that begins right", hopLink, "answer=470", nil, 422, "That is not the number"},
		{"half an answer", hopLink, "answer=4", nil, 422, "That is not the number"},
		{"a gesture that nobody makes", hopLink, "gesture=true", nil, 422, "Type the number to go on."},
		{"every field filled with the same", hopLink, "answer=test&gesture=test", nil, 422, "That is not the number"},
		{"two answers", hopLink, "answer=47&answer=48", nil, 400, "This link is damaged"},
		{"two gestures", hopLink, "gesture=mouse&gesture=mouse", nil, 400, "This link is damaged"},
		{"the gesture in the link", hopLink + "&gesture=mouse", "", nil, 422, "Type the number to go on."},
		{"the answer in the link", hopLink + "&answer=47", "", nil, 422, "Type the number to go on."},
		{"a gesture as JSON", hopLink, `{"gesture":"mouse"}`, []string{"Content-Type", "application/json"}, 422, "Type the number"},
		{"a gesture as text", hopLink, "gesture=mouse", []string{"Content-Type", "text/plain"}, 422, "Type the number"},
		{"a content type that is none", hopLink, "gesture=mouse", []string{"Content-Type", ";"}, 400, "This link is damaged"},
		{"a broken body", hopLink, "gesture=%zz", nil, 400, "This link is damaged"},
		{"a body without end", hopLink, "gesture=mouse&x=" + strings.Repeat("x", maxForm), nil, 400, "This link is damaged"},
		{"the token in the body alone", hopPath, "gesture=mouse&public_token=public-1&stytch_token_type=magic_links&token=secret-token", nil, 400, "This link is damaged"},
		{"from another site", hopLink, "gesture=mouse", []string{"Sec-Fetch-Site", "cross-site"}, 403, "Open the link from your e-mail"},
		{"from a neighbour", hopLink, "gesture=mouse", []string{"Sec-Fetch-Site", "same-site"}, 403, "Open the link from your e-mail"},
		{"from another site, by an old browser", hopLink, "gesture=mouse", []string{"Origin", "https://evil.example"}, 403, "Open the link from your e-mail"},
		{"from a name that ends in ours", hopLink, "gesture=mouse", []string{"Origin", "https://evil-example.com"}, 403, "Open the link from your e-mail"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newHopDoor(acme())
			w := d.call(t, "POST", tt.target, tt.body, tt.headers...)
			wantPage(t, w, tt.status, tt.text)
			if tt.status != 422 && len(d.visits) != 0 {
				t.Error("the link was looked up")
			}
			if tt.status == 422 && !strings.Contains(w.Body.String(), `class="field hop-question hop-asked"`) {
				t.Error("the question is not open")
			}
		})
	}
	t.Run("a body cannot name another token", func(t *testing.T) {
		d := newHopDoor(acme())
		wantForward(t, d.call(t, "POST", hopLink, "gesture=mouse&token=other&public_token=other"), hopGoal)
		if d.visits[0].Token != "secret-token" || d.visits[0].PublicToken != "public-1" {
			t.Errorf("visited %+v", d.visits[0])
		}
	})
}

func TestSecurity28DamagedLinksAreNotLookedUp(t *testing.T) {
	for name, query := range map[string]string{
		"a token twice":           "public_token=p&token=a&token=b&stytch_token_type=magic_links",
		"a public token twice":    "public_token=p&public_token=p&token=a",
		"a type twice":            "public_token=p&token=a&stytch_token_type=magic_links&stytch_token_type=oauth",
		"another parameter twice": "public_token=p&token=a&next=x&next=y",
		"twice by an escape":      "public_token=p&token=a&t%6Fken=b",
		"no token":                "public_token=p&stytch_token_type=magic_links",
		"an empty token":          "public_token=p&token=",
		"no public token":         "token=a",
		"nothing":                 "",
		"a broken escape":         "public_token=p&token=%zz",
		"semicolons":              "public_token=p;token=a",
	} {
		d := newHopDoor(acme())
		wantPage(t, d.call(t, "GET", hopPath+"?"+query, ""), 400, "This link is damaged", "ask for a new link")
		wantPage(t, d.call(t, "POST", hopPath+"?"+query, "gesture=mouse"), 400)
		if len(d.visits) != 0 {
			t.Errorf("%s: the link was looked up: %+v", name, d.visits)
		}
	}
}

func TestPunctuationThatTheMailProgramAddedIsNoPartOfTheToken(t *testing.T) {
	for _, tail := range []string{".", ",", "%3E", ")", "%22)."} {
		d := newHopDoor(acme())
		wantPage(t, d.call(t, "GET", hopLink+tail, ""), 200)
		if d.visits[0].Token != "secret-token" {
			t.Errorf("%s: visited %+v", tail, d.visits[0])
		}
	}
	d := newHopDoor(acme())
	d.call(t, "GET", hopPath+"?public_token=p&token=DOYoip3rvIMMW5lgItikFK-Ak1CfMsgjuiCyI7uuU94=", "")
	if d.visits[0].Token != "DOYoip3rvIMMW5lgItikFK-Ak1CfMsgjuiCyI7uuU94=" {
		t.Errorf("padding was taken for punctuation: %+v", d.visits[0])
	}
}

func TestALinkThatLeadsNowhereDoesNotForward(t *testing.T) {
	for _, p := range []Passage{{}, {SameBrowser: true, Answer: "47"}} {
		for _, method := range []string{"GET", "POST"} {
			w := newHopDoor(p).call(t, method, hopLink, "gesture=mouse")
			wantPage(t, w, 410, "<h1>This link has expired or was already used</h1>", "Ask for a new link")
			if strings.Contains(w.Body.String(), "<form") || strings.Contains(w.Body.String(), "<script") {
				t.Error("the page has a form or a script")
			}
		}
	}
	wantPage(t, newHopDoor(Passage{AppName: "Acme"}).call(t, "GET", hopLink, ""), 410, "Go back to Acme and ask for a new link.")
}

func TestVerdictsAndAccidents(t *testing.T) {
	d := newHopDoor(Passage{})
	d.err = errHopToken.Because(errors.New("no such row")).WithRetryAfter(3 * time.Second)
	w := d.call(t, "GET", hopLink, "", "Accept-Language", "fr")
	wantPage(t, w, 401, `lang="en"`, "This link cannot be opened", "This link belongs to no project here. Ask for a new one.")
	if w.Header().Get("Retry-After") != "3" || strings.Contains(w.Body.String(), "no such row") {
		t.Errorf("Retry-After %q, page %s", w.Header().Get("Retry-After"), w.Body)
	}
	if log := d.log.String(); !strings.Contains(log, "unknown_public_token") || !strings.Contains(log, "no such row") {
		t.Errorf("the log does not say why: %s", log)
	}
	accidents := map[string]func(*hopDoor){
		"disk full":     func(d *hopDoor) { d.err = errors.New("disk full") },
		"has no scheme": func(d *hopDoor) { d.passage.Destination = "/authenticate?token=secret-token" },
		"is not a URL":  func(d *hopDoor) { d.passage.Destination = "https://app.example.com:x/?token=secret-token" },
		"but no answer": func(d *hopDoor) { d.passage.Answer = "" },
	}
	for cause, spoil := range accidents {
		d := newHopDoor(acme())
		spoil(d)
		for _, method := range []string{"GET", "POST"} {
			w := d.call(t, method, hopLink, "answer=")
			wantPage(t, w, 500, "Something went wrong", "Your link was not used.")
			if strings.Contains(w.Body.String(), cause) {
				t.Errorf("the page tells the cause: %s", cause)
			}
		}
		if log := d.log.String(); !strings.Contains(log, cause) || strings.Contains(log, "secret-token") {
			t.Errorf("want %q in the log, and no token: %s", cause, log)
		}
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	page := New().Hop(func(*http.Request, Link) (Passage, error) {
		t.Error("the link was looked up")
		return acme(), nil
	})
	for _, method := range []string{"PUT", "DELETE", "OPTIONS", "PATCH"} {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequest(method, hopLink, nil))
		checkHopHeaders(t, method, w.Header())
		if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("%s answered %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

func TestTheAppsNameIsText(t *testing.T) {
	p := acme()
	p.AppName = `<img src=x onerror=alert(1)>"Acme" {{.Answer}}`
	w := newHopDoor(p).call(t, "GET", hopLink, "")
	wantPage(t, w, 200, "&lt;img src=x onerror=alert(1)&gt;&#34;Acme&#34; {{.Answer}}")
	if strings.Contains(w.Body.String(), "<img") {
		t.Error("the name became markup")
	}
	p.AppName = ""
	wantPage(t, newHopDoor(p).call(t, "GET", hopLink, ""), 200, "<h1>Continue</h1>")
}

func TestThePageSpeaksTheReadersLanguage(t *testing.T) {
	for header, want := range map[string]string{
		"":                              "en",
		"fr":                            "fr",
		"fr-CA, en;q=0.8":               "fr",
		"de, es;q=0.7, en;q=0.5":        "es",
		"en;q=0.5, es-419;q=0.9":        "es",
		"pt":                            "pt-br",
		"PT-br":                         "pt-br",
		"pt-PT":                         "pt-br",
		"de, ja":                        "en",
		"fr;q=0":                        "en",
		"*":                             "en",
		"es;q=nonsense, fr ; q=0.1":     "fr",
		"en, fr":                        "en",
		",,;;q=1,=":                     "en",
		strings.Repeat("x", 4000) + ",": "en",
	} {
		w := newHopDoor(acme()).call(t, "GET", hopLink, "", "Accept-Language", header)
		wantPage(t, w, 200, `<html lang="`+want+`">`)
	}
	wantPage(t, newHopDoor(acme()).call(t, "GET", hopLink, "", "Accept-Language", "fr"), 200, "Continuer vers Acme", "saisissez le nombre 47")
}

func TestEveryLanguageSaysEverything(t *testing.T) {
	words := map[string]map[string]string{}
	if err := json.Unmarshal(hopTexts, &words); err != nil {
		t.Fatal(err)
	}
	for _, lang := range []string{"en", "es", "pt-br", "fr"} {
		for key, english := range words["en"] {
			text := words[lang][key]
			if key == "refused" && lang != "en" {
				continue
			}
			if text == "" || strings.Count(text, "%s") != strings.Count(english, "%s") || strings.Count(text, "%") != strings.Count(text, "%s") {
				t.Errorf("%s: %s is %q", lang, key, text)
			}
		}
	}
	if len(words) != 4 {
		t.Errorf("%d languages, and this test knows 4", len(words))
	}
}
