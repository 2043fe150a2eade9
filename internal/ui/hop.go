package ui

import (
	"bytes"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"gatehouse/internal/apierr"
	"gatehouse/internal/wire"
)

// Link is what a visited link says of itself, unverified.
type Link struct {
	PublicToken string // public_token
	TokenType   string // stytch_token_type: "magic_links"
	Token       string // token
}

// Passage is what a link leads to, by the server's record.
type Passage struct {
	Destination string // where the person goes, with the token in it; "" when the link leads nowhere any more
	AppName     string // "Acme"; shown, may be ""
	SameBrowser bool   // the browser that asked for the link opens it: forward at once
	Answer      string // two digits that a person copies when no gesture could be seen; required with Destination
}

// passable refuses what would strand the reader: the fault is the server's.
func (p Passage) passable() error {
	u, err := url.Parse(p.Destination)
	switch {
	case err != nil:
		return errors.New("the destination of a link is not a URL")
	case u.Scheme == "":
		return errors.New("the destination of a link has no scheme")
	case p.Answer == "":
		return errors.New("a link has a destination but no answer")
	}
	return nil
}

// maxForm is far above what the page's form can hold, in bytes.
const maxForm = 4 << 10

type hop struct {
	page  func() *template.Template
	words func() map[string]hopWords // by language
	visit func(*http.Request, Link) (Passage, error)
}

// Hop serves GET, HEAD and POST /v1/magic_links/redirect, where e-mailed links
// point. Mount it with wire.Raw, for GET and POST, open to everybody. visit
// looks a link up and never changes anything: scanners visit a link any number
// of times before its reader does, and none of that may use it up.
//
// GET forwards (303) the browser that asked for the link, unless it only
// prefetches; everybody else gets a page with one button. HEAD never forwards.
// POST is that button: it forwards when the page's script saw the gesture of a
// person, or when the person typed the number that the page asks for, and shows
// the page again (422) otherwise. A link that leads nowhere any more answers
// 410, one that cannot be read 400; a verdict of visit keeps its status and
// message. Everything that decides where a person goes comes from visit; the
// body of a POST is read for gesture and answer only.
//
// The page stops scanners, it is no secret's guard: a program made for it can
// claim a gesture or copy the number, and gets what the mail already held.
// What binds a link to the browser that asked for it is PKCE, with or without
// this page.
func (u *UI) Hop(visit func(r *http.Request, l Link) (Passage, error)) http.Handler {
	return &hop{
		// Read at the first visit: a server that mails no links does without.
		page: sync.OnceValue(func() *template.Template {
			return template.Must(template.New("hop").Option("missingkey=error").Parse(string(u.files().pages["hop"].body)))
		}),
		words: sync.OnceValue(mustReadWords),
		visit: visit,
	}
}

// ServeHTTP implements http.Handler.
func (h *hop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hopHeaders(w.Header())
	say := h.words()[preferred(r.Header.Get("Accept-Language"), h.words())]
	var press *hopPress // nil but for POST
	posted := r.Method == http.MethodPost
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		h.show(w, r, http.StatusMethodNotAllowed, say.notice(say.Broken, say.BrokenNext))
		return
	}
	link, ok := readLink(r.URL.RawQuery)
	if ok && posted {
		if !fromThisPage(r) {
			h.show(w, r, http.StatusForbidden, say.notice(say.Foreign, say.ForeignNext))
			return
		}
		press, ok = readPress(w, r)
	}
	if !ok {
		h.show(w, r, http.StatusBadRequest, say.notice(say.Broken, say.BrokenNext))
		return
	}
	p, err := h.visit(r, link)
	if err == nil && p.Destination == "" {
		h.show(w, r, http.StatusGone, say.expired(p.AppName))
		return
	}
	if err == nil {
		err = p.passable()
	}
	switch {
	case err != nil:
		h.fail(w, r, say, err)
	case posted && press.passes(p), r.Method == http.MethodGet && p.SameBrowser && opened(r):
		w.Header().Set("Location", p.Destination)
		w.WriteHeader(http.StatusSeeOther)
	case posted:
		h.show(w, r, http.StatusUnprocessableEntity, say.asking(p, press))
	default:
		h.show(w, r, http.StatusOK, say.asking(p, nil))
	}
}

