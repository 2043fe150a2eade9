package strength

import "math"

// cell is the cheapest way to cover a beginning of a password with so many
// matches: the last of them and what all of them cost.
type cell struct {
	known   bool
	match   *match  // nil for brute force
	from    int     // the first unit of the last match
	product float64 // of the guesses of all matches
	total   float64 // what an attacker needs: product, order and number of the matches
}

// cover is the search for the cheapest way to cover a password by matches that
// do not overlap: for every beginning and every number of matches the best.
type cover struct {
	rows [][]cell // by last unit, then number of matches less one
}

// analyse returns how many guesses t takes and the matches that are the
// cheapest way to it.
func (d dictionaries) analyse(t text) (float64, []match) {
	n := len(t.units)
	if n == 0 {
		return 1, nil
	}
	c := cover{rows: make([][]cell, n)}
	all := d.matches(t)
	for k := range n {
		for len(all) > 0 && all[0].j == k {
			m := &all[0]
			c.extend(m.guesses, m, m.i, k)
			all = all[1:]
		}
		for i := range k + 1 {
			c.extend(max(guessBruteforce(k-i+1), least(k-i+1, n)), nil, i, k)
		}
	}
	return c.best(n)
}

// extend tries a match of units i to j, nil for brute force, behind every way
// to cover the units before it.
func (c *cover) extend(guesses float64, m *match, i, j int) {
	if i == 0 {
		c.try(cell{true, m, i, guesses, 0}, j, 1)
		return
	}
	for n, before := range c.rows[i-1] {
		// Two pieces of brute force side by side are never better than one.
		if before.known && (m != nil || before.match != nil) {
			c.try(cell{true, m, i, float64(guesses * before.product), 0}, j, n+2)
		}
	}
}

// try keeps a way of n matches to cover the units up to j, unless one of as
// many or fewer costs no more.
func (c *cover) try(way cell, j, n int) {
	// 10,000 guesses for every match more: shorter ways are tried first. The
	// conversion keeps the product from being fused with the sum, which rounds
	// differently on some processors.
	way.total = float64(factorial(n)*way.product) + math.Pow10(4*(n-1))
	row := c.rows[j]
	for _, other := range row[:min(n, len(row))] {
		if other.known && other.total <= way.total {
			return
		}
	}
	for len(row) < n {
		row = append(row, cell{})
	}
	row[n-1] = way
	c.rows[j] = row
}

// best reads the cheapest way off the last row, and back to its beginning.
func (c *cover) best(length int) (float64, []match) {
	guesses, n := math.Inf(1), 0
	for k, way := range c.rows[length-1] {
		if way.known && way.total < guesses {
			guesses, n = way.total, k
		}
	}
	matches := make([]match, n+1)
	for j := length - 1; j >= 0; n-- {
		way := c.rows[j][n]
		matches[n] = match{pattern: bruteforce, i: way.from, j: j}
		if way.match != nil {
			matches[n] = *way.match
		}
		j = way.from - 1
	}
	return guesses, matches
}

// factorial is in how many orders n matches can stand.
func factorial(n int) float64 {
	f := 1.0
	for k := 2; k <= n; k++ {
		f *= float64(k)
	}
	return f
}
