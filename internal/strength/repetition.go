package strength

import "slices"

// repeats finds pieces that are repeated at once: aaa, abcabc. How hard the
// piece itself is, is asked as for a whole password.
func (d dictionaries) repeats(t text) []match {
	var found []match
	for at := 0; at < len(t.units); {
		i, base, length := firstRepeat(t.units, at)
		if length == 0 {
			break
		}
		guesses, _ := d.analyse(t.part(i, i+base))
		found = append(found, match{pattern: repeat, i: i, j: i + length - 1, base: base, baseGuesses: guesses})
		at = i + length
	}
	return found
}

// firstRepeat finds the first repetition from unit at on: where it begins, the
// length of what is repeated and of the whole, 0 when there is none. Where
// both fit, a longer whole wins, aab twice over a twice, then a shorter piece:
// a four times over aa twice.
func firstRepeat(u []uint16, at int) (i, base, length int) {
	for i = at; i < len(u)-1; i++ {
		line := u[i:]
		if end := slices.IndexFunc(line, lineEnd); end >= 0 {
			line = line[:end] // the reference's pattern stops at the end of a line
		}
		short, long := 0, 0
		for n := 1; n <= len(line)/2; n++ {
			if slices.Equal(line[:n], line[n:2*n]) {
				if short == 0 {
					short = n
				}
				long = n
			}
		}
		if short == 0 {
			continue
		}
		base, length = short, run(line, short)
		if whole := run(line, long); whole > length {
			base, length = period(line[:whole]), whole
		}
		return i, base, length
	}
	return 0, 0, 0
}

// run is how many units of u its first n, repeated, cover.
func run(u []uint16, n int) int {
	length := n
	for length+n <= len(u) && slices.Equal(u[:n], u[length:length+n]) {
		length += n
	}
	return length
}

// period is the length of the shortest piece that, repeated, makes up u.
func period(u []uint16) int {
	for n := 1; n < len(u); n++ {
		if len(u)%n == 0 && run(u, n) == len(u) {
			return n
		}
	}
	return len(u)
}

// lineEnd reports whether JavaScript ends a line with c.
func lineEnd(c uint16) bool {
	return c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029
}

// sequences finds units at even distances: abc, 7531, and those of other
// alphabets.
func sequences(t text) []match {
	const maxDelta = 5
	var found []match
	if len(t.units) < 2 {
		return nil
	}
	note := func(i, j, delta int) {
		size := max(delta, -delta)
		if (j-i > 1 || size == 1) && 0 < size && size <= maxDelta {
			found = append(found, match{pattern: sequence, i: i, j: j, ascending: delta > 0})
		}
	}
	delta := func(k int) int { return int(t.units[k]) - int(t.units[k-1]) }
	i, last := 0, delta(1)
	for k := 2; k < len(t.units); k++ {
		if d := delta(k); d != last {
			note(i, k-1, last)
			i, last = k-1, d
		}
	}
	note(i, len(t.units)-1, last)
	return found
}
