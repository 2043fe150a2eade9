package strength

import "testing"

// Looking a word up by its first two letters finds what a search finds.
func TestBeginningsNarrowAsASearchDoes(t *testing.T) {
	l := common()
	searched := &lexicon{text: l.text, words: l.words}
	same := func(a, b span) bool { return a == b || a.lo == a.hi && b.lo == b.hi }
	for first := range uint16(300) {
		one, want := l.narrow(l.all(), 0, first), searched.narrow(l.all(), 0, first)
		if !same(one, want) {
			t.Fatalf("%q: %v, want %v", rune(first), one, want)
		}
		if one.lo == one.hi {
			continue
		}
		for second := range uint16(300) {
			if two, want := l.narrow(one, 1, second), searched.narrow(one, 1, second); !same(two, want) {
				t.Fatalf("%q%q: %v, want %v", rune(first), rune(second), two, want)
			}
		}
	}
}
