package bulk

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// csvRows reads CSV (RFC 4180) with a header. The separator is a comma, or what
// the header has in its place: spreadsheets of many countries write semicolons.
// The reader of the standard library would take all of a file for one row when a
// quote is never closed.
type csvRows struct {
	from      *bufio.Reader
	separator byte
	columns   map[string]int
	row       []byte
}

// newCSV reads the header, which must have known columns only; nil knows all.
func newCSV(r *bufio.Reader, known []string) (*csvRows, error) {
	c := &csvRows{from: r, separator: ','}
	line, err := c.record()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the file is empty: CSV begins with a line that names the columns")
	case err != nil:
		return nil, fmt.Errorf("the header of the CSV file: %w", err)
	}
	header := string(line)
	for _, s := range []byte{',', ';', '\t'} {
		if strings.IndexByte(header, s) >= 0 {
			c.separator = s
			break
		}
	}
	names, err := c.split(header)
	if err != nil {
		return nil, fmt.Errorf("the header of the CSV file: %w", err)
	}
	c.columns = make(map[string]int, len(names))
	for i, name := range names {
		name = strings.TrimSpace(name)
		if known != nil && !slices.Contains(known, name) {
			return nil, fmt.Errorf("the CSV file has a column %q, which nobody knows: take it out, or name it one of %s", name, strings.Join(known, ", "))
		}
		if _, twice := c.columns[name]; twice {
			return nil, fmt.Errorf("the CSV file has the column %q twice", name)
		}
		c.columns[name] = i
	}
	return c, nil
}

func (c *csvRows) next() (text, error) {
	raw, err := c.record()
	if err != nil {
		return text{}, err
	}
	values, err := c.split(string(raw))
	if err != nil {
		return text{}, err
	}
	if len(values) != len(c.columns) {
		return text{}, faultf("invalid_row", "The row has %d columns, and the header has %d.", len(values), len(c.columns))
	}
	return text{cells: cells{c.columns, values}}, nil
}

// record returns the next row that is not empty: a line, or several when quotes
// hold line breaks.
func (c *csvRows) record() ([]byte, error) {
	for {
		c.row = c.row[:0]
		quoted, long, ended := false, false, false
		for !ended {
			part, err := c.from.ReadSlice('\n')
			for _, b := range part {
				quoted = quoted != (b == '"')
			}
			if !long {
				c.row = append(c.row, part...)
				long = len(c.row) > maxRow
			}
			switch {
			case err == nil:
				ended = !quoted
			case errors.Is(err, io.EOF):
				if ended = true; len(c.row) == 0 {
					return nil, io.EOF
				}
			case !errors.Is(err, bufio.ErrBufferFull):
				return nil, err
			}
		}
		row := c.row
		for len(row) > 0 && (row[len(row)-1] == '\n' || row[len(row)-1] == '\r') {
			row = row[:len(row)-1]
		}
		switch {
		case long && quoted:
			return nil, faultf("invalid_csv", "A quote is opened in this row and never closed.")
		case long:
			return nil, errTooLong
		case len(row) == 0:
			continue
		case !utf8.Valid(row):
			return nil, errEncoding
		}
		return row, nil
	}
}

// split cuts a row into its values.
func (c *csvRows) split(row string) ([]string, error) {
	values := make([]string, 0, len(c.columns)+1)
	for {
		if !strings.HasPrefix(row, `"`) {
			end := strings.IndexByte(row, c.separator)
			if end < 0 {
				return append(values, row), nil
			}
			values, row = append(values, row[:end]), row[end+1:]
			continue
		}
		var value strings.Builder
		row = row[1:]
		for {
			end := strings.IndexByte(row, '"')
			if end < 0 {
				return nil, faultf("invalid_csv", "A quote is opened in this row and never closed.")
			}
			value.WriteString(row[:end])
			row = row[end+1:]
			if !strings.HasPrefix(row, `"`) {
				break
			}
			value.WriteByte('"')
			row = row[1:]
		}
		values = append(values, value.String())
		switch {
		case row == "":
			return values, nil
		case row[0] != c.separator:
			return nil, faultf("invalid_csv", "Something follows the closing quote of a value.")
		}
		row = row[1:]
	}
}
