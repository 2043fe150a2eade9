package template

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// The longest values a message repeats, in characters.
const (
	maxApp    = 128
	maxName   = 40
	maxEmail  = 320
	maxDetail = 120
)

// clean makes one line of text that was written elsewhere. Without line breaks
// it adds no header to an e-mail and no line to an SMS; without controls of
// direction (U+202E) it turns nothing around that stands beside it.
func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Bidi_Control, r), r == '\ufeff', r == unicode.ReplacementChar:
			return -1
		case unicode.IsControl(r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > limit {
		s = strings.TrimSpace(string(r[:limit-1])) + "…"
	}
	return s
}

// personName is how a message addresses its reader: the name, if it is one.
// Whoever signs up writes the name of a person who has not agreed to anything
// yet, so a name that carries an address or a sentence is left out.
func personName(s string) string {
	s = clean(s, maxName) // one that is too long ends in an ellipsis, which is no letter
	if len(strings.Fields(s)) > 4 || address().MatchString(s) {
		return ""
	}
	for _, r := range s {
		if !unicode.In(r, unicode.L, unicode.M) && !strings.ContainsRune(" -.'’·\u200c\u200d", r) {
			return ""
		}
	}
	return s
}

// address is what mail programs turn into a link by themselves: a dot between
// a word and at least two letters.
var address = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`([^\s.]\.)(\pL{2})`) })

// defuse keeps mail programs from making links of text that was written
// elsewhere, such as the name that a browser gives itself.
func defuse(s string) string {
	s = strings.ReplaceAll(s, "://", ":\u2060//")
	return address().ReplaceAllString(s, "$1\u2060$2")
}

// isolate keeps a value and the sentence around it from changing each other's
// direction, with the isolates of Unicode (UAX 9). Values that run the same
// way as the sentence stay as they are.
func isolate(s string, rightToLeft bool) string {
	against := strings.ContainsFunc(s, runsRightToLeft)
	if rightToLeft {
		against = strings.ContainsFunc(s, func(r rune) bool {
			return !runsRightToLeft(r) && (unicode.IsLetter(r) || unicode.IsDigit(r))
		})
	}
	if !against {
		return s
	}
	const firstStrong, pop = "\u2068", "\u2069"
	return firstStrong + s + pop
}

func runsRightToLeft(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Adlam)
}
