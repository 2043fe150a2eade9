package strength

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"
)

// vector is a password and what zxcvbn says of it.
type vector struct {
	Password    string   `json:"password"`
	Inputs      []string `json:"user_inputs"`
	Score       int      `json:"score"`
	Guesses     float64  `json:"guesses"`
	Warning     string   `json:"warning"`
	Suggestions []string `json:"suggestions"`
}

// check compares with the reference: score and words exactly, guesses but for
// the last digits of powers, which processors round differently.
func (v vector) check(t *testing.T) {
	t.Helper()
	got := Measure(v.Password, v.Inputs...)
	if got.Score != v.Score || got.Warning != v.Warning || !slices.Equal(got.Suggestions, v.Suggestions) {
		t.Errorf("Measure(%q, %q) = %+v\nwant %d %q %q", v.Password, v.Inputs, got, v.Score, v.Warning, v.Suggestions)
	}
	guesses, _ := dictionaries{common: common(), own: ownWords(v.Inputs)}.analyse(newText(v.Password))
	if math.Abs(guesses-v.Guesses) > 1e-12*v.Guesses {
		t.Errorf("%q, %q: %v guesses, want %v", v.Password, v.Inputs, guesses, v.Guesses)
	}
}

func readVectors(t *testing.T, text []byte) []vector {
	t.Helper()
	var file struct {
		Vectors []vector `json:"vectors"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Vectors
}

// Passwords of every shape: words, l33t, dates, rows of keys, repeats,
// sequences, other alphabets, emoji, the user's own words.
func TestZxcvbnReference(t *testing.T) {
	text, err := os.ReadFile("testdata/zxcvbn-4.4.2.json")
	if err != nil {
		t.Fatal(err)
	}
	vectors := readVectors(t, text)
	if len(vectors) != 1500 {
		t.Fatalf("%d vectors", len(vectors))
	}
	for _, v := range vectors {
		v.check(t)
	}
}

func TestZxcvbnSharedVectors(t *testing.T) {
	text, err := os.ReadFile("../../../shared/vectors/zxcvbn-4.4.2.json")
	if os.IsNotExist(err) {
		t.Skip("the shared vectors are not beside this clone")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range readVectors(t, text) {
		v.check(t)
	}
}

// The example of the requirements (factors.md, section 8.3). The warning is the
// library's, not the one printed there.
func TestZxcvbnWorkedExample(t *testing.T) {
	got := Measure("p@ssword1")
	if got.Score >= Sufficient {
		t.Errorf("score %d passes", got.Score)
	}
	if want := "This is similar to a commonly used password"; got.Warning != want {
		t.Errorf("warning %q, want %q", got.Warning, want)
	}
	want := []string{
		"Add another word or two. Uncommon words are better.",
		"Predictable substitutions like '@' instead of 'a' don't help very much",
	}
	if !slices.Equal(got.Suggestions, want) {
		t.Errorf("suggestions %q, want %q", got.Suggestions, want)
	}
}

// Case 55: what a stranger types bounds no work. The first 100 units are
// judged and no more, and those never make more than a few thousand matches:
// the reference takes half a minute for some of these.
func TestSecurity55LongPasswordsCostLittle(t *testing.T) {
	for _, piece := range []string{"a", "ab", "@4", "@4@4l1t7|i!", symbols, "1234567890", "11.11.2011", "31415926", "1", "qwertyuiop", "the", "correct horse ", "🔑", "\n", "\xff", "\u0130"} {
		long := strings.Repeat(piece, 1<<20/len(piece))
		text := newText(long)
		begin := string(utf16.Decode(text.units))
		got, want := Measure(long, long, "@"+long), Measure(begin)
		if got.Score != want.Score || got.Warning != want.Warning || !slices.Equal(got.Suggestions, want.Suggestions) {
			t.Errorf("%.20q: %+v, its beginning %+v", long, got, want)
		}
		if n := len(text.units); n > judged || n != len(text.lower) {
			t.Errorf("%.20q: %d units", long, n)
		}
		if n := len(dictionaries{common: common()}.matches(text)); n > 5000 {
			t.Errorf("%.20q: %d matches", long, n)
		}
		if n := len(readings(text)); n > 736 {
			t.Errorf("%.20q: %d readings", long, n)
		}
	}
}

func TestWhatIsJudged(t *testing.T) {
	for s, want := range map[string]int{
		"":                                   0,
		strings.Repeat("a", 99):              99,
		strings.Repeat("a", 100):             100,
		strings.Repeat("a", 101):             100,
		strings.Repeat("a", 98) + "🔑x":       100,
		strings.Repeat("a", 99) + "🔑x":       99, // no half characters
		strings.Repeat("\u0130\u1e9e", 3000): 100,
	} {
		if got := newText(s); len(got.units) != want || len(got.lower) != want {
			t.Errorf("%.10q...: %d units, %d in lower case, want %d", s, len(got.units), len(got.lower), want)
		}
	}
	inputs := make([]string, 70000)
	for i := range inputs {
		inputs[i] = "hunter"
	}
	if got := len(ownWords(inputs).words); got != maxInputs {
		t.Errorf("%d inputs", got)
	}
	if ownWords([]string{"", strings.Repeat("x", 101), "__proto__"}) != nil {
		t.Error("words that cannot occur are kept")
	}
}

// The user's own words are guessed first, in any spelling.
func TestOwnWords(t *testing.T) {
	words := Words("Marlborough.Quigley+shop@zyxland.example")
	want := []string{"Marlborough.Quigley+shop@zyxland.example", "Marlborough.Quigley+shop", "zyxland.example", "Marlborough", "Quigley", "shop", "zyxland", "example"}
	if !slices.Equal(words, want) {
		t.Errorf("Words = %q", words)
	}
	if got := Words("no address"); !slices.Equal(got, []string{"no address"}) {
		t.Errorf("Words = %q", got)
	}
	for _, password := range []string{"zyxland.example", "ZYXLAND.example", "elpmaxe.dnalxyz", "2yxl4nd.ex4mpl3"} {
		if without, with := Measure(password), Measure(password, words...); without.Score < Sufficient || with.Score >= Sufficient {
			t.Errorf("%q scores %d, with the user's words %d", password, without.Score, with.Score)
		}
	}
}

// Lower case is found letter by letter: I with a dot is an i, and no position
// moves.
func TestLettersThatFold(t *testing.T) {
	if got, want := Measure("\u0130stanbul"), Measure("istanbul"); got.Score != want.Score || got.Warning != want.Warning {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := Measure("ΟΔΟΣΑΘΗΝΑΣ", "οδοσαθηνασ"); got.Score != 0 {
		t.Errorf("%+v", got)
	}
}

func TestMeasureAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := Measure("correct horse battery staple", "alice"); got.Score != 4 || got.Suggestions == nil {
				t.Errorf("%+v", got)
			}
		})
	}
	wg.Wait()
}

func FuzzMeasure(f *testing.F) {
	for _, s := range []string{"", "a", "p@ssword1", "aabaab", "1.1.1991", "__proto__", "constructor", "\xff\xfe", "🔑🔑", "İ", symbols, "zxcvfr45tgb", "a\na\na"} {
		f.Add(s, "alice@example.com")
		f.Add(s+s, s)
	}
	f.Fuzz(func(t *testing.T, password, input string) {
		got := Measure(password, input)
		if got.Score < 0 || got.Score > 4 || got.Suggestions == nil {
			t.Errorf("%+v", got)
		}
		if got.Score >= Sufficient != (len(got.Suggestions) == 0) {
			t.Errorf("score %d with %q", got.Score, got.Suggestions)
		}
		text := newText(password)
		d := dictionaries{common: common(), own: ownWords([]string{input})}
		guesses, matches := d.analyse(text)
		if !(guesses >= 1) {
			t.Errorf("%v guesses", guesses)
		}
		next := 0
		for _, m := range matches {
			if m.i != next || m.j < m.i || !(m.guesses >= 0) {
				t.Errorf("a gap before %+v", m)
			}
			next = m.j + 1
		}
		if next != len(text.units) {
			t.Errorf("%d of %d units are covered", next, len(text.units))
		}
	})
}

func BenchmarkMeasure(b *testing.B) {
	common()
	for name, password := range map[string]string{
		"short": "p@ssword1",
		"words": "correct horse battery staple",
		"a":     strings.Repeat("a", 1000),
		"l33t":  strings.Repeat(symbols, 5),
		"date":  strings.Repeat("1112011", 20),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Measure(password, "alice@example.com", "alice", "example.com")
			}
		})
	}
}

func BenchmarkFirstUse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readLexicon(wordLists); err != nil {
			b.Fatal(err)
		}
	}
}
