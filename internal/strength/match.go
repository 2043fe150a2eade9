package strength

import (
	"cmp"
	"slices"
)

// pattern is the kind of guess that a match is.
type pattern uint8

const (
	bruteforce pattern = iota
	dictionary
	spatial
	repeat
	sequence
	recentYear
	date
)

// match is a piece of a password that can be guessed by a pattern.
type match struct {
	pattern pattern
	i, j    int     // its first and its last unit
	guesses float64 // how many guesses it takes, at least 1

	// dictionary
	list     list
	rank     int
	reversed bool
	subs     []substitution // not empty: in l33t

	// spatial
	keypad  bool // the keys of a calculator, not of a keyboard
	turns   int
	shifted int

	// repeat
	base        int // length of what is repeated
	baseGuesses float64

	ascending bool // sequence
	year      int  // date
	separator bool // date
}

func (m *match) len() int { return m.j - m.i + 1 }

// dictionaries is what words are looked up in.
type dictionaries struct {
	common *lexicon
	own    *lexicon // nil when there are no inputs
}

func (d dictionaries) each(f func(*lexicon)) {
	f(d.common)
	if d.own != nil {
		f(d.own)
	}
}

// matches finds every match of every pattern in t, with its guesses, by their
// last unit, then their first. Among matches of the same piece the order is
// that of the patterns here: of two that cost the same the first one counts,
// and the feedback is about it.
func (d dictionaries) matches(t text) []match {
	var all []match
	all = append(all, d.words(t)...)
	all = append(all, d.reversedWords(t)...)
	all = append(all, d.l33tWords(t)...)
	all = append(all, keyRows(t)...)
	all = append(all, d.repeats(t)...)
	all = append(all, sequences(t)...)
	all = append(all, recentYears(t)...)
	all = append(all, dates(t)...)
	slices.SortStableFunc(all, func(a, b match) int {
		return cmp.Or(cmp.Compare(a.j, b.j), cmp.Compare(a.i, b.i))
	})
	for k := range all {
		all[k].guesses = estimate(t, &all[k])
	}
	return all
}

// words finds the words of the dictionaries, wherever they begin.
func (d dictionaries) words(t text) []match {
	var found []match
	d.each(func(l *lexicon) {
		for i := range t.lower {
			s := l.all()
			for j := i; j < len(t.lower); j++ {
				if s = l.narrow(s, j-i, t.lower[j]); s.lo == s.hi {
					break
				}
				if w, ok := l.whole(s, j-i+1); ok {
					found = append(found, match{pattern: dictionary, i: i, j: j, list: w.list, rank: int(w.rank)})
				}
			}
		}
	})
	return found
}

// reversedWords finds the words that stand in t from right to left.
func (d dictionaries) reversedWords(t text) []match {
	mirror := text{units: slices.Clone(t.units), lower: slices.Clone(t.lower)}
	slices.Reverse(mirror.units)
	slices.Reverse(mirror.lower)
	found := d.words(mirror)
	last := len(t.units) - 1
	for k := range found {
		m := &found[k]
		m.i, m.j = last-m.j, last-m.i
		m.reversed = true
	}
	return found
}
