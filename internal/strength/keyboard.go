package strength

import (
	"slices"
	"strings"
)

// keyboard is where each ASCII character is typed.
type keyboard struct {
	keys    [128]key
	slanted bool // rows are shifted by half a key: six neighbours; otherwise eight
}

// key is a place on a keyboard: column and row, and whether shift is held.
type key struct {
	x, y             int8
	present, shifted bool
}

// keyboards are the layouts people draw patterns on, in zxcvbn's order.
var keyboards = [...]keyboard{
	newKeyboard(true, ""+
		"`~ 1! 2@ 3# 4$ 5% 6^ 7& 8* 9( 0) -_ =+\n"+
		".. qQ wW eE rR tT yY uU iI oO pP [{ ]} \\|\n"+
		".. aA sS dD fF gG hH jJ kK lL ;: '\"\n"+
		".. zZ xX cC vV bB nN mM ,< .> /?"),
	newKeyboard(true, ""+
		"`~ 1! 2@ 3# 4$ 5% 6^ 7& 8* 9( 0) [{ ]}\n"+
		".. '\" ,< .> pP yY fF gG cC rR lL /? =+ \\|\n"+
		".. aA oO eE uU iI dD hH tT nN sS -_\n"+
		".. ;: qQ jJ kK xX bB mM wW vV zZ"),
	newKeyboard(false, ".. / * -\n7 8 9 +\n4 5 6\n1 2 3\n.. 0 ."),
	newKeyboard(false, ".. = / *\n7 8 9 -\n4 5 6 +\n1 2 3\n.. 0 ."),
}

// The number of keys to begin at and of neighbours a key has on average, of
// QWERTY and of the first keypad; zxcvbn counts characters for keys, and takes
// the same numbers for the other two.
const (
	keyboardStarts, keyboardDegree = 94.0, 432.0 / 94
	keypadStarts, keypadDegree     = 15.0, 76.0 / 15
)

// The directions of the neighbours. Only whether it changes matters.
var (
	slantedWays = [][2]int8{{-1, 0}, {0, -1}, {1, -1}, {1, 0}, {0, 1}, {-1, 1}}
	alignedWays = [][2]int8{{-1, 0}, {-1, -1}, {0, -1}, {1, -1}, {1, 0}, {1, 1}, {0, 1}, {-1, 1}}
)

// newKeyboard reads a layout: rows of keys, each the characters it types
// without and with shift. Two dots are a gap.
func newKeyboard(slanted bool, layout string) keyboard {
	b := keyboard{slanted: slanted}
	for y, row := range strings.Split(layout, "\n") {
		for x, chars := range strings.Fields(row) {
			for n := range len(chars) {
				if chars != ".." {
					b.keys[chars[n]] = key{x: int8(x), y: int8(y), present: true, shifted: n == 1}
				}
			}
		}
	}
	return b
}

func (b *keyboard) key(c uint16) key {
	if c > 127 {
		return key{}
	}
	return b.keys[c]
}

// way is the direction from a key to its neighbour, -1 when it is none.
func (b *keyboard) way(from, to key) int {
	if !from.present || !to.present {
		return -1
	}
	ways := alignedWays
	if b.slanted {
		ways = slantedWays
	}
	return slices.Index(ways, [2]int8{to.x - from.x, to.y - from.y})
}

// keyRows finds rows of three and more neighbouring keys.
func keyRows(t text) []match {
	var found []match
	for n := range keyboards {
		b := &keyboards[n]
		for i := 0; i < len(t.units)-1; {
			m := match{pattern: spatial, i: i, keypad: !b.slanted}
			from, last := b.key(t.units[i]), -1
			if from.shifted {
				m.shifted++
			}
			j := i + 1
			for ; j < len(t.units); j++ {
				to := b.key(t.units[j])
				way := b.way(from, to)
				if way < 0 {
					break
				}
				if to.shifted {
					m.shifted++
				}
				if way != last {
					m.turns++
				}
				from, last = to, way
			}
			if j-i > 2 {
				m.j = j - 1
				found = append(found, m)
			}
			i = j
		}
	}
	return found
}
