package bulk

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxRow bounds one row, and so what an import keeps in memory. A user is at
// most two metadata objects of 4 KB and a hash.
const maxRow = 1 << 20

// peekBytes is how much of a file is looked at to tell its format.
const peekBytes = 64 << 10

// identityBytes is how much of a file, beside its size, makes it the same one.
const identityBytes = 1 << 20

// Source is a file to import.
type Source struct {
	Name string    // as people call it; the ending tells the format
	From io.Reader // plain or gzip
	Size int64     // in bytes; 0 when nobody knows
	// Resumable says that the same file can be read again from the beginning.
	Resumable bool
}

// text is one row as the file has it.
type text struct {
	json  []byte // of a JSON file
	cells cells  // of a CSV file
}

// size is how many bytes the row has.
func (t text) size() int {
	n := len(t.json)
	for _, value := range t.cells.values {
		n += len(value)
	}
	return n
}

// splitter cuts a file into rows. A *fault refuses one row, io.EOF ends the
// file, any other error says that the rest cannot be read.
type splitter interface{ next() (text, error) }

// input is a file that is being read.
type input struct {
	rows     splitter
	csv      bool
	identity string // of the file, "" when it cannot be read again
	counter  *counter
}

// counter counts the bytes that were read, compressed as they are.
type counter struct {
	from io.Reader
	read int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.read += int64(n)
	return n, err
}

// open looks at the beginning of a file and returns what reads its rows.
func (o *Options) open(s Source) (*input, error) {
	in := &input{counter: &counter{from: s.From}}
	raw := bufio.NewReaderSize(in.counter, identityBytes)
	head, err := raw.Peek(identityBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if s.Resumable {
		in.identity = o.identity(s.Size, head)
	}
	var plain io.Reader = raw
	if bytes.HasPrefix(head, []byte{0x1f, 0x8b}) {
		if plain, err = gzip.NewReader(raw); err != nil {
			return nil, fmt.Errorf("%s is not sound gzip: %w", s.Name, err)
		}
	}
	r := bufio.NewReaderSize(plain, peekBytes)
	if head, err = r.Peek(peekBytes); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s cannot be read: %w", s.Name, err)
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return nil, fmt.Errorf("%s is UTF-16: convert it to UTF-8 first, for example with iconv -f UTF-16 -t UTF-8", s.Name)
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, _ = r.Discard(3) // was peeked at
		head = head[3:]
	}
	product, known := products[o.From]
	if !known {
		product, known = machines[o.From]
	}
	if !known {
		return nil, fmt.Errorf("there is no product %q to import from", o.From)
	}
	switch format := o.format(s.Name, head, product); format {
	case FormatCSV:
		if product.csv == nil {
			return nil, fmt.Errorf("%s exports no CSV that can be read here: use its JSON", product.title)
		}
		in.csv = true
		in.rows, err = newCSV(r, product.columns)
	case FormatJSON:
		in.rows, err = newJSON(r, product.wrapper), nil
	default:
		in.rows, err = &lines{from: r}, nil
	}
	return in, err
}

// identity names a file together with what decides how it is read, so that an
// import that was interrupted goes on only as it began.
func (o *Options) identity(size int64, head []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s|%s|%t|%t|%t|%d|", o.From, o.Format, o.Update, o.NewIDs, o.WithDisabled, size)
	h.Write(head)
	return hex.EncodeToString(h.Sum(nil))
}

// format tells the format of a file by its name and its beginning.
func (o *Options) format(name string, head []byte, p product) string {
	if o.Format != FormatAuto {
		return o.Format
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	head = bytes.TrimLeft(head, " \t\r\n")
	switch {
	case strings.HasSuffix(name, ".csv"), len(head) > 0 && head[0] != '{' && head[0] != '[':
		return FormatCSV
	case len(head) > 0 && head[0] == '[':
		return FormatJSON
	}
	line, _, whole := bytes.Cut(head, []byte("\n"))
	if len(head) < peekBytes {
		whole = true
	}
	if whole && json.Valid(line) && !hasKey(line, p.wrapper) {
		return FormatJSONL
	}
	return FormatJSON
}

func hasKey(object []byte, key string) bool {
	var fields map[string]json.RawMessage
	return key != "" && json.Unmarshal(object, &fields) == nil && fields[key] != nil
}

var (
	errTooLong  = &fault{"row_too_long", "The row is longer than 1 MiB."}
	errEncoding = &fault{"invalid_encoding", "The row is not UTF-8."}
)

// lines reads a row from each line. Empty lines are none.
type lines struct {
	from *bufio.Reader
	row  []byte
}

func (l *lines) next() (text, error) {
	for {
		line, long, err := l.line()
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return text{}, err
		case long:
			return text{}, errTooLong
		case len(bytes.TrimSpace(line)) == 0 && err != nil:
			return text{}, io.EOF
		case len(bytes.TrimSpace(line)) == 0:
			continue
		case !utf8.Valid(line):
			return text{}, errEncoding
		}
		return text{json: line}, nil
	}
}

// line returns the next line, valid until the one after it is read.
func (l *lines) line() (line []byte, long bool, err error) {
	l.row = l.row[:0]
	for {
		part, err := l.from.ReadSlice('\n')
		if !long {
			l.row = append(l.row, part...)
			long = len(l.row) > maxRow
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.row, long, err
		}
	}
}

// cells are the values of one row of a CSV file.
type cells struct {
	columns map[string]int
	values  []string
}

// get returns the value of a column, "" where there is none.
func (c cells) get(column string) string {
	i, ok := c.columns[column]
	if !ok || i >= len(c.values) {
		return ""
	}
	return strings.TrimSpace(c.values[i])
}

// flag reads true or false; an empty cell is false.
func (c cells) flag(column string) (bool, error) {
	switch v := strings.ToLower(c.get(column)); v {
	case "", "0", "f", "false", "no", "null":
		return false, nil
	case "1", "t", "true", "yes":
		return true, nil
	}
	return false, faultf("invalid_field", "The column %q must be true or false.", column)
}

// number reads a whole number; an empty cell is 0.
func (c cells) number(column string) (int, error) {
	v := c.get(column)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, faultf("invalid_field", "The column %q must be a whole number.", column)
	}
	return n, nil
}
