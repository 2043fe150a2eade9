// Package ui owns the pages the binary carries: the start page, the mailbox and the demo's page of `gatehouse dev`, the
// API reference, the page behind e-mailed links (Hop) and the frame of the official browser SDK (Services). It serves
// the files built from web/ (dist is committed), each under a strict content security policy and with a content hash in
// its address. It never reads the database and never imports a domain: what a page shows comes from the API, from the
// demo's backend or from what it is given.
package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"
)

//go:embed dist
var dist embed.FS

// Prefix is where Assets must be mounted: the pages refer to their scripts and styles by it.
const Prefix = "/ui/"

// UI serves the built files. It reads them at the first request: most servers are asked for a page now and then
// only, and need not hold the files until then. It is safe for concurrent use.
type UI struct{ files func() *files }

// files are the built files with their hashes.
type files struct {
	pages  map[string]file // by page name: "start", "demo", "mailbox", "reference"
	assets map[string]file // by file name: "demo.js"
}

type file struct {
	name string
	body []byte
	hash string
}

// assetRef finds the addresses in the pages that get a content hash.
var assetRef = regexp.MustCompile(`"` + Prefix + `([a-z0-9.-]+)"`)

// New returns the pages, with nothing read yet.
func New() *UI { return &UI{files: sync.OnceValue(mustRead)} }

// mustRead reads the embedded files and writes the content hashes into the pages. It panics when a page refers to
// a file that is not there: the build is broken then, and the package's tests say so first.
func mustRead() *files {
	all := &files{pages: map[string]file{}, assets: map[string]file{}}
	pages := map[string][]byte{}
	entries, err := fs.ReadDir(dist, "dist")
	if err != nil {
		panic("ui: " + err.Error())
	}
	for _, e := range entries {
		body, err := dist.ReadFile("dist/" + e.Name())
		if err != nil {
			panic("ui: " + err.Error())
		}
		if page, ok := strings.CutSuffix(e.Name(), ".html"); ok {
			pages[page] = body
			continue
		}
		all.assets[e.Name()] = newFile(e.Name(), body)
	}
	for page, body := range pages {
		all.pages[page] = newFile(page+".html", assetRef.ReplaceAllFunc(body, all.address))
	}
	return all
}

func newFile(name string, body []byte) file {
	sum := sha256.Sum256(body)
	return file{name: name, body: body, hash: hex.EncodeToString(sum[:8])}
}

// address turns a quoted "/ui/demo.js" into "/ui/demo.js?v=<hash>".
func (u *files) address(quoted []byte) []byte {
	name := string(assetRef.FindSubmatch(quoted)[1])
	asset, ok := u.assets[name]
	if !ok {
		panic("ui: a page refers to " + name + ", which dist does not hold; run npm run build in web/")
	}
	return []byte(`"` + Prefix + name + "?v=" + asset.hash + `"`)
}

// Start serves the page at / of `gatehouse dev`. It reads /dev/info.json (DevInfo).
func (u *UI) Start() http.Handler { return u.page("start") }

// Demo serves the demo's page at /demo. It reads /demo/api (package demo) and /sdk/v1.
func (u *UI) Demo() http.Handler { return u.page("demo") }

// Mailbox serves the page at /mailbox of `gatehouse dev`. It reads what DevMailbox and DevMailboxHTML serve, and alone
// of all pages has a frame: an e-mail of its own server, as it looks.
func (u *UI) Mailbox() http.Handler { return u.page("mailbox", "; frame-src 'self'") }

// Reference serves the API reference at /reference, in development and production. It reads /openapi.json.
func (u *UI) Reference() http.Handler { return u.page("reference") }

// page answers with one page. Pages are revalidated on every visit and cost 304 Not Modified when unchanged. What one
// needs beyond the policy of all follows its name.
func (u *UI) page(name string, more ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secureHeaders(w.Header())
		w.Header().Set("Content-Security-Policy", policy+strings.Join(more, ""))
		w.Header().Set("Cache-Control", "no-cache")
		u.files().pages[name].serve(w, r)
	})
}

// Assets serves the pages' scripts, styles and images; mount it at Prefix. An address that carries the file's
// content hash may be cached for good, any other is revalidated.
func (u *UI) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secureHeaders(w.Header())
		f, ok := u.files().assets[strings.TrimPrefix(r.URL.Path, Prefix)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		if r.URL.Query().Get("v") == f.hash {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		f.serve(w, r)
	})
}

// serve answers GET and HEAD, with ranges and If-None-Match.
func (f file) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"`+f.hash+`"`)
	w.Header().Set("Content-Type", contentType(f.name))
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(f.body))
}

// contentType does not ask the machine's mime tables: they differ, and a wrong type with nosniff is a blank page.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// policy lets a page load its own files and call its own server, and nothing else: no inline script or style,
// no other host, no frames, no HTML made from strings.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

func secureHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
}
