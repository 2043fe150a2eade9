package strength

import (
	"slices"
	"unicode"
)

// thisYear is the year from which zxcvbn counts how far a date is away. It
// stands still, so that a password has the same score next year: a year of
// birth costs one guess more then, which is not worth a clock.
const thisYear = 2026

// Years that may be part of a date.
const (
	minYear = 1000
	maxYear = 2050
)

// splits says where digits of a length without separators may be divided into
// day, month and year.
var splits = [...][][2]int{
	4: {{1, 2}, {2, 3}},                 // 1 1 91, 91 1 1
	5: {{1, 3}, {2, 3}},                 // 1 11 91, 11 1 91
	6: {{1, 2}, {2, 4}, {4, 5}},         // 1 1 1991, 11 11 91, 1991 1 1
	7: {{1, 3}, {2, 3}, {4, 5}, {4, 6}}, // 1 11 1991, 11 1 1991, 1991 1 11, 1991 11 1
	8: {{2, 4}, {4, 6}},                 // 11 11 1991, 1991 11 11
}

// recentYears finds 1900 to 2019.
func recentYears(t text) []match {
	var found []match
	for i := 0; i+4 <= len(t.units); i++ {
		u := t.units[i : i+4]
		century := u[0] == '1' && u[1] == '9' && digit(u[2]) || u[0] == '2' && u[1] == '0' && (u[2] == '0' || u[2] == '1')
		if century && digit(u[3]) {
			found = append(found, match{pattern: recentYear, i: i, j: i + 3, year: number(u)})
			i += 3
		}
	}
	return found
}

// dates finds dates with and without separators, the year first or last, day
// and month in either order. What lies within another date is left out.
func dates(t text) []match {
	var all []match
	for i := range t.units {
		for n := 4; n <= 8 && i+n <= len(t.units); n++ {
			if year, ok := plainDate(t.units[i : i+n]); ok {
				all = append(all, match{pattern: date, i: i, j: i + n - 1, year: year})
			}
		}
		for n := 6; n <= 10 && i+n <= len(t.units); n++ {
			if year, ok := separatedDate(t.units[i : i+n]); ok {
				all = append(all, match{pattern: date, i: i, j: i + n - 1, year: year, separator: true})
			}
		}
	}
	var found []match
	for k, m := range all {
		within := func(o match) bool { return o.i <= m.i && o.j >= m.j }
		if !slices.ContainsFunc(all[:k], within) && !slices.ContainsFunc(all[k+1:], within) {
			found = append(found, m)
		}
	}
	return found
}

// plainDate reads four to eight digits as a date and returns its year: of
// several readings the one nearest to this year, which takes fewest guesses.
func plainDate(u []uint16) (year int, ok bool) {
	if slices.ContainsFunc(u, func(c uint16) bool { return !digit(c) }) {
		return 0, false
	}
	away := func(y int) int { return max(y-thisYear, thisYear-y) }
	for _, at := range splits[len(u)] {
		y, is := yearOf([3]int{number(u[:at[0]]), number(u[at[0]:at[1]]), number(u[at[1]:])})
		if is && (!ok || away(y) < away(year)) {
			year, ok = y, true
		}
	}
	return year, ok
}

// separatedDate reads digits, a separator, digits, the same separator, digits:
// up to four, two and four of them.
func separatedDate(u []uint16) (year int, ok bool) {
	first := digits(u, 4)
	if first == 0 || first == len(u) || !separates(u[first]) {
		return 0, false
	}
	rest := u[first+1:]
	second := digits(rest, 2)
	if second == 0 || second == len(rest) || rest[second] != u[first] {
		return 0, false
	}
	last := rest[second+1:]
	if len(last) == 0 || digits(last, 4) != len(last) {
		return 0, false
	}
	return yearOf([3]int{number(u[:first]), number(rest[:second]), number(last)})
}

// yearOf returns the year of three numbers that are a date. The year is the
// first or the last of them and has four digits or two.
func yearOf(n [3]int) (int, bool) {
	if n[1] > 31 || n[1] <= 0 {
		return 0, false
	}
	over12, over31, under1 := 0, 0, 0
	for _, v := range n {
		switch {
		case v > maxYear, v > 99 && v < minYear:
			return 0, false
		case v > 31:
			over31++
			over12++
		case v > 12:
			over12++
		case v <= 0:
			under1++
		}
	}
	if over31 >= 2 || over12 == 3 || under1 >= 2 {
		return 0, false
	}
	last, first := dayAndMonth(n[0], n[1]), dayAndMonth(n[1], n[2])
	switch {
	case n[2] >= minYear:
		return n[2], last
	case n[0] >= minYear:
		return n[0], first
	case last:
		return fullYear(n[2]), true
	case first:
		return fullYear(n[0]), true
	}
	return 0, false
}

// dayAndMonth reports whether two numbers are a day and a month in any order.
func dayAndMonth(a, b int) bool {
	return 1 <= a && a <= 31 && 1 <= b && b <= 12 || 1 <= b && b <= 31 && 1 <= a && a <= 12
}

// fullYear takes 87 for 1987 and 15 for 2015.
func fullYear(y int) int {
	switch {
	case y > 99:
		return y
	case y > 50:
		return y + 1900
	}
	return y + 2000
}

func digit(c uint16) bool { return '0' <= c && c <= '9' }

// digits counts the digits that u begins with, up to limit.
func digits(u []uint16, limit int) int {
	n := 0
	for n < len(u) && n < limit && digit(u[n]) {
		n++
	}
	return n
}

// number reads digits, eight at most.
func number(u []uint16) int {
	n := 0
	for _, c := range u {
		n = 10*n + int(c-'0')
	}
	return n
}

// separates reports whether c stands between the numbers of a date: one of
// \s/\_.- in a regular expression of JavaScript.
func separates(c uint16) bool {
	switch c {
	case '/', '\\', '_', '.', '-', 0xfeff, 0x2028, 0x2029:
		return true
	case 0x85:
		return false // a space for Go, none for JavaScript
	}
	return unicode.IsSpace(rune(c))
}
