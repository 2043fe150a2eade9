package arch

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

var nameRules = []rule{
	{
		name:  "every package says what it owns",
		why:   "the comment of a package is where a reader learns what it owns and what it never touches",
		check: packageComments,
		bad: []map[string]string{
			{"internal/user/a.go": "package user"},
			{"internal/user/a.go": "// User things.\npackage user"},
		},
		good: []map[string]string{
			{"internal/user/a.go": "// Package user owns the user aggregate.\npackage user", "internal/user/b.go": "package user"},
			{"cmd/gatehouse/main.go": "// Gatehouse is an auth server.\npackage main"},
		},
	},
	{
		name:  "names say what is inside",
		why:   "a package named after nothing collects everything",
		check: emptyNames,
		bad: []map[string]string{
			{"internal/util/a.go": "package util"},
			{"internal/user/helpers/a.go": "package helpers"},
			{"internal/user/a.go": "package models"},
			{"internal/usermock/mock_user.go": "package usermock"},
		},
		good: []map[string]string{{"internal/user/a.go": "package user"}},
	},
	{
		name:  "what is exported is explained",
		why:   "shapes, units and errors are part of a signature, and a type does not show them",
		check: undocumented,
		bad: []map[string]string{
			{"internal/user/a.go": "package user\n\nfunc Get() {}"},
			{"internal/user/a.go": "package user\n\ntype User struct{}"},
			{"internal/user/a.go": "package user\n\nvar ErrGone = 1"},
		},
		good: []map[string]string{
			{"internal/user/a.go": "package user\n\n// Get gets.\nfunc Get() {}\n\n// Kinds.\nconst (\n\tA = 1\n\tB = 2\n)\n\ntype (\n\t// T is.\n\tT int\n)"},
			{"internal/user/a.go": "package user\n\ntype user struct{}\n\nfunc (user) Error() string { return \"\" }"},
		},
	},
	{
		name:  "nothing left for later",
		why:   "what is missing is an open issue, where it can be found, or it is done",
		check: leftovers,
		bad: []map[string]string{
			{"internal/user/a.go": "// Package user.\npackage user\n\n// " + "TO" + "DO: later\n"},
			{"web/a.ts": "// " + "FIX" + "ME\n"},
		},
		good: []map[string]string{{"internal/user/a.go": "// Package user knows MASTODON.\npackage user"}},
	},
}

func packageComments(t *tree) []string {
	type doc struct {
		first *source
		text  string
	}
	docs := map[string]*doc{}
	for _, s := range t.goFiles {
		d := docs[s.dir]
		if d == nil {
			d = &doc{first: s}
			docs[s.dir] = d
		}
		if s.file.Doc != nil && !strings.HasSuffix(s.file.Name.Name, "_test") {
			d.text += s.file.Doc.Text()
		}
	}
	var out []string
	for dir, d := range docs {
		name := d.first.file.Name.Name
		if d.text == "" || name != "main" && !strings.Contains(d.text, "Package "+strings.TrimSuffix(name, "_test")+" ") {
			out = append(out, at(d.first, 1, "package in %s has no comment that begins \"Package %s\"", dir, name))
		}
	}
	slices.Sort(out)
	return out
}

var nothing = []string{"util", "utils", "common", "helper", "helpers", "model", "models", "types", "misc", "shared", "lib", "base", "core"}

func emptyNames(t *tree) []string {
	var out []string
	for _, s := range t.goFiles {
		name := s.file.Name.Name
		last := s.dir[strings.LastIndexByte(s.dir, '/')+1:]
		if slices.Contains(nothing, name) || slices.Contains(nothing, last) || strings.Contains(s.path, "mock") {
			out = append(out, at(s, s.line(s.file.Name), "%s says nothing about what is inside", s.path))
		}
	}
	return out
}

func undocumented(t *tree) []string {
	var out []string
	for _, s := range t.goFiles {
		if s.test || s.file.Name.Name == "main" {
			continue
		}
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.IsExported() && d.Doc == nil {
					out = append(out, at(s, s.line(d), "%s has no comment", d.Name.Name))
				}
			case *ast.GenDecl:
				out = append(out, undocumentedSpecs(s, d)...)
			}
		}
	}
	return out
}

func undocumentedSpecs(s *source, d *ast.GenDecl) []string {
	var out []string
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && spec.Doc == nil && d.Doc == nil {
				out = append(out, at(s, s.line(spec), "%s has no comment", spec.Name.Name))
			}
		case *ast.ValueSpec:
			// A group may be explained as a whole, a value also on its own line.
			if d.Doc != nil || spec.Doc != nil || spec.Comment != nil {
				continue
			}
			for _, name := range spec.Names {
				if name.IsExported() {
					out = append(out, at(s, s.line(spec), "%s has no comment", name.Name))
				}
			}
		}
	}
	return out
}

var leftover = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

func leftovers(t *tree) []string {
	var out []string
	for _, s := range append(slices.Clone(t.goFiles), t.others...) {
		if within(s.dir, "internal/arch") {
			continue
		}
		for i, line := range strings.Split(s.text, "\n") {
			// context's own name for a missing context is another rule's business.
			if m := leftover.FindString(strings.ReplaceAll(line, "context.TO"+"DO", "")); m != "" {
				out = append(out, at(s, i+1, "%s", m))
			}
		}
	}
	return out
}
