package breach

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
)

const suffixDigits = 40 - prefixDigits

var (
	errAnswer = errors.New("the answer is not a list of hashes with their counts")
	errEmpty  = errors.New("the answer has no rows, though every range has some")
)

// parseRange reads the answer to a range: rows of 35 hexadecimal digits, a
// colon and a count. It returns the first sixteen digits of each row, sorted.
// Rows that count nothing are padding and left out. An answer with a row of
// another form is no answer at all: it comes from a proxy or a broken mirror,
// and half of it would call passwords clean that are not.
func parseRange(body []byte) ([]uint64, error) {
	var tails []uint64
	rows := 0
	for line := range bytes.Lines(body) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			continue
		}
		tail, count, err := parseRow(line)
		if err != nil {
			return nil, err
		}
		rows++
		if count {
			tails = append(tails, tail)
		}
	}
	if rows == 0 {
		return nil, errEmpty
	}
	slices.Sort(tails)
	return slices.Clip(tails), nil
}

// parseRow reads one row: its hash, and whether it counts anything.
func parseRow(line []byte) (tail uint64, counts bool, err error) {
	suffix, count, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(suffix) != suffixDigits || len(count) == 0 {
		return 0, false, errAnswer
	}
	var all [(suffixDigits + 1) / 2]byte
	if _, err := hex.Decode(all[:], append(bytes.Clone(suffix), '0')); err != nil {
		return 0, false, errAnswer
	}
	tail, err = strconv.ParseUint(string(suffix[:16]), 16, 64)
	if err != nil {
		return 0, false, errAnswer
	}
	for _, digit := range count {
		if digit < '0' || digit > '9' {
			return 0, false, errAnswer
		}
		counts = counts || digit != '0'
	}
	return tail, counts, nil
}
