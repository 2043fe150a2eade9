package template

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"gatehouse/internal/delivery"
)

var placeholder = regexp.MustCompile(`\{[^}]*\}?`)

func placeholders(s string) []string {
	found := placeholder.FindAllString(s, -1)
	slices.Sort(found)
	return found
}

// Every locale says everything that English says, with the same values in it.
func TestLocalesAreComplete(t *testing.T) {
	english := locales()[defaultLocale]
	compare := func(t *testing.T, what string, have, want map[string]string) {
		t.Helper()
		for key, sentence := range want {
			got, ok := have[key]
			if !ok || strings.TrimSpace(got) != got || got == "" {
				t.Errorf("%s: %s is %q", what, key, got)
			}
			if !slices.Equal(placeholders(got), placeholders(sentence)) {
				t.Errorf("%s: %s has %v, English has %v", what, key, placeholders(got), placeholders(sentence))
			}
		}
		for key := range have {
			if _, ok := want[key]; !ok {
				t.Errorf("%s: %s is not in English", what, key)
			}
		}
	}
	for name, l := range locales() {
		compare(t, name+" phone", l.Phone, english.Phone)
		if slices.Contains(EmailLocales, name) {
			compare(t, name+" email", l.Email, english.Email)
			compare(t, name+" details", l.Details, english.Details)
		} else if l.Email != nil || l.Details != nil {
			t.Errorf("%s is not a locale of e-mails and has words for them", name)
		}
		if l.Language == "" || plurals[l.Plural] == nil {
			t.Errorf("%s: language %q, plural %q", name, l.Language, l.Plural)
		}
	}
	files, err := os.ReadDir("locales")
	if err != nil || len(files) != len(PhoneLocales) {
		t.Errorf("%d files for %d locales, %v", len(files), len(PhoneLocales), err)
	}
}

// What a type of message needs to say, English says.
func TestEveryTypeHasWords(t *testing.T) {
	english := locales()[defaultLocale]
	for typ, about := range shapes {
		keys := []string{"subject", "title", "intro", "otherwise"}
		if about == aboutLink {
			keys = append(keys, "button")
		}
		if typ == delivery.ResetPassword || typ == delivery.VerifyPassword {
			keys = append(keys, "login")
		}
		for _, key := range keys {
			if english.Email[string(typ)+"."+key] == "" {
				t.Errorf("%s has no %s", typ, key)
			}
		}
		short := typ
		if other, ok := phoneKeys[typ]; ok {
			short = other
		}
		if english.Phone[string(short)] == "" {
			t.Errorf("%s has no short message", typ)
		}
	}
}

// The Unicode CLDR says which form goes with a number.
func TestPluralsAreThoseOfCLDR(t *testing.T) {
	forms := map[plural.Form]string{plural.Other: "other", plural.One: "one", plural.Few: "few", plural.Many: "many"}
	for name, l := range locales() {
		tag := language.MustParse(l.Language)
		for n := 1; n <= 200; n++ {
			want := forms[plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0)]
			got := plurals[l.Plural](n)
			if got != want {
				t.Errorf("%s: %d is %q, CLDR says %q", name, n, got, want)
			}
			for unit, sentences := range l.Duration {
				if !strings.Contains(sentences[got], "{n}") {
					t.Errorf("%s: %d %ss is %q", name, n, unit, sentences[got])
				}
			}
		}
		if !slices.Equal(slices.Sorted(maps.Keys(l.Duration)), []string{"day", "hour", "minute"}) {
			t.Errorf("%s has the units %v", name, l.Duration)
		}
	}
}

