package wire

import (
	"bytes"
	"encoding/json"
)

// scanner walks over JSON text that is known to be valid, so that it only has
// to find where values end.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r', ',', ':':
			s.at++
		default:
			return
		}
	}
}

// more moves to the next member or item, and reports false at the end.
func (s *scanner) more(end byte) bool {
	s.space()
	return s.at < len(s.text) && s.text[s.at] != end
}

// value returns the text of the next value and moves behind it.
func (s *scanner) value() []byte {
	s.space()
	start := s.at
	switch s.text[s.at] {
	case '"':
		s.quoted()
	case '{', '[':
		for depth := 0; ; {
			switch s.text[s.at] {
			case '"':
				s.quoted()
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			if s.at++; depth == 0 {
				break
			}
		}
	default:
		if n := bytes.IndexAny(s.text[s.at:], ",]} \t\r\n"); n >= 0 {
			s.at += n
		} else {
			s.at = len(s.text)
		}
	}
	return s.text[start:s.at]
}

func (s *scanner) quoted() {
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
}

// name returns the next member's name. It is only valid until the body's
// memory is recycled.
func (s *scanner) name() []byte {
	raw := s.value()
	if bytes.IndexByte(raw, '\\') >= 0 {
		return []byte(unquote(raw))
	}
	return raw[1 : len(raw)-1]
}

// unquote returns the string that raw, a valid JSON string, stands for. Half
// a surrogate pair becomes U+FFFD, as in encoding/json.
func unquote(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var text string
	// raw has been validated, and every JSON string is a Go string.
	_ = json.Unmarshal(raw, &text)
	return text
}
