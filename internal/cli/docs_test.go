package cli

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"gatehouse/internal/config"
	"gatehouse/internal/golden"
	"gatehouse/internal/project"
)

// Every command's help, on one page.
func TestGoldenHelp(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	var out bytes.Buffer
	parser, err := newParser(&commands{}, &Terminal{Out: &out, Err: &out}, func(code int) { panic(code) })
	if err != nil {
		t.Fatal(err)
	}
	show := func(args []string) {
		defer func() {
			if code := recover(); code != exitDone {
				t.Errorf("gatehouse %v ended with %v", args, code)
			}
		}()
		_, err := parser.Parse(args)
		t.Errorf("gatehouse %v went on: %v", args, err)
	}
	var walk func(*kong.Node)
	walk = func(n *kong.Node) {
		fmt.Fprintf(&out, "$ %s --help\n", n.FullPath())
		show(append(strings.Fields(n.FullPath())[1:], "--help"))
		out.WriteString("\n")
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(parser.Model.Node)
	golden.Check(t, "internal/cli/testdata/help.golden", out.Bytes())
}

const configurationHead = `# Configuration

<!-- Generated from the source code by "make golden". -->

Gatehouse has settings of two kinds. Those of a **server** say where it listens, where its data is and what it trusts;
they are read once, when it starts. Those of an **environment** say how people sign in; they are kept in the database
and change while servers run.

## A server

Each setting of ` + "`gatehouse serve`" + ` is a flag and a variable of the environment; a flag wins over the variable.
` + "`gatehouse config`" + ` takes the same flags and shows what is in force and where it comes from, secrets masked.
A variable that is set to nothing counts as not set.

| flag | variable | default | what it does |
|---|---|---|---|
`

const configurationMiddle = `
Two settings are required: the public URL and a master key. Everything else has a default that suits one server behind
a proxy. Times are written like ` + "`90s`, `15m` or `2160h`" + `.

**Changing the master key**: put the new one in front, ` + "`new,old`" + `, on every server. What is sealed from then on
is sealed with the new one, and what was sealed before is sealed anew, bit by bit, every hour. The old one can go when
` + "`gatehouse doctor`" + ` says so ([in full](production.md#the-master-key)).
A server whose keys do not open what its database holds refuses to start.

**SQLite** takes one server per database: a lock beside the file (` + "`gatehouse.db.lock`" + `) keeps a second one
away. Commands such as ` + "`gatehouse user search`" + ` work beside it. Several servers share a PostgreSQL database.

**Stopping**: at the first interrupt (SIGINT or SIGTERM) ` + "`/readyz`" + ` refuses for the drain delay while requests are
still taken, then no new ones are taken and those under way have the drain timeout to end. The second interrupt ends
the process at once.

## Development

` + "`gatehouse dev`" + ` needs no settings. It keeps everything in one folder, ` + "`.gatehouse`" + ` unless ` + "`--data`" + `
names another:

| file | what it is |
|---|---|
| ` + "`dev.json`" + ` | the address and the credentials, for tests and tools; there once the server listens, readable by you alone |
| ` + "`gatehouse.db`" + ` | the database (SQLite) |
| ` + "`master.key`" + ` | the master key; the database is of no use without it |

It asks nobody outside this machine whether a password is in a known breach: ` + "`--breach-source`" + ` and
` + "`--breach-url`" + `, with their variables, turn that on (see [breached passwords](breached-passwords.md)).

Commands find the same data with ` + "`--data .gatehouse`" + `. The server answers at ` + "`http://localhost:PORT`" + `
whatever address it listens on, because browsers give passkeys to names and not to addresses.

The secret in ` + "`dev.json`" + ` cannot be read from the database. When the file is lost, the next start makes another
secret and revokes the lost one; secrets made with ` + "`gatehouse secret create`" + ` stay valid.

## An environment

` + "`gatehouse environment get`" + ` shows these settings and ` + "`gatehouse environment set`" + ` changes them, for example
` + "`gatehouse environment set live session.algorithm=ES256`" + `. An empty value brings the default back. Servers follow
within a second. Those below ` + "`sdk.`" + ` are the switches of the browser's API, which ` + "`gatehouse sdk-config`" + `
names without that prefix.

| setting | default | what it does |
|---|---|---|
`

// docs/configuration.md, from the structs that are the configuration.
func TestGoldenConfiguration(t *testing.T) {
	var out strings.Builder
	out.WriteString(configurationHead)
	for _, s := range config.Settings(&config.Database{}, &config.Server{}) {
		variable := "`" + s.Variable + "`"
		if s.Fallback != "" {
			variable += ", else `" + s.Fallback + "`"
		}
		fmt.Fprintf(&out, "| `--%s` | %s | %s | %s |\n", s.Name, variable, code(s.Default), s.Help)
	}
	out.WriteString(configurationMiddle)
	settings, err := (&project.Config{}).Settings()
	if err != nil {
		t.Fatal(err)
	}
	comments := fieldComments(t)
	for _, s := range settings {
		comment := comments[s.Path]
		if comment == "" {
			t.Errorf("the field of %s has no comment beside it", s.Path)
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", s.Path, code(plain(s.Value)), strings.ReplaceAll(comment, "<", "&lt;"))
	}
	golden.Check(t, "docs/configuration.md", []byte(out.String()))
}

func code(s string) string {
	if s == "" {
		return "none"
	}
	return "`" + s + "`"
}

// fieldComments reads what stands beside the fields of project.Config.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	byField := map[string]string{}
	files, err := filepath.Glob(filepath.Join("..", "project", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					for _, name := range f.Names {
						byField[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(f.Comment.Text()), " ")
					}
				}
			}
			return true
		})
	}
	byPath := map[string]string{}
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for f := range fields(typ) {
			path := strings.TrimPrefix(prefix+"."+f.Tag.Get("json"), ".")
			if f.Type.Kind() == reflect.Struct {
				walk(path, f.Type)
			}
			byPath[path] = byField[typ.Name()+"."+f.Name]
		}
	}
	walk("", reflect.TypeFor[project.Config]())
	return byPath
}

func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}
