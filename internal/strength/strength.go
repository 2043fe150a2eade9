// Package strength owns how strong a password is, measured in two ways:
// zxcvbn, which guesses like an attacker, and LUDS, which counts kinds of
// characters. It knows neither users nor settings and never stores a
// password or looks it up anywhere.
//
// zxcvbn is that of Dropbox (Dan Wheeler, MIT; data/LICENSE), version 4.4.2,
// down to the same score and the same words as in a browser, so that a page's
// meter and the server never disagree. What it guesses with: words and their
// mirror images, words in l33t, rows of keys, repeats, sequences, years and
// dates. The cheapest way to cover the password with those counts.
package strength

import (
	"strings"
	"unicode"
	"unicode/utf16"
)

// Zxcvbn is what zxcvbn thinks of a password.
type Zxcvbn struct {
	Score       int      // 0, guessed at once, to 4, out of reach
	Warning     string   // what is weak about it, or ""
	Suggestions []string // what to do better; never nil
}

// Sufficient is the score from which a password is good enough.
const Sufficient = 3

// judged is how many UTF-16 units of a password are looked at, and maxInputs
// how many words of its user: the work grows faster than the length. Whoever
// types more is judged by the beginning.
const (
	judged    = 100
	maxInputs = 100
)

// Measure scores a password. The inputs are words that an attacker would try
// first because the user is known by them; see Words.
func Measure(password string, inputs ...string) Zxcvbn {
	t := newText(password)
	d := dictionaries{common: common(), own: ownWords(inputs)}
	guesses, sequence := d.analyse(t)
	score := scoreOf(guesses)
	warning, suggestions := feedback(t, score, sequence)
	return Zxcvbn{Score: score, Warning: warning, Suggestions: suggestions}
}

// Words are the words by which the owner of an email address is known: the
// address, what stands before and behind the @, and their longer pieces.
func Words(email string) []string {
	words := []string{email}
	local, domain, ok := strings.Cut(email, "@")
	if !ok {
		return words
	}
	words = append(words, local, domain)
	for _, piece := range strings.FieldsFunc(email, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if len(piece) >= 3 && piece != local && piece != domain {
			words = append(words, piece)
		}
	}
	return words
}

// text is a password as JavaScript sees it: UTF-16 units, which lengths and
// positions count.
type text struct {
	units []uint16
	lower []uint16 // the same in lower case, unit by unit
}

// newText takes the beginning of a password, without half a character at its
// end.
func newText(s string) text {
	var t text
	for _, r := range s {
		if len(t.units)+utf16.RuneLen(r) > judged {
			break
		}
		t.units = utf16.AppendRune(t.units, r)
		t.lower = utf16.AppendRune(t.lower, lowerRune(r))
	}
	return t
}

// lowerRune keeps the number of units. In all of Unicode no letter's lower
// case has another one; this makes sure of it in the versions to come.
func lowerRune(r rune) rune {
	if l := unicode.ToLower(r); utf16.RuneLen(l) == utf16.RuneLen(r) {
		return l
	}
	return r
}

// part is the piece from unit i up to, without, unit j.
func (t text) part(i, j int) text {
	return text{units: t.units[i:j], lower: t.lower[i:j]}
}

// scoreOf puts a number of guesses in its class. The five guesses more are
// zxcvbn's own, so that round numbers fall on the weak side.
func scoreOf(guesses float64) int {
	const delta = 5
	for score, limit := range []float64{1e3, 1e6, 1e8, 1e10} {
		if guesses < limit+delta {
			return score
		}
	}
	return 4
}
