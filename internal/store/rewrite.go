package store

import (
	"regexp"
	"strings"
)

// numbered rewrites the placeholders $1..$N to ?1..?N for SQLite, which would
// otherwise take $1 for a name and bind it by order of appearance. String
// literals, quoted identifiers and comments stay as they are.
func numbered(query string) string {
	if !strings.Contains(query, "$") {
		return query
	}
	var b strings.Builder
	b.Grow(len(query))
	for i := 0; i < len(query); {
		n := skip(query[i:])
		if n == 0 {
			n = 1
			if query[i] == '$' && i+1 < len(query) && isDigit(query[i+1]) && !(i > 0 && isWord(query[i-1])) {
				b.WriteByte('?')
				i++
				continue
			}
		}
		b.WriteString(query[i : i+n])
		i += n
	}
	return b.String()
}

// unguarded lets an INSERT stop where it fails, for SQLite. By itself it would
// copy each page that a statement of several rows changes, to take back the rows
// before the one that failed; but then the whole transaction is taken back, and
// the copies cost more than the rows.
func unguarded(query string) string {
	rest, ok := strings.CutPrefix(query, "INSERT INTO ")
	if !ok || strings.Contains(rest, "ON CONFLICT") {
		return query
	}
	return "INSERT OR FAIL INTO " + rest
}

// skip is the length of the literal, quoted identifier or comment at the start
// of s, or 0 when s starts with none.
func skip(s string) int {
	switch {
	case s[0] == '\'' || s[0] == '"' || s[0] == '`':
		return quoted(s, s[0])
	case strings.HasPrefix(s, "--"):
		if end := strings.IndexByte(s, '\n'); end >= 0 {
			return end + 1
		}
		return len(s)
	case strings.HasPrefix(s, "/*"):
		if end := strings.Index(s[2:], "*/"); end >= 0 {
			return end + 4
		}
		return len(s)
	}
	return 0
}

// quoted is the length of the text at the start of s that q opens and closes;
// a doubled q stands for itself, which falls out of reading it as the end of
// one text and the beginning of the next.
func quoted(s string, q byte) int {
	if end := strings.IndexByte(s[1:], q); end >= 0 {
		return end + 2
	}
	return len(s)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || c == '$' || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

var textC = regexp.MustCompile(`\bTEXT_C\b`)

// migrationText replaces the word TEXT_C, a text column compared byte by byte,
// by what the engine calls it. SQLite compares so by default; PostgreSQL needs
// the "C" collation for prefix ranges and keyset paging to mean the same.
func migrationText(kind Engine, text []byte) []byte {
	if kind == Postgres {
		return textC.ReplaceAll(text, []byte(`TEXT COLLATE "C"`))
	}
	return textC.ReplaceAll(text, []byte(`TEXT`))
}

// shorten puts a query on one line of bounded length, for messages.
func shorten(query string) string {
	s := strings.Join(strings.Fields(query), " ")
	if len(s) > 120 {
		s = s[:117] + "..."
	}
	return s
}
