package arch

import (
	"path"
	"strconv"
	"strings"
)

// layers is the dependency rule, lowest first. A package may import packages
// of lower layers only, so that whoever reads one never needs to know what is
// above it. A folder below another (store/storetest) shares its place and may
// be imported by it.
var layers = [][]string{
	{"apierr", "id", "golden", "sandbox"},
	{"secret", "store", "wire", "config", "outbound"},
	{"ratelimit", "outbox", "pkce", "breach", "strength", "jwks", "jwttemplate", "reseal"},
	{"event"},
	{"project"},
	{"delivery"},
	{"user"},
	{"emaillink"},
	{"session"},
	{"factor/*", "account", "m2m", "notice", "demo", "devidp", "ui"},
	{"bulk"},
	{"app"},
	{"cli", "authtest"},
}

// owners names for each foreign library the packages that may know it. One
// owner means one place to look when the library changes, and one to change
// when another library takes its place.
var owners = map[string][]string{
	"github.com/go-chi/chi":           {"internal/wire"},
	"github.com/jackc/pgx":            {"internal/store"},
	"modernc.org/sqlite":              {"internal/store"},
	"modernc.org/libc":                {"internal/store/lite"},
	"github.com/pressly/goose":        {"internal/store"},
	"database/sql":                    {"internal/store"},
	"github.com/go-webauthn/webauthn": {"internal/factor/webauthn"},
	"github.com/fxamacker/cbor":       {"internal/factor/webauthn"},
	"github.com/go-jose/go-jose":      {"internal/session", "internal/jwks", "internal/factor/oauth", "internal/devidp", "internal/demo"}, // the demo verifies a JWT as a customer would
	"github.com/swaggest":             {"internal/wire"},
	"github.com/boombuler/barcode":    {"internal/factor/totp"},
	"github.com/nyaruka/phonenumbers": {"internal/user"},
	"github.com/alecthomas/kong":      {"internal/cli", "internal/config"},
	"github.com/prometheus":           {"internal/app"},
	"go.opentelemetry.io/otel":        {"internal/app", "internal/wire"},
	"google.golang.org/protobuf":      {"internal/app"}, // its wire format alone, for traces
	"golang.org/x/crypto":             {"internal/secret"},
	"golang.org/x/crypto/sha3":        {"internal/factor/wallet"},
	"github.com/decred/dcrd/dcrec":    {"internal/factor/wallet"},
	"golang.org/x/net/publicsuffix":   {"internal/project", "internal/factor/webauthn"},
	"golang.org/x/net/html":           {"internal/delivery/template"},
	"golang.org/x/net/idna":           {"internal/user", "internal/delivery/smtp"},
	"github.com/wneessen/go-mail":     {"internal/delivery/smtp"},
	"github.com/emersion/go-msgauth":  {"internal/delivery/smtp"},
	"github.com/emersion/go-smtp":     {"internal/delivery/smtp/smtptest"},
	"github.com/emersion/go-sasl":     {"internal/delivery/smtp/smtptest"},
	"golang.org/x/text":               {"internal/user", "internal/factor/password"},
	"golang.org/x/term":               {"internal/cli"}, // a password that is typed is not shown
}

