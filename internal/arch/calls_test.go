package arch

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

// A ban is a set of names of one standard package that may be used in a few
// places only, called or passed on.
type ban struct {
	pkg   string
	names []string
	in    []string // folders and files where they may stand
	tests bool     // whether tests may use them too
	why   string
}

// The programs: where the process begins, ends and talks to a terminal.
var programs = []string{"cmd", "internal/cli"}

var bans = []ban{
	{
		pkg: "time", names: []string{"Now", "Since", "Until"},
		in:  append([]string{"internal/app"}, programs...),
		why: "the clock comes in (store.Open, then tx.Now), so that a test can stand at any instant",
	},
	{
		pkg: "time", names: []string{"Sleep", "Tick"},
		in:  append([]string{"internal/app"}, programs...),
		why: "whoever waits, waits for something: a channel, a context, a timer that can be stopped",
	},
	{
		pkg: "os", names: []string{"Exit"}, in: programs, tests: true,
		why: "only the program itself may end the process: deferred work elsewhere would be lost",
	},
	{
		pkg: "log", names: []string{"Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "Print", "Printf", "Println", "Default", "SetOutput"},
		why: "one logger, log/slog, which is handed in",
	},
	{
		pkg: "log/slog", names: []string{"Debug", "Info", "Warn", "Error", "Log", "DebugContext", "InfoContext", "WarnContext", "ErrorContext", "Default", "SetDefault"},
		in:  programs,
		why: "the logger is handed in: a global one cannot be silenced, captured or given a request id",
	},
	{
		pkg: "fmt", names: []string{"Print", "Printf", "Println"}, in: programs, tests: true,
		why: "libraries return values; what a person reads is printed by the command",
	},
	{
		pkg: "os", names: []string{"Stdout", "Stderr", "Stdin", "Args"}, in: programs, tests: true,
		why: "the terminal belongs to the command, which hands writers down",
	},
	{
		pkg: "os", names: []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"},
		in: append([]string{"internal/config"}, programs...), tests: true,
		why: "every setting is a flag and an environment variable in one struct, shown by --help",
	},
	{
		pkg: "net/http", names: []string{"Get", "Head", "Post", "PostForm", "DefaultClient", "DefaultTransport", "DefaultServeMux", "Handle", "HandleFunc", "ListenAndServe", "ListenAndServeTLS", "Serve"},
		tests: true,
		why:   "the defaults have no timeouts and are shared by everybody",
	},
	{
		pkg: "context", names: []string{"TODO"},
		why: "a context comes from the caller",
	},
}

var callRules = []rule{
	{
		name:  "clock, terminal, process and environment at the edges",
		why:   "each ban has its own reason beside it in internal/arch/calls_test.go",
		check: banned,
		bad: []map[string]string{
			{"internal/user/a.go": `package user; import "time"; var _ = time.Now()`},
			{"internal/user/a.go": `package user; import "time"; var clock = time.Now`},
			{"internal/user/a.go": `package user; import t "time"; func f() { t.Sleep(1) }`},
			{"internal/user/a_test.go": `package user; import "time"; func f() { time.Sleep(1) }`},
			{"internal/app/a.go": `package app; import "os"; func f() { os.Exit(1) }`},
			{"internal/app/a.go": `package app; import "log"; func f() { log.Fatal() }`},
			{"internal/app/a.go": `package app; import "log/slog"; func f() { slog.Info("") }`},
			{"internal/app/a.go": `package app; import "fmt"; func f() { fmt.Println() }`},
			{"internal/user/a.go": `package user; func f() { println("here") }`},
			{"internal/app/a.go": `package app; import "os"; var _ = os.Getenv("X")`},
			{"internal/demo/a.go": `package demo; import "net/http"; func f() { http.Get("") }`},
			{"internal/user/a.go": `package user; import "context"; var _ = context.` + "TO" + `DO()`},
		},
		good: []map[string]string{
			{"internal/app/a.go": `package app; import "time"; var _ = time.Now()`},
			{"cmd/gatehouse/main.go": `package main; import "os"; func main() { os.Exit(1) }`},
			{"internal/user/a.go": `package user; type c struct{}; func (c) Now() int { return 1 }; func f() { time := c{}; time.Now() }`},
			{"internal/user/a.go": `package user; import "time"; var d = time.Minute; func f(t time.Time) bool { return t.Before(t) }`},
			{"bench/a.go": `package main; import "time"; var _ = time.Now()`},
		},
	},
	{
		name:  "a silenced linter has its reason",
		why:   "whoever reads it later must be able to tell whether it still applies",
		check: silenced,
		bad: []map[string]string{
			{"internal/user/a.go": "package user\n\n//lint:ignore U1000\nvar x int\n"},
			{"internal/user/a.go": "package user\n\nvar x int //nolint\n"},
			{"web/a.ts": "// eslint-disable-next-line\nlet x = 1;\n"},
			{"web/a.ts": "// @ts-ignore\nlet x = 1;\n"},
		},
		good: []map[string]string{
			{"internal/user/a.go": "package user\n\n//lint:ignore U1000 read by the debugger only\nvar x int\n"},
			{"web/a.ts": "// @ts-expect-error the library's types lack this option\nlet x = 1;\n"},
		},
	},
}

func banned(t *tree) []string {
	var out []string
	keep := func(s *source) bool {
		return !within(s.dir, "bench", "test", "internal/arch") && !forTests(s.dir) && path.Base(s.path) != "bench_test.go"
	}
	t.each(keep, func(s *source, n ast.Node) {
		if call, ok := n.(*ast.CallExpr); ok {
			id, ok := call.Fun.(*ast.Ident)
			if ok && id.Obj == nil && (id.Name == "print" || id.Name == "println") {
				out = append(out, at(s, s.line(n), "%s: left over from a search for a fault", id.Name))
			}
		}
		e, ok := n.(ast.Expr)
		if !ok {
			return
		}
		p, name := s.imported(e)
		for _, b := range bans {
			if p == b.pkg && slices.Contains(b.names, name) && !within(s.path, b.in...) && !(s.test && b.tests) {
				out = append(out, at(s, s.line(n), "%s.%s: %s", p, name, b.why))
			}
		}
	})
	return out
}

// silencers are the comments that switch a check off, each with the number of
// words that it needs before a reason can begin.
var silencers = map[string]int{"//lint:ignore": 2, "//nolint": 1, "eslint-disable": 1, "@ts-ignore": 1, "@ts-expect-error": 1, "@ts-nocheck": 1}

func silenced(t *tree) []string {
	var out []string
	for _, s := range append(slices.Clone(t.goFiles), t.others...) {
		if within(s.dir, "internal/arch") {
			continue
		}
		for i, line := range strings.Split(s.text, "\n") {
			for mark, words := range silencers {
				_, rest, found := strings.Cut(line, mark)
				if found && len(strings.Fields(mark+rest)) < words+2 {
					out = append(out, at(s, i+1, "%s without a reason", mark))
				}
			}
		}
	}
	return out
}
