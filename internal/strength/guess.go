package strength

import "math"

// The least that a piece of a password costs, of one unit and of more: there
// is always something to guess about where it stands.
const (
	minSingle  = 10
	minSeveral = 50
)

// estimate says how many guesses a match takes.
func estimate(t text, m *match) float64 {
	var guesses float64
	u := t.units[m.i : m.j+1]
	switch m.pattern {
	case dictionary:
		guesses = float64(m.rank) * capitalisations(u) * spellings(t.lower[m.i:m.j+1], m.subs)
		if m.reversed {
			guesses *= 2
		}
		if m.rank == noRank {
			return math.NaN()
		}
	case spatial:
		guesses = guessKeys(m)
	case repeat:
		guesses = m.baseGuesses * float64(m.len()/m.base)
	case sequence:
		guesses = guessSequence(u, m.ascending)
	case recentYear:
		guesses = yearsAway(m.year)
	case date:
		guesses = yearsAway(m.year) * 365
		if m.separator {
			guesses *= 4
		}
	}
	return max(guesses, least(len(u), len(t.units)))
}

// least is the least that length units of a password of total units cost.
func least(length, total int) float64 {
	switch {
	case length == total:
		return 1
	case length == 1:
		return minSingle
	}
	return minSeveral
}

// guessBruteforce is what length units cost that no pattern fits: ten guesses
// each, and always one more than a pattern would.
func guessBruteforce(length int) float64 {
	if length == 1 {
		return minSingle + 1
	}
	return max(math.Pow10(length), minSeveral+1)
}

// guessSequence: abc and cba are tried first, others later, backwards last.
func guessSequence(u []uint16, ascending bool) float64 {
	guesses := 26.0
	switch c := u[0]; {
	case c == 'a' || c == 'A' || c == 'z' || c == 'Z' || c == '0' || c == '1' || c == '9':
		guesses = 4
	case digit(c):
		guesses = 10
	}
	if !ascending {
		guesses *= 2
	}
	return guesses * float64(len(u))
}

// yearsAway is how many years one tries before that year, 20 at least.
func yearsAway(year int) float64 {
	return float64(max(year-thisYear, thisYear-year, 20))
}

// guessKeys counts the rows of keys of this length or less with so many turns
// or less.
func guessKeys(m *match) float64 {
	starts, degree := keyboardStarts, keyboardDegree
	if m.keypad {
		starts, degree = keypadStarts, keypadDegree
	}
	guesses := 0.0
	for length := 2; length <= m.len(); length++ {
		for turns := 1; turns <= min(m.turns, length-1); turns++ {
			guesses += float64(choose(length-1, turns-1) * starts * math.Pow(degree, float64(turns)))
		}
	}
	if m.shifted > 0 {
		guesses *= variations(m.shifted, m.len()-m.shifted)
	}
	return guesses
}

// capitalisations is how many ways to write a word in capitals one tries
// before this one.
func capitalisations(u []uint16) float64 {
	upper, lower := count(u, isUpper), count(u, isLower)
	switch {
	case upper == 0:
		return 1
	case startUpper(u), endUpper(u), lower == 0:
		return 2
	}
	return mixtures(upper, lower)
}

// spellings is how many ways to write a word in l33t one tries before this
// one; lower is the piece in lower case.
func spellings(lower []uint16, subs []substitution) float64 {
	n := 1.0
	for _, s := range subs {
		n *= variations(
			count(lower, func(c uint16) bool { return c == s.symbol }),
			count(lower, func(c uint16) bool { return c == s.letter }),
		)
	}
	return n
}

// variations is mixtures, or 2 where all are of one kind.
func variations(a, b int) float64 {
	if a == 0 || b == 0 {
		return 2
	}
	return mixtures(a, b)
}

// mixtures is the number of ways to change so many of a+b letters as the rarer
// kind has, or fewer.
func mixtures(a, b int) float64 {
	n := 0.0
	for k := 1; k <= min(a, b); k++ {
		n += choose(a+b, k)
	}
	return n
}

// choose is the binomial coefficient, rounded as zxcvbn rounds it.
func choose(n, k int) float64 {
	if k > n {
		return 0
	}
	r := 1.0
	for d := 1; d <= k; d++ {
		r *= float64(n)
		r /= float64(d)
		n--
	}
	return r
}

func count(u []uint16, f func(uint16) bool) int {
	n := 0
	for _, c := range u {
		if f(c) {
			n++
		}
	}
	return n
}

func isUpper(c uint16) bool { return 'A' <= c && c <= 'Z' }
func isLower(c uint16) bool { return 'a' <= c && c <= 'z' }

// startUpper and endUpper report whether the first or the last unit, and no
// other one, is a capital.
func startUpper(u []uint16) bool {
	return len(u) > 1 && isUpper(u[0]) && count(u, isUpper) == 1
}

func endUpper(u []uint16) bool {
	return len(u) > 1 && isUpper(u[len(u)-1]) && count(u, isUpper) == 1
}
