package strength

import "unicode/utf8"

// LUDSPolicy says what a password needs: so many characters, of so many of
// the four classes lower case, upper case, digit, symbol.
type LUDSPolicy struct {
	MinLength  int // characters
	MinClasses int // 1..4
}

// LUDS is what a password has of what a LUDSPolicy asks for.
type LUDS struct {
	HasLower, HasUpper, HasDigit, HasSymbol bool

	MissingComplexity int // classes too few
	MissingCharacters int // characters too few
}

// Measure compares a password with the policy. Characters are code points,
// the nearest to what people count that needs no table. Letters are those of
// English: whatever else UTF-8 holds is a symbol, a space and an ß included.
func (p LUDSPolicy) Measure(password string) LUDS {
	var l LUDS
	for _, r := range password {
		switch {
		case 'a' <= r && r <= 'z':
			l.HasLower = true
		case 'A' <= r && r <= 'Z':
			l.HasUpper = true
		case '0' <= r && r <= '9':
			l.HasDigit = true
		default:
			l.HasSymbol = true
		}
	}
	classes := 0
	for _, has := range []bool{l.HasLower, l.HasUpper, l.HasDigit, l.HasSymbol} {
		if has {
			classes++
		}
	}
	l.MissingComplexity = max(0, p.MinClasses-classes)
	l.MissingCharacters = max(0, p.MinLength-utf8.RuneCountInString(password))
	return l
}

// Valid reports whether nothing is missing.
func (l LUDS) Valid() bool {
	return l.MissingComplexity == 0 && l.MissingCharacters == 0
}
