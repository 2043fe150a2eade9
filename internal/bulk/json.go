package bulk

import (
	"bufio"
	"errors"
	"io"
	"unicode/utf8"
)

// jsonRows reads rows from JSON that is more than lines: an array of users, an
// object with such an array under a known key, or users one after the other,
// printed over several lines. It only counts brackets; whether a row is sound
// JSON is for whoever decodes it, so that one that is not is refused alone.
type jsonRows struct {
	from    *bufio.Reader
	wrapper string // the key of the array, "" when there is none
	depth   int    // of the arrays that are open
	inside  int    // the depth at which the array of a wrapper is, 0 outside of one
	row     []byte
	long    bool
	broken  bool
}

func newJSON(r *bufio.Reader, wrapper string) *jsonRows { return &jsonRows{from: r, wrapper: wrapper} }

var errBroken = errors.New("what follows is not JSON: the file is damaged, or was cut off. Everything before that was read")

func (j *jsonRows) next() (text, error) {
	if j.broken {
		return text{}, io.EOF
	}
	for {
		b, err := j.token()
		if err != nil {
			return text{}, j.end(err)
		}
		switch b {
		case ',':
		case '[':
			j.depth++
		case '}':
			return text{}, j.fail()
		case ']':
			if j.depth == 0 {
				return text{}, j.fail()
			}
			if err := j.leave(); err != nil {
				return text{}, j.end(err)
			}
		case '{':
			whole, err := j.object()
			switch {
			case err != nil:
				return text{}, j.end(err)
			case !whole: // the wrapper: its array has begun
				continue
			case j.long:
				return text{}, errTooLong
			case !utf8.Valid(j.row):
				return text{}, errEncoding
			}
			return text{json: j.row}, nil
		default:
			if err := j.scalar(b); err != nil {
				return text{}, err
			}
			return text{}, faultf("invalid_row", "The row is not a JSON object.")
		}
	}
}

// end is what a reading error is to the caller: the end between two rows is a
// good one, anywhere else it is not.
func (j *jsonRows) end(err error) error {
	if errors.Is(err, io.EOF) && j.depth == 0 {
		return io.EOF
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return j.fail()
	}
	return err
}

func (j *jsonRows) fail() error {
	j.broken = true
	return errBroken
}

// token returns the next byte that is not white space.
func (j *jsonRows) token() (byte, error) {
	for {
		b, err := j.from.ReadByte()
		if err != nil || b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			return b, err
		}
	}
}

func (j *jsonRows) keep(b byte) {
	if len(j.row) < maxRow {
		j.row = append(j.row, b)
	} else {
		j.long = true
	}
}

// object reads an object whose bracket was read. It is false when the object
// turned out to be the wrapper, and its array was entered.
func (j *jsonRows) object() (whole bool, err error) {
	j.row, j.long = append(j.row[:0], '{'), false
	name, isKey := "", true
	for depth := 1; depth > 0; {
		b, err := j.from.ReadByte()
		if err != nil {
			return false, unexpected(err)
		}
		j.keep(b)
		switch b {
		case '"':
			from := len(j.row)
			if err := j.text(); err != nil {
				return false, err
			}
			if depth == 1 && isKey && !j.long {
				name = string(j.row[from : len(j.row)-1])
			}
		case ':':
			isKey = isKey && depth > 1
		case ',':
			isKey = isKey || depth == 1
		case '{', '[':
			if b == '[' && depth == 1 && j.inside == 0 && j.wrapper != "" && name == j.wrapper {
				j.depth++
				j.inside = j.depth
				return false, nil
			}
			depth++
		case '}', ']':
			depth--
		}
	}
	return true, nil
}

// leave ends an array, and passes over what a wrapper has behind its own.
func (j *jsonRows) leave() error {
	j.depth--
	if j.inside != j.depth+1 {
		return nil
	}
	j.inside = 0
	for depth := 1; depth > 0; {
		b, err := j.token()
		if err != nil {
			return unexpected(err)
		}
		switch b {
		case '"':
			j.row, j.long = j.row[:0], false
			if err := j.text(); err != nil {
				return err
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
	}
	return nil
}

// text reads a string whose opening quote was read.
func (j *jsonRows) text() error {
	for {
		b, err := j.from.ReadByte()
		if err != nil {
			return unexpected(err)
		}
		j.keep(b)
		switch b {
		case '"':
			return nil
		case '\\':
			if b, err = j.from.ReadByte(); err != nil {
				return unexpected(err)
			}
			j.keep(b)
		}
	}
}

// scalar passes over a value that is no object.
func (j *jsonRows) scalar(first byte) error {
	if first == '"' {
		j.row, j.long = j.row[:0], false
		if err := j.text(); err != nil {
			return j.end(err)
		}
		return nil
	}
	for {
		b, err := j.from.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch b {
		case ',', ']', '}', '[', '{', '\n', '"':
			return j.from.UnreadByte()
		}
	}
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
