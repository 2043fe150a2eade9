package strength

import (
	"bytes"
	"cmp"
	"compress/gzip"
	_ "embed" // the word lists
	"io"
	"slices"
	"sort"
	"strings"
	"sync"
	"unicode/utf16"
)

// list names where a word is from, which the feedback tells apart.
type list uint8

// The lists in the order in which they are asked and stand in data/words.gz.
const (
	passwords list = iota
	wikipedia
	femaleNames
	surnames
	tvAndFilm
	maleNames
	ownInputs
)

// lexicon is a set of words, sorted, so that a text is looked up letter by
// letter and given up at the first letter that no word goes on with. That
// bounds the work where whole pieces are looked up, in every spelling.
type lexicon struct {
	text  []uint16 // the letters of all words
	words []word
	begin *beginnings // nil where there are few words
}

// beginnings are the words by their first letter, and by their first two. What
// hashes a password leaves nothing of the words in the processor's caches, and
// a search through all of them waits for memory at every step.
type beginnings struct {
	one [128]span
	two [128][128]span
}

// beginnings sorts words in ASCII by how they begin.
func (l *lexicon) beginnings() *beginnings {
	b := &beginnings{}
	add := func(s *span, k int) {
		if s.hi == 0 {
			s.lo = k
		}
		s.hi = k + 1
	}
	for k, w := range l.words {
		first := l.text[w.at]
		add(&b.one[first], k)
		if w.len > 1 {
			add(&b.two[first][l.text[w.at+1]], k)
		}
	}
	return b
}

// word is a word of a lexicon. Each stands in one list only.
type word struct {
	at   uint32 // where its letters begin
	rank uint16 // 1 is the most common of its list
	len  uint8
	list list
}

// Words that every object of JavaScript holds, so that zxcvbn finds them in each
// list, with something for a rank that is no number. Here they have noRank, and
// the guesses are NaN as well: nobody would miss that, but the scores of
// passwords with these words would not be the reference's.
const (
	inConstructor = "constructor"
	inProto       = "__proto__"
	noRank        = 0
)

// words.gz has a line for each list, its words by frequency, most common
// first: the lists that zxcvbn 4.4.2 ships, all of them in ASCII.
//
//go:embed data/words.gz
var wordLists []byte

// common is the lexicon of everybody's words: 94,000 words in 2.5 MB, made
// when the first password is measured.
var common = sync.OnceValue(func() *lexicon {
	l, err := readLexicon(wordLists)
	if err != nil {
		panic(err) // the file is part of the program, and the tests read it
	}
	return l
})

func readLexicon(packed []byte) (*lexicon, error) {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(zip)
	if err != nil {
		return nil, err
	}
	plain = append(plain, inProto+"\n"...)
	l := &lexicon{
		text:  make([]uint16, len(plain)),
		words: make([]word, 0, bytes.Count(plain, []byte{' '})+bytes.Count(plain, []byte{'\n'})),
	}
	next := word{rank: 1}
	for i, c := range plain {
		l.text[i] = uint16(c)
		if c != ' ' && c != '\n' {
			continue
		}
		w := next
		w.len = uint8(i - int(w.at))
		if letters := string(plain[w.at:i]); letters == inProto || letters == inConstructor {
			w.rank = noRank
		}
		l.words = append(l.words, w)
		next.at = uint32(i + 1)
		next.rank++
		if c == '\n' {
			next.list++
			next.rank = 1
		}
	}
	slices.SortFunc(l.words, func(a, b word) int {
		return bytes.Compare(plain[a.at:a.at+uint32(a.len)], plain[b.at:b.at+uint32(b.len)])
	})
	l.begin = l.beginnings()
	return l, nil
}

// ownWords makes the lexicon of a user's words, nil when there are none. The
// rank of a word is its place. Longer words than what is judged cannot be part
// of it.
func ownWords(inputs []string) *lexicon {
	inputs = inputs[:min(len(inputs), maxInputs)]
	l := &lexicon{}
	for i, input := range inputs {
		var letters []uint16
		for _, r := range input {
			letters = utf16.AppendRune(letters, lowerRune(r))
			if len(letters) > judged {
				break
			}
		}
		if len(letters) == 0 || len(letters) > judged || strings.EqualFold(input, inProto) {
			continue
		}
		l.words = append(l.words, word{at: uint32(len(l.text)), rank: uint16(i + 1), len: uint8(len(letters)), list: ownInputs})
		l.text = append(l.text, letters...)
	}
	if len(l.words) == 0 {
		return nil
	}
	slices.SortFunc(l.words, func(a, b word) int {
		// Of a word that comes twice the later place counts.
		return cmp.Or(slices.Compare(l.letters(a), l.letters(b)), cmp.Compare(b.rank, a.rank))
	})
	return l
}

func (l *lexicon) letters(w word) []uint16 {
	return l.text[w.at : w.at+uint32(w.len)]
}

// span is the words of a lexicon, from lo up to, without, hi, that begin alike.
type span struct{ lo, hi int }

// all is the span of all words.
func (l *lexicon) all() span { return span{0, len(l.words)} }

// narrow keeps the words of s whose letter at index n is c. All of s agree in
// the n letters before.
func (l *lexicon) narrow(s span, n int, c uint16) span {
	if l.begin != nil && n < 2 {
		switch {
		case int(c) >= len(l.begin.one):
			return span{}
		case n == 0:
			return l.begin.one[c]
		}
		return l.begin.two[l.text[l.words[s.lo].at]][c]
	}
	words := l.words[s.lo:s.hi]
	lo := sort.Search(len(words), func(k int) bool { return l.letter(words[k], n) >= int(c) })
	words = words[lo:]
	hi := sort.Search(len(words), func(k int) bool { return l.letter(words[k], n) > int(c) })
	return span{s.lo + lo, s.lo + lo + hi}
}

// letter is the letter at index n of a word, -1 behind its end.
func (l *lexicon) letter(w word, n int) int {
	if n >= int(w.len) {
		return -1
	}
	return int(l.text[int(w.at)+n])
}

// whole returns the word of n letters in s, all of whose words agree in n
// letters.
func (l *lexicon) whole(s span, n int) (word, bool) {
	if s.lo < s.hi && int(l.words[s.lo].len) == n {
		return l.words[s.lo], true
	}
	return word{}, false
}
