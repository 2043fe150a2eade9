package lite_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/store/lite"
)

func open(t *testing.T) *lite.Conn {
	t.Helper()
	c, err := lite.Open(filepath.Join(t.TempDir(), "x.db"))
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func prepare(t *testing.T, c *lite.Conn, text string) *lite.Stmt {
	t.Helper()
	s, err := c.Prepare(text)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

// Arguments live in memory that is used again: each statement must see its own,
// however long the ones before were.
func TestArgumentsOfManySizes(t *testing.T) {
	c := open(t)
	must(t, c.Run("CREATE TABLE v (id INTEGER PRIMARY KEY, a TEXT, b BLOB, c TEXT)"))
	in := prepare(t, c, "INSERT INTO v VALUES (?1, ?2, ?3, ?2)")
	out := prepare(t, c, "SELECT a, b, c FROM v WHERE id = ?1 AND a = ?2")
	for i, n := range []int{0, 1, 100, 5000, 10, 300_000, 3, 1 << 20, 0, 7, 70_000, 70_000} {
		text, blob := strings.Repeat("t", n), bytes.Repeat([]byte{byte(i)}, n/2)
		in.Bind()
		must(t, in.BindInt(1, int64(i)))
		must(t, in.BindText(2, text))
		must(t, in.BindBlob(3, blob))
		if changed, err := in.Exec(); err != nil || changed != 1 {
			t.Fatal(changed, err)
		}
		out.Bind()
		must(t, out.BindInt(1, int64(i)))
		must(t, out.BindText(2, text))
		row, err := out.Step()
		must(t, err)
		if !row || out.String(0) != text || !bytes.Equal(out.Bytes(1), blob) || out.String(2) != text {
			t.Errorf("%d bytes did not come back", n)
		}
		if out.Type(0) != lite.Text || out.Type(1) != lite.Blob || out.Bytes(1) == nil {
			t.Errorf("types %v, %v", out.Type(0), out.Type(1))
		}
		out.Reset()
	}
}

func TestTypesOfColumns(t *testing.T) {
	c := open(t)
	s := prepare(t, c, "SELECT -9223372036854775808, 1.5, 'x', x'00ff', NULL, ?1, ?2")
	if s.Params() != 2 || s.Columns() != 7 || s.Writes() {
		t.Error(s.Params(), s.Columns(), s.Writes())
	}
	s.Bind()
	must(t, s.BindNull(1))
	must(t, s.BindFloat(2, -0.25))
	row, err := s.Step()
	must(t, err)
	want := []lite.Type{lite.Integer, lite.Float, lite.Text, lite.Blob, lite.Null, lite.Null, lite.Float}
	for i, w := range want {
		if s.Type(i) != w {
			t.Errorf("column %d has type %v", i, s.Type(i))
		}
	}
	if !row || s.Int(0) != -1<<63 || s.Float(1) != 1.5 || s.String(2) != "x" || string(s.Bytes(3)) != "\x00\xff" || s.Float(6) != -0.25 {
		t.Error("wrong values")
	}
	if row, err = s.Step(); row || err != nil {
		t.Error(row, err)
	}
}

func TestErrorsHaveTheirCode(t *testing.T) {
	c := open(t)
	must(t, c.Run("CREATE TABLE v (id INTEGER PRIMARY KEY, u TEXT UNIQUE)"))
	must(t, c.Run("INSERT INTO v VALUES (1, 'a')"))
	for text, unique := range map[string]bool{
		"INSERT INTO v VALUES (1, 'b')": true,
		"INSERT INTO v VALUES (2, 'a')": true,
		"INSERT INTO v VALUES ('x', 1)": false,
		"INSERT INTO absent VALUES (1)": false,
		"SELECT 1; SELECT 2":            false,
		"-- nothing":                    false,
		"SELECT \"absent\" FROM v":      false,
	} {
		err := c.Run(text)
		if err == nil || lite.IsUnique(fmt.Errorf("wrapped: %w", err)) != unique {
			t.Errorf("%s: %v", text, err)
		}
	}
	must(t, c.Run(" SELECT 1 ;\n"))
	s := prepare(t, c, "SELECT ?1")
	if s.BindInt(2, 1) == nil {
		t.Error("an argument too many was taken")
	}
}

func TestBusyFullAndForeign(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.db")
	a, err := lite.Open(path)
	must(t, err)
	defer a.Close()
	must(t, a.Run("PRAGMA journal_mode = WAL"))
	must(t, a.Run("CREATE TABLE v (b BLOB)"))
	b, err := lite.Open(path)
	must(t, err)
	defer b.Close()
	must(t, a.Run("BEGIN IMMEDIATE"))
	if !a.InTransaction() || b.InTransaction() {
		t.Error("transactions mixed up")
	}
	if err := b.Run("BEGIN IMMEDIATE"); !lite.IsBusy(err) {
		t.Errorf("got %v", err)
	}
	must(t, a.Run("ROLLBACK"))
	must(t, a.Run("PRAGMA max_page_count = 5"))
	if err := a.Run("INSERT INTO v VALUES (zeroblob(100000))"); !lite.IsFull(err) {
		t.Errorf("got %v", err)
	}
	must(t, a.Run("INSERT INTO v VALUES (zeroblob(10))"))
	if pages, moved, err := b.Checkpoint(lite.Look); pages < 2 || moved != 0 || err != nil {
		t.Error(pages, moved, err)
	}
	if pages, moved, err := b.Checkpoint(lite.Passive); pages != moved || err != nil {
		t.Error(pages, moved, err)
	}
	if pages, moved, err := a.Checkpoint(lite.Truncate); pages != 0 || moved != 0 || err != nil {
		t.Error(pages, moved, err)
	}
	if _, err := lite.Open(filepath.Join(dir, "no/such/x.db")); !lite.IsForbidden(err) {
		t.Errorf("got %v", err)
	}
}