func TestDurations(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		locale string
		d      time.Duration
		want   string
	}{
		{"en", 0, "1 minute"},
		{"en", 59 * time.Second, "1 minute"},
		{"en", time.Minute, "1 minute"},
		{"en", 2*time.Minute + 59*time.Second, "2 minutes"},
		{"en", time.Hour, "60 minutes"},
		{"en", 90 * time.Minute, "90 minutes"},
		{"en", 2 * time.Hour, "2 hours"},
		{"en", day, "24 hours"},
		{"en", 2 * day, "2 days"},
		{"en", 7 * day, "7 days"},
		{"en", 7*day - time.Second, "6 days"},
		{"es", 7 * day, "7 días"},
		{"pt-br", time.Minute, "1 minuto"},
		{"fr", 3 * time.Hour, "3 heures"},
		{"ru", time.Minute, "1 минуту"},
		{"ru", 2 * time.Minute, "2 минуты"},
		{"ru", 11 * time.Minute, "11 минут"},
		{"ru", 21 * time.Hour, "21 час"},
		{"pl", 5 * time.Minute, "5 minut"},
		{"pl", 22 * time.Minute, "22 minuty"},
		{"cs", 3 * day, "3 dny"},
		{"cs", 5 * day, "5 dní"},
		{"fa", 10 * time.Minute, "۱۰ دقیقه"},
		{"ja", 10 * time.Minute, "10分間"},
	} {
		if got := locales()[c.locale].duration(c.d); got != c.want {
			t.Errorf("%s: %v is %q, want %q", c.locale, c.d, got, c.want)
		}
	}
}

func TestLocalesOfCalls(t *testing.T) {
	for _, c := range []struct {
		in, email, phone string // "" is a refusal
	}{
		{"", "en", "en"}, {"en", "en", "en"}, {"pt-br", "pt-br", "pt-br"}, {"de-DE", "", "de-DE"}, {"zh-Hans", "", "zh-Hans"},
		{"fa", "", "fa"}, {"EN", "", ""}, {"pt-BR", "", ""}, {"de", "", ""}, {"xx", "", ""}, {"../en", "", ""},
	} {
		for what, check := range map[string]func(string) (string, error){"email": EmailLocale, "phone": PhoneLocale} {
			want := c.email
			if what == "phone" {
				want = c.phone
			}
			got, err := check(c.in)
			if got != want || (want == "") != errors.Is(err, errLocale) {
				t.Errorf("%s locale %q is %q, %v", what, c.in, got, err)
			}
		}
	}
}

func TestDetailsAreTranslated(t *testing.T) {
	es := locales()["es"]
	for in, want := range map[string]string{
		"a passkey": "una llave de acceso", "passkey": "una llave de acceso", "Firefox, Windows": "Firefox, Windows",
	} {
		if got := es.detail(in); got != want {
			t.Errorf("%q is %q", in, got)
		}
	}
}

// gsm7 is the alphabet of an SMS of 160 characters (3GPP TS 23.038), less its
// escapes, which count twice.
const gsm7 = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"

// segments counts the parts an SMS is sent in.
func segments(text string) int {
	septets := 0
	for _, r := range text {
		switch {
		case strings.ContainsRune(gsm7, r):
			septets++
		case strings.ContainsRune("^{}\\[~]|€", r):
			septets += 2
		default:
			if n := len(utf16.Encode([]rune(text))); n > 70 {
				return (n + 66) / 67
			}
			return 1
		}
	}
	if septets > 160 {
		return (septets + 152) / 153
	}
	return 1
}

// A code costs one SMS in every language, with the name of an app of ten letters.
func TestCodesFitIntoOneSegment(t *testing.T) {
	for name := range locales() {
		text := phoneText(t, true, name, func(m *delivery.Message) { m.ExpiresAt = m.CreatedAt.Add(10 * time.Minute) })
		if n := segments(text); n != 1 {
			t.Errorf("%s takes %d segments: %d characters: %s", name, n, len([]rune(text)), text)
		}
	}
	text := phoneText(t, true, "en", func(m *delivery.Message) { m.AutofillDomain = "login.example.com" })
	if n := segments(text); n != 1 {
		t.Errorf("with the line of WebOTP: %d segments: %s", n, text)
	}
	hashed := phoneText(t, true, "en", func(m *delivery.Message) { m.AutofillHash = "FA+9qCX9VSu" })
	if len(hashed) > 140 {
		t.Errorf("SMS Retriever reads 140 bytes, this has %d: %s", len(hashed), hashed)
	}
}

func ExampleEmailLocale() {
	fmt.Println(EmailLocale("xx"))
	// Output: invalid_locale: The locale must be one of en, es, pt-br, fr.
}