var importRules = []rule{
	{
		name:  "imports go down only",
		why:   "the dependency rule of ARCHITECTURE.md: whoever reads a package never needs to know what is above it, and two features never know each other",
		check: importsGoDown,
		bad: []map[string]string{
			{"internal/store/a.go": `package store; import _ "gatehouse/internal/user"`},
			{"internal/wire/a.go": `package wire; import _ "gatehouse/internal/project"`},
			{"internal/factor/totp/a.go": `package totp; import _ "gatehouse/internal/factor/otp"`},
			{"internal/user/a.go": `package user; import _ "gatehouse/internal/session"`},
			{"internal/newcomer/a.go": `package newcomer`},
			{"internal/user/a.go": `package user; import _ "gatehouse/internal/newcomer"`},
			{"cmd/gatehouse/main.go": `package main; import _ "gatehouse/internal/app"`},
			{"internal/user/a.go": `package user; import _ "gatehouse/internal/store/storetest"`},
		},
		good: []map[string]string{
			{"internal/factor/totp/a.go": `package totp; import _ "gatehouse/internal/session"`},
			{"internal/store/a.go": `package store; import _ "gatehouse/internal/store/migrations"`},
			{"internal/store/storetest/a.go": `package storetest; import _ "gatehouse/internal/store"`},
			{"internal/user/a_test.go": `package user; import _ "gatehouse/internal/store/storetest"`},
			{"cmd/gatehouse/main.go": `package main; import _ "gatehouse/internal/cli"`},
		},
	},
	{
		name:  "one owner for each library",
		why:   "a library known in one place can be understood, updated or replaced in one place; a new one is a decision to be read in review",
		check: librariesHaveOwners,
		bad: []map[string]string{
			{"internal/user/a.go": `package user; import _ "github.com/go-jose/go-jose/v4"`},
			{"internal/user/a.go": `package user; import _ "database/sql"`},
			{"internal/user/a.go": `package user; import _ "github.com/somebody/new"`},
		},
		good: []map[string]string{
			{"internal/session/a.go": `package session; import _ "github.com/go-jose/go-jose/v4/jwt"`},
			{"internal/user/a_test.go": `package user; import _ "database/sql"`},
		},
	},
	{
		name:  "net/http at the edges only",
		why:   "rules that know no HTTP can be read and tested without a server, and serve every door alike",
		check: httpAtTheEdges,
		bad: []map[string]string{
			{"internal/user/a.go": `package user; import _ "net/http"`},
			{"internal/factor/webauthn/a.go": `package webauthn; import _ "net/http"`},
		},
		good: []map[string]string{
			{"internal/wire/a.go": `package wire; import _ "net/http"`},
			{"internal/user/a_test.go": `package user; import _ "net/http"`},
		},
	},
	{
		name:  "pure Go",
		why:   "go build alone yields the whole product for every platform; unsafe and cgo end that, and math/rand in place of crypto/rand ends a secret",
		check: forbiddenImports,
		bad: []map[string]string{
			{"internal/id/a.go": `package id; import "unsafe"; var _ unsafe.Pointer`},
			{"internal/id/a.go": `package id; import "C"`},
			{"internal/id/a.go": `package id; import _ "math/rand/v2"`},
			{"internal/id/a.go": `package id; import . "strings"; var _ = ToUpper`},
		},
		good: []map[string]string{
			{"internal/store/retry.go": `package store; import _ "math/rand/v2"`},
			{"internal/id/a_test.go": `package id; import _ "math/rand/v2"`},
		},
	},
}

// layer returns where a package of the module stands and the name it stands
// there by; -1 when the table does not know it.
func layer(dir string) (int, string) {
	if within(dir, "cmd") {
		return len(layers), "cmd"
	}
	name := strings.TrimPrefix(dir, "internal/")
	for depth, row := range layers {
		for _, entry := range row {
			if parent, ok := strings.CutSuffix(entry, "/*"); ok && within(name, parent) && name != parent {
				child, _, _ := strings.Cut(strings.TrimPrefix(name, parent+"/"), "/")
				return depth, parent + "/" + child
			}
			if within(name, entry) {
				return depth, entry
			}
		}
	}
	return -1, name
}

