// Package arch owns the rules of the house that a compiler does not know:
// which package may import which, where SQL and HTTP live, how long a file may
// be. It holds tests only, reads the source text of the whole module, and
// never runs or imports any of it.
package arch

import (
	"fmt"
	"strings"
	"testing"
)

// A rule is one thing that must hold everywhere. Each shows by examples what
// it forbids and what it lets pass, so that a rule that has stopped looking
// is found out.
type rule struct {
	name string
	why  string
	// check returns one line for each violation, beginning with "path:line: ".
	check func(t *tree) []string
	// bad has one offending file in each element, good none: path to source text.
	bad  []map[string]string
	good []map[string]string
}

var rules = concat(importRules, placeRules, callRules, sizeRules, nameRules, errorRules, sqlRules)

func TestTheHouse(t *testing.T) {
	house := load(t)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, violation := range r.check(house) {
				t.Error(violation)
			}
			if t.Failed() {
				t.Log("why: " + r.why)
			}
		})
	}
}

func TestEveryRuleCanFail(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			if r.why == "" || len(r.bad) == 0 {
				t.Fatal("a rule has a reason and an example that breaks it")
			}
			for i, files := range r.bad {
				if got := r.check(parse(t, files)); len(got) == 0 {
					t.Errorf("bad example %d passes", i)
				}
			}
			for i, files := range r.good {
				for _, violation := range r.check(parse(t, files)) {
					t.Errorf("good example %d: %s", i, violation)
				}
			}
		})
	}
}

// concat joins the groups of rules, which live beside what they need.
func concat(groups ...[]rule) []rule {
	var all []rule
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

// within reports whether path is one of the folders or files, or lies below one.
func within(path string, places ...string) bool {
	for _, p := range places {
		if path == p || strings.HasPrefix(path, p+"/") {
			return true
		}
	}
	return false
}

func at(s *source, line int, format string, a ...any) string {
	return fmt.Sprintf("%s:%d: %s", s.path, line, fmt.Sprintf(format, a...))
}
