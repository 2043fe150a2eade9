package strength

import (
	"unicode/utf8"

	"gatehouse/internal/apierr"
)

// Bounds of a LUDSPolicy.
const (
	MinLUDSLength  = 8
	MaxLUDSLength  = 32
	MinLUDSClasses = 1
	MaxLUDSClasses = 4
)

var (
	errLUDSLength     = apierr.New(400, "invalid_password_strength_luds_length", "The minimum length of passwords is out of range. Choose 8 to 32 characters.")
	errLUDSComplexity = apierr.New(400, "invalid_password_strength_luds_complexity", "The number of character classes a password needs is out of range. Choose 1 to 4.")
)

// LUDSPolicy says what a password needs: so many characters, of so many of
// the four classes lower case, upper case, digit, symbol.
type LUDSPolicy struct {
	MinLength  int // characters, 8..32
	MinClasses int // 1..4
}

// LUDS is what a password has of what a LUDSPolicy asks for.
type LUDS struct {
	HasLower, HasUpper, HasDigit, HasSymbol bool

	MissingComplexity int // classes too few
	MissingCharacters int // characters too few
}

// Check refuses a policy out of its bounds.
func (p LUDSPolicy) Check() error {
	if p.MinLength < MinLUDSLength || p.MinLength > MaxLUDSLength {
		return errLUDSLength
	}
	if p.MinClasses < MinLUDSClasses || p.MinClasses > MaxLUDSClasses {
		return errLUDSComplexity
	}
	return nil
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
