package strength

import (
	"strings"
	"testing"
)

// Every length around the bounds with every mixture of classes, against every
// policy that an environment can have.
func TestLUDSGrid(t *testing.T) {
	kinds := []string{"a", "A", "0", "-"}
	for minLength := 8; minLength <= 32; minLength++ {
		for minClasses := 1; minClasses <= 4; minClasses++ {
			p := LUDSPolicy{MinLength: minLength, MinClasses: minClasses}
			for _, length := range []int{0, 1, 4, minLength - 1, minLength, minLength + 1, 100} {
				for mixture := range 16 {
					password, classes := "", 0
					for k, kind := range kinds {
						if mixture>>k&1 == 1 && len(password) < length {
							password += kind
							classes++
						}
					}
					if classes == 0 && length > 0 {
						continue
					}
					if length > 0 {
						password += strings.Repeat(password[:1], length-len(password))
					}
					got := p.Measure(password)
					if got.MissingCharacters != max(0, minLength-length) || got.MissingComplexity != max(0, minClasses-classes) {
						t.Errorf("%+v.Measure(%q) = %+v", p, password, got)
					}
					if got.Valid() != (length >= minLength && classes >= minClasses) {
						t.Errorf("%+v.Measure(%q) is valid: %v", p, password, got.Valid())
					}
				}
			}
		}
	}
}

func TestLUDSClasses(t *testing.T) {
	p := LUDSPolicy{MinLength: 8, MinClasses: 4} // the example of factors.md, section 8.3
	for password, want := range map[string]LUDS{
		"":               {MissingComplexity: 4, MissingCharacters: 8},
		"Aa0-Aa0":        {true, true, true, true, 0, 1},
		"Aa0-Aa0-":       {true, true, true, true, 0, 0},
		"Aa0 Aa0 ":       {true, true, true, true, 0, 0}, // a space
		"Aa0ßAa0ß":       {true, true, true, true, 0, 0}, // letters of other alphabets
		"ÄÖÜäöüßé":       {HasSymbol: true, MissingComplexity: 3},
		"пароль12":       {HasDigit: true, HasSymbol: true, MissingComplexity: 2},
		"٣٣٣٣٣٣٣٣":       {HasSymbol: true, MissingComplexity: 3}, // digits of other alphabets
		"🔑🔑🔑🔑🔑🔑🔑":        {HasSymbol: true, MissingComplexity: 3, MissingCharacters: 1},
		"e\u0301aZ":      {true, true, false, true, 1, 4}, // a combining accent counts
		"\xff\xfe":       {HasSymbol: true, MissingComplexity: 3, MissingCharacters: 6},
		"`/:@[{a0Z":      {true, true, true, true, 0, 0}, // the neighbours of the classes
		"`/:@[{\x7f\x00": {HasSymbol: true, MissingComplexity: 3},
	} {
		if got := p.Measure(password); got != want {
			t.Errorf("Measure(%q) = %+v, want %+v", password, got, want)
		}
	}
}
