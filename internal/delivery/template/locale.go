package template

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/apierr"
)

// The locales a call may name, as the contract spells them (factors.md, 0.1).
var (
	EmailLocales = []string{"en", "es", "pt-br", "fr"}
	PhoneLocales = []string{"en", "es", "pt-br", "fr", "it", "de-DE", "zh-Hans", "ca-ES", "ja", "ru", "nl", "pl", "tr", "fa", "vi", "cs"}
)

const defaultLocale = "en"

var errLocale = apierr.New(400, "invalid_locale", "The locale is not one that messages are written in.")

// EmailLocale checks the locale that a caller wants an e-mail in; "" is English.
func EmailLocale(s string) (string, error) { return chooseLocale(s, EmailLocales) }

// PhoneLocale checks the locale that a caller wants an SMS or a WhatsApp
// message in; "" is English.
func PhoneLocale(s string) (string, error) { return chooseLocale(s, PhoneLocales) }

func chooseLocale(s string, known []string) (string, error) {
	if s == "" {
		return defaultLocale, nil
	}
	if !slices.Contains(known, s) {
		return "", errLocale.WithMessage("The locale must be one of %s.", strings.Join(known, ", "))
	}
	return s, nil
}

// locale is everything that is said in one language.
type locale struct {
	Name        string                       `json:"-"`
	Language    string                       `json:"language"` // for the lang attribute
	RightToLeft bool                         `json:"right_to_left"`
	Digits      string                       `json:"digits"` // of numbers in sentences, "" for 0 to 9; codes are typed, so they stay as they are
	Plural      string                       `json:"plural"` // which of plurals tells the forms of duration apart
	Duration    map[string]map[string]string `json:"duration"`
	Phone       map[string]string            `json:"phone"`
	Email       map[string]string            `json:"email"`
	Details     map[string]string            `json:"details"`
}

//go:embed locales
var localeFiles embed.FS

// locales are read when the first message is worded: most commands word none.
var locales = sync.OnceValue(mustReadLocales)

func mustReadLocales() map[string]*locale {
	all := map[string]*locale{}
	for _, name := range PhoneLocales {
		text, err := localeFiles.ReadFile(path.Join("locales", name+".json"))
		if err != nil {
			panic(err)
		}
		l := &locale{Name: name}
		if err := json.Unmarshal(text, l); err != nil {
			panic(fmt.Sprintf("locales/%s.json: %v", name, err))
		}
		all[name] = l
	}
	return all
}

// localeOf finds the locale of a message. One that is not among the known is
// English: the message was promised when it was taken.
func localeOf(name string, known []string) *locale {
	if !slices.Contains(known, name) {
		name = defaultLocale
	}
	return locales()[name]
}

// plurals tell which form of a unit goes with a number, as the Unicode CLDR
// has them for whole numbers.
var plurals = map[string]func(n int) string{
	"other": func(int) string { return "other" },
	"one_other": func(n int) string {
		if n == 1 {
			return "one"
		}
		return "other"
	},
	"zero_one_other": func(n int) string {
		if n <= 1 {
			return "one"
		}
		return "other"
	},
	"russian": func(n int) string {
		switch {
		case n%10 == 1 && n%100 != 11:
			return "one"
		case few(n):
			return "few"
		}
		return "many"
	},
	"polish": func(n int) string {
		switch {
		case n == 1:
			return "one"
		case few(n):
			return "few"
		}
		return "many"
	},
	"czech": func(n int) string {
		switch {
		case n == 1:
			return "one"
		case n >= 2 && n <= 4:
			return "few"
		}
		return "other"
	},
}

func few(n int) bool { return n%10 >= 2 && n%10 <= 4 && (n%100 < 12 || n%100 > 14) }

// duration says how long in the unit that people would choose, rounded down:
// a link may last longer than it says, never shorter.
func (l *locale) duration(d time.Duration) string {
	minutes := max(1, int(d/time.Minute))
	unit, n := "minute", minutes
	switch {
	case minutes >= 48*60:
		unit, n = "day", minutes/(24*60)
	case minutes >= 2*60:
		unit, n = "hour", minutes/60
	}
	return fill(l.Duration[unit][plurals[l.Plural](n)], map[string]string{"n": l.number(n)})
}

func (l *locale) number(n int) string {
	digits := []rune(l.Digits)
	if len(digits) == 0 {
		return strconv.Itoa(n)
	}
	return strings.Map(func(r rune) rune { return digits[r-'0'] }, strconv.Itoa(n))
}

// detail says what a notice is about. Features name it by a word of the
// locale's list or by the English for it; anything else is said as it is.
func (l *locale) detail(s string) string {
	for key, english := range locales()[defaultLocale].Details {
		if s == key || s == english {
			return l.Details[key]
		}
	}
	return s
}

// fill puts values where a sentence names them in braces, each once: what a
// value holds is never looked at again.
func fill(sentence string, values map[string]string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(sentence, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		b.WriteString(values[name])
		sentence = after
	}
}
