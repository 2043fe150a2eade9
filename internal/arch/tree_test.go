package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
)

const module = "gatehouse"

// A tree is the source text of the module.
type tree struct {
	goFiles []*source
	others  []*source // TypeScript, JavaScript, SQL, shell
	deps    []string  // paths of every package that exists, for stale table rows; nil in examples
}

// A source is one file. Paths are relative to the module's root, with slashes.
type source struct {
	path  string
	text  string
	lines int

	// Go files only.
	dir    string // folder, which is the import path below the module
	test   bool   // named _test.go
	file   *ast.File
	fset   *token.FileSet
	byName map[string]string // local name of an import to its path
}

// load reads the working tree: what is there, committed or not.
func load(t *testing.T) *tree {
	t.Helper()
	root := filepath.Join("..", "..")
	files := map[string]string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "dist" ||
				d.Name() == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !isSource(rel) {
			return nil
		}
		text, err := os.ReadFile(p)
		files[rel] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	house := parse(t, files)
	if len(house.goFiles) == 0 {
		t.Fatal("found no Go files: the rules would hold for nothing")
	}
	for _, s := range house.goFiles {
		house.deps = append(house.deps, s.dir)
	}
	return house
}

func isSource(p string) bool {
	switch path.Ext(p) {
	case ".go", ".ts", ".mjs", ".sql", ".sh":
		return true
	}
	return p == "Makefile" || p == "test/with-postgres" || p == "test/run"
}

// parse makes a tree from source texts, which is how examples are written.
func parse(t *testing.T, files map[string]string) *tree {
	t.Helper()
	var out tree
	paths := make([]string, 0, len(files))
	for p := range files {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	for _, p := range paths {
		s := &source{path: p, text: files[p], lines: strings.Count(files[p], "\n"), dir: path.Dir(p)}
		if path.Ext(p) != ".go" {
			out.others = append(out.others, s)
			continue
		}
		s.test = strings.HasSuffix(p, "_test.go")
		s.fset = token.NewFileSet()
		file, err := parser.ParseFile(s.fset, p, s.text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		s.file = file
		s.byName = imports(file)
		out.goFiles = append(out.goFiles, s)
	}
	return &out
}

// imports maps the name by which a file knows a package to its import path.
// An import without a name is known by the last part of its path, or by the
// part before a version.
func imports(f *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := path.Base(p)
		if len(name) > 1 && name[0] == 'v' && strings.Trim(name[1:], "0123456789") == "" {
			name = path.Base(path.Dir(p))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	return names
}

func (s *source) line(n ast.Node) int { return s.fset.Position(n.Pos()).Line }

// imported returns the import path and name that a qualified identifier such
// as time.Now stands for, or "" when x is a variable.
func (s *source) imported(e ast.Expr) (pkg, name string) {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok || id.Obj != nil { // declared in this file: a variable that shadows the import
		return "", ""
	}
	return s.byName[id.Name], sel.Sel.Name
}

// each calls f for every node of every Go file that keep accepts.
func (t *tree) each(keep func(*source) bool, f func(*source, ast.Node)) {
	for _, s := range t.goFiles {
		if keep(s) {
			ast.Inspect(s.file, func(n ast.Node) bool {
				if n != nil {
					f(s, n)
				}
				return true
			})
		}
	}
}

func product(s *source) bool { return !s.test && !forTests(s.dir) && !within(s.dir, "bench", "test") }

// forTests reports whether a folder holds a package that only tests import.
func forTests(dir string) bool {
	return strings.HasSuffix(dir, "test") || within(dir, "internal/golden", "internal/factor/webauthn/virtualkey")
}
