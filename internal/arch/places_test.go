package arch

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// sqlText tells a statement from a sentence: keywords as SQL is written here,
// or the whole shape of a statement in any case.
var sqlText = regexp.MustCompile(`\b(SELECT\s[\s\S]+\sFROM\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|CREATE\s+(UNIQUE\s+)?(TABLE|INDEX)\s|ALTER\s+TABLE\s|DROP\s+(TABLE|INDEX)\s|PRAGMA\s+\w)` +
	`|(?i:^\s*(select\s[\s\S]+\sfrom\s+\w+\s*(where\b|order\s+by\b|limit\b|$)|insert\s+into\s+\w+\s*\(|update\s+\w+\s+set\s+\w+\s*=|delete\s+from\s+\w+\s*(where\b|$)))`)

var placeRules = []rule{
	{
		name:  "SQL in store files only",
		why:   "whoever asks what touches a table reads the store.go of the package that owns it and nothing else",
		check: sqlInStores,
		bad: []map[string]string{
			{"internal/user/a.go": "package user; const q = `SELECT id FROM users`"},
			{"internal/user/a.go": "package user; const q = `\n\tINSERT INTO users (id) VALUES ($1)`"},
			{"internal/user/a.go": "package user; const q = `delete from users where id = $1`"},
		},
		good: []map[string]string{
			{"internal/user/store.go": "package user; const q = `SELECT id FROM users`"},
			{"internal/user/search_store.go": "package user; const q = `SELECT id FROM users`"},
			{"internal/store/a.go": "package store; const q = `PRAGMA journal_mode`"},
			{"internal/user/a_test.go": "package user; const q = `SELECT id FROM users`"},
			{"internal/user/a.go": "package user; const s = `Select one of the users from the list.`"},
		},
	},
	{
		name:  "no transaction in a context",
		why:   "the transaction is a parameter, so that a signature shows what runs inside one; contexts carry the call, the caller or the operator, the session presented and the mark of an open transaction, no more",
		check: contextValues,
		bad: []map[string]string{
			{"internal/user/a.go": `package user; import "context"; func f(ctx context.Context) { _ = context.WithValue(ctx, 1, 2) }`},
		},
		good: []map[string]string{
			{"internal/wire/a.go": `package wire; import "context"; func f(ctx context.Context) { _ = context.WithValue(ctx, 1, 2) }`},
		},
	},
	{
		name:  "panic only where a program is put together",
		why:   "a request must end in an answer; what is wrong before the first one (a route without auth, a broken embedded file) may stop the start, and what cannot happen says beside it why not",
		check: panics,
		bad: []map[string]string{
			{"internal/user/a.go": `package user; func f() { panic("no") }`},
		},
		good: []map[string]string{
			{"internal/user/a.go": "package user; func f() {\n\tpanic(\"no\") // a string always encodes\n}"},
			{"internal/wire/server.go": `package wire; func NewServer() { panic("route without auth") }`},
			{"internal/user/a.go": `package user; func mustParse() { panic("no") }`},
			{"internal/user/a_test.go": `package user; func f() { panic("no") }`},
		},
	},
	{
		name:  "no init functions",
		why:   "features are listed in app by name; nothing happens because a file was linked in",
		check: inits,
		bad:   []map[string]string{{"internal/user/a.go": `package user; func init() {}`}},
		good:  []map[string]string{{"internal/user/a.go": `package user; type t int; func (t) init() {}`}},
	},
}

func inStore(s *source) bool {
	base := path.Base(s.path)
	return within(s.dir, "internal/store") || base == "store.go" || strings.HasSuffix(base, "_store.go")
}

func sqlInStores(t *tree) []string {
	var out []string
	keep := func(s *source) bool { return product(s) && !inStore(s) }
	t.each(keep, func(s *source, n ast.Node) {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		if text, err := strconv.Unquote(lit.Value); err == nil && sqlText.MatchString(text) {
			out = append(out, at(s, s.line(n), "SQL outside store.go: %.60q", text))
		}
	})
	return out
}

func contextValues(t *tree) []string {
	may := []string{"internal/wire", "internal/event", "internal/project", "internal/session", "internal/store"}
	var out []string
	keep := func(s *source) bool { return product(s) && !within(s.dir, may...) }
	t.each(keep, func(s *source, n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return
		}
		if p, name := s.imported(call.Fun); p == "context" && name == "WithValue" {
			out = append(out, at(s, s.line(n), "context.WithValue outside %v", may))
		}
	})
	return out
}

func panics(t *tree) []string {
	var out []string
	for _, s := range t.goFiles {
		if !product(s) || within(s.dir, "internal/wire", "internal/ui") {
			continue
		}
		explained := map[int]bool{}
		for _, group := range s.file.Comments {
			line := s.fset.Position(group.End()).Line
			explained[line], explained[line+1] = true, true
		}
		for _, decl := range s.file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || strings.HasPrefix(fn.Name.Name, "must") || strings.HasPrefix(fn.Name.Name, "Must") {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "panic" && id.Obj == nil && !explained[s.line(n)] {
						out = append(out, at(s, s.line(n), "panic in %s: neither named must... nor explained", fn.Name.Name))
					}
				}
				return true
			})
		}
	}
	return out
}

func inits(t *tree) []string {
	var out []string
	for _, s := range t.goFiles {
		for _, decl := range s.file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				out = append(out, at(s, s.line(fn), "init function"))
			}
		}
	}
	return out
}