func importsGoDown(t *tree) []string {
	var out []string
	for _, s := range t.goFiles {
		if within(s.dir, "bench", "test", "internal/arch") {
			continue
		}
		from, who := layer(s.dir)
		if from < 0 {
			out = append(out, at(s, 1, "package %s has no place in the table of layers (internal/arch/imports_test.go)", who))
			continue
		}
		for _, spec := range s.file.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			dir, ours := strings.CutPrefix(p, module+"/")
			if !ours || s.test {
				continue
			}
			to, whom := layer(dir)
			switch {
			case forTests(dir) && !forTests(s.dir):
				out = append(out, at(s, s.line(spec), "%s is for tests only", dir))
			case whom == who:
			case to < 0:
				out = append(out, at(s, s.line(spec), "%s has no place in the table of layers", dir))
			case who == "cmd" && whom != "cli":
				out = append(out, at(s, s.line(spec), "cmd imports cli only"))
			case to >= from && !forTests(s.dir):
				out = append(out, at(s, s.line(spec), "%s may not import %s: it is not below", who, whom))
			}
		}
	}
	return append(out, staleLayers(t)...)
}

// staleLayers finds rows of the table for packages that no longer exist.
func staleLayers(t *tree) []string {
	if t.deps == nil {
		return nil
	}
	var out []string
	for _, row := range layers {
		for _, entry := range row {
			dir := path.Join("internal", strings.TrimSuffix(entry, "/*"))
			exists := false
			for _, d := range t.deps {
				exists = exists || within(d, dir)
			}
			if !exists {
				out = append(out, "internal/arch/imports_test.go:1: the table of layers has "+entry+", which does not exist")
			}
		}
	}
	return out
}

func librariesHaveOwners(t *tree) []string {
	var out []string
	for _, s := range t.goFiles {
		if !product(s) {
			continue
		}
		for _, spec := range s.file.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			first, _, _ := strings.Cut(p, "/")
			if first == module || !strings.Contains(first, ".") && p != "database/sql" {
				continue
			}
			lib, may := ownersOf(p)
			if !within(s.dir, may...) {
				out = append(out, at(s, s.line(spec), "%s is for %v", lib, may))
			}
		}
	}
	return out
}

func ownersOf(p string) (string, []string) {
	best := ""
	for lib := range owners {
		if within(p, lib) && len(lib) > len(best) {
			best = lib
		}
	}
	if best == "" {
		return p + ", which has no owner in internal/arch/imports_test.go,", nil
	}
	return best, owners[best]
}

func httpAtTheEdges(t *tree) []string {
	edges := []string{
		"internal/wire", "internal/ui", "internal/demo", "internal/devidp", "internal/app", "internal/cli", "internal/authtest",
		"internal/outbound", "internal/delivery/webhook", "internal/delivery/twilio", "internal/factor/wallet/ethereum", "internal/breach",
		"internal/jwks", "internal/factor/migration", "internal/factor/oauth/provider",
	}
	var out []string
	for _, s := range t.goFiles {
		if !product(s) || within(s.dir, edges...) {
			continue
		}
		for _, spec := range s.file.Imports {
			if p, _ := strconv.Unquote(spec.Path.Value); p == "net/http" || strings.HasPrefix(p, "net/http/") {
				out = append(out, at(s, s.line(spec), "%s outside %v", p, edges))
			}
		}
	}
	return out
}

// Jitter needs no secrecy, and crypto/rand in a retry loop would only be slow.
var jitter = []string{"internal/store", "internal/outbox"}

func forbiddenImports(t *tree) []string {
	var out []string
	for _, s := range t.goFiles {
		for _, spec := range s.file.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			switch {
			case p == "unsafe" && (within(s.dir, "internal/store/lite") || !product(s)):
				// The binding to SQLite's translated C hands over addresses, and tests break the system under it.
			case p == "unsafe" && within(s.dir, "internal/secret/passhash"):
				// It names functions of the Argon2 library, which takes no memory from outside otherwise, and hands it pages of the system.
			case p == "unsafe" || p == "C":
				out = append(out, at(s, s.line(spec), "%s", p))
			case strings.HasPrefix(p, "math/rand") && product(s) && !within(s.dir, jitter...):
				out = append(out, at(s, s.line(spec), "%s outside %v", p, jitter))
			case spec.Name != nil && spec.Name.Name == ".":
				out = append(out, at(s, s.line(spec), "a dot import hides where names come from"))
			}
		}
	}
	return out
}
