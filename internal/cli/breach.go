package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"gatehouse/internal/breach"
	"gatehouse/internal/breach/bundle"
	"gatehouse/internal/config"
)

type breachCommands struct {
	Import breachImport `cmd:"" help:"Make the bundle for --breach-source offline from a list of SHA-1 hashes."`
	Check  breachCheck  `cmd:"" help:"Read a password, and say whether it is in a known breach. It is neither shown nor kept."`
}

type breachImport struct {
	File string `arg:"" help:"The list: a hash on each line, alone or as HASH:COUNT, as the official downloader writes them into one file; plain or gzip. - is the standard input."`
	Into string `env:"GATEHOUSE_BREACH_BUNDLE" placeholder:"FILE" help:"The bundle to make or to replace. Without it, breached-passwords.bundle beside the SQLite database."`
	data
	output
}

// Run imports a list.
func (c *breachImport) Run(t *Terminal) error {
	into := (&config.Breach{BreachBundle: c.Into}).Bundle(&c.Database)
	if into == "" {
		return usagef("--into is missing: without a SQLite database, beside which the bundle would be, it needs a path")
	}
	p := &progress{t: t, from: t.In, said: time.Now()}
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.IsDir() {
			return fmt.Errorf("%s is a folder: let the downloader write one file, or pack them into one", c.File)
		}
		p.from, p.size = f, info.Size()
	}
	r, err := bundle.Import{From: p, Into: into, Now: time.Now(), Progress: p.say}.Run(interruptible())
	var why *fs.PathError
	if errors.As(err, &why) && why.Op == "open" {
		return unwritable(filepath.Dir(into), err)
	}
	if err != nil {
		return err
	}
	if r.Incomplete {
		fmt.Fprintln(t.Err, "Note: the list is large, and yet it has no hash with some of the possible beginnings. Was its download cut short?")
	}
	view := map[string]any{"bundle": into, "hashes": r.Hashes, "lines": r.Lines, "bytes": r.Bytes, "incomplete": r.Incomplete}
	return c.say(t, view, "Imported %s into %s (%s). Servers with --breach-source offline use it within a minute.", plural(int(r.Hashes), "hash", "hashes"), into, size(r.Bytes))
}

// progress says now and then how far the reading is.
type progress struct {
	t    *Terminal
	from io.Reader
	size int64 // 0 when nobody knows
	read int64
	said time.Time
}

// Read implements io.Reader.
func (p *progress) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	p.read += int64(n)
	return n, err
}

func (p *progress) say(lines int64) {
	const every = 5 * time.Second
	if time.Since(p.said) < every {
		return
	}
	p.said = time.Now()
	part := ""
	if p.size > 0 {
		part = fmt.Sprintf(" (%d %%)", 100*p.read/p.size)
	}
	fmt.Fprintf(p.t.Err, "Read %.0f million lines%s.\n", float64(lines)/1e6, part)
}

type breachCheck struct {
	config.Breach `group:"server"`
	data
	output
}

// checked is what a check has found.
type checked struct {
	Verdict string `json:"verdict"` // "clean", "breached" or "unknown"
	Source  string `json:"source"`  // "api" or "offline"
	Where   string `json:"where"`   // host of the API, or path of the bundle
	Reason  string `json:"reason,omitempty"`
}

// Run checks one password.
func (c *breachCheck) Run(t *Terminal) error {
	if c.BreachSource == breach.SourceOff {
		return usagef("--breach-source is off, so nothing is looked up: choose api or offline")
	}
	checker, err := breach.New(breach.Config{
		Source: c.BreachSource, URL: c.BreachURL, Timeout: c.BreachTimeout, Bundle: c.Bundle(&c.Database), Now: time.Now,
	})
	if err != nil {
		return err
	}
	defer checker.Close()
	password, err := askPassword(t)
	if err != nil {
		return err
	}
	v, err := checker.Lookup(context.Background(), password)
	found := checked{Verdict: v.String(), Source: checker.Source(), Where: checker.Where()}
	switch {
	case err != nil && !c.JSON:
		return fmt.Errorf("nobody could say (%s, %s): %s", found.Source, found.Where, describe(err))
	case err != nil:
		found.Reason = describe(err)
		return errors.Join(t.json(found), errSaid)
	case v == breach.Breached:
		return c.say(t, found, "Breached: the password is in a known breach (%s, %s).", found.Source, found.Where)
	}
	return c.say(t, found, "Clean: the password is in no known breach (%s, %s).", found.Source, found.Where)
}

// askPassword reads a password: at a terminal without showing it, otherwise
// from the one line of the standard input.
func askPassword(t *Terminal) (string, error) {
	if f, ok := t.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return unseen(t, f, "password")
	}
	const most = 4096
	text, err := io.ReadAll(io.LimitReader(t.In, most+1))
	if err != nil {
		return "", err
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	switch {
	case len(text) > most:
		return "", fmt.Errorf("the password is longer than %d bytes", most)
	case strings.Contains(password, "\n"):
		return "", errors.New("there is more than one line: give one password at a time")
	case password == "":
		return "", errors.New("there is no password: write it, or give it on the standard input")
	}
	return password, nil
}

// unseen reads a line from a terminal that does not show it, and does again
// afterwards, also when the person has had enough.
func unseen(t *Terminal, f *os.File, what string) (string, error) {
	fd := int(f.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	keep := context.AfterFunc(interruptible(), func() {
		_ = term.Restore(fd, before) // the process ends either way
		os.Exit(exitFailed)
	})
	defer keep()
	fmt.Fprint(t.Err, strings.ToUpper(what[:1])+what[1:]+": ")
	text, err := term.ReadPassword(fd)
	fmt.Fprintln(t.Err)
	if err == nil && len(text) == 0 {
		err = fmt.Errorf("there is no %s: write it, or give it on the standard input", what)
	}
	return string(text), err
}

// oldBundle is when a bundle has missed a year of breaches.
const oldBundle = 365 * 24 * time.Hour

// breaches looks at the bundle of breached passwords, where one is used.
func (x *examination) breaches() {
	const check = "breaches"
	if x.BreachSource != breach.SourceOffline {
		return
	}
	b, err := breach.OpenBundle((&config.Breach{BreachBundle: x.BreachBundle}).Bundle(&x.Database))
	if err != nil {
		x.fail(check, "", "%v", err)
		return
	}
	defer b.Close()
	if x.Integrity {
		if err := b.Verify(); err != nil {
			x.fail(check, "", "%v", err)
			return
		}
	}
	if time.Since(b.Created()) > oldBundle {
		x.warn(check, x.suggest("breach import LIST"), "The bundle of breached passwords is from %s and knows nothing of later breaches.", when(b.Created()))
		return
	}
	x.ok(check, "The bundle of breached passwords has %s, imported %s.", plural(int(b.Hashes()), "hash", "hashes"), when(b.Created()))
}
