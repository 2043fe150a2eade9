package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

// row is one line of the table.
type row struct {
	name     string
	measured string
	ratio    string
	target   string
	verdict  string
}

// table collects the rows of a run and prints each as it is known.
type table struct {
	rows  []row
	short int
}

// atLeast adds a row that must reach a share of a yardstick.
func (t *table) atLeast(name, measured string, ratio, target float64, of string) {
	t.add(name, measured, fmt.Sprintf("%.3f %s", ratio, of), fmt.Sprintf(">= %g", target), ratio >= target)
}

// atMost adds a row that must stay below a multiple or an amount.
func (t *table) atMost(name, measured string, value, target float64, unit string) {
	t.add(name, measured, fmt.Sprintf("%.2f %s", value, unit), fmt.Sprintf("<= %g", target), value <= target)
}

// report adds a row without a target.
func (t *table) report(name, measured, ratio string) {
	t.rows = append(t.rows, row{name, measured, ratio, "", ""})
	t.progress()
}

func (t *table) add(name, measured, ratio, target string, ok bool) {
	verdict := "pass"
	if !ok {
		verdict = "SHORT"
		t.short++
	}
	t.rows = append(t.rows, row{name, measured, ratio, target, verdict})
	t.progress()
}

func (t *table) progress() {
	r := t.rows[len(t.rows)-1]
	fmt.Fprintf(os.Stderr, "%-58s %-26s %-16s %-8s %s\n", r.name, r.measured, r.ratio, r.target, r.verdict)
}

func (t *table) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join([]string{"what", "measured", "ratio", "target", ""}, "\t"))
	for _, r := range t.rows {
		fmt.Fprintln(w, strings.Join([]string{r.name, r.measured, r.ratio, r.target, r.verdict}, "\t"))
	}
	_ = w.Flush() // standard output is the reader's
}
