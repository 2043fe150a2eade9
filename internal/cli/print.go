package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// output is how a command answers.
type output struct {
	JSON bool `name:"json" help:"Print JSON, for scripts."`
}

// rows is a listing as people read it.
type rows struct {
	header []string
	lines  [][]string
	empty  string // printed in place of a table without lines
}

func (r *rows) add(cells ...string) { r.lines = append(r.lines, cells) }

// print writes v as JSON or, for people, the table.
func (o *output) print(t *Terminal, v any, r *rows) error {
	if o.JSON {
		return t.json(v)
	}
	if len(r.lines) == 0 {
		_, err := fmt.Fprintln(t.Out, r.empty)
		return err
	}
	return t.table(r)
}

// say writes v as JSON or, for people, the line.
func (o *output) say(t *Terminal, v any, format string, a ...any) error {
	if o.JSON {
		return t.json(v)
	}
	_, err := fmt.Fprintf(t.Out, format+"\n", a...)
	return err
}

func (t *Terminal) table(r *rows) error {
	w := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
	if r.header != nil {
		fmt.Fprintln(w, strings.Join(r.header, "\t"))
	}
	for _, line := range r.lines {
		for i := range line {
			line[i] = printable(line[i])
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	return w.Flush()
}

// printable keeps what a user has written from speaking to the terminal: no
// escapes, no line of its own, no text that runs backwards.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func (t *Terminal) json(v any) error {
	enc := json.NewEncoder(t.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// list makes an empty list of a nil one: scripts read [] more easily than null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// when shows an instant to the second, in UTC as everything stored.
func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// size shows bytes in the unit that fits.
func size(n int64) string {
	const units = "KMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v := float64(n)
	for i := range len(units) {
		if v /= 1000; v < 999.5 || i == len(units)-1 {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + " " + units[i:i+1] + "B"
		}
	}
	return ""
}

// confirmation is asked for before something cannot be undone.
type confirmation struct {
	Yes bool `short:"y" help:"Do not ask."`
}

// ask returns an error unless the person at the terminal agrees. Nobody there
// to ask is a no.
func (c *confirmation) ask(t *Terminal, question string) error {
	if c.Yes {
		return nil
	}
	if !interactive(t.In) {
		return fmt.Errorf("nothing was changed, for there is nobody here to ask. %s Add --yes to agree", question)
	}
	fmt.Fprintf(t.Err, "%s [y/N] ", question)
	answer, err := bufio.NewReader(t.In).ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return fmt.Errorf("not confirmed: nothing was changed")
}

func interactive(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull && !sameFile(info, os.DevNull)
}

func sameFile(info os.FileInfo, path string) bool {
	other, err := os.Stat(path)
	return err == nil && os.SameFile(info, other)
}

// line prints one line.
func (t *Terminal) line(format string, a ...any) { fmt.Fprintf(t.Out, format+"\n", a...) }