// fail shows a verdict in its own words, which are English, and an accident in
// ours; the cause goes to the log.
func (h *hop) fail(w http.ResponseWriter, r *http.Request, say hopWords, err error) {
	// The envelope is for programs and goes nowhere: wire only learns what was refused, and why.
	envelope := unread{}
	wire.Fail(envelope, r, err)
	if after := envelope.Header().Get("Retry-After"); after != "" {
		w.Header().Set("Retry-After", after)
	}
	if e := apierr.From(err); e != nil {
		english := h.words()["en"]
		h.show(w, r, e.Status, english.notice(english.Refused, e.Message))
		return
	}
	h.show(w, r, http.StatusInternalServerError, say.notice(say.Failed, say.FailedNext))
}

// show answers with the page. HEAD gets the same headers.
func (h *hop) show(w http.ResponseWriter, r *http.Request, status int, v hopView) {
	var body bytes.Buffer
	if err := h.page().Execute(&body, v); err != nil {
		wire.Fail(w, r, fmt.Errorf("render the page of a link: %w", err))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes()) // fails when the client has gone: nobody to tell
	}
}

// hopPolicy says nothing of form-action. Chrome holds every redirect that
// follows a form against it, also those that the app's own address makes
// later: a login that ends on another host, or in a native app, would be
// blocked after its token was used. The form posts to the page's own address,
// and html/template leaves nothing on the page that could make another form.
const hopPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

func hopHeaders(h http.Header) {
	secureHeaders(h)
	h.Set("Content-Security-Policy", hopPolicy)
	h.Set("Referrer-Policy", "no-referrer") // the page's address holds the token
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
}

// readLink reads a link's query. A parameter that is there twice would be read
// differently by whoever else reads the link, so such a link is refused.
func readLink(query string) (Link, bool) {
	values, err := url.ParseQuery(query)
	if err != nil || repeated(values) {
		return Link{}, false
	}
	l := Link{
		PublicToken: values.Get("public_token"),
		TokenType:   values.Get("stytch_token_type"),
		// Mail programs take the sentence's punctuation into a link that ends it.
		Token: strings.TrimRight(values.Get("token"), `.,:!?)>]}"'`),
	}
	return l, l.PublicToken != "" && l.Token != ""
}

func repeated(values url.Values) bool {
	for _, v := range values {
		if len(v) > 1 {
			return true
		}
	}
	return false
}

// hopPress is what the page's form says.
type hopPress struct{ gesture, answer string }

// readPress reads the body alone: what the query says of gesture and answer
// was in the mail.
func readPress(w http.ResponseWriter, r *http.Request) (*hopPress, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil || repeated(r.PostForm) {
		return nil, false
	}
	return &hopPress{
		gesture: r.PostForm.Get("gesture"),
		answer:  strings.TrimSpace(r.PostForm.Get("answer")),
	}, true
}

// passes tells whether a person pressed. The gestures are those of judge.ts.
func (f hopPress) passes(p Passage) bool {
	switch f.gesture {
	case "mouse", "touch", "pen", "keyboard":
		return true
	}
	return p.Answer != "" && subtle.ConstantTimeCompare([]byte(f.answer), []byte(p.Answer)) == 1
}

// fromThisPage tells whether this page posted the form. Its referrer policy
// makes browsers send "Origin: null", so Sec-Fetch-Site decides, and Origin
// only for browsers too old to send that.
func fromThisPage(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		origin := r.Header.Get("Origin")
		return origin == "" || origin == "null" || origin == "https://"+r.Host || origin == "http://"+r.Host
	}
	return false
}

// opened tells whether somebody opens the link in a tab, as opposed to a
// browser that fetches it in case somebody will, or into another page.
func opened(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	into := r.Header.Get("Sec-Fetch-Dest")
	return into == "" || into == "document"
}

// unread is an answer that nobody gets.
type unread http.Header

func (u unread) Header() http.Header         { return http.Header(u) }
func (u unread) Write(b []byte) (int, error) { return len(b), nil }
func (u unread) WriteHeader(int)             {}

//go:embed hop.json
var hopTexts []byte

// mustReadWords reads what the page says in each language.
func mustReadWords() map[string]hopWords {
	words := map[string]hopWords{}
	strict := json.NewDecoder(bytes.NewReader(hopTexts))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&words); err != nil {
		panic("ui: hop.json: " + err.Error())
	}
	for lang, w := range words {
		w.lang = lang
		words[lang] = w
	}
	return words
}
