package strength

import (
	"cmp"
	"slices"
)

// l33t lists what letters are replaced by, in zxcvbn's order: of two readings
// that cost the same the first one counts.
var l33t = []struct {
	letter byte
	by     string
}{
	{'a', "4@"},
	{'b', "8"},
	{'c', "({[<"},
	{'e', "3"},
	{'g', "69"},
	{'i', "1!|"},
	{'l', "1|7"},
	{'o', "0"},
	{'s', "$5"},
	{'t', "+7"},
	{'x', "%"},
	{'z', "2"},
}

// symbols are the units that may stand for a letter.
const symbols = "4@8({[<3691!|70$5+%2"

// substitution is a unit that stands for a letter.
type substitution struct{ symbol, letter uint16 }

// reading says for each of the symbols what it is read as: a letter, itself
// (asItIs), or that nobody has met it yet (unread).
type reading [len(symbols)]byte

const (
	unread = 0
	asItIs = '-'
)

// symbolIndex is the place of a unit in symbols, -1 for every other.
func symbolIndex(c uint16) int {
	if c > 127 {
		return -1
	}
	for k := range len(symbols) {
		if symbols[k] == byte(c) {
			return k
		}
	}
	return -1
}

// readings returns the ways to read a whole password that zxcvbn tries: every
// letter has one symbol, if any of its symbols occurs, and a symbol that two
// letters claim is tried for either. There are 736 of them at most, and none when no
// symbol occurs.
func readings(t text) []reading {
	var plain reading
	for k := range plain {
		plain[k] = asItIs
	}
	all := []reading{plain}
	for _, row := range l33t {
		var next []reading
		for k := range len(row.by) {
			if !slices.Contains(t.units, uint16(row.by[k])) {
				continue
			}
			symbol := symbolIndex(uint16(row.by[k]))
			for _, r := range all {
				if r[symbol] != asItIs {
					next = append(next, r)
				}
				r[symbol] = row.letter
				next = append(next, r)
			}
		}
		if next != nil {
			all = distinct(next)
		}
	}
	if all[0] == plain {
		return nil
	}
	return all
}

// distinct keeps the first of equal readings.
func distinct(all []reading) []reading {
	seen := make(map[reading]struct{}, len(all))
	return slices.DeleteFunc(all, func(r reading) bool {
		_, again := seen[r]
		seen[r] = struct{}{}
		return again
	})
}

// l33tWords finds the words that appear when symbols are read as letters.
//
// zxcvbn reads the whole password in every way and looks for words each time,
// which takes it half a minute for a hundred well-chosen symbols. Here a word
// is followed letter by letter, and the readings part at the symbols they
// meet; the result is the same.
func (d dictionaries) l33tWords(t text) []match {
	all := readings(t)
	if all == nil {
		return nil
	}
	w := speller{text: t, readings: all}
	d.each(func(l *lexicon) {
		w.lexicon = l
		for w.start = range t.lower {
			w.follow(w.start, l.all(), reading{})
		}
	})
	slices.SortStableFunc(w.found, func(a, b spelled) int { return cmp.Compare(a.order, b.order) })
	matches := make([]match, len(w.found))
	for k, f := range w.found {
		matches[k] = f.match
	}
	return matches
}

// spelled is a word in l33t and the number of the first reading it has.
type spelled struct {
	match
	order int
}

// speller follows the words that may begin at start.
type speller struct {
	*lexicon
	text     text
	readings []reading // of the whole password
	start    int
	found    []spelled
}

// follow goes on with the unit at pos, behind a beginning that the words of s
// share and for which symbols were read as r says.
func (w *speller) follow(pos int, s span, r reading) {
	if pos == len(w.text.lower) {
		return
	}
	c := w.text.lower[pos]
	k := symbolIndex(c)
	switch {
	case k < 0 || r[k] == asItIs:
		w.step(pos, s, c, r)
	case r[k] != unread:
		w.step(pos, s, uint16(r[k]), r)
	default:
		r[k] = asItIs
		w.step(pos, s, c, r)
		for _, row := range l33t {
			for n := range len(row.by) {
				if uint16(row.by[n]) == c {
					r[k] = row.letter
					w.step(pos, s, uint16(row.letter), r)
				}
			}
		}
	}
}

// step takes letter c for the unit at pos and notes the word that ends there.
func (w *speller) step(pos int, s span, c uint16, r reading) {
	length := pos - w.start + 1
	if s = w.narrow(s, length-1, c); s.lo == s.hi {
		return
	}
	// A single symbol is no word: 1 would be i, and 4 would be a.
	if word, ok := w.whole(s, length); ok && length > 1 {
		subs, order := r.substitutions(), slices.IndexFunc(w.readings, r.partOf)
		if len(subs) > 0 && order >= 0 {
			w.found = append(w.found, spelled{
				match{pattern: dictionary, i: w.start, j: pos, list: word.list, rank: int(word.rank), subs: subs}, order,
			})
		}
	}
	w.follow(pos+1, s, r)
}

// substitutions are the letters in r.
func (r *reading) substitutions() []substitution {
	var subs []substitution
	for k, letter := range r {
		if letter != unread && letter != asItIs {
			subs = append(subs, substitution{uint16(symbols[k]), uint16(letter)})
		}
	}
	return subs
}

// partOf reports whether whole reads what r has read in the same way.
func (r *reading) partOf(whole reading) bool {
	for k, letter := range r {
		if letter != unread && letter != whole[k] {
			return false
		}
	}
	return true
}
