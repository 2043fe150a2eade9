package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/golden"
)

// A verdict is one apierr.New in the source text.
type verdict struct {
	status  int
	typ     string
	message string
	pkg     string
	where   string // path:line
}

var errorRules = []rule{
	{
		name:  "errors are declared with literals",
		why:   "api/errors.txt and docs/errors.md are read from the source text, so that they are complete; and a message made at run time is how secrets leak",
		check: func(t *tree) []string { _, bad := verdicts(t); return bad },
		bad: []map[string]string{
			{"internal/user/a.go": `package user; import "gatehouse/internal/apierr"; func f(s string) { _ = apierr.New(404, "x_not_found", s) }`},
			{"internal/user/a.go": `package user; import "gatehouse/internal/apierr"; const s = 404; var e = apierr.New(s, "x_not_found", "No.")`},
			{"internal/user/a.go": `package user; import "gatehouse/internal/apierr"; var e = apierr.New(200, "fine", "Yes.")`},
			{"internal/user/a.go": `package user; import "gatehouse/internal/apierr"; var e = apierr.New(404, "NotFound", "No.")`},
			{"internal/user/a.go": `package user; import "gatehouse/internal/apierr"; var e = apierr.New(404, "not_found", "no")`},
			{"internal/user/a.go": `package user; import "gatehouse/internal/apierr"; var f = apierr.New`},
			{"internal/user/a.go": `package user; import "gatehouse/internal/apierr"; var e = &apierr.Error{Status: 404}`},
		},
		good: []map[string]string{
			{"internal/user/a.go": `package user; import "gatehouse/internal/apierr"; var e = apierr.New(404, "x_not_found", "There is no x. "+"Make one.")`},
		},
	},
	{
		name:  "one error_type has one status",
		why:   "clients branch on the type and proxies on the status: they must agree, wherever the error comes from",
		check: oneStatus,
		bad: []map[string]string{
			{
				"internal/user/a.go":    `package user; import "gatehouse/internal/apierr"; var e = apierr.New(404, "x_not_found", "No x.")`,
				"internal/session/a.go": `package session; import "gatehouse/internal/apierr"; var e = apierr.New(400, "x_not_found", "No x.")`,
			},
		},
		good: []map[string]string{
			{
				"internal/user/a.go":    `package user; import "gatehouse/internal/apierr"; var e = apierr.New(404, "x_not_found", "No x.")`,
				"internal/session/a.go": `package session; import "gatehouse/internal/apierr"; var e = apierr.New(404, "x_not_found", "There is no x.")`,
			},
		},
	},
}

var (
	errorType    = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	errorMessage = regexp.MustCompile(`^([A-Z'"0-9]|[a-z]+[._][a-z._]+ )[\s\S]*[.?]$`)
)

// verdicts reads every apierr.New of the product, and what is wrong with them.
func verdicts(t *tree) (found []verdict, bad []string) {
	inCall := map[ast.Expr]bool{}
	keep := func(s *source) bool { return product(s) && !within(s.dir, "internal/apierr") }
	t.each(keep, func(s *source, n ast.Node) {
		switch n := n.(type) {
		case *ast.CompositeLit:
			if p, name := s.imported(n.Type); p == module+"/internal/apierr" && name == "Error" {
				bad = append(bad, at(s, s.line(n), "an apierr.Error that apierr.New did not make"))
			}
		case *ast.CallExpr:
			if p, name := s.imported(n.Fun); p != module+"/internal/apierr" || name != "New" {
				return
			}
			inCall[n.Fun] = true
			v, why := readVerdict(n)
			if why != "" {
				bad = append(bad, at(s, s.line(n), "%s", why))
				return
			}
			v.pkg = strings.TrimPrefix(s.dir, "internal/")
			v.where = fmt.Sprintf("%s:%d", s.path, s.line(n))
			found = append(found, v)
		case *ast.SelectorExpr:
			if p, name := s.imported(n); p == module+"/internal/apierr" && name == "New" && !inCall[n] {
				bad = append(bad, at(s, s.line(n), "apierr.New as a value hides what it is called with"))
			}
		}
	})
	return found, bad
}

func readVerdict(call *ast.CallExpr) (v verdict, why string) {
	if len(call.Args) != 3 {
		return v, "apierr.New takes a status, a type and a message"
	}
	status, ok := call.Args[0].(*ast.BasicLit)
	if !ok || status.Kind != token.INT {
		return v, "the status is not an integer literal"
	}
	v.status, _ = strconv.Atoi(status.Value)
	if v.status < 400 || v.status > 599 {
		return v, fmt.Sprintf("%d is no status of an error", v.status)
	}
	if v.typ, ok = literal(call.Args[1]); !ok || !errorType.MatchString(v.typ) {
		return v, "the type is not a string literal in snake_case"
	}
	if v.message, ok = literal(call.Args[2]); !ok {
		return v, "the message is not a string literal"
	}
	if !errorMessage.MatchString(v.message) {
		return v, fmt.Sprintf("the message is not a sentence: %q", v.message)
	}
	return v, ""
}

// literal reads a string literal, or several that are added up.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok1 := literal(e.X)
		right, ok2 := literal(e.Y)
		return left + right, ok1 && ok2 && e.Op == token.ADD
	}
	return "", false
}

func oneStatus(t *tree) []string {
	found, _ := verdicts(t)
	first := map[string]verdict{}
	var out []string
	for _, v := range found {
		if other, ok := first[v.typ]; ok && other.status != v.status {
			out = append(out, fmt.Sprintf("%s: %s is %d here and %d in %s", v.where, v.typ, v.status, other.status, other.where))
		} else if !ok {
			first[v.typ] = v
		}
	}
	return out
}

// sorted lists the verdicts by type, then package, each line once.
func sorted(found []verdict) []verdict {
	for i := range found {
		found[i].where = ""
	}
	slices.SortFunc(found, func(a, b verdict) int {
		return strings.Compare(a.typ+"\x00"+a.pkg+"\x00"+a.message, b.typ+"\x00"+b.pkg+"\x00"+b.message)
	})
	return slices.Compact(found)
}

func TestGoldenErrors(t *testing.T) {
	found, _ := verdicts(load(t))
	found = sorted(found)
	var txt, md strings.Builder
	md.WriteString(`# Errors

<!-- Generated from the source code by "make golden". -->

Every refusal has the same shape, whichever endpoint gives it:

` + "```json" + `
{
  "status_code": 404,
  "request_id": "request-id-test-0190a1b2-...",
  "error_type": "user_not_found",
  "error_message": "...",
  "error_url": "..."
}
` + "```" + `

Branch on ` + "`error_type`" + `: a type keeps its meaning and its status. Messages may be made more precise, for example to
name a field. Some errors carry ` + "`error_details`" + `, and one that a wait would cure has a ` + "`Retry-After`" + ` header.
Quote the ` + "`request_id`" + ` when you look for the reason in the server's log.
`)
	last := ""
	for _, v := range found {
		fmt.Fprintf(&txt, "%d  %s  (%s)\n     %s\n", v.status, v.typ, path.Clean(v.pkg), v.message)
		if v.typ != last {
			fmt.Fprintf(&md, "\n## %s\n\n`%d`\n", v.typ, v.status)
			last = v.typ
		}
		if !strings.HasSuffix(md.String(), "\n"+v.message+"\n") {
			fmt.Fprintf(&md, "\n%s\n", v.message)
		}
	}
	golden.Check(t, "api/errors.txt", []byte(txt.String()))
	golden.Check(t, "docs/errors.md", []byte(md.String()))
}
