package webhook

import (
	"slices"
	"strings"
	"unicode"

	"gatehouse/internal/delivery"
)

const (
	maxExcerpt = 200  // characters
	maxRead    = 4096 // bytes of an answer that are looked at
	hiddenWord = "…"
)

// excerpt is the beginning of what a receiver answered, for the operator who
// looks for a fault. The answer may quote the message, and a message signs
// somebody in: words that stand in it too are left out.
func excerpt(answer string, m *delivery.Envelope) string {
	answer = strings.ToValidUTF8(answer[:min(len(answer), maxRead)], "")
	content := strings.ToLower(strings.Join([]string{m.To, m.Code, m.Link, m.Text, m.Subject}, "\n"))
	address := strings.FieldsFunc(strings.ToLower(m.To), notInWord)
	hidden := func(word string) bool {
		word = strings.ToLower(word)
		return len(word) >= 4 && strings.Contains(content, word) || slices.Contains(address, word) ||
			contains(word, m.Code) || contains(word, strings.TrimPrefix(m.To, "+"))
	}
	var out []rune
	var word []rune
	flush := func() {
		if hidden(string(word)) {
			word = []rune(hiddenWord)
		}
		out, word = append(out, word...), word[:0]
	}
	for _, r := range answer {
		switch {
		case !notInWord(r):
			word = append(word, r)
			continue
		case !unicode.IsPrint(r):
			r = ' '
		}
		flush()
		if r != ' ' || len(out) > 0 && out[len(out)-1] != ' ' {
			out = append(out, r)
		}
		if len(out) >= maxExcerpt {
			break
		}
	}
	flush()
	return strings.TrimSpace(string(out[:min(len(out), maxExcerpt)]))
}

// contains finds a secret inside a longer word, as when it was encoded.
func contains(word, secret string) bool {
	return secret != "" && strings.Contains(word, strings.ToLower(secret))
}

func notInWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
